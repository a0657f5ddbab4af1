//! The verdict that a run was given when it was placed, as `verdict.json` keeps it beside the recording: a
//! baseline changes with every accepted run, and what a job said last night must not change with it.

use serde::{Deserialize, Serialize};

use super::{FailOn, Verdict};

/// The format this version writes, and the only one it reads: a verdict of before is given again.
const FORMAT: u32 = 2;
const KIND: &str = "loadcall verdict";

/// The name of the file within a run folder.
pub const FILE_NAME: &str = "verdict.json";

/// The longest file that is read. Reasons are sentences and tables have a row a metric or a step.
pub const MAX_BYTES: u64 = 4 << 20;

/// A verdict with what it was given for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    format: u32,
    kind: String,
    /// The id of the run.
    pub run: String,
    /// RFC 3339, UTC.
    pub judged_at: String,
    pub loadcall_version: String,
    /// What failed the job.
    pub fail_on: FailOn,
    pub verdict: Verdict,
}

/// Why a kept verdict is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GivenError {
    #[error("it is not a verdict (line {line}, column {column})")]
    NotOne { line: usize, column: usize },
    #[error("its format is {0}; this loadcall reads {FORMAT}")]
    Format(u32),
    #[error("it is of another run")]
    OtherRun,
}

fn pretty(given: &Given) -> String {
    serde_json::to_string_pretty(given).expect("plain data has a JSON text")
}

#[derive(Deserialize)]
struct Version {
    format: u32,
    kind: String,
}

impl Given {
    /// The verdict of a run, judged at this time (RFC 3339, UTC).
    pub fn new(run: &str, judged_at: &str, fail_on: FailOn, verdict: Verdict) -> Self {
        Self {
            format: FORMAT,
            kind: KIND.to_owned(),
            run: run.to_owned(),
            judged_at: judged_at.to_owned(),
            loadcall_version: env!("CARGO_PKG_VERSION").to_owned(),
            fail_on,
            verdict,
        }
    }

    /// The text of the file, ending in a line break.
    pub fn to_json(&self) -> String {
        pretty(self) + "\n"
    }

    /// Reads the file of the run with this id.
    pub fn parse(text: &str, run: &str) -> Result<Self, GivenError> {
        let not_one =
            |e: serde_json::Error| GivenError::NotOne { line: e.line(), column: e.column() };
        let version: Version = serde_json::from_str(text).map_err(not_one)?;
        if version.kind != KIND {
            return Err(GivenError::NotOne { line: 1, column: 1 });
        }
        if version.format != FORMAT {
            return Err(GivenError::Format(version.format));
        }
        let given: Self = serde_json::from_str(text).map_err(not_one)?;
        if given.run != run {
            return Err(GivenError::OtherRun);
        }
        if given.verdict.reasons.is_empty() {
            return Err(GivenError::NotOne { line: 1, column: 1 });
        }
        Ok(given)
    }
}
