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

/// How a recording ends, once its calls were read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ending {
    /// `None` when the run was killed.
    pub tail: Option<RunTail>,
    /// `None` when every line could be read.
    pub damage: Option<Damage>,
}

/// Lines that cannot be read, such as after a bad sector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub lines: usize,
    /// The first of them, as `run.jsonl:5:301: not valid JSON`.
    pub first: String,
}

/// The calls of a recording in the order of the file, which is that of their ends. A line that cannot be read
/// is left out and counted; after an error there are no more.
#[derive(Debug)]
pub struct Calls<R = BufReader<File>> {
    path: PathBuf,
    lines: R,
    /// The line that was read last, from 1.
    line: usize,
    pub(super) buffer: Vec<u8>,
    tail: Option<RunTail>,
    damage: Option<Damage>,
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
        let (buffer, line, tail, damage, over) = (Vec::new(), 0, None, None, false);
        let mut calls = Calls { path, lines, line, buffer, tail, damage, over };
        calls.next_line()?;
        let head = parse_head(&calls.path, calls.buffer.trim_ascii_end())?;
        Ok(Self { head, calls })
    }

    pub(super) fn collect(self) -> Result<Run, StoreError> {
        let Self { head, mut calls } = self;
        let mut all = calls.by_ref().collect::<Result<Vec<CallRecord>, _>>()?;
        all.sort_by_key(|call| call.id);
        let path = calls.path.clone();
        match calls.into_ending() {
            Ending { tail, damage: None } => Ok(Run { head, calls: all, tail }),
            Ending { damage: Some(Damage { first, .. }), .. } => {
                Err(StoreError::Damaged { path, first })
            }
        }
    }
}

impl<R> Calls<R> {
    /// How the recording ends, once all calls were read.
    pub fn into_ending(self) -> Ending {
        Ending { tail: self.tail, damage: self.damage }
    }

    fn lose(&mut self, line: &StoreError) {
        match &mut self.damage {
            Some(damage) => damage.lines += 1,
            None => self.damage = Some(Damage { lines: 1, first: line.to_string() }),
        }
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

    /// Reads what is left and keeps none of it: whether the recording is whole.
    pub fn check(mut self) -> Result<Ending, StoreError> {
        self.by_ref().try_for_each(|call| call.map(drop))?;
        Ok(self.into_ending())
    }

    fn next_call(&mut self) -> Result<Option<CallRecord>, StoreError> {
        // Of a line that cannot be read it is only known by what follows whether it is the last one.
        let mut unread: Option<StoreError> = None;
        while self.next_line()? {
            if self.buffer.trim_ascii().is_empty() {
                continue;
            }
            if let Some(line) = unread.take() {
                self.lose(&line);
            }
            match serde_json::from_slice(self.buffer.trim_ascii_end()) {
                Ok(LineIn::Call(call)) => return Ok(Some(*call)),
                Ok(LineIn::End(tail)) => self.tail = Some(tail),
                Ok(LineIn::Run(_)) => {
                    return Err(StoreError::NotARecording { path: self.path.clone() });
                }
                Err(error) => unread = Some(faulty(&self.path, self.line, &error)),
            }
        }
        // The line that was being written when loadcall was killed; nothing follows the end of a run.
        if let (Some(line), Some(_)) = (unread, &self.tail) {
            self.lose(&line);
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

/// What the first line of every recording begins with, as loadcall writes it.
const HEAD: &[u8] = b"{\"run\":";

fn parse_head(path: &Path, line: &[u8]) -> Result<RunHead, StoreError> {
    let not_a_recording = || StoreError::NotARecording { path: path.into() };
    let any: serde_json::Value = serde_json::from_slice(line).map_err(|error| {
        if line.starts_with(HEAD) { faulty(path, 1, &error) } else { not_a_recording() }
    })?;
    let format = any.get("run").and_then(|r| r.get("format")).and_then(serde_json::Value::as_u64);
    match format {
        None => Err(not_a_recording()),
        Some(found) if !(1..=u64::from(FORMAT)).contains(&found) => {
            Err(StoreError::Format { path: path.into(), found })
        }
        // Once more from the text, which knows its columns.
        Some(_) => match serde_json::from_slice(line) {
            Ok(LineIn::Run(headed)) => Ok(headed.head),
            Ok(_) => Err(not_a_recording()),
            Err(error) => Err(faulty(path, 1, &error)),
        },
    }
}

/// The longest explanation of a line that is kept, in characters.
const MAX_WHY: usize = 160;

/// `serde_json` counts lines within what it was given, which is always one.
fn faulty(path: &Path, line: usize, error: &serde_json::Error) -> StoreError {
    let why = if error.is_data() {
        let text = error.to_string();
        let why = text.rsplit_once(" at line ").map_or(text.as_str(), |(why, _)| why);
        format!("not a line of a recording ({})", why.chars().take(MAX_WHY).collect::<String>())
    } else {
        "not valid JSON".to_owned()
    };
    StoreError::Line { path: path.into(), line, column: error.column(), why }
}
