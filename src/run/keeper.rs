//! Keeps the audio of calls: their tapes while the run lasts, their files when it is over. Whatever goes wrong here costs
//! the audio and nothing else.

use crate::files;
use crate::record::audio::choice::{Choice, KeepAudio, Rank};
use crate::record::audio::render::{Clip, RenderError, Said, render};
use crate::record::audio::spool::{Slot, Spool};
use crate::record::audio::tape::Tape;
use crate::record::audio::{FOLDER, FORMAT, INDEX, Index, Kept, LIMIT, file_name};
use crate::record::{CallId, CallRecord};
use std::collections::HashMap;
use std::fmt;
use std::fs::DirBuilder;
use std::io;
use std::path::PathBuf;

/// The audio of the calls to one agent.
pub struct Keeper {
    /// That of the run.
    folder: PathBuf,
    clips: Vec<Option<Clip>>,
    rank: Box<dyn Fn(&CallRecord) -> Rank + Send>,
    choice: Choice,
    held: HashMap<CallId, Held>,
    /// `None` once it has failed.
    spool: Option<Spool>,
    /// Tells people what goes wrong, a line at a time.
    warn: fn(&str),
}

/// A call whose tape lies in the spool.
struct Held {
    said: Said,
    slot: Slot,
}

/// How far the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub done: usize,
    pub of: usize,
}

impl Keeper {
    /// Keeps audio beside the recording in `folder`: of calls that play these clips, by step, and are as bad as `rank` says.
    pub fn new(
        folder: PathBuf,
        keep: KeepAudio,
        clips: Vec<Option<Clip>>,
        rank: Box<dyn Fn(&CallRecord) -> Rank + Send>,
        warn: fn(&str),
    ) -> Self {
        let spool = Spool::create(&folder);
        let mut keeper = Self {
            folder,
            clips,
            rank,
            choice: Choice::new(keep, LIMIT),
            held: HashMap::new(),
            spool: None,
            warn,
        };
        match spool {
            Ok(spool) => keeper.spool = Some(spool),
            Err(e) => keeper.warn_of(&e),
        }
        keeper
    }

    /// Takes in a call that has ended.
    pub fn take(&mut self, call: &CallRecord, tape: &Tape) {
        let Some(spool) = &mut self.spool else { return };
        let said = Said::in_call(call);
        if tape.is_empty() && said.is_empty() {
            return;
        }
        let dropped = self.choice.offer(call.id, (self.rank)(call), tape.len() as u64);
        for slot in dropped.iter().filter_map(|call| Some(self.held.remove(call)?.slot)) {
            spool.free(slot);
        }
        if dropped.contains(&call.id) {
            return;
        }
        match spool.put(tape) {
            Ok(slot) => {
                self.held.insert(call.id, Held { said, slot });
            }
            Err(e) => self.give_up(&e),
        }
    }

    /// Keeps no audio, and gives back the space it took.
    pub fn give_up(&mut self, why: &dyn std::error::Error) {
        if self.spool.take().is_some() {
            self.held.clear();
            (self.warn)(&format!("warning: no audio of calls is kept: {why}"));
        }
    }

    /// Writes the files of the chosen calls and their index, the worst call first. `goes_on` hears how far that is, several
    /// times a call, and says whether more is wanted. Gives what was written.
    pub fn finish(mut self, mut goes_on: impl FnMut(Step) -> bool) -> Vec<Kept> {
        let Some(spool) = self.spool.take() else { return Vec::new() };
        let calls: Vec<CallId> =
            self.choice.calls().filter(|call| self.held.contains_key(call)).collect();
        let mut kept = Vec::new();
        let mut left = LIMIT;
        for (done, call) in calls.iter().enumerate() {
            let step = Step { done, of: calls.len() };
            let Some(held) = self.held.get(call) else { continue };
            if !goes_on(step) {
                break;
            }
            match self.write(&spool, held, &mut || goes_on(step)) {
                Ok(written) if written.bytes <= left => {
                    left -= written.bytes;
                    kept.push(written);
                }
                Ok(written) => self.remove(&written),
                Err(e) => {
                    if !is_stop(&e) {
                        self.warn_of(&e);
                    }
                    break;
                }
            }
        }
        kept.sort_by_key(|kept| kept.call);
        match self.write_index(&kept) {
            Ok(()) => kept,
            Err(e) => {
                self.warn_of(&e);
                for kept in &kept {
                    self.remove(kept);
                }
                Vec::new()
            }
        }
    }

    fn write(
        &self,
        spool: &Spool,
        Held { said, slot }: &Held,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> io::Result<Kept> {
        self.make_folder()?;
        let tape = spool.read(*slot)?;
        let (call, file) = (said.call, file_name(said.call));
        let mut bytes = 0;
        files::replace_with(&self.folder.join(&file), |out| {
            bytes = render(said, &self.clips, &tape, out, goes_on)?;
            Ok(())
        })?;
        Ok(Kept { call, file, starts: said.starts, length_ms: said.length_ms(), bytes })
    }

    /// The folder of the files: ours, and no link to another one.
    fn make_folder(&self) -> io::Result<()> {
        let folder = self.folder.join(FOLDER);
        match DirBuilder::new().create(&folder) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                let is_folder = std::fs::symlink_metadata(&folder)?.is_dir();
                if is_folder { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
            }
            made => made,
        }
    }

    fn write_index(&self, kept: &[Kept]) -> io::Result<()> {
        if kept.is_empty() {
            return Ok(());
        }
        let index = Index { format: FORMAT, calls: kept.to_vec() };
        let mut text = serde_json::to_vec_pretty(&index)?;
        text.push(b'\n');
        files::replace(&self.folder.join(INDEX), &text)
    }

    fn remove(&self, kept: &Kept) {
        if let Err(e) = std::fs::remove_file(self.folder.join(file_name(kept.call))) {
            self.warn_of(&e);
        }
    }

    fn warn_of(&self, e: &dyn std::error::Error) {
        let folder = self.folder.join(FOLDER);
        (self.warn)(&format!(
            "warning: no more audio of calls is kept in {}: {e}",
            folder.display()
        ));
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.held.len();
        f.debug_struct("Keeper")
            .field("folder", &self.folder)
            .field("held", &held)
            .finish_non_exhaustive()
    }
}

fn is_stop(e: &io::Error) -> bool {
    let inner = e.get_ref().and_then(|inner| inner.downcast_ref::<RenderError>());
    matches!(inner, Some(RenderError::Stopped))
}

#[cfg(test)]
mod tests;
