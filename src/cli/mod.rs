//! The command line: reads inputs, calls the rest, writes outputs, chooses the exit code.

mod ab;
mod accept;
mod agent;
mod args;
mod audio;
mod baseline;
mod calibrate;
mod calibrations;
mod calls;
mod check;
mod clips;
mod compare;
mod completions;
mod doctor;
mod documents;
mod dry_run;
mod environment;
mod exit;
mod experiment;
mod export;
mod failure;
mod files;
mod init;
mod job;
mod loaded;
mod logging;
mod machine;
mod man;
mod noise;
mod page;
mod progress;
mod receiver;
mod recorded;
mod report;
mod run;
mod scenarios;
mod schema;
mod scores;
mod server;
mod session;
mod sessions;
mod spec;
mod stop;
mod supervise;
mod terminal;
mod trace;
mod traces;
mod url;
mod version;

use crate::record::CallId;
use crate::report::Selection;
use args::{
    AbArgs, AcceptArgs, AgentArgs, CalibrateArgs, CallsFormat, Cli, Command, InitArgs, JobArgs,
    KeyArgs, LabelArgs, LangfuseArgs, NoiseArgs, PlacingArgs, ReportFormat, RunArgs, Scores,
    ServerArgs, UntilArgs, UpdateBaseline,
};
use clap::{CommandFactory as _, FromArgMatches as _};
use std::process::ExitCode;

/// Runs the command line and gives its exit code.
pub fn main() -> ExitCode {
    let matches = Cli::command().try_get_matches();
    let mut cli = match matches
        .and_then(|given| args::refuse_conflicts(&given).and(Cli::from_arg_matches(&given)))
    {
        Ok(cli) => cli,
        Err(e) if e.use_stderr() => {
            terminal::show_usage_error(&e);
            return ExitCode::from(exit::USAGE);
        }
        // Help and version.
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(exit::PASS);
        }
    };
    if let Err(failure) = cli.read_environment() {
        return terminal::report_error(&failure);
    }
    let done = match cli.command {
        Command::Init(args) => init::init(&args),
        Command::Run(args) => run::run(&args),
        Command::Agent(args) => agent::agent(&args),
        Command::Calibrate(args) => calibrate::calibrate(&args),
        Command::Ab(args) => ab::ab(&args),
        Command::Noise(args) => noise::noise(&args),
        Command::Check { scenarios, strict, format, clips, overrides, env: _ } => {
            let how = check::How { outside: clips.outside(), format, strict };
            check::check(&scenarios, &overrides.list(), how)
        }
        Command::Schema => schema::schema(),
        Command::Compare { run, baseline, different, fail_on } => {
            compare::compare(&run.path, baseline.as_deref(), different.into(), fail_on.fail_on)
        }
        Command::Accept(args) => accept::accept(&args),
        Command::Report { run, format, baseline, different, page } => report::report(
            &run.path,
            format,
            baseline.as_deref(),
            different.into(),
            page.html_audio,
        ),
        Command::Calls { run, call, failed, worst, format } => {
            let selection = match worst {
                Some(most) => Selection::Worst(most),
                None if failed => Selection::Failed,
                None => Selection::All,
            };
            match call {
                Some(id) => calls::one(&run.path, CallId(id), format),
                None => calls::list(&run.path, selection, format),
            }
        }
        Command::Export(args) => export::export(&args),
        Command::Sessions(args) => sessions::sessions(&args),
        Command::Trace(args) => trace::trace(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Completions(args) => completions::completions(args.shell),
        Command::Man(args) => man::man(&args.folder),
        Command::Supervise { program } => supervise::supervise(&program),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => terminal::report_error(&failure),
    }
}
