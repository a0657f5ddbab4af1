//! Whether more calls fail than did in the accepted runs.

use super::super::thresholds::rate_of;
use super::super::{Baseline, FailureChange};
use super::{MIN_CALLS, RUNS_FOR_DRIFT};
use crate::scenario::Metric;
use crate::stats::{Prediction, Rate, more_misses, power, rate_difference, tarone_level};
use crate::text::chance;
use crate::turn::Measures;

/// A smaller drop of the share of calls that are ok does not matter, however sure it is.
const MIN_DROP: f64 = 0.01;

/// The failures, and the level at which this question and that of the latency are answered.
pub(super) struct Failures {
    pub(super) change: FailureChange,
    pub(super) level: f64,
}

/// `None` when a side says nothing about it.
pub(super) fn ask(baseline: &Baseline, run: &Measures) -> Option<Failures> {
    let new = rate_of(run.values(Metric::CallsOk));
    let old = rate_of(baseline.measures().values(Metric::CallsOk));
    let difference = rate_difference(old, new)?;
    let runs: Vec<Rate> = baseline
        .runs()
        .map(|measures| rate_of(measures.values(Metric::CallsOk)))
        .filter(|rate| rate.n >= MIN_CALLS as u64)
        .collect();
    let exact = more_misses(old, new);
    // By the calls alone, and by how much runs differ: the weaker evidence of the two counts.
    let between = if runs.len() >= RUNS_FOR_DRIFT {
        let usual: Vec<f64> = runs.iter().map(|rate| rate.stabilized_misses()).collect();
        Prediction::of(&usual, 0.0).map_or(0.0, |usual| usual.p_above(new.stabilized_misses()))
    } else {
        0.0
    };
    let p = exact.p.max(between);
    let level = tarone_level(&[0.0, exact.attainable], power::FALSE_ALARMS);
    let more = p <= level && difference.point <= -MIN_DROP;
    let runs = baseline.runs().len();
    Some(Failures {
        change: FailureChange { baseline: old, run: new, runs, difference, p, more },
        level,
    })
}

/// `more calls fail than in the baseline: 20 of 20 were ok → 12 of 20 (−40.0 points, …)`.
pub(super) fn sentence(change: &FailureChange) -> String {
    let FailureChange { baseline, run, difference, .. } = change;
    let points = |share: f64| format!("{:+.1}", share * 100.0).replace('-', "\u{2212}");
    format!(
        "more calls fail than in the baseline: {} of {} were ok → {} of {} \
         ({} points, 95 % interval {} to {}; by chance in {})",
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
