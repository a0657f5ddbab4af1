//! `loadcall report`: the report of a recording, in the form that is asked for.

use super::exit::{self, Failure, print};
use super::terminal::print_json;
use super::{documents, recorded};
use crate::report::Report;
use crate::report::paired::{PairedReport, json};
use crate::verdict::{Judged, JudgedPair, Mismatch};
use std::path::Path;

/// The forms a report can be printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Plain text.
    Text,
    /// JSON, as in report.json.
    Json,
}

pub(super) fn report(
    path: &Path,
    format: Format,
    baseline: Option<&Path>,
    mismatch: Mismatch,
) -> Result<u8, Failure> {
    if recorded::is_ab(path) {
        if baseline.is_some() {
            return Err(recorded::ab_has_no_baseline(path));
        }
        let report = PairedReport::new(&judge_pair(path)?);
        match format {
            Format::Text => print(&documents::paired_text(&report, path))?,
            Format::Json => print_json(&json::render(&report))?,
        }
        return Ok(exit::PASS);
    }
    let head = recorded::open(path)?.head;
    let baseline = recorded::baseline_for(Path::new(&head.scenario_path), baseline)?;
    let (scenario, run) = recorded::analyse(path)?;
    let seed = head.seed;
    let judged = Judged::judge((scenario, run), baseline.as_ref(), mismatch, seed);
    drop(baseline);
    let report = Report::new(judged);
    match format {
        Format::Text => print(&documents::text(&report, path))?,
        Format::Json => documents::print_report(&report)?,
    }
    Ok(exit::PASS)
}

/// An A/B run, judged again as it was.
pub(super) fn judge_pair(path: &Path) -> Result<JudgedPair, Failure> {
    let [a, b] = recorded::analyse_ab(path)?;
    let seed = a.1.head.seed;
    Ok(JudgedPair::judge(a, b, seed))
}
