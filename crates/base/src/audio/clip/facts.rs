//! What the file of a clip held and what became of it.

use std::fmt;
use std::time::Duration;

use super::voice::Rule;
use crate::audio::decode::Encoding;
use crate::audio::error::Oddity;
use crate::audio::take::Channel;

/// What the file of a clip held and what became of it. Moments count from the beginning of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipFacts {
    /// SHA-256 of the file in hexadecimal, as `sha256sum` prints it.
    pub sha256: String,
    /// Sample rate of the file in Hz.
    pub rate: u32,
    /// Channels in the file; one of them is said, or both mixed where that was asked for.
    pub channels: usize,
    /// Which of two channels is said, where it was chosen.
    pub channel: Option<Channel>,
    /// Bits of a sample in the file.
    pub bits: u16,
    /// How the samples are written.
    pub encoding: Encoding,
    /// What is odd about the file.
    pub oddities: Vec<Oddity>,
    /// Length of the file.
    pub file: Duration,
    /// From the first to the last audible sample.
    pub speech: Duration,
    /// What was cut off in front of the voice.
    pub leading_silence: Duration,
    /// What lay in the file behind the last audible sample; 20 ms are sent of it.
    pub trailing_silence: Duration,
    /// Where the voice ends: behind its last audible sample, or where the scenario says so.
    pub end: End,
    /// The longest silence inside. One that is longer than the agent's endpointing delay is taken for
    /// the end of the turn.
    pub longest_pause: Duration,
    /// Where it begins.
    pub pause_at: Duration,
    /// What is audible behind the end and is not said: a breath, a click, another sound.
    pub left_out: Vec<LeftOut>,
    /// The loudest sample of the file, dB relative to full scale.
    pub peak_dbfs: f64,
    /// RMS level of what is audible. Speech in a call has −30 to −15.
    pub level_dbfs: f64,
    /// RMS level of the pauses; of the quietest 30 ms where there are none.
    pub noise_dbfs: f64,
    /// What counts as audible in this clip: −50, or 10 above its noise. Where that is less than 5 above
    /// the noise, the recording is too noisy for its ends to be certain.
    pub threshold_dbfs: f64,
    /// Samples at full scale, over all channels. More than a handful: the recording is overdriven.
    pub clipped: u64,
}

/// Where the voice of a clip ends.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// Behind the last sample that is said, but for the 20 ms that fade out.
    pub at: Duration,
    /// Whether the scenario says so.
    pub is_given: bool,
    /// Where it was found to end, up to the given end where there is one.
    pub found: Duration,
    /// Where it would end by other rules.
    pub otherwise: Vec<(Rule, Duration)>,
}

/// A sound of the file that is not said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeftOut {
    /// Where it begins.
    pub at: Duration,
    /// How long it lasts.
    pub length: Duration,
    /// Its loudest 10 ms.
    pub dbfs: f64,
}

impl ClipFacts {
    /// How the file is written, such as `22050 Hz mono 16-bit`.
    pub fn source(&self) -> String {
        let channels = if self.channels == 1 { "mono" } else { "stereo" };
        let Self { rate, bits, .. } = self;
        let samples = match self.encoding {
            Encoding::Int => format!("{bits}-bit"),
            Encoding::Float => format!("{bits}-bit float"),
            Encoding::Coded(name) => name.to_owned(),
        };
        format!("{rate} Hz {channels} {samples}")
    }
}

impl fmt::Display for ClipFacts {
    /// One line, such as `1.24 s of speech; 0 ms before and 312 ms after cut; …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.2} s of speech in {:.2} s ({} ms silent before, {} ms after, longest pause {} ms); \
             {}; level {:.0} dBFS, peak {:.0}, noise {:.0}, audible from {:.0}",
            self.speech.as_secs_f64(),
            self.file.as_secs_f64(),
            self.leading_silence.as_millis(),
            self.trailing_silence.as_millis(),
            self.longest_pause.as_millis(),
            self.source(),
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
