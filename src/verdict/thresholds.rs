//! The limits set by the author of a scenario, checked against the measured values.

use std::collections::BTreeMap;

use super::{Ground, Judging, ThresholdResult, values_needed};
use crate::scenario::{Aggregate, Kind, Metric, Op, Scenario, Threshold};
use crate::stats::{Point, Quantile, Rate, Sample};
use crate::text::{count, number, number_of, quantile};
use crate::turn::{Analysis, Cause, Value};

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
    let (measured, found) = match threshold.aggregate {
        Aggregate::Rate => rate(threshold.metric, values),
        Aggregate::Count => times(values),
        Aggregate::Quantile(percent) => {
            spread(threshold.metric, values, &quantile(percent), |s| s.quantile(percent))
        }
        Aggregate::Max => spread(threshold.metric, values, "max", Sample::max),
    };
    let held = measured.is_some_and(|m| holds(threshold, m));
    let text = if threshold.is_pass_rate() {
        pass_rate(threshold.limit, rate_of(values))
    } else {
        format!("{} {}: {found}", threshold.metric.name(), threshold.text)
    };
    ThresholdResult { threshold: threshold.clone(), measured, held, n: values.len(), text }
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
fn times(values: &[Value]) -> (Option<Quantile>, String) {
    if values.is_empty() {
        return (None, NO_TURN.to_owned());
    }
    let Rate { hits, n } = rate_of(values);
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 turns")]
    let value = hits as f64;
    (Some(Quantile { value, lower_bound: false }), format!("{hits} (of {n})"))
}

const NO_TURN: &str = "no turn in which it could happen";

fn rate(metric: Metric, values: &[Value]) -> (Option<Quantile>, String) {
    let rate = rate_of(values);
    let (Some(share), Some(interval)) = (rate.share(), rate.interval()) else {
        let nothing = match metric.kind() {
            Kind::Event => NO_TURN,
            Kind::Share | Kind::Time | Kind::Ratio => "no call says anything about the agent",
        };
        return (None, nothing.to_owned());
    };
    let text = format!(
        "{share:.3} ({} of {}, 95 % interval {:.2} to {:.2})",
        rate.hits, rate.n, interval.low, interval.high
    );
    (Some(Quantile { value: share, lower_bound: false }), text)
}

pub(super) fn rate_of(values: &[Value]) -> Rate {
    let hits = values.iter().filter(|v| v.value > 0.5).count();
    Rate { hits: hits as u64, n: values.len() as u64 }
}

fn spread(
    metric: Metric,
    values: &[Value],
    name: &str,
    of: impl Fn(&Sample) -> Quantile,
) -> (Option<Quantile>, String) {
    let Some(sample) = sample(values) else { return (None, "no value was measured".to_owned()) };
    let measured = of(&sample);
    let sign = if measured.lower_bound { "\u{2265}" } else { "=" };
    let unanswered = match sample.censored() {
        0 => String::new(),
        n => format!(", {} unanswered", number_of(n)),
    };
    let n = number_of(sample.len());
    let value = match metric.kind() {
        Kind::Ratio => format!("{:.3}", measured.value),
        Kind::Time | Kind::Share | Kind::Event => format!("{} ms", number(measured.value)),
    };
    (Some(measured), format!("{name} {sign} {value} (n {n}{unanswered})"))
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

/// Thresholds on quantiles that few values decide: judged, but to be taken with care.
pub(super) fn notes(results: &[ThresholdResult]) -> Vec<String> {
    let thin = |r: &ThresholdResult| match r.threshold.aggregate {
        Aggregate::Quantile(percent) if r.measured.is_some() && r.n < values_needed(percent) => {
            let (name, need) = (r.threshold.metric.name(), values_needed(percent));
            let q = quantile(percent);
            Some(format!(
                "{name} {q} is based on only {}; use at least {need}",
                count(r.n, "value")
            ))
        }
        Aggregate::Quantile(_) | Aggregate::Max | Aggregate::Rate | Aggregate::Count => None,
    };
    results.iter().filter_map(thin).collect()
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
