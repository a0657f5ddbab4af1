//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "What a simulated call costs, beside the least that it can cost")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) bench: Bench,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Bench {
    /// How many calls at a time, one table for each.
    #[arg(long, value_delimiter = ',', default_value = "10,50,100,200",
          value_parser = clap::value_parser!(u32).range(1..=2_000))]
    pub(crate) calls: Vec<u32>,
    /// How often each is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) repeats: u32,
    /// Seconds measured each time, after everybody is connected.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) window: u64,
    /// Seconds that the floor is measured each time, alone and beside the calls.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) floor_window: u64,
    /// The official load tester, to be measured in turn.
    #[arg(long)]
    pub(crate) lk: Option<PathBuf>,
    /// What is said, a WAV file.
    #[arg(long, default_value = "scenarios/clips/hours.wav")]
    pub(crate) clip: PathBuf,
    /// Where all numbers go as JSON.
    #[arg(long, default_value = "target/bench-calls.json")]
    pub(crate) json: PathBuf,
}

#[derive(Debug, Subcommand)]
#[command(hide = true)]
pub(crate) enum Role {
    /// Places calls, as loadcall does.
    #[command(hide = true)]
    Caller(Room),
    /// Answers in every room of the server.
    #[command(hide = true)]
    Agent(Room),
    /// Seals, sends, receives, opens, decodes and judges packets, and nothing else.
    #[command(hide = true)]
    Floor(Floor),
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Room {
    #[arg(long)]
    pub(crate) url: String,
    #[arg(long)]
    pub(crate) api_key: String,
    /// Of a private server that lives as long as the benchmark, and known to everybody.
    #[arg(long)]
    pub(crate) api_secret: String,
    #[arg(long)]
    pub(crate) calls: u32,
    #[arg(long)]
    pub(crate) clip: PathBuf,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Floor {
    #[arg(long)]
    pub(crate) calls: u32,
    #[arg(long)]
    pub(crate) clip: PathBuf,
}
