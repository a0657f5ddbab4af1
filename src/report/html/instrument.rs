//! The caller itself: did it keep its schedule, how far off is it, and what exactly was run.

use maud::{Markup, html};

use super::marks::{ms, shown};
use crate::measured::Fingerprint;
use crate::record::Calibration;
use crate::report::Report;
use crate::report::counts::loss;
use crate::text::grouped;
use crate::verdict::{Judged, MAX_PACING_P99_MS};

pub(super) fn section(report: &Report) -> Markup {
    let analysis = &report.judged.analysis;
    let media = &analysis.media;
    html! {
        section aria-labelledby="health" {
            h2 #health { "Load generator health" }
            dl.facts {
                @match &report.pacing {
                    None => div { dt { "own audio" } dd { "none was sent" } },
                    Some(pacing) => {
                        div {
                            dt { "own audio left late, p99" }
                            dd {
                                (tenth(pacing.p99_ms)) " of at most " (ms(MAX_PACING_P99_MS)) "\u{a0}ms; p50 "
                                (tenth(pacing.p50_ms)) ", at most " (tenth(pacing.max_ms)) " (n\u{a0}"
                                (grouped(&pacing.n.to_string())) ")"
                            }
                        }
                    }
                }
                div { dt { "packets never sent" } dd { (grouped(&media.skipped.to_string())) } }
                div {
                    dt { "agent's packets received" }
                    dd {
                        (grouped(&media.received.to_string())) ", " (grouped(&media.lost.to_string())) " lost ("
                        (format!("{:.2}", loss(media) * 100.0)) "\u{a0}%), largest gap "
                        (ms(media.largest_gap_ms)) "\u{a0}ms"
                    }
                }
            }
            (calibration(analysis.head.calibration.as_ref()))
        }
    }
}

fn tenth(of: f64) -> String {
    format!("{of:.1}\u{a0}ms")
}

fn calibration(known: Option<&Calibration>) -> Markup {
    let Some(known) = known else {
        return html! {
            p.note {
                "Not calibrated: " code { "loadcall calibrate" } " measures loadcall's own error on this machine."
            }
        };
    };
    html! {
        div.scroll tabindex="0" role="region" aria-label="Calibration" {
            table {
                caption {
                    "Error of this caller, calibrated " (shown(known.at.split('T').next().unwrap_or_default()))
                    " with " (known.calls) " calls, " (known.concurrency) " at a time, in milliseconds"
                }
                thead { tr {
                    th scope="col" { "of" } th.number scope="col" { "n" } th.number scope="col" { "on average" }
                    th.number scope="col" { "within, p95" } th.number scope="col" { "within, p99" }
                } }
                tbody {
                    @for error in &known.errors {
                        tr {
                            th scope="row" { (shown(&error.of)) } td.number { (error.n) }
                            td.number { (format!("{:+.1}", error.bias_ms)) }
                            td.number { (format!("{:.1}", error.abs_p95_ms)) }
                            td.number { (format!("{:.1}", error.abs_p99_ms)) }
                        }
                    }
                }
            }
        }
    }
}

/// What was run, and what differs from the baseline.
pub(super) fn fingerprint(report: &Report) -> Markup {
    let Judged { scenario, analysis, verdict, .. } = &report.judged;
    let print = Fingerprint::take(analysis, scenario);
    html! {
        section aria-labelledby="fingerprint" {
            h2 #fingerprint { "What was run" }
            dl.facts {
                @for (name, value) in facts(report, &print) {
                    @if !value.is_empty() { div { dt { (name) } dd { (shown(&value)) } } }
                }
            }
            @if !verdict.differences.is_empty() {
                h3 { "What differs from the baseline" }
                ul { @for one in &verdict.differences { li { (shown(&one.to_string())) } } }
            } @else if verdict.comparison.is_some() {
                p { "Nothing that is recorded differs from the baseline." }
            } @else {
                p.note { "There is no baseline at hand whose conditions could differ." }
            }
        }
    }
}

fn facts(report: &Report, print: &Fingerprint) -> Vec<(&'static str, String)> {
    let head = &report.judged.analysis.head;
    let options = print.agent_options.iter().map(|(name, value)| format!("{name} {value}"));
    let joined = |of: Vec<String>| of.join(", ");
    // Usage shows the models that were asked: one that is missing is unknown, not none.
    let decided_by = |kind| match print.models_of(kind) {
        None if !print.models.is_empty() => "unknown".to_owned(),
        models => models.unwrap_or_default(),
    };
    vec![
        ("run", head.run_id.clone()),
        ("began", head.started_at.clone()),
        ("scenario", format!("{} ({})", print.scenario, head.scenario_path)),
        ("agent", print.agent.clone()),
        ("start endpoint", print.start.clone()),
        ("agent SDK", print.agent_sdk.clone().unwrap_or_default()),
        ("models", joined(print.models.iter().cloned().collect())),
        ("end-of-turn model", decided_by("eot")),
        ("interruption model", decided_by("interruption")),
        ("agent options", joined(options.collect())),
        ("server", head.server_url.clone()),
        ("server version", print.server_version.clone()),
        ("server region", print.server_region.clone()),
        ("calls at a time", print.concurrency.to_string()),
        ("seed", head.seed.to_string()),
        ("loadcall", print.loadcall_version.clone()),
        ("caller's host", print.host.clone()),
    ]
}

/// What a reader of the numbers has to know: the reasons of the verdict after the first, and the notes.
pub(super) fn remarks(report: &Report) -> Markup {
    let reasons = report.judged.verdict.reasons.iter().skip(1);
    let all: Vec<&String> = reasons.chain(&report.notes).collect();
    html! {
        section aria-labelledby="remarks" {
            h2 #remarks { "Remarks" }
            @if all.is_empty() { p { "None." } }
            ul { @for one in all { li { (shown(one)) } } }
        }
    }
}
