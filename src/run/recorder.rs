//! Keeps a run on disk while its calls are placed, and nothing of it in memory.
//!
//! A call that cannot be written (the disk is full) is kept, and tried again with each one that follows and
//! at the end. When that does not help, or more than [`UNWRITTEN`] calls wait, the recording moves to a
//! folder for temporary files. Only what finds no room there either is lost, and that is an error.

use super::event::{Event, EventKind, Sink};
use super::keeper::Keeper;
use crate::plan::TargetId;
use crate::record::audio::tape::Tape;
use crate::record::store::{StoreError, Writer};
use crate::record::{CallRecord, RunHead, RunTail};
use crate::time::Offset;
use std::collections::VecDeque;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Calls that wait to be written; one of an hour takes some 60 kB.
const UNWRITTEN: usize = 1_000;

/// The recording of the calls to one agent.
#[derive(Debug)]
pub struct Recorder {
    target: TargetId,
    writer: Writer,
    /// Where the recording lies.
    folder: PathBuf,
    run_id: String,
    planned: u32,
    gave_up: bool,
    unwritten: VecDeque<CallRecord>,
    /// Set when the calls are through; written when `tail_written`.
    tail: Option<RunTail>,
    tail_written: bool,
    /// Why the latest attempt to write failed.
    failed: Option<StoreError>,
    lost: u32,
    /// Below it lies a folder for the recording when its own takes no more.
    elsewhere: PathBuf,
    /// Tells people what goes wrong, a line at a time.
    warn: fn(&str),
    /// Keeps the audio of calls on the same disk.
    keeper: Option<Keeper>,
}

/// Something that was measured could not be kept.
#[derive(Debug, thiserror::Error)]
#[error(
    "{what} of run {run_id} could not be written anywhere ({source}); the rest is in `{folder}`"
)]
pub struct LostError {
    run_id: String,
    what: String,
    source: StoreError,
    folder: PathBuf,
}

impl Recorder {
    /// Begins the recording of `planned` calls to an agent in an existing folder.
    ///
    /// # Errors
    /// The folder takes no recording.
    pub fn create(
        folder: &Path,
        head: &RunHead,
        target: TargetId,
        planned: u32,
        elsewhere: PathBuf,
        warn: fn(&str),
    ) -> Result<Self, StoreError> {
        Ok(Self {
            target,
            writer: Writer::create(folder, head)?,
            folder: folder.to_path_buf(),
            run_id: head.run_id.clone(),
            planned,
            gave_up: false,
            unwritten: VecDeque::new(),
            tail: None,
            tail_written: false,
            failed: None,
            lost: 0,
            elsewhere,
            warn,
            keeper: None,
        })
    }

    /// Lets somebody keep the audio of the same calls, as long as the recording has room beside it.
    #[must_use]
    pub fn with(self, keeper: Option<Keeper>) -> Self {
        Self { keeper, ..self }
    }

    /// Whoever keeps the audio, to finish it when the last event was taken.
    pub fn take_keeper(&mut self) -> Option<Keeper> {
        self.keeper.take()
    }

    /// Where the recording lies, once the last event was taken.
    ///
    /// # Errors
    /// Not all of it could be written.
    pub fn end(self) -> Result<PathBuf, Box<LostError>> {
        let calls = self.lost + u32::try_from(self.unwritten.len()).unwrap_or(u32::MAX);
        let tail = self.tail.is_some() && !self.tail_written;
        match self.failed {
            Some(source) if calls > 0 || tail => {
                let what = match calls {
                    0 => "the end".to_owned(),
                    1 => "1 call".to_owned(),
                    more => format!("{more} calls"),
                };
                Err(Box::new(LostError { run_id: self.run_id, what, source, folder: self.folder }))
            }
            Some(_) | None => Ok(self.folder),
        }
    }

    fn keep(&mut self, call: &CallRecord, tape: Option<&Tape>) {
        self.keep_record(call);
        if let (Some(keeper), Some(tape)) = (&mut self.keeper, tape) {
            keeper.take(call, tape);
        }
    }

    fn keep_record(&mut self, call: &CallRecord) {
        if self.write_waiting() {
            match self.writer.call(call) {
                Ok(()) => return,
                Err(e) => self.fail(e),
            }
        }
        if self.unwritten.len() == UNWRITTEN && !(self.move_elsewhere() && self.write_waiting()) {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        self.unwritten.push_back(call.clone());
    }

    fn finish(&mut self, at: Offset, stopped: bool) {
        self.tail = Some(RunTail {
            ended: at,
            stopped,
            gave_up: self.gave_up && !stopped,
            planned: self.planned,
        });
        if !self.write_rest() && self.move_elsewhere() {
            self.write_rest();
        }
    }

    /// Whether everything is written.
    fn write_rest(&mut self) -> bool {
        if !self.write_waiting() {
            return false;
        }
        let Some(tail) = &self.tail else { return true };
        match self.writer.end(tail) {
            Ok(()) => self.tail_written = true,
            Err(e) => self.fail(e),
        }
        self.tail_written
    }

    /// Whether no call waits any more.
    fn write_waiting(&mut self) -> bool {
        while let Some(call) = self.unwritten.front() {
            if let Err(e) = self.writer.call(call) {
                self.fail(e);
                return false;
            }
            self.unwritten.pop_front();
        }
        true
    }

    fn fail(&mut self, why: StoreError) {
        // The numbers come first: what audio takes of the disk is theirs.
        if let Some(keeper) = &mut self.keeper {
            keeper.give_up(&why);
        }
        if self.failed.is_none() {
            (self.warn)(&format!("warning: {why}; loadcall keeps trying"));
        }
        self.failed = Some(why);
    }

    /// Moves the recording to a folder for temporary files, which nobody else can have made before.
    fn move_elsewhere(&mut self) -> bool {
        let folder = self.elsewhere.join(format!("loadcall-{}", self.run_id));
        // One that exists is another's, or took no more either.
        let made = DirBuilder::new().mode(0o700).create(&folder);
        let moved = made
            .map_err(|source| StoreError::Write { path: folder.clone(), source })
            .and_then(|()| self.writer.move_to(&folder));
        match moved {
            Ok(()) => {
                (self.warn)(&format!("warning: the recording is now in {}", folder.display()));
                self.folder = folder;
                true
            }
            Err(e) => {
                self.fail(e);
                false
            }
        }
    }
}

impl Sink for Recorder {
    fn take(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Ended { target, record, tape } if *target == self.target => {
                self.keep(record, tape.as_ref());
            }
            EventKind::GaveUp { target } => self.gave_up |= *target == self.target,
            // A run that was to go on until it is decided had this many calls before it.
            EventKind::Decided { calls } => self.planned = *calls,
            EventKind::Finished { stopped } => self.finish(event.at, *stopped),
            EventKind::Placed(_) | EventKind::Ended { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
