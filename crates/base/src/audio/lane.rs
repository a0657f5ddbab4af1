//! One side of a conversation as it would be played: samples put where they were heard, mixed where they overlap, silence
//! where there are none.
//!
//! # Where the samples of a packet go
//! A sample is heard when its packet arrived plus its place in it (see [`ear`](super::ear)). Packets of a voice never come
//! exactly each 20 ms, and a sound that is cut and overlaid each 20 ms cannot be listened to. So a packet follows the one
//! before without a seam when that is at most [`TOLERANCE`] from its moment. It is put at its very moment behind silence,
//! after a hole and when it came later than that. One that came earlier (packets that were held up come in a burst) waits
//! for the end of the one before, as in a player, until the voice pauses.

use std::collections::VecDeque;

use super::RATE;

/// How far a packet within a voice may be from its moment: 10 ms.
const TOLERANCE: u64 = 10 * 48;
/// A hole longer than this by its RTP time is none but the beginning of another stream.
const HOLE_MAX: u32 = 60 * RATE;
/// The largest sample of silence: −60 dBFS.
const QUIET: u16 = 33;

/// Where the packets of one track go. Positions are samples from the beginning of the file.
#[derive(Debug, Default)]
pub struct Playhead {
    before: Option<Before>,
}

/// The packet before.
#[derive(Debug, Clone, Copy)]
struct Before {
    /// The position behind it.
    end: u64,
    /// RTP time behind it.
    rtp_end: u32,
    is_quiet: bool,
}

impl Playhead {
    /// Another stream follows, whose RTP times have nothing to do with this one's.
    pub fn begin_stream(&mut self) {
        self.before = None;
    }

    /// The position of a packet that arrived at this position. Packets come in the order of their RTP times.
    pub fn place(&mut self, arrived: u64, rtp_time: u32, pcm: &[i16]) -> u64 {
        let at = self.before.map_or(arrived, |before| before.then(arrived, rtp_time));
        let length = pcm.len() as u64;
        #[expect(clippy::cast_possible_truncation, reason = "a packet has at most 5760 samples")]
        let rtp_end = rtp_time.wrapping_add(pcm.len() as u32);
        let is_quiet = pcm.iter().all(|sample| sample.unsigned_abs() <= QUIET);
        self.before = Some(Before { end: at + length, rtp_end, is_quiet });
        at
    }
}

impl Before {
    fn then(self, arrived: u64, rtp_time: u32) -> u64 {
        let hole = rtp_time.wrapping_sub(self.rtp_end);
        if self.is_quiet || hole > HOLE_MAX {
            return arrived;
        }
        let expected = self.end + u64::from(hole);
        if hole == 0 && arrived <= expected + TOLERANCE { expected } else { arrived.max(self.end) }
    }
}

/// Samples that wait to be taken, in order.
#[derive(Debug, Default)]
pub struct Lane {
    /// The position of the first one that waits.
    at: u64,
    samples: VecDeque<i32>,
}

impl Lane {
    /// Mixes in samples from a position on. What was taken is past.
    pub fn add(&mut self, at: u64, pcm: &[i16]) {
        let past = self.at.saturating_sub(at).min(pcm.len() as u64);
        let (past, from) = (index(past), index(at.saturating_sub(self.at)));
        let fresh = &pcm[past..];
        if self.samples.len() < from + fresh.len() && !fresh.is_empty() {
            self.samples.resize(from + fresh.len(), 0);
        }
        for (sum, sample) in self.samples.iter_mut().skip(from).zip(fresh) {
            *sum = sum.saturating_add(i32::from(*sample));
        }
    }

    /// Takes the next sample; silence where there is none.
    pub fn next_sample(&mut self) -> i16 {
        self.at += 1;
        let sum = self.samples.pop_front().unwrap_or(0);
        let sum = sum.clamp(i16::MIN.into(), i16::MAX.into());
        i16::try_from(sum).unwrap_or(0)
    }

    /// The position behind the last sample that was added.
    pub fn end(&self) -> u64 {
        self.at + self.samples.len() as u64
    }
}

/// Callers add what is near: a lane never holds more than the longest clip.
fn index(samples: u64) -> usize {
    usize::try_from(samples).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
