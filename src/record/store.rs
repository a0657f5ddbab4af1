//! `run.jsonl` on disk: one line for the run, one for each call as it ends, one when all are through.
//!
//! # Format
//! Every line is an object with one key: `run` ([`RunHead`] and `format`), `call` ([`CallRecord`])
//! or `end` ([`RunTail`]). Moments are microseconds since the run began.
//!
//! | format | since | change |
//! |---|---|---|
//! | 1 | 0.1.0 | first |
//! | 2 | 0.1.0 | `sound_began`, `tool_started`, `tool_ended`, `handoff`; `speech_ms` of a message |
//! | 3 | 0.1.0 | one side of an A/B run: digests of the dispatch metadata, not the metadata |
//!
//! This version reads all of them; a reader refuses formats it does not know. Calls stand in the order of their ends. Fields may be added within a
//! format; unknown ones are ignored. A run that was killed has no `end` line and may have a cut last
//! line, which is dropped. Any other line that cannot be read costs what it held and is counted
//! ([`Damage`]); only the first line is needed.

mod reader;

pub use reader::{Calls, Damage, Ending, MAX_LINE, Recording, open, read};

use super::{CallRecord, RunHead, RunTail};
use crate::files::ReadError;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// The format this version writes. It reads those before it, too.
pub const FORMAT: u32 = 3;

/// The name of the recording within a run folder.
pub const FILE_NAME: &str = "run.jsonl";

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot write `{path}`: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot read `{path}`: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{path}` already holds a run: choose another folder with --out, or remove it")]
    Exists { path: PathBuf },
    #[error("`{path}` is not a recording: its first line holds no `run`")]
    NotARecording { path: PathBuf },
    #[error(
        "`{path}` has format {found}, this loadcall reads formats 1 to {FORMAT}: use the loadcall that wrote it"
    )]
    Format { path: PathBuf, found: u64 },
    #[error("{}:{line}:{column}: {why}", path.display())]
    Line { path: PathBuf, line: usize, column: usize, why: String },
    #[error("`{path}` is damaged: {first}")]
    Damaged { path: PathBuf, first: String },
    #[error("`{path}` line {line} is longer than {MAX_LINE} bytes, the longest that is read")]
    LongLine { path: PathBuf, line: usize },
    #[error("cannot read `{path}`: {source}")]
    Open { path: PathBuf, source: ReadError },
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum LineOut<'a> {
    Run(Headed<&'a RunHead>),
    Call(&'a CallRecord),
    End(&'a RunTail),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum LineIn {
    Run(Box<Headed<RunHead>>),
    Call(Box<CallRecord>),
    End(RunTail),
}

#[derive(Serialize, Deserialize)]
struct Headed<T> {
    format: u32,
    head: T,
}

/// Appends to the recording of a run in progress. Every line reaches the operating system before
/// the method returns, so a killed loadcall loses nothing of the calls that had ended.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    len: u64,
}

impl Writer {
    /// Creates `run.jsonl` in an existing folder and writes its first line.
    pub fn create(folder: &Path, head: &RunHead) -> Result<Self, StoreError> {
        Self::empty(folder)?.begun(head)
    }

    fn begun(mut self, head: &RunHead) -> Result<Self, StoreError> {
        match self.line(&LineOut::Run(Headed { format: FORMAT, head })) {
            Ok(()) => Ok(self),
            Err(e) => {
                // An empty file would count as a run that is there already.
                let _ = std::fs::remove_file(&self.path);
                Err(e)
            }
        }
    }

    fn empty(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => Ok(Self { path, file, len: 0 }),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(StoreError::Exists { path })
            }
            Err(source) => Err(StoreError::Write { path, source }),
        }
    }

    /// Copies what was written so far into another folder, and goes on there.
    pub fn move_to(&mut self, folder: &Path) -> Result<(), StoreError> {
        let mut moved = Self::empty(folder)?;
        let read = |source| StoreError::Read { path: self.path.clone(), source };
        let mut written = File::open(&self.path).map_err(read)?.take(self.len);
        moved.len = std::io::copy(&mut written, &mut moved.file)
            .map_err(|source| StoreError::Write { path: moved.path.clone(), source })?;
        if moved.len < self.len {
            return Err(read(std::io::ErrorKind::UnexpectedEof.into()));
        }
        *self = moved;
        Ok(())
    }

    pub fn call(&mut self, call: &CallRecord) -> Result<(), StoreError> {
        self.line(&LineOut::Call(call))
    }

    pub fn end(&mut self, tail: &RunTail) -> Result<(), StoreError> {
        self.line(&LineOut::End(tail))
    }

    fn line(&mut self, line: &LineOut<'_>) -> Result<(), StoreError> {
        let fail = |source| StoreError::Write { path: self.path.clone(), source };
        let mut text = serde_json::to_vec(line).map_err(|e| fail(e.into()))?;
        text.push(b'\n');
        if let Err(e) = self.file.write_all(&text) {
            // What follows half a line could not be read.
            let _ = self.file.set_len(self.len);
            let _ = self.file.seek(SeekFrom::Start(self.len));
            return Err(fail(e));
        }
        self.len += text.len() as u64;
        Ok(())
    }

    /// Lets all writing fail for want of space, until [`Writer::free_space`].
    #[cfg(test)]
    pub(crate) fn fill_disk(&mut self) {
        self.file = OpenOptions::new().write(true).open("/dev/full").unwrap();
    }

    #[cfg(test)]
    pub(crate) fn free_space(&mut self) {
        self.file = OpenOptions::new().append(true).open(&self.path).unwrap();
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
