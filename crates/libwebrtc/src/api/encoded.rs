//! Opus packets as they are: ready-made ones to send, and received ones before decoding. The one extension to the
//! official API, for programs that simulate many callers and want exact times instead of encoders and decoders.
//!
//! # Clocks
//!
//! Every time is a [`std::time::Instant`]. Audio is cut into periods of 20 ms on a fixed grid; a period is `[T - 20 ms,
//! T)` for its deadline `T`. As with a real microphone, the packet of a period holds the samples captured in it and is
//! sent at `T`. So a clip whose first packet has the deadline `T` has the capture time `T - 20 ms` for its first sample,
//! and its sample number `n` (of 48 000 a second) is captured at `T - 20 ms + n / 48 000 s`, however late the packets
//! really left. How late they left is in [`EncodedAudioSource::pacing`].
//!
//! The grid belongs to the source. When a track is taken over by another connection, or sent over two for a while, the
//! clip goes on as if nothing had happened: what no connection fetched in time has been spoken unheard.
//!
//! # Example
//!
//! ```
//! # use libwebrtc::encoded::{EncodedAudioSource, EncodedFrame, PlayError};
//! # use std::{sync::Arc, time::Instant};
//! # fn example(silence: EncodedFrame, clip: Arc<[EncodedFrame]>) -> Result<(), PlayError> {
//! let microphone = EncodedAudioSource::new(silence);
//! let source = microphone.rtc_source(); // publish a track of this
//! let playback = microphone.play(clip, Instant::now())?;
//! // playback.started().await is the capture time of the first sample
//! # Ok(())
//! # }
//! ```

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_stream::Stream;

use crate::{
    api::{
        audio_source::{RtcAudioSource, native::NativeAudioSource},
        audio_track::RtcAudioTrack,
    },
    clock,
    media::{ClipTimeline, Tap},
};
pub use crate::{
    media::Pacing,
    types::packets::{EncodedFrame, PlayError, ReceivedFrame},
};

/// A microphone that sends ready-made packets: the same silent frame over and over, until it is told to play a clip.
///
/// Clones are the same microphone. While a track of it is muted, silence is sent and the clip goes on unheard.
#[derive(Debug, Clone)]
pub struct EncodedAudioSource {
    timeline: Arc<Mutex<ClipTimeline>>,
    source: NativeAudioSource,
}

/// A clip that was accepted. Dropping this does not stop it.
#[derive(Debug)]
pub struct Playback {
    started: oneshot::Receiver<Instant>,
}

impl EncodedAudioSource {
    /// A microphone that is silent by sending `silence`.
    pub fn new(silence: EncodedFrame) -> Self {
        let timeline = Arc::new(Mutex::new(ClipTimeline::new(clock::grid(), silence)));
        Self { source: NativeAudioSource::from_clips(Arc::clone(&timeline)), timeline }
    }

    /// A microphone whose packets are fetched and encrypted in batches of so many (at most 5), as soon as the first of them
    /// is due. Each leaves when it is due all the same. With many calls, what costs most of a packet is that the state of
    /// its call has left the caches, so it is much cheaper to deal with a few packets of a call at once.
    ///
    /// Whatever is not known when its batch is fetched comes later instead: the beginning of a clip, its end by
    /// [`stop`](Self::stop) and [`stop_at`](Self::stop_at), and muting. Only connections made afterwards know of it.
    #[must_use]
    pub fn batched(self, packets: u32) -> Self {
        self.timeline.lock().set_batch(u64::from(packets).clamp(1, BATCH_MAX));
        self
    }

    /// The source to make a track of, for instance with livekit's `LocalAudioTrack::create_audio_track`. It reports
    /// 48 kHz mono and refuses PCM frames.
    pub fn rtc_source(&self) -> RtcAudioSource {
        RtcAudioSource::Native(self.source.clone())
    }

    /// Plays a clip, beginning with the first period that is captured at or after `not_before` and fetched by a
    /// connection. Without a connection it waits for one.
    ///
    /// # Errors
    ///
    /// See [`PlayError`]. Nothing changes then.
    pub fn play(
        &self,
        clip: Arc<[EncodedFrame]>,
        not_before: Instant,
    ) -> Result<Playback, PlayError> {
        let started = self.timeline.lock().play(clip, not_before, clock::now())?;
        Ok(Playback { started })
    }

    /// Cuts the clip: from the next packet on there is silence. Does nothing without a clip.
    pub fn stop(&self) {
        self.timeline.lock().stop();
    }

    /// Cuts the clip at a moment of the capture clock: every period captured at or after `at` is silent. When `at` is
    /// in the future by more than packets leave late, exactly the periods before it are sent. Another clip can be
    /// played once that moment has passed and its period was fetched. Does nothing without a clip.
    pub fn stop_at(&self, at: Instant) {
        self.timeline.lock().stop_at(at);
    }

    /// How punctually the packets have been sent so far, over all connections.
    pub fn pacing(&self) -> Pacing {
        self.timeline.lock().pacing().clone()
    }
}

impl Playback {
    /// Waits for a connection to fetch the first packet of the clip, and returns the capture time of its first sample.
    /// `None` if the clip was stopped, or the last track of the source went away, before that.
    pub async fn started(self) -> Option<Instant> {
        self.started.await.ok()
    }
}

/// Packets of a microphone that are fetched together at most: a caller must not seem to be slow to speak.
const BATCH_MAX: u64 = 5;

/// How many packets a stream keeps for a slow reader: about ten seconds.
const TAP_CAPACITY: usize = 512;

/// The packets of a remote track in the order of their arrival, neither sorted, filtered nor decoded. A track that
/// nobody listens to otherwise is not decoded at all. The stream ends when the track does.
#[derive(Debug)]
pub struct EncodedAudioStream {
    track: RtcAudioTrack,
    tap: Arc<Tap>,
}

impl EncodedAudioStream {
    /// Packets from now on. Of a local track there are none: the stream is over from the start and an error is logged.
    pub fn new(track: RtcAudioTrack) -> Self {
        Self::batched(track, 1)
    }

    /// The same for a reader that takes `packets` at a time: it is woken at the latest 20 ms for each of them (but no more
    /// than 60 ms) after the first has come. With many calls, waking is dearer than what is done with a packet. Whenever
    /// the reader looks by itself it gets what has been read from the network.
    pub fn batched(track: RtcAudioTrack, packets: u32) -> Self {
        let tap = Arc::new(Tap::new(packets, TAP_CAPACITY));
        if let Some(listeners) = track.listeners() {
            listeners.add_tap(&tap);
        } else {
            log::error!("no packets of local track {}: that is unsupported", track.id());
            tap.queue().end();
        }
        Self { track, tap }
    }

    /// How many packets were dropped, oldest first, because the reader was ten seconds behind.
    pub fn overflowed(&self) -> u64 {
        self.tap.queue().dropped()
    }
}

impl Stream for EncodedAudioStream {
    type Item = ReceivedFrame;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.tap.queue().poll(cx)
    }
}

impl Drop for EncodedAudioStream {
    fn drop(&mut self) {
        if let Some(listeners) = self.track.listeners() {
            listeners.remove_tap(&self.tap);
        }
    }
}
