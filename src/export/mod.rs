//! What leaves for other systems: each finished call as a trace, in Langfuse and in any backend of OTLP. A run is exported
//! when its last call has ended, from what was recorded, and nothing that goes wrong here reaches a call.

pub mod experiment;
pub mod langfuse;
pub mod ledger;
pub mod otlp;
pub mod probe;
mod run;
pub mod scores;
#[cfg(test)]
mod testing;
pub mod trace;

pub use run::{Export, ExportSummary, export_run};
