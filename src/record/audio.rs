//! The audio that was kept of a run's calls, beside its recording: which files there are (`audio/index.json`) and how they
//! are named. Reports are complete without.
//!
//! A file is Ogg Opus in stereo, the caller left and the agent right, on the run's clock: sample 0 of the playback is the
//! moment [`Kept::starts`]. Files are named by us alone; nothing that stands in an index chooses a path.

pub mod choice;
pub mod render;
pub mod spool;
pub mod tape;

use super::CallId;
use crate::files::{self, ReadError};
use crate::time::Offset;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// The format of the index that is written and read.
pub const FORMAT: u32 = 1;
/// The folder within that of the run.
pub const FOLDER: &str = "audio";
/// The index within the folder of the run.
pub const INDEX: &str = "audio/index.json";
/// The most that is kept of a run, in bytes: 200 MB.
pub const LIMIT: u64 = 200_000_000;

/// The largest index that is read: some 100,000 calls.
const INDEX_LIMIT: u64 = 16 << 20;
/// No call lasts longer than a day.
const LONGEST_MS: f64 = 86_400_000.0;

/// The calls of a run whose audio was kept, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    pub format: u32,
    pub calls: Vec<Kept>,
}

/// The audio of one call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub call: CallId,
    /// Below the run's folder, always [`file_name`] of the call.
    pub file: String,
    /// The moment of the playback's first sample.
    pub starts: Offset,
    pub length_ms: f64,
    pub bytes: u64,
}

/// An index that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("cannot read `{INDEX}`: {0}")]
    Read(ReadError),
    #[error("`{INDEX}` is not valid: {0}")]
    Parse(serde_json::Error),
    #[error("`{INDEX}` has format {0}, this loadcall reads format {FORMAT}")]
    Format(u32),
    #[error("`{INDEX}` is not valid: {why} of call {call}")]
    Entry { call: u32, why: &'static str },
}

/// Where the audio of a call lies below the folder of its run, such as `audio/007.ogg`.
pub fn file_name(call: CallId) -> String {
    format!("{FOLDER}/{:03}.ogg", call.0)
}

impl Index {
    /// The index of a run folder; `None` when no audio was kept.
    ///
    /// # Errors
    /// It is unreadable, or not one that [`Index::parse`] takes.
    pub fn read(folder: &Path) -> Result<Option<Self>, IndexError> {
        match files::read_text(&folder.join(INDEX), INDEX_LIMIT) {
            Ok(text) => Self::parse(&text).map(Some),
            Err(e) if e.is_missing() => Ok(None),
            Err(e) => Err(IndexError::Read(e)),
        }
    }

    /// An index as it was written.
    ///
    /// # Errors
    /// Another format, a file of another name than its call's, a call twice, or an impossible length.
    pub fn parse(text: &str) -> Result<Self, IndexError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = serde_json::from_str(text).map_err(IndexError::Parse)?;
        if head.format != FORMAT {
            return Err(IndexError::Format(head.format));
        }
        let index: Self = serde_json::from_str(text).map_err(IndexError::Parse)?;
        let mut seen = BTreeSet::new();
        for kept in &index.calls {
            let wrong = if kept.file != file_name(kept.call) {
                Some("the file name")
            } else if !(0.0..=LONGEST_MS).contains(&kept.length_ms) {
                Some("the length")
            } else if seen.insert(kept.call) {
                None
            } else {
                Some("a second entry")
            };
            if let Some(why) = wrong {
                return Err(IndexError::Entry { call: kept.call.0, why });
            }
        }
        Ok(index)
    }

    /// What was kept of a call.
    pub fn of(&self, call: CallId) -> Option<&Kept> {
        self.calls.iter().find(|kept| kept.call == call)
    }
}

impl Kept {
    /// The bytes of the file in a run folder.
    ///
    /// # Errors
    /// There is none, it is larger than [`LIMIT`], or the path leads out of the folder.
    pub fn read(&self, folder: &Path) -> Result<Vec<u8>, ReadError> {
        let path = folder.join(file_name(self.call));
        if files::is_inside(folder, &path) {
            files::read(&path, LIMIT)
        } else {
            Err(ReadError::Io(std::io::ErrorKind::NotFound.into()))
        }
    }
}

#[cfg(test)]
mod tests;
