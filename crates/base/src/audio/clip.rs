//! A clip: what a caller says in one turn, with its ends marked to the sample.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::burst::Burst;
use super::channel;
use super::decode::{self, Source};
use super::error::ClipError;
use super::level::{FULL_POWER, dbfs};
use super::take::Take;
use super::{RATE, duration_of, resample};

mod band;
mod voice;
mod facts;

pub use facts::{ClipFacts, End, LeftOut};
pub use voice::Rule;
use voice::Voice;

/// What stays of the file behind the last audible sample, fading out: enough that the voice does not
/// end with a click, too little to count as a pause.
const TAIL: u16 = 960;

/// A mean above this (−60 dBFS) is an offset of the sound card and is taken out, because a level cannot
/// tell it from a sound; below it the samples of the file are left as they are.
const OFFSET_MIN: f64 = 0.001;

/// Sounds behind the voice that are listed.
const LEFT_OUT_MAX: usize = 20;

/// A voice at 48 kHz, cut to its first audible sample in front and to 20 ms behind its last one.
/// Cloning it copies no samples.
#[derive(Clone, Debug)]
pub struct Clip {
    pcm: Arc<[i16]>,
    last_voiced: usize,
    facts: Arc<ClipFacts>,
}

impl Clip {
    /// Reads a file of audio: WAV, AIFF, FLAC, MP3, AAC, Ogg, MP4 or `WebM`; 8 to 96 kHz, one or two
    /// channels, at most [`MAX_CLIP`](super::MAX_CLIP).
    ///
    /// # Errors
    /// Whatever is wrong with the file, with the remedy in the text.
    pub fn read(bytes: &[u8], take: Take) -> Result<Self, ClipError> {
        let mut source = decode::read(bytes)?;
        let channels = std::mem::take(&mut source.channels);
        let count = channels.len();
        let (mut mono, oddity) = channel::choose(channels, take.channel)?;
        source.oddities.extend(oddity);
        remove_offset(&mut mono);
        let file = Duration::from_micros(mono.len() as u64 * 1_000_000 / u64::from(source.rate));
        let mut pcm: Vec<i16> =
            resample::to_48k(&mono, source.rate).into_iter().map(quantise).collect();
        let length = pcm.len();
        if let Some(end) = take.end {
            if end > file {
                return Err(ClipError::EndBeyond { end, file });
            }
            pcm.truncate(samples_of(end));
        }
        let voice = Voice::find(&pcm);
        let peak_dbfs = dbfs(f64::from(source.peak).powi(2) * FULL_POWER);
        let Some(mut span) = voice.span else {
            let threshold_dbfs = voice.threshold.dbfs();
            return Err(ClipError::Silent { peak_dbfs, threshold_dbfs });
        };
        let voice_end = span.last;
        if let Some(end) = take.end {
            span.last = (pcm.len() as u64).saturating_sub(1);
            let begin = duration_of(span.first);
            if span.first >= span.last {
                return Err(ClipError::EndTooEarly { end, begin });
            }
        }
        let trimmed = trim(&pcm, span.first, span.last);
        let all =
            Found { bytes, source, count, take, voice, span, voice_end, peak_dbfs, file, length };
        Ok(Self {
            last_voiced: trimmed.len() - 1 - usize::from(TAIL),
            pcm: trimmed.into(),
            facts: Arc::new(all.facts()),
        })
    }

    /// As [`Clip::read`], of a file as our own tools write it, of which nothing is to be chosen.
    ///
    /// # Errors
    /// As there.
    pub fn from_wav(bytes: &[u8]) -> Result<Self, ClipError> {
        Self::read(bytes, Take::default())
    }

    /// The samples to speak, 48 kHz mono.
    pub fn pcm(&self) -> &[i16] {
        &self.pcm
    }

    /// Index of the first audible sample: 0, as what lies before it is cut off.
    pub fn first_voiced(&self) -> usize {
        0
    }

    /// Index of the last audible sample. The moment it is sent is the end of the caller's speech, from
    /// which heard latency counts.
    pub fn last_voiced(&self) -> usize {
        self.last_voiced
    }

    /// What the file held, for people to look at.
    pub fn facts(&self) -> &ClipFacts {
        &self.facts
    }
}

/// The first and the last audible sample of a recording at 48 kHz, as an ear finds them, whether they are
/// those of a voice or not; `None` when nothing in it is audible.
pub fn audible_span(pcm: &[i16]) -> Option<(usize, usize)> {
    voice::audible(pcm).map(|span| (index(span.first), index(span.last)))
}

/// From the first to the last audible sample and [`TAIL`] fading out, silence where the file ends
/// earlier.
fn trim(pcm: &[i16], first: u64, last: u64) -> Vec<i16> {
    let (first, end) = (index(first), index(last) + 1);
    let mut trimmed = pcm[first..end].to_vec();
    let rest = pcm[end..].iter().copied().chain(std::iter::repeat(0));
    trimmed.extend((0..TAIL).rev().zip(rest).map(|(left, sample)| {
        let faded = i32::from(sample) * i32::from(left) / i32::from(TAIL);
        i16::try_from(faded).unwrap_or(sample)
    }));
    trimmed
}

fn index(position: u64) -> usize {
    usize::try_from(position).expect("a position in a slice is one of memory")
}

/// Samples at 48 kHz in a duration.
fn samples_of(duration: Duration) -> usize {
    usize::try_from(duration.as_nanos() * u128::from(RATE) / 1_000_000_000).unwrap_or(usize::MAX)
}

/// All that the facts are made of.
struct Found<'a> {
    bytes: &'a [u8],
    source: Source,
    count: usize,
    take: Take,
    voice: Voice,
    span: Burst,
    /// Where the voice was found to end.
    voice_end: u64,
    peak_dbfs: f64,
    file: Duration,
    /// Samples at 48 kHz.
    length: usize,
}

impl Found<'_> {
    fn facts(self) -> ClipFacts {
        let Self { bytes, source, count, take, voice, span, voice_end, peak_dbfs, file, length } =
            self;
        let left_out = voice.behind.iter().filter(|(sound, _)| sound.first > span.last);
        let left_out = left_out.take(LEFT_OUT_MAX).map(|(sound, dbfs)| LeftOut {
            at: duration_of(sound.first),
            length: duration_of(sound.last + 1 - sound.first),
            dbfs: *dbfs,
        });
        let pause = voice.pause.unwrap_or(Burst { first: 0, last: 0 });
        let otherwise =
            voice.otherwise.iter().map(|(rule, last)| (*rule, duration_of(last + 1))).collect();
        ClipFacts {
            sha256: format!("{:x}", Sha256::digest(bytes)),
            rate: source.rate,
            channels: count,
            channel: take.channel,
            bits: source.bits,
            encoding: source.encoding,
            oddities: source.oddities,
            file,
            speech: duration_of(span.last + 1 - span.first),
            leading_silence: duration_of(span.first),
            trailing_silence: duration_of((length as u64).saturating_sub(span.last + 1)),
            end: End {
                at: duration_of(span.last + 1),
                is_given: take.end.is_some(),
                found: duration_of(voice_end + 1),
                otherwise,
            },
            longest_pause: duration_of(pause.last - pause.first),
            pause_at: duration_of(pause.first),
            left_out: left_out.collect(),
            peak_dbfs,
            level_dbfs: voice.level_dbfs,
            noise_dbfs: voice.noise_dbfs,
            threshold_dbfs: voice.threshold.dbfs(),
            clipped: source.clipped,
        }
    }
}

fn remove_offset(samples: &mut [f32]) {
    let (sum, count) =
        samples.iter().fold((0.0, 0.0), |(sum, n), s| (sum + f64::from(*s), n + 1.0));
    let mean = sum / count;
    if mean.abs() > OFFSET_MIN {
        #[expect(clippy::cast_possible_truncation, reason = "a mean of samples in -1..1")]
        let mean = mean as f32;
        for sample in samples {
            *sample -= mean;
        }
    }
}

fn quantise(sample: f32) -> i16 {
    // `as` saturates, which is what a filter that overshoots full scale needs.
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    let sample = (sample * 32_768.0).round() as i16;
    sample
}

#[cfg(test)]
mod tests;
