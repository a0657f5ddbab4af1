//! `loadcall compare`: judges a recording against a baseline or another run.

use super::exit::{self, Failure, print};
use super::pair;
use super::report::{self, Judged};
use crate::verdict::Different;
use std::path::Path;

pub(super) fn compare(
    path: &Path,
    baseline: Option<&Path>,
    different: Different,
) -> Result<u8, Failure> {
    if pair::is_ab(path) {
        if baseline.is_some() {
            return Err(report::ab_has_no_baseline(path));
        }
        let judged = pair::read(path)?;
        print(&judged.text(path))?;
        return Ok(exit::of(judged.outcome()));
    }
    let run = report::read_run(path)?;
    let own = report::own_baseline_path(&run);
    if baseline.is_none() && !own.exists() {
        return Err(Failure::usage(format!(
            "no baseline to compare with: `{}` does not exist",
            own.display()
        ))
        .hint("create one with `loadcall accept RUN`, or name a baseline or another run"));
    }
    let measure = report::read_baseline(baseline.unwrap_or(&own))?;
    let seed = run.head.seed;
    let judged = Judged::against(run, Some(&measure), different, seed)?;
    print(&judged.text(path))?;
    Ok(exit::of(judged.verdict.outcome))
}
