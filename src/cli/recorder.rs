//! What is kept of a run while its calls are placed: in memory for the report, and on disk at once.

use super::exit::{Failure, tell};
use crate::record::store::Writer;
use crate::record::{CallRecord, Run, RunHead, RunTail, Side};
use crate::run::Finished;
use std::path::Path;

/// The recording of one run in progress.
pub(super) struct Recorder {
    run: Run,
    planned: u32,
    /// `None` once writing failed: the run goes on without.
    writer: Option<Writer>,
}

impl Recorder {
    /// Begins the recording of a run of `planned` calls in its folder.
    pub(super) fn create(folder: &Path, head: RunHead, planned: usize) -> Result<Self, Failure> {
        let writer = Writer::create(folder, &head).map_err(Failure::usage)?;
        let run = Run { head, calls: Vec::new(), tail: None };
        let planned = u32::try_from(planned).unwrap_or(u32::MAX);
        Ok(Self { run, planned, writer: Some(writer) })
    }

    pub(super) fn take(&mut self, call: CallRecord) {
        if let Some(writer) = &mut self.writer
            && let Err(e) = writer.call(&call)
        {
            tell(&format!("warning: {e}; the run goes on without a recording"));
            self.writer = None;
        }
        self.run.calls.push(call);
    }

    /// Ends the recording of the calls to `side`.
    pub(super) fn end(mut self, finished: &Finished, side: Side) -> Result<Run, Failure> {
        let tail = RunTail {
            ended: finished.at,
            stopped: finished.stopped,
            gave_up: finished.gave_up == Some(side),
            planned: self.planned,
        };
        if let Some(writer) = &mut self.writer {
            writer.end(&tail).map_err(Failure::internal)?;
        }
        self.run.calls.sort_by_key(|call| call.id);
        self.run.tail = Some(tail);
        Ok(self.run)
    }
}
