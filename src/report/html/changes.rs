//! What changed against the baseline, stage by stage, and where the time of a typical reply goes.

use maud::{Markup, html};

use super::marks::{bounded, ms, part, range, shown, signed, term};
use super::svg::{Axis, Drawing};
use super::verdict::{direction, primary};
use crate::report::Report;
use crate::report::rows::{asked, level};
use crate::stats::{Quantile, Rate, Statistic};
use crate::text::count;
use crate::turn::Part;
use crate::verdict::{Answer, Attribution, Change, Comparison, FailureChange};

pub(super) fn section(report: &Report) -> Markup {
    let comparison = report.judged.verdict.comparison.as_ref();
    html! {
        section aria-labelledby="changes" {
            h2 #changes { "What changed, by stage" }
            @match comparison {
                None => p { "Nothing was compared, so nothing is known to have changed." },
                Some(comparison) => {
                    @match (&comparison.attribution, primary(comparison)) {
                        (Some(attribution), Some(change)) => {
                            (waterfall(attribution, change, &asked(change, comparison)))
                            (steps(report, attribution))
                        }
                        _ => p.note {
                            "The change cannot be told apart by stage: the agent reports no stages on both sides, or "
                            "another metric is the primary one."
                        }
                    }
                    (table(comparison))
                }
            }
            (breakdown(report))
        }
    }
}

/// From the baseline's figure to that of the run: parts that add up.
fn waterfall(attribution: &Attribution, change: &Answer, name: &str) -> Markup {
    let total = Quantile { value: change.run, lower_bound: change.run_is_bound };
    let was = Quantile { value: change.baseline, lower_bound: change.baseline_is_bound };
    let mut rows = Vec::new();
    let mut at = change.baseline;
    let (mut low, mut high) = (0.0_f64, change.baseline.max(change.run));
    for (of, whole) in attribution.whole_ms() {
        let of_part = |c: &&crate::verdict::PartChange| Some(c.part) == of;
        let exact = attribution.parts.iter().find(of_part);
        let by = exact.map_or(attribution.rest_ms, |c| c.change_ms);
        let next = at + by;
        (low, high) = (low.min(next), high.max(next));
        // What makes no millisecond says nothing.
        if whole != 0 {
            rows.push((of, whole, at, next));
        }
        at = next;
    }
    let axis = Axis::ms(low, high, 4);
    let strip = |class: &str, from: f64, to: f64| {
        let mut drawing = Drawing::default();
        // What is too narrow to be seen is a line.
        let (from, to) = (axis.place(from), axis.place(to));
        let to = if (to - from).abs() < 3.0 { from + 3.0_f64.copysign(to - from) } else { to };
        drawing.bar(class, from, to);
        drawing.strip()
    };
    html! {
        div.scroll tabindex="0" role="region" aria-label="From the baseline to this run" {
            table.bars {
                caption { "From the baseline to this run: " (name) ", in milliseconds; parts that did not change are left out" }
                thead { tr {
                    th scope="col" { "part" } th.number scope="col" { "ms" }
                    th scope="col" { span.hidden { "drawn from zero" } (scale(&axis)) }
                } }
                tbody {
                    tr.total {
                        th scope="row" { "baseline" } td.number { (bounded(was)) }
                        td.bar { (strip("was", 0.0, change.baseline)) }
                    }
                    @for (of, whole, from, to) in &rows {
                        tr {
                            th scope="row" {
                                @match of {
                                    Some(of) => (part(*of)),
                                    None => "other turns and mix",
                                }
                            }
                            td.number { (signed(float(*whole))) }
                            td.bar { (strip(if to > from { "more" } else { "less" }, *from, *to)) }
                        }
                    }
                    tr.total {
                        th scope="row" { "this run" } td.number { (bounded(total)) }
                        td.bar { (strip("is", 0.0, change.run)) }
                    }
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a latency in milliseconds")]
const fn float(ms: i64) -> f64 {
    ms as f64
}

/// The labels of an axis above a column of bars.
fn scale(axis: &Axis) -> Markup {
    html! {
        span.scale aria-hidden="true" { @for label in axis.labels() { span { (label) } } }
    }
}

/// Which turns of the script changed.
fn steps(report: &Report, attribution: &Attribution) -> Markup {
    if attribution.steps.len() < 2 {
        return html! {};
    }
    html! {
        table {
            caption { "Change of each turn, and its largest part" }
            thead { tr {
                th scope="col" { "turn" } th.number scope="col" { "ms" } th scope="col" { "mainly" }
            } }
            tbody {
                @for step in &attribution.steps {
                    @let own: f64 = step.own.iter().map(|c| c.change_ms).sum();
                    tr {
                        th scope="row" { (step_id(report, step.step)) }
                        td.number { (signed(own)) }
                        td {
                            @if let Some(most) = step.own.first() {
                                (part(most.part)) " " (signed(most.change_ms))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The name of a step of the script.
pub(super) fn step_id(report: &Report, step: u32) -> String {
    let of = report.judged.scenario.steps().get(step as usize);
    of.map_or(String::new(), |step| shown(&step.id))
}

/// Every figure that was compared.
fn table(comparison: &Comparison) -> Markup {
    let runs = comparison.baseline_runs.len();
    html! {
        div.scroll tabindex="0" role="region" aria-label="Every figure that was compared" {
            table {
                caption {
                    "Every figure that was compared with " (count(runs, "accepted run"))
                    ", in milliseconds; the first decide, the others are reported"
                }
                thead { tr {
                    th scope="col" { "metric" } th.number scope="col" { "baseline" }
                    th.number scope="col" { "this run" } th.number scope="col" { "difference" }
                    th.number scope="col" { "interval" } th scope="col" { "change" }
                } }
                tbody {
                    @for change in &comparison.answers { (answer_row(change, comparison)) }
                    @for change in comparison.changes.iter().chain(&comparison.spread) { (row(change)) }
                }
            }
        }
        @for (change, what) in [(&comparison.failures, "succeed"), (&comparison.cut_ins, "have no cut-in")] {
            @if let Some(change) = change { (counted(change, what)) }
        }
    }
}

fn answer_row(answer: &Answer, comparison: &Comparison) -> Markup {
    let (word, class) = direction(answer.direction);
    let bound = |value, lower_bound| bounded(Quantile { value, lower_bound });
    html! {
        tr {
            th scope="row" {
                (shown(&asked(answer, comparison))) @if answer.decides { " (decides)" }
            }
            td.number { (bound(answer.baseline, answer.baseline_is_bound)) }
            td.number { (bound(answer.run, answer.run_is_bound)) }
            td.number { (signed(answer.difference.point)) }
            td.number { (range(&answer.difference)) " (" (level(answer.confidence)) "\u{a0}%)" }
            td { span.(class) { (word) } }
        }
    }
}

fn row(change: &Change) -> Markup {
    let (word, class) = direction(change.direction);
    let bound = |value, lower_bound| bounded(Quantile { value, lower_bound });
    html! {
        tr {
            th scope="row" { (term(change.metric)) " " (statistic(change.statistic)) }
            td.number { (bound(change.baseline, change.baseline_is_bound)) }
            td.number { (bound(change.run, change.run_is_bound)) }
            td.number { (signed(change.difference.point)) }
            td.number { (range(&change.difference)) " (95\u{a0}%)" }
            td { span.(class) { (word) } }
        }
    }
}

fn statistic(of: Statistic) -> String {
    match of {
        Statistic::Quantile(percent) => crate::text::quantile(percent),
        Statistic::Spread => "p90 − p50".to_owned(),
    }
}

fn counted(change: &FailureChange, what: &str) -> Markup {
    let share = |rate: Rate| format!("{} of {}", rate.hits, rate.n);
    html! {
        p {
            "Calls that " (what) ": " (share(change.run)) ", in the baseline " (share(change.baseline)) "; "
            @if change.more { span.bad { "fewer than before, beyond chance" } }
            @else { "no difference beyond chance" }
            "."
        }
    }
}

/// How a stage is drawn: what decides the turn, what the model takes, what the voice takes, and the rest.
pub(super) const fn group(part: Part) -> &'static str {
    match part {
        Part::TurnDecided | Part::EndOfTurn | Part::Transcription | Part::EndNoticedLate => "turn",
        Part::UserTurnHook
        | Part::Tool
        | Part::LlmFirstToken
        | Part::LlmFirstSentence
        | Part::AnswerPrepared => "model",
        Part::TtsFirstByte | Part::FirstTokenToAudio => "voice",
        Part::BetweenStages | Part::Unattributed => "rest",
    }
}

/// The parts of a reply in the order in which they follow each other, as far as that is known.
pub(super) const ORDER: [Part; 13] = [
    Part::EndNoticedLate,
    Part::TurnDecided,
    Part::EndOfTurn,
    Part::Transcription,
    Part::UserTurnHook,
    Part::Tool,
    Part::LlmFirstToken,
    Part::LlmFirstSentence,
    Part::TtsFirstByte,
    Part::FirstTokenToAudio,
    Part::BetweenStages,
    Part::AnswerPrepared,
    Part::Unattributed,
];

/// Where the time until a typical reply of each turn goes.
fn breakdown(report: &Report) -> Markup {
    if report.steps.is_empty() {
        return html! {
            p.note { "The agent reports no stages and no state, so the time of its replies cannot be told apart." }
        };
    }
    let most = report.steps.iter().map(|line| line.path.total_ms()).fold(0.0, f64::max);
    let axis = Axis::ms(0.0, most, 4);
    html! {
        h3 { "Where the time of a typical reply goes" }
        @for line in &report.steps {
            @let parts = ORDER.into_iter().filter_map(|of| Some((of, *line.path.parts.get(&of)?)));
            @let parts: Vec<_> = parts.collect();
            div.scroll tabindex="0" role="region" aria-label={ "Parts of the reply to " (shown(&line.id)) } {
                table.bars {
                    caption {
                        strong { (shown(&line.id)) } ": " (ms(line.path.total_ms()))
                        "\u{a0}ms around the median of this run (n\u{a0}" (line.n) ")"
                        @if line.path.hidden_ms >= 0.5 {
                            "; " (ms(line.path.hidden_ms)) "\u{a0}ms more in parallel"
                        }
                    }
                    thead { tr {
                        th scope="col" { "part" } th.number scope="col" { "ms" }
                        th scope="col" { span.hidden { "drawn from zero, one after another" } (scale(&axis)) }
                    } }
                    tbody { (parts_one_after_another(&parts, &axis)) }
                }
            }
        }
    }
}

fn parts_one_after_another(parts: &[(Part, f64)], axis: &Axis) -> Markup {
    let mut from = 0.0;
    let rows: Vec<_> = parts
        .iter()
        .map(|(of, value)| {
            let begin = from;
            from += value;
            let mut drawing = Drawing::default();
            drawing.bar(group(*of), axis.place(begin), axis.place(from));
            (*of, *value, drawing)
        })
        .collect();
    html! {
        @for (of, value, drawing) in &rows {
            @if value.abs() >= 0.5 {
                tr {
                    th scope="row" { (part(*of)) } td.number { (ms(*value)) }
                    td.bar { (drawing.strip()) }
                }
            }
        }
    }
}
