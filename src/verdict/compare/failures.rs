//! Whether more calls go wrong than did in the accepted runs: calls that fail, and calls in which the
//! agent cuts in (its replies then enter no latency, so an agent that cuts in more must not look faster).

use std::collections::BTreeMap;

use super::super::thresholds::rate_of;
use super::super::{Baseline, FailureChange};
use super::{MIN_CALLS, RUNS_FOR_DRIFT};
use crate::record::CallId;
use crate::scenario::Metric;
use crate::stats::{Prediction, Rate, more_misses, power, rate_difference, tarone_level};
use crate::text::chance;
use crate::turn::Measures;

/// A smaller drop of the share of calls that are right does not matter, however sure it is.
const MIN_DROP: f64 = 0.01;

/// The two counts, and the level at which they and the latency are decided.
pub(super) struct Counts {
    pub(super) failures: Option<FailureChange>,
    pub(super) cut_ins: Option<FailureChange>,
    pub(super) level: f64,
}

/// Asks both.
pub(super) fn ask(baseline: &Baseline, run: &Measures) -> Counts {
    let counts = [calls_ok, calls_without_cut_in].map(|right| Count::of(baseline, run, right));
    let attainable = counts.iter().flatten().map(|count| count.attainable);
    // The latency can always prove something; a count may be too small to.
    let questions: Vec<f64> = std::iter::once(0.0).chain(attainable).collect();
    let level = tarone_level(&questions, power::FALSE_ALARMS);
    let [failures, cut_ins] = counts.map(|count| Some(count?.decided(level)));
    Counts { failures, cut_ins, level }
}

/// Calls that are right, of those that say something about it.
type Right = fn(&Measures) -> Rate;

/// Without those of which it could not be found out: that says nothing about the agent.
fn calls_ok(run: &Measures) -> Rate {
    let known = run.values(Metric::CallsOk).iter().filter(|value| !value.censored);
    rate_of(&known.copied().collect::<Vec<_>>())
}

/// Turns of a call are correlated, so calls are counted.
fn calls_without_cut_in(run: &Measures) -> Rate {
    let mut by_call: BTreeMap<CallId, bool> = BTreeMap::new();
    for value in run.values(Metric::EotMispredictionCount) {
        *by_call.entry(value.call).or_default() |= value.value > 0.5;
    }
    let hits = by_call.values().filter(|cut_in| !**cut_in).count();
    Rate { hits: hits as u64, n: by_call.len() as u64 }
}

/// One count, with the least p it could come to.
struct Count {
    change: FailureChange,
    attainable: f64,
}

impl Count {
    /// `None` when a side says nothing about it.
    fn of(baseline: &Baseline, run: &Measures, right: Right) -> Option<Self> {
        let (old, new) = (right(baseline.measures()), right(run));
        let difference = rate_difference(old, new)?;
        let runs: Vec<Rate> =
            baseline.runs().map(right).filter(|rate| rate.n >= MIN_CALLS as u64).collect();
        let exact = more_misses(old, new);
        // By the calls alone, and by how much runs differ: the weaker evidence of the two counts.
        let between = if runs.len() >= RUNS_FOR_DRIFT {
            let usual: Vec<f64> = runs.iter().map(|rate| rate.stabilized_misses()).collect();
            Prediction::of(&usual, 0.0).map_or(0.0, |usual| usual.p_above(new.stabilized_misses()))
        } else {
            0.0
        };
        let p = exact.p.max(between);
        let runs = baseline.runs().len();
        let change = FailureChange { baseline: old, run: new, runs, difference, p, more: false };
        Some(Self { change, attainable: exact.attainable })
    }

    fn decided(self, level: f64) -> FailureChange {
        let more = self.change.p <= level && self.change.difference.point <= -MIN_DROP;
        FailureChange { more, ..self.change }
    }
}

/// `more calls fail than in the baseline: 20 of 20 were ok → 12 of 20 (−40.0 points, …)`.
pub(super) fn sentence(change: &FailureChange) -> String {
    format!("more calls fail than in the baseline: {}", counted(change, "were ok"))
}

/// The same of calls in which the agent cut in.
pub(super) fn cut_in_sentence(change: &FailureChange) -> String {
    let counted = counted(change, "had no cut-in");
    format!("the agent cuts in on the caller in more calls than in the baseline: {counted}")
}

fn counted(change: &FailureChange, were: &str) -> String {
    let FailureChange { baseline, run, difference, .. } = change;
    let points = |share: f64| format!("{:+.1}", share * 100.0).replace('-', "\u{2212}");
    format!(
        "{} of {} {were} → {} of {} ({} points, 95 % interval {} to {}; by chance in {})",
        baseline.hits,
        baseline.n,
        run.hits,
        run.n,
        points(difference.point),
        points(difference.low),
        points(difference.high),
        chance(change.p),
    )
}
