//! Why there is no result.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot start: {0}")]
    Start(std::io::Error),
    #[error("cannot read the clip `{path}`: {reason}")]
    Clip { path: PathBuf, reason: String },
    #[error("cannot start `{program}`: {source}")]
    Spawn { program: String, source: std::io::Error },
    #[error("{who} gave up: {reason}; see what it wrote above")]
    Gone { who: &'static str, reason: String },
    #[error("{who} was not ready within {seconds} s")]
    NotReady { who: &'static str, seconds: u64 },
    #[error("cannot read the CPU time and memory of {who}: it has ended")]
    NoUsage { who: &'static str },
    #[error("the call to {room} failed: {reason}")]
    Call { room: String, reason: String },
    #[error("cannot open the sockets of the floor: {0}")]
    Floor(std::io::Error),
    #[error("cannot write `{path}`: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("no private livekit-server: {0}")]
    Server(#[from] loadcall::dev::DevError),
    #[error("stopped")]
    Stopped,
}
