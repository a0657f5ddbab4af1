//! The report as JUnit XML (`junit.xml`): a case for the verdict, each threshold, each turn that is to do something,
//! and each figure that was compared. Jenkins' schema `junit-10.xsd` describes the shape.

use super::Report;
use super::cases::{self, Case, Result};
use super::paired::PairedReport;
use super::rows;
use crate::record::trace_url;
use crate::scenario::Metric;
use crate::text::{clipped, safe};

/// The name of the file in a run folder.
pub const FILE_NAME: &str = "junit.xml";
/// Characters of a text that are written.
const LIMIT: usize = 2_000;
/// Failing calls whose traces are named.
const TRACES: usize = 20;

/// The document. `fails`: the job fails because of this run, so its verdict must not look better.
pub fn render(report: &Report, fails: bool) -> String {
    let analysis = &report.judged.analysis;
    let head = &analysis.head;
    let mut properties = vec![
        ("run_id".to_owned(), head.run_id.clone()),
        ("loadcall_version".to_owned(), head.loadcall_version.clone()),
        ("agent".to_owned(), report.judged.scenario.agent().name.clone()),
        ("calls".to_owned(), analysis.calls.len().to_string()),
    ];
    for summary in &report.metrics {
        if analysis.measures.repeats(summary.metric) {
            continue;
        }
        let name = summary.metric.name();
        properties.push((format!("{name}.n"), summary.n.to_string()));
        for (quantile, of) in [("p50", summary.p50), ("p95", summary.p95)] {
            let bound = if of.lower_bound { ">= " } else { "" };
            properties.push((format!("{name}.{quantile}_ms"), format!("{bound}{:.3}", of.value)));
        }
    }
    if let Some(ok) = report.calls_ok {
        let name = Metric::CallsOk.name();
        properties.push((format!("{name}.n"), ok.of.to_string()));
        properties.push((name.to_owned(), ok.count.to_string()));
    }
    for call in rows::failing(report).take(TRACES) {
        let url = trace_url(head, call.call);
        properties.extend(url.map(|url| (format!("call.{}.trace_url", call.call.0), url)));
    }
    let suite = Suite {
        name: report.judged.scenario.name(),
        started_at: &head.started_at,
        duration_ms: report.duration_ms(),
        properties,
    };
    document(&suite, &cases::of_run(report, fails))
}

/// The same for an A/B run.
pub fn render_pair(report: &PairedReport, fails: bool) -> String {
    let suite = Suite {
        name: &report.scenario,
        started_at: &report.started_at,
        duration_ms: report.duration_ms,
        properties: vec![
            ("run_id".to_owned(), report.run_id.clone()),
            ("loadcall_version".to_owned(), report.loadcall_version.clone()),
            ("a.agent".to_owned(), report.a.agent_name.clone()),
            ("b.agent".to_owned(), report.b.agent_name.clone()),
        ],
    };
    document(&suite, &cases::of_pair(report, fails))
}

struct Suite<'a> {
    name: &'a str,
    started_at: &'a str,
    duration_ms: Option<f64>,
    properties: Vec<(String, String)>,
}

fn document(suite: &Suite<'_>, cases: &[Case]) -> String {
    let tests = cases.len();
    let failures = cases.iter().filter(|case| matches!(case.result, Result::Failed(_))).count();
    let skipped = cases.iter().filter(|case| matches!(case.result, Result::Open(_))).count();
    let name = xml(suite.name);
    let time = suite.duration_ms.map_or(String::new(), |ms| {
        // The schema knows no more than thousands of hours.
        format!(" time=\"{:.3}\"", (ms / 1_000.0).clamp(0.0, 9_999_999.0))
    });
    let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"0\"");
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    line(&format!("<testsuites name=\"loadcall\" {counts}{time}>"));
    line(&format!(
        "  <testsuite name=\"{name}\" {counts} skipped=\"{skipped}\"{time} timestamp=\"{}\">",
        xml(suite.started_at)
    ));
    line("    <properties>");
    for (name, value) in &suite.properties {
        line(&format!("      <property name=\"{}\" value=\"{}\"/>", xml(name), xml(value)));
    }
    line("    </properties>");
    for case in cases {
        let of = format!("classname=\"{name}.{}\" name=\"{}\"", case.group.name(), xml(&case.name));
        let inside = match &case.result {
            Result::Passed(text) => format!("<system-out>{}</system-out>", xml(text)),
            Result::Failed(text) => {
                let text = xml(text);
                format!(
                    "<failure type=\"{}\" message=\"{text}\">{text}</failure>",
                    case.group.name()
                )
            }
            Result::Open(text) => format!("<skipped message=\"{}\"/>", xml(text)),
        };
        line(&format!("    <testcase {of}>{inside}</testcase>"));
    }
    line("  </testsuite>");
    line("</testsuites>");
    out
}

/// A text as it may stand in an attribute or an element: short, on one line, escaped. The characters that XML 1.0
/// forbids in any form are spelled out already ([`safe`]).
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clipped(&safe(text), LIMIT).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c => out.push(c),
        }
    }
    out
}
