//! The exit codes, and failures that become one of them with a message on stderr.

use super::terminal::show_error;
pub(super) use super::terminal::{print, tell};
use crate::verdict::Outcome;
use std::fmt;
use std::process::ExitCode;

pub(super) const PASS: u8 = 0;
pub(super) const INTERNAL: u8 = 1;
pub(super) const USAGE: u8 = 2;
pub(super) const NOTHING_MEASURED: u8 = 3;
pub(super) const WORSE: u8 = 4;
pub(super) const NO_VERDICT: u8 = 5;
pub(super) const STOPPED: u8 = 130;

/// The exit code of a judged run.
pub(super) fn of(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Pass | Outcome::Improvement => PASS,
        Outcome::Fail | Outcome::Regression => WORSE,
        Outcome::Inconclusive | Outcome::NotComparable | Outcome::Invalid => NO_VERDICT,
        Outcome::NothingMeasured => NOTHING_MEASURED,
        Outcome::Stopped => STOPPED,
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    /// `None` when the reason was shown already.
    message: Option<String>,
    hint: Option<String>,
}

impl Failure {
    pub(super) fn usage(message: impl fmt::Display) -> Self {
        Self { code: USAGE, message: Some(message.to_string()), hint: None }
    }

    pub(super) fn nothing_measured(message: impl fmt::Display) -> Self {
        Self { code: NOTHING_MEASURED, message: Some(message.to_string()), hint: None }
    }

    pub(super) fn no_verdict(message: impl fmt::Display) -> Self {
        Self { code: NO_VERDICT, message: Some(message.to_string()), hint: None }
    }

    pub(super) fn internal(message: impl fmt::Display) -> Self {
        Self { code: INTERNAL, message: Some(message.to_string()), hint: None }
    }

    /// Ends with this code; the reason was shown already.
    pub(super) fn shown(code: u8) -> Self {
        Self { code, message: None, hint: None }
    }

    /// With what the user can do.
    #[must_use]
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Shows on stderr what went wrong, and gives the exit code.
    pub(super) fn say(&self) -> ExitCode {
        show_error(self.message.as_deref(), self.hint.as_deref());
        ExitCode::from(self.code)
    }
}
