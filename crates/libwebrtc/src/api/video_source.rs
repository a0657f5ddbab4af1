//! Where video would come from. A source can be made and asked for its size, so that a track can be published, but it
//! refuses every frame.

/// Width and height in pixels.
#[derive(Debug, Clone)]
pub struct VideoResolution {
    pub width: u32,
    pub height: u32,
}

impl Default for VideoResolution {
    /// 720p.
    fn default() -> Self {
        Self { width: 1280, height: 720 }
    }
}

/// What a video track shows.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub enum RtcVideoSource {
    Native(native::NativeVideoSource),
}

impl RtcVideoSource {
    pub fn video_resolution(&self) -> VideoResolution {
        match self {
            Self::Native(source) => source.video_resolution(),
        }
    }
}

/// Sources that the application feeds.
pub mod native {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use super::VideoResolution;
    use crate::api::{
        native::packet_trailer::PacketTrailerHandler,
        video_frame::{EncodedVideoFrame, VideoBuffer, VideoFrame},
    };

    /// A source that takes pictures from the application and refuses them.
    #[derive(Clone, Debug)]
    pub struct NativeVideoSource {
        resolution: VideoResolution,
        refused: Arc<AtomicBool>,
    }

    impl Default for NativeVideoSource {
        fn default() -> Self {
            Self::new(VideoResolution::default(), false)
        }
    }

    impl NativeVideoSource {
        /// `is_screencast` changes nothing here.
        pub fn new(resolution: VideoResolution, _is_screencast: bool) -> Self {
            Self { resolution, refused: Arc::default() }
        }

        /// Refuses the frame: always `false`, with a log line the first time.
        pub fn capture_frame<T: AsRef<dyn VideoBuffer>>(&self, _frame: &VideoFrame<T>) -> bool {
            self.refuse()
        }

        /// Refuses the frame: always `false`, with a log line the first time.
        pub fn capture_encoded_frame(&self, _frame: &EncodedVideoFrame<'_>) -> bool {
            self.refuse()
        }

        /// Does nothing: there are no frames whose metadata could travel.
        pub fn set_packet_trailer_handler(&self, _handler: PacketTrailerHandler) {}

        pub fn video_resolution(&self) -> VideoResolution {
            self.resolution.clone()
        }

        fn refuse(&self) -> bool {
            if !self.refused.swap(true, Ordering::Relaxed) {
                log::error!(
                    "video is unsupported by this engine: the frames of a video source are refused"
                );
            }
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{native::NativeVideoSource, *};
    use crate::api::video_frame::{I420Buffer, VideoFrame, VideoRotation};

    #[test]
    fn a_frame_is_refused() {
        let source = NativeVideoSource::new(VideoResolution { width: 16, height: 8 }, false);
        let frame = VideoFrame::new(VideoRotation::VideoRotation0, I420Buffer::new(16, 8));
        assert!(!source.capture_frame(&frame));
        assert_eq!(RtcVideoSource::Native(source).video_resolution().width, 16);
    }
}
