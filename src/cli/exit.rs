//! The exit codes, and failures that become one of them with a message on stderr.

use crate::verdict::Outcome;
use std::fmt;
use std::io::Write as _;
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

    /// Says on stderr what went wrong and gives the exit code.
    pub(super) fn say(&self) -> ExitCode {
        let mut err = anstream::stderr().lock();
        if let Some(message) = &self.message {
            let _ = writeln!(err, "\u{1b}[1;31merror\u{1b}[0m: {message}");
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(err, "\u{1b}[1mhint\u{1b}[0m: {hint}");
        }
        ExitCode::from(self.code)
    }
}

/// Prints a result on stdout. A reader that has gone away is no error of ours.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::internal(format!("cannot write to stdout: {e}")))
        }
        _ => Ok(()),
    }
}

/// Says something on stderr that is neither result nor failure.
pub(super) fn tell(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}
