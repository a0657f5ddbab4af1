//! A track of either kind.

pub use crate::types::states::RtcTrackState;
use crate::{
    api::{audio_track::RtcAudioTrack, video_track::RtcVideoTrack},
    media::Track,
};

/// An audio or a video track, local or remote.
#[derive(Debug, Clone)]
pub enum MediaStreamTrack {
    Video(RtcVideoTrack),
    Audio(RtcAudioTrack),
}

impl MediaStreamTrack {
    pub fn id(&self) -> String {
        match self {
            Self::Video(track) => track.id(),
            Self::Audio(track) => track.id(),
        }
    }

    pub fn enabled(&self) -> bool {
        match self {
            Self::Video(track) => track.enabled(),
            Self::Audio(track) => track.enabled(),
        }
    }

    /// Mutes (`false`) or unmutes the track. Returns whether that changed anything.
    pub fn set_enabled(&self, enabled: bool) -> bool {
        match self {
            Self::Video(track) => track.set_enabled(enabled),
            Self::Audio(track) => track.set_enabled(enabled),
        }
    }

    pub fn state(&self) -> RtcTrackState {
        match self {
            Self::Video(track) => track.state(),
            Self::Audio(track) => track.state(),
        }
    }
}

impl From<RtcAudioTrack> for MediaStreamTrack {
    fn from(track: RtcAudioTrack) -> Self {
        Self::Audio(track)
    }
}

impl From<RtcVideoTrack> for MediaStreamTrack {
    fn from(track: RtcVideoTrack) -> Self {
        Self::Video(track)
    }
}

impl From<MediaStreamTrack> for Track {
    fn from(track: MediaStreamTrack) -> Self {
        match track {
            MediaStreamTrack::Audio(track) => Self::Audio(track.track().clone()),
            MediaStreamTrack::Video(track) => Self::Video(track.track().clone()),
        }
    }
}

impl From<Track> for MediaStreamTrack {
    fn from(track: Track) -> Self {
        match track {
            Track::Audio(track) => Self::Audio(RtcAudioTrack::new(track)),
            Track::Video(track) => Self::Video(RtcVideoTrack::new(track)),
        }
    }
}
