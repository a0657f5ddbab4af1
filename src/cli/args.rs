//! The commands and their flags. The doc comments here are the help texts.

mod doctor;
mod examples;
mod export;
mod instrument;
mod labels;
mod night;
mod overrides;
mod receiver;
mod server;
mod sessions;
mod starter;
mod trace;
mod until;

pub(super) use doctor::{DoctorArgs, DoctorFormat, DoctorPart};
pub(super) use export::ExportArgs;
pub(super) use instrument::{AgentArgs, CalibrateArgs};
pub(super) use labels::{LabelArgs, Scores};
pub(super) use night::{NightArgs, UpdateBaseline};
pub(super) use overrides::{EnvArgs, OverrideArgs};
pub(super) use receiver::{ForwardTo, Listen, ReceiverArgs};
pub(super) use server::{KeyArgs, LangfuseArgs, ServerArgs, refuse_conflicts};
pub(super) use sessions::{SessionsArgs, SessionsFormat};
pub(super) use starter::{CompletionsArgs, InitArgs, ManArgs};
pub(super) use trace::{TraceArgs, TraceFormat};
pub(super) use until::UntilArgs;

use super::check::CheckFormat;
use super::clips::Outside;
use super::progress::Verbosity;
use super::spec::AgentSpec;
use super::version;
use crate::record::audio::choice::KeepAudio;
use crate::verdict::{FailOn, Mismatch};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// Places simulated calls to LiveKit voice agents, measures what the caller hears, and reports whether
/// the agent got worse and which stage caused it.
#[derive(Debug, Parser)]
#[command(version, long_version = version::long(), max_term_width = 100, after_help = examples::CLI)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

impl Cli {
    /// The commands that people call, without those that loadcall itself starts.
    pub(super) fn shown() -> clap::Command {
        let all = Self::command();
        let shown: Vec<_> = all.get_subcommands().filter(|c| !c.is_hide_set()).cloned().collect();
        clap::Command::new(env!("CARGO_PKG_NAME"))
            .version(env!("CARGO_PKG_VERSION"))
            .subcommands(shown)
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a first scenario with its clips, and a nightly workflow for GitHub.
    #[command(after_help = examples::INIT)]
    Init(InitArgs),
    /// Place the calls of a scenario, then report and judge them.
    #[command(after_help = examples::RUN)]
    Run(Box<RunArgs>),
    /// Answer calls as a scripted agent with known delays, until stopped.
    #[command(after_help = examples::AGENT)]
    Agent(AgentArgs),
    /// Measure loadcall's own error on this machine.
    ///
    /// Calls an agent with known delays on a private livekit-server. Later reports include the result.
    #[command(after_help = examples::CALIBRATE)]
    Calibrate(CalibrateArgs),
    /// Call two agents alternately, and compare the second with the first.
    #[command(after_help = examples::AB)]
    Ab(Box<AbArgs>),
    /// Measure run-to-run variation of an unchanged agent, and the smallest detectable slowdown.
    #[command(after_help = examples::NOISE)]
    Noise(Box<NoiseArgs>),
    /// Check scenario files and their clips, and show every error. Needs no server.
    #[command(after_help = examples::CHECK)]
    Check {
        /// Scenario files, or patterns such as 'scenarios/*.yaml'.
        #[arg(required = true, value_name = "FILE")]
        scenarios: Vec<PathBuf>,
        /// Fail on notes, too.
        #[arg(long)]
        strict: bool,
        /// Output format.
        #[arg(long, value_enum, default_value = "text")]
        format: CheckFormat,
        #[command(flatten)]
        clips: ClipArgs,
        #[command(flatten)]
        env: EnvArgs,
        #[command(flatten)]
        overrides: OverrideArgs,
    },
    /// Print the JSON Schema of scenario files, for editors.
    #[command(after_help = examples::SCHEMA)]
    Schema,
    /// Compare a recorded run with a baseline or another run, or judge an A/B run again. Needs no server.
    #[command(after_help = examples::COMPARE)]
    Compare {
        #[command(flatten)]
        run: RecordedRun,
        /// Baseline file, or another run (default: the scenario's baseline).
        #[arg(value_name = "BASELINE")]
        baseline: Option<PathBuf>,
        #[command(flatten)]
        different: DifferentArg,
        #[command(flatten)]
        fail_on: FailOnArg,
    },
    /// Add a run to the baseline of its scenario, or the runs of a folder that `loadcall noise` made.
    ///
    /// Later runs of the scenario are compared with its baseline. The first 7 runs set its level, unless the
    /// scenario sets another number (`baseline: {runs: 7}`); it then stays, and later runs only say how much runs
    /// differ. With 5 or more, comparisons include run-to-run variation.
    #[command(after_help = examples::ACCEPT)]
    Accept(AcceptArgs),
    /// Print the report of a recorded run, with the verdict it was given. Needs no server.
    #[command(after_help = examples::REPORT)]
    Report {
        #[command(flatten)]
        run: RecordedRun,
        /// Output format.
        #[arg(long, value_enum, default_value = "text")]
        format: ReportFormat,
        /// Baseline file, or another run, to judge again with (default: show the verdict that was given when
        /// the run was placed).
        #[arg(long, value_name = "FILE")]
        baseline: Option<PathBuf>,
        #[command(flatten)]
        different: DifferentArg,
        #[command(flatten)]
        page: PageArgs,
    },
    /// List the calls of a recorded run, or show one of them from its beginning to its end. Needs no server.
    #[command(after_help = examples::CALLS)]
    Calls {
        #[command(flatten)]
        run: RecordedRun,
        /// Number of one call, to see what happened in it.
        #[arg(value_name = "CALL")]
        call: Option<u32>,
        /// Failed calls only.
        #[arg(long, conflicts_with = "call")]
        failed: bool,
        /// The N worst calls, the worst first: failed ones, then those with the slowest turns.
        #[arg(long, value_name = "N", conflicts_with_all = ["call", "failed"])]
        worst: Option<usize>,
        /// Output format.
        #[arg(long, value_enum, default_value = "text")]
        format: CallsFormat,
    },
    /// Send the traces of a recorded run to the backends that have not got them: Langfuse, OTLP.
    ///
    /// Every run sends its traces when it has ended; this command sends what is missing then, or goes to
    /// backends that are set later. What a backend has acknowledged is not sent again.
    #[command(after_help = examples::EXPORT)]
    Export(ExportArgs),
    /// Show the production sessions of an agent in Langfuse as distributions, beside simulated calls.
    #[command(after_help = examples::SESSIONS)]
    Sessions(Box<SessionsArgs>),
    /// Show where the time of a call went: the agent's own spans beside what was heard.
    ///
    /// Takes a call of a recorded run, or any session in Langfuse, also one that loadcall did not call.
    #[command(after_help = examples::TRACE)]
    Trace(Box<TraceArgs>),
    /// Check what runs need, one by one: server, keys, clock, media, agent, machine, tracing.
    ///
    /// The exit code says what failed first: 2 settings, 3 server, 6 agent, 7 machine, 8 tracing.
    #[command(after_help = examples::DOCTOR)]
    Doctor(Box<DoctorArgs>),
    /// Print a script that completes commands and flags in a shell.
    #[command(after_help = examples::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Write the man pages of all commands.
    #[command(after_help = examples::MAN)]
    Man(ManArgs),
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
    /// Markdown, as in a job summary of GitHub.
    Markdown,
    /// JUnit XML, as in junit.xml.
    Junit,
    /// Workflow commands of GitHub for what failed.
    GithubAnnotations,
    /// The annotations report of GitLab.
    GitlabAnnotations,
    /// OpenMetrics text.
    Openmetrics,
    /// CSV with a row for each call.
    CallsCsv,
    /// CSV with a row for each turn.
    TurnsCsv,
    /// One page, for a browser.
    Html,
}

/// What a job of a CI service gets of a run.
#[derive(Debug, Args)]
pub(super) struct JobArgs {
    /// Write a summary in Markdown to this file (default: that of the job, on GitHub).
    #[arg(long, value_name = "FILE")]
    pub(super) summary: Option<PathBuf>,
    #[command(flatten)]
    pub(super) page: PageArgs,
}

/// Bytes of audio in a page where no flag says otherwise.
pub(super) const HTML_AUDIO: u64 = 10_000_000;

/// What the page of a run holds.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct PageArgs {
    /// Audio in the HTML report, for the calls with the worst turns; that of the others is linked.
    #[arg(long, value_name = "SIZE", default_value = "10MB", value_parser = size)]
    pub(super) html_audio: u64,
}

/// The forms calls can be printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CallsFormat {
    /// Plain text.
    Text,
    /// JSON, times in milliseconds since the run began.
    Json,
    /// CSV with a row for each call; of the list alone.
    Csv,
}

/// Reads a whole number within limits; `example` is one.
fn whole(
    limits: RangeInclusive<u32>,
    example: &'static str,
) -> impl Fn(&str) -> Result<u32, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| limits.contains(number));
        let (low, high) = (limits.start(), limits.end());
        number
            .ok_or_else(|| format!("write a whole number from {low} to {high}, such as {example}"))
    }
}

fn seed(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "write a whole number, such as 1")
}

/// `10MB` → bytes.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text.get(digits.len()..).unwrap_or_default() {
        "" | "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err("a size is a number with B, kB, MB or GB, such as 10MB".to_owned()),
    };
    let number = digits.parse::<u64>().map_err(|e| e.to_string())?;
    number.checked_mul(unit).ok_or_else(|| "this is too large".to_owned())
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

#[derive(Debug, Clone, Args)]
pub(super) struct FailOnArg {
    /// What makes the exit code other than 0, separated by commas: threshold, expectation, regression,
    /// nothing-measured, not-comparable (these by default), suspected, inconclusive, invalid; or default, all, none.
    #[arg(long, value_name = "LIST", default_value = "default", hide_default_value = true)]
    pub(super) fail_on: FailOn,
}

#[derive(Debug, Args)]
pub(super) struct AcceptArgs {
    #[command(flatten)]
    pub(super) run: RecordedRun,
    /// Start over with this run, after an intended change.
    #[arg(long)]
    pub(super) replace: bool,
    /// Add the run only while the level has too few runs. One that cannot be added is said and is no error.
    #[arg(long, conflicts_with = "replace")]
    pub(super) while_learning: bool,
    /// Accept the run although its thresholds or expectations failed.
    #[arg(long)]
    pub(super) even_failed: bool,
    /// Baseline file (default: <scenario>.baseline.json beside the scenario).
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
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
#[command(override_usage = "loadcall run [OPTIONS] <SCENARIO>...")]
pub(super) struct RunArgs {
    /// Scenario files, or patterns such as 'scenarios/*.yaml'. Several are placed one after another, each
    /// with a folder of its own below that of the command.
    #[arg(value_name = "SCENARIO", required = true)]
    pub(super) scenarios: Vec<PathBuf>,
    /// Baseline file (default: <scenario>.baseline.json, if it exists).
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
    #[command(flatten)]
    pub(super) different: DifferentArg,
    #[command(flatten)]
    pub(super) night: NightArgs,
    #[command(flatten)]
    pub(super) fail_on: FailOnArg,
    #[command(flatten)]
    pub(super) job: JobArgs,
    #[command(flatten)]
    pub(super) placing: PlacingArgs,
}

#[derive(Debug, Args)]
#[command(override_usage = "loadcall ab [OPTIONS] --b <AGENT> <SCENARIO>")]
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
    pub(super) until: UntilArgs,
    #[command(flatten)]
    pub(super) fail_on: FailOnArg,
    #[command(flatten)]
    pub(super) job: JobArgs,
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
    #[arg(long, default_value_t = 5, value_parser = whole(2..=100, "5"))]
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
    /// Print how many calls there are and about how long they take, and place none. Needs no server.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Random seed; the same recording and seed give the same verdict.
    #[arg(long, default_value_t = 1, value_parser = seed)]
    pub(super) seed: u64,
    /// Calls whose audio is kept: worst:N (those that failed, and the N others with the slowest replies),
    /// all or none. At most 200 MB a run. Speech is personal data.
    #[arg(long, default_value = "worst:10", value_name = "CALLS")]
    pub(super) keep_audio: KeepAudio,
    /// Print only the result and errors.
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Show log lines of loadcall and the LiveKit SDK with their times (-vv: more).
    #[arg(long, short, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(super) verbose: u8,
    #[command(flatten)]
    pub(super) clips: ClipArgs,
    #[command(flatten)]
    pub(super) env: EnvArgs,
    #[command(flatten)]
    pub(super) overrides: OverrideArgs,
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    pub(super) receiver: ReceiverArgs,
    #[command(flatten)]
    pub(super) langfuse: LangfuseArgs,
    #[command(flatten)]
    pub(super) labels: LabelArgs,
    /// Its calls become no traces, whatever is set.
    #[arg(skip)]
    pub(super) untraced: bool,
}

impl PlacingArgs {
    pub(super) fn verbosity(&self) -> Verbosity {
        if self.quiet { Verbosity::Quiet } else { Verbosity::Normal }
    }
}
