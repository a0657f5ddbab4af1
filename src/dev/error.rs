//! Why a private process is not there, and the limits that the texts name.

use super::log_end::LogEnd;
use super::ready::Ready;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// How long the server may take until it answers, and an agent until it is ready.
pub(super) const SERVER_START: Duration = Duration::from_secs(15);
pub const AGENT_START: Duration = Duration::from_secs(90);

#[derive(Debug, thiserror::Error)]
pub enum DevError {
    #[error("livekit-server not found on the PATH or in .tools/bin")]
    NoServer,
    #[error("cannot start `{program}`: {source}")]
    Spawn { program: String, source: std::io::Error },
    #[error("no free port on loopback: {0}")]
    Port(std::io::Error),
    #[error(
        "cannot relay the media of a private server (needs all of 127.0.0.0/8, which only Linux sets up): {0}"
    )]
    Relay(std::io::Error),
    #[error("cannot write the log `{path}`: {source}")]
    Log { path: PathBuf, source: std::io::Error },
    #[error("livekit-server exited before it was ready ({status}): see `{log}`")]
    ServerEnded { status: ExitStatus, log: PathBuf },
    #[error("livekit-server was not ready within {SERVER_START:?}: see `{log}`")]
    ServerSilent { log: PathBuf },
    #[error(
        "port {0} is in use before the agent was started: end what listens there, or choose another port"
    )]
    PortInUse(u16),
    #[error("the agent command exited before the agent was ready ({status}); {end}")]
    AgentEnded { status: ExitStatus, end: LogEnd },
    #[error("the agent did not {ready} within {timeout:?}; {end}")]
    AgentSilent { ready: Ready, timeout: Duration, end: LogEnd },
}
