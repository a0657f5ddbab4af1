//! The command line: reads inputs, calls the rest, writes outputs, chooses the exit code.

mod ab;
mod accept;
mod agent;
mod calibrate;
mod calibrations;
mod check;
mod clips;
mod compare;
mod exit;
mod files;
mod loaded;
mod logging;
mod machine;
mod noise;
mod pair;
mod progress;
mod report;
mod run;
mod server;
mod session;
mod spec;
mod stop;
mod traces;

use crate::secret::Secret;
use crate::verdict::Different;
use clap::{Args, Parser, Subcommand};
use progress::Verbosity;
use std::path::PathBuf;
use std::process::ExitCode;

/// Calls LiveKit voice agents, measures what a caller hears, and says whether the agent got worse
/// and where.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    pass
  1    internal error
  2    wrong usage or invalid scenario
  3    nothing measured: no server, or no call reached an agent
  4    worse: a threshold, an expectation or the comparison with the baseline failed
  5    no verdict: inconclusive, not comparable, or the calling machine was overloaded
  130  stopped; what was measured is reported

The result goes to stdout, progress and messages to stderr. LOADCALL_LOG=info (or debug) shows what
the media engine and the LiveKit crate log.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Place the calls of a scenario, report them and judge them.
    Run(Box<RunArgs>),
    /// Answer calls as an agent whose every delay is scripted, until stopped.
    Agent(AgentArgs),
    /// Find how far off loadcall's own numbers are on this machine: calls to an agent whose delays are
    /// known, on a private livekit-server. Later reports carry the result.
    Calibrate(CalibrateArgs),
    /// Call two agents in turn, and judge the second against the first.
    Ab(Box<AbArgs>),
    /// Measure how much an unchanged agent differs from itself, and what can be found against that.
    Noise(Box<NoiseArgs>),
    /// Show every fault of scenario files, and what their clips contain. Needs no server.
    Check {
        /// Scenario files.
        #[arg(required = true, value_name = "FILE")]
        scenarios: Vec<PathBuf>,
    },
    /// Judge a run again, against a baseline, or an A/B run. Needs no server.
    Compare {
        #[command(flatten)]
        run: RecordedRun,
        /// The baseline file, or another run. Default: the scenario's baseline.
        #[arg(value_name = "BASELINE")]
        baseline: Option<PathBuf>,
        #[command(flatten)]
        different: DifferentArg,
    },
    /// Add a run to the baseline that later runs of its scenario are compared with.
    ///
    /// The newest runs are kept, 7 unless the scenario says otherwise (`baseline: {runs: 7}`). From 5
    /// on it is known how much runs differ by themselves.
    Accept {
        #[command(flatten)]
        run: RecordedRun,
        /// Start the baseline anew with this run, after a change that is meant to stay.
        #[arg(long)]
        replace: bool,
        /// Where to store it. Default: beside the scenario, as <scenario>.baseline.json.
        #[arg(long, value_name = "FILE")]
        baseline: Option<PathBuf>,
    },
    /// Print the report of a run again. Needs no server.
    Report {
        #[command(flatten)]
        run: RecordedRun,
        /// The form to print it in.
        #[arg(long, value_enum, default_value = "text")]
        format: report::Format,
        /// The baseline file. Default: the scenario's baseline, when there is one.
        #[arg(long, value_name = "FILE")]
        baseline: Option<PathBuf>,
        #[command(flatten)]
        different: DifferentArg,
    },
}

#[derive(Debug, Clone, Copy, Args)]
struct DifferentArg {
    /// Compare although the baseline is of something else: another agent, load, audio or script of the
    /// same turns. What differs is printed.
    #[arg(long)]
    allow_different: bool,
}

impl From<DifferentArg> for Different {
    fn from(arg: DifferentArg) -> Self {
        if arg.allow_different { Self::Allowed } else { Self::Blocks }
    }
}

#[derive(Debug, Args)]
struct RecordedRun {
    /// A run folder (such as reports/latest) or its run.jsonl.
    #[arg(value_name = "RUN")]
    path: PathBuf,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The scenario file.
    #[arg(value_name = "SCENARIO")]
    scenario: PathBuf,
    /// The baseline file. Default: <scenario>.baseline.json, when there is one.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    different: DifferentArg,
    #[command(flatten)]
    placing: PlacingArgs,
}

const AB_HELP: &str = "\
AGENT is the name an agent registers with, or key=value pairs with commas between them:
  name=NAME             dispatch name; `name=` for automatic dispatch
  metadata={…}          JSON for the agent; metadata=@FILE reads it from a file
  url=wss://HOST        another LiveKit server, with the keys of the first unless these are given:
  api-key-env=VARIABLE, api-secret-env=VARIABLE
What is not given is as in the scenario. Each agent gets as many calls as the scenario says, in
blocks A B B A or B A A B, and both share its concurrency. DIR/a and DIR/b are runs that every other
command takes; `loadcall compare DIR` judges both again.";

#[derive(Debug, Args)]
#[command(after_help = AB_HELP)]
struct AbArgs {
    /// The scenario file.
    #[arg(value_name = "SCENARIO")]
    scenario: PathBuf,
    /// The agent that is there. Default: the scenario's.
    #[arg(long, value_name = "AGENT")]
    a: Option<spec::AgentSpec>,
    /// The agent that is held against it.
    #[arg(long, value_name = "AGENT")]
    b: spec::AgentSpec,
    #[command(flatten)]
    placing: PlacingArgs,
}

#[derive(Debug, Args)]
struct NoiseArgs {
    /// A scenario, whose calls are placed several times; or runs that were recorded before.
    #[arg(value_name = "SCENARIO|RUN", required = true)]
    paths: Vec<PathBuf>,
    /// How often the scenario is run. Each run has a folder of its own, DIR/1 and so on.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..=100))]
    runs: u32,
    #[command(flatten)]
    placing: PlacingArgs,
}

/// What every command that places calls takes.
#[derive(Debug, Args)]
struct PlacingArgs {
    /// Folder for this run's files. Default: reports/<run id>, with reports/latest pointing at it.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Seed of everything random in the judgement; the same recording and seed give the same one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print nothing but the result and errors.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    langfuse: LangfuseArgs,
}

impl PlacingArgs {
    fn verbosity(&self) -> Verbosity {
        if self.quiet { Verbosity::Quiet } else { Verbosity::Normal }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "LiveKit server")]
struct KeyArgs {
    /// Address of the LiveKit server, ws:// or wss://.
    #[arg(long, env = "LIVEKIT_URL", value_name = "URL")]
    url: Option<String>,
    /// The key that signs the callers' tokens.
    #[arg(long, env = "LIVEKIT_API_KEY", value_name = "KEY")]
    api_key: Option<String>,
    /// Its secret; better given in the environment, where other users of the machine do not see it.
    #[arg(long, env = "LIVEKIT_API_SECRET", value_name = "SECRET", hide_env_values = true)]
    api_secret: Option<Secret>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "LiveKit server")]
struct ServerArgs {
    #[command(flatten)]
    keys: KeyArgs,
    /// Start a private livekit-server on loopback for this run instead.
    #[arg(long)]
    dev: bool,
    /// Start this agent beside the run (a shell command, which finds address and keys of the server
    /// in its environment) and end it afterwards.
    #[arg(long, value_name = "COMMAND")]
    agent_command: Option<String>,
    /// Start a scripted agent (`loadcall agent`) of the scenario's agent name beside the private server.
    #[arg(long, requires = "dev", conflicts_with = "agent_command")]
    dev_agent: bool,
    /// Record the server's version and region. A server names them only to agents, so loadcall registers
    /// a worker named loadcall-server-info with it for a moment. Always done with --dev.
    #[arg(long)]
    server_info: bool,
}

#[derive(Debug, Args)]
struct CalibrateArgs {
    /// Calls at a time.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    concurrency: u32,
    /// Calls in all. Default: 6, and with more at a time twice that many.
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    calls: Option<u32>,
    /// Share of packets that the network loses in either direction, such as 1%.
    #[arg(long, default_value = "0%", value_name = "PERCENT", value_parser = percent)]
    loss: f64,
    /// How much longer than others a packet may take in either direction, in milliseconds.
    #[arg(long, default_value_t = 0, value_name = "MS", value_parser = clap::value_parser!(u32).range(0..=1_000))]
    jitter_ms: u32,
    /// Write the result to this file as well.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Folder for the recording, the agent's truth and the server's log. Default: none is kept.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Seed of the intervals and of the bad network.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print nothing but the result and errors.
    #[arg(long, short)]
    quiet: bool,
}

/// `1%` as 1.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    number
        .filter(|percent| (0.0..100.0).contains(percent))
        .ok_or_else(|| "write a share of packets from 0% to below 100%, such as 1%".into())
}

#[derive(Debug, Args)]
struct AgentArgs {
    /// The name it registers with, by which callers ask for it.
    #[arg(long, default_value = "demo-agent", value_name = "NAME")]
    name: String,
    /// What it does in a call whose dispatch metadata says nothing (JSON). Default: answers with
    /// fixed delays.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Append what it really did, and when, to this file (a JSON object a line).
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Langfuse (each call becomes a trace when both keys are set)")]
struct LangfuseArgs {
    /// The public key of a Langfuse project.
    #[arg(long = "langfuse-public-key", env = "LANGFUSE_PUBLIC_KEY", value_name = "KEY")]
    public_key: Option<String>,
    /// Its secret key; better given in the environment, where other users do not see it.
    #[arg(
        long = "langfuse-secret-key",
        env = "LANGFUSE_SECRET_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    secret_key: Option<Secret>,
    /// Address of Langfuse. Default: its own cloud.
    #[arg(long = "langfuse-base-url", env = "LANGFUSE_BASE_URL", value_name = "URL")]
    base_url: Option<String>,
    /// Which Langfuse environment the traces belong to. Default: loadcall.
    #[arg(
        long = "langfuse-environment",
        env = "LANGFUSE_TRACING_ENVIRONMENT",
        value_name = "NAME"
    )]
    environment: Option<String>,
}

/// Runs the command line and says how it went.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are no errors; clap prints each where it belongs.
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { exit::USAGE } else { exit::PASS });
        }
    };
    let done = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Agent(args) => agent::agent(&args),
        Command::Calibrate(args) => calibrate::calibrate(&args),
        Command::Ab(args) => ab::ab(&args),
        Command::Noise(args) => noise::noise(&args),
        Command::Check { scenarios } => check::check(&scenarios),
        Command::Compare { run, baseline, different } => {
            compare::compare(&run.path, baseline.as_deref(), different.into())
        }
        Command::Accept { run, replace, baseline } => {
            let earlier = if replace { accept::Earlier::Drop } else { accept::Earlier::Keep };
            accept::accept(&run.path, baseline.as_deref(), earlier)
        }
        Command::Report { run, format, baseline, different } => {
            report::report(&run.path, format, baseline.as_deref(), different.into())
        }
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.say(),
    }
}
