//! The floor: the packets of a call, sealed, sent, received and opened on loopback, decoded and judged by an ear, without
//! anything that makes them a call. Less cannot be spent by whoever hears all that is said.
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
use loadcall::audio::listener::{Listener, Packet};
use tokio::sync::watch;

use crate::{
    args::Floor,
    error::Error,
    measured::Measured,
    role::{self, Measure},
    speech::{PAUSE, Speech},
};

const PERIOD: Duration = Duration::from_millis(20);
/// An RTP header with the extension for the audio level.
const HEADER: usize = 20;
/// Bursts in a period, as the packets of callers leave.
const SLOTS: usize = 4;
/// Between where two callers are in what is said: no two begin together.
const APART: usize = 37;

struct Ring {
    sockets: Vec<UdpSocket>,
    addresses: Vec<SocketAddr>,
    key: LessSafeKey,
    /// Periods sent so far, for the nonces.
    sent: u32,
    packet: Vec<u8>,
    /// What everybody says, over and over, as packets.
    said: Vec<Arc<[u8]>>,
    /// Of each socket.
    ears: Vec<Listener>,
}

#[derive(Debug, Default)]
struct Opened {
    packets: AtomicU64,
    edges: AtomicU64,
    is_over: AtomicBool,
}

pub(crate) async fn run(floor: &Floor) -> Result<(), Error> {
    let said = said(&Speech::read(&floor.clip)?);
    let ring = Ring::open(floor.calls, said).map_err(Error::Floor)?;
    let opened = Arc::new(Opened::default());
    let counting = Arc::clone(&opened);
    let thread = thread::spawn(move || ring.run(&counting));
    let (_is_ready, ready) = watch::channel(true);
    role::serve(ready, Window { opened: Arc::clone(&opened), begun: (0, 0) }).await;
    opened.is_over.store(true, Ordering::Relaxed);
    let _ = thread.join();
    Ok(())
}

struct Window {
    opened: Arc<Opened>,
    begun: (u64, u64),
}

impl Measure for Window {
    fn begin(&mut self) {
        self.begun = self.opened.counts();
    }

    fn end(&mut self) -> Measured {
        let (packets, edges) = self.opened.counts();
        let (received, edges) = (packets - self.begun.0, edges - self.begun.1);
        Measured { received, edges, ..Measured::default() }
    }
}

impl Ring {
    fn open(calls: u32, said: Vec<Arc<[u8]>>) -> io::Result<Self> {
        let open = |_| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let sockets: Vec<UdpSocket> = (0..calls).map(open).collect::<io::Result<_>>()?;
        let addresses = sockets.iter().map(UdpSocket::local_addr).collect::<io::Result<_>>()?;
        let key = UnboundKey::new(&AES_128_GCM, &[7; 16]).map_err(io::Error::other)?;
        let ear = |_| {
            let mut ear = Listener::new();
            ear.begin_stream();
            ear
        };
        let ears = (0..calls).map(ear).collect();
        let (key, packet) = (LessSafeKey::new(key), Vec::new());
        Ok(Self { sockets, addresses, key, sent: 0, packet, said, ears })
    }

    fn run(mut self, opened: &Opened) {
        let start = Instant::now();
        let mut buffer = vec![0; 2048];
        while !opened.is_over.load(Ordering::Relaxed) {
            for slot in 0..SLOTS {
                let due = PERIOD * self.sent + PERIOD * slot_number(slot) / slot_number(SLOTS);
                thread::sleep(due.saturating_sub(start.elapsed()));
                let senders = || (slot..self.sockets.len()).step_by(SLOTS);
                let senders: Vec<usize> = senders().collect();
                for sender in &senders {
                    self.send(*sender);
                }
                for sender in senders {
                    if let Some(edges) = self.receive(sender, start.elapsed(), &mut buffer) {
                        opened.packets.fetch_add(1, Ordering::Relaxed);
                        opened.edges.fetch_add(edges, Ordering::Relaxed);
                    }
                }
            }
            self.sent += 1;
        }
    }

    /// Loopback delivers within the call, so the next in the ring has it afterwards.
    fn send(&mut self, sender: usize) {
        self.packet.clear();
        self.packet.resize(HEADER, 0x55);
        let place = (self.sent as usize + sender * APART) % self.said.len();
        self.packet.extend_from_slice(&self.said[place]);
        let (header, payload) = self.packet.split_at_mut(HEADER);
        let sealed =
            self.key.seal_in_place_separate_tag(nonce(self.sent), Aad::from(&*header), payload);
        let Ok(tag) = sealed else { return };
        self.packet.extend_from_slice(tag.as_ref());
        let to = self.addresses[(sender + 1) % self.addresses.len()];
        let _ = self.sockets[sender].send_to(&self.packet, to);
    }

    /// How many edges of speech became certain with what was sent, if it came.
    fn receive(&mut self, sender: usize, at: Duration, buffer: &mut [u8]) -> Option<u64> {
        let receiver = (sender + 1) % self.sockets.len();
        let (length, _) = self.sockets[receiver].recv_from(buffer).ok()?;
        let (header, sealed) = buffer[..length].split_at_mut_checked(HEADER)?;
        let opened = self.key.open_in_place(nonce(self.sent), Aad::from(&*header), sealed);
        let packet = Packet { at, rtp_time: self.sent * 960, payload: opened.ok()? };
        Some(self.ears[receiver].hear(packet).len() as u64)
    }
}

impl Opened {
    /// Packets and edges.
    fn counts(&self) -> (u64, u64) {
        (self.packets.load(Ordering::Relaxed), self.edges.load(Ordering::Relaxed))
    }
}

/// A sentence and a pause.
fn said(speech: &Speech) -> Vec<Arc<[u8]>> {
    let silent = PAUSE.as_millis() / PERIOD.as_millis();
    let silence = (0..silent).map(|_| &speech.silence);
    speech.frames.iter().chain(silence).map(|frame| Arc::clone(&frame.payload)).collect()
}

fn nonce(period: u32) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..4].copy_from_slice(&period.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

fn slot_number(slot: usize) -> u32 {
    u32::try_from(slot).unwrap_or_default()
}
