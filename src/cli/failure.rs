//! Failures of commands, each with its exit code.

use super::exit::{INTERNAL, NO_VERDICT, NOTHING_MEASURED, USAGE};
use std::fmt;
use std::process::ExitCode;

/// Why a command could not do its work: what is shown of it, and the exit code.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    /// `None` when the reason was shown already.
    message: Option<String>,
    hint: Option<String>,
    /// Commands that do what the hint says, to be copied.
    commands: Vec<String>,
}

impl Failure {
    pub(super) fn usage(message: impl fmt::Display) -> Self {
        Self { code: USAGE, message: Some(message.to_string()), hint: None, commands: Vec::new() }
    }

    pub(super) fn nothing_measured(message: impl fmt::Display) -> Self {
        Self {
            code: NOTHING_MEASURED,
            message: Some(message.to_string()),
            hint: None,
            commands: Vec::new(),
        }
    }

    pub(super) fn no_verdict(message: impl fmt::Display) -> Self {
        Self {
            code: NO_VERDICT,
            message: Some(message.to_string()),
            hint: None,
            commands: Vec::new(),
        }
    }

    pub(super) fn internal(message: impl fmt::Display) -> Self {
        Self {
            code: INTERNAL,
            message: Some(message.to_string()),
            hint: None,
            commands: Vec::new(),
        }
    }

    /// Ends with this code; the reason was shown already.
    pub(super) fn shown(code: u8) -> Self {
        Self { code, message: None, hint: None, commands: Vec::new() }
    }

    /// With what the user can do.
    #[must_use]
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// With a command that does what the hint says.
    #[must_use]
    pub(super) fn command(mut self, command: impl Into<String>) -> Self {
        self.commands.push(command.into());
        self
    }

    /// The exit code of the program.
    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// The same as a number.
    pub(super) fn exit_code(&self) -> u8 {
        self.code
    }

    /// What went wrong, unless it was shown already.
    pub(super) fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// What the user can do.
    pub(super) fn remedy(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Commands that do it.
    pub(super) fn commands(&self) -> &[String] {
        &self.commands
    }
}
