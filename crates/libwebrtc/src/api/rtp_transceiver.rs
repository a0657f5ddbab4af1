//! One m-line: a sender and a receiver that share a direction.

use std::{
    fmt::{self, Debug},
    sync::Weak,
};

use crate::{
    RtcError,
    driver::Connection,
    peer::{Transceiver, TransceiverId},
    rtp_parameters::{RtpCodecCapability, RtpEncodingParameters},
    rtp_receiver::RtpReceiver,
    rtp_sender::RtpSender,
};

/// How a transceiver starts out.
#[derive(Debug, Clone)]
pub struct RtpTransceiverInit {
    pub direction: RtpTransceiverDirection,
    /// The first one becomes the stream half of `a=msid`.
    pub stream_ids: Vec<String>,
    pub send_encodings: Vec<RtpEncodingParameters>,
}

#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum RtpTransceiverDirection {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
    Stopped,
}

impl RtpTransceiverDirection {
    pub(crate) fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    pub(crate) fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    pub(crate) fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// A handle to a transceiver. It does not keep its connection open; when that is gone, every question is answered as
/// for a stopped transceiver.
#[derive(Clone)]
pub struct RtpTransceiver {
    handle: Handle,
}

/// What all three handles of an m-line hold.
#[derive(Clone)]
pub(crate) struct Handle {
    connection: Weak<Connection>,
    pub(crate) id: TransceiverId,
}

impl Handle {
    pub(crate) fn new(connection: Weak<Connection>, id: TransceiverId) -> Self {
        Self { connection, id }
    }

    /// Reads or changes the transceiver; `None` when the connection is gone.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Transceiver) -> T) -> Option<T> {
        let connection = self.connection.upgrade()?;
        let mut peer = connection.peer();
        peer.transceiver_mut(self.id).map(f)
    }

    pub(crate) fn connection(&self) -> Result<std::sync::Arc<Connection>, RtcError> {
        self.connection
            .upgrade()
            .ok_or_else(|| RtcError::invalid_state("the peer connection is gone"))
    }

    pub(crate) fn belongs_to(&self, connection: &Connection) -> bool {
        std::ptr::eq(self.connection.as_ptr(), connection)
    }
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
