//! The sending half of a transceiver.

use std::fmt::{self, Debug};

use crate::{
    api::media_stream_track::MediaStreamTrack,
    driver::Handle,
    media::Track,
    types::{RtcError, rtp_parameters::RtpParameters, stats::RtcStats},
};

/// Which kind of video encoder to prefer. There is none here, so every choice is the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum VideoEncoderBackend {
    #[default]
    Auto,
    Software,
    Hardware,
    Nvenc,
    Vaapi,
    VideoToolbox,
    PreEncoded,
}

impl VideoEncoderBackend {
    /// The backends of this process: none.
    pub fn list_available() -> impl IntoIterator<Item = Self> {
        std::iter::empty()
    }
}

/// A handle to the sending half of a transceiver; see [`RtpTransceiver`] for its lifetime.
///
/// [`RtpTransceiver`]: crate::rtp_transceiver::RtpTransceiver
#[derive(Clone)]
pub struct RtpSender {
    handle: Handle,
}

impl RtpSender {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The local track that is sent.
    pub fn track(&self) -> Option<MediaStreamTrack> {
        self.handle.with(|t| t.local_track().cloned()).flatten().map(MediaStreamTrack::from)
    }

    /// The report of the stream that is sent; empty before anything was.
    #[expect(clippy::unused_async, reason = "signature of the API")]
    pub async fn get_stats(&self) -> Result<Vec<RtcStats>, RtcError> {
        Ok(self.handle.with(|t| t.outbound_stats()).unwrap_or_default())
    }

    /// Replaces what is sent, without negotiation. `None` pauses the sender.
    pub fn set_track(&self, track: Option<MediaStreamTrack>) -> Result<(), RtcError> {
        let connection = self.handle.connection()?;
        connection.set_local_track(self.handle.id, track.map(Track::from))
    }

    pub fn parameters(&self) -> RtpParameters {
        self.handle.with(|t| t.sender_parameters()).unwrap_or_default()
    }

    /// Takes over the encodings (of audio: whether it is active, and its bitrate) and the degradation preference.
    pub fn set_parameters(&self, parameters: RtpParameters) -> Result<(), RtcError> {
        self.handle
            .with(|t| t.set_sender_parameters(parameters))
            .ok_or_else(|| RtcError::invalid_state("the peer connection is gone"))
    }

    /// Has no effect: there is no video encoder.
    pub fn set_video_encoder_backend(&self, backend: VideoEncoderBackend) {
        log::debug!("video encoder backend {backend:?} has no effect: there is no video encoder");
    }
}

impl Debug for RtpSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtpSender").field("track", &self.track()).finish_non_exhaustive()
    }
}
