//! `loadcall run`: scenario → calls → recording → report → verdict.

use super::exit::{self, Failure, print};
use super::loaded::LoadedScenario;
use super::report::{self, Judged};
use super::server::Server;
use super::session::{NewRun, RunSession};
use super::{RunArgs, files, logging};
use indicatif::MultiProgress;

pub(super) fn run(args: &RunArgs) -> Result<u8, Failure> {
    let bars = MultiProgress::new();
    logging::start(&bars);
    let RunArgs { scenario, baseline, different, placing: args } = args;
    let server = Server::from_args(&args.server)?;
    let baseline = report::baseline_for(scenario, baseline.as_deref())?;
    let loaded = LoadedScenario::load(scenario, args.clips.outside())?;
    let new = NewRun::prepare(args.out.as_deref())?;
    let mut session = RunSession::start(&server, &new.folder, &loaded, args, &bars)?;
    let folder = session.run(&new)?;
    drop(session);
    let run = report::read_run(&folder)?;
    let judged = Judged::against(run, baseline.as_ref(), (*different).into(), args.seed)?;
    let written = judged.write(&folder);
    if args.out.is_none() {
        files::point_latest_at(&folder);
    }
    print(&judged.text(&folder))?;
    written?;
    Ok(exit::of(judged.verdict.outcome))
}
