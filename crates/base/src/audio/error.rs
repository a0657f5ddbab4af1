//! Why the file of a clip cannot be used, and what is odd about one that can.

use std::fmt;
use std::time::Duration;

use super::take::Side;

/// The longest clip. Nobody speaks for longer in one turn, and a minute of clip is 6 MB in memory.
pub const MAX_CLIP: Duration = Duration::from_secs(120);

/// Why a clip cannot be used; [`ClipError::remedy`] says what to do about it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClipError {
    /// The bytes do not begin like a file of audio.
    #[error("not a file of audio that is read (WAV, AIFF, FLAC, MP3, AAC, Ogg, MP4 or WebM)")]
    NotAudio,
    /// It is a file of audio with something impossible inside.
    #[error("damaged ({0})")]
    Damaged(String),
    /// A kind of file or codec that is not read.
    #[error("{0} is not read")]
    Unsupported(String),
    /// Whole files one behind another, of which players would play the first.
    #[error("{files} files of audio, one behind another, and the first holds {first:?} of it")]
    SeveralFiles {
        /// How many.
        files: usize,
        /// Length of the first.
        first: Duration,
    },
    /// Behind the audio lies more than the header says.
    #[error(
        "the header declares {declared:?} of audio, and {behind} bytes lie behind it that are no part of a WAV file"
    )]
    Behind {
        /// Length in the header.
        declared: Duration,
        /// Bytes that nothing accounts for.
        behind: usize,
    },
    /// More than two channels.
    #[error("{0} channels")]
    Channels(usize),
    /// Two channels that hold different things.
    #[error("two channels that differ ({left_dbfs:.0} dBFS left, {right_dbfs:.0} right)")]
    Differ {
        /// Level of the left channel, dB relative to full scale.
        left_dbfs: f64,
        /// The same of the right one.
        right_dbfs: f64,
    },
    /// A sample rate outside of 8 to 96 kHz.
    #[error("sample rate of {0} Hz, and those from 8000 to 96000 Hz are read")]
    Rate(u32),
    /// A header and no samples.
    #[error("no audio in it")]
    Empty,
    /// Longer than [`MAX_CLIP`].
    #[error("{0:?} long or longer, and the limit is {MAX_CLIP:?}")]
    TooLong(Duration),
    /// A float sample that is infinite or not a number.
    #[error("sample {0} is not a number")]
    NotANumber(usize),
    /// Nothing in it is audible for as long as a voice is.
    #[error(
        "no voice in it: nothing reaches {threshold_dbfs:.0} dBFS for 30 ms (its peak is {peak_dbfs:.0} dBFS)"
    )]
    Silent {
        /// The loudest sample, dB relative to full scale.
        peak_dbfs: f64,
        /// What counts as audible in this clip.
        threshold_dbfs: f64,
    },
    /// The end that was given lies behind the file.
    #[error("`end` is {end:?} and the file is {file:?} long")]
    EndBeyond {
        /// As given.
        end: Duration,
        /// Length of the file.
        file: Duration,
    },
    /// The end that was given leaves no voice.
    #[error("`end` is {end:?} and the voice begins at {begin:?}")]
    EndTooEarly {
        /// As given.
        end: Duration,
        /// The first audible sample.
        begin: Duration,
    },
}

impl ClipError {
    /// What to do about it; `file` is where the clip lies, for a command to copy.
    pub fn remedy(&self, file: &str) -> String {
        let convert = |options: &str| {
            let (from, to) = (quoted(file), quoted(&converted(file)));
            format!("`ffmpeg -i {from} {options} {to}`")
        };
        let text = match self {
            Self::NotAudio | Self::Unsupported(_) | Self::Rate(_) => {
                return format!("convert it, for example with {}", convert("-ac 1 -ar 48000"));
            }
            Self::Channels(_) => {
                let command = convert("-af 'pan=mono|c0=c0'");
                return format!("extract the caller's, for example with {command}");
            }
            Self::Damaged(_) | Self::NotANumber(_) => "export it again, as WAV with 16-bit PCM",
            Self::SeveralFiles { .. } => "save them as one, or each as a clip of its own",
            Self::Behind { .. } => "export it again with the right length",
            Self::Differ { .. } => {
                "name the caller's with `channel: left` or `channel: right` beside `file`, or say both with \
                 `channel: mix`"
            }
            Self::Empty => "record it again",
            Self::TooLong(_) => "cut it into several turns",
            Self::Silent { .. } => "record it louder, or use `silence:` for a pause",
            Self::EndBeyond { .. } => "write a moment within it",
            Self::EndTooEarly { .. } => "write a later moment",
        };
        text.to_owned()
    }
}

/// The name of a converted file beside this one.
fn converted(file: &str) -> String {
    let (folder, name) = file.rsplit_once('/').map_or(("", file), |(folder, name)| (folder, name));
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let slash = if folder.is_empty() { "" } else { "/" };
    let wav = format!("{folder}{slash}{stem}.wav");
    if wav == file { format!("{folder}{slash}{stem}-converted.wav") } else { wav }
}

/// A path as one word of a shell's command.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    if path.chars().all(plain) {
        return path.to_owned();
    }
    format!("'{}'", path.replace('\'', r"'\''"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_can_be_copied() {
        let remedy = |file| ClipError::NotAudio.remedy(file);
        let mp3 = remedy("clips/a.mp3");
        assert!(mp3.ends_with("`ffmpeg -i clips/a.mp3 -ac 1 -ar 48000 clips/a.wav`"), "{mp3}");
        assert!(remedy("a.wav").ends_with("-i a.wav -ac 1 -ar 48000 a-converted.wav`"));
        let odd = remedy("my 'a.mp3");
        assert!(odd.contains(r"-i 'my '\''a.mp3' -ac 1"), "{odd}");
        let channels = ClipError::Channels(6).remedy("a.wav");
        assert!(channels.contains("-af 'pan=mono|c0=c0' a-converted.wav"), "{channels}");
    }
}
