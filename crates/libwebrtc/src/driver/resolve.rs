//! Finds the addresses of TURN servers, on a thread of its own: looking up a name, and reading the root certificates for
//! TLS, may take seconds.

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{
        Arc, OnceLock, Weak,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{Connection, tls};
use crate::{
    peer::{Credentials, RelayServer, RelayTransport, RelayUrl, RelayUrlError},
    types::settings::IceServer,
};

/// Servers that may wait to be looked up. What goes beyond is not used.
const WAITING_MAX: usize = 4096;
/// Names whose addresses are remembered, and for how long.
const KNOWN_MAX: usize = 64;
const KNOWN_FOR: Duration = Duration::from_secs(60);
/// Servers that are taken of a configuration.
const SERVERS_MAX: usize = 16;

/// A server to be found, and who waits for it.
struct Wanted {
    url: RelayUrl,
    credentials: Credentials,
    connection: Weak<Connection>,
}

struct Known {
    host: Arc<str>,
    addresses: Vec<IpAddr>,
    since: Instant,
}

impl Connection {
    /// Makes the connection use these servers instead of those it was told of before. STUN servers are passed over.
    pub(super) fn use_servers(self: &Arc<Self>, servers: &[IceServer]) {
        let mut usable = vec![];
        for server in servers {
            for url in &server.urls {
                match usable_server(url, server) {
                    Ok(found) if usable.len() < SERVERS_MAX => usable.push(found),
                    Ok(_) => log::debug!("{url} is not used: there are {SERVERS_MAX} servers"),
                    Err(error) => log::debug!("{url} is not used: {error}"),
                }
            }
        }
        self.peer().expect_relays(usable.len());
        for (url, credentials) in usable {
            let wanted = Wanted { url, credentials, connection: Arc::downgrade(self) };
            if queue().is_none_or(|queue| queue.try_send(wanted).is_err()) {
                log::warn!("a turn server is not used: too many wait to be looked up");
                self.peer().relay_not_found();
            }
        }
        self.wake();
    }
}

fn usable_server(url: &str, server: &IceServer) -> Result<(RelayUrl, Credentials), RelayUrlError> {
    let url = RelayUrl::parse(url)?;
    if let RelayTransport::Tls(name) = &url.transport {
        tls::check_name(name).map_err(|_| RelayUrlError::Host)?;
    }
    Ok((url, Credentials::new(&server.username, &server.password)?))
}

/// The way to the thread, which is started for the first server. `None` when it cannot be.
fn queue() -> Option<&'static SyncSender<Wanted>> {
    static QUEUE: OnceLock<Option<SyncSender<Wanted>>> = OnceLock::new();
    let start = || {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let started = thread::Builder::new().name("rtc-resolve".into()).spawn(|| run(receiver));
        if let Err(error) = &started {
            log::error!("no turn server is used: cannot start a thread: {error}");
        }
        started.is_ok().then_some(sender)
    };
    QUEUE.get_or_init(start).as_ref()
}

#[expect(clippy::needless_pass_by_value, reason = "the thread owns its end of the queue")]
fn run(wanted: Receiver<Wanted>) {
    let mut known = vec![];
    for Wanted { url, credentials, connection } in &wanted {
        // Nothing is looked up for those that are gone.
        if connection.strong_count() == 0 {
            continue;
        }
        if matches!(url.transport, RelayTransport::Tls(_)) {
            tls::config();
        }
        let addresses = addresses(&mut known, &url.host, Instant::now());
        let Some(connection) = connection.upgrade() else { continue };
        // An allocation is of IPv4 in any case, and so is most of what it leads to.
        let address = addresses.iter().find(|a| a.is_ipv4()).or(addresses.first());
        match address {
            Some(ip) => connection.peer().add_relay(RelayServer {
                transport: url.transport,
                address: SocketAddr::new(*ip, url.port),
                credentials,
            }),
            None => connection.peer().relay_not_found(),
        }
        connection.wake();
    }
}

fn addresses(known: &mut Vec<Known>, host: &Arc<str>, now: Instant) -> Vec<IpAddr> {
    if let Ok(address) = host.parse() {
        return vec![address];
    }
    known.retain(|known| now.saturating_duration_since(known.since) < KNOWN_FOR);
    if let Some(known) = known.iter().find(|known| known.host == *host) {
        return known.addresses.clone();
    }
    let addresses: Vec<IpAddr> = match (&**host, 0).to_socket_addrs() {
        Ok(found) => found.map(|address| address.ip()).collect(),
        Err(error) => {
            log::warn!("the turn server {host} is not used: it has no address: {error}");
            vec![]
        }
    };
    if known.len() < KNOWN_MAX {
        known.push(Known { host: host.clone(), addresses: addresses.clone(), since: now });
    }
    addresses
}
