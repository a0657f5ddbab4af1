//! Helpers beside the connection itself.

pub mod apm;
pub mod audio_resampler;
pub mod frame_cryptor;
pub mod packet_trailer;

/// A random (version 4) UUID in its usual form of 36 characters.
pub fn create_random_uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}
