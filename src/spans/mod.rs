//! The agent's own spans: what its tracing says of a call, whichever way it came here.

mod span;

pub use span::{AgentSpan, Value};
