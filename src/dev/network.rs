//! A bad network: a relay on loopback between a private server and its clients, which delays and drops
//! packets. For calibration and tests; `tc netem` impairs real networks.
//!
//! The server listens for media on one address and announces another one to its clients, where the relay
//! listens. Both are in 127.0.0.0/8, all of which is loopback on Linux without any setup.

use super::error::DevError;
use crate::clock::Clock;
use crate::random::SplitMix64;
use crate::time::Offset;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Where clients of a server behind a relay believe it to be.
pub(super) const RELAY_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Packets in flight in one direction of one client; more are dropped, as in a router.
const MAX_IN_FLIGHT: usize = 4_096;
/// Clients of one relay; packets of more clients are dropped.
const MAX_CLIENTS: usize = 1_024;
/// Longest packet; a longer one would not pass a network without fragmentation.
const MAX_PACKET: usize = 2_048;

/// Impairment in one direction. The default passes every packet at once.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Lane {
    /// Every packet takes this long …
    pub delay: Duration,
    /// … and up to this much longer, evenly distributed. Packets do not overtake one another.
    pub jitter: Duration,
    /// Share of packets that are dropped, 0 to 1, each by itself.
    pub loss: f64,
}

/// A network between a server and its clients.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Network {
    pub to_server: Lane,
    pub to_clients: Lane,
    /// Of what is drawn: which packets are dropped, and the jitter of each.
    pub seed: u64,
}

/// RTP packets (not RTCP, ICE or DTLS) that went one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Media {
    pub passed: u64,
    pub dropped: u64,
}

/// A relay at work; it ends when it is dropped.
#[derive(Debug)]
pub struct Relay {
    to_clients: PerClient,
    _tasks: JoinSet<()>,
}

/// In the order in which clients were first heard.
type PerClient = Arc<Mutex<Vec<Arc<Counts>>>>;

#[derive(Debug, Default)]
struct Counts {
    passed: AtomicU64,
    dropped: AtomicU64,
}

impl Relay {
    /// Takes what clients send to [`RELAY_ADDRESS`] at `port` to the server at the same port of
    /// 127.0.0.1, and back.
    pub(super) async fn start(network: Network, port: u16) -> Result<Self, DevError> {
        let at = SocketAddr::from((RELAY_ADDRESS, port));
        let front = UdpSocket::bind(at).await.map_err(DevError::Relay)?;
        let to_clients = PerClient::default();
        let relaying = Relaying {
            network,
            server: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            front: Arc::new(front),
            clock: Clock::start(),
            to_clients: Arc::clone(&to_clients),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(relaying.run());
        Ok(Self { to_clients, _tasks: tasks })
    }

    /// What of the server's media went to each client so far: for tests that compare it with what a caller
    /// counted.
    pub fn media_to_each_client(&self) -> Vec<Media> {
        let counts = self.to_clients.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|counts| counts.so_far()).collect()
    }
}

impl Counts {
    fn add(&self, passed: Option<Offset>) {
        let count = if passed.is_some() { &self.passed } else { &self.dropped };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn so_far(&self) -> Media {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Media { passed: read(&self.passed), dropped: read(&self.dropped) }
    }
}

/// One direction of one client.
struct Passage {
    lane: Lane,
    random: SplitMix64,
    /// When the packet before arrives.
    last: Offset,
}

impl Passage {
    fn new(lane: Lane, seed: u64, number: usize) -> Self {
        let random = SplitMix64::for_purpose(seed, u64::try_from(number).unwrap_or(u64::MAX));
        Self { lane, random, last: Offset::default() }
    }

    /// When a packet that comes `now` arrives; `None` when it is lost. Draws the same number of
    /// random numbers for every packet, so that a seed loses the same packets whatever the jitter.
    fn of(&mut self, now: Offset) -> Option<Offset> {
        let (lost, late) = (self.random.unit() < self.lane.loss, self.random.unit());
        let arrives = now.plus(self.lane.delay).plus(self.lane.jitter.mul_f64(late)).max(self.last);
        if lost {
            return None;
        }
        self.last = arrives;
        Some(arrives)
    }
}

type Packet = (Offset, Vec<u8>);

/// What the relay's tasks share.
#[derive(Debug, Clone)]
struct Relaying {
    network: Network,
    server: SocketAddr,
    front: Arc<UdpSocket>,
    clock: Clock,
    to_clients: PerClient,
}

/// One client's way to the server.
struct Client {
    passage: Passage,
    packets: mpsc::Sender<Packet>,
}

impl Relaying {
    /// Never returns; owns the tasks of all clients.
    async fn run(self) {
        let mut clients: HashMap<SocketAddr, Client> = HashMap::new();
        let mut tasks = JoinSet::new();
        let mut bytes = vec![0; MAX_PACKET];
        loop {
            // An error is what a client that has gone leaves behind (its port is closed).
            let Ok((length, from)) = self.front.recv_from(&mut bytes).await else { continue };
            let number = clients.len();
            let client = match clients.entry(from) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => match self.client(from, number, &mut tasks).await {
                    Some(client) => new.insert(client),
                    None => continue,
                },
            };
            let packet = &bytes[..length];
            forward(packet, self.clock, &mut client.passage, &client.packets);
        }
    }

    /// Opens a client's way to the server and back.
    async fn client(
        &self,
        address: SocketAddr,
        number: usize,
        tasks: &mut JoinSet<()>,
    ) -> Option<Client> {
        if number >= MAX_CLIENTS {
            return None;
        }
        let back = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.ok()?);
        back.connect(self.server).await.ok()?;
        let (packets, queue) = mpsc::channel(MAX_IN_FLIGHT);
        let (clock, to) = (self.clock, Arc::clone(&back));
        tasks.spawn(deliver(queue, clock, async move |packet: &[u8]| {
            let _ = to.send(packet).await;
        }));
        let (down, queue) = mpsc::channel(MAX_IN_FLIGHT);
        let front = Arc::clone(&self.front);
        tasks.spawn(deliver(queue, clock, async move |packet: &[u8]| {
            let _ = front.send_to(packet, address).await;
        }));
        let mut passage = Passage::new(self.network.to_clients, self.network.seed, 2 * number + 1);
        let counts = Arc::<Counts>::default();
        self.to_clients.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&counts));
        tasks.spawn(async move {
            let mut bytes = vec![0; MAX_PACKET];
            loop {
                let Ok(length) = back.recv(&mut bytes).await else { continue };
                let packet = &bytes[..length];
                let arrives = forward(packet, clock, &mut passage, &down);
                if is_rtp(packet) {
                    counts.add(arrives);
                }
            }
        });
        let passage = Passage::new(self.network.to_server, self.network.seed, 2 * number);
        Some(Client { passage, packets })
    }
}

/// Sends a packet on its way; `None` when it is lost.
fn forward(
    packet: &[u8],
    clock: Clock,
    passage: &mut Passage,
    packets: &mpsc::Sender<Packet>,
) -> Option<Offset> {
    let arrives = passage.of(clock.now())?;
    // A full queue loses the packet.
    let _ = packets.try_send((arrives, packet.to_vec()));
    Some(arrives)
}

async fn deliver(mut queue: mpsc::Receiver<Packet>, clock: Clock, send: impl AsyncFn(&[u8])) {
    while let Some((arrives, packet)) = queue.recv().await {
        if arrives > clock.now() {
            sleep_until(Instant::from_std(clock.instant(arrives))).await;
        }
        send(&packet).await;
    }
}

/// Tells RTP from what shares its port: RFC 7983 §7 (first byte), RFC 5761 §4 (RTCP's types).
fn is_rtp(packet: &[u8]) -> bool {
    match packet {
        [128..=191, kind, ..] => !(64..=95).contains(&(kind & 0x7f)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    #[test]
    fn packets_are_lost_and_delayed_as_configured_and_stay_in_order() {
        let (delay, jitter) = (Duration::from_millis(30), Duration::from_millis(20));
        let mut passage = Passage::new(Lane { delay, jitter, loss: 0.2 }, 1, 0);
        let (mut lost, mut before, mut delayed) = (0, Offset::default(), 0.0);
        for n in 0..10_000 {
            let now = Offset::from_micros(n * 20_000);
            let Some(arrives) = passage.of(now) else {
                lost += 1;
                continue;
            };
            assert!(arrives >= before);
            before = arrives;
            let took = arrives.ms_since(now);
            assert!((30.0..=50.0).contains(&took), "{took}");
            delayed += took;
        }
        // 20 % of 10,000, with a standard deviation of 40; a mean of 40 ms, with one of 0.06 ms.
        assert!((1_880..=2_120).contains(&lost), "{lost}");
        let mean = delayed / f64::from(10_000 - lost);
        assert!((39.7..=40.3).contains(&mean), "{mean}");
    }

    #[test]
    fn a_seed_loses_the_same_packets_whatever_the_jitter() {
        let lost = |jitter| {
            let lane = Lane { delay: Duration::ZERO, jitter, loss: 0.1 };
            let mut passage = Passage::new(lane, 7, 3);
            let all = (0..500).map(|n| passage.of(Offset::from_micros(n * 20_000)).is_none());
            all.collect::<Vec<_>>()
        };
        assert_eq!(lost(Duration::ZERO), lost(Duration::from_millis(90)));
    }

    #[test]
    fn only_rtp_is_counted_as_media() {
        for (packet, rtp) in [
            (&[0x80, 111, 0, 1][..], true),
            (&[0x90, 0xef, 0, 1], true),
            (&[0x80, 200, 0, 6], false),
            (&[0x00, 0x01, 0, 0], false),
            (&[22, 254, 253], false),
            (&[0x80], false),
            (&[], false),
        ] {
            assert_eq!(is_rtp(packet), rtp, "{packet:?}");
        }
    }

    #[tokio::test]
    async fn what_a_client_sends_comes_back() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = server.local_addr().unwrap().port();
        let lane = Lane { delay: Duration::from_millis(40), ..Lane::default() };
        let network = Network { to_server: lane, to_clients: lane, seed: 0 };
        let relay = Relay::start(network, port).await.unwrap();
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let clock = Clock::start();
        client.send_to(&[0x80, 111, 7], (RELAY_ADDRESS, port)).await.unwrap();
        let mut bytes = [0; 16];
        let patience = Duration::from_secs(5);
        let (length, from) =
            timeout(patience, server.recv_from(&mut bytes)).await.unwrap().unwrap();
        server.send_to(&bytes[..length], from).await.unwrap();
        let (length, from) =
            timeout(patience, client.recv_from(&mut bytes)).await.unwrap().unwrap();
        assert_eq!((&bytes[..length], from), (&[0x80, 111, 7][..], (RELAY_ADDRESS, port).into()));
        assert!(clock.now().micros() >= 80_000, "two ways of 40 ms");
        let once = Media { passed: 1, dropped: 0 };
        assert_eq!(relay.media_to_each_client(), [once]);
    }
}
