//! Audio between the application and the packets of a peer connection. Time comes in as an argument; no part of this
//! module reads a clock, waits, or touches a socket.
//!
//! A driver holds one [`AudioTx`] for a local track that is being sent and one [`AudioRx`] for a remote track:
//!
//! ```text
//! loop {
//!     sleep until the earliest of tx.next_deadline() and rx.next_deadline(), or a datagram, or the track's waker
//!     while let Some(packet) = tx.tick(now) { hand it to SRTP, send it when it is due, say that it left }
//!     for each packet of the remote track { rx.receive(packet) }      // may change rx.next_deadline()
//!     rx.tick(now)
//! }
//! ```

mod grid;
// Sending.
mod pcm;
mod clip;
mod pacing;
mod source;
mod tx;
// Receiving.
mod queue;
mod listeners;
mod rx;
// Both.
mod resample;
mod track;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod allocations;

pub(crate) use clip::ClipTimeline;
pub(crate) use grid::{Grid, PERIOD, PERIOD_TICKS};
pub(crate) use listeners::{Listeners, PcmSink, Tap};
pub use pacing::Pacing;
pub(crate) use pcm::{PcmShape, PcmTimeline, ReaderId};
pub(crate) use queue::Queue;
pub(crate) use rx::{AudioRx, IncomingPacket};
pub(crate) use source::Source;
pub(crate) use track::{AudioTrack, Track, VideoTrack};
pub(crate) use tx::{AudioTx, OutgoingPacket, RtpPosition, TxSettings};
