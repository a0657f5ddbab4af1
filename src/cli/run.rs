//! `loadcall run`: scenario → calls → recording → report → verdict.

use super::exit;
use super::failure::Failure;
use super::loaded::LoadedScenario;
use super::progress::Verbosity;
use super::server::Server;
use super::session::{NewRun, RunSession};
use super::terminal::{eprint_line, print_result};
use super::{RunArgs, documents, files, logging, recorded};
use crate::verdict::Judged;
use indicatif::MultiProgress;

pub(super) fn run(args: &RunArgs) -> Result<u8, Failure> {
    let bars = MultiProgress::new();
    logging::start(&bars);
    let RunArgs { scenario, baseline, different, fail_on, placing: args } = args;
    let loaded = LoadedScenario::load(scenario, args.clips.outside())?;
    let server = Server::from_args(&args.server, &loaded.scenario)?;
    let baseline = recorded::baseline_for(scenario, baseline.as_deref())?;
    let new = NewRun::prepare(args.out.as_deref())?;
    let mut session = RunSession::start(&server, &new.folder, &loaded, args, &bars)?;
    let folder = session.run(&new)?;
    drop(session);
    let run = recorded::analyse(&folder)?;
    let judged = Judged::judge(run, baseline.as_ref(), (*different).into(), args.seed);
    let judged = Judged { fail_on: fail_on.fail_on.clone(), ..judged };
    let kept = recorded::keep_verdict(&judged, &folder);
    let (report, written) = documents::write(judged, &folder);
    if args.out.is_none() {
        files::point_latest_at(&folder);
    }
    print_result(&documents::text(&report, &folder))?;
    kept.and(written)?;
    let Judged { verdict, fail_on, .. } = &report.judged;
    if let Some(line) = exit::passed_over(&verdict.grounds, fail_on)
        && args.verbosity() == Verbosity::Normal
    {
        eprint_line(&line);
    }
    Ok(exit::of(verdict.outcome, &verdict.grounds, fail_on))
}
