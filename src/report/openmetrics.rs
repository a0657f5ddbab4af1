//! The report as OpenMetrics text (`metrics.txt`): figures of the run as gauges in seconds. Reported figures have the
//! names under which livekit-agents exports them, where it does; what was heard is `loadcall_…`. Labels name the
//! scenario, never a run, a room or a call, so the series stay the same from run to run.

use super::rows::is_judged;
use super::{Report, Share, Summary};
use crate::scenario::{Gated, Metric, Source};
use crate::stats::{Interval, Quantile, Statistic};
use crate::text::{clipped, quantile, safe};
use crate::verdict::{Answer, Change, Direction, Outcome, Question};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Characters of a label's value.
const LIMIT: usize = 200;

/// The document.
pub fn render(report: &Report) -> String {
    let mut page = Page { scenario: label(report.judged.scenario.name()), out: String::new() };
    run(&mut page, report);
    verdict(&mut page, report);
    calls(&mut page, report);
    times(&mut page, report);
    comparison(&mut page, report);
    questions(&mut page, report);
    page.out.push_str("# EOF\n");
    page.out
}

/// The name of a family, its help, and what it counts.
type Counted<T> = (&'static str, &'static str, fn(&T) -> usize);

/// The document as it is being written.
struct Page {
    /// On every sample.
    scenario: String,
    out: String,
}

impl Page {
    /// Begins a family; a unit is the end of its name.
    fn family(&mut self, name: &str, kind: &str, unit: &str, help: &str) {
        let _ = writeln!(self.out, "# TYPE {name} {kind}");
        if !unit.is_empty() {
            let _ = writeln!(self.out, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.out, "# HELP {name} {}", escaped(help));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let _ = write!(self.out, "{name}{{scenario=\"{}\"", self.scenario);
        for (key, value) in labels {
            let _ = write!(self.out, ",{key}=\"{}\"", label(value));
        }
        let value = match value {
            f64::INFINITY => "+Inf".to_owned(),
            f64::NEG_INFINITY => "-Inf".to_owned(),
            value if value.is_nan() => "NaN".to_owned(),
            value => format!("{value}"),
        };
        let _ = writeln!(self.out, "}} {value}");
    }
}

/// A text of others within quotes.
fn label(text: &str) -> String {
    escaped(&clipped(&safe(text), LIMIT))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn run(page: &mut Page, report: &Report) {
    let head = &report.judged.analysis.head;
    page.family("loadcall_run", "info", "", "What was run.");
    let labels =
        [("agent", &*report.judged.scenario.agent().name), ("version", &head.loadcall_version)];
    page.sample("loadcall_run_info", &labels, 1.0);
    if let Some(ms) = report.duration_ms() {
        page.family("loadcall_run_duration_seconds", "gauge", "seconds", "From start to end.");
        page.sample("loadcall_run_duration_seconds", &[], seconds(ms));
    }
    if let Some(pacing) = &report.pacing {
        let name = "loadcall_pacing_seconds";
        page.family(name, "gauge", "seconds", "How late the caller's own packets left.");
        for (quantile, ms) in
            [("0.5", pacing.p50_ms), ("0.99", pacing.p99_ms), ("1", pacing.max_ms)]
        {
            page.sample(name, &[("quantile", quantile)], seconds(ms));
        }
    }
}

fn verdict(page: &mut Page, report: &Report) {
    let given = report.judged.verdict.outcome;
    page.family("loadcall_verdict", "stateset", "", "The judgement of the run.");
    for outcome in OUTCOMES {
        let name = super::json::judgement(outcome);
        page.sample("loadcall_verdict", &[("loadcall_verdict", name)], truth(outcome == given));
    }
    let thresholds = &report.judged.verdict.thresholds;
    // A run that was not judged neither meets nor misses one.
    if !is_judged(given) || thresholds.is_empty() {
        return;
    }
    page.family("loadcall_threshold_met", "gauge", "", "1 when the threshold was met, 0 when not.");
    let mut seen = Vec::new();
    for result in thresholds {
        let labels =
            [("metric", result.threshold.metric.name()), ("threshold", &*result.threshold.text)];
        // The same threshold twice would be the same sample twice.
        if !seen.contains(&labels) {
            page.sample("loadcall_threshold_met", &labels, truth(result.held));
            seen.push(labels);
        }
    }
}

const OUTCOMES: [Outcome; 10] = [
    Outcome::Pass,
    Outcome::Improvement,
    Outcome::Fail,
    Outcome::Regression,
    Outcome::Suspected,
    Outcome::Inconclusive,
    Outcome::NotComparable,
    Outcome::Invalid,
    Outcome::NothingMeasured,
    Outcome::Stopped,
];

fn calls(page: &mut Page, report: &Report) {
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for call in &report.judged.analysis.calls {
        *outcomes.entry(call.outcome.name()).or_default() += 1;
    }
    if !outcomes.is_empty() {
        page.family("loadcall_calls", "gauge", "", "Calls by how they ended.");
        for (outcome, calls) in outcomes {
            page.sample("loadcall_calls", &[("outcome", outcome)], count(calls));
        }
    }
    if !report.causes.is_empty() {
        page.family("loadcall_failed_calls", "gauge", "", "Calls that failed, by cause.");
        for cause in &report.causes {
            page.sample(
                "loadcall_failed_calls",
                &[("cause", cause.cause.name())],
                count(cause.calls),
            );
        }
    }
    if let Some(ok) = report.calls_ok {
        let help = Metric::CallsOk.definition().text;
        page.family("loadcall_calls_ok_ratio", "gauge", "ratio", help);
        page.sample("loadcall_calls_ok_ratio", &[], ok.rate());
    }
    if report.events.is_empty() {
        return;
    }
    let families: [Counted<Share>; 2] = [
        ("loadcall_event_turns", "Turns in which something happened.", |share| share.count),
        ("loadcall_event_turns_possible", "Turns in which it could.", |share| share.of),
    ];
    for (name, help, of) in families {
        page.family(name, "gauge", "", help);
        for (metric, share) in &report.events {
            page.sample(name, &[("event", metric.name())], count(of(share)));
        }
    }
}

/// The quantiles of every time. One that is only a lower bound is infinite here, so that no alarm takes it for a
/// good value; the bound is in a family of its own.
fn times(page: &mut Page, report: &Report) {
    let repeats = |metric| report.judged.analysis.measures.repeats(metric);
    let all: Vec<&Summary> =
        report.metrics.iter().filter(|summary| !repeats(summary.metric)).collect();
    for summary in &all {
        let name = name(summary.metric);
        page.family(&name, "gauge", "seconds", summary.metric.definition().text);
        for (quantile, of) in quantiles(summary) {
            let value = if of.lower_bound { f64::INFINITY } else { seconds(of.value) };
            page.sample(&name, &[("quantile", quantile)], value);
        }
    }
    let bounds = |summary: &&Summary| {
        let metric = summary.metric.name();
        let bounds = quantiles(summary).into_iter().filter(|(_, of)| of.lower_bound);
        bounds.map(move |(quantile, of)| (metric, quantile, of.value)).collect::<Vec<_>>()
    };
    let bounds: Vec<_> = all.iter().flat_map(bounds).collect();
    if !bounds.is_empty() {
        let name = "loadcall_at_least_seconds";
        let help = "What a quantile is at least, where turns without a reply determine it.";
        page.family(name, "gauge", "seconds", help);
        for (metric, quantile, ms) in bounds {
            page.sample(name, &[("metric", metric), ("quantile", quantile)], seconds(ms));
        }
    }
    let families: [Counted<Summary>; 2] = [
        ("loadcall_values", "How many values a metric has.", |summary| summary.n),
        ("loadcall_censored_values", "How many of them are only lower bounds.", |s| s.censored),
    ];
    for (name, help, of) in families.into_iter().filter(|_| !all.is_empty()) {
        page.family(name, "gauge", "", help);
        for summary in &all {
            page.sample(name, &[("metric", summary.metric.name())], count(of(summary)));
        }
    }
}

/// The difference to the baseline, with its interval.
fn comparison(page: &mut Page, report: &Report) {
    let Some(comparison) = &report.judged.verdict.comparison else { return };
    if comparison.changes.is_empty() {
        return;
    }
    let name = "loadcall_difference_seconds";
    page.family(name, "gauge", "seconds", "The run minus its baseline, and the 95 % interval.");
    for Change { metric, statistic, difference, run_is_bound, baseline_is_bound, .. } in
        comparison.changes.iter().chain(&comparison.spread)
    {
        let statistic = match statistic {
            Statistic::Quantile(percent) => quantile(*percent),
            Statistic::Spread => "spread".to_owned(),
        };
        let known = known(*difference, *run_is_bound, *baseline_is_bound);
        for (bound, ms) in bounds(known) {
            let labels = [("metric", metric.name()), ("statistic", &*statistic), ("bound", bound)];
            page.sample(name, &labels, seconds(ms));
        }
    }
}

/// What is at least so much has no end: nobody knows by how much it is slower, or was.
const fn known(difference: Interval, run_is_bound: bool, baseline_is_bound: bool) -> Interval {
    const ANY: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);
    match (run_is_bound, baseline_is_bound) {
        (false, false) => difference,
        (true, false) => Interval { point: ANY.1, high: ANY.1, ..difference },
        (false, true) => Interval { low: ANY.0, point: ANY.0, ..difference },
        (true, true) => Interval { low: ANY.0, point: f64::NAN, high: ANY.1 },
    }
}

const fn bounds(of: Interval) -> [(&'static str, f64); 3] {
    [("low", of.low), ("point", of.point), ("high", of.high)]
}

/// A value of an answer from a difference in milliseconds.
type OfDifference = fn(&Answer, f64) -> f64;

/// The answers to the questions of a comparison: of latencies in seconds and as a share of the baseline's figure, of
/// calls as the difference of two shares.
fn questions(page: &mut Page, report: &Report) {
    let Some(comparison) = &report.judged.verdict.comparison else { return };
    let answers = &comparison.answers;
    let families: [(&str, &str, &str, OfDifference); 2] = [
        (
            "loadcall_question_difference_seconds",
            "seconds",
            "The run minus its baseline, and the interval at the level at which the question decides.",
            |_, ms| seconds(ms),
        ),
        (
            "loadcall_question_difference_ratio",
            "ratio",
            "The same as a share of the baseline's figure.",
            |answer, ms| share(ms / answer.baseline),
        ),
    ];
    for (name, unit, help, of) in families.into_iter().filter(|_| !answers.is_empty()) {
        page.family(name, "gauge", unit, help);
        for answer in answers {
            let known = known(answer.difference, answer.run_is_bound, answer.baseline_is_bound);
            for (bound, ms) in bounds(known) {
                let labels = [asked(answer).as_slice(), &[("bound", bound)]].concat();
                page.sample(name, &labels, of(answer, ms));
            }
        }
    }
    let decides = decides(report.judged.scenario.baseline().gate.has(Gated::CallsOk));
    let counts = [(Question::CallsOk, comparison.failures), (Question::CutIns, comparison.cut_ins)];
    let counts: Vec<_> = counts
        .into_iter()
        .filter_map(|(question, count)| Some((question.name(), count?)))
        .collect();
    if !counts.is_empty() {
        let name = "loadcall_question_calls_ratio";
        let help = "The share of calls in which it was right, the run minus its baseline, and the 95 % interval.";
        page.family(name, "gauge", "ratio", help);
        for (question, count) in &counts {
            for (bound, difference) in bounds(count.difference) {
                let labels = [("question", *question), ("decides", decides), ("bound", bound)];
                page.sample(name, &labels, share(difference));
            }
        }
    }
    if answers.is_empty() && counts.is_empty() {
        return;
    }
    let name = "loadcall_question_worse";
    page.family(
        name,
        "gauge",
        "",
        "1 when the run is worse by this question, 0 when that is not shown.",
    );
    for answer in answers {
        page.sample(name, &asked(answer), truth(answer.direction == Direction::Slower));
    }
    for (question, count) in &counts {
        page.sample(name, &[("question", question), ("decides", decides)], truth(count.more));
    }
}

/// The labels of a question of latency.
fn asked(answer: &Answer) -> Vec<(&'static str, &str)> {
    let step = answer.asked.step.as_deref().map(|step| ("step", step));
    let question = ("question", answer.asked.question.name());
    [question].into_iter().chain(step).chain([("decides", decides(answer.decides))]).collect()
}

const fn decides(of: bool) -> &'static str {
    if of { "true" } else { "false" }
}

/// To a millionth.
fn share(of: f64) -> f64 {
    seconds(of * 1_000.0)
}

/// The name of the family of a metric. livekit-agents exports histograms of these names (`lk.agents.turn.…`).
fn name(metric: Metric) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others have names of ours")]
    let theirs = match metric {
        Metric::E2eLatency => "e2e_latency",
        Metric::LlmNodeTtft => "llm_ttft",
        Metric::TtsNodeTtfb => "tts_ttfb",
        Metric::TranscriptionDelay => "transcription_delay",
        Metric::EndOfTurnDelay => "end_of_turn_delay",
        Metric::OnUserTurnCompletedDelay => "on_user_turn_completed_delay",
        of => {
            let reported =
                if of.definition().source == Source::Reported { "reported_" } else { "" };
            return format!("loadcall_{reported}{}_seconds", of.name());
        }
    };
    format!("lk_agents_turn_{theirs}_seconds")
}

fn quantiles(of: &Summary) -> [(&'static str, Quantile); 5] {
    [("0.5", of.p50), ("0.9", of.p90), ("0.95", of.p95), ("0.99", of.p99), ("1", of.max)]
}

/// To the microsecond: what was measured is not finer.
fn seconds(ms: f64) -> f64 {
    let rounded = (ms * 1_000.0).round() / 1e6;
    if rounded.is_finite() { rounded } else { ms }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn count(of: usize) -> f64 {
    of as f64
}

fn truth(of: bool) -> f64 {
    f64::from(u8::from(of))
}
