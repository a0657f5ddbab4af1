//! Where the voice is in a recording, and what else is in it.
//!
//! The edges are those of the [audible](crate::audio). A recording is known as a whole, so more can be
//! known than by an ear: its noise, and which of its sounds are words.
//!
//! - **Noise** is the median of its pauses. The quietest moment of a room lies 10 to 15 dB below its
//!   murmur, which would count as voice.
//! - **A word** has a pitch and is not much weaker than the rest of what is said. What follows or
//!   precedes one closely belongs to it: the consonants. A breath, a click or a door further away does
//!   not, however loud.
//!
//! A clean recording has its edges where an ear that hears it finds them.

use std::borrow::Cow;

use super::band::{Pitch, high_pass};
use crate::audio::burst::{Burst, Bursts};
use crate::audio::level::{
    BLOCK, FULL_POWER, MS, Noise, SILENCE_DBFS, Threshold, dbfs, power, power_of,
};

/// A pause is at least so many blocks (100 ms: the closure of a plosive is shorter) …
const PAUSE_BLOCKS: usize = 10;
/// … of which the first ones still hold what dies away, and the last one what begins.
const DYING_BLOCKS: usize = 3;
/// All of it is so much weaker than speech.
const PAUSE_BELOW_DB: f64 = 18.0;

/// Noise is the hum of mains when it is so much weaker without what lies below a voice …
const HUM_DB: f64 = 6.0;
/// … and steady: three quarters of the pauses are hardly louder than half of them. The rumble of a room
/// swells, and what swells below a voice may be one that blows into the microphone.
const STEADY: f64 = 1.4;
/// Noise that does not raise the threshold is left as it is.
const NOISE_MIN: f64 = FULL_POWER * 1e-6;

/// The vowel of a word is at most so much weaker than speech, for the end of a sentence sinks by 6 to
/// 10 dB; a breath, a creak and what a room adds lie lower.
const WORD_BELOW_DB: f64 = 12.0;
/// Places 5 ms apart with a pitch that make a word. Each looks 40 ms ahead, so they are 50 ms, as long as the
/// shortest vowels.
const WORD_PLACES: usize = 3;

/// The closure before a final plosive and between consonants lasts 120 ms at most; in a room, where what dies
/// away before it is lost, it seems longer by some 30.
const CLOSURE: u64 = 150 * MS as u64;
/// All consonants in a row, as in "sixths", last at most about this long.
const CONSONANTS: u64 = 350 * MS as u64;
/// A consonant that lasts longer than a release with its breath is a hiss, which is louder than a breath.
const RELEASE: u64 = 100 * MS as u64;
/// How much weaker than speech it is at most.
const HISS_BELOW_DB: f64 = 20.0;
/// A release is not what the next one follows.
const SHORT: u64 = 30 * MS as u64;

/// A sound without a pitch that is fainter than this is a swell of the room's murmur …
const FAINT_DBFS: f64 = -45.0;
/// … unless it is so much louder than the recording usually is.
const STANDS_OUT_DB: f64 = 10.0;

/// By how much the threshold is raised to see how certain the end is …
const RAISED_DB: [f64; 2] = [5.0, 10.0];
/// … as long as it stays so much below speech.
const RAISED_BELOW_DB: f64 = 10.0;

/// Another rule by which the end could be found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// This level (dBFS) counts as audible.
    From(f64),
    /// What lies below a voice, such as rumble and blowing, is left out.
    WithoutRumble,
}

/// What was found in a recording. Positions are samples.
#[derive(Debug)]
pub(super) struct Voice {
    pub(super) threshold: Threshold,
    pub(super) noise_dbfs: f64,
    /// RMS level of the blocks that reach the threshold.
    pub(super) level_dbfs: f64,
    /// From the first to the last audible sample.
    pub(super) span: Option<Burst>,
    /// The longest silence inside, by the samples before and behind it; `None` without any.
    pub(super) pause: Option<Burst>,
    /// What is audible behind the voice and no part of it, and its level in dBFS.
    pub(super) behind: Vec<(Burst, f64)>,
    /// The last audible sample by other rules.
    pub(super) otherwise: Vec<(Rule, u64)>,
}

impl Voice {
    pub(super) fn find(pcm: &[i16]) -> Self {
        let recording = Recording::of(pcm);
        let search = recording.search();
        let sounds = search.sounds();
        let kept = search.voice(&sounds);
        let span = whole(&kept);
        let behind = sounds.iter().filter(|sound| span.is_some_and(|span| sound.first > span.last));
        Self {
            threshold: search.threshold,
            noise_dbfs: dbfs(search.noise),
            level_dbfs: level(&recording.plain.powers, search.threshold),
            span,
            pause: longest_pause(&kept),
            behind: behind.map(|sound| (*sound, dbfs(search.heard.loudness(sound)))).collect(),
            otherwise: recording.otherwise(&search),
        }
    }
}

/// The first and the last audible sample of a recording, whatever it is that is heard: what an ear finds.
pub(super) fn audible(pcm: &[i16]) -> Option<Burst> {
    let track = Track::of(Cow::Borrowed(pcm));
    let (_, threshold) = track.without_pauses();
    whole(&track.sounds(threshold))
}

/// The first and the last audible sample of its voice, and no more.
#[cfg(test)]
pub(super) fn span(pcm: &[i16]) -> Option<Burst> {
    let recording = Recording::of(pcm);
    let search = recording.search();
    whole(&search.voice(&search.sounds()))
}

/// From the beginning of the first sound to the end of the last.
fn whole(sounds: &[Burst]) -> Option<Burst> {
    let (first, last) = sounds.first().zip(sounds.last())?;
    Some(Burst { first: first.first, last: last.last })
}

/// The longest silence between sounds that follow each other.
fn longest_pause(kept: &[Burst]) -> Option<Burst> {
    let pauses = kept.windows(2).map(|pair| Burst { first: pair[0].last, last: pair[1].first });
    pauses.filter(|pause| pause.first < pause.last).max_by_key(|pause| pause.last - pause.first)
}

/// RMS level in dBFS of the blocks that reach a threshold.
fn level(powers: &[f64], threshold: Threshold) -> f64 {
    let active = powers.iter().filter(|power| threshold.reached_by(**power));
    let (sum, count) = active.fold((0.0, 0.0), |(sum, count), power| (sum + power, count + 1.0));
    if count > 0.0 { dbfs(sum / count) } else { SILENCE_DBFS }
}

/// So much below a mean square.
fn below(power: f64, db: f64) -> f64 {
    power * power_of(-db) / FULL_POWER
}

/// Samples and the mean square of each of their blocks.
struct Track<'a> {
    pcm: Cow<'a, [i16]>,
    powers: Vec<f64>,
}

impl<'a> Track<'a> {
    fn of(pcm: Cow<'a, [i16]>) -> Self {
        Self { powers: pcm.chunks(BLOCK).map(power).collect(), pcm }
    }

    /// The loudest block a sound touches.
    fn loudness(&self, sound: &Burst) -> f64 {
        blocks(sound, self.powers.len()).map(|block| self.powers[block]).fold(0.0, f64::max)
    }

    /// The noise and the threshold of a recording that hardly pauses: its noise is its quietest place, and far
    /// below its loudest one.
    fn without_pauses(&self) -> (f64, Threshold) {
        let mut noise = Noise::new();
        let quietest = self.powers.iter().fold(f64::INFINITY, |quietest, power| {
            noise.learn(*power);
            quietest.min(noise.power())
        });
        let threshold = Threshold::of_recording(quietest, noise.loudest());
        (quietest.min(noise.loudest()), threshold)
    }

    /// Everything audible.
    fn sounds(&self, threshold: Threshold) -> Vec<Burst> {
        let mut bursts = Bursts::new();
        let mut sounds: Vec<Burst> = Vec::new();
        for (i, block) in self.pcm.chunks(BLOCK).enumerate() {
            let found = bursts.block((i * BLOCK) as u64, block, |_| (threshold, threshold));
            let Some(burst) = found else { continue };
            match sounds.last_mut() {
                Some(last) if burst.first <= last.last => last.last = last.last.max(burst.last),
                _ => sounds.push(burst),
            }
        }
        sounds
    }

    /// The median of some blocks and how far it lies below their upper quartile, as a factor; `None` of too
    /// few.
    fn noise(&self, blocks: &[usize]) -> Option<(f64, f64)> {
        let chosen: Vec<f64> = blocks.iter().map(|block| self.powers[*block]).collect();
        let median = quantile(chosen.clone(), 0.5);
        (chosen.len() >= PAUSE_BLOCKS).then(|| (median, quantile(chosen, 0.75) / median))
    }
}

/// A recording.
struct Recording<'a> {
    plain: Track<'a>,
    /// Without what lies below a voice.
    band: Track<'a>,
    /// How loud it is where it is loud, as a mean square of the band: the 90 % quantile.
    speech: f64,
    /// At how many places of each block a voice has a pitch.
    pitch: Vec<usize>,
}

/// A way to look for the voice of a recording.
struct Search<'a> {
    recording: &'a Recording<'a>,
    heard: &'a Track<'a>,
    /// Mean square of the noise in what is heard.
    noise: f64,
    threshold: Threshold,
}

impl<'a> Recording<'a> {
    fn of(pcm: &'a [i16]) -> Self {
        let band = Track::of(Cow::Owned(high_pass(pcm)));
        let quiet = Threshold::above(quantile(band.powers.clone(), 0.1));
        let loud = band.powers.iter().copied().filter(|power| quiet.reached_by(*power)).collect();
        let speech = quantile(loud, 0.9);
        let (pitch, least) = (Pitch::of(&band.pcm), below(speech, WORD_BELOW_DB));
        let places = |(block, power): (usize, &f64)| {
            if *power >= least { pitch.places_in(block) } else { 0 }
        };
        let pitch = band.powers.iter().enumerate().map(places).collect();
        Self { plain: Track::of(Cow::Borrowed(pcm)), band, speech, pitch }
    }

    /// The recording as it is; where hum hides the ends of words, without what lies below a voice.
    fn search(&self) -> Search<'_> {
        let pauses = self.pauses();
        let Some(((plain, swell), (band, _))) =
            self.plain.noise(&pauses).zip(self.band.noise(&pauses))
        else {
            let (noise, threshold) = self.plain.without_pauses();
            return Search { recording: self, heard: &self.plain, noise, threshold };
        };
        let is_hum = plain > NOISE_MIN && swell < STEADY && band < below(plain, HUM_DB);
        let (heard, noise) = if is_hum { (&self.band, band) } else { (&self.plain, plain) };
        Search { recording: self, heard, noise, threshold: Threshold::above(noise) }
    }

    /// Where the voice ends by other rules than that of a search.
    fn otherwise(&self, search: &Search<'_>) -> Vec<(Rule, u64)> {
        let end = |search: &Search<'_>| Some(search.voice(&search.sounds()).last()?.last);
        let raised = RAISED_DB.iter().filter_map(|db| {
            let threshold = Threshold::above_from(0.0, power_of(search.threshold.dbfs() + db));
            if threshold.reached_by(below(self.speech, RAISED_BELOW_DB)) {
                return Some((
                    Rule::From(threshold.dbfs()),
                    end(&Search { threshold, ..*search })?,
                ));
            }
            None
        });
        let in_band = self.band.noise(&self.pauses()).and_then(|(noise, _)| {
            let threshold = Threshold::above(noise);
            let search = Search { recording: self, heard: &self.band, noise, threshold };
            Some((Rule::WithoutRumble, end(&search)?))
        });
        raised.chain(in_band).collect()
    }

    /// The blocks of the pauses.
    fn pauses(&self) -> Vec<usize> {
        let limit = below(self.speech, PAUSE_BELOW_DB);
        let mut pauses = Vec::new();
        let mut from = 0;
        for to in 0..=self.band.powers.len() {
            if self.band.powers.get(to).is_some_and(|power| *power < limit) {
                continue;
            }
            if to - from >= PAUSE_BLOCKS {
                pauses.extend(from + DYING_BLOCKS..to - 1);
            }
            from = to + 1;
        }
        pauses
    }

    fn is_word(&self, sound: &Burst) -> bool {
        self.pitch[blocks(sound, self.pitch.len())].iter().sum::<usize>() >= WORD_PLACES
    }
}

impl Search<'_> {
    fn sounds(&self) -> Vec<Burst> {
        self.heard.sounds(self.threshold)
    }

    /// The sounds that are words, with their consonants; all that stand out when none is a word, as in a cough.
    fn voice(&self, sounds: &[Burst]) -> Vec<Burst> {
        let mut is_voice: Vec<bool> =
            sounds.iter().map(|sound| self.recording.is_word(sound)).collect();
        if !is_voice.contains(&true) {
            let usual = quantile(self.heard.powers.clone(), 0.5);
            let stands_out = |sound: &&Burst| {
                let power = self.heard.loudness(sound);
                power >= power_of(FAINT_DBFS) || below(power, STANDS_OUT_DB) >= usual
            };
            return sounds.iter().filter(stands_out).copied().collect();
        }
        let words: Vec<usize> = (0..sounds.len()).filter(|i| is_voice[*i]).collect();
        for word in words {
            let Burst { first, last } = sounds[word];
            let behind = &sounds[word + 1..];
            let behind =
                behind.iter().map(|s| (s.first - last, s.last - last, self.heard.loudness(s)));
            let to = word + self.consonants(behind);
            let before = sounds[..word].iter().rev();
            let before = before.map(|s| (first - s.last, first - s.first, self.heard.loudness(s)));
            let from = word - self.consonants(before);
            is_voice[from..=to].fill(true);
        }
        sounds.iter().zip(is_voice).filter(|(_, is_voice)| *is_voice).map(|(s, _)| *s).collect()
    }

    /// How many of the sounds beside a word belong to it, told by where each begins and ends from there and
    /// by its power.
    fn consonants(&self, beside: impl Iterator<Item = (u64, u64, f64)>) -> usize {
        let mut end = 0;
        let belongs = |(from, to, power): &(u64, u64, f64)| {
            let length = to - from;
            let is_breath =
                length > RELEASE && *power < below(self.recording.speech, HISS_BELOW_DB);
            let belongs = from.saturating_sub(end) <= CLOSURE && *to <= CONSONANTS && !is_breath;
            if belongs && length >= SHORT {
                end = *to;
            }
            belongs
        };
        beside.take_while(belongs).count()
    }
}

/// The blocks a sound touches, of so many.
fn blocks(sound: &Burst, count: usize) -> std::ops::Range<usize> {
    let block = |at: u64| usize::try_from(at).map_or(count, |at| at / BLOCK);
    block(sound.first)..(block(sound.last) + 1).min(count)
}

/// The value below which this share of the values lies, 0 of none.
fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a small length"
    )]
    let index = (values.len() as f64 * share) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(0.0)
}
