//! A run as its values: which metrics were measured, call by call and step by step, how each call ended,
//! and under which conditions. This is the one compact form of a run: `measured.json` in its folder, the
//! runs of a baseline, and what noise is computed from. Pure.

mod file;
mod fingerprint;
mod lines;
mod table;

pub use file::{MAX_BYTES, MeasuredError};
pub use fingerprint::{Fingerprint, StepPrint, agent_metadata};

pub(crate) use file::{File, Kind};
pub(crate) use fingerprint::joined;

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
    /// Latencies and `calls_ok`, to the microsecond.
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

    /// The text of `measured.json`, ending in a line break.
    pub fn to_json(&self) -> String {
        File::new(Kind::Measured, std::slice::from_ref(self)).to_json()
    }

    /// Reads `measured.json`.
    pub fn parse(text: &str) -> Result<Self, MeasuredError> {
        let mut runs = File::parse(Kind::Measured, text)?.into_runs();
        match (runs.pop(), runs.is_empty()) {
            (Some(run), true) => Ok(run),
            _ => Err(MeasuredError::Contradictory("it holds several runs".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;
