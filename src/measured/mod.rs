//! A run as its values: which metrics were measured, call by call and step by step, how each call ended,
//! and under which conditions. This is the one compact form of a run: `measured.json` in its folder, the
//! runs of a baseline, and what noise is computed from. Pure.

mod file;
mod fingerprint;
mod kept;
mod lines;
mod table;

pub use file::{MAX_BYTES, MeasuredError};
pub use fingerprint::{Fingerprint, StepPrint, agent_metadata};

pub(crate) use file::{Kind, parse, write};
pub(crate) use fingerprint::{IDENTITY, SPEECH_GAP, TRACKS, TURN_MODELS, joined};
pub(crate) use kept::compact;
#[cfg(test)]
pub(crate) use lines::text;

use std::borrow::Cow;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::record::{CallId, Outcome, Side};
use crate::scenario::Scenario;
use crate::turn::{Analysis, Cause, Measures};

/// The name of the file within a run folder.
pub const FILE_NAME: &str = "measured.json";

/// A run as its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    pub run_id: String,
    /// RFC 3339, UTC; empty in baselines that were written before it was kept.
    pub started_at: String,
    /// When it became part of a baseline, RFC 3339; `None` for a run that did not.
    pub accepted_at: Option<String>,
    /// Set when this is one side of an A/B run.
    pub side: Option<Side>,
    /// The run can be judged and compared: it ended as planned, and the caller kept its schedule.
    pub valid: bool,
    pub fingerprint: Fingerprint,
    pub steps: Vec<StepPrint>,
    /// Latencies, to the microsecond, what happened in each turn or not, and `calls_ok`.
    pub measures: Measures,
    /// How each call ended, in the order of their ids; empty in baselines of before.
    pub ends: Vec<End>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    pub call: CallId,
    pub outcome: Outcome,
    /// Why it failed; `None` when it succeeded.
    pub cause: Option<Cause>,
}

/// What a file of one run records of nights.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Nothing {}

impl End {
    /// Whether the call succeeded; `None` for one that says nothing about the agent.
    fn ok(self) -> Option<bool> {
        let is_ours = matches!(self.outcome, Outcome::Stopped | Outcome::OurFault);
        (!is_ours).then_some(self.cause.is_none())
    }
}

impl Measured {
    /// The values of a run of `scenario`; `valid` as the verdict found it.
    pub fn take(analysis: &Analysis, scenario: &Scenario, valid: bool) -> Self {
        let head = &analysis.head;
        let ends = analysis.calls.iter().map(|call| End {
            call: call.call,
            outcome: call.outcome,
            cause: call.failure.as_ref().map(|failure| failure.cause),
        });
        Self {
            run_id: head.run_id.clone(),
            started_at: head.started_at.clone(),
            accepted_at: None,
            side: head.arm.as_ref().map(|arm| arm.side),
            valid,
            fingerprint: Fingerprint::take(analysis, scenario),
            steps: StepPrint::all(head, scenario),
            measures: table::rounded(&analysis.measures),
            ends: ends.collect(),
        }
    }

    /// What a baseline keeps of it: how every call ended, and the values of some of a large number.
    pub(crate) fn compact(self) -> Self {
        let Self { measures, .. } = self;
        let measures = match compact(&measures) {
            Cow::Owned(some) => some,
            Cow::Borrowed(_) => measures,
        };
        Self { measures, ..self }
    }

    /// Writes `measured.json`, ending in a line break.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write::<Nothing>(Kind::Measured, (std::slice::from_ref(self), &[]), out)
    }

    /// The text of `measured.json`.
    #[cfg(test)]
    pub(crate) fn to_json(&self) -> String {
        lines::text(|out| self.write(out))
    }

    /// Reads `measured.json`.
    pub fn parse(text: &str) -> Result<Self, MeasuredError> {
        let (mut runs, _) = parse::<Nothing>(Kind::Measured, text)?;
        match (runs.pop(), runs.is_empty()) {
            (Some(run), true) => Ok(run),
            _ => Err(MeasuredError::Contradictory("it holds several runs".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;
