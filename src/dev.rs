//! Private processes for one run: a livekit-server on loopback and, when asked for, the agent under
//! test. They end when the run ends, also when it fails or loadcall is killed.

mod agent;
mod error;
mod log_end;
mod network;
mod process;
mod ready;
mod server;
mod supervisor;

pub use agent::{AgentStart, DevAgent};
pub use error::{AGENT_START, DevError};
pub use log_end::LogEnd;
pub use network::{Lane, Media, Network, Relay};
pub use process::Launch;
pub use ready::Ready;
pub use server::DevServer;
pub use supervisor::supervise;
