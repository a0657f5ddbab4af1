//! The flags of `loadcall trace`.

use super::{EnvArgs, LangfuseArgs};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(in crate::cli) struct TraceArgs {
    /// Run folder or run.jsonl, with the number of one of its calls; or a session, by its id (the name or
    /// id of its room), the id of its trace, or its address in Langfuse.
    #[arg(value_name = "RUN|SESSION")]
    pub(in crate::cli) target: String,
    /// Number of a call of the run.
    #[arg(value_name = "CALL")]
    pub(in crate::cli) call: Option<u32>,
    /// Show one turn, by its number in the list or by its id.
    #[arg(long, value_name = "TURN")]
    pub(in crate::cli) turn: Option<String>,
    /// Read the agent's spans from this file of OTLP JSON.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) spans: Option<PathBuf>,
    /// Longest time to wait until Langfuse has the agent's spans, such as 30s or 2m.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = wait)]
    pub(in crate::cli) wait: Duration,
    /// Folder of runs in which a session is looked for.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(in crate::cli) reports: PathBuf,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    pub(in crate::cli) format: TraceFormat,
    /// Print only the result and errors.
    #[arg(long, short)]
    pub(in crate::cli) quiet: bool,
    #[command(flatten)]
    pub(in crate::cli) env: EnvArgs,
    #[command(flatten)]
    pub(in crate::cli) langfuse: LangfuseArgs,
}

/// The forms a timeline can be printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum TraceFormat {
    /// Plain text, with waterfalls of the slowest turns.
    Text,
    /// JSON (docs/files.md).
    Json,
    /// One page, for a browser.
    Html,
}

/// A time from nothing to ten minutes.
pub(super) fn wait(text: &str) -> Result<Duration, String> {
    let most = Duration::from_secs(600);
    let length = crate::scenario::parse_duration(text).map_err(|e| e.to_string());
    length
        .and_then(|length| if length <= most { Ok(length) } else { Err("out of range".to_owned()) })
        .map_err(|why| format!("{why}: write a time up to 10m, such as 30s"))
}
