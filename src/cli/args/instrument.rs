//! The flags of the commands about loadcall itself: its scripted agent, and its own error.

use super::{EnvArgs, KeyArgs, seed, whole};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(in crate::cli) struct CalibrateArgs {
    /// Concurrent calls.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = whole(1..=500, "50"))]
    pub(in crate::cli) concurrency: u32,
    /// Total calls (default: 6, or twice the concurrent calls if that is more).
    #[arg(long, value_name = "M", value_parser = whole(1..=10_000, "100"))]
    pub(in crate::cli) calls: Option<u32>,
    /// Packet loss in each direction, such as 1%.
    #[arg(long, default_value = "0%", value_name = "PERCENT", value_parser = percent)]
    pub(in crate::cli) loss: f64,
    /// Jitter in each direction: the longest extra delay of a packet, in milliseconds.
    #[arg(long, default_value_t = 0, value_name = "MS", value_parser = whole(0..=1_000, "20"))]
    pub(in crate::cli) jitter_ms: u32,
    /// Also write the result to this file.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Keep the recording, the ground truth and the server's log in this folder (default: delete them).
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) keep: Option<PathBuf>,
    /// Random seed of the confidence intervals, the packet loss and the jitter.
    #[arg(long, default_value_t = 1, value_parser = seed)]
    pub(in crate::cli) seed: u64,
    /// Print only the result and errors.
    #[arg(long, short)]
    pub(in crate::cli) quiet: bool,
    /// Show log lines of loadcall and the LiveKit SDK with their times (-vv: more).
    #[arg(long, short, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(in crate::cli) verbose: u8,
}

/// `1%` as 1.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    number
        .filter(|percent| (0.0..100.0).contains(percent))
        .ok_or_else(|| "write a percentage from 0% to below 100%, such as 1%".into())
}

#[derive(Debug, Args)]
#[command(override_usage = "loadcall agent [OPTIONS]")]
pub(in crate::cli) struct AgentArgs {
    /// Agent name for dispatch.
    #[arg(long, default_value = "demo-agent", value_name = "NAME")]
    pub(in crate::cli) name: String,
    /// Script (JSON) for calls without dispatch metadata (default: reply with fixed delays).
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) script: Option<PathBuf>,
    /// Append ground truth (JSON lines) to this file.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) truth: Option<PathBuf>,
    /// Let the script of a call crash this agent with all its calls (`faults: [{kind: crash}]`).
    #[arg(long)]
    pub(in crate::cli) allow_crash: bool,
    /// Show log lines of loadcall and the LiveKit SDK with their times (-vv: more).
    #[arg(long, short, action = clap::ArgAction::Count)]
    pub(in crate::cli) verbose: u8,
    #[command(flatten)]
    pub(in crate::cli) env: EnvArgs,
    #[command(flatten)]
    pub(in crate::cli) keys: KeyArgs,
}
