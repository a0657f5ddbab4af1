//! `loadcall run`: scenario → calls → recording → report → verdict. Several scenarios are placed one after
//! another, each as if it were the only one.

use super::documents::Reported;
use super::dry_run;
use super::exit;
use super::failure::Failure;
use super::loaded::LoadedScenario;
use super::progress::Verbosity;
use super::server::Server;
use super::session::{NewRun, RunSession};
use super::terminal::{eprint_line, print_result, report_error};
use super::{RunArgs, documents, files, job, logging, recorded, scenarios, stop};
use crate::report::text::Colour;
use crate::report::text::several::{self, End, Row};
use crate::verdict::{Baseline, Judged, Outcome};
use indicatif::MultiProgress;
use std::path::{Path, PathBuf};

/// A scenario that is ready to be placed.
struct Ready {
    loaded: LoadedScenario,
    server: Server,
    baseline: Option<Baseline>,
}

/// A run that was judged.
struct Done {
    outcome: Outcome,
    code: u8,
}

pub(super) fn run(args: &RunArgs) -> Result<u8, Failure> {
    let bars = MultiProgress::new();
    logging::start(&bars, args.placing.verbose);
    let paths = scenarios::expand(&args.scenarios)?;
    if paths.len() > 1 && args.baseline.is_some() {
        return Err(Failure::usage("--baseline belongs to one scenario").hint(
            "run them one by one, or leave the flag out: each scenario has its baseline beside it",
        ));
    }
    if paths.len() > 1 && args.job.summary.is_some() {
        return Err(Failure::usage("--summary belongs to one scenario")
            .hint("run them one by one, each with a file of its own"));
    }
    if args.placing.dry_run {
        return dry_run::show_all(&paths, &args.placing);
    }
    let ready = prepare(&paths, args)?;
    if let [only] = ready.as_slice() {
        let new = NewRun::prepare(args.placing.out.as_deref())?;
        return Ok(place(only, &new, args, &bars)?.code);
    }
    place_all(&ready, args, &bars)
}

/// All that can be wrong before the first call, of all scenarios.
fn prepare(paths: &[PathBuf], args: &RunArgs) -> Result<Vec<Ready>, Failure> {
    let (mut failed, mut said) = (exit::PASS, None);
    let mut ready = Vec::new();
    for path in paths {
        match prepare_one(path, args) {
            Ok(one) => ready.push(one),
            Err(failure) if paths.len() == 1 => return Err(failure),
            Err(failure) => {
                // What they all lack, such as a server, is said once.
                let why = failure.message().map(str::to_owned);
                if why.is_none() || why != said {
                    let _ = report_error(&failure);
                }
                said = why;
                failed = worst(failed, failure.exit_code());
            }
        }
    }
    if failed == exit::PASS { Ok(ready) } else { Err(Failure::shown(failed)) }
}

fn prepare_one(path: &Path, args: &RunArgs) -> Result<Ready, Failure> {
    let RunArgs { baseline, placing, .. } = args;
    let loaded = LoadedScenario::load(path, placing.overrides.list(), placing.clips.outside())?;
    let server = Server::from_args(&placing.server, &loaded.scenario)?;
    let baseline = recorded::baseline_for(path, baseline.as_deref())?;
    Ok(Ready { loaded, server, baseline })
}

/// Places the calls of a scenario, judges them and prints the report.
fn place(
    ready: &Ready,
    new: &NewRun,
    args: &RunArgs,
    bars: &MultiProgress,
) -> Result<Done, Failure> {
    let RunArgs { different, fail_on, job, placing: args, .. } = args;
    let mut session = RunSession::start(&ready.server, &new.folder, &ready.loaded, args, bars)?;
    let folder = session.run(new)?;
    drop(session);
    let run = recorded::analyse(&folder)?;
    let judged = Judged::judge(run, ready.baseline.as_ref(), (*different).into(), args.seed);
    let judged = Judged { fail_on: fail_on.fail_on.clone(), ..judged };
    let kept = recorded::keep_verdict(&judged, &folder);
    let (report, written) =
        documents::write(judged, ready.baseline.as_ref(), &folder, job.page.html_audio);
    if args.out.is_none() {
        files::point_latest_at(&folder);
    }
    print_result(&documents::text(&report, &folder))?;
    let informed = job::inform(Reported::Run(&report), &folder, job);
    kept.and(written).and(informed)?;
    let reported = Reported::Run(&report);
    reported.say_what_passed_over(args.verbosity());
    Ok(Done { outcome: report.judged.verdict.outcome, code: reported.code() })
}

/// Places several scenarios in the order in which they were named. Each has a session of its own, with its own
/// server and agent if they are started here: so a run is made as it would be alone, and can be compared with
/// such runs.
fn place_all(ready: &[Ready], args: &RunArgs, bars: &MultiProgress) -> Result<u8, Failure> {
    let all = NewRun::prepare(args.placing.out.as_deref())?;
    let paths: Vec<PathBuf> = ready.iter().map(|one| one.loaded.path.clone()).collect();
    let folders = scenarios::folder_names(&paths);
    let folders: Vec<PathBuf> = folders.iter().map(|name| all.folder.join(name)).collect();
    let mut rows = Vec::new();
    let mut code = exit::PASS;
    for (n, (one, folder)) in ready.iter().zip(&folders).enumerate() {
        let path = one.loaded.path.display();
        let row = |end| {
            let folder = folder.exists().then(|| folder.display().to_string());
            Row { scenario: path.to_string(), end, folder }
        };
        // The signal may have come between two sessions.
        if code == exit::STOPPED || *stop::signals()?.first.borrow() {
            code = exit::STOPPED;
            rows.push(row(End::NotRun));
            continue;
        }
        if args.placing.verbosity() == Verbosity::Normal {
            eprint_line(&format!("scenario {} of {}: {path}", n + 1, ready.len()));
        }
        let done = NewRun::prepare(Some(folder)).and_then(|new| place(one, &new, args, bars));
        let (end, of_this) = match done {
            Ok(done) => (End::Judged(done.outcome), done.code),
            Err(failure) => {
                let _ = report_error(&failure);
                let code = failure.exit_code();
                let stopped = code == exit::STOPPED;
                (if stopped { End::Judged(Outcome::Stopped) } else { End::Failed }, code)
            }
        };
        rows.push(row(end));
        code = worst(code, of_this);
    }
    print_result(&several::render(&rows, Colour::Always, documents::terminal_width()))?;
    Ok(code)
}

/// The exit code of several runs: the first of this list that one of them has. A failure that was proved says
/// more than one that kept a run from being measured, and that more than a verdict that is missing.
const ORDER: [u8; 7] = [
    exit::STOPPED,
    exit::INTERNAL,
    exit::USAGE,
    exit::WORSE,
    exit::NOTHING_MEASURED,
    exit::NO_VERDICT,
    exit::PASS,
];

fn worst(earlier: u8, code: u8) -> u8 {
    let rank = |code: u8| ORDER.iter().position(|known| *known == code).unwrap_or(0);
    if rank(code) < rank(earlier) { code } else { earlier }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_code_counts_whatever_its_place() {
        for (codes, expected) in
            [(&[0, 0][..], 0), (&[0, 5, 0], 5), (&[5, 4, 3], 4), (&[3, 5], 3), (&[4, 130], 130)]
        {
            let forth = codes.iter().copied().fold(exit::PASS, worst);
            let back = codes.iter().rev().copied().fold(exit::PASS, worst);
            assert_eq!((forth, back), (expected, expected), "{codes:?}");
        }
    }
}
