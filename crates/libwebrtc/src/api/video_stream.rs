//! Received video: there is none, so every stream ends at once.

/// Streams for the application.
pub mod native {
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio_stream::Stream;

    use crate::api::{
        native::packet_trailer::PacketTrailerHandler, video_frame::BoxVideoFrame,
        video_track::RtcVideoTrack,
    };

    /// How many frames may wait; without effect here.
    #[derive(Clone, Debug, Default)]
    pub struct NativeVideoStreamOptions {
        pub queue_size_frames: Option<usize>,
    }

    /// The frames of a video track: none. The stream ends at its first poll, and making it logs an error.
    #[derive(Debug)]
    pub struct NativeVideoStream {
        track: RtcVideoTrack,
    }

    impl NativeVideoStream {
        pub fn new(video_track: RtcVideoTrack) -> Self {
            log::error!(
                "video is unsupported by this engine: the stream of track {} is empty",
                video_track.id()
            );
            Self { track: video_track }
        }

        pub fn with_options(
            video_track: RtcVideoTrack,
            _options: NativeVideoStreamOptions,
        ) -> Self {
            Self::new(video_track)
        }

        /// Does nothing: there are no frames to look metadata up for.
        pub fn set_packet_trailer_handler(&self, _handler: PacketTrailerHandler) {}

        pub fn track(&self) -> RtcVideoTrack {
            self.track.clone()
        }

        /// Does nothing: the stream is over from the start.
        pub fn close(&mut self) {}
    }

    impl Stream for NativeVideoStream {
        type Item = BoxVideoFrame;

        fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Ready(None)
        }
    }
}
