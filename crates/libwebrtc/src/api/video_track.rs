//! A video track: an id that can be published, subscribed to and muted, without pictures.

use std::{
    fmt::{self, Debug},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{media_stream_track::RtcTrackState, native::packet_trailer::PacketTrailerHandler};

/// A handle to a video track; clones are the same track.
#[derive(Clone)]
pub struct RtcVideoTrack {
    shared: Arc<Shared>,
}

struct Shared {
    id: String,
    enabled: AtomicBool,
    ended: AtomicBool,
    trailer: Mutex<Option<PacketTrailerHandler>>,
}

impl RtcVideoTrack {
    pub(crate) fn new(id: String) -> Self {
        let shared =
            Shared { id, enabled: true.into(), ended: false.into(), trailer: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    pub fn id(&self) -> String {
        self.shared.id.clone()
    }

    pub fn enabled(&self) -> bool {
        self.shared.enabled.load(Ordering::Acquire)
    }

    /// Mutes (`false`) or unmutes the track. Returns whether that changed anything.
    pub fn set_enabled(&self, enabled: bool) -> bool {
        self.shared.enabled.swap(enabled, Ordering::AcqRel) != enabled
    }

    pub fn state(&self) -> RtcTrackState {
        if self.shared.ended.load(Ordering::Acquire) {
            RtcTrackState::Ended
        } else {
            RtcTrackState::Live
        }
    }

    /// Marks the track as over.
    pub(crate) fn end(&self) {
        self.shared.ended.store(true, Ordering::Release);
    }

    /// Keeps the handler for [`packet_trailer_handler`](Self::packet_trailer_handler); nothing else uses it.
    pub fn set_packet_trailer_handler(&self, handler: PacketTrailerHandler) {
        *self.shared.trailer.lock() = Some(handler);
    }

    pub fn packet_trailer_handler(&self) -> Option<PacketTrailerHandler> {
        self.shared.trailer.lock().clone()
    }
}

impl Debug for RtcVideoTrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtcVideoTrack")
            .field("id", &self.shared.id)
            .field("enabled", &self.enabled())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
