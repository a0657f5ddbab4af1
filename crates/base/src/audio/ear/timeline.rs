//! Where the samples of packets are in the stream, and when they were heard.

use std::collections::VecDeque;
use std::time::Duration;

use super::{END_SILENCE_SAMPLES, Heard};
use crate::audio::level::BLOCK;
use crate::audio::{RATE, duration_of};

/// A packet older than this by its RTP time is not late but the beginning of another stream.
const LATE_MAX: u32 = 2 * RATE;
/// A hole longer than this by its RTP time is none but the beginning of another stream.
const HOLE_MAX: u32 = 60 * RATE;

/// A sample by its position and its moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) position: u64,
    pub(super) at: Duration,
}

/// Which moment a position in the stream has: positions count samples from the first packet on, holes
/// included.
#[derive(Debug)]
pub(super) struct Timeline {
    /// The packets whose samples may still be asked for, oldest first.
    packets: VecDeque<Edge>,
    /// RTP time and position of the sample after the last packet.
    next: Option<(u32, u64)>,
    /// When the last sample of the last packet was heard; `None` before the first and in a pause.
    last_heard: Option<Duration>,
}

/// Where a packet goes.
pub(super) struct Arrival {
    /// Position of its first sample that is new.
    pub(super) position: u64,
    /// Samples at its beginning that were heard before.
    pub(super) skip: usize,
    /// Samples that are missing in front of it.
    pub(super) hole: u64,
}

impl Timeline {
    pub(super) fn new() -> Self {
        Self { packets: VecDeque::new(), next: None, last_heard: None }
    }

    pub(super) fn arrive(&mut self, heard: &Heard<'_>) -> Arrival {
        let (expected, next) = self.next.unwrap_or((heard.rtp_time, 0));
        let ahead = heard.rtp_time.wrapping_sub(expected);
        let behind = expected.wrapping_sub(heard.rtp_time);
        let (skip, hole) = if ahead <= HOLE_MAX {
            (0, ahead)
        } else if behind <= LATE_MAX {
            (behind, 0)
        } else {
            // Another stream: it follows, and what lies between is as good as nothing.
            (0, 0)
        };
        let arrival = Arrival {
            position: next + u64::from(hole),
            skip: skip.try_into().unwrap_or(usize::MAX),
            hole: hole.into(),
        };
        let Some(fresh) = heard.pcm.get(arrival.skip..).filter(|fresh| !fresh.is_empty()) else {
            return Arrival { position: next, hole: 0, ..arrival };
        };
        let length = heard.pcm.len() as u64;
        let at = heard.at.saturating_add(duration_of(arrival.skip as u64));
        // A clock that goes back is none; its packet came with the one before.
        let at = self.packets.back().map_or(at, |before| before.at.max(at));
        self.packets.push_back(Edge { position: arrival.position, at });
        let fresh = fresh.len() as u64;
        #[expect(clippy::cast_possible_truncation, reason = "RTP time wraps around")]
        let rtp_next = heard.rtp_time.wrapping_add(length as u32);
        self.next = Some((rtp_next, arrival.position + fresh));
        self.last_heard = Some(at.saturating_add(duration_of(fresh)));
        arrival
    }

    /// When the last sample of the last packet was heard; `None` before the first and in a pause.
    pub(super) fn last_heard(&self) -> Option<Duration> {
        self.last_heard
    }

    /// The stream has stopped: what comes next is no continuation even where its RTP time is one. The
    /// answer is the position it will have, more than [`END_SILENCE`](super::END_SILENCE) further.
    pub(super) fn pause(&mut self) -> u64 {
        let pause = END_SILENCE_SAMPLES + BLOCK as u64;
        self.last_heard = None;
        let Some((_, position)) = &mut self.next else { return 0 };
        *position += pause;
        *position
    }

    /// The moment of a sample.
    pub(super) fn moment(&self, position: u64) -> Duration {
        let packet = self
            .packets
            .iter()
            .rev()
            .find(|packet| packet.position <= position)
            .or(self.packets.front());
        packet.map_or(Duration::ZERO, |packet| {
            packet.at.saturating_add(duration_of(position.saturating_sub(packet.position)))
        })
    }

    /// Lets go of the packets that end before a position.
    pub(super) fn forget_before(&mut self, position: u64) {
        while self.packets.get(1).is_some_and(|second| second.position <= position) {
            self.packets.pop_front();
        }
    }
}
