//! A network in virtual time: what is sent arrives late, twice, out of order or not at all, the same for the same seed.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{A, B, address};

/// What happens to the datagrams one side sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions {
    pub(crate) delay: Duration,
    /// Added to the delay: anything from nothing to this. More than the distance of two datagrams reorders them.
    pub(crate) jitter: Duration,
    pub(crate) loss: Loss,
    /// The share of datagrams that arrive twice.
    pub(crate) doubled: f64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Loss {
    /// Each datagram by itself.
    Share(f64),
    /// In bursts (Gilbert, Elliott): a state in which all arrive and one in which all are lost, and the chance to change
    /// from one to the other with each datagram.
    Bursts { begin: f64, end: f64 },
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: Loss::Share(0.0),
            doubled: 0.0,
        }
    }
}

/// Something on its way.
pub(crate) enum Flight {
    Datagram {
        source: SocketAddr,
        contents: Vec<u8>,
    },
    /// Bytes of a TCP connection: these are late, but neither lost nor reordered.
    Stream {
        source: SocketAddr,
        contents: Vec<u8>,
    },
}

pub(crate) struct Network {
    /// Of what A and what B sends.
    pub(crate) conditions: [Conditions; 2],
    /// No datagram gets through while set.
    pub(crate) is_cut: bool,
    /// No TCP gets through while set.
    pub(crate) is_stream_cut: bool,
    /// Datagrams with RTP in them that were sent and that were lost, by the side that sent them.
    pub(crate) rtp: [Tally; 2],
    /// The address others see A behind. There is no other way to it, and none to an address it had before.
    nat: Option<SocketAddr>,
    is_bursting: [bool; 2],
    in_flight: BTreeMap<(Instant, u64), (usize, Flight)>,
    flights: u64,
    random: u64,
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) lost: u64,
}

impl Network {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            conditions: [Conditions::default(); 2],
            is_cut: false,
            is_stream_cut: false,
            rtp: [Tally::default(); 2],
            nat: None,
            is_bursting: [false; 2],
            in_flight: BTreeMap::new(),
            flights: 0,
            random: seed,
        }
    }

    pub(crate) fn with(seed: u64, conditions: Conditions) -> Self {
        Self { conditions: [conditions; 2], ..Self::new(seed) }
    }

    /// Puts A behind an address, or gives it another one.
    pub(crate) fn bind_nat(&mut self, outside: &str) {
        self.nat = Some(outside.parse().unwrap());
    }

    /// A datagram of `side` to `destination`.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        side: usize,
        destination: SocketAddr,
        contents: &[u8],
    ) {
        let is_there = destination == self.seen(1 - side);
        let is_rtp =
            contents.len() > 12 && (128..192).contains(&contents[0]) && !is_rtcp(contents[1]);
        let is_lost = self.loses(side);
        self.rtp[side].sent += u64::from(is_rtp);
        self.rtp[side].lost += u64::from(is_rtp && is_lost);
        if self.is_cut || !is_there || is_lost {
            return;
        }
        let Conditions { delay, jitter, doubled, .. } = self.conditions[side];
        let copies = if self.chance(doubled) { 2 } else { 1 };
        for _ in 0..copies {
            let at = now + delay + jitter.mul_f64(self.fraction());
            let flight = Flight::Datagram { source: self.seen(side), contents: contents.to_vec() };
            self.take_off(at, 1 - side, flight);
        }
    }

    /// Bytes of `side` through the TCP connection to `destination`. Of an address only the machine counts here.
    pub(crate) fn stream(
        &mut self,
        now: Instant,
        side: usize,
        destination: SocketAddr,
        contents: &[u8],
    ) {
        if self.is_stream_cut || destination.ip() != address(1 - side).ip() {
            return;
        }
        let source = SocketAddr::new(address(side).ip(), 9);
        // In pieces that have nothing to do with where datagrams begin.
        for piece in contents.chunks(700) {
            let flight = Flight::Stream { source, contents: piece.to_vec() };
            self.take_off(now + self.conditions[side].delay, 1 - side, flight);
        }
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.in_flight.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn arrived(&mut self, now: Instant) -> Option<(Instant, usize, Flight)> {
        let entry = self.in_flight.first_entry().filter(|entry| entry.key().0 <= now)?;
        let ((at, _), (side, flight)) = entry.remove_entry();
        Some((at, side, flight))
    }

    fn take_off(&mut self, at: Instant, to: usize, flight: Flight) {
        self.flights += 1;
        self.in_flight.insert((at, self.flights), (to, flight));
    }

    /// The address the other side sees.
    fn seen(&self, side: usize) -> SocketAddr {
        debug_assert!(side == A || side == B);
        self.nat.filter(|_| side == A).unwrap_or_else(|| address(side))
    }

    fn loses(&mut self, side: usize) -> bool {
        match self.conditions[side].loss {
            Loss::Share(share) => self.chance(share),
            Loss::Bursts { begin, end } => {
                let changes = self.chance(if self.is_bursting[side] { end } else { begin });
                self.is_bursting[side] ^= changes;
                self.is_bursting[side]
            }
        }
    }

    fn chance(&mut self, share: f64) -> bool {
        self.fraction() < share
    }

    /// From 0 up to 1 (`SplitMix64`).
    fn fraction(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = u32::try_from((bits ^ (bits >> 31)) >> 32).unwrap();
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }
}

/// By the second byte (RFC 5761, 4).
fn is_rtcp(byte: u8) -> bool {
    (192..224).contains(&byte)
}
