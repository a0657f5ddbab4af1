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
//! A recording can be judged as a whole, so its noise is the median of its pauses, and a sound without a pitch
//! that is more than 150 ms (the longest closure) from a word does not count: a breath, a click, a door
//! (`clip::voice`). In a clean clip none of this changes an edge.
//!
//! # Beds
//!
//! What goes on under an agent's voice is no voice: the noise of a room, a fan, music, comfort noise. Noise up to −40 dBFS
//! is known from the quietest 30 ms of four seconds. An [`ear::Ear`] also learns what is up to −26 dBFS and does not change
//! as speech does (`ear/bed.rs` has the evidence), and then:
//!
//! - The threshold is 4 dB above the upper level of the bed, where that is more than rule 1 gives. It stays in the holes of
//!   a sender that leaves silence out (DTX), and falls two seconds after the bed has stopped.
//! - A sound that is as loud as the silence behind it is not a voice, and one of 80 ms alone between two such holes is comfort
//!   noise.
//! - What was told before that was known is judged once more: the beginning that was none is retracted, what stood out of
//!   the bed begins then, and what fell back to it has ended. Edges found so are exact to 10 ms.
//! - A quiet sound (below −26 dBFS) with which packets set in, at the beginning or behind a hole, is told when it has
//!   changed or ended, within 300 ms as a rule.
//! - Once a bed that is audible has lasted for 2.5 s, or a voice did not pause for 30 s, the ear says that the stream is
//!   never silent.
//! - Clicks that go on in the pauses (keys) are not taken for the final "t" of a word.
//!
//! # Why masking
//!
//! Masking is what the ear does, and here it also makes the two ends of a call comparable: the clip is
//! judged as recorded, the agent after a codec that smears every edge.
//!
//! Levels are RMS in dB relative to full scale, where a constant signal of full amplitude has 0 dBFS
//! (the "dBov" of RFC 6464); a full-scale sine has −3 dBFS. The moment of a sample is the moment at
//! which it begins.

mod level;
mod burst;
mod take;
mod error;
mod channel;
mod wav;
mod decode;
mod resample;
mod clip;
pub mod opus;
pub mod ear;
pub mod listener;
pub mod lane;
pub mod ogg;
#[cfg(test)]
mod testing;

pub use clip::{Clip, ClipFacts, End, LeftOut, Rule, audible_span};
pub use decode::Encoding;
pub use error::{ClipError, MAX_CLIP, Oddity};
pub use take::{Channel, Side, Take};

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
