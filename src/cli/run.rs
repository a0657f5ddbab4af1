//! `loadcall run`: scenario → calls → recording → report → verdict.

use super::exit::{self, Failure, print};
use super::placing::{self, Fresh, Material, Placing};
use super::report::{self, Judged};
use super::server::Server;
use super::stop::Stop;
use super::{RunArgs, files, logging};
use indicatif::MultiProgress;

pub(super) fn run(args: &RunArgs) -> Result<u8, Failure> {
    let bars = MultiProgress::new();
    logging::start(&bars);
    let RunArgs { scenario, baseline, different, placing: args } = args;
    let server = Server::from_args(&args.server)?;
    let baseline = report::baseline_for(scenario, baseline.as_deref())?;
    let material = Material::load(scenario)?;
    let fresh = Fresh::begin(args.out.as_deref())?;
    let placing = Placing { args, material: &material, bars: &bars };
    let run = placing.beside(&server, &fresh.folder, async |target, stop: &mut Stop| {
        placing::one_run(&placing, &fresh, target, stop).await
    })?;
    let judged = Judged::against(run, baseline.as_ref(), (*different).into(), args.seed)?;
    let written = judged.write(&fresh.folder);
    if args.out.is_none() {
        files::point_latest_at(&fresh.folder);
    }
    print(&judged.text(&fresh.folder))?;
    written?;
    Ok(exit::of(judged.verdict.outcome))
}
