//! The floor: packets of the size and pace of a call, sealed, sent, received and opened on loopback, without anything
//! that makes them a call.
//!
//! The sockets form a ring and each sends to the next, so that this one process sends and receives 50 packets per second
//! and caller, as a process of callers does.
#![expect(clippy::disallowed_methods, reason = "IO: a thread that sleeps between two bursts")]

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use tokio::sync::watch;

use crate::{
    args::{Floor, Pace},
    error::Error,
    meter::Measured,
    role::{self, Measure},
};

const PERIOD: Duration = Duration::from_millis(20);
/// An RTP header with the extension for the audio level.
const HEADER: usize = 20;
/// 20 ms of Opus at 32 kbit/s.
const PAYLOAD: usize = 80;

struct Ring {
    sockets: Vec<UdpSocket>,
    addresses: Vec<SocketAddr>,
    key: LessSafeKey,
    /// Periods sent so far, for the nonces.
    sent: u32,
    packet: Vec<u8>,
}

#[derive(Debug, Default)]
struct Opened {
    packets: AtomicU64,
    is_over: AtomicBool,
}

pub(crate) async fn run(floor: &Floor) -> Result<(), Error> {
    let ring = Ring::open(floor.calls).map_err(Error::Floor)?;
    let opened = Arc::new(Opened::default());
    let (counting, pace) = (Arc::clone(&opened), floor.pace);
    let thread = thread::spawn(move || ring.turn(pace, &counting));
    let (_is_ready, ready) = watch::channel(true);
    role::serve(ready, Window { opened: Arc::clone(&opened), begun: 0 }).await;
    opened.is_over.store(true, Ordering::Relaxed);
    let _ = thread.join();
    Ok(())
}

struct Window {
    opened: Arc<Opened>,
    begun: u64,
}

impl Measure for Window {
    fn begin(&mut self) {
        self.begun = self.opened.packets.load(Ordering::Relaxed);
    }

    fn end(&mut self) -> Measured {
        let received = self.opened.packets.load(Ordering::Relaxed) - self.begun;
        Measured { received, ..Measured::default() }
    }
}

impl Ring {
    fn open(calls: u32) -> io::Result<Self> {
        let open = |_| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let sockets: Vec<UdpSocket> = (0..calls).map(open).collect::<io::Result<_>>()?;
        let addresses = sockets.iter().map(UdpSocket::local_addr).collect::<io::Result<_>>()?;
        let key = UnboundKey::new(&AES_128_GCM, &[7; 16]).map_err(io::Error::other)?;
        let packet = Vec::with_capacity(HEADER + PAYLOAD + AES_128_GCM.tag_len());
        Ok(Self { sockets, addresses, key: LessSafeKey::new(key), sent: 0, packet })
    }

    fn turn(mut self, pace: Pace, opened: &Opened) {
        let slots = match pace {
            Pace::Burst => 1,
            Pace::Four => 4,
            Pace::Spread => 20,
        };
        let start = Instant::now();
        let mut buffer = vec![0; 2048];
        while !opened.is_over.load(Ordering::Relaxed) {
            for slot in 0..slots {
                let due = PERIOD * self.sent + PERIOD * slot_number(slot) / slot_number(slots);
                thread::sleep(due.saturating_sub(start.elapsed()));
                let mine = || (slot..self.sockets.len()).step_by(slots);
                let senders: Vec<usize> = mine().collect();
                for sender in &senders {
                    self.send(*sender);
                }
                let received =
                    senders.iter().filter(|sender| self.receive(**sender, &mut buffer)).count();
                opened.packets.fetch_add(received as u64, Ordering::Relaxed);
            }
            self.sent += 1;
        }
    }

    /// Loopback delivers within the call, so the next in the ring has it afterwards.
    fn send(&mut self, sender: usize) {
        self.packet.clear();
        self.packet.resize(HEADER + PAYLOAD, 0x55);
        let (header, payload) = self.packet.split_at_mut(HEADER);
        let sealed =
            self.key.seal_in_place_separate_tag(nonce(self.sent), Aad::from(&*header), payload);
        let Ok(tag) = sealed else { return };
        self.packet.extend_from_slice(tag.as_ref());
        let to = self.addresses[(sender + 1) % self.addresses.len()];
        let _ = self.sockets[sender].send_to(&self.packet, to);
    }

    fn receive(&self, sender: usize, buffer: &mut [u8]) -> bool {
        let receiver = &self.sockets[(sender + 1) % self.sockets.len()];
        let Ok((length, _)) = receiver.recv_from(buffer) else { return false };
        let (header, sealed) = buffer[..length].split_at_mut(HEADER);
        self.key.open_in_place(nonce(self.sent), Aad::from(&*header), sealed).is_ok()
    }
}

fn nonce(period: u32) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..4].copy_from_slice(&period.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

fn slot_number(slot: usize) -> u32 {
    u32::try_from(slot).unwrap_or_default()
}
