//! The agent's own spans: what its tracing says of a call, whichever way it came here.

pub mod file;
pub mod forward;
pub mod otlp;
pub mod receiver;
mod span;
pub mod store;
pub mod langfuse;
pub mod timeline;
pub mod sessions;

pub use span::{AgentSpan, Value};
