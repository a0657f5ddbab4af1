//! Why spans did not reach a backend, in words that say what to do. Equal failures have equal texts, and no text holds a
//! secret.

use std::time::Duration;

/// What a backend's messages advise; each ends a sentence that names the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// On 401.
    pub unauthorized: &'static str,
    /// On 403.
    pub forbidden: &'static str,
    /// On 404 and 405.
    pub not_found: &'static str,
    /// On a redirect.
    pub redirected: &'static str,
    /// When there is no connection, or it is lost.
    pub unreachable: &'static str,
}

/// Why spans were not sent, or of which it is not known whether they arrived. `place` names the backend with its address;
/// `said` is what it answered, made harmless, with `: ` before it or empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// Refused for what is set: it would refuse everything else, too.
    #[error("{place} refuses the spans (HTTP {status}{said}): {advice}")]
    Refused { place: String, status: u16, said: String, advice: &'static str },
    #[error("{place} redirects (HTTP {status}{to}): {advice}")]
    Redirected { place: String, status: u16, to: String, advice: &'static str },
    #[error("{place} answered HTTP {status}{said}")]
    Status { place: String, status: u16, said: String },
    /// It went on asking to be tried again later.
    #[error("{place} is busy (HTTP {status}{said}) after {attempts} attempts")]
    Busy { place: String, status: u16, said: String, attempts: u32 },
    #[error("{place} is busy (HTTP {status}{said}) and asks to wait {} s", wait.as_secs())]
    Wait { place: String, status: u16, said: String, wait: Duration },
    /// No connection: nothing went out.
    #[error("{place} cannot be reached: {why}; {advice}")]
    Unreachable { place: String, why: String, advice: &'static str },
    /// The request went out, and what became of it is not known.
    #[error("the connection to {place} was lost before it answered: {why}; {advice}")]
    Lost { place: String, why: String, advice: &'static str },
    /// The same.
    #[error("{place} did not answer within {ms} ms")]
    NoAnswer { place: String, ms: u128 },
    #[error(
        "the span `{span}` of call {call} ({kilobytes} kB) is too large for {place} (HTTP 413)"
    )]
    TooLarge { place: String, span: String, call: u32, kilobytes: usize },
    /// A success in which some spans of a request did not take part; which is not said.
    #[error("{place} rejected {spans} of the spans of a request{said}")]
    Rejected { place: String, spans: u64, said: String },
    #[error("not all were sent within {} s", limit.as_secs())]
    Deadline { limit: Duration },
    #[error("sending was stopped")]
    Stopped,
    #[error("the spans of a call cannot be written as OTLP: {0}")]
    NotWritten(String),
    #[error("what has been sent cannot be kept: {0}")]
    NotKept(String),
}

impl ExportError {
    /// Whether there is no sense in going on with this backend now.
    pub const fn ends_all(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::Redirected { .. }
            | Self::Busy { .. }
            | Self::Wait { .. }
            | Self::Unreachable { .. }
            | Self::Deadline { .. }
            | Self::Stopped
            | Self::NotKept(_) => true,
            Self::Status { .. }
            | Self::Lost { .. }
            | Self::NoAnswer { .. }
            | Self::TooLarge { .. }
            | Self::Rejected { .. }
            | Self::NotWritten(_) => false,
        }
    }

    /// The same, when it was the last of so many attempts.
    #[must_use]
    pub(super) fn after(self, attempts: u32) -> Self {
        if let Self::Busy { place, status, said, .. } = self {
            Self::Busy { place, status, said, attempts }
        } else {
            self
        }
    }

    /// The same, when there is no time left for the pause before another attempt.
    #[must_use]
    pub(super) fn too_long(self, wait: Duration) -> Self {
        if let Self::Busy { place, status, said, .. } = self {
            Self::Wait { place, status, said, wait }
        } else {
            self
        }
    }
}
