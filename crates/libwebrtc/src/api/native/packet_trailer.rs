//! Metadata behind the payload of video frames. There is no video, so a handler stays disabled and never reports.

use std::sync::Arc;

use crate::api::{
    peer_connection_factory::PeerConnectionFactory, rtp_receiver::RtpReceiver,
    rtp_sender::RtpSender,
};

/// How far a published frame has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishTimingStage {
    EncoderUpload,
    EncoderOutput,
    WebrtcPacketize,
}

/// How far a received frame has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscribeTimingStage {
    WebrtcReceive,
    DecoderUpload,
    DecoderOutput,
}

/// When a published frame reached a stage; times are microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishTimingEvent {
    pub stage: PublishTimingStage,
    pub timestamp_us: u64,
    pub capture_timestamp_us: u64,
    pub frame_id: Option<u32>,
}

/// When a received frame reached a stage; times are microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscribeTimingEvent {
    pub stage: SubscribeTimingStage,
    pub timestamp_us: u64,
    pub capture_timestamp_us: u64,
    pub frame_id: Option<u32>,
}

pub type PublishTimingObserver = Arc<dyn Fn(PublishTimingEvent) + Send + Sync + 'static>;
pub type SubscribeTimingObserver = Arc<dyn Fn(SubscribeTimingEvent) + Send + Sync + 'static>;

/// A handler that stays disabled.
#[derive(Clone, Debug)]
pub struct PacketTrailerHandler {}

impl PacketTrailerHandler {
    /// Enabling is refused with a log line; [`enabled`](Self::enabled) stays `false`.
    pub fn set_enabled(&self, enabled: bool) {
        if enabled {
            log::error!(
                "packet trailers are unsupported by this engine: no frame metadata will travel"
            );
        }
    }

    pub fn enabled(&self) -> bool {
        false
    }

    /// Never called back: no frame is ever encoded.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the signature is that of the official crate"
    )]
    pub fn set_publish_timing_observer(&self, observer: Option<PublishTimingObserver>) {
        if observer.is_some() {
            log::error!(
                "video is unsupported by this engine: there will be no publish timing events"
            );
        }
    }

    /// Never called back: no frame is ever decoded.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the signature is that of the official crate"
    )]
    pub fn set_subscribe_timing_observer(&self, observer: Option<SubscribeTimingObserver>) {
        if observer.is_some() {
            log::error!(
                "video is unsupported by this engine: there will be no subscribe timing events"
            );
        }
    }
}

/// A handler for the frames of `sender`.
pub fn create_sender_handler(
    _peer_factory: &PeerConnectionFactory,
    _sender: &RtpSender,
) -> PacketTrailerHandler {
    PacketTrailerHandler {}
}

/// A handler for the frames of `receiver`.
pub fn create_receiver_handler(
    _peer_factory: &PeerConnectionFactory,
    _receiver: &RtpReceiver,
) -> PacketTrailerHandler {
    PacketTrailerHandler {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_cannot_be_enabled() {
        let handler = PacketTrailerHandler {};
        handler.set_enabled(true);
        assert!(!handler.enabled());
    }
}
