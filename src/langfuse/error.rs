//! Why Langfuse gave no answer that can be used, and what to do about it.

use std::time::Duration;

/// Texts of the server in it are on one line, short, harmless, and hold no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    #[error(transparent)]
    Http(#[from] crate::http::ClientError),
    #[error(
        "Langfuse at {url} does not know these keys (HTTP 401): check LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, and that they belong to a project at this LANGFUSE_BASE_URL"
    )]
    Unauthorized { url: String },
    #[error(
        "Langfuse at {url} does not allow this with these keys (HTTP 403{said}): use the secret key of the project, with access to all of it"
    )]
    Forbidden { url: String, said: String },
    #[error(
        "Langfuse at {url} has no `{path}` (HTTP 404{said}): it needs {needs}, and LANGFUSE_BASE_URL is the address of the web interface, without a path of its API"
    )]
    NotFound { url: String, path: String, needs: &'static str, said: String },
    #[error(
        "{url} redirects (HTTP {status}{to}), which would lose the keys: set LANGFUSE_BASE_URL to the address it leads to"
    )]
    Redirected { url: String, status: u16, to: String },
    #[error("Langfuse at {url} refused the request (HTTP {status}{said})")]
    Refused { url: String, status: u16, said: String },
    #[error(
        "Langfuse at {url} takes no more requests for now (HTTP {status}) and asks to wait {seconds} s, longer than is left: try again later, or ask for less"
    )]
    Busy { url: String, status: u16, seconds: u64 },
    #[error("Langfuse at {url} failed {attempts} times, at last with HTTP {status}{said}")]
    Failing { url: String, status: u16, attempts: u32, said: String },
    #[error(
        "Langfuse at {url} cannot be reached: {why}; check LANGFUSE_BASE_URL and that the server runs"
    )]
    Unreachable { url: String, why: String },
    #[error("Langfuse at {url} did not answer within {seconds} s")]
    Deadline { url: String, seconds: u64 },
    #[error(
        "the answer of Langfuse at {url} to `{path}` is larger than {} MB: ask for less at a time", limit / 1_000_000
    )]
    TooLarge { url: String, path: String, limit: usize },
    #[error("the answer of Langfuse at {url} to `{path}` is not usable: {why}")]
    Unusable { url: String, path: String, why: String },
}

impl ApiError {
    /// The status of the answer, where there was one.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Unauthorized { .. } => Some(401),
            Self::Forbidden { .. } => Some(403),
            Self::NotFound { .. } => Some(404),
            Self::Busy { status, .. }
            | Self::Redirected { status, .. }
            | Self::Refused { status, .. }
            | Self::Failing { status, .. } => Some(*status),
            Self::Http(_)
            | Self::Unreachable { .. }
            | Self::Deadline { .. }
            | Self::TooLarge { .. }
            | Self::Unusable { .. } => None,
        }
    }

    /// Whether every further request would fail in the same way: what is wrong are the settings.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Http(_)
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::Redirected { .. } => true,
            Self::NotFound { .. }
            | Self::Refused { .. }
            | Self::Busy { .. }
            | Self::Failing { .. }
            | Self::Unreachable { .. }
            | Self::Deadline { .. }
            | Self::TooLarge { .. }
            | Self::Unusable { .. } => false,
        }
    }
}

/// The version that has a path. Langfuse 4 dropped most of what Langfuse 3 had for reading
/// (web/src/features/public-api, `rejectInEventsOnlyMode`).
pub(super) fn needs(path: &str) -> &'static str {
    let new = ["/v2/observations", "/v2/metrics", "/v3/", "/experiment"];
    let old = ["/public/traces", "/public/sessions", "/public/observations", "/dataset-run-items"];
    if new.iter().any(|part| path.contains(part)) {
        "Langfuse 4"
    } else if old.iter().any(|part| path.contains(part)) {
        "Langfuse 3, or a Langfuse 4 that still writes the tables of Langfuse 3"
    } else {
        "Langfuse 3 or newer"
    }
}

/// Whole seconds, at least one.
pub(super) fn seconds(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}
