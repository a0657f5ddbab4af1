//! The group a remote track was announced in.

use std::fmt::{self, Debug};

use crate::api::{
    audio_track::RtcAudioTrack, media_stream_track::MediaStreamTrack, video_track::RtcVideoTrack,
};

/// A stream id of a remote m-line together with the track that came with it.
#[derive(Clone)]
pub struct MediaStream {
    id: String,
    track: MediaStreamTrack,
}

impl MediaStream {
    pub(crate) fn new(id: String, track: MediaStreamTrack) -> Self {
        Self { id, track }
    }

    /// The first half of the remote `a=msid`.
    pub fn id(&self) -> String {
        self.id.clone()
    }

    pub fn audio_tracks(&self) -> Vec<RtcAudioTrack> {
        match &self.track {
            MediaStreamTrack::Audio(track) => vec![track.clone()],
            MediaStreamTrack::Video(_) => vec![],
        }
    }

    pub fn video_tracks(&self) -> Vec<RtcVideoTrack> {
        match &self.track {
            MediaStreamTrack::Audio(_) => vec![],
            MediaStreamTrack::Video(track) => vec![track.clone()],
        }
    }
}

impl Debug for MediaStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaStream").field("id", &self.id).field("track", &self.track).finish()
    }
}
