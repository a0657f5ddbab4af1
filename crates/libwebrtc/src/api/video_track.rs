//! A video track: an id that can be published, subscribed to and muted, without pictures.

use std::{
    fmt::{self, Debug},
    sync::Arc,
};

use parking_lot::Mutex;

use crate::{
    api::{media_stream_track::RtcTrackState, native::packet_trailer::PacketTrailerHandler},
    media::VideoTrack,
};

/// A handle to a video track; clones are the same track.
#[derive(Clone)]
pub struct RtcVideoTrack {
    track: VideoTrack,
    trailer: Arc<Mutex<Option<PacketTrailerHandler>>>,
}

impl RtcVideoTrack {
    pub(crate) fn new(track: VideoTrack) -> Self {
        Self { track, trailer: Arc::default() }
    }

    pub(crate) fn track(&self) -> &VideoTrack {
        &self.track
    }

    pub fn id(&self) -> String {
        self.track.id().into()
    }

    pub fn enabled(&self) -> bool {
        self.track.enabled()
    }

    /// Mutes (`false`) or unmutes the track. Returns whether that changed anything.
    pub fn set_enabled(&self, enabled: bool) -> bool {
        self.track.set_enabled(enabled)
    }

    pub fn state(&self) -> RtcTrackState {
        self.track.state()
    }

    /// Keeps the handler for [`packet_trailer_handler`](Self::packet_trailer_handler); nothing else uses it.
    pub fn set_packet_trailer_handler(&self, handler: PacketTrailerHandler) {
        *self.trailer.lock() = Some(handler);
    }

    pub fn packet_trailer_handler(&self) -> Option<PacketTrailerHandler> {
        self.trailer.lock().clone()
    }
}

impl Debug for RtcVideoTrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtcVideoTrack")
            .field("id", &self.track.id())
            .field("enabled", &self.enabled())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
