//! A livekit-server of our own on loopback.

use super::error::{DevError, SERVER_START};
use super::network::{Network, RELAY_ADDRESS, Relay};
use super::process::{Launch, Process};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// What livekit-server uses in `--dev` mode.
const DEV_KEY: (&str, &str) = ("devkey", "secret");
/// Goes on with the server's `rtc` settings: media on 127.0.0.1 alone, whatever other addresses the
/// machine has. A relay has the same port of another one, and sending from `::1`, which the server would
/// offer too, costs the kernel more.
const ON_LOOPBACK: &str = "  enable_loopback_candidate: true
  ips:
    includes: [127.0.0.1/32]
";
/// The same: send no checks of its own, which would find a way around the relay.
const BEHIND_RELAY: &str = "  use_ice_lite: true
";

/// A private livekit-server; it ends when it is dropped.
#[derive(Debug)]
pub struct DevServer {
    process: Process,
    relay: Option<Relay>,
    pub url: String,
    pub api_key: &'static str,
    pub api_secret: &'static str,
}

impl DevServer {
    /// Starts a server on free ports and waits until it answers; it logs to `log`.
    pub async fn start(launch: &Launch, log: &Path) -> Result<Self, DevError> {
        Self::start_with(launch, log, None).await
    }

    /// As [`Self::start`], with a network between the server's media and its clients (callers and
    /// agents alike).
    pub async fn start_behind(
        network: Network,
        launch: &Launch,
        log: &Path,
    ) -> Result<Self, DevError> {
        Self::start_with(launch, log, Some(network)).await
    }

    async fn start_with(
        launch: &Launch,
        log: &Path,
        network: Option<Network>,
    ) -> Result<Self, DevError> {
        let program = server_program().ok_or(DevError::NoServer)?;
        // Ports are free when they are picked and may be taken when they are used: try again then.
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::start_once(&program, launch, log, network).await {
                Err(DevError::ServerEnded { .. } | DevError::Relay(_)) if tries < 3 => {}
                other => return other,
            }
        }
    }

    async fn start_once(
        program: &Path,
        launch: &Launch,
        log: &Path,
        network: Option<Network>,
    ) -> Result<Self, DevError> {
        let (http, tcp, udp) = free_ports().map_err(DevError::Port)?;
        let mut config = format!(
            "port: {http}\nlogging:\n  level: info\nrtc:\n  tcp_port: {tcp}\n  udp_port: {udp}\n{ON_LOOPBACK}"
        );
        let mut media_address = Ipv4Addr::LOCALHOST;
        let mut relay = None;
        if let Some(network) = network {
            relay = Some(Relay::start(network, udp).await?);
            media_address = RELAY_ADDRESS;
            config.push_str(BEHIND_RELAY);
        }
        let mut command = launch.command(program);
        command
            .args(["--dev", "--bind", "127.0.0.1", "--node-ip"])
            .arg(media_address.to_string())
            .arg("--config-body")
            .arg(config)
            // These would override the private server's own settings.
            .env_remove("LIVEKIT_CONFIG")
            .env_remove("LIVEKIT_KEYS");
        let name = program.display().to_string();
        let mut process = Process::start(command, log, &name, "").await?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, http));
        let answers = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = answers => {}
            status = process.ended() => {
                let status = status.map_err(|source| DevError::Spawn { program: name, source })?;
                return Err(DevError::ServerEnded { status, log: log.into() });
            }
            () = sleep(SERVER_START) => return Err(DevError::ServerSilent { log: log.into() }),
        }
        let (api_key, api_secret) = DEV_KEY;
        Ok(Self { process, relay, url: format!("ws://127.0.0.1:{http}"), api_key, api_secret })
    }

    pub async fn stop(self) {
        self.process.stop().await;
    }

    /// What lies between the server's media and its clients, if it was started behind something.
    pub fn relay(&self) -> Option<&Relay> {
        self.relay.as_ref()
    }

    /// The server's process id (with [`Launch::Supervised`], its supervisor's): for the benchmark, which
    /// meters the server, and for tests that need it to die.
    pub fn pid(&self) -> Option<u32> {
        self.process.id()
    }
}

/// livekit-server from the PATH, else the one `make tools` installed.
fn server_program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("livekit-server"))
        .chain([PathBuf::from(".tools/bin/livekit-server")])
        .find(|program| program.is_file())
}

/// A free TCP port for signalling and a TCP and a UDP port for media.
fn free_ports() -> std::io::Result<(u16, u16, u16)> {
    let any = (Ipv4Addr::LOCALHOST, 0);
    let (http, tcp) = (TcpListener::bind(any)?, TcpListener::bind(any)?);
    let udp = UdpSocket::bind(any)?;
    Ok((http.local_addr()?.port(), tcp.local_addr()?.port(), udp.local_addr()?.port()))
}
