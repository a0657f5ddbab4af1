//! Where the audio of a local track comes from.

/// The rate reported for a source that has none of its own.
pub const DEFAULT_SAMPLE_RATE: u32 = 48_000;
/// The channels reported for a source that has none of its own.
pub const DEFAULT_NUM_CHANNELS: u32 = 1;

/// Processing that a microphone signal may need. It is kept and reported, but this engine does not process audio.
#[derive(Default, Debug, Clone)]
pub struct AudioSourceOptions {
    pub echo_cancellation: bool,
    pub noise_suppression: bool,
    pub auto_gain_control: bool,
}

/// The source of a local audio track.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub enum RtcAudioSource {
    /// Audio from the application, see [`NativeAudioSource`](native::NativeAudioSource). The ready-made packets of an
    /// [`EncodedAudioSource`](crate::encoded::EncodedAudioSource) also come as this.
    Native(native::NativeAudioSource),
    /// The microphone of this machine, which this engine cannot open: a track made of it sends nothing.
    Device,
}

impl RtcAudioSource {
    pub fn set_audio_options(&self, options: AudioSourceOptions) {
        match self {
            Self::Native(source) => source.set_audio_options(options),
            Self::Device => {
                log::warn!("there is no microphone in this engine: its audio options are ignored");
            }
        }
    }

    pub fn audio_options(&self) -> AudioSourceOptions {
        match self {
            Self::Native(source) => source.audio_options(),
            Self::Device => AudioSourceOptions::default(),
        }
    }

    pub fn sample_rate(&self) -> u32 {
        match self {
            Self::Native(source) => source.sample_rate(),
            Self::Device => DEFAULT_SAMPLE_RATE,
        }
    }

    pub fn num_channels(&self) -> u32 {
        match self {
            Self::Native(source) => source.num_channels(),
            Self::Device => DEFAULT_NUM_CHANNELS,
        }
    }
}

/// Sources that the application feeds.
pub mod native {
    use std::{
        fmt::{self, Debug},
        sync::Arc,
        time::{Duration, Instant},
    };

    use parking_lot::Mutex;
    use tokio::sync::Notify;

    use super::{AudioSourceOptions, DEFAULT_NUM_CHANNELS, DEFAULT_SAMPLE_RATE};
    use crate::{
        clock,
        media::{ClipTimeline, PcmShape, PcmTimeline, Source},
        types::{RtcError, audio_frame::AudioFrame},
    };

    /// A source of PCM which the application pushes.
    ///
    /// Clones are the same source. It has a clock of its own, like a sound card: samples are taken out in real time,
    /// from the moment of their capture on, whether or not a track is being sent.
    #[derive(Clone)]
    pub struct NativeAudioSource {
        shared: Arc<Shared>,
    }

    struct Shared {
        options: Mutex<AudioSourceOptions>,
        feed: Source,
        /// Of PCM.
        shape: Option<PcmShape>,
        cleared: Notify,
    }

    impl NativeAudioSource {
        /// A source of `num_channels` (1 or 2) interleaved channels at `sample_rate` Hz: 8 000 to 192 000 in steps
        /// of 50. Other shapes are refused when a frame is captured. Rates that Opus does not know are resampled.
        ///
        /// With a queue of `queue_size_ms`, [`capture_frame`](Self::capture_frame) takes frames of any length and holds
        /// its caller back while more than that is waiting; where nothing is waiting, silence is sent. With 0, frames
        /// of exactly 10 ms are taken at once, and where they are missing nothing is sent.
        pub fn new(
            options: AudioSourceOptions,
            sample_rate: u32,
            num_channels: u32,
            queue_size_ms: u32,
        ) -> Self {
            let shape = PcmShape { rate: sample_rate, channels: num_channels };
            let queue = Duration::from_millis(queue_size_ms.into());
            let timeline = PcmTimeline::new(clock::grid(), shape, queue, clock::now());
            Self::of(options, Source::Pcm(Arc::new(Mutex::new(timeline))), Some(shape))
        }

        pub(crate) fn from_clips(clips: Arc<Mutex<ClipTimeline>>) -> Self {
            Self::of(AudioSourceOptions::default(), Source::Clips(clips), None)
        }

        fn of(options: AudioSourceOptions, feed: Source, shape: Option<PcmShape>) -> Self {
            let options = Mutex::new(options);
            Self { shared: Arc::new(Shared { options, feed, shape, cleared: Notify::new() }) }
        }

        /// What a sender of the source reads.
        pub(crate) fn feed(&self) -> &Source {
            &self.shared.feed
        }

        /// Forgets what was captured and not yet sent. A caller that is being held back goes on.
        pub fn clear_buffer(&self) {
            if let Source::Pcm(timeline) = &self.shared.feed {
                timeline.lock().clear();
                self.shared.cleared.notify_waiters();
            }
        }

        /// Captures a frame, and waits until the source is not more than its queue ahead of real time.
        ///
        /// # Errors
        ///
        /// `InvalidState` if the frame has not the shape of the source, the source has a shape that is not supported,
        /// has no queue and the frame is not 10 ms long, or sends ready-made packets instead of PCM.
        pub async fn capture_frame(&self, frame: &AudioFrame<'_>) -> Result<(), RtcError> {
            let (Source::Pcm(timeline), Some(shape)) = (&self.shared.feed, self.shared.shape)
            else {
                return Err(RtcError::invalid_state(
                    "a source of ready-made packets takes no PCM frames",
                ));
            };
            check(shape, timeline.lock().is_direct(), frame)?;
            let chunk = match timeline.lock().queue() {
                0 => frame.data.len(),
                queue => queue,
            };
            for samples in frame.data.chunks(chunk.max(1)) {
                self.until(timeline, |timeline, now| timeline.push(now, samples).err()).await;
                self.until(timeline, PcmTimeline::next_push).await;
            }
            Ok(())
        }

        pub fn set_audio_options(&self, options: AudioSourceOptions) {
            *self.shared.options.lock() = options;
        }

        pub fn audio_options(&self) -> AudioSourceOptions {
            self.shared.options.lock().clone()
        }

        pub fn sample_rate(&self) -> u32 {
            self.shared.shape.map_or(DEFAULT_SAMPLE_RATE, |shape| shape.rate)
        }

        pub fn num_channels(&self) -> u32 {
            self.shared.shape.map_or(DEFAULT_NUM_CHANNELS, |shape| shape.channels)
        }

        /// Repeats `step` whenever the instant has come that it asked to wait for, until it asks for none. Time moves
        /// samples on, so that is a wait of bounded length.
        async fn until(
            &self,
            timeline: &Mutex<PcmTimeline>,
            mut step: impl FnMut(&mut PcmTimeline, Instant) -> Option<Instant>,
        ) {
            loop {
                let cleared = self.shared.cleared.notified();
                let Some(instant) = step(&mut timeline.lock(), clock::now()) else { return };
                tokio::select! {
                    () = tokio::time::sleep_until(instant.into()) => {}
                    () = cleared => {}
                }
            }
        }
    }

    /// Whether a frame can be captured by a source of this shape, with or without a queue.
    fn check(shape: PcmShape, is_direct: bool, frame: &AudioFrame<'_>) -> Result<(), RtcError> {
        let PcmShape { rate, channels } = shape;
        if (frame.sample_rate, frame.num_channels) != (rate, channels) {
            return Err(RtcError::invalid_state(format!(
                "a frame of {} Hz and {} channels does not fit a source of {rate} Hz and {channels} channels",
                frame.sample_rate, frame.num_channels,
            )));
        }
        if !shape.is_supported() {
            return Err(RtcError::invalid_state(format!(
                "a source of {rate} Hz and {channels} channels is unsupported: use 1 or 2 channels at 8000 to \
                     192000 Hz in steps of 50",
            )));
        }
        if !frame.data.len().is_multiple_of(channels as usize) {
            return Err(RtcError::invalid_state(format!(
                "{} samples cannot be divided into {channels} channels",
                frame.data.len(),
            )));
        }
        let (got, want) = (frame.data.len() / channels as usize, rate as usize / 100);
        if is_direct && got != want {
            return Err(RtcError::invalid_state(format!(
                "a source without a queue takes frames of 10 ms: got {got} samples per channel, expected {want}",
            )));
        }
        Ok(())
    }

    impl Debug for NativeAudioSource {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("NativeAudioSource")
                .field("sample_rate", &self.sample_rate())
                .field("num_channels", &self.num_channels())
                .finish_non_exhaustive()
        }
    }
}

#[cfg(test)]
mod tests;
