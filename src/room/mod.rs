//! What a caller and a scripted agent share over LiveKit: the server and the keys to it, joining a
//! room and leaving it, ready-made packets, what is heard, data streams, and what a server says of
//! itself.

pub mod address;
pub mod probe;
pub mod endpoint;
mod request;
pub mod start;
pub mod end_state;
pub mod connection;
pub mod packets;
pub mod streams;
mod sequence;
mod pause;
mod union;
mod track;
pub mod hearing;
pub mod registration;
pub mod reach;

/// The version of the livekit crate that calls are placed with.
pub use livekit::SDK_VERSION as LIVEKIT_VERSION;
