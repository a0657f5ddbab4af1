//! What leaves for other systems: each finished call as a trace in Langfuse. A run is exported
//! when its last call has ended, from what was recorded, and nothing that goes wrong here reaches a call.

pub mod langfuse;
mod run;
pub mod trace;

pub use run::{ExportSummary, export_run};
