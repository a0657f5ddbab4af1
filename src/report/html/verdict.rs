//! The first screen: the verdict in a sentence, at most three problems, and the figure that decides.

use maud::{Markup, html};

use super::marks::{self, Tone, bounded, judgement, ms, range, shown, signed, term};
use super::svg::Drawing;
use crate::report::rows::{asked, level};
use crate::report::{Report, Slowest, worst_first};
use crate::stats::{Interval, Resampling, Statistic, interval_of};
use crate::text::{count, quantile};
use crate::verdict::{Answer, Basis, Comparison, Direction, Outcome, sample};

/// Problems that are named on the first screen; the rest is further down.
const NAMED: usize = 3;

/// How often values are resampled for the interval of a figure that nothing is compared with.
const RESAMPLES: u32 = 2_000;

/// Something that is wrong or in doubt, and where to read on.
struct Problem {
    tone: Tone,
    link: String,
    text: Markup,
}

pub(super) fn section(report: &Report) -> Markup {
    let verdict = &report.judged.verdict;
    let (word, tone) = judgement(verdict.outcome);
    let sentence = verdict.reasons.first().map_or(String::new(), |reason| begun(&shown(reason)));
    let problems = problems(report);
    html! {
        section.verdict.(tone.class()) aria-labelledby="verdict" {
            h2 #verdict {
                span.sign aria-hidden="true" { (tone.sign()) }
                " " (word)
            }
            p.sentence { (sentence) }
            @if !problems.is_empty() {
                ol.problems aria-label="Problems" {
                    @for problem in &problems {
                        li.(problem.tone.class()) {
                            span.sign aria-hidden="true" { (problem.tone.sign()) }
                            " " a href=(problem.link) { (problem.text) }
                        }
                    }
                }
            }
            (worst(report))
        }
    }
}

/// With a capital at its begin, unless that is a name.
fn begun(sentence: &str) -> String {
    let first = sentence.split(' ').next().unwrap_or_default();
    let rest = sentence.chars().next().map_or("", |c| &sentence[c.len_utf8()..]);
    match sentence.chars().next() {
        Some(c) if !first.contains('_') => c.to_uppercase().chain(rest.chars()).collect(),
        Some(_) | None => sentence.to_owned(),
    }
}

/// The way to the call to look at first.
fn worst(report: &Report) -> Markup {
    let mut order = worst_first(&report.judged.analysis.calls);
    let Some((call, slowest)) = order.next().and_then(|call| Some((call, Slowest::of(call)?)))
    else {
        return html! {};
    };
    html! {
        p.worst {
            a.button href={ "#call-" (call.call.0) } {
                @if call.ok() == Some(true) { "Look at the slowest turn" } @else { "Look at the worst turn" }
            }
            span {
                "call " (call.call.0) ", " (shown(&slowest.turn.id)) ": "
                @if slowest.censored { "≥\u{a0}" } (ms(slowest.ms)) "\u{a0}ms"
            }
        }
    }
}

/// What is wrong, the worst first, without what the verdict's sentence says already.
fn problems(report: &Report) -> Vec<Problem> {
    let verdict = &report.judged.verdict;
    let said = verdict.reasons.first().map_or("", String::as_str);
    let bad = |link: &str, text| Problem { tone: Tone::Bad, link: link.to_owned(), text };
    let mut all = Vec::new();
    if let Some(comparison) = &verdict.comparison {
        all.extend(slower(comparison).map(|text| bad("#changes", text)));
        for (more, what) in [(&comparison.failures, "fail"), (&comparison.cut_ins, "have a cut-in")]
        {
            if let Some(more) = more.as_ref().filter(|more| more.more) {
                let (was, is) = (more.baseline, more.run);
                let wrong = |rate: crate::stats::Rate| rate.n.saturating_sub(rate.hits);
                let text = html! {
                    "More calls " (what) ": " (wrong(is)) " of " (is.n) ", in the baseline " (wrong(was))
                    " of " (was.n)
                };
                all.push(bad("#outcomes", text));
            }
        }
    }
    for (i, result) in verdict.thresholds.iter().enumerate() {
        if !result.held && !said.contains(&result.text) {
            let text = html! { "Threshold missed: " (shown(&result.text)) };
            all.push(bad(&format!("#threshold-{i}"), text));
        }
    }
    for count in &report.causes {
        let first =
            report.judged.analysis.calls.iter().find(|call| {
                call.failure.as_ref().is_some_and(|failure| failure.cause == count.cause)
            });
        let link = first.map_or("#outcomes".to_owned(), |call| format!("#call-{}", call.call.0));
        let calls = crate::text::count(count.calls, "call");
        let text = html! { (calls) ": " (marks::cause_text(count.cause)) };
        all.push(bad(&link, text));
    }
    // Where nothing is wrong: what limits the verdict.
    let is_said =
        |reason: &&String| verdict.thresholds.iter().any(|result| reason.contains(&result.text));
    let limits = verdict.reasons.iter().skip(1).filter(|_| all.is_empty());
    for reason in limits.filter(|reason| !is_said(reason)).collect::<Vec<_>>() {
        let text = html! { (shown(reason)) };
        all.push(Problem { tone: Tone::Doubt, link: "#remarks".to_owned(), text });
    }
    all.truncate(NAMED);
    all
}

/// Which part made the primary metric slower.
fn slower(comparison: &Comparison) -> Option<Markup> {
    let change = primary(comparison).filter(|change| change.direction == Direction::Slower)?;
    let name = asked(change, comparison);
    let moved = signed(change.difference.point);
    let chief = comparison.attribution.as_ref().and_then(crate::verdict::Attribution::chief);
    Some(html! {
        @if let Some(chief) = chief {
            (chief.part.name()) " makes " (signed(chief.change_ms)) " of " (moved) "\u{a0}ms"
        } @else {
            (name) " is " (moved) "\u{a0}ms slower"
        }
    })
}

/// The first question that decides.
pub(super) fn primary(comparison: &Comparison) -> Option<&Answer> {
    comparison.answers.first()
}

/// The figure that decides, with its interval and what the comparison could find.
pub(super) fn primary_section(report: &Report) -> Markup {
    let comparison = report.judged.verdict.comparison.as_ref();
    let answer = comparison.and_then(|comparison| Some((comparison, primary(comparison)?)));
    html! {
        section.primary aria-labelledby="primary" {
            @match answer {
                Some((comparison, answer)) => (compared(comparison, answer)),
                None => (alone(report)),
            }
        }
    }
}

fn compared(comparison: &Comparison, change: &Answer) -> Markup {
    let is = crate::stats::Quantile { value: change.run, lower_bound: change.run_is_bound };
    let was =
        crate::stats::Quantile { value: change.baseline, lower_bound: change.baseline_is_bound };
    let (word, class) = direction(change.direction);
    let runs = comparison.baseline_runs.len();
    html! {
        div {
            h2 #primary { "What decides first" }
            p.figure { strong { (bounded(is)) } " ms" }
            p.what { (asked(change, comparison)) }
            p {
                span.(class) { (word) } ": " (signed(change.difference.point)) "\u{a0}ms against "
                (bounded(was)) "\u{a0}ms in the baseline of " (count(runs, "run"))
            }
        }
        div {
        (interval(change))
        dl.facts {
            div { dt { (level(change.confidence)) "\u{a0}% interval of the difference" } dd { (range(&change.difference)) } }
            div { dt { "a change matters from" } dd { (ms(change.min_effect_ms)) "\u{a0}ms" } }
            div {
                dt { "about the smallest slowdown found in 90\u{a0}% of cases" }
                dd { (ms(change.detectable_ms)) "\u{a0}ms" }
            }
            @if let Basis::Runs(of) = change.basis {
                div {
                    dt { "95\u{a0}% of new runs like the accepted ones" }
                    dd { (ms(of.expected.low)) " to " (ms(of.expected.high)) "\u{a0}ms" }
                }
            }
        }
        }
    }
}

/// The difference on an axis with zero, and what would matter.
fn interval(change: &Answer) -> Markup {
    let Interval { low, point, high } = change.difference;
    let least = change.min_effect_ms;
    let reach = [low, high, -least, least].map(f64::abs).into_iter().fold(0.0, f64::max) * 1.1;
    let reach = if reach.is_finite() && reach > 0.0 { reach } else { 1.0 };
    let place = |value: f64| ((value / reach).clamp(-1.0, 1.0) + 1.0) * 500.0;
    let mut drawing = Drawing::default();
    drawing.bar("band", place(-least), place(least));
    drawing.path("zero", |line| line.to(500.0, 0.0).down(1_000.0));
    drawing.path("whisker", |line| line.to(place(low), 500.0).across(place(high)));
    drawing.dots("dot", [(place(point), 500.0)]);
    html! {
        div.interval {
            (drawing.strip())
            div.ends aria-hidden="true" {
                span { "faster \u{2212}" (ms(reach)) "\u{a0}ms" }
                span { "0" }
                span { "+" (ms(reach)) "\u{a0}ms slower" }
            }
            p.legend aria-hidden="true" {
                "line: " (level(change.confidence)) "\u{a0}% interval of the difference; band: too small to matter"
            }
        }
    }
}

/// Without a comparison: the run's own figure.
fn alone(report: &Report) -> Markup {
    let rule = report.judged.scenario.baseline();
    let measures = &report.judged.analysis.measures;
    let name = quantile(rule.quantile);
    let Some(sample) = sample(measures.values(rule.primary)) else {
        return html! {
            h2 #primary { "Primary metric" }
            p { "No value of " (term(rule.primary)) " was measured." }
        };
    };
    let statistic = Statistic::Quantile(rule.quantile);
    let figure = sample.figure(statistic);
    let how = Resampling { resamples: RESAMPLES, seed: report.judged.analysis.head.seed };
    // Among unanswered turns the ends of an interval are bounds, too.
    let exact = sample.censored() == 0 && sample.clusters() > 1;
    let interval = exact.then(|| interval_of(&sample, statistic, &how));
    html! {
        div {
            h2 #primary { "Primary metric" }
            p.figure { strong { (bounded(figure)) } " ms" }
            p.what { (term(rule.primary)) " " (name) }
        }
        div {
        dl.facts {
            @if let Some(interval) = interval {
                div {
                    dt { "95\u{a0}% interval, by resampling calls" }
                    dd { (ms(interval.low)) " to " (ms(interval.high)) "\u{a0}ms" }
                }
            }
            div {
                dt { "turns" }
                dd {
                    (sample.len())
                    @if sample.censored() > 0 { ", " (sample.censored()) " of them unanswered" }
                }
            }
        }
        p.note { (why_alone(report)) }
        }
    }
}

/// Why nothing is compared.
fn why_alone(report: &Report) -> Markup {
    match report.judged.verdict.outcome {
        Outcome::NotComparable => html! {
            "The baseline was recorded under other conditions: see the " a href="#remarks" { "remarks" } "."
        },
        Outcome::Invalid | Outcome::NothingMeasured | Outcome::Stopped => html! {
            "This run is not compared with a baseline."
        },
        Outcome::Pass
        | Outcome::Improvement
        | Outcome::Fail
        | Outcome::Regression
        | Outcome::Suspected
        | Outcome::Inconclusive => html! {
            "There is nothing to compare it with. " code { "loadcall accept" } " makes a valid run the baseline."
        },
    }
}

pub(super) const fn direction(of: Direction) -> (&'static str, &'static str) {
    match of {
        Direction::Slower => ("slower", "bad"),
        Direction::Faster => ("faster", "good"),
        Direction::Alike => ("no change", "plain"),
        Direction::Unclear => ("uncertain", "plain"),
    }
}

/// Each threshold with what was measured.
pub(super) fn thresholds(report: &Report) -> Markup {
    let all = &report.judged.verdict.thresholds;
    html! {
        section aria-labelledby="thresholds" {
            h2 #thresholds { "Thresholds" }
            ul.thresholds {
                @for (i, result) in all.iter().enumerate() {
                    @let tone = if result.held { Tone::Good } else { Tone::Bad };
                    li id={ "threshold-" (i) } .(tone.class()) {
                        span.sign aria-hidden="true" { (tone.sign()) }
                        " " span.verdict-word { @if result.held { "met" } @else { "missed" } }
                        " " (shown(&result.text))
                    }
                }
            }
        }
    }
}
