//! What can go wrong with a call to a [`Peer`](super::Peer).

use thiserror::Error;

use crate::types::{RtcError, RtcErrorType, states::SignalingState};

#[derive(Debug, Error)]
pub(crate) enum PeerError {
    #[error("the peer connection is closed")]
    Closed,
    #[error("cannot {action} in signaling state {state:?}")]
    WrongState { action: &'static str, state: SignalingState },
    #[error("there is nothing to offer: add a transceiver or a data channel first")]
    NothingToOffer,
    #[error("the description was not made by this connection's create_offer or create_answer")]
    NotOurs,
    #[error("cannot apply the remote description: {0}")]
    RemoteDescription(String),
    #[error("cannot use the candidate: {0}")]
    Candidate(String),
    #[error("{0} is unsupported by the pure-Rust engine")]
    Unsupported(&'static str),
    #[error("no more than {max} {what} are allowed")]
    TooMany { what: &'static str, max: usize },
    #[error("data channel id {0} is not free, or not within 0 to 65534")]
    ChannelId(i32),
    #[error("the transceiver does not belong to this connection")]
    UnknownTransceiver,
}

impl PeerError {
    pub(super) fn remote(error: impl std::fmt::Display) -> Self {
        Self::RemoteDescription(error.to_string())
    }
}

impl From<PeerError> for RtcError {
    fn from(error: PeerError) -> Self {
        let error_type = match &error {
            PeerError::Closed
            | PeerError::WrongState { .. }
            | PeerError::NothingToOffer
            | PeerError::NotOurs
            | PeerError::UnknownTransceiver
            | PeerError::ChannelId(_) => RtcErrorType::InvalidState,
            PeerError::RemoteDescription(_) | PeerError::Candidate(_) => RtcErrorType::InvalidSdp,
            PeerError::Unsupported(_) | PeerError::TooMany { .. } => RtcErrorType::Internal,
        };
        Self { error_type, message: error.to_string() }
    }
}
