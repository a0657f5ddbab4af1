//! The flags of `doctor`.

use super::{ClipArgs, EnvArgs, LangfuseArgs, OverrideArgs, ServerArgs};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DoctorFormat {
    /// A line for each check, as it is done.
    Text,
    /// One JSON document.
    Json,
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
