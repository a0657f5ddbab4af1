//! Everything an application usually needs, under one `use`.

pub use crate::{
    api::{
        audio_source::{AudioSourceOptions, RtcAudioSource},
        audio_track::RtcAudioTrack,
        data_channel::DataChannel,
        media_stream::MediaStream,
        media_stream_track::MediaStreamTrack,
        peer_connection::{AnswerOptions, BitrateSettings, PeerConnection},
        peer_connection_factory::{ContinualGatheringPolicy, PeerConnectionFactory},
        rtp_receiver::RtpReceiver,
        rtp_sender::{RtpSender, VideoEncoderBackend},
        rtp_transceiver::RtpTransceiver,
        video_frame::{
            BoxVideoBuffer, BoxVideoFrame, I420Buffer, VideoBuffer, VideoBufferType, VideoFrame,
            VideoRotation,
        },
        video_source::{RtcVideoSource, VideoResolution},
        video_track::RtcVideoTrack,
    },
    types::{
        MediaType, RtcError, RtcErrorType,
        audio_frame::AudioFrame,
        ice_candidate::IceCandidate,
        messages::{DataBuffer, DataChannelError},
        rtp_parameters::*,
        session_description::{SdpType, SessionDescription},
        settings::{
            DataChannelInit, IceServer, IceTransportsType, OfferOptions, RtcConfiguration,
            RtpTransceiverInit,
        },
        states::{
            DataChannelState, IceConnectionState, IceGatheringState, PeerConnectionState,
            RtcTrackState, RtpTransceiverDirection, SignalingState,
        },
    },
};
