//! Helpers beside the connection itself.

pub mod frame_cryptor;
pub mod packet_trailer;

/// A random (version 4) UUID in its usual form of 36 characters.
pub fn create_random_uuid() -> String {
    crate::types::random_uuid()
}
