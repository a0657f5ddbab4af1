//! Opus packets as they are sent and received.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use thiserror::Error;

/// A mono Opus packet of exactly 20 ms, and how loud it is.
///
/// The engine does not look into the payload. A packet of another length would be played by its receiver with gaps or
/// overlaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedFrame {
    /// One Opus packet (RFC 6716), without any RTP header.
    pub payload: Arc<[u8]>,
    /// The level that is sent in the header (RFC 6464), in -dBov: 0 is full scale, 127 is silence. Higher values are
    /// sent as 127. Servers find the active speaker by it.
    pub level: u8,
}

/// Why a clip was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PlayError {
    #[error("another clip is still playing: wait for its end or stop it")]
    AlreadyPlaying,
    #[error("the clip has no frames")]
    EmptyClip,
    #[error("the last track of this source is gone, nobody would hear the clip")]
    TrackEnded,
}

/// A packet of a remote track as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedFrame {
    /// The sender's RTP stream. When this changes, `seq` and `rtp_time` start over.
    pub ssrc: u32,
    /// The sequence number, counting on beyond 16 bits. Gaps are packets that are lost, or late.
    pub seq: u64,
    /// In ticks of 48 kHz; wraps around.
    pub rtp_time: u32,
    /// One Opus packet, of any length.
    pub payload: Bytes,
    /// When the engine read the packet from its socket.
    pub arrival: Instant,
}
