//! `loadcall report`: the report of a recording, in the form that is asked for.

use super::exit;
use super::failure::Failure;
use super::terminal::{print_json, print_result};
use super::{ReportFormat, documents, recorded};
use crate::report::Report;
use crate::report::paired::{PairedReport, json};
use crate::verdict::{JudgedPair, Mismatch};
use std::path::Path;

pub(super) fn report(
    path: &Path,
    format: ReportFormat,
    baseline: Option<&Path>,
    mismatch: Mismatch,
) -> Result<u8, Failure> {
    if recorded::is_ab(path) {
        if baseline.is_some() {
            return Err(recorded::ab_has_no_baseline(path));
        }
        let report = PairedReport::new(&judge_pair(path)?);
        match format {
            ReportFormat::Text => print_result(&documents::paired_text(&report, path))?,
            ReportFormat::Json => print_json(&json::render(&report))?,
        }
        return Ok(exit::PASS);
    }
    let report = Report::new(recorded::judged(path, baseline, mismatch)?);
    match format {
        ReportFormat::Text => print_result(&documents::text(&report, path))?,
        ReportFormat::Json => documents::print_report(&report)?,
    }
    Ok(exit::PASS)
}

/// An A/B run, judged again as it was.
pub(super) fn judge_pair(path: &Path) -> Result<JudgedPair, Failure> {
    let [a, b] = recorded::analyse_ab(path)?;
    let seed = a.1.head.seed;
    Ok(JudgedPair::judge(a, b, seed))
}
