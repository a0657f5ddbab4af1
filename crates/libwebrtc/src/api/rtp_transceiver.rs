//! One m-line: a sender and a receiver that share a direction.

use std::fmt::{self, Debug};

pub use crate::types::{settings::RtpTransceiverInit, states::RtpTransceiverDirection};
use crate::{
    api::{rtp_receiver::RtpReceiver, rtp_sender::RtpSender},
    driver::Handle,
    types::{RtcError, rtp_parameters::RtpCodecCapability},
};

/// A handle to a transceiver. It does not keep its connection open; when that is gone, every question is answered as
/// for a stopped transceiver.
#[derive(Clone)]
pub struct RtpTransceiver {
    handle: Handle,
}

impl RtpTransceiver {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// The m-line's id, once an offer or answer assigned one.
    pub fn mid(&self) -> Option<String> {
        self.handle.with(|t| t.mid().map(|m| m.to_string())).flatten()
    }

    /// The direction both sides agreed on, once they did.
    pub fn current_direction(&self) -> Option<RtpTransceiverDirection> {
        self.handle.with(|t| t.current_direction()).flatten()
    }

    /// The direction wanted by this side.
    pub fn direction(&self) -> RtpTransceiverDirection {
        self.handle.with(|t| t.direction()).unwrap_or(RtpTransceiverDirection::Stopped)
    }

    pub fn sender(&self) -> RtpSender {
        RtpSender::new(self.handle.clone())
    }

    pub fn receiver(&self) -> RtpReceiver {
        RtpReceiver::new(self.handle.clone())
    }

    /// Audio is always Opus, so any list that is empty or contains Opus is fine and changes nothing. Anything else is
    /// refused on an audio transceiver; on a video transceiver the list has no effect.
    #[expect(clippy::needless_pass_by_value, reason = "signature of the API")]
    pub fn set_codec_preferences(&self, codecs: Vec<RtpCodecCapability>) -> Result<(), RtcError> {
        let has_opus = codecs.iter().any(|c| c.mime_type.eq_ignore_ascii_case("audio/opus"));
        let is_audio = self.handle.with(|t| t.is_audio()).unwrap_or(false);
        if is_audio && !codecs.is_empty() && !has_opus {
            return Err(RtcError::unsupported("an audio codec other than opus"));
        }
        Ok(())
    }

    /// Ends the transceiver for good; the other side learns of it with the next offer.
    pub fn stop(&self) -> Result<(), RtcError> {
        let connection = self.handle.connection()?;
        connection.stop_transceiver(self.handle.id)
    }
}

impl Debug for RtpTransceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtpTransceiver")
            .field("mid", &self.mid())
            .field("direction", &self.direction())
            .field("sender", &self.sender())
            .field("receiver", &self.receiver())
            .finish()
    }
}
