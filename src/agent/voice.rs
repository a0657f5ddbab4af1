//! The sounds the agent speaks with: synthesised from their description alone, encoded once, and
//! shared by all calls. Where a sound is audible is found in the samples before encoding, by the one
//! definition of `audio`.

use crate::audio::opus::{self, CodecError, EncodedClip, LOOKAHEAD};
use crate::audio::{FRAME, RATE, audible_span, duration_of};
use crate::random::SplitMix64;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Different sounds that are kept; one more is made whenever it is said.
const KEPT: usize = 64;
/// RMS level of everything the agent says, in dBFS, while it is loudest.
const LEVEL_DBFS: f64 = -20.0;
/// How long a ramp takes to come and to go, and a chord to come.
const RAMP: f64 = 0.120;
const ATTACK: f64 = 0.060;
/// After this long a chord has decayed to a third.
const DECAY: f64 = 0.8;

/// What a reply sounds like.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Sound {
    /// Syllables of a low voice, four a second, without a pause long enough to end a turn.
    #[default]
    Speech,
    /// A tone of 1 kHz that is there at once and gone at once.
    Tone,
    /// A tone that takes 120 ms to come and to go.
    Ramp,
    /// White noise that is there at once.
    Noise,
    /// A chord with a slow attack and a long decay.
    Music,
}

impl Sound {
    pub const ALL: [Self; 5] = [Self::Speech, Self::Tone, Self::Ramp, Self::Noise, Self::Music];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Speech => "speech",
            Self::Tone => "tone",
            Self::Ramp => "ramp",
            Self::Noise => "noise",
            Self::Music => "music",
        }
    }
}

/// A sound of one length, ready to be sent.
#[derive(Debug)]
pub struct Voice {
    pcm: Vec<i16>,
    clip: EncodedClip,
}

/// The voices that were made so far.
#[derive(Debug, Default)]
pub struct Voices {
    places: Mutex<BTreeMap<(Sound, u32), Arc<Place>>>,
}

/// Where a voice is kept once it is made. Whoever wants it meanwhile waits: calls that begin together say the same, and
/// if each of them encoded it, the machine would do nothing else for seconds.
type Place = Mutex<Option<Arc<Voice>>>;

impl Voices {
    /// The sound with this length; encoding it for the first time takes some 2 % of that.
    ///
    /// # Errors
    /// As [`opus::encode`].
    pub fn get(&self, sound: Sound, ms: u32) -> Result<Arc<Voice>, CodecError> {
        let Some(place) = self.place(sound, ms) else {
            return Ok(Arc::new(Voice::make(sound, ms)?));
        };
        let mut kept = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(voice) = &*kept {
            return Ok(Arc::clone(voice));
        }
        let voice = Arc::new(Voice::make(sound, ms)?);
        *kept = Some(Arc::clone(&voice));
        Ok(voice)
    }

    /// `None` for one sound too many.
    fn place(&self, sound: Sound, ms: u32) -> Option<Arc<Place>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= KEPT && !places.contains_key(&(sound, ms)) {
            return None;
        }
        Some(Arc::clone(places.entry((sound, ms)).or_default()))
    }
}

impl Voice {
    fn make(sound: Sound, ms: u32) -> Result<Self, CodecError> {
        let pcm = synthesise(sound, ms);
        let (first, last) = audible_span(&pcm).unwrap_or((0, 0));
        let clip = opus::encode_pcm(&pcm, first, last)?;
        Ok(Self { pcm, clip })
    }

    pub fn clip(&self) -> &EncodedClip {
        &self.clip
    }

    /// Where the last audible sample is heard, from the beginning of the first packet, when only the
    /// first `frames` packets are sent; `None` when nothing audible is in them.
    pub fn last_audible_of(&self, frames: usize) -> Option<Duration> {
        let end = (frames * FRAME).saturating_sub(LOOKAHEAD).min(self.pcm.len());
        let (_, last) = audible_span(self.pcm.get(..end)?)?;
        Some(duration_of((last + LOOKAHEAD) as u64))
    }
}

/// The samples of a sound, 48 kHz mono; the same on every machine up to the last bit of a sine.
fn synthesise(sound: Sound, ms: u32) -> Vec<i16> {
    let samples = ms as usize * RATE as usize / 1_000;
    let seconds = |i: usize| f64::from(u32::try_from(i).unwrap_or(u32::MAX)) / f64::from(RATE);
    let length = seconds(samples);
    let mut random = SplitMix64::new(samples as u64);
    let raw: Vec<f64> = (0..samples)
        .map(|i| {
            let (t, left) = (seconds(i), length - seconds(i));
            match sound {
                Sound::Speech => speech(t),
                // A crest at both ends makes the edges exact to the sample.
                Sound::Tone => (TAU * 1_000.0 * (t + 0.5 / f64::from(RATE))).cos() * 2f64.sqrt(),
                Sound::Ramp => {
                    let gain = (t / RAMP).min(left / RAMP).clamp(0.0, 1.0);
                    gain * (TAU * 440.0 * t).sin() * 2f64.sqrt()
                }
                // Even in ±√3 has a deviation of one.
                Sound::Noise => (random.unit() * 2.0 - 1.0) * 3f64.sqrt(),
                Sound::Music => music(t),
            }
        })
        .collect();
    let gain = 32_768.0 * 10f64.powf(LEVEL_DBFS / 20.0);
    raw.into_iter().map(|x| to_i16(x * gain)).collect()
}

/// A voice of 110 Hz with two formants, swelling and fading four times a second but never silent.
fn speech(t: f64) -> f64 {
    let pitch = 110.0;
    let open = 0.5 - 0.5 * (TAU * 0.7 * t).cos();
    let formants = [500.0 + 250.0 * open, 1_500.0 - 300.0 * open];
    let tone: f64 = (1..=24)
        .map(|n| {
            let hz = pitch * f64::from(n);
            let weight: f64 =
                formants.iter().map(|f| (-((hz - f) / 180.0).powi(2)).exp() + 0.03).sum();
            weight * (TAU * hz * t + f64::from(n * n)).sin()
        })
        .sum();
    let syllable = 0.25 + 0.75 * (0.5 - 0.5 * (TAU * 4.0 * t).cos());
    // A mouth opens within some 15 ms.
    let attack = (t / 0.015).min(1.0);
    0.7 * tone * syllable * attack
}

/// A major chord that comes softly and dies away.
fn music(t: f64) -> f64 {
    let tone: f64 = [261.63, 329.63, 392.0].iter().map(|hz| (TAU * hz * t).sin()).sum();
    (t / ATTACK).min(1.0) * (-t / DECAY).exp() * tone * 0.8
}

fn to_i16(x: f64) -> i16 {
    #[expect(clippy::cast_possible_truncation, reason = "clamped to the range of 16 bit")]
    let sample = x.round().clamp(-32_768.0, 32_767.0) as i16;
    sample
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::ear::{Ear, Event, Heard};

    #[test]
    fn every_sound_is_audible_as_one_voice_and_begins_where_it_should() {
        for sound in Sound::ALL {
            let pcm = synthesise(sound, 900);
            let (first, last) = audible_span(&pcm).expect("audible");
            let ms = first / 48;
            let expected = match sound {
                Sound::Tone | Sound::Noise => 0..=1,
                Sound::Speech => 0..=4,
                // −50 dBFS is 30 dB below the level: a 32nd of the ramp.
                Sound::Ramp => 2..=6,
                Sound::Music => 1..=10,
            };
            assert!(expected.contains(&ms), "{sound:?} begins after {ms} ms");
            assert!(last / 48 >= 880, "{sound:?} ends after {} ms", last / 48);
            assert_eq!(pcm, synthesise(sound, 900));
        }
    }

    #[test]
    fn a_voice_that_is_cut_ends_with_its_last_packet() {
        let voices = Voices::default();
        let voice = voices.get(Sound::Tone, 400).expect("encodes");
        let cut = voice.last_audible_of(10).expect("audible");
        assert_eq!(cut, duration_of(10 * 960 - 1));
        let whole = voice.last_audible_of(voice.clip().frames().len()).expect("audible");
        assert_eq!(whole, voice.clip().last_voiced_at());
        assert_eq!(voice.last_audible_of(0), None);
        let again = voices.get(Sound::Tone, 400).expect("known");
        assert!(Arc::ptr_eq(&voice, &again), "it is encoded once");
    }

    #[test]
    fn calls_that_begin_together_encode_a_voice_once() {
        let voices = Voices::default();
        let made: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> =
                (0..8).map(|_| scope.spawn(|| voices.get(Sound::Noise, 2_000))).collect();
            all.into_iter().map(|one| one.join().expect("no panic").expect("encodes")).collect()
        });
        assert!(made.iter().all(|voice| Arc::ptr_eq(voice, &made[0])));
    }

    /// What an ear makes of it when it came through the codec, the first `frames` packets of it: how far its first
    /// and its last audible sample are from where they were, in ms.
    fn off_by(voice: &Voice, frames: usize) -> (f64, f64) {
        let mut decoder = opus::Decoder::new().expect("a decoder");
        let mut ear = Ear::new();
        let silence = opus::silence().expect("encodes");
        let silence = std::iter::repeat_n(&silence, 30);
        let before = Duration::from_millis(30 * 20);
        let (mut began, mut ended) = (None, None);
        let sent = voice.clip().frames().iter().take(frames);
        for (n, frame) in (0_u32..).zip(silence.clone().chain(sent).chain(silence)) {
            let pcm = decoder.decode(&frame.payload).expect("decodes");
            let at = Duration::from_millis(u64::from(n) * 20);
            for event in ear.hear(Heard { at, rtp_time: n * 960, pcm }) {
                match event {
                    Event::VoiceStarted { at, .. } => began = began.or(Some(at)),
                    Event::VoiceEnded { at } => ended = Some(at),
                    Event::VoiceRetracted { .. } | Event::NeverSilent { .. } => {
                        panic!("{event:?}")
                    }
                }
            }
        }
        let off = |heard: Option<Duration>, really: Duration| {
            (heard.expect("heard").as_secs_f64() - (before + really).as_secs_f64()) * 1_000.0
        };
        let last = voice.last_audible_of(frames).expect("audible");
        (off(began, voice.clip().first_voiced_at()), off(ended, last))
    }

    #[test]
    fn the_codec_moves_an_edge_by_less_than_a_packet() {
        for sound in Sound::ALL {
            let (mut begins, mut ends) = (Vec::new(), Vec::new());
            for ms in 600..630 {
                let voice = Voice::make(sound, ms).expect("encodes");
                for frames in [usize::MAX, ms as usize % 25 + 4] {
                    let (begin, end) = off_by(&voice, frames.min(voice.clip().frames().len()));
                    begins.push(begin);
                    ends.push(end);
                }
            }
            for (edge, errors, most) in [("begins", begins, 8.0), ("ends", ends, 5.0)] {
                let mean = errors.iter().sum::<f64>() / 60.0;
                assert!(mean.abs() < most, "{sound:?} {edge} {mean:+.1} ms off");
                let widest = errors.iter().map(|ms| ms.abs()).fold(0.0, f64::max);
                assert!(widest < 20.0, "{sound:?} {edge} up to {widest:.1} ms off");
            }
        }
    }
}
