//! `loadcall noise`: run-to-run variation of an unchanged agent, from new runs one after the other or from
//! recordings.

use super::args::HTML_AUDIO;
use super::dry_run::{self, Runs};
use super::exit;
use super::failure::Failure;
use super::loaded::LoadedScenario;
use super::progress::Verbosity;
use super::server::Server;
use super::session::{NewRun, RunSession};
use super::terminal::{eprint_line, print_result};
use super::{NoiseArgs, documents, files, logging, recorded};
use crate::report::text;
use crate::verdict::noise::Noise;
use crate::verdict::{Judged, Mismatch, Outcome};
use indicatif::MultiProgress;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

pub(super) fn noise(args: &NoiseArgs) -> Result<u8, Failure> {
    let is_scenario = |path: &Path| {
        path.extension().is_some_and(|e| e == OsStr::new("yaml") || e == OsStr::new("yml"))
    };
    match args.paths.as_slice() {
        [scenario] if is_scenario(scenario) => placed(scenario, args),
        paths if paths.iter().any(|path| is_scenario(path)) => {
            Err(Failure::usage("a scenario cannot be combined with other paths")
                .hint("name either one scenario or recorded runs"))
        }
        _ if args.placing.dry_run => {
            Err(Failure::usage("--dry-run needs a scenario: recorded runs place no calls"))
        }
        _ if !args.placing.overrides.list().is_empty() => {
            Err(Failure::usage("recorded runs cannot be changed by flags")
                .hint("leave out --agent, --calls, --concurrency and --set, or name a scenario"))
        }
        paths => shown(paths.iter().map(PathBuf::as_path)),
    }
}

/// Runs the scenario several times, each with a folder of its own that every other command takes.
fn placed(scenario: &Path, args: &NoiseArgs) -> Result<u8, Failure> {
    let bars = MultiProgress::new();
    logging::start(&bars, args.placing.verbose);
    let NoiseArgs { runs, placing: args, .. } = args;
    let loaded = LoadedScenario::load(scenario, args.overrides.list(), args.clips.outside())?;
    if args.dry_run {
        return dry_run::show(&loaded, Runs { runs: *runs, ..Runs::ONE }, args);
    }
    let server = Server::from_args(&args.server, &loaded.scenario)?;
    let all = NewRun::prepare(args.out.as_deref())?;
    let mut session = RunSession::start(&server, &all.folder, &loaded, args, &bars)?;
    let mut folders = Vec::new();
    for n in 1..=*runs {
        if args.verbosity() == Verbosity::Normal {
            eprint_line(&format!("run {n} of {runs}"));
        }
        let folder = session.run(&NewRun::prepare(Some(&all.folder.join(n.to_string())))?)?;
        let run = recorded::analyse(&folder)?;
        let judged = Judged::judge(run, None, Mismatch::Refuse, args.seed);
        documents::write(judged, None, &folder, HTML_AUDIO).1?;
        folders.push(folder);
        if session.is_stopped() {
            break;
        }
    }
    let stopped = session.is_stopped();
    drop(session);
    if args.out.is_none() {
        files::point_latest_at(&all.folder);
    }
    let code = shown(folders.iter().map(PathBuf::as_path))?;
    let folder = all.folder.display();
    eprint_line(&format!("the runs are in {folder}"));
    if !stopped && args.verbosity() == Verbosity::Normal {
        eprint_line(&format!(
            "to compare later runs with them: loadcall accept {folder} (nights may differ more than runs of one \
             evening)"
        ));
    }
    Ok(if stopped { exit::STOPPED } else { code })
}

/// Prints the noise of recorded runs.
fn shown<'a>(paths: impl Iterator<Item = &'a Path>) -> Result<u8, Failure> {
    let (mut rule, mut runs) = (None, Vec::new());
    for path in paths {
        let (scenario, measured) = recorded::measure(path)?;
        let measured = measured.map_err(|why| {
            let said = format!("{}: {why}", path.display());
            if why.outcome() == Outcome::NothingMeasured {
                Failure::nothing_measured(said)
            } else {
                Failure::no_verdict(said)
            }
        })?;
        rule.get_or_insert_with(|| scenario.baseline());
        runs.push(measured);
    }
    let rule = rule.ok_or_else(|| Failure::usage("no run was named"))?;
    match Noise::measure(rule, &runs) {
        Ok(noise) => {
            let width = documents::terminal_width();
            print_result(&text::noise::render(&noise, text::Colour::Always, width))?;
            Ok(exit::PASS)
        }
        Err(why) => Err(Failure::no_verdict(why)),
    }
}
