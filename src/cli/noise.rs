//! `loadcall noise`: run-to-run variation of an unchanged agent, from new runs one after the other or from
//! recordings.

use super::exit::{self, Failure, print, tell};
use super::loaded::LoadedScenario;
use super::progress::Verbosity;
use super::report::{self, Judged};
use super::server::Server;
use super::session::{NewRun, RunSession};
use super::{NoiseArgs, files, logging};
use crate::record::Run;
use crate::report::text;
use crate::verdict::Different;
use crate::verdict::noise::Noise;
use crate::verdict::paired::Recorded;
use indicatif::MultiProgress;
use std::ffi::OsStr;
use std::path::Path;

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
        paths => {
            let runs = paths.iter().map(|path| report::read_run(path)).collect::<Result<_, _>>()?;
            shown(runs)
        }
    }
}

/// Runs the scenario several times, each with a folder of its own that every other command takes.
fn placed(scenario: &Path, args: &NoiseArgs) -> Result<u8, Failure> {
    let bars = MultiProgress::new();
    logging::start(&bars);
    let NoiseArgs { runs, placing: args, .. } = args;
    let server = Server::from_args(&args.server)?;
    let loaded = LoadedScenario::load(scenario, args.clips.outside())?;
    let all = NewRun::prepare(args.out.as_deref())?;
    let mut session = RunSession::start(&server, &all.folder, &loaded, args, &bars)?;
    let mut recorded: Vec<Run> = Vec::new();
    for n in 1..=*runs {
        if args.verbosity() == Verbosity::Normal {
            tell(&format!("run {n} of {runs}"));
        }
        let folder = session.run(&NewRun::prepare(Some(&all.folder.join(n.to_string())))?)?;
        let run = report::read_run(&folder)?;
        let judged = Judged::against(run.clone(), None, Different::Blocks, args.seed)?;
        judged.write(&folder)?;
        recorded.push(run);
        if session.is_stopped() {
            break;
        }
    }
    drop(session);
    if args.out.is_none() {
        files::point_latest_at(&all.folder);
    }
    let stopped = recorded.iter().any(|run| run.tail.as_ref().is_some_and(|tail| tail.stopped));
    let code = shown(recorded)?;
    tell(&format!("the runs are in {}", all.folder.display()));
    Ok(if stopped { exit::STOPPED } else { code })
}

fn shown(runs: Vec<Run>) -> Result<u8, Failure> {
    let judged = runs.into_iter().map(|run| Judged::against(run, None, Different::Blocks, 0));
    let judged: Vec<Judged> = judged.collect::<Result<_, _>>()?;
    let recorded: Vec<Recorded<'_>> = judged
        .iter()
        .map(|j| Recorded { run: &j.run, scenario: &j.scenario, analysis: &j.analysis })
        .collect();
    match Noise::of(&recorded) {
        Ok(noise) => {
            print(&text::noise::render(&noise, text::Colour::Always, report::terminal_width()))?;
            Ok(exit::PASS)
        }
        Err(why) => Err(Failure::no_verdict(why)),
    }
}
