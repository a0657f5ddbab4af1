//! What failed, as annotations of a job: workflow commands for GitHub, and the JSON that GitLab reads.

use super::Report;
use super::cases::{self, Case, Group, Result};
use super::paired::PairedReport;
use crate::text::{clipped, safe};
use std::fmt::Write as _;

/// GitHub shows so many of each kind for a step.
const MOST: usize = 10;
/// Characters of a text that are shown.
const LIMIT: usize = 600;
/// Characters of a label of GitLab.
const LABEL: usize = 200;

/// What is to be pointed out.
#[derive(Debug, Clone, PartialEq)]
struct Finding {
    kind: Kind,
    title: String,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Error,
    Warning,
}

/// The annotations of a run. `fails`: the job fails because of it.
pub struct Annotations {
    scenario: String,
    file: String,
    headline: String,
    findings: Vec<Finding>,
}

impl Annotations {
    pub fn of_run(report: &Report, fails: bool) -> Self {
        let (judged, head) = (&report.judged, &report.judged.analysis.head);
        let verdict = &judged.verdict;
        let headline = cases::headline(verdict.outcome, &verdict.reasons);
        let cases = cases::of_run(report, fails);
        Self::new(judged.scenario.name(), &head.scenario_path, headline, cases)
    }

    pub fn of_pair(report: &PairedReport, fails: bool) -> Self {
        let headline = cases::headline(report.verdict.outcome, &report.verdict.reasons);
        let cases = cases::of_pair(report, fails);
        Self::new(&report.scenario, &report.scenario_path, headline, cases)
    }

    fn new(scenario: &str, file: &str, headline: String, cases: Vec<Case>) -> Self {
        let finding = |case: Case| {
            let (kind, text) = match case.result {
                Result::Failed(text) => (Kind::Error, text),
                // What is open beside the verdict is in the report.
                Result::Open(text) if case.group == Group::Verdict => (Kind::Warning, text),
                Result::Passed(_) | Result::Open(_) => return None,
            };
            let title = match case.group {
                Group::Verdict => scenario.to_owned(),
                Group::Thresholds | Group::Expectations | Group::Comparison => {
                    format!("{scenario}: {}", case.name)
                }
            };
            Some(Finding { kind, title, text })
        };
        let findings = cases.into_iter().filter_map(finding).collect();
        Self { scenario: scenario.to_owned(), file: file.to_owned(), headline, findings }
    }

    /// Commands for GitHub, each on a line; none when nothing is to be pointed out.
    pub fn github(&self) -> String {
        let mut out = String::new();
        let file = if relative(&self.file) {
            format!("file={},", property(&self.file))
        } else {
            String::new()
        };
        for kind in [Kind::Error, Kind::Warning] {
            let of: Vec<&Finding> = self.findings.iter().filter(|f| f.kind == kind).collect();
            let shown = if of.len() > MOST { MOST - 1 } else { of.len() };
            let name = match kind {
                Kind::Error => "error",
                Kind::Warning => "warning",
            };
            for finding in &of[..shown] {
                let (title, text) = (property(&finding.title), message(&finding.text));
                let _ = writeln!(out, "::{name} {file}title={title}::{text}");
            }
            let more = of.len() - shown;
            if more > 0 {
                let title = property(&self.scenario);
                let _ =
                    writeln!(out, "::{name} {file}title={title}::and {more} more: see the report");
            }
        }
        out
    }

    /// The annotations report of GitLab, whose entries are links: each leads to `link`, the page of the job. The
    /// verdict is always there.
    pub fn gitlab(&self, link: &str) -> String {
        let rest = self.findings.iter().filter(|finding| finding.text != self.headline);
        let lines = std::iter::once(format!("{}: {}", self.scenario, self.headline))
            .chain(rest.map(|finding| format!("{}: {}", finding.title, finding.text)));
        let entry = |text: String| {
            let label = clipped(&safe(&text), LABEL);
            serde_json::json!({ "external_link": { "label": label, "url": link } })
        };
        let entries: Vec<_> = lines.take(MOST).map(entry).collect();
        format!("{:#}\n", serde_json::json!({ "loadcall": entries }))
    }
}

/// Whether a path is one within the repository.
fn relative(path: &str) -> bool {
    !path.is_empty() && !path.starts_with('/') && !path.split('/').any(|part| part == "..")
}

/// A text behind `::`.
fn message(text: &str) -> String {
    let text = clipped(&safe(text), LIMIT);
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property of a command.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}
