//! The limits set by the author of a scenario, checked against the measured values.

use std::collections::BTreeMap;

use super::{Ground, Judging, ThresholdResult};
use crate::scenario::{Aggregate, Kind, Metric, Op, Scenario, Threshold};
use crate::stats::{Point, Quantile, Rate, Sample};
use crate::text::{count, number, number_of, quantile};
use crate::turn::{Analysis, Cause, Value};

mod interval;

pub use interval::Ends;

/// Every threshold of the scenario, and that every call must succeed when it sets none on `calls_ok`.
pub(super) fn results(scenario: &Scenario, analysis: &Analysis) -> Vec<ThresholdResult> {
    let set = scenario.thresholds();
    let implied = (!set.iter().any(|t| t.metric == Metric::CallsOk)).then(every_call_ok);
    implied.iter().chain(set).map(|t| result(t, analysis.measures.values(t.metric))).collect()
}

fn every_call_ok() -> Threshold {
    Threshold {
        metric: Metric::CallsOk,
        aggregate: Aggregate::Rate,
        op: Op::GreaterOrEqual,
        limit: 1.0,
        text: "rate>=1".to_owned(),
    }
}

fn result(threshold: &Threshold, values: &[Value]) -> ThresholdResult {
    let metric = threshold.metric;
    let Found { measured, interval, text } = match threshold.aggregate {
        Aggregate::Rate => rate(metric, values),
        Aggregate::Count => times(values),
        Aggregate::Quantile(percent) => of_quantile(threshold, percent, values),
        Aggregate::Max => sample(values).map_or_else(Found::nothing, |sample| Found {
            text: format!("{} ({})", figure(metric, "max", sample.max()), size(&sample)),
            ..Found::of(sample.max())
        }),
    };
    let held = measured.is_some_and(|m| holds(threshold, m));
    let text = if threshold.is_pass_rate() {
        pass_rate(threshold.limit, rate_of(values))
    } else {
        format!("{} {}: {text}", metric.name(), threshold.text)
    };
    ThresholdResult {
        threshold: threshold.clone(),
        measured,
        interval,
        held,
        n: values.len(),
        text,
    }
}

/// What was measured for a threshold.
struct Found {
    measured: Option<Quantile>,
    interval: Option<Ends>,
    text: String,
}

impl Found {
    fn of(measured: Quantile) -> Self {
        Self { measured: Some(measured), interval: None, text: String::new() }
    }

    fn none(why: &str) -> Self {
        Self { measured: None, interval: None, text: why.to_owned() }
    }

    fn nothing() -> Self {
        Self::none("no value was measured")
    }
}

/// `pass rate 9 of 10 = 90 %, wanted 90 % (95 % interval 55.5 to 99.7 %)`.
fn pass_rate(wanted: f64, rate: Rate) -> String {
    let wanted = percent(wanted);
    let (Some(share), Some(interval)) = (rate.share(), rate.interval()) else {
        return format!(
            "pass rate unknown, wanted {wanted} %: no call says anything about the agent"
        );
    };
    format!(
        "pass rate {} of {} = {} %, wanted {wanted} % (95 % interval {:.1} to {:.1} %)",
        rate.hits,
        rate.n,
        percent(share),
        interval.low * 100.0,
        interval.high * 100.0
    )
}

/// In percent with a decimal where there is one; less than all of it is never written as 100.
fn percent(share: f64) -> String {
    let text = |decimals| format!("{:.decimals$}", share * 100.0);
    let whole = |text: &str| text.starts_with("100") && share < 1.0;
    let text = (1..6).map(text).find(|text| !whole(text)).unwrap_or_else(|| text(6));
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// In how many turns it was so, of those in which it could be.
fn times(values: &[Value]) -> Found {
    if values.is_empty() {
        return Found::none(NO_TURN);
    }
    let Rate { hits, n } = rate_of(values);
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 turns")]
    let value = hits as f64;
    let text = format!("{hits} (of {n})");
    Found { text, ..Found::of(Quantile { value, lower_bound: false }) }
}

const NO_TURN: &str = "no turn in which it could happen";

fn rate(metric: Metric, values: &[Value]) -> Found {
    let rate = rate_of(values);
    let (Some(share), Some(interval)) = (rate.share(), rate.interval()) else {
        return Found::none(match metric.kind() {
            Kind::Event => NO_TURN,
            Kind::Share | Kind::Time | Kind::Ratio => "no call says anything about the agent",
        });
    };
    let text = format!(
        "{share:.3} ({} of {}, 95 % interval {:.2} to {:.2})",
        rate.hits, rate.n, interval.low, interval.high
    );
    let ends = Ends { low: Some(interval.low), high: Some(interval.high) };
    let measured = Quantile { value: share, lower_bound: false };
    Found { text, interval: Some(ends), ..Found::of(measured) }
}

pub(super) fn rate_of(values: &[Value]) -> Rate {
    let hits = values.iter().filter(|v| v.value > 0.5).count();
    Rate { hits: hits as u64, n: values.len() as u64 }
}

/// `p95 = 1,870 ms (95 % interval 1,610 to 2,240 ms, n 120); the limit lies within it`.
fn of_quantile(threshold: &Threshold, percent: f64, values: &[Value]) -> Found {
    let Some(sample) = sample(values) else { return Found::nothing() };
    let (metric, measured) = (threshold.metric, sample.quantile(percent));
    let interval = interval::of_quantile(values, &sample, percent);
    let range = match interval.map(|Ends { low, high }| (low, high)) {
        Some((Some(low), Some(high))) => {
            Some(format!("{} to {}", bare(metric, low), with_unit(metric, high)))
        }
        Some((Some(low), None)) => Some(format!("{} or more", with_unit(metric, low))),
        Some((None, Some(high))) => Some(format!("up to {}", with_unit(metric, high))),
        Some((None, None)) | None => None,
    };
    let size = size(&sample);
    let how_sure = range.map_or_else(
        || format!("{size}; too few calls for an interval"),
        |range| format!("95 % interval {range}, {size}"),
    );
    let interval = interval.filter(|ends| ends.low.is_some() || ends.high.is_some());
    let within = match interval {
        Some(ends) if ends.holds(threshold.limit) => "; the limit lies within it",
        Some(_) | None => "",
    };
    let figure = figure(metric, &quantile(percent), measured);
    let text = format!("{figure} ({how_sure}){within}");
    Found { interval, text, ..Found::of(measured) }
}

/// `p95 ≥ 8,000 ms`.
fn figure(metric: Metric, name: &str, of: Quantile) -> String {
    let sign = if of.lower_bound { "\u{2265}" } else { "=" };
    format!("{name} {sign} {}", with_unit(metric, of.value))
}

fn with_unit(metric: Metric, value: f64) -> String {
    let unit = if metric.kind() == Kind::Ratio { "" } else { " ms" };
    bare(metric, value) + unit
}

fn bare(metric: Metric, value: f64) -> String {
    if metric.kind() == Kind::Ratio { format!("{value:.3}") } else { number(value) }
}

/// `n 120, 2 unanswered`.
fn size(sample: &Sample) -> String {
    let n = number_of(sample.len());
    match sample.censored() {
        0 => format!("n {n}"),
        unanswered => format!("n {n}, {} unanswered", number_of(unanswered)),
    }
}

/// The values as a sample for [`crate::stats`]; `None` when there are none.
pub fn sample(values: &[Value]) -> Option<Sample> {
    Sample::new(values.iter().map(|v| Point {
        value: v.value,
        censored: v.censored,
        cluster: v.call.0,
        stratum: v.step,
    }))
}

/// A value that is only a lower bound holds a limit from below, and never one from above.
fn holds(threshold: &Threshold, measured: Quantile) -> bool {
    let (value, limit) = (measured.value, threshold.limit);
    match threshold.op {
        Op::Less => value < limit && !measured.lower_bound,
        Op::LessOrEqual => value <= limit && !measured.lower_bound,
        Op::Greater => value > limit,
        Op::GreaterOrEqual => value >= limit,
    }
}

/// The grounds that failed thresholds are. A limit on `calls_ok` is an expectation too, whoever set it.
pub(super) fn grounds<'a>(
    results: &'a [ThresholdResult],
    scenario: &Scenario,
) -> impl Iterator<Item = Ground> + 'a {
    let implied = results.len().saturating_sub(scenario.thresholds().len());
    let of_author = results.iter().skip(implied).any(|r| !r.held);
    let of_calls = results.iter().any(|r| !r.held && r.threshold.metric == Metric::CallsOk);
    let grounds = [(of_author, Ground::Threshold), (of_calls, Ground::Expectation)];
    grounds.into_iter().filter_map(|(failed, ground)| failed.then_some(ground))
}

/// What the thresholds say: every one that failed, or in one sentence that all held.
pub(super) fn reasons(results: &[ThresholdResult], input: &Judging<'_>) -> Vec<String> {
    let mut failed: Vec<String> = Vec::new();
    for result in results.iter().filter(|r| !r.held) {
        let of_calls = result.threshold.metric == Metric::CallsOk;
        let why = if of_calls { failures(input) } else { String::new() };
        failed.push(format!("threshold failed: {}{why}", result.text));
    }
    if !failed.is_empty() {
        return failed;
    }
    let set = results.len() - usize::from(input.scenario.thresholds().len() < results.len());
    let values = input.analysis.measures.values(Metric::CallsOk);
    let (ok_calls, all) = (values.iter().filter(|v| v.value > 0.5).count(), values.len());
    let calls = format!("{} of {} succeeded", number_of(ok_calls), count(all, "call"));
    vec![match set {
        0 => calls,
        1 => format!("the threshold was met, {calls}"),
        n => format!("all {n} thresholds were met, {calls}"),
    }]
}

/// Why calls failed, by cause.
fn failures(input: &Judging<'_>) -> String {
    let mut causes: BTreeMap<Cause, usize> = BTreeMap::new();
    let failed = input.analysis.calls.iter().filter(|call| call.ok() == Some(false));
    for failure in failed.filter_map(|call| call.failure.as_ref()) {
        *causes.entry(failure.cause).or_default() += 1;
    }
    let causes: Vec<String> = causes.iter().map(|(c, n)| format!("{n} {}", c.name())).collect();
    if causes.is_empty() { String::new() } else { format!(" [{}]", causes.join(", ")) }
}

/// Thresholds on quantiles of which so few calls leave an end open.
pub(super) fn notes(results: &[ThresholdResult], analysis: &Analysis) -> Vec<String> {
    let thin = |result: &ThresholdResult| {
        let Aggregate::Quantile(percent) = result.threshold.aggregate else { return None };
        let metric = result.threshold.metric;
        let values = analysis.measures.values(metric);
        let sample = sample(values)?;
        let (name, calls) = (metric.name(), count(sample.clusters(), "call"));
        let need = interval::calls_needed(values, &sample, percent)?;
        Some(format!(
            "{name} {} is based on {calls}: about {} are needed for an interval with two ends",
            quantile(percent),
            number_of(need)
        ))
    };
    let mut notes: Vec<String> = results.iter().filter_map(thin).collect();
    notes.dedup();
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_rate_is_written_as_such_beside_its_interval() {
        let text = |wanted, hits, n| pass_rate(wanted, Rate { hits, n });
        assert_eq!(
            text(0.9, 9, 10),
            "pass rate 9 of 10 = 90 %, wanted 90 % (95 % interval 55.5 to 99.7 %)"
        );
        assert!(text(0.925, 2, 3).starts_with("pass rate 2 of 3 = 66.7 %, wanted 92.5 % ("));
        assert!(
            text(1.0, 9_999, 10_000).starts_with("pass rate 9999 of 10000 = 99.99 %, wanted 100 %")
        );
        assert!(text(0.9, 0, 0).starts_with("pass rate unknown, wanted 90 %: no call"));
    }
}
