//! The receiving half of a transceiver.

use std::fmt::{self, Debug};

use crate::{
    api::{media_stream::MediaStream, media_stream_track::MediaStreamTrack},
    driver::Handle,
    types::{RtcError, rtp_parameters::RtpParameters, stats::RtcStats},
};

/// A handle to the receiving half of a transceiver; see [`RtpTransceiver`] for its lifetime.
///
/// [`RtpTransceiver`]: crate::rtp_transceiver::RtpTransceiver
#[derive(Clone)]
pub struct RtpReceiver {
    handle: Handle,
}

impl RtpReceiver {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// The remote track. It exists from the start and stays the same when the remote side puts another source on the
    /// m-line; `None` only when the connection is gone.
    pub fn track(&self) -> Option<MediaStreamTrack> {
        self.handle.with(|t| t.remote_track().clone()).map(MediaStreamTrack::from)
    }

    /// The streams the remote side currently announces for the track.
    pub fn stream_ids(&self) -> Vec<String> {
        self.handle.with(|t| t.remote_streams().to_vec()).unwrap_or_default()
    }

    pub fn streams(&self) -> Vec<MediaStream> {
        let Some(track) = self.track() else { return vec![] };
        let stream = |id| MediaStream::new(id, track.clone());
        self.stream_ids().into_iter().map(stream).collect()
    }

    /// The report of the stream that is received; empty before anything was.
    #[expect(clippy::unused_async, reason = "signature of the API")]
    pub async fn get_stats(&self) -> Result<Vec<RtcStats>, RtcError> {
        Ok(self.handle.with(|t| t.inbound_stats()).unwrap_or_default())
    }

    pub fn parameters(&self) -> RtpParameters {
        self.handle.with(|t| t.receiver_parameters()).unwrap_or_default()
    }
}

impl Debug for RtpReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtpReceiver").field("track", &self.track()).finish_non_exhaustive()
    }
}
