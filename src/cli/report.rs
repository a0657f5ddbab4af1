//! `loadcall report`: the report of a recording, in the form that is asked for.
#![expect(
    clippy::disallowed_methods,
    reason = "IO: reads the variable that names the page of a job"
)]

use super::documents::Reported;
use super::exit;
use super::failure::Failure;
use super::terminal::{print_document, print_json, print_json_with, print_result};
use super::{ReportFormat, page, recorded};
use crate::report::paired::{self, PairedReport};
use crate::report::{Report, csv, json, markdown, openmetrics};
use crate::verdict::{FailOn, Judged, JudgedPair, Mismatch};
use std::path::Path;

/// The page of the job, which annotations of GitLab link to.
const JOB_PAGE: &str = "CI_JOB_URL";

pub(super) fn report(
    path: &Path,
    format: ReportFormat,
    baseline: Option<&Path>,
    mismatch: Mismatch,
    html_audio: u64,
) -> Result<u8, Failure> {
    if recorded::is_ab(path) {
        if baseline.is_some() {
            return Err(recorded::ab_has_no_baseline(path));
        }
        let report = PairedReport::new(&judge_pair(path)?);
        let fail_on = &FailOn::default();
        print(Reported::Pair { report: &report, fail_on }, format, path)?;
        return Ok(exit::PASS);
    }
    let report = Report::new(recorded::judged(path, baseline, mismatch)?);
    if format == ReportFormat::Html {
        let scenario = Path::new(&report.judged.analysis.head.scenario_path);
        let baseline = recorded::baseline_for(scenario, baseline)?;
        print_document(|out| page::write(&report, baseline.as_ref(), path, html_audio, out))?;
        return Ok(exit::PASS);
    }
    print(Reported::Run(&report), format, path)?;
    Ok(exit::PASS)
}

/// An A/B run, judged again as it was.
pub(super) fn judge_pair(path: &Path) -> Result<JudgedPair, Failure> {
    let [a, b] = recorded::analyse_ab(path)?;
    let seed = a.1.head.seed;
    Ok(JudgedPair::judge(a, b, seed))
}

fn print(report: Reported<'_>, format: ReportFormat, place: &Path) -> Result<(), Failure> {
    let document = |text: &str| print_document(|out| out.write_all(text.as_bytes()));
    match format {
        ReportFormat::Text => print_result(&report.text(place)),
        ReportFormat::Json => match report {
            Reported::Run(report) => print_json_with(|out| json::write(report, out)),
            Reported::Pair { report, .. } => print_json(&paired::json::render(report)),
        },
        ReportFormat::Markdown => document(&report.markdown(place, markdown::LIMIT)),
        ReportFormat::Junit => document(&report.junit()),
        ReportFormat::GithubAnnotations => document(&report.annotations().github()),
        ReportFormat::GitlabAnnotations => {
            document(&report.annotations().gitlab(&page_of_the_job()?))
        }
        ReportFormat::Openmetrics => document(&openmetrics::render(of_one(report, place)?)),
        // Of a run it is written where the calls are at hand.
        ReportFormat::Html => Err(recorded::ab_has_no_such_format(place)),
        ReportFormat::CallsCsv => {
            let report = of_one(report, place)?;
            let Judged { scenario, analysis, .. } = &report.judged;
            print_document(|out| csv::calls(&analysis.head, scenario, &analysis.calls, out))
        }
        ReportFormat::TurnsCsv => {
            let report = of_one(report, place)?;
            print_document(|out| csv::turns(report, out))
        }
    }
}

/// Tables and metrics are of one agent.
fn of_one<'a>(report: Reported<'a>, place: &Path) -> Result<&'a Report, Failure> {
    match report {
        Reported::Run(report) => Ok(report),
        Reported::Pair { .. } => Err(recorded::ab_has_no_such_format(place)),
    }
}

fn page_of_the_job() -> Result<String, Failure> {
    let url = std::env::var(JOB_PAGE).unwrap_or_default();
    let is_page = ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
    if is_page {
        return Ok(url);
    }
    Err(Failure::usage(format!("{JOB_PAGE} is not the address of a page"))
        .hint("the annotations of GitLab are links to the page of the job, whose address GitLab sets there"))
}
