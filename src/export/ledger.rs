//! `export.json` in a run folder: which calls each backend has acknowledged. The spans themselves are not kept: they are
//! made of the recording again.
//!
//! # Format
//! | format | since | change |
//! |---|---|---|
//! | 1 | 0.1.0 | first |
//!
//! `backends` lists the places traces were sent to. Calls are given as ranges `[first, last]` of their numbers.
//! `acknowledged` is never sent again. `unknown` is what was under way when a connection, or loadcall itself, broke off,
//! and calls of which parts arrived. Every other call of the recording is still to be sent. A batch counts as unknown from
//! before it is sent until its answer is there, so that a killed loadcall sends nothing twice. `scores` says how many scores
//! Langfuse has answered for, and how many are still to be sent; to send one twice does no harm, as it replaces the first.

mod ids;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::otlp::Place;
use crate::files::{self, ReadError};
use crate::record::CallId;
use crate::text::{clipped, safe};
pub use ids::Ids;

/// The name of the file within a run folder.
pub const FILE_NAME: &str = "export.json";
/// The format this version writes, and the only one there is.
const FORMAT: u32 = 1;
const KIND: &str = "loadcall export";
/// The longest file that is read: a hundred thousand calls of which every second one is missing.
const MAX_BYTES: u64 = 4 << 20;
/// Backends that are kept; those that were used last.
const BACKENDS: usize = 20;
/// Characters of a reason.
const REASON: usize = 500;

/// Why nothing can be sent from a run folder.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("another loadcall is sending the traces of this run: wait until it has ended")]
    Busy,
    #[error("`{path}` cannot be locked: {why}")]
    Lock { path: PathBuf, why: std::io::Error },
    #[error("cannot read `{path}`: {why}")]
    Read { path: PathBuf, why: ReadError },
    #[error("`{path}` is not an export file ({why}): remove it, and all calls are sent again")]
    NotOne { path: PathBuf, why: String },
    #[error(
        "`{path}` has format {found}, this loadcall reads {FORMAT}: use the loadcall that wrote it"
    )]
    Format { path: PathBuf, found: u32 },
    #[error("`{path}` is of another run: remove it")]
    OtherRun { path: PathBuf },
    #[error("cannot write `{path}`: {why}")]
    Write { path: PathBuf, why: std::io::Error },
}

/// What is known of one backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    #[serde(flatten)]
    place: Place,
    pub acknowledged: Ids,
    pub unknown: Ids,
    /// Why the last export did not send all; without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_failure: Option<String>,
    /// Of Langfuse alone: how far the scores of the run came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<Scored>,
}

/// Which scores a run is given: other choices make others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Which {
    /// Those of turns, too.
    pub turns: bool,
    pub environment: String,
    /// The id of the experiment that the run is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
}

/// How far scores came. They are made of the recording in the same order each time, and sent in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scored {
    #[serde(flatten)]
    pub which: Which,
    /// The first so many have an answer: Langfuse took them, or refused them for good.
    pub answered: usize,
    /// The rest, which is still to be sent.
    pub left: usize,
}

impl Account {
    /// How many of these scores have an answer already.
    pub fn answered(&self, which: &Which) -> usize {
        let known = self.scores.as_ref().filter(|scored| scored.which == *which);
        known.map_or(0, |scored| scored.answered)
    }

    /// These are about to be sent.
    pub fn begin(&mut self, calls: &[CallId]) {
        for call in calls {
            self.unknown.insert(call.0);
        }
    }

    pub fn acknowledge(&mut self, call: CallId) {
        self.unknown.remove(call.0);
        self.acknowledged.insert(call.0);
    }

    /// Nothing of it has arrived.
    pub fn leave(&mut self, call: CallId) {
        self.unknown.remove(call.0);
    }

    pub fn fail(&mut self, reason: Option<&str>) {
        self.last_failure = reason.map(|reason| clipped(&safe(reason), REASON));
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    format: u32,
    kind: String,
    run: String,
    backends: Vec<Account>,
}

/// The file, held by this process alone.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    contents: Mutex<Contents>,
    _lock: File,
}

impl Ledger {
    /// Opens the file of the run with this id, or begins one.
    pub fn open(folder: &Path, run: &str) -> Result<Self, LedgerError> {
        let path = folder.join(FILE_NAME);
        let lock = match files::try_lock_folder_of(&path) {
            Ok(Some(lock)) => lock,
            Ok(None) => return Err(LedgerError::Busy),
            Err(why) => return Err(LedgerError::Lock { path, why }),
        };
        let contents = match files::read_text(&path, MAX_BYTES) {
            Ok(text) => parse(&text, &path, run)?,
            Err(e) if e.is_missing() => Contents {
                format: FORMAT,
                kind: KIND.to_owned(),
                run: run.to_owned(),
                backends: Vec::new(),
            },
            Err(why) => return Err(LedgerError::Read { path, why }),
        };
        Ok(Self { path, contents: Mutex::new(contents), _lock: lock })
    }

    /// What is known of a backend.
    pub fn account(&self, place: &Place) -> Account {
        let contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let known = contents.backends.iter().find(|account| account.place == *place).cloned();
        known.unwrap_or_else(|| Account {
            place: place.clone(),
            acknowledged: Ids::default(),
            unknown: Ids::default(),
            last_failure: None,
            scores: None,
        })
    }

    /// Writes what is known of a backend now.
    pub fn keep(&self, account: &Account) -> Result<(), LedgerError> {
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        contents.backends.retain(|known| known.place != account.place);
        contents.backends.push(account.clone());
        let surplus = contents.backends.len().saturating_sub(BACKENDS);
        contents.backends.drain(..surplus);
        files::replace(&self.path, (pretty(&contents) + "\n").as_bytes())
            .map_err(|why| LedgerError::Write { path: self.path.clone(), why })
    }
}

fn pretty(contents: &Contents) -> String {
    serde_json::to_string_pretty(contents).expect("plain data has a JSON text")
}

fn parse(text: &str, path: &Path, run: &str) -> Result<Contents, LedgerError> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
        kind: String,
    }
    let not_one = |why: String| LedgerError::NotOne { path: path.to_owned(), why };
    let at = |e: serde_json::Error| not_one(format!("line {}, column {}", e.line(), e.column()));
    let version: Version = serde_json::from_str(text).map_err(at)?;
    if version.kind != KIND {
        return Err(not_one(format!("its kind is not `{KIND}`")));
    }
    if version.format != FORMAT {
        return Err(LedgerError::Format { path: path.to_owned(), found: version.format });
    }
    let contents: Contents = serde_json::from_str(text).map_err(at)?;
    if contents.run != run {
        return Err(LedgerError::OtherRun { path: path.to_owned() });
    }
    Ok(contents)
}

#[cfg(test)]
mod tests;
