//! The flags of `doctor`.

use super::{ClipArgs, EnvArgs, LangfuseArgs, OverrideArgs, ServerArgs, trace};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DoctorFormat {
    /// A line for each check, as it is done.
    Text,
    /// One JSON document.
    Json,
}

/// What can be checked without a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DoctorPart {
    /// Whether calls can reach the server.
    Server,
    /// Whether this machine can place so many calls.
    Machine,
    /// Whether traces arrive where they are sent.
    Tracing,
}

#[derive(Debug, Args)]
#[command(override_usage = "loadcall doctor [OPTIONS] [SCENARIO]")]
pub(in crate::cli) struct DoctorArgs {
    /// Scenario whose agent is called once. Without one the agent is not tested.
    #[arg(value_name = "SCENARIO")]
    pub(in crate::cli) scenario: Option<PathBuf>,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    pub(in crate::cli) format: DoctorFormat,
    /// Check this alone. A scenario says how many calls the machine has to place; none is placed.
    #[arg(long, value_enum, value_name = "AREA")]
    pub(in crate::cli) only: Option<DoctorPart>,
    /// Longest time to wait until Langfuse gives back the trace that it was sent, such as 30s or 2m.
    #[arg(long, value_name = "DURATION", default_value = "45s", value_parser = trace::wait)]
    pub(in crate::cli) wait: Duration,
    /// Show log lines of loadcall and the LiveKit SDK with their times (-vv: more).
    #[arg(long, short, action = clap::ArgAction::Count)]
    pub(in crate::cli) verbose: u8,
    #[command(flatten)]
    pub(in crate::cli) clips: ClipArgs,
    #[command(flatten)]
    pub(in crate::cli) env: EnvArgs,
    #[command(flatten)]
    pub(in crate::cli) overrides: OverrideArgs,
    #[command(flatten)]
    pub(in crate::cli) server: ServerArgs,
    #[command(flatten)]
    pub(in crate::cli) langfuse: LangfuseArgs,
}
