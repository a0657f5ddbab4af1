//! The ground floor: what the engine and the [API](crate::api) share. States, settings, descriptions, packets, reports and
//! errors; nothing here does anything.

pub mod audio_frame;
pub mod ice_candidate;
pub(crate) mod messages;
pub(crate) mod packets;
pub mod rtp_parameters;
pub(crate) mod sdp;
pub mod session_description;
pub(crate) mod settings;
pub(crate) mod states;
pub mod stats;

use thiserror::Error;

/// What a transceiver or an m-line carries.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum MediaType {
    Audio,
    Video,
    Data,
    Unsupported,
}

/// Who is to blame for an [`RtcError`].
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum RtcErrorType {
    /// The engine failed, or was asked for something it does not do.
    Internal,
    /// A description or candidate could not be understood or applied.
    InvalidSdp,
    /// The call does not fit the state of the object, for instance because it is closed.
    InvalidState,
}

/// The error of every fallible call of this crate, except for sending data.
#[derive(Error, Debug)]
#[error("{error_type:?}: {message}")]
pub struct RtcError {
    pub error_type: RtcErrorType,
    /// A lowercase fragment that names the value and what is wrong with it.
    pub message: String,
}

impl RtcError {
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self { error_type: RtcErrorType::Internal, message: message.into() }
    }

    pub(crate) fn invalid_state(message: impl Into<String>) -> Self {
        Self { error_type: RtcErrorType::InvalidState, message: message.into() }
    }

    /// The answer to everything this engine leaves out; `what` is a noun phrase.
    pub(crate) fn unsupported(what: &str) -> Self {
        Self::internal(format!("{what} is unsupported by the pure-Rust engine"))
    }
}

/// A random (version 4) UUID in its usual form of 36 characters.
pub(crate) fn random_uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}
