//! loadcall calls LiveKit voice agents, measures what a caller hears, and says whether the agent got
//! worse and where. The modules stand in the order of the data; ARCHITECTURE.md has the picture and
//! the invariants.

pub use loadcall_base::{audio, random, secret, stats, text, time};

pub mod scenario;
pub mod files;
pub mod http;
pub mod record;
pub mod dialogue;
pub mod clock;
pub mod langfuse;
pub mod plan;
pub mod room;
pub mod call;
pub mod run;
pub mod agent;
pub mod turn;
pub mod measured;
pub mod verdict;
pub mod calibrate;
pub mod spans;
pub mod report;
pub mod export;
pub mod dev;
pub mod cli;
