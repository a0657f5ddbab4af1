//! Beds: what goes on under a voice and is none, as the noise of a room, a fan, music, comfort noise.
//!
//! The noise of the [module](crate::audio) is the quietest of four seconds and at most −40 dBFS. A bed is more: a sound
//! up to [`BED_MAX`] that was seen to go on as no speech does. What shows it:
//!
//! - It is **steady** for [`LASTING`]: in each half second its level stays within [`SPREAD`]. Speech changes by 15 dB and
//!   more from syllable to syllable.
//! - It is steady for half a second and **beside a voice** that is louder: such a voice does not pause at one level.
//! - It is steady and goes **straight into a hole** that the sender made (DTX): an encoder stops only in what it takes
//!   for noise, and sent this for a while to be sure.
//! - Two packets of **comfort noise**, alone between such holes, are alike.
//!
//! A bed is known for as long as its level was there in the last two seconds that were sent. Holes count for nothing.

use std::collections::VecDeque;

use crate::audio::burst::{Burst, HOLE_BLOCKS};
use crate::audio::level::{BLOCK, FULL_POWER, Threshold, dbfs};

/// The loudest bed, −26 dBFS on average. What is louder is something to listen to, even when it never pauses.
pub(super) const BED_MAX: f64 = FULL_POWER * 2.511_886e-3;
/// The quietest, −50 dBFS: what is below is not audible.
const BED_MIN: f64 = FULL_POWER * 1e-5;

/// No bed ends in less, −60 dBFS.
const SOUND: f64 = FULL_POWER * 1e-6;

/// How far the levels (30 ms) of a steady half second are apart, from the 10 % to the 90 % quantile: 7 dB. A chord that
/// beats has 4 dB, the noise of a room 3 dB; the steadiest half second of the clips has 9 dB.
const SPREAD: f64 = 5.011_872;

/// The threshold above the upper level (the 90 % quantile of 10 ms) of a bed: 4 dB.
const MARGIN: f64 = 2.511_886;
/// A voice beside a bed is this much above its upper level for [`LOUD_BLOCKS`] at least: 7 dB.
const LOUD: f64 = 5.011_872;
/// How long a voice takes to get so loud when what is quieter before it counts: 30 ms.
const RISE: u64 = 30 * 48;
/// Longer than a knock or a word of a far table.
const LOUD_BLOCKS: usize = 6;

/// Blocks of half a second.
const STEADY_BLOCKS: usize = 50;
/// Blocks of the noise that an encoder sends before it stops: Opus sends 200 ms.
const TAIL_BLOCKS: usize = 15;
/// Blocks behind an end that show whether anything has ended.
const BEHIND_BLOCKS: usize = 10;
/// Samples of comfort noise between two holes at most: WebRTC sends a packet of 20 ms and one that says "I rest".
pub(super) const COMFORT: u64 = 80 * 48;

/// After so long a steady sound is a bed: longer than a tone, a breath or a held vowel.
pub(super) const LASTING: u64 = 2_500 * 48;

/// Blocks that are kept to look back at: 4 s.
const KEPT: usize = 400;
/// Blocks between two looks.
const LOOK: u32 = 5;
const LOOKED: u64 = LOOK as u64 * BLOCK as u64;
/// How long before and behind a steady half second a louder voice is looked for: 1 s and 300 ms.
const BEFORE: u64 = 1_000 * 48;
const BEHIND: u64 = 300 * 48;

/// Blocks the level of a known bed is taken from: 2 s; and so many that show whether it is always there.
const UNDER_BLOCKS: usize = 200;
const ALWAYS_BLOCKS: usize = 30;
/// A block of a bed is at most 13 dB below its upper level; after 300 ms of quieter ones it has stopped.
const GAP: f64 = 0.05;
const GONE_BLOCKS: u32 = 30;

/// Active blocks that make a voice when looked back at, that may become one, and that belong to one which ended within
/// 120 ms.
const VOICE_BLOCKS: u32 = 6;
const ONSET_BLOCKS: u32 = 3;
const MORE_BLOCKS: u32 = 2;
const MORE_WITHIN: u64 = 120 * 48;

/// A block that was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at: u64,
    power: f64,
}

/// A sound that stays at one level.
#[derive(Clone, Copy, Debug)]
struct Steady {
    since: u64,
    until: u64,
    /// The 90 % quantile of its blocks, and their median: a few are of a voice.
    top: f64,
    level: f64,
}

/// A bed that is there.
#[derive(Debug)]
struct Bed {
    since: u64,
    top: f64,
    level: f64,
    /// The blocks under the threshold, newest last.
    under: VecDeque<f64>,
    unread: u32,
    /// How many of the last ones were too quiet for it.
    missing: u32,
}

/// Looks for beds, between two blocks.
#[derive(Debug)]
pub(super) struct Beds {
    sent: VecDeque<Sent>,
    unlooked: u32,
    steady: Option<Steady>,
    /// The comfort noise between the last two holes.
    comfort: Option<Steady>,
    bed: Option<Bed>,
}

impl Beds {
    pub(super) fn new() -> Self {
        Self {
            sent: VecDeque::with_capacity(KEPT + 1),
            unlooked: 0,
            steady: None,
            comfort: None,
            bed: None,
        }
    }

    /// The threshold above the bed; `None` where there is no bed.
    pub(super) fn threshold(&self) -> Option<Threshold> {
        self.bed.as_ref().map(|bed| Threshold::of_power(bed.top * MARGIN))
    }

    /// Since which position there has been a bed, and its level, once it has gone on for [`LASTING`].
    pub(super) fn lasting(&self, now: u64) -> Option<(u64, f64)> {
        let bed = self.bed.as_ref().filter(|bed| bed.level >= BED_MIN)?;
        if now.saturating_sub(bed.since) < LASTING || bed.under.len() < ALWAYS_BLOCKS {
            return None;
        }
        let mut levels: Vec<f64> = bed.under.iter().copied().collect();
        (quantile(&mut levels, 1) >= bed.top * GAP).then(|| (bed.since, dbfs(bed.level)))
    }

    /// The median mean square of the last half second.
    pub(super) fn level(&self) -> f64 {
        self.measured(STEADY_BLOCKS).map_or(0.0, |last| last.level)
    }

    /// Takes in a block that was sent, and whether it is under the threshold and in no burst. The answer is whether a
    /// bed was recognised with it.
    pub(super) fn block(&mut self, at: u64, power: f64, is_under: bool) -> bool {
        self.sent.push_back(Sent { at, power });
        if self.sent.len() > KEPT {
            self.sent.pop_front();
        }
        if is_under {
            self.learn(power);
        }
        self.unlooked += 1;
        if self.unlooked < LOOK {
            return false;
        }
        self.unlooked = 0;
        let found = self.look(at);
        self.accept(found)
    }

    /// The sender made a hole; the packets before it had set in at `set_in`. The answer is as that of
    /// [`Beds::block`].
    pub(super) fn hole(&mut self, set_in: u64) -> bool {
        let run = self.sent.iter().rev().take_while(|sent| sent.at >= set_in).count();
        let Some(last) = self.sent.back() else { return false };
        let length = (last.at + BLOCK as u64).saturating_sub(set_in);
        let found = if run >= TAIL_BLOCKS {
            self.steady_in(TAIL_BLOCKS)
        } else if length <= COMFORT {
            let now = self.measured(run);
            let alike = |a: f64, b: f64| a <= b * SPREAD && b <= a * SPREAD;
            let before = std::mem::replace(&mut self.comfort, now);
            now.zip(before).filter(|(now, before)| alike(now.level, before.level)).map(
                |(now, before)| Steady {
                    since: before.since,
                    top: now.top.max(before.top),
                    level: now.level.max(before.level),
                    ..now
                },
            )
        } else {
            None
        };
        self.accept(found.filter(Steady::can_be_bed))
    }

    /// Whether the sound since a position has stayed at one level, as far as it was looked at.
    pub(super) fn is_steady_since(&self, from: u64) -> bool {
        let blocks = self.sent.iter().rev().take_while(|sent| sent.at >= from).count();
        self.steady_in(blocks.min(STEADY_BLOCKS)).is_some()
    }

    /// Whether what follows the last audible sample is about as loud as what was between a position and that.
    pub(super) fn goes_on_behind(&self, from: u64, last: u64) -> bool {
        let levels = |within: std::ops::RangeInclusive<u64>| -> Vec<f64> {
            let newest = self.sent.iter().rev().filter(|sent| within.contains(&sent.at));
            newest.take(STEADY_BLOCKS).map(|sent| sent.power).collect()
        };
        let (mut voice, mut behind) = (levels(from..=last), levels(last + 1..=u64::MAX));
        behind.len() >= BEHIND_BLOCKS
            && !voice.is_empty()
            && quantile(&mut voice, 9) <= quantile(&mut behind, 5) * SPREAD
    }

    /// How far can be looked back.
    pub(super) fn oldest(&self) -> u64 {
        self.sent.front().map_or(0, |sent| sent.at)
    }

    /// Whether all that was sent since `from`, where a sound begins, stands out of the bed.
    pub(super) fn stands_out_since(&self, from: u64) -> bool {
        let Some(threshold) = self.threshold() else { return false };
        let mut reached =
            self.sent.iter().filter(|s| s.at >= from).map(|s| threshold.reached_by(s.power));
        // The block in which a sound begins may hold little of it.
        let first = reached.next().unwrap_or(true);
        let last = reached.all(|reached| reached);
        last && (first || self.sent.back().is_some_and(|s| s.at > from))
    }

    /// What stands out of the bed from a position on, to the block.
    pub(super) fn voices_since(&self, from: u64) -> Vec<Burst> {
        let Some(threshold) = self.threshold() else { return Vec::new() };
        let loud = self.bed.as_ref().map_or(f64::INFINITY, |bed| bed.top * LOUD);
        let mut bursts: Vec<(Burst, u32, bool)> = Vec::new();
        for sent in
            self.sent.iter().filter(|s| s.at + BLOCK as u64 > from && threshold.reached_by(s.power))
        {
            let last = sent.at + BLOCK as u64 - 1;
            match bursts.last_mut() {
                Some((burst, active, is_loud))
                    if sent.at.saturating_sub(burst.last)
                        <= u64::from(HOLE_BLOCKS) * BLOCK as u64 + 1 =>
                {
                    burst.last = last;
                    *active += 1;
                    // Swells of the bed may lead up to a voice: it begins where it is loud.
                    if sent.power >= loud && !std::mem::replace(is_loud, true) {
                        burst.first = burst.first.max(sent.at.saturating_sub(RISE));
                    }
                }
                _ => {
                    let first = sent.at.max(from);
                    bursts.push((Burst { first, last }, 1, sent.power >= loud));
                }
            }
        }
        let mut voices: Vec<Burst> = Vec::new();
        let newest = self.sent.back().map_or(0, |sent| sent.at);
        for (burst, active, _) in bursts {
            let goes_on = burst.last > newest && active >= ONSET_BLOCKS;
            let is_more = voices
                .last()
                .is_some_and(|voice| burst.first.saturating_sub(voice.last) <= MORE_WITHIN);
            if active >= VOICE_BLOCKS || goes_on || is_more && active >= MORE_BLOCKS {
                voices.push(burst);
            }
        }
        voices
    }

    /// The level of the bed follows what is heard under the threshold.
    fn learn(&mut self, power: f64) {
        let Some(bed) = &mut self.bed else { return };
        bed.under.push_back(power);
        if bed.under.len() > UNDER_BLOCKS {
            bed.under.pop_front();
        }
        bed.missing = if power < bed.top * GAP { bed.missing + 1 } else { 0 };
        if bed.missing >= GONE_BLOCKS {
            self.bed = None;
            return;
        }
        bed.unread += 1;
        if bed.unread < 2 * LOOK || bed.under.len() < TAIL_BLOCKS {
            return;
        }
        bed.unread = 0;
        let mut levels: Vec<f64> = bed.under.iter().copied().collect();
        bed.level = quantile(&mut levels, 5);
        bed.top = quantile(&mut levels, 9);
        if !Threshold::lowest().reached_by(bed.top) {
            self.bed = None;
        }
    }

    /// A bed, where what was heard lately shows one.
    fn look(&mut self, now: u64) -> Option<Steady> {
        let is_sound = self.sent.back().is_some_and(|sent| sent.power >= SOUND);
        let new = if is_sound { self.steady_in(STEADY_BLOCKS) } else { None };
        if let Some(new) = new.filter(Steady::can_be_bed) {
            // One that was steady at the last look goes on.
            let goes_on = self.steady.filter(|old| self.place_of(old.until) <= LOOK as usize);
            let steady = Steady { since: goes_on.map_or(new.since, |old| old.since), ..new };
            self.steady = Some(steady);
            let is_beside = self.loud_blocks(
                &steady,
                steady.since.saturating_sub(BEFORE),
                steady.since + BEHIND,
            );
            let is_lasting = now.saturating_sub(steady.since) >= LASTING;
            return (is_lasting || is_beside >= LOUD_BLOCKS).then_some(steady);
        }
        let before = self.steady.filter(|old| now.saturating_sub(old.until) <= BEHIND)?;
        let loud = self.loud_blocks(&before, before.until.saturating_sub(LOOKED), now);
        (loud >= LOUD_BLOCKS).then_some(before)
    }

    /// How many blocks ago a block was sent.
    fn place_of(&self, at: u64) -> usize {
        self.sent.iter().rev().take_while(|sent| sent.at > at).count()
    }

    /// Blocks between two positions that are much louder than something steady.
    fn loud_blocks(&self, steady: &Steady, from: u64, until: u64) -> usize {
        let within =
            self.sent.iter().rev().skip_while(|s| s.at > until).take_while(|s| s.at >= from);
        within.filter(|sent| sent.power >= steady.top * LOUD).count()
    }

    /// The last so many blocks, where their level stays the same.
    fn steady_in(&self, blocks: usize) -> Option<Steady> {
        let measured = self.measured(blocks)?;
        let mut smooth: Vec<f64> = self
            .last(blocks)
            .zip(self.last(blocks).skip(1))
            .zip(self.last(blocks).skip(2))
            .map(|((a, b), c)| a.power + b.power + c.power)
            .collect();
        if smooth.is_empty() {
            return None;
        }
        let low = quantile(&mut smooth, 1);
        (quantile(&mut smooth, 9) <= low * SPREAD).then_some(measured)
    }

    /// The last so many blocks; `None` where there are fewer.
    fn measured(&self, blocks: usize) -> Option<Steady> {
        let mut levels: Vec<f64> = self.last(blocks).map(|sent| sent.power).collect();
        let (since, until) = (self.last(blocks).next()?.at, self.sent.back()?.at);
        (levels.len() == blocks).then(|| Steady {
            since,
            until,
            level: quantile(&mut levels, 5),
            top: quantile(&mut levels, 9),
        })
    }

    fn last(&self, blocks: usize) -> impl Iterator<Item = &Sent> {
        self.sent.range(self.sent.len().saturating_sub(blocks)..)
    }

    /// Takes what was found for the bed, where it is not the one that is known.
    fn accept(&mut self, found: Option<Steady>) -> bool {
        let Some(found) = found else { return false };
        if self.threshold().is_some_and(|known| !known.reached_by(found.top)) {
            return false;
        }
        let since = self.bed.as_ref().map_or(found.since, |bed| bed.since);
        let under =
            self.sent.iter().filter(|sent| sent.at >= found.since && sent.at <= found.until);
        let under = under.map(|s| s.power).filter(|power| *power <= found.top * MARGIN);
        let under: Vec<f64> = under.collect();
        let under = under[under.len().saturating_sub(STEADY_BLOCKS)..].iter().copied().collect();
        self.bed =
            Some(Bed { since, top: found.top, level: found.level, under, unread: 0, missing: 0 });
        true
    }
}

impl Steady {
    fn can_be_bed(&self) -> bool {
        (BED_MIN..=BED_MAX).contains(&self.level)
    }
}

/// A quantile in tenths, of at least one.
fn quantile(levels: &mut [f64], tenths: usize) -> f64 {
    let place = (levels.len() - 1) * tenths / 10;
    *levels.select_nth_unstable_by(place, f64::total_cmp).1
}
