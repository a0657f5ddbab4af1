//! The jitter buffer: packets in any order in, an unbroken row of stretches out.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::IncomingPacket;
use crate::media::PERIOD_TICKS;

/// How long the first packet of a spurt waits for others. This much jitter does no harm.
const CUSHION: Duration = Duration::from_millis(40);
const CUSHION_TICKS: u64 = 2 * PERIOD_TICKS as u64;
/// More is never kept (1 s); the oldest goes first.
const LIMIT_TICKS: u64 = 48_000;
/// And not more packets than this, however short they are.
const LIMIT_PACKETS: usize = 400;
/// How long concealment goes on before silence takes over.
const CONCEAL_TICKS: u32 = 5 * PERIOD_TICKS;
/// A jump in RTP time beyond this, or back, is the sender's doing and not played as a gap.
const JUMP_TICKS: u32 = 48_000;
/// Gaps below this, the shortest Opus frame, are none.
const ROUNDING_TICKS: u32 = 120;
/// Over how many periods the buffer must have been too full before a packet is left out.
const TRIM_PERIODS: u32 = 25;
/// The longest an Opus packet can be (RFC 6716, 3.2.5).
const MAX_PACKET_TICKS: usize = 5760;
/// A packet of up to this many bytes says that the sender pauses.
const PAUSE_BYTES: usize = 2;

/// What to play next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stretch {
    Packet(Buffered),
    /// Make `samples` up. `recover` is the packet that follows a single lost one and may hold a copy of it. `paused` if
    /// the sender is likely to have sent nothing.
    Conceal {
        samples: u32,
        recover: Option<Bytes>,
        paused: bool,
    },
    /// A period without anything to go on.
    Silence,
}

impl Stretch {
    /// Its length at 48 kHz, always above zero.
    pub(super) fn samples(&self) -> u32 {
        match self {
            Self::Packet(packet) => packet.samples,
            Self::Conceal { samples, .. } => *samples,
            Self::Silence => PERIOD_TICKS,
        }
    }
}

/// A packet that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Buffered {
    pub(super) seq: u64,
    pub(super) rtp_time: u32,
    /// Its length at 48 kHz.
    pub(super) samples: u32,
    pub(super) payload: Bytes,
    pub(super) arrival: Instant,
}

/// Plays each sequence number at most once, in rising order.
///
/// Three things may be missing. A packet that others have overtaken is lost, or late, and concealed. If there is nothing
/// at all, time is inserted, so that what is only delayed is still heard, and [`trim`](Self::trim) takes it out again
/// when the delay has gone. A gap in time without one in the sequence is a pause of the sender.
#[derive(Debug, Default)]
pub(super) struct JitterBuffer {
    packets: BTreeMap<u64, Buffered>,
    /// The sum of all `samples`.
    ticks: u64,
    /// The last packet that was played or given up.
    last: Option<Last>,
    playing: bool,
    /// Ticks concealed since the buffer ran dry.
    dry: u32,
    fullness: Fullness,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    seq: u64,
    /// The RTP time at which the next one is expected.
    end: u32,
    paused: bool,
}

/// The least that was in the buffer after the last periods.
#[derive(Debug)]
struct Fullness {
    least: u64,
    periods: u32,
}

impl Default for Fullness {
    fn default() -> Self {
        Self { least: u64::MAX, periods: 0 }
    }
}

impl JitterBuffer {
    /// Takes a packet; returns how many were discarded: this one or, if the buffer is full, older ones.
    pub(super) fn insert(&mut self, packet: IncomingPacket) -> u64 {
        let samples = match opus::packet::get_nb_samples(&packet.payload, 48_000) {
            Ok(samples @ 1..=MAX_PACKET_TICKS) => u32::try_from(samples).unwrap_or(PERIOD_TICKS),
            Ok(_) | Err(_) => return 1,
        };
        let late = self.last.is_some_and(|last| packet.seq <= last.seq);
        if late || self.packets.contains_key(&packet.seq) {
            return 1;
        }
        let IncomingPacket { seq, rtp_time, payload, arrival, .. } = packet;
        self.packets.insert(seq, Buffered { seq, rtp_time, samples, payload, arrival });
        self.ticks += u64::from(samples);
        let mut discarded = 0;
        while self.ticks > LIMIT_TICKS || self.packets.len() > LIMIT_PACKETS {
            self.pop();
            discarded += 1;
        }
        discarded
    }

    /// The stretch that follows the last one.
    pub(super) fn next(&mut self, now: Instant) -> Stretch {
        if !self.playing {
            if !self.is_ready(now) {
                return Stretch::Silence;
            }
            self.playing = true;
            self.dry = 0;
            return self.pop().map_or(Stretch::Silence, Stretch::Packet);
        }
        let Some(first) = self.packets.first_entry() else { return self.run_dry() };
        let (gap, in_sequence) = match self.last {
            None => (0, true),
            Some(last) => {
                (first.get().rtp_time.wrapping_sub(last.end), first.get().seq - 1 == last.seq)
            }
        };
        if !(ROUNDING_TICKS..=JUMP_TICKS).contains(&gap) {
            return self.pop().map_or(Stretch::Silence, Stretch::Packet);
        }
        if self.dry > 0 {
            // The gap has been played already. The next spurt gets a cushion of its own.
            self.playing = false;
            return self.next(now);
        }
        let samples = gap.min(PERIOD_TICKS) / ROUNDING_TICKS * ROUNDING_TICKS;
        let recover =
            (!in_sequence && gap <= first.get().samples).then(|| first.get().payload.clone());
        if let Some(last) = &mut self.last {
            last.end = last.end.wrapping_add(samples);
        }
        Stretch::Conceal { samples, recover, paused: in_sequence }
    }

    /// To be called after each period. Leaves a packet out if there have been more than enough for half a second;
    /// returns how many.
    pub(super) fn trim(&mut self) -> u64 {
        self.fullness.least = self.fullness.least.min(self.ticks);
        self.fullness.periods += 1;
        if self.fullness.periods < TRIM_PERIODS {
            return 0;
        }
        let least = std::mem::take(&mut self.fullness).least;
        let excess = least > CUSHION_TICKS + u64::from(PERIOD_TICKS);
        if excess { u64::from(self.pop().is_some()) } else { 0 }
    }

    fn is_ready(&self, now: Instant) -> bool {
        self.ticks >= CUSHION_TICKS
            || self
                .packets
                .values()
                .any(|packet| now.saturating_duration_since(packet.arrival) >= CUSHION)
    }

    fn run_dry(&mut self) -> Stretch {
        self.dry += PERIOD_TICKS;
        if self.dry > CONCEAL_TICKS {
            self.playing = false;
            return Stretch::Silence;
        }
        let paused = self.last.is_some_and(|last| last.paused);
        Stretch::Conceal { samples: PERIOD_TICKS, recover: None, paused }
    }

    fn pop(&mut self) -> Option<Buffered> {
        let (_, packet) = self.packets.pop_first()?;
        self.ticks -= u64::from(packet.samples);
        self.last = Some(Last {
            seq: packet.seq,
            end: packet.rtp_time.wrapping_add(packet.samples),
            paused: packet.payload.len() <= PAUSE_BYTES,
        });
        self.dry = 0;
        Some(packet)
    }
}

#[cfg(test)]
mod tests;
