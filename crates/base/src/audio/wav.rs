//! Reads the bytes of a WAV file into one channel of samples in −1..1, and says what is wrong with a
//! file that is none.

use std::io::{Cursor, ErrorKind};
use std::ops::RangeInclusive;
use std::time::Duration;

use hound::{SampleFormat, WavReader, WavSpec};

/// The longest clip. Nobody speaks for longer in one turn, and a minute of clip is 6 MB in memory.
pub const MAX_CLIP: Duration = Duration::from_secs(120);

/// Sample rates from the telephone's to the studio's.
const RATES: RangeInclusive<u32> = 8_000..=96_000;

/// Programs that write into a pipe do not know the length and put the largest number there; from
/// here on a length means "until the end".
const STREAMED_BYTES: u64 = 0x7fff_0000;

/// Why a clip cannot be used, and what to do about it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClipError {
    /// The bytes do not begin like a WAV file.
    #[error(
        "not a WAV file: convert it, for example with `ffmpeg -i FILE -ac 1 -ar 48000 -c:a pcm_s16le clip.wav`"
    )]
    NotWav,
    /// It is a WAV file with something impossible inside.
    #[error("damaged WAV file ({0}): export it again as 16-bit PCM")]
    Damaged(String),
    /// A kind of WAV that is not read.
    #[error(
        "unsupported kind of WAV ({0}): export it as PCM of 8, 16, 24 or 32 bit, or 32-bit float"
    )]
    Unsupported(String),
    /// Less audio than the file says it has.
    #[error(
        "cut off: {present:?} of the {declared:?} of audio it declares are there: copy or export it again"
    )]
    CutOff {
        /// Length in the header.
        declared: Duration,
        /// Length of what follows.
        present: Duration,
    },
    /// More than two channels.
    #[error("{0} channels: mix it down to one, a caller has one microphone")]
    Channels(u16),
    /// A sample rate outside of 8 to 96 kHz.
    #[error("sample rate of {0} Hz: convert it to one between 8000 and 96000 Hz")]
    Rate(u32),
    /// A header and no samples.
    #[error("no audio in it: record it again")]
    Empty,
    /// Longer than [`MAX_CLIP`].
    #[error("{0:?} long: the limit is {MAX_CLIP:?}; cut it into several turns")]
    TooLong(Duration),
    /// A float sample that is infinite or not a number.
    #[error("sample {0} is not a number: export it again as 16-bit PCM")]
    NotANumber(usize),
    /// Nothing in it is audible for as long as a voice is.
    #[error(
        "no voice in it: nothing reaches {threshold_dbfs:.0} dBFS for 30 ms (its peak is {peak_dbfs:.0} dBFS): \
         record it louder, or use `silence:` for a pause"
    )]
    Silent {
        /// The loudest sample, dB relative to full scale.
        peak_dbfs: f64,
        /// What counts as audible in this clip.
        threshold_dbfs: f64,
    },
}

/// What a WAV file holds.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) spec: WavSpec,
    /// The mean of the channels, −1..1.
    pub(super) mono: Vec<f32>,
    /// The largest magnitude in any channel, 1 is full scale.
    pub(super) peak: f32,
    /// Samples at full scale, over all channels.
    pub(super) clipped: u64,
}

/// Reads a whole file.
pub(super) fn read(bytes: &[u8]) -> Result<Source, ClipError> {
    if !(bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE")) {
        return Err(ClipError::NotWav);
    }
    let mut reader = WavReader::new(Cursor::new(bytes)).map_err(refusal)?;
    let spec = reader.spec();
    if !(1..=2).contains(&spec.channels) {
        return Err(ClipError::Channels(spec.channels));
    }
    if !RATES.contains(&spec.sample_rate) {
        return Err(ClipError::Rate(spec.sample_rate));
    }
    let mut reading =
        Reading { spec, declared: reader.len(), samples: Vec::new(), peak: 0.0, clipped: 0 };
    let declared = reading.duration(u64::from(reading.declared));
    if declared > MAX_CLIP && !reading.is_streamed() {
        return Err(ClipError::TooLong(declared));
    }
    match spec.sample_format {
        SampleFormat::Int => {
            // Two's complement: full scale is one step further on the negative side.
            let bits = u32::from(spec.bits_per_sample);
            if !matches!(bits, 8 | 16 | 24 | 32) {
                return Err(ClipError::Unsupported(format!("{bits}-bit samples")));
            }
            let full = 2f64.powi(spec.bits_per_sample.into()) / 2.0;
            reading.all(reader.samples::<i32>(), |s| f64::from(s) / full, 1.0 - 1.0 / full)?;
        }
        SampleFormat::Float => reading.all(reader.samples::<f32>(), f64::from, 1.0)?,
    }
    reading.finish()
}

/// A file while it is read.
struct Reading {
    spec: WavSpec,
    /// Samples over all channels by the header.
    declared: u32,
    samples: Vec<f32>,
    peak: f32,
    clipped: u64,
}

impl Reading {
    /// Takes all samples; `highest` is the largest positive value the format can express.
    fn all<S>(
        &mut self,
        samples: impl Iterator<Item = hound::Result<S>>,
        value: impl Fn(S) -> f64,
        highest: f64,
    ) -> Result<(), ClipError> {
        for sample in samples {
            let sample = match sample {
                Ok(sample) => value(sample),
                Err(hound::Error::IoError(e)) if is_end(&e) && self.is_streamed() => return Ok(()),
                Err(hound::Error::IoError(e)) if is_end(&e) => {
                    return Err(ClipError::CutOff {
                        declared: self.duration(self.declared.into()),
                        present: self.duration(self.samples.len() as u64),
                    });
                }
                Err(e) => return Err(refusal(e)),
            };
            if !sample.is_finite() {
                return Err(ClipError::NotANumber(self.samples.len()));
            }
            self.clipped += u64::from(sample >= highest || sample <= -1.0);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "24 bits are far below the noise of any microphone"
            )]
            let sample = sample.clamp(-1.0, 1.0) as f32;
            self.peak = self.peak.max(sample.abs());
            self.samples.push(sample);
            let so_far = self.duration(self.samples.len() as u64);
            if so_far > MAX_CLIP {
                return Err(ClipError::TooLong(so_far));
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Source, ClipError> {
        let mono: Vec<f32> = match self.spec.channels {
            1 => self.samples,
            _ => self.samples.chunks_exact(2).map(|pair| pair.iter().sum::<f32>() / 2.0).collect(),
        };
        if mono.is_empty() {
            return Err(ClipError::Empty);
        }
        Ok(Source { spec: self.spec, mono, peak: self.peak, clipped: self.clipped })
    }

    fn is_streamed(&self) -> bool {
        u64::from(self.declared) * u64::from(self.spec.bits_per_sample / 8) >= STREAMED_BYTES
    }

    /// How long that many samples over all channels last, to the microsecond.
    fn duration(&self, samples: u64) -> Duration {
        let per_second = u64::from(self.spec.sample_rate) * u64::from(self.spec.channels);
        Duration::from_micros(samples * 1_000_000 / per_second)
    }
}

fn is_end(error: &std::io::Error) -> bool {
    // hound gives "Other" where the slice ends between two reads of its own.
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::Other)
}

fn refusal(error: hound::Error) -> ClipError {
    match error {
        hound::Error::IoError(e) if is_end(&e) => {
            ClipError::Damaged("it ends within its header".into())
        }
        hound::Error::IoError(e) => ClipError::Damaged(e.to_string()),
        hound::Error::FormatError(reason) => ClipError::Damaged(reason.into()),
        hound::Error::UnfinishedSample => ClipError::Damaged("it ends within a sample".into()),
        hound::Error::TooWide | hound::Error::InvalidSampleFormat | hound::Error::Unsupported => {
            ClipError::Unsupported("compressed, or samples of an unusual width".into())
        }
    }
}
