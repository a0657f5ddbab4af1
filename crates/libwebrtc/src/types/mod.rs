//! The ground floor: what the engine and the [API](crate::api) share. States, settings, descriptions, reports and errors;
//! nothing here does anything.

pub mod audio_frame;
pub mod ice_candidate;
pub mod rtp_parameters;
pub mod session_description;
pub mod stats;
pub(crate) mod sdp;
