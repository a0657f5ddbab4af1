//! The commands and their flags. The doc comments here are the help texts.

use super::clips::Outside;
use super::progress::Verbosity;
use super::spec::AgentSpec;
use crate::dev::Ready;
use crate::secret::Secret;
use crate::verdict::Mismatch;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Places simulated calls to LiveKit voice agents, measures what the caller hears, and reports whether
/// the agent got worse and which stage caused it.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    pass
  1    internal error
  2    invalid usage or scenario
  3    nothing measured: no server, or no call reached an agent
  4    failed: a threshold, an expectation, or the comparison with the baseline
  5    no verdict: inconclusive, not comparable, or the calling machine was overloaded
  130  stopped by a signal; the calls measured so far are reported

Results go to stdout, progress and messages to stderr. LOADCALL_LOG=info (or debug) shows the logs
of the media engine and the LiveKit SDK.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Place the calls of a scenario, then report and judge them.
    Run(Box<RunArgs>),
    /// Answer calls as a scripted agent with known delays, until stopped.
    Agent(AgentArgs),
    /// Measure loadcall's own error on this machine.
    ///
    /// Calls an agent with known delays on a private livekit-server. Later reports include the result.
    Calibrate(CalibrateArgs),
    /// Call two agents alternately, and compare the second with the first.
    Ab(Box<AbArgs>),
    /// Measure run-to-run variation of an unchanged agent, and the smallest detectable slowdown.
    Noise(Box<NoiseArgs>),
    /// Check scenario files and their clips, and show every error. Needs no server.
    Check {
        /// Scenario files.
        #[arg(required = true, value_name = "FILE")]
        scenarios: Vec<PathBuf>,
        #[command(flatten)]
        clips: ClipArgs,
    },
    /// Print the JSON Schema of scenario files, for editors.
    Schema,
    /// Compare a recorded run with a baseline or another run, or judge an A/B run again. Needs no server.
    Compare {
        #[command(flatten)]
        run: RecordedRun,
        /// Baseline file, or another run (default: the scenario's baseline).
        #[arg(value_name = "BASELINE")]
        baseline: Option<PathBuf>,
        #[command(flatten)]
        different: DifferentArg,
    },
    /// Add a run to the baseline of its scenario.
    ///
    /// Later runs of the scenario are compared with its baseline, which keeps the newest 7 runs unless
    /// the scenario sets another number (`baseline: {runs: 7}`). With 5 or more, comparisons include
    /// run-to-run variation.
    Accept {
        #[command(flatten)]
        run: RecordedRun,
        /// Start over with this run, after an intended change.
        #[arg(long)]
        replace: bool,
        /// Baseline file (default: <scenario>.baseline.json beside the scenario).
        #[arg(long, value_name = "FILE")]
        baseline: Option<PathBuf>,
    },
    /// Print the report of a recorded run. Needs no server.
    Report {
        #[command(flatten)]
        run: RecordedRun,
        /// Output format.
        #[arg(long, value_enum, default_value = "text")]
        format: ReportFormat,
        /// Baseline file (default: the scenario's baseline, if it exists).
        #[arg(long, value_name = "FILE")]
        baseline: Option<PathBuf>,
        #[command(flatten)]
        different: DifferentArg,
    },
    /// Run a program, and end it when stdin is closed.
    #[command(hide = true)]
    Supervise {
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<OsString>,
    },
}

/// The forms a report can be printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// Plain text.
    Text,
    /// JSON, as in report.json.
    Json,
}

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct DifferentArg {
    /// Compare even if the baseline was recorded with a different agent, load, audio or script. The
    /// differences are listed.
    #[arg(long)]
    allow_different: bool,
}

impl From<DifferentArg> for Mismatch {
    fn from(arg: DifferentArg) -> Self {
        if arg.allow_different { Self::Allow } else { Self::Refuse }
    }
}

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct ClipArgs {
    /// Allow clips outside the scenario's folder.
    #[arg(long)]
    allow_outside: bool,
}

impl ClipArgs {
    pub(super) fn outside(self) -> Outside {
        if self.allow_outside { Outside::Allowed } else { Outside::Refused }
    }
}

#[derive(Debug, Args)]
pub(super) struct RecordedRun {
    /// Run folder (such as reports/latest) or its run.jsonl.
    #[arg(value_name = "RUN")]
    pub(super) path: PathBuf,
}

// clap writes a usage line of its own from the flags that are set, and a variable that is set counts: it
// would look required.
#[derive(Debug, Args)]
#[command(override_usage = "loadcall run [OPTIONS] <SCENARIO>")]
pub(super) struct RunArgs {
    /// Scenario file.
    #[arg(value_name = "SCENARIO")]
    pub(super) scenario: PathBuf,
    /// Baseline file (default: <scenario>.baseline.json, if it exists).
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
    #[command(flatten)]
    pub(super) different: DifferentArg,
    #[command(flatten)]
    pub(super) placing: PlacingArgs,
}

const AB_HELP: &str = "\
AGENT is an agent name, or key=value pairs separated by commas:
  name=NAME             name for dispatch; `name=` for automatic dispatch
  metadata={…}          dispatch metadata (JSON); metadata=@FILE reads it from a file
  url=wss://HOST        another LiveKit server, with the same keys unless these are given:
  api-key-env=VARIABLE, api-secret-env=VARIABLE
Anything left out comes from the scenario. Each agent gets as many calls as the scenario says, in
blocks A B B A or B A A B, and both share its concurrency. DIR/a and DIR/b are ordinary runs;
`loadcall compare DIR` judges the pair again.";

#[derive(Debug, Args)]
#[command(after_help = AB_HELP, override_usage = "loadcall ab [OPTIONS] --b <AGENT> <SCENARIO>")]
pub(super) struct AbArgs {
    /// Scenario file.
    #[arg(value_name = "SCENARIO")]
    pub(super) scenario: PathBuf,
    /// Current agent (default: the scenario's).
    #[arg(long, value_name = "AGENT")]
    pub(super) a: Option<AgentSpec>,
    /// Candidate agent.
    #[arg(long, value_name = "AGENT")]
    pub(super) b: AgentSpec,
    #[command(flatten)]
    pub(super) placing: PlacingArgs,
}

#[derive(Debug, Args)]
#[command(override_usage = "loadcall noise [OPTIONS] <SCENARIO|RUN>...")]
pub(super) struct NoiseArgs {
    /// One scenario to run several times, or recorded runs.
    #[arg(value_name = "SCENARIO|RUN", required = true)]
    pub(super) paths: Vec<PathBuf>,
    /// Number of runs of the scenario. Each has its own folder, DIR/1 and so on.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..=100))]
    pub(super) runs: u32,
    #[command(flatten)]
    pub(super) placing: PlacingArgs,
}

/// What every command that places calls takes.
#[derive(Debug, Args)]
pub(super) struct PlacingArgs {
    /// Folder for the files of this run (default: reports/<run id>, linked as reports/latest).
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Random seed; the same recording and seed give the same verdict.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Print only the result and errors.
    #[arg(long, short)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) clips: ClipArgs,
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    pub(super) langfuse: LangfuseArgs,
}

impl PlacingArgs {
    pub(super) fn verbosity(&self) -> Verbosity {
        if self.quiet { Verbosity::Quiet } else { Verbosity::Normal }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "LiveKit server")]
pub(super) struct KeyArgs {
    /// URL of the LiveKit server, ws:// or wss://.
    #[arg(long, env = "LIVEKIT_URL", value_name = "URL", hide_env_values = true)]
    pub(super) url: Option<String>,
    /// API key.
    #[arg(long, env = "LIVEKIT_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub(super) api_key: Option<String>,
    /// API secret. Prefer the variable: other users of this machine can see command lines.
    #[arg(long, env = "LIVEKIT_API_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub(super) api_secret: Option<Secret>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "LiveKit server")]
pub(super) struct ServerArgs {
    #[command(flatten)]
    pub(super) keys: KeyArgs,
    /// Start a private livekit-server on loopback for this run.
    #[arg(long)]
    pub(super) dev: bool,
    /// Start an agent for this run with a shell command, and stop it afterwards. The server's URL and keys
    /// are in its environment (`LIVEKIT_URL` …).
    #[arg(long, value_name = "COMMAND")]
    pub(super) agent_command: Option<String>,
    /// Sign that the agent of --agent-command can take calls: a text in its output, or port:N for a TCP
    /// port that it opens on this machine.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "registered worker",
        requires = "agent_command"
    )]
    pub(super) agent_ready: Ready,
    /// Longest time until that sign, such as 30s or 5m.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "90s",
        value_parser = duration,
        requires = "agent_command"
    )]
    pub(super) agent_start_timeout: Duration,
    /// Start a scripted agent (`loadcall agent`) with the scenario's agent name on the private server.
    #[arg(long, requires = "dev", conflicts_with = "agent_command")]
    pub(super) dev_agent: bool,
    /// Record the server's version and region. A server names them only to agents, so loadcall registers
    /// a worker named loadcall-server-info with it for a moment. Always done with --dev.
    #[arg(long)]
    pub(super) server_info: bool,
}

#[derive(Debug, Args)]
pub(super) struct CalibrateArgs {
    /// Concurrent calls.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(super) concurrency: u32,
    /// Total calls (default: 6, or twice the concurrent calls if that is more).
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) calls: Option<u32>,
    /// Packet loss in each direction, such as 1%.
    #[arg(long, default_value = "0%", value_name = "PERCENT", value_parser = percent)]
    pub(super) loss: f64,
    /// Jitter in each direction: the longest extra delay of a packet, in milliseconds.
    #[arg(long, default_value_t = 0, value_name = "MS", value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub(super) jitter_ms: u32,
    /// Also write the result to this file.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Keep the recording, the ground truth and the server's log in this folder (default: delete them).
    #[arg(long, value_name = "DIR")]
    pub(super) keep: Option<PathBuf>,
    /// Random seed of the confidence intervals, the packet loss and the jitter.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Print only the result and errors.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// A time from a second to an hour.
fn duration(text: &str) -> Result<Duration, String> {
    let known = Duration::from_secs(1)..=Duration::from_secs(3_600);
    let length = crate::scenario::parse_duration(text).map_err(|e| e.to_string());
    length
        .and_then(
            |length| {
                if known.contains(&length) { Ok(length) } else { Err("out of range".to_owned()) }
            },
        )
        .map_err(|why| format!("{why}: write a time from 1s to 1h, such as 30s or 5m"))
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
pub(super) struct AgentArgs {
    /// Agent name for dispatch.
    #[arg(long, default_value = "demo-agent", value_name = "NAME")]
    pub(super) name: String,
    /// Script (JSON) for calls without dispatch metadata (default: reply with fixed delays).
    #[arg(long, value_name = "FILE")]
    pub(super) script: Option<PathBuf>,
    /// Append ground truth (JSON lines) to this file.
    #[arg(long, value_name = "FILE")]
    pub(super) truth: Option<PathBuf>,
    /// Let the script of a call crash this agent with all its calls (`faults: [{kind: crash}]`).
    #[arg(long)]
    pub(super) allow_crash: bool,
    #[command(flatten)]
    pub(super) keys: KeyArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Langfuse (each call becomes a trace when both keys are set)")]
pub(super) struct LangfuseArgs {
    /// Public key of the Langfuse project.
    #[arg(
        long = "langfuse-public-key",
        env = "LANGFUSE_PUBLIC_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    pub(super) public_key: Option<String>,
    /// Secret key of the Langfuse project. Prefer the variable: other users of this machine can see command
    /// lines.
    #[arg(
        long = "langfuse-secret-key",
        env = "LANGFUSE_SECRET_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    pub(super) secret_key: Option<Secret>,
    /// URL of Langfuse (default: Langfuse Cloud).
    #[arg(
        long = "langfuse-base-url",
        env = "LANGFUSE_BASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(super) base_url: Option<String>,
    /// Langfuse environment of the traces (default: loadcall).
    #[arg(
        long = "langfuse-environment",
        env = "LANGFUSE_TRACING_ENVIRONMENT",
        value_name = "NAME",
        hide_env_values = true
    )]
    pub(super) environment: Option<String>,
}
