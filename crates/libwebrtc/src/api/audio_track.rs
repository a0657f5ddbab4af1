//! An audio track: a source with an id on the sending side, a place to listen at on the receiving side.

use std::fmt::{self, Debug};

use crate::{
    api::{audio_source::native::NativeAudioSource, media_stream_track::RtcTrackState},
    media::{AudioTrack, Listeners},
};

/// A handle to an audio track; clones are the same track.
#[derive(Clone)]
pub struct RtcAudioTrack {
    track: AudioTrack,
}

impl RtcAudioTrack {
    pub(crate) fn new(track: AudioTrack) -> Self {
        Self { track }
    }

    /// A track that sends what `source` captures.
    pub(crate) fn local(id: String, source: &NativeAudioSource) -> Self {
        Self::new(AudioTrack::local(id, source.feed().clone()))
    }

    /// A track without a source: it sends nothing.
    pub(crate) fn device(id: String) -> Self {
        Self::new(AudioTrack::device(id))
    }

    pub(crate) fn track(&self) -> &AudioTrack {
        &self.track
    }

    /// Who listens to a remote track.
    pub(crate) fn listeners(&self) -> Option<&Listeners> {
        self.track.listeners()
    }

    pub fn id(&self) -> String {
        self.track.id().into()
    }

    pub fn enabled(&self) -> bool {
        self.track.enabled()
    }

    /// Mutes (`false`) or unmutes the track. A muted local track sends silence, a muted remote one plays it. Returns
    /// whether that changed anything.
    pub fn set_enabled(&self, enabled: bool) -> bool {
        self.track.set_enabled(enabled)
    }

    pub fn state(&self) -> RtcTrackState {
        self.track.state()
    }
}

impl Debug for RtcAudioTrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtcAudioTrack")
            .field("id", &self.track.id())
            .field("enabled", &self.enabled())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
