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
use super::{
    RunArgs, UpdateBaseline, baseline, documents, files, job, logging, recorded, scenarios, scores,
    stop,
};
use crate::report::text::Colour;
use crate::report::text::several::{self, End, Row};
use crate::report::{Report, markdown};
use crate::verdict::family::{self, Member};
use crate::verdict::{Baseline, Deciding, Ground, Judged, Outcome, Suspicion};
use indicatif::MultiProgress;
use std::path::{Path, PathBuf};

/// The folder of a run that was placed again, within that of the first.
const CONFIRM: &str = "confirm";

/// A scenario that is ready to be placed.
struct Ready {
    loaded: LoadedScenario,
    server: Server,
    baseline: Option<Baseline>,
    /// Where the baseline lies, or will.
    file: PathBuf,
    /// How many scenarios are placed.
    of: usize,
}

/// A scenario that was placed and judged.
struct Done {
    outcome: Outcome,
    code: u8,
    /// For the summary over several scenarios.
    member: Member,
    /// What its exit code would be if its comparison were no ground.
    code_without_comparison: u8,
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
        match prepare_one(path, args, paths.len()) {
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

fn prepare_one(path: &Path, args: &RunArgs, of: usize) -> Result<Ready, Failure> {
    let RunArgs { baseline, placing, night, .. } = args;
    let loaded = LoadedScenario::load(path, placing.overrides.list(), placing.clips.outside())?;
    let server = Server::from_args(&placing.server, &loaded.scenario)?;
    let file = baseline.clone().unwrap_or_else(|| files::baseline_beside(path));
    if night.update_baseline == UpdateBaseline::Auto {
        if recorded::is_run(&file) {
            let file = file.display();
            return Err(Failure::usage(format!(
                "`{file}` is a run, which --update-baseline cannot change"
            ))
            .hint("name a file for the baseline; it need not exist"));
        }
        files::check_writable(&file)?;
    }
    // One that is to be made is not there yet.
    let is_new = night.update_baseline == UpdateBaseline::Auto && !file.exists();
    let named = baseline.as_deref().filter(|_| !is_new);
    let baseline = recorded::baseline_for(path, named)?;
    Ok(Ready { loaded, server, baseline, file, of })
}

/// Places the calls of a scenario, judges them and prints the report; places them again where that was asked for and
/// something looks worse.
fn place(
    ready: &Ready,
    new: &NewRun,
    args: &RunArgs,
    bars: &MultiProgress,
) -> Result<Done, Failure> {
    let RunArgs { night, placing, .. } = args;
    let mut session = RunSession::start(&ready.server, &new.folder, &ready.loaded, placing, bars)?;
    let folder = session.run(new)?;
    // What is measured is over, unless calls may have to be placed again.
    let session = night.confirm.then_some(session);
    let nightly = night.update_baseline == UpdateBaseline::Auto;
    let of_last_night = ready.baseline.as_ref().filter(|_| nightly).map(Baseline::suspicions);
    let before = night.can_confirm().then(|| of_last_night.unwrap_or_default());
    let first = judged(ready, &folder, args, before.as_deref())?;
    let mut result = reported(first, ready, &folder, args);
    if placing.out.is_none() {
        files::point_latest_at(&folder);
    }
    let report = &result.report;
    let mut suspected = report.judged.verdict.suspected.clone();
    let mut done = done(report, before.is_some());
    let is_suspected = report.judged.verdict.outcome == Outcome::Suspected;
    if let Some(mut session) = session.filter(|session| is_suspected && !session.is_stopped()) {
        if placing.verbosity() == Verbosity::Normal {
            eprint_line("the run looks worse than its baseline; placing the calls again");
        }
        let before = report.judged.suspicions();
        let again = NewRun::prepare(Some(&folder.join(CONFIRM)))?;
        let folder = session.run(&again)?;
        drop(session);
        let second = reported(judged(ready, &folder, args, Some(&before))?, ready, &folder, args);
        if second.report.judged.verdict.outcome != Outcome::Regression {
            suspected = Vec::new();
        }
        done = self::done(&second.report, true);
        result.written = result.written.and(second.written);
    }
    if nightly {
        let Judged { scenario, analysis, verdict, .. } = &result.report.judged;
        let file = (ready.file.as_path(), args.baseline.is_some());
        let said = baseline::update(file, (scenario, analysis, verdict), &suspected);
        let said = result.written.and(said)?;
        if placing.verbosity() == Verbosity::Normal {
            eprint_line(&said);
        }
    } else {
        result.written?;
    }
    Ok(done)
}

/// A run of this scenario with its verdict. `before` is what the run before suspected, where one confirms the other.
fn judged(
    ready: &Ready,
    folder: &Path,
    args: &RunArgs,
    before: Option<&[Suspicion]>,
) -> Result<Judged, Failure> {
    let run = recorded::analyse(folder)?;
    let deciding = before.map_or(Deciding::Once, |before| Deciding::Confirmed { before });
    let (baseline, mismatch) = (ready.baseline.as_ref(), args.different.into());
    let mut judged = Judged::decide(run, baseline, (mismatch, deciding), args.placing.seed);
    if ready.of > 1 {
        judged.verdict.reasons.push(format!(
            "one of {} scenarios: whether it is worse than its baseline is decided by the summary over all of them",
            ready.of
        ));
    }
    Ok(Judged { fail_on: args.fail_on.fail_on.clone(), ..judged })
}

/// A report that was printed, and whether everything was written.
struct Written {
    report: Report,
    written: Result<(), Failure>,
}

/// Keeps the verdict of a run, writes its documents and prints its report.
fn reported(judged: Judged, ready: &Ready, folder: &Path, args: &RunArgs) -> Written {
    let kept = recorded::keep_verdict(&judged, folder);
    let html_audio = args.job.page.html_audio;
    let (report, written) = documents::write(judged, ready.baseline.as_ref(), folder, html_audio);
    let printed = print_result(&documents::text(&report, folder));
    let informed = job::inform(Reported::Run(&report), folder, &args.job);
    scores::send_verdict(&args.placing.langfuse, &report.judged, folder);
    Reported::Run(&report).say_what_passed_over(args.placing.verbosity());
    Written { report, written: printed.and(kept).and(written).and(informed) }
}

/// `confirmed` says whether a run before this one could suspect what this one finds.
fn done(report: &Report, confirmed: bool) -> Done {
    let Judged { verdict, fail_on, .. } = &report.judged;
    let others: Vec<Ground> =
        verdict.grounds.iter().copied().filter(|g| *g != Ground::Regression).collect();
    Done {
        outcome: verdict.outcome,
        code: Reported::Run(report).code(),
        member: Member {
            p: family::chance(verdict, confirmed),
            worse: verdict.grounds.contains(&Ground::Regression),
        },
        code_without_comparison: exit::of(verdict.outcome, &others, fail_on),
    }
}

/// Places several scenarios in the order in which they were named. Each has a session of its own, with its own
/// server and agent if they are started here: so a run is made as it would be alone, and can be compared with
/// such runs.
fn place_all(ready: &[Ready], args: &RunArgs, bars: &MultiProgress) -> Result<u8, Failure> {
    let all = NewRun::prepare(args.placing.out.as_deref())?;
    let paths: Vec<PathBuf> = ready.iter().map(|one| one.loaded.path.clone()).collect();
    let folders = scenarios::folder_names(&paths);
    let folders: Vec<PathBuf> = folders.iter().map(|name| all.folder.join(name)).collect();
    let mut ends: Vec<Result<Done, End>> = Vec::new();
    let mut code = exit::PASS;
    for (n, (one, folder)) in ready.iter().zip(&folders).enumerate() {
        // The signal may have come between two sessions.
        if code == exit::STOPPED || *stop::signals()?.first.borrow() {
            code = exit::STOPPED;
            ends.push(Err(End::NotRun));
            continue;
        }
        if args.placing.verbosity() == Verbosity::Normal {
            let path = one.loaded.path.display();
            eprint_line(&format!("scenario {} of {}: {path}", n + 1, ready.len()));
        }
        let done = NewRun::prepare(Some(folder)).and_then(|new| place(one, &new, args, bars));
        ends.push(match done {
            Ok(done) => {
                if done.code == exit::STOPPED {
                    code = exit::STOPPED;
                }
                Ok(done)
            }
            Err(failure) => {
                let _ = report_error(&failure);
                let of_this = failure.exit_code();
                code = worst(code, of_this);
                let stopped = of_this == exit::STOPPED;
                Err(if stopped { End::Judged(Outcome::Stopped) } else { End::Failed })
            }
        });
    }
    let folders: Vec<Option<String>> = folders
        .iter()
        .map(|folder| folder.exists().then(|| folder.display().to_string()))
        .collect();
    let (rows, of_runs) = together(&paths, &folders, &ends);
    print_result(&several::render(&rows, Colour::Always, documents::terminal_width()))?;
    job::summarize(&markdown::several::render(&rows));
    Ok(worst(code, of_runs))
}

/// Several scenarios as one result: a row for each, and the exit code. A scenario that is worse by itself, and not when
/// all are looked at together, fails nothing by it.
fn together(
    paths: &[PathBuf],
    folders: &[Option<String>],
    ends: &[Result<Done, End>],
) -> (Vec<Row>, u8) {
    let none = Member { p: None, worse: false };
    let members: Vec<Member> =
        ends.iter().map(|end| end.as_ref().map_or(none, |done| done.member)).collect();
    let mut code = exit::PASS;
    let mut rows = Vec::new();
    for (((path, folder), end), worse) in
        paths.iter().zip(folders).zip(ends).zip(family::worse(&members))
    {
        let is_by_chance = |done: &Done| done.member.worse && !worse;
        if let Ok(done) = end {
            let by_itself =
                if is_by_chance(done) { done.code_without_comparison } else { done.code };
            code = worst(code, by_itself);
        }
        let by_chance = end.as_ref().is_ok_and(is_by_chance);
        let end = end.as_ref().map_or_else(|end| *end, |done| End::Judged(done.outcome));
        let scenario = path.display().to_string();
        rows.push(Row { scenario, end, folder: folder.clone(), by_chance });
    }
    (rows, code)
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

    #[test]
    fn a_scenario_that_is_worse_by_chance_of_many_fails_nothing() {
        let done = |p: f64| Done {
            outcome: if p <= 0.05 { Outcome::Regression } else { Outcome::Pass },
            code: if p <= 0.05 { exit::WORSE } else { exit::PASS },
            member: Member { p: Some(p), worse: p <= 0.05 },
            code_without_comparison: exit::PASS,
        };
        let of = |ends: Vec<Result<Done, End>>| {
            let paths: Vec<PathBuf> = (0..ends.len()).map(|n| format!("{n}.yaml").into()).collect();
            let (rows, code) = together(&paths, &vec![None; ends.len()], &ends);
            (rows.iter().map(|row| row.by_chance).collect::<Vec<_>>(), code)
        };
        assert_eq!(of(vec![Ok(done(0.04)), Ok(done(0.6))]), (vec![true, false], exit::PASS));
        assert_eq!(of(vec![Ok(done(0.001)), Ok(done(0.04))]), (vec![false, false], exit::WORSE));
        let failed = Done { code_without_comparison: exit::WORSE, ..done(0.04) };
        assert_eq!(of(vec![Ok(failed), Err(End::Failed)]), (vec![false, false], exit::WORSE));
        let failed = Done { code_without_comparison: exit::WORSE, ..done(0.04) };
        assert_eq!(of(vec![Ok(failed), Ok(done(0.5))]), (vec![true, false], exit::WORSE));
    }
}
