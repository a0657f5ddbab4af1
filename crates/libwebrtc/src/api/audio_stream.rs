//! The decoded audio of a remote track.

/// Streams for the application.
pub mod native {
    use std::{
        fmt::{self, Debug},
        pin::Pin,
        sync::Arc,
        task::{Context, Poll},
    };

    use tokio_stream::Stream;

    use crate::{
        api::audio_track::RtcAudioTrack,
        media::{PcmShape, PcmSink},
        types::audio_frame::AudioFrame,
    };

    const DEFAULT_QUEUE_SIZE_FRAMES: usize = 10;
    /// What "unbounded" means: ten minutes.
    const MAX_QUEUE_SIZE_FRAMES: usize = 60_000;

    /// How much a stream keeps for a slow reader.
    #[derive(Clone, Debug, Default)]
    pub struct NativeAudioStreamOptions {
        /// The number of 10 ms frames that may wait; when there are more, the oldest is dropped. `None` is 10 frames,
        /// `Some(0)` is as many as ten minutes give.
        pub queue_size_frames: Option<usize>,
    }

    /// The audio of a remote track in frames of 10 ms, in real time: silence before the first packet and while nothing
    /// is sent, made-up audio for what was lost.
    ///
    /// Every stream is decoded for itself, so ask for what you need only. The stream ends when the track does.
    pub struct NativeAudioStream {
        track: RtcAudioTrack,
        sink: Arc<PcmSink>,
    }

    impl NativeAudioStream {
        /// A stream of `num_channels` (1 or 2) interleaved channels at `sample_rate` Hz: 8 000 to 192 000 in steps of
        /// 50. Of any other shape, or of a local track, there is no audio: the stream is over from the start and an
        /// error is logged.
        pub fn new(audio_track: RtcAudioTrack, sample_rate: i32, num_channels: i32) -> Self {
            Self::with_options(
                audio_track,
                sample_rate,
                num_channels,
                NativeAudioStreamOptions::default(),
            )
        }

        /// As [`new`](Self::new), with a queue of another size.
        #[expect(
            clippy::needless_pass_by_value,
            reason = "the signature is that of the official crate"
        )]
        pub fn with_options(
            audio_track: RtcAudioTrack,
            sample_rate: i32,
            num_channels: i32,
            options: NativeAudioStreamOptions,
        ) -> Self {
            let capacity = match options.queue_size_frames {
                None => DEFAULT_QUEUE_SIZE_FRAMES,
                Some(0) => MAX_QUEUE_SIZE_FRAMES,
                Some(frames) => frames.min(MAX_QUEUE_SIZE_FRAMES),
            };
            let shape = PcmShape {
                rate: u32::try_from(sample_rate).unwrap_or_default(),
                channels: u32::try_from(num_channels).unwrap_or_default(),
            };
            let sink = Arc::new(PcmSink::new(shape, capacity));
            match audio_track.listeners() {
                Some(listeners) if shape.is_supported() => listeners.add_sink(&sink),
                Some(_) => {
                    log::error!(
                        "no stream of {sample_rate} Hz and {num_channels} channels: that is unsupported"
                    );
                    sink.queue().end();
                }
                None => {
                    log::error!(
                        "no stream of local track {}: that is unsupported",
                        audio_track.id()
                    );
                    sink.queue().end();
                }
            }
            Self { track: audio_track, sink }
        }

        pub fn track(&self) -> RtcAudioTrack {
            self.track.clone()
        }

        /// Stops decoding and drops what is waiting.
        pub fn close(&mut self) {
            if let Some(listeners) = self.track.listeners() {
                listeners.remove_sink(&self.sink);
            }
            self.sink.queue().close();
        }
    }

    impl Drop for NativeAudioStream {
        fn drop(&mut self) {
            self.close();
        }
    }

    impl Stream for NativeAudioStream {
        type Item = AudioFrame<'static>;

        fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.sink.queue().poll(cx)
        }
    }

    impl Debug for NativeAudioStream {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("NativeAudioStream").field("track", &self.track).finish_non_exhaustive()
        }
    }
}
