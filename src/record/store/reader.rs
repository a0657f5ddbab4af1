//! Reading `run.jsonl` call by call: what is held at a time is one line.

use super::{FILE_NAME, FORMAT, LineIn, StoreError};
use crate::files;
use crate::record::{CallRecord, Run, RunHead, RunTail};
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

/// The longest line that is read, in bytes. A call of an hour with a talkative agent takes about one.
pub const MAX_LINE: usize = 16 << 20;

/// A recording that was opened: its head is read, its calls are still to come.
#[derive(Debug)]
pub struct Recording<R = BufReader<File>> {
    pub head: RunHead,
    pub calls: Calls<R>,
}

/// The calls of a recording in the order of the file, which is that of their ends. After an error
/// there are no more.
#[derive(Debug)]
pub struct Calls<R = BufReader<File>> {
    path: PathBuf,
    lines: R,
    /// The line that was read last, from 1.
    line: usize,
    pub(super) buffer: Vec<u8>,
    tail: Option<RunTail>,
    over: bool,
}

/// Opens the recording at `path`, a run folder or its `run.jsonl`, and reads its first line.
pub fn open(path: &Path) -> Result<Recording, StoreError> {
    let path = if path.is_dir() { path.join(FILE_NAME) } else { path.to_path_buf() };
    let file =
        files::open(&path).map_err(|source| StoreError::Open { path: path.clone(), source })?;
    Recording::begin(path, BufReader::new(file))
}

/// Reads the whole recording at `path` into memory, its calls in the order of their ids.
pub fn read(path: &Path) -> Result<Run, StoreError> {
    open(path)?.collect()
}

impl<R: BufRead> Recording<R> {
    pub(super) fn begin(path: PathBuf, lines: R) -> Result<Self, StoreError> {
        let (buffer, line, tail, over) = (Vec::new(), 0, None, false);
        let mut calls = Calls { path, lines, line, buffer, tail, over };
        calls.next_line()?;
        let head = parse_head(&calls.path, &calls.buffer)?;
        Ok(Self { head, calls })
    }

    pub(super) fn collect(self) -> Result<Run, StoreError> {
        let Self { head, mut calls } = self;
        let mut all = calls.by_ref().collect::<Result<Vec<CallRecord>, _>>()?;
        all.sort_by_key(|call| call.id);
        Ok(Run { head, calls: all, tail: calls.into_tail() })
    }
}

impl<R> Calls<R> {
    /// What the last line says, once all calls were read; `None` when the run was killed.
    pub fn into_tail(self) -> Option<RunTail> {
        self.tail
    }
}

impl<R: BufRead> Calls<R> {
    /// Reads the next line into the buffer, with its line feed if it has one; false at the end.
    fn next_line(&mut self) -> Result<bool, StoreError> {
        self.buffer.clear();
        self.line += 1;
        let longest = MAX_LINE as u64 + 1;
        self.lines
            .by_ref()
            .take(longest)
            .read_until(b'\n', &mut self.buffer)
            .map_err(|source| StoreError::Read { path: self.path.clone(), source })?;
        if self.buffer.len() > MAX_LINE {
            return Err(StoreError::LongLine { path: self.path.clone(), line: self.line });
        }
        Ok(!self.buffer.is_empty())
    }

    fn next_call(&mut self) -> Result<Option<CallRecord>, StoreError> {
        while self.next_line()? {
            if self.buffer.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice(&self.buffer) {
                Ok(LineIn::Call(call)) => return Ok(Some(*call)),
                Ok(LineIn::End(tail)) => self.tail = Some(tail),
                Ok(LineIn::Run(_)) => {
                    return Err(StoreError::NotARecording { path: self.path.clone() });
                }
                // The line that was being written when loadcall was killed.
                Err(_) if !self.buffer.ends_with(b"\n") => break,
                Err(error) => return Err(faulty(&self.path, self.line, &error)),
            }
        }
        Ok(None)
    }
}

impl<R: BufRead> Iterator for Calls<R> {
    type Item = Result<CallRecord, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = self.next_call().transpose();
        self.over = !matches!(next, Some(Ok(_)));
        next
    }
}

fn parse_head(path: &Path, line: &[u8]) -> Result<RunHead, StoreError> {
    let not_a_recording = || StoreError::NotARecording { path: path.into() };
    let any: serde_json::Value = serde_json::from_slice(line).map_err(|_| not_a_recording())?;
    let format = any.get("run").and_then(|r| r.get("format")).and_then(serde_json::Value::as_u64);
    match format {
        None => Err(not_a_recording()),
        Some(found) if !(1..=u64::from(FORMAT)).contains(&found) => {
            Err(StoreError::Format { path: path.into(), found })
        }
        Some(_) => match serde_json::from_value(any) {
            Ok(LineIn::Run(headed)) => Ok(headed.head),
            Ok(_) => Err(not_a_recording()),
            Err(error) => Err(faulty(path, 1, &error)),
        },
    }
}

/// `serde_json` counts lines within what it was given, which is always one.
fn faulty(path: &Path, line: usize, error: &serde_json::Error) -> StoreError {
    let text = error.to_string();
    let why = text.split(" at line ").next().unwrap_or_default();
    let why = match error.column() {
        0 => why.to_owned(),
        column => format!("{why} (column {column})"),
    };
    StoreError::Line { path: path.into(), line, why }
}
