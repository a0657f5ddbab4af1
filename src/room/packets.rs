//! Ready-made packets: what is said, encoded once and shared by all calls.

use crate::audio::opus::{self, EncodedClip};
use livekit::webrtc::encoded::EncodedFrame;
use std::sync::Arc;
use std::time::Duration;

/// A clip as the media engine takes it.
#[derive(Debug, Clone)]
pub struct Sayable {
    pub frames: Arc<[EncodedFrame]>,
    /// From the beginning of the first packet.
    pub first_voiced_at: Duration,
    pub last_voiced_at: Duration,
}

impl From<&EncodedClip> for Sayable {
    fn from(clip: &EncodedClip) -> Self {
        Self {
            frames: clip.frames().iter().map(packet).collect(),
            first_voiced_at: clip.first_voiced_at(),
            last_voiced_at: clip.last_voiced_at(),
        }
    }
}

/// A packet of ours as one of the engine's.
pub fn packet(frame: &opus::EncodedFrame) -> EncodedFrame {
    EncodedFrame { payload: Arc::clone(&frame.payload), level: frame.level }
}
