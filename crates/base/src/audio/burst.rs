//! Finds bursts of voice in samples that come block by block: rules 2 to 4 of the [module](super).
//!
//! It knows positions (samples since some beginning) and no time, and takes the threshold from
//! outside, so that a whole clip and a live stream are judged by the same rules.

use super::level::{BLOCK, MS, Threshold, Window};

/// Inactive blocks that do not yet end a burst: the flutter of a level near the threshold.
pub(super) const HOLE_BLOCKS: u32 = 2;

/// Where the current block begins in a window.
const LAST: usize = 3 * BLOCK;

/// What a burst needs to be voice by itself: the shortest syllables last 50 ms and more, clicks, pops
/// and the traces of a lost packet stay below 30 ms.
const VOICE_MIN: u64 = 30 * MS as u64;
/// The same in active blocks, so that two clicks 30 ms apart are not one voice.
const VOICE_MIN_BLOCKS: u32 = 3;

/// The closure before the release of a final plosive lasts at most about this long.
const RELEASE_WITHIN: u64 = 120 * MS as u64;
/// The shortest release; what is shorter is a click.
const RELEASE_MIN: u64 = 5 * MS as u64;

/// Where clicks go on in the pauses of a voice, as of a keyboard, one behind it is none of its releases: the last so
/// many within 5 s, each 300 ms and more behind a voice.
const CLICKS: usize = 4;
const CLICKS_WITHIN: u64 = 5_000 * MS as u64;
const CLICK_APART: u64 = 300 * MS as u64;

/// A stretch of voice, by the positions of its first and its last audible sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Burst {
    pub(super) first: u64,
    pub(super) last: u64,
}

/// The search, between two blocks.
#[derive(Debug)]
pub(super) struct Bursts {
    /// The last four blocks, the current one last.
    window: Window,
    /// Where a block has to begin to follow the last one.
    next: u64,
    open: Option<Open>,
    /// The last audible sample of the last burst that was voice by itself.
    voice_end: Option<u64>,
    /// The last clicks apart from voices, newest last.
    clicks: [Option<u64>; CLICKS],
}

/// A burst that may go on.
#[derive(Debug)]
struct Open {
    /// Where its first active block begins.
    at: u64,
    /// Not known before the block behind it is.
    first: Option<u64>,
    /// The threshold the first audible sample has to reach.
    onset: Threshold,
    last: u64,
    active: u32,
    /// Inactive blocks since the last active one.
    quiet: u32,
    is_voice: bool,
}

impl Open {
    /// Looks for the first audible sample, with the block at `at` as the last of the window.
    fn find_first(&mut self, at: u64, window: &Window) {
        if self.first.is_none() {
            self.first = self
                .onset
                .first_audible(window)
                .map(|i| (at + i as u64).saturating_sub(LAST as u64));
        }
    }
}

impl Bursts {
    pub(super) fn new() -> Self {
        Self {
            window: Window::silent(),
            next: 0,
            open: None,
            voice_end: None,
            clicks: [None; CLICKS],
        }
    }

    /// Takes in the block that begins at position `at`; samples come in the order of their positions. A
    /// block shorter than 10 ms is one that ends in silence.
    ///
    /// `thresholds` is told the mean square of the block. The first threshold judges the block, the second
    /// finds the first audible sample when a burst begins in it. The answer is the burst the block belongs to
    /// as far as it is known, once it is voice.
    pub(super) fn block(
        &mut self,
        at: u64,
        pcm: &[i16],
        thresholds: impl FnOnce(f64) -> (Threshold, Threshold),
    ) -> Option<Burst> {
        self.shift(at, pcm);
        let power = self.window.last_power();
        let (threshold, onset) = thresholds(power);
        let is_active = threshold.reached_by(power);
        // The last sample may lie in a block too quiet to be active, but only right behind one.
        let last_at =
            |window: &Window| threshold.last_audible(window).map(|i| at + (i - LAST) as u64);
        match &mut self.open {
            None if is_active => {
                let last = last_at(&self.window).unwrap_or(at);
                let open =
                    Open { at, first: None, onset, last, active: 1, quiet: 0, is_voice: false };
                self.open = Some(open);
            }
            None => {}
            Some(open) => {
                if is_active || open.quiet == 0 {
                    open.last = last_at(&self.window).unwrap_or(open.last);
                }
                open.active += u32::from(is_active);
                open.quiet = if is_active { 0 } else { open.quiet + 1 };
                open.find_first(at, &self.window);
            }
        }
        self.judge()
    }

    /// Whether there is a burst of which it is not known yet if it is voice or a click.
    pub(super) fn undecided(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.is_voice)
    }

    /// Whether there is a burst that may go on.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Where the first active block begins of a burst that may go on.
    pub(super) fn open_at(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.at)
    }

    /// Forgets the burst that is open, as the threshold was too low for it. The last voice by itself ended here.
    pub(super) fn restart(&mut self, voice_end: Option<u64>) {
        self.open = None;
        self.voice_end = voice_end;
    }

    /// Puts the block behind the one before, or behind silence where it does not follow.
    fn shift(&mut self, at: u64, pcm: &[i16]) {
        if at != self.next {
            self.window.push(&[]);
            if let Some(open) = &mut self.open {
                open.find_first(self.next, &self.window);
            }
            self.window = Window::silent();
        }
        self.window.push(pcm);
        self.next = at + BLOCK as u64;
    }

    /// Decides what the open burst is, and closes it when it is over.
    fn judge(&mut self) -> Option<Burst> {
        let open = self.open.as_mut()?;
        // What reaches the threshold for three blocks has a first sample, unless all of it is masked.
        let overdue = (open.active >= VOICE_MIN_BLOCKS).then_some(open.at);
        let burst = Burst { first: open.first.or(overdue).unwrap_or(open.last), last: open.last };
        let length = burst.last.saturating_sub(burst.first);
        let long = open.active >= VOICE_MIN_BLOCKS && length >= VOICE_MIN;
        let clicks_go_on =
            self.clicks[0].is_some_and(|first| burst.first.saturating_sub(first) <= CLICKS_WITHIN);
        let release = length >= RELEASE_MIN
            && !clicks_go_on
            && self.voice_end.is_some_and(|end| burst.first.saturating_sub(end) <= RELEASE_WITHIN);
        open.is_voice |= long || release;
        if long {
            self.voice_end = Some(burst.last);
        }
        let found = open.is_voice.then_some(burst);
        if open.quiet > HOLE_BLOCKS {
            let is_apart =
                self.voice_end.is_none_or(|end| burst.first.saturating_sub(end) >= CLICK_APART);
            if !open.is_voice && is_apart {
                self.clicks.rotate_left(1);
                self.clicks[CLICKS - 1] = Some(burst.first);
            }
            self.open = None;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::testing::{burst, silence};

    fn taken(bursts: &mut Bursts, at: u64, pcm: &[i16]) -> Option<Burst> {
        bursts.block(at, pcm, |_| (Threshold::lowest(), Threshold::lowest()))
    }

    /// The bursts in a signal, by their first and last audible sample in ms.
    fn found(pcm: &[i16]) -> Vec<(u64, u64)> {
        let mut bursts = Bursts::new();
        let mut all: Vec<Burst> = Vec::new();
        for (i, block) in pcm.chunks(BLOCK).enumerate() {
            if let Some(burst) = taken(&mut bursts, (i * BLOCK) as u64, block) {
                all.retain(|known| known.first != burst.first);
                all.push(burst);
            }
        }
        all.iter().map(|b| (b.first / 48, b.last / 48)).collect()
    }

    fn joined(parts: &[Vec<i16>]) -> Vec<i16> {
        parts.concat()
    }

    #[test]
    fn a_voice_is_found_with_its_edges() {
        let pcm = joined(&[silence(123), burst(200, -20.0), silence(100)]);
        assert_eq!(found(&pcm), [(123, 322)]);
    }

    #[test]
    fn clicks_are_none() {
        for ms in [1, 5, 12, 20, 28] {
            let pcm = joined(&[silence(45), burst(ms, -6.0), silence(100)]);
            assert_eq!(found(&pcm), [], "{ms} ms");
        }
    }

    #[test]
    fn two_clicks_are_not_a_voice() {
        let pcm = joined(&[silence(40), burst(5, -6.0), silence(28), burst(5, -6.0), silence(100)]);
        assert_eq!(found(&pcm), []);
    }

    #[test]
    fn the_release_of_a_plosive_belongs_to_the_word() {
        let pcm =
            joined(&[silence(40), burst(200, -20.0), silence(90), burst(15, -30.0), silence(100)]);
        assert_eq!(found(&pcm), [(40, 239), (330, 344)]);
    }

    #[test]
    fn a_click_soon_or_a_knock_late_after_a_word_does_not() {
        let soon =
            joined(&[silence(40), burst(200, -20.0), silence(90), burst(3, -10.0), silence(100)]);
        assert_eq!(found(&soon), [(40, 239)]);
        let late =
            joined(&[silence(40), burst(200, -20.0), silence(150), burst(15, -10.0), silence(100)]);
        assert_eq!(found(&late), [(40, 239)]);
    }

    #[test]
    fn ticking_does_not_prolong_a_word_for_ever() {
        let mut parts = vec![burst(200, -20.0)];
        for _ in 0..20 {
            parts.extend([silence(80), burst(10, -20.0)]);
        }
        parts.push(silence(100));
        let last = found(&joined(&parts)).into_iter().map(|(_, last)| last).max();
        assert!(last < Some(200 + 120 + 20), "{last:?}");
    }

    #[test]
    fn a_hole_of_twenty_ms_does_not_divide() {
        let pcm =
            joined(&[silence(40), burst(60, -20.0), silence(20), burst(60, -20.0), silence(100)]);
        assert_eq!(found(&pcm), [(40, 179)]);
    }

    #[test]
    fn what_does_not_follow_is_not_looked_at() {
        let mut bursts = Bursts::new();
        let loud = burst(10, -20.0);
        for i in 0..4 {
            taken(&mut bursts, i * 480, &loud);
        }
        for i in 4..8 {
            taken(&mut bursts, i * 480, &[]);
        }
        assert!(!bursts.undecided());
        // The burst behind the hole must not be dated back into the block before the hole.
        for i in 0..4 {
            let found = taken(&mut bursts, 48_000 + i * 480, &loud);
            assert!(found.is_none_or(|burst| burst.first >= 48_000), "{found:?}");
        }
    }
}
