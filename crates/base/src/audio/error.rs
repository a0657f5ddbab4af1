//! Why the file of a clip cannot be used, and what is odd about one that can.

use std::fmt;
use std::time::Duration;

use super::take::Side;

/// The longest clip. Nobody speaks for longer in one turn, and a minute of clip is 6 MB in memory.
pub const MAX_CLIP: Duration = Duration::from_secs(120);

/// Why a clip cannot be used, and what to do about it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClipError {
    /// The bytes do not begin like a file of audio.
    #[error(
        "not a file of audio that is read (WAV, AIFF, FLAC, MP3, AAC, Ogg, MP4 or WebM): convert it, for example \
         with `ffmpeg -i FILE -c:a pcm_s16le clip.wav`"
    )]
    NotAudio,
    /// It is a file of audio with something impossible inside.
    #[error("damaged ({0}): export it again, as WAV with 16-bit PCM")]
    Damaged(String),
    /// A kind of file or codec that is not read.
    #[error(
        "{0} is not read: convert it, for example with `ffmpeg -i FILE -c:a pcm_s16le clip.wav`"
    )]
    Unsupported(String),
    /// Whole files one behind another, of which players would play the first.
    #[error(
        "{files} files of audio, one behind another, and the first holds {first:?} of it: save them as one, or each as \
         a clip of its own"
    )]
    SeveralFiles {
        /// How many.
        files: usize,
        /// Length of the first.
        first: Duration,
    },
    /// Behind the audio lies more than the header says.
    #[error(
        "the header declares {declared:?} of audio, and {behind} bytes lie behind it that are no part of a WAV file: \
         export it again with the right length"
    )]
    Behind {
        /// Length in the header.
        declared: Duration,
        /// Bytes that nothing accounts for.
        behind: usize,
    },
    /// More than two channels.
    #[error(
        "{0} channels: extract the caller's, for example with `ffmpeg -i FILE -af pan=mono|c0=c0 clip.wav`"
    )]
    Channels(usize),
    /// Two channels that hold different things.
    #[error(
        "two channels that differ ({left_dbfs:.0} dBFS left, {right_dbfs:.0} right): name the caller's with `channel: left` or \
         `channel: right` beside `file`, or say both with `channel: mix`"
    )]
    Differ {
        /// Level of the left channel, dB relative to full scale.
        left_dbfs: f64,
        /// The same of the right one.
        right_dbfs: f64,
    },
    /// A sample rate outside of 8 to 96 kHz.
    #[error("sample rate of {0} Hz: convert it to one between 8000 and 96000 Hz")]
    Rate(u32),
    /// A header and no samples.
    #[error("no audio in it: record it again")]
    Empty,
    /// Longer than [`MAX_CLIP`].
    #[error("{0:?} long or longer: the limit is {MAX_CLIP:?}; cut it into several turns")]
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
    /// The end that was given lies behind the file.
    #[error("`end` is {end:?} and the file is {file:?} long: write a moment within it")]
    EndBeyond {
        /// As given.
        end: Duration,
        /// Length of the file.
        file: Duration,
    },
    /// The end that was given leaves no voice.
    #[error("`end` is {end:?} and the voice begins at {begin:?}: write a later moment")]
    EndTooEarly {
        /// As given.
        end: Duration,
        /// The first audible sample.
        begin: Duration,
    },
}

/// What is odd about a file that can be used all the same.
#[derive(Clone, Debug, PartialEq)]
pub enum Oddity {
    /// Less audio than the header declares; this much is missing.
    CutOff(Duration),
    /// So many packets could not be decoded, and what they held is missing.
    Undecodable(u64),
    /// More than one track of audio; the first was taken.
    Tracks(usize),
    /// The other channel is silent.
    OnlyIn(Side),
    /// The other channel holds the same, weaker or the other way round.
    SameIn(Side),
}

impl Oddity {
    /// Whether audio of the file is missing, which is to be seen wherever the clip is used.
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::CutOff(_) | Self::Undecodable(_) | Self::Tracks(_))
    }
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutOff(missing) => {
                write!(f, "cut off: the header declares {:.3} s more", missing.as_secs_f64())
            }
            Self::Undecodable(packets) => {
                write!(f, "damaged: {packets} packets cannot be decoded and are missing")
            }
            Self::Tracks(tracks) => write!(f, "{tracks} tracks of audio: the first is said"),
            Self::OnlyIn(side) => {
                write!(f, "only the {side} channel holds something, and it is said")
            }
            Self::SameIn(side) => {
                write!(f, "both channels hold the same; the {side} one is said")
            }
        }
    }
}
