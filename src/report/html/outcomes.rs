//! How the calls ended, and at which turn and why they failed.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::changes::step_id;
use super::failed::failed_step;
use super::marks::{cause, shown, term};
use crate::report::{Report, Share};
use crate::scenario::Metric;
use crate::text::clipped;
use crate::turn::Cause;

/// Characters of an example that are shown.
const EXAMPLE: usize = 240;

pub(super) fn section(report: &Report) -> Markup {
    html! {
        section aria-labelledby="outcomes" {
            h2 #outcomes { "Outcomes" }
            @if let Some(share) = report.calls_ok { p { (succeeded(share)) } }
            @else { p { "No call says anything about the agent." } }
            @if !report.causes.is_empty() {
                (hotspots(report))
                (examples(report))
            }
            (content(report))
            (turn_taking(report))
        }
    }
}

fn succeeded(share: Share) -> Markup {
    html! {
        strong { (share.count) " of " (share.of) " calls succeeded" }
        @if let Some(interval) = share.interval() {
            " (95\u{a0}% interval " (percent(interval.low)) " to " (percent(interval.high)) ")"
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}\u{a0}%", share * 100.0)
}

/// How many calls failed at which turn (`None`: before the first) for which reason.
fn hotspots(report: &Report) -> Markup {
    let scenario = &report.judged.scenario;
    let mut found: BTreeMap<(Option<u32>, Cause), usize> = BTreeMap::new();
    for call in &report.judged.analysis.calls {
        if let Some(failure) = &call.failure {
            *found.entry((failed_step(call, scenario), failure.cause)).or_default() += 1;
        }
    }
    let most = found.values().copied().max().unwrap_or(1);
    let mut steps: Vec<Option<u32>> = found.keys().map(|(step, _)| *step).collect();
    steps.dedup();
    // The class says how dark a cell is, in four steps.
    let heat = |n: usize| format!("heat-{}", (n * 4).div_ceil(most).clamp(1, 4));
    html! {
        div.scroll tabindex="0" role="region" aria-label="Failed calls by turn and cause" {
            table.hotspots {
                caption { "Failed calls by turn and cause" }
                thead { tr {
                    th scope="col" { "turn" }
                    @for count in &report.causes { th.number scope="col" { (cause(count.cause)) } }
                } }
                tbody {
                    @for step in &steps {
                        tr {
                            th scope="row" {
                                @match step {
                                    Some(step) => (step_id(report, *step)),
                                    None => "before the first turn",
                                }
                            }
                            @for count in &report.causes {
                                @match found.get(&(*step, count.cause)) {
                                    Some(n) => td.number.(heat(*n)) { (n) },
                                    None => td.number.none { "0" },
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn examples(report: &Report) -> Markup {
    html! {
        ul.examples {
            @for count in &report.causes {
                @if let Some(example) = &count.example {
                    li {
                        (cause(count.cause)) ": " (shown(&clipped(example, EXAMPLE)))
                        @if count.other_details > 0 { " (and " (count.other_details) " more, different)" }
                    }
                }
            }
        }
    }
}

/// What the replies held of what they should.
fn content(report: &Report) -> Markup {
    let of = report.content;
    html! {
        @if of.all() > 0 {
            p {
                (of.met) " of " (of.all()) " expected texts and tools found, " (of.missed) " missing, "
                (of.cannot_tell) " cannot be told."
            }
        }
    }
}

/// In how many turns something happened that should not.
fn turn_taking(report: &Report) -> Markup {
    let shown: Vec<_> = report
        .events
        .iter()
        .filter(|(metric, share)| *metric != Metric::FillerCount || share.count > 0)
        .collect();
    html! {
        @if !shown.is_empty() || report.overlap.is_some() {
            table {
                caption { "Turn taking" }
                thead { tr { th scope="col" { "metric" } th.number scope="col" { "found" } th scope="col" { "of" } } }
                tbody {
                    @for (metric, share) in shown {
                        tr {
                            th scope="row" { (term(*metric)) }
                            td.number { (share.count) } td { (share.of) " turns" }
                        }
                    }
                    @if let Some(overlap) = &report.overlap {
                        tr {
                            th scope="row" { (term(Metric::OverlapRatio)) }
                            td.number { (format!("{:.3}", overlap.all.ratio().unwrap_or(0.0))) }
                            td { "all calls together; at most " (format!("{:.3}", overlap.summary.max.value)) " in one" }
                        }
                    }
                }
            }
        }
    }
}
