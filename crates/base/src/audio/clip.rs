//! A clip: what a caller says in one turn, with its ends marked to the sample.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hound::SampleFormat;
use sha2::{Digest as _, Sha256};

use super::burst::{Burst, Bursts};
use super::level::{BLOCK, Noise, SILENCE_DBFS, Threshold, dbfs, power};
use super::wav::{self, ClipError, Source};
use super::{duration_of, resample};

/// What stays of the file behind the last audible sample, fading out: enough that the voice does not
/// end with a click, too little to count as a pause.
const TAIL: u16 = 960;

/// A mean above this (−60 dBFS) is an offset of the sound card and is taken out, because a level cannot
/// tell it from a sound; below it the samples of the file are left as they are.
const OFFSET_MIN: f64 = 0.001;

/// A voice at 48 kHz, cut to its first audible sample in front and to 20 ms behind its last one.
/// Cloning it copies no samples.
#[derive(Clone, Debug)]
pub struct Clip {
    pcm: Arc<[i16]>,
    last_voiced: usize,
    facts: Arc<ClipFacts>,
}

/// What the file of a clip held and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipFacts {
    /// SHA-256 of the file in hexadecimal, as `sha256sum` prints it.
    pub sha256: String,
    /// Sample rate of the file in Hz.
    pub rate: u32,
    /// Channels in the file; two are mixed to one.
    pub channels: u16,
    /// Bits of a sample in the file.
    pub bits: u16,
    /// Whether the samples are floating point numbers.
    pub encoding: Encoding,
    /// Length of the file.
    pub file: Duration,
    /// From the first to the last audible sample.
    pub speech: Duration,
    /// What was cut off in front of the voice.
    pub leading_silence: Duration,
    /// What lay in the file behind the last audible sample; 20 ms are sent of it.
    pub trailing_silence: Duration,
    /// The longest silence inside. One that is longer than the agent's endpointing delay is taken for
    /// the end of the turn.
    pub longest_pause: Duration,
    /// The loudest sample of the file, dB relative to full scale.
    pub peak_dbfs: f64,
    /// RMS level of what is audible. Speech in a call has −30 to −15.
    pub level_dbfs: f64,
    /// RMS level of the quietest 30 ms: the noise, when the file has a pause.
    pub noise_dbfs: f64,
    /// What counts as audible in this clip: −50, or 10 above its noise. Where that is less than 5 above
    /// the noise, the recording is too noisy for its ends to be certain.
    pub threshold_dbfs: f64,
    /// Samples at full scale, over all channels. More than a handful: the recording is overdriven.
    pub clipped: u64,
}

/// How a file writes its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Whole numbers.
    Int,
    /// Floating point.
    Float,
}

impl Clip {
    /// Reads a WAV file: 8 to 96 kHz, one or two channels, 8 to 32 bit or float, at most
    /// [`MAX_CLIP`](super::MAX_CLIP).
    ///
    /// # Errors
    /// Whatever is wrong with the file, with the remedy in the text.
    pub fn from_wav(bytes: &[u8]) -> Result<Self, ClipError> {
        let mut source = wav::read(bytes)?;
        remove_offset(&mut source.mono);
        let pcm: Vec<i16> = resample::to_48k(&source.mono, source.spec.sample_rate)
            .into_iter()
            .map(quantise)
            .collect();
        let voice = Voice::find(&pcm);
        let peak_dbfs = dbfs(f64::from(source.peak).powi(2) * 32_768.0 * 32_768.0);
        let Some(Burst { first, last }) = voice.span else {
            return Err(ClipError::Silent { peak_dbfs, threshold_dbfs: voice.threshold.dbfs() });
        };
        let trimmed = trim(&pcm, first, last);
        let facts = facts(bytes, &source, &voice, Burst { first, last }, peak_dbfs, pcm.len());
        Ok(Self {
            last_voiced: trimmed.len() - 1 - usize::from(TAIL),
            pcm: trimmed.into(),
            facts: Arc::new(facts),
        })
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

/// The first and the last audible sample of a recording at 48 kHz, as they are found in a clip; `None`
/// when nothing in it is audible.
pub fn audible_span(pcm: &[i16]) -> Option<(usize, usize)> {
    Voice::find(pcm).span.map(|span| (index(span.first), index(span.last)))
}

impl fmt::Display for ClipFacts {
    /// One line, such as `1.24 s of speech; 0 ms before and 312 ms after cut; …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channels = if self.channels == 1 { "mono" } else { "stereo" };
        let encoding = match self.encoding {
            Encoding::Int => "bit",
            Encoding::Float => "bit float",
        };
        write!(
            f,
            "{:.2} s of speech in {:.2} s ({} ms silent before, {} ms after, longest pause {} ms); \
             {} Hz {channels} {}-{encoding}; level {:.0} dBFS, peak {:.0}, noise {:.0}, audible from {:.0}",
            self.speech.as_secs_f64(),
            self.file.as_secs_f64(),
            self.leading_silence.as_millis(),
            self.trailing_silence.as_millis(),
            self.longest_pause.as_millis(),
            self.rate,
            self.bits,
            self.level_dbfs,
            self.peak_dbfs,
            self.noise_dbfs,
            self.threshold_dbfs,
        )?;
        if self.clipped > 0 {
            write!(f, "; {} samples at full scale", self.clipped)?;
        }
        Ok(())
    }
}

/// Where the voice is in a recording.
struct Voice {
    threshold: Threshold,
    noise_dbfs: f64,
    span: Option<Burst>,
    longest_pause: u64,
    /// RMS level of the active blocks.
    level_dbfs: f64,
}

impl Voice {
    fn find(pcm: &[i16]) -> Self {
        // A recording is known as a whole, so its noise is the quietest place of all of it.
        let mut noise = Noise::new();
        let quietest = pcm.chunks_exact(BLOCK).fold(f64::INFINITY, |quietest, block| {
            noise.learn(power(block));
            quietest.min(noise.power())
        });
        let threshold = Threshold::of_recording(quietest, noise.loudest());
        let noise_dbfs = dbfs(quietest.min(noise.loudest()));
        let mut voice =
            Self { threshold, noise_dbfs, span: None, longest_pause: 0, level_dbfs: SILENCE_DBFS };
        let mut bursts = Bursts::new();
        let (mut sum, mut active) = (0.0, 0.0);
        for (i, block) in pcm.chunks(BLOCK).enumerate() {
            let level = power(block);
            if threshold.reached_by(level) {
                sum += level;
                active += 1.0;
            }
            let found = bursts.block((i * BLOCK) as u64, block, |_| (threshold, threshold));
            if let Some(burst) = found {
                voice.extend(burst);
            }
        }
        if active > 0.0 {
            voice.level_dbfs = dbfs(sum / active);
        }
        voice
    }

    fn extend(&mut self, burst: Burst) {
        let span = self.span.get_or_insert(burst);
        self.longest_pause = self.longest_pause.max(burst.first.saturating_sub(span.last));
        span.last = span.last.max(burst.last);
    }
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

fn facts(
    bytes: &[u8],
    source: &Source,
    voice: &Voice,
    span: Burst,
    peak_dbfs: f64,
    samples: usize,
) -> ClipFacts {
    let spec = source.spec;
    ClipFacts {
        sha256: format!("{:x}", Sha256::digest(bytes)),
        rate: spec.sample_rate,
        channels: spec.channels,
        bits: spec.bits_per_sample,
        encoding: match spec.sample_format {
            SampleFormat::Int => Encoding::Int,
            SampleFormat::Float => Encoding::Float,
        },
        file: Duration::from_micros(
            source.mono.len() as u64 * 1_000_000 / u64::from(spec.sample_rate),
        ),
        speech: duration_of(span.last + 1 - span.first),
        leading_silence: duration_of(span.first),
        trailing_silence: duration_of((samples as u64).saturating_sub(span.last + 1)),
        longest_pause: duration_of(voice.longest_pause),
        peak_dbfs,
        level_dbfs: voice.level_dbfs,
        noise_dbfs: voice.noise_dbfs,
        threshold_dbfs: voice.threshold.dbfs(),
        clipped: source.clipped,
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
