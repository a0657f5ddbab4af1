//! What a caller says and hears, as samples: clips with their ends marked, Opus packets, and an ear
//! that finds where a voice begins and ends.
//!
//! Everything here is a function of its input: no clock, no file, no task. Whoever sends and receives
//! the packets brings their times.
//!
//! # What counts as audible
//!
//! Heard latency runs from the last audible sample of the caller to the first audible sample of the
//! agent, so both ends of that interval have to mean the same thing. One definition (`level`) and
//! one search (`burst`) serve [`Clip`] and [`ear::Ear`] alike:
//!
//! 1. The **threshold** is −50 dBFS, or 10 dB above the background noise where that is louder.
//! 2. Time is cut into **blocks** of 10 ms; a block is active when its RMS level reaches the threshold.
//! 3. A **burst** is a row of active blocks with holes of at most 20 ms. It is voice when it has at
//!    least three active blocks and 30 ms between its first and its last audible sample; what is
//!    shorter is a click. A burst of 5 ms is voice too when it begins within 120 ms after the end of a
//!    longer one: that is how a final "t" or "k" sounds.
//! 4. The **first audible sample** of a burst is the first one that reaches the threshold itself and
//!    with which a millisecond and 5 ms begin that do so (RMS). What is more than 15 dB weaker than a
//!    millisecond that follows within 10 ms is masked by that and does not count. The **last audible
//!    sample** is the mirror image: the last one that ends such milliseconds and is not masked by one
//!    more than 11 dB louder in the 30 ms before.
//!
//! Masking is what the ear does, and here it also makes the two ends of a call comparable: the clip is
//! judged as recorded, the agent after a codec that smears every edge.
//!
//! Levels are RMS in dB relative to full scale, where a constant signal of full amplitude has 0 dBFS
//! (the "dBov" of RFC 6464); a full-scale sine has −3 dBFS. The moment of a sample is the moment at
//! which it begins.

mod level;
mod burst;
mod wav;
mod resample;
mod clip;
pub mod opus;
pub mod ear;
pub mod listener;
#[cfg(test)]
mod testing;

pub use clip::{Clip, ClipFacts, audible_span};
pub use wav::{ClipError, MAX_CLIP};

use std::time::Duration;

/// Samples per second of everything inside: what Opus and WebRTC work at.
pub const RATE: u32 = 48_000;

/// Samples in a packet of 20 ms, the frame length WebRTC sends speech in.
pub const FRAME: usize = 960;

/// How long `samples` samples last, exact to a nanosecond (one sample is 20 833 ns).
pub fn duration_of(samples: u64) -> Duration {
    let rate = u64::from(RATE);
    Duration::from_secs(samples / rate)
        + Duration::from_nanos(samples % rate * 1_000_000_000 / rate)
}
