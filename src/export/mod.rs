//! What leaves for other systems: each finished call as a trace in Langfuse. A call is exported
//! after it ended, from what was recorded, and nothing that goes wrong here reaches a call.

pub mod langfuse;
mod queue;
pub mod trace;

pub use queue::{ExportSummary, Exporter};
