//! What a pre-encoded source sends in each period.

use std::{sync::Arc, time::Instant};

use tokio::sync::oneshot;

use super::{Grid, Pacing};
use crate::types::packets::{EncodedFrame, PlayError};

/// Silence, and at most one clip in it. The frame of a period depends on the period alone, so all senders of the source
/// send the same, and a clip goes on while nobody sends.
#[derive(Debug)]
pub(crate) struct ClipTimeline {
    grid: Grid,
    silence: EncodedFrame,
    /// Periods that senders fetch together.
    batch: u64,
    clip: Option<Clip>,
    /// Tracks that were made of the source and still exist; `None` before the first.
    tracks: Option<u32>,
    pacing: Pacing,
}

#[derive(Debug)]
struct Clip {
    frames: Arc<[EncodedFrame]>,
    not_before: Instant,
    start: Start,
    /// From here on it is silent.
    until: Option<Instant>,
}

#[derive(Debug)]
enum Start {
    /// Still to be fetched by a sender; the channel announces the capture time.
    Waiting(oneshot::Sender<Instant>),
    /// The first frame is that of this period.
    At(u64),
}

impl ClipTimeline {
    pub(crate) fn new(grid: Grid, silence: EncodedFrame) -> Self {
        Self { grid, silence, batch: 1, clip: None, tracks: None, pacing: Pacing::default() }
    }

    pub(crate) fn set_batch(&mut self, periods: u64) {
        self.batch = periods;
    }

    pub(crate) fn batch(&self) -> u64 {
        self.batch
    }

    pub(crate) fn grid(&self) -> Grid {
        self.grid
    }

    pub(crate) fn silence(&self) -> EncodedFrame {
        self.silence.clone()
    }

    pub(crate) fn pacing(&mut self) -> &mut Pacing {
        &mut self.pacing
    }

    /// Puts a clip on the timeline. The receiver gets the capture time of its first sample when a sender fetches the
    /// first frame, or an error when the clip is cut before.
    pub(crate) fn play(
        &mut self,
        frames: Arc<[EncodedFrame]>,
        not_before: Instant,
        now: Instant,
    ) -> Result<oneshot::Receiver<Instant>, PlayError> {
        if frames.is_empty() {
            return Err(PlayError::EmptyClip);
        }
        if self.tracks == Some(0) {
            return Err(PlayError::TrackEnded);
        }
        if self.is_playing(now) {
            return Err(PlayError::AlreadyPlaying);
        }
        let (announce, announced) = oneshot::channel();
        self.clip = Some(Clip { frames, not_before, start: Start::Waiting(announce), until: None });
        Ok(announced)
    }

    /// Back to silence from the next fetched period on.
    pub(crate) fn stop(&mut self) {
        self.clip = None;
    }

    /// Silence from the first period on that is captured at or after `at`; one that was fetched before stays as it was.
    pub(crate) fn stop_at(&mut self, at: Instant) {
        if let Some(clip) = &mut self.clip {
            clip.until = Some(at);
        }
    }

    /// The frame of a period that is complete, or fetched before its time.
    pub(crate) fn frame(&mut self, index: u64) -> EncodedFrame {
        let capture = self.grid.capture(index);
        if self.clip.as_ref().is_some_and(|clip| clip.until.is_some_and(|until| capture >= until)) {
            self.clip = None;
        }
        let playing = self.clip.as_mut().and_then(|clip| {
            let first = clip.first_at(index, capture)?;
            let offset = usize::try_from(index.checked_sub(first)?).ok()?;
            clip.frames.get(offset)
        });
        playing.unwrap_or(&self.silence).clone()
    }

    pub(crate) fn track_made(&mut self) {
        self.tracks = Some(self.tracks.unwrap_or(0) + 1);
    }

    /// With the last track goes the clip: nobody can ever hear it.
    pub(crate) fn track_gone(&mut self) {
        self.tracks = self.tracks.map(|tracks| tracks.saturating_sub(1));
        if self.tracks == Some(0) {
            self.stop();
        }
    }

    fn is_playing(&self, now: Instant) -> bool {
        self.clip.as_ref().is_some_and(|clip| match clip.start {
            Start::Waiting(_) => true,
            // The last frame is fetched when its period is complete.
            Start::At(first) => {
                self.grid.current(now) < first.saturating_add(clip.frames.len() as u64)
            }
        })
    }
}

impl Clip {
    /// The period of the first frame, which is `index` if the clip has been waiting for one like this.
    fn first_at(&mut self, index: u64, capture: Instant) -> Option<u64> {
        if let Start::At(first) = self.start {
            return Some(first);
        }
        if capture < self.not_before {
            return None;
        }
        if let Start::Waiting(announce) = std::mem::replace(&mut self.start, Start::At(index)) {
            // The caller may have dropped its `Playback`: the clip is played all the same.
            let _ = announce.send(capture);
        }
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock,
        media::{PERIOD, grid::span, testing::before},
    };

    fn frame(byte: u8) -> EncodedFrame {
        EncodedFrame { payload: Arc::new([byte]), level: 30 }
    }

    fn clip() -> Arc<[EncodedFrame]> {
        [frame(1), frame(2), frame(3)].into()
    }

    fn timeline() -> (Instant, ClipTimeline) {
        let start = clock::now();
        (start, ClipTimeline::new(Grid::new(start), frame(0)))
    }

    fn bytes(timeline: &mut ClipTimeline, periods: impl IntoIterator<Item = u64>) -> Vec<u8> {
        periods.into_iter().map(|index| timeline.frame(index).payload[0]).collect()
    }

    #[test]
    fn a_clip_starts_with_the_first_period_captured_at_or_after_the_wish() {
        for (wish_ms, first) in [(0, 0), (1, 1), (20, 1), (21, 2), (39, 2), (40, 2)] {
            let (start, mut timeline) = timeline();
            let wish = start + std::time::Duration::from_millis(wish_ms);
            let mut started = timeline.play(clip(), wish, start).expect("nothing else plays");
            let sent = bytes(&mut timeline, 0..6);
            let expected: Vec<u8> = (0..6)
                .map(|k: u64| u8::try_from(k + 1 - first.min(k + 1)).expect("small"))
                .map(|k| if k > 3 { 0 } else { k })
                .collect();
            assert_eq!(sent, expected, "wish {wish_ms} ms");
            assert_eq!(started.try_recv(), Ok(start + span(first)), "wish {wish_ms} ms");
            assert!(start + span(first) >= wish);
        }
    }

    #[test]
    fn a_clip_waits_for_a_sender_and_then_goes_on_without_one() {
        let (start, mut timeline) = timeline();
        let mut started = timeline.play(clip(), start, start).expect("nothing else plays");
        assert_eq!(bytes(&mut timeline, [100]), [1]);
        assert_eq!(started.try_recv(), Ok(start + span(100)));
        assert_eq!(
            bytes(&mut timeline, [102, 103]),
            [3, 0],
            "the frame of period 101 has gone by unheard"
        );
    }

    #[test]
    fn two_senders_have_one_timeline() {
        let (start, mut timeline) = timeline();
        timeline.play(clip(), start, start).expect("nothing else plays");
        assert_eq!(bytes(&mut timeline, [5, 5, 6, 4, 6, 7, 7, 8]), [1, 1, 2, 0, 2, 3, 3, 0]);
    }

    #[test]
    fn one_clip_at_a_time() {
        let (start, mut timeline) = timeline();
        timeline.play(clip(), start, start).expect("nothing else plays");
        assert_eq!(timeline.play(clip(), start, start).err(), Some(PlayError::AlreadyPlaying));
        timeline.frame(0);
        let last_ends = start + PERIOD * 3;
        let during = before(last_ends, std::time::Duration::from_nanos(1));
        assert_eq!(timeline.play(clip(), start, during).err(), Some(PlayError::AlreadyPlaying));
        assert!(timeline.play(clip(), start, last_ends).is_ok());
    }

    #[test]
    fn a_stopped_clip_is_silent_at_once_and_never_starts() {
        let (start, mut timeline) = timeline();
        timeline.play(clip(), start, start).expect("nothing else plays");
        assert_eq!(bytes(&mut timeline, [0]), [1]);
        timeline.stop();
        assert_eq!(bytes(&mut timeline, [1]), [0]);
        let mut started =
            timeline.play(clip(), start + PERIOD * 9, start).expect("the other was stopped");
        timeline.stop();
        assert_eq!(started.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn a_clip_is_cut_with_the_first_period_captured_at_or_after_the_wish() {
        for (cut_ms, sent) in [(0, [0, 0, 0]), (20, [1, 0, 0]), (21, [1, 2, 0]), (60, [1, 2, 3])] {
            let (start, mut timeline) = timeline();
            timeline.play(clip(), start, start).expect("nothing else plays");
            timeline.stop_at(start + std::time::Duration::from_millis(cut_ms));
            assert_eq!(bytes(&mut timeline, 0..3), sent, "cut at {cut_ms} ms");
            assert_eq!(bytes(&mut timeline, [3]), [0]);
        }
    }

    #[test]
    fn without_a_track_nothing_can_be_played() {
        let (start, mut timeline) = timeline();
        timeline.track_made();
        let mut started = timeline.play(clip(), start, start).expect("nothing else plays");
        timeline.track_gone();
        assert_eq!(started.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert_eq!(timeline.play(clip(), start, start).err(), Some(PlayError::TrackEnded));
        timeline.track_made();
        assert!(timeline.play(clip(), start, start).is_ok());
        assert_eq!(timeline.play([].into(), start, start).err(), Some(PlayError::EmptyClip));
    }
}
