//! `loadcall run`: scenario → calls → recording → report → verdict.

use super::exit::{self, Failure, print};
use super::placing::{self, Prepared};
use super::report::{self, Judged};
use super::server::Server;
use super::{RunArgs, files, logging};
use indicatif::MultiProgress;

pub(super) fn run(args: &RunArgs) -> Result<u8, Failure> {
    let bars = MultiProgress::new();
    logging::start(&bars);
    let placing = &args.placing;
    let server = Server::from_args(&placing.server)?;
    let baseline = report::baseline_for(&args.scenario, args.baseline.as_deref())?;
    let prepared = Prepared::new(&args.scenario, placing.out.as_deref())?;
    let run = placing::block_on(placing::calls(placing, &server, &prepared, &bars))?;
    let judged = Judged::against(run, baseline.as_ref(), args.different.into(), placing.seed)?;
    let written = files::write(&prepared.folder.join("report.json"), judged.json().as_bytes());
    if placing.out.is_none() {
        files::point_latest_at(&prepared.folder);
    }
    print(&judged.text(&prepared.folder))?;
    written?;
    Ok(exit::of(judged.verdict.outcome))
}
