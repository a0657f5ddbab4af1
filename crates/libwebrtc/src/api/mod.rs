//! What an application holds: the shapes of upstream's crate, under whose paths the crate offers them. Their names,
//! signatures and meaning are upstream's: do not change them. [`encoded`] is the one extension.
//!
//! Whatever an object here does is done by the driver and what lies below it; nothing there knows of this module.

pub mod prelude;
pub mod peer_connection_factory;
pub mod peer_connection;
pub mod data_channel;
pub mod rtp_transceiver;
pub mod rtp_sender;
pub mod rtp_receiver;
pub mod media_stream;
pub mod media_stream_track;
pub mod audio_source;
pub mod audio_track;
pub mod audio_stream;
pub mod encoded;
pub mod video_frame;
pub mod video_source;
pub mod video_track;
pub mod video_stream;
pub mod native;
mod enum_dispatch;
