//! `loadcall compare`: judges a recording against a baseline or another run.

use super::exit;
use super::failure::Failure;
use super::terminal::{eprint_line, print_result};
use super::{documents, recorded, report};
use crate::report::Report;
use crate::report::paired::PairedReport;
use crate::verdict::{FailOn, Ground, Judged, Mismatch};
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
        print_result(&documents::paired_text(&report, path))?;
        let outcome = report.verdict.outcome;
        say_what_passed_over(Ground::of(outcome).as_slice(), &fail_on);
        return Ok(exit::of_pair(outcome, &fail_on));
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
    print_result(&documents::text(&report, path))?;
    let Judged { verdict, fail_on, .. } = &report.judged;
    say_what_passed_over(&verdict.grounds, fail_on);
    Ok(exit::of(verdict.outcome, &verdict.grounds, fail_on))
}

fn say_what_passed_over(grounds: &[Ground], fail_on: &FailOn) {
    if let Some(line) = exit::passed_over(grounds, fail_on) {
        eprint_line(&line);
    }
}
