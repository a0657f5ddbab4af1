//! Private processes for one run: a livekit-server on loopback and, when asked for, the agent under
//! test. They end when the run ends, also when it fails or loadcall is killed.

mod agent;
mod error;
mod network;
mod process;
mod server;
mod supervisor;

pub use agent::DevAgent;
pub use error::{DevError, SERVER_MODULE};
pub use network::{Lane, Media, Network, Relay};
pub use process::Launch;
pub use server::DevServer;
pub use supervisor::supervise;
