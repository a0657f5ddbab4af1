//! Where the audio of a local track comes from.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{ClipTimeline, PcmTimeline};

/// What a sender reads; clones are the same source.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// PCM, which is encoded.
    Pcm(Arc<Mutex<PcmTimeline>>),
    /// Ready-made packets.
    Clips(Arc<Mutex<ClipTimeline>>),
}
