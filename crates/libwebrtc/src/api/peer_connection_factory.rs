//! Where connections and tracks come from.

use std::fmt::{self, Debug};

pub use crate::types::settings::{
    ContinualGatheringPolicy, IceServer, IceTransportsType, RtcConfiguration,
};
use crate::{
    api::peer_connection::PeerConnection,
    driver::Owner,
    types::{
        MediaType, RtcError,
        rtp_parameters::{RtpCapabilities, RtpCodecCapability},
    },
};

/// Makes connections. Holds nothing: all connections of the process share the engine's threads.
#[derive(Clone, Default)]
pub struct PeerConnectionFactory {}

impl PeerConnectionFactory {
    /// A factory like any other: the delay concerned is that of video.
    pub fn with_zero_playout_delay() -> Self {
        Self::default()
    }

    /// A factory like any other: the options concern video, and a handshake in STUN messages that is not done here.
    /// The SCTP half of "warp" is [`RtcConfiguration::enable_sctp_snap`].
    pub fn with_options(zero_playout_delay: bool, enable_warp: bool) -> Self {
        log::debug!(
            "zero_playout_delay={zero_playout_delay} and enable_warp={enable_warp} have no effect"
        );
        Self::default()
    }

    /// Opens a UDP socket and starts driving a new connection.
    ///
    /// # Errors
    /// When no socket can be had.
    #[expect(clippy::needless_pass_by_value, reason = "signature of the API")]
    pub fn create_peer_connection(
        &self,
        config: RtcConfiguration,
    ) -> Result<PeerConnection, RtcError> {
        Ok(PeerConnection::new(Owner::spawn(&config)?))
    }

    /// Opus for audio, nothing for anything else.
    pub fn get_rtp_sender_capabilities(&self, media_type: MediaType) -> RtpCapabilities {
        let codecs = match media_type {
            MediaType::Audio => vec![RtpCodecCapability {
                channels: Some(2),
                clock_rate: Some(48_000),
                mime_type: "audio/opus".into(),
                sdp_fmtp_line: Some("minptime=10;useinbandfec=1".into()),
            }],
            MediaType::Video | MediaType::Data | MediaType::Unsupported => vec![],
        };
        RtpCapabilities { codecs, header_extensions: vec![] }
    }

    pub fn get_rtp_receiver_capabilities(&self, media_type: MediaType) -> RtpCapabilities {
        self.get_rtp_sender_capabilities(media_type)
    }
}

impl Debug for PeerConnectionFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerConnectionFactory").finish()
    }
}

pub mod native {
    //! What the factory does outside a browser: tracks from sources, and audio devices.

    use super::PeerConnectionFactory;
    use crate::{
        api::{
            audio_source::native::NativeAudioSource, audio_track::RtcAudioTrack,
            video_source::native::NativeVideoSource, video_track::RtcVideoTrack,
        },
        media::VideoTrack,
    };

    /// Tracks, and the audio devices of the machine. There is no access to devices here: there are none, every attempt
    /// to use one fails with `false`, and a switch has no effect.
    pub trait PeerConnectionFactoryExt {
        fn create_video_track(&self, label: &str, source: NativeVideoSource) -> RtcVideoTrack;
        fn create_audio_track(&self, label: &str, source: NativeAudioSource) -> RtcAudioTrack;
        /// A track that stays silent, as from a microphone that delivers nothing.
        fn create_device_audio_track(&self, label: &str) -> RtcAudioTrack;

        fn playout_devices(&self) -> i16 {
            0
        }
        fn recording_devices(&self) -> i16 {
            0
        }
        fn playout_device_name(&self, _index: u16) -> String {
            String::new()
        }
        fn recording_device_name(&self, _index: u16) -> String {
            String::new()
        }
        fn playout_device_guid(&self, _index: u16) -> String {
            String::new()
        }
        fn recording_device_guid(&self, _index: u16) -> String {
            String::new()
        }
        fn set_playout_device(&self, _index: u16) -> bool {
            false
        }
        fn set_recording_device(&self, _index: u16) -> bool {
            false
        }
        fn set_playout_device_by_guid(&self, _guid: &str) -> bool {
            false
        }
        fn set_recording_device_by_guid(&self, _guid: &str) -> bool {
            false
        }
        fn stop_recording(&self) -> bool {
            false
        }
        fn init_recording(&self) -> bool {
            false
        }
        fn start_recording(&self) -> bool {
            false
        }
        fn recording_is_initialized(&self) -> bool {
            false
        }
        fn stop_playout(&self) -> bool {
            false
        }
        fn init_playout(&self) -> bool {
            false
        }
        fn start_playout(&self) -> bool {
            false
        }
        fn playout_is_initialized(&self) -> bool {
            false
        }
        fn builtin_aec_is_available(&self) -> bool {
            false
        }
        fn builtin_agc_is_available(&self) -> bool {
            false
        }
        fn builtin_ns_is_available(&self) -> bool {
            false
        }
        fn enable_builtin_aec(&self, _enable: bool) -> bool {
            false
        }
        fn enable_builtin_agc(&self, _enable: bool) -> bool {
            false
        }
        fn enable_builtin_ns(&self, _enable: bool) -> bool {
            false
        }
        fn set_adm_recording_enabled(&self, _enabled: bool) {}
        fn adm_recording_enabled(&self) -> bool {
            false
        }
        fn set_adm_playout_enabled(&self, _enabled: bool) {}
        fn adm_playout_enabled(&self) -> bool {
            false
        }
        fn acquire_platform_adm(&self) -> bool {
            false
        }
        fn release_platform_adm(&self) {}
        fn platform_adm_ref_count(&self) -> i32 {
            0
        }
        fn is_platform_adm_active(&self) -> bool {
            false
        }
    }

    impl PeerConnectionFactoryExt for PeerConnectionFactory {
        fn create_video_track(&self, label: &str, source: NativeVideoSource) -> RtcVideoTrack {
            {
                drop(source);
                RtcVideoTrack::new(VideoTrack::new(label.into()))
            }
        }

        fn create_audio_track(&self, label: &str, source: NativeAudioSource) -> RtcAudioTrack {
            RtcAudioTrack::local(label.into(), &source)
        }

        fn create_device_audio_track(&self, label: &str) -> RtcAudioTrack {
            log::error!(
                "the track {label} will be silent: audio devices are unsupported by the pure-Rust engine"
            );
            RtcAudioTrack::device(label.into())
        }
    }
}
