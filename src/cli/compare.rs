//! `loadcall compare`: judges a recording against a baseline or another run.

use super::documents::Reported;
use super::failure::Failure;
use super::progress::Verbosity;
use super::terminal::print_result;
use super::{recorded, report};
use crate::report::Report;
use crate::report::paired::PairedReport;
use crate::verdict::{FailOn, Judged, Mismatch};
use std::path::Path;

pub(super) fn compare(
    path: &Path,
    baseline: Option<&Path>,
    mismatch: Mismatch,
    fail_on: FailOn,
) -> Result<u8, Failure> {
    if recorded::is_ab(path) {
        if baseline.is_some() {
            return Err(recorded::ab_has_no_baseline(path));
        }
        let report = PairedReport::new(&report::judge_pair(path)?);
        return show(Reported::Pair { report: &report, fail_on: &fail_on }, path);
    }
    let own = recorded::own_baseline_path(&recorded::open(path)?.head);
    if baseline.is_none() && !own.exists() {
        return Err(Failure::usage(format!(
            "no baseline to compare with: `{}` does not exist",
            own.display()
        ))
        .hint("create one with `loadcall accept RUN`, or name a baseline or another run"));
    }
    // The baseline first: where it is a run, its recording is analysed and gone before this one's.
    let baseline = recorded::baseline(baseline.unwrap_or(&own))?;
    let (scenario, run) = recorded::analyse(path)?;
    let seed = run.head.seed;
    let judged = Judged::judge((scenario, run), Some(&baseline), mismatch, seed);
    drop(baseline);
    let report = Report::new(Judged { fail_on, ..judged });
    show(Reported::Run(&report), path)
}

fn show(reported: Reported<'_>, path: &Path) -> Result<u8, Failure> {
    print_result(&reported.text(path))?;
    reported.say_what_passed_over(Verbosity::Normal);
    Ok(reported.code())
}
