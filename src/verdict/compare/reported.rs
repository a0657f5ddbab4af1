//! Figures that are compared for information: the medians of all latencies, the slow end of the chief one and its
//! spread. And the percentile that a scenario names to decide, which is made the same way.

use super::super::figures::{Figure, MIN_CALLS};
use super::super::thresholds::sample;
use super::super::{Baseline, Change, Direction, values_needed};
use super::change::{Found, Held, REPORTED_TAIL};
use super::{REPORTED, RUNS_FOR_DRIFT};
use crate::scenario::{BaselineRule, Metric};
use crate::stats::{
    Ranked, RankedFigure, Ranks, Sample, Statistic, alike, holm, third_cumulant, up, variance,
};
use crate::turn::{Measures, Value};

/// A figure of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figured {
    pub(super) metric: Metric,
    pub(super) statistic: Statistic,
}

/// A figure of the accepted runs, or of all of them together, and of the run.
pub(super) struct FiguredSides {
    pub(super) past: Vec<Figure>,
    pub(super) run: Figure,
    /// The two sides have different shares of the steps and were weighted alike.
    pub(super) restricted: bool,
}

impl Figured {
    /// Values a side needs before the figure rests on more than one or two of them.
    pub(super) fn values_needed(&self) -> usize {
        match self.statistic {
            Statistic::Quantile(percent) => values_needed(percent),
            Statistic::Spread => values_needed(90.0),
        }
    }

    fn enough(&self, sample: &Sample) -> bool {
        sample.clusters() >= MIN_CALLS && sample.len() >= self.values_needed()
    }

    /// `None` when a side has too few values, or they have no step in common.
    pub(super) fn sides(&self, baseline: &Baseline, run: &Measures) -> Option<FiguredSides> {
        let values = |measures: &Measures| measures.values(self.metric).to_vec();
        let of_run = values(run);
        let mut past: Vec<Vec<Value>> = baseline.runs().map(values).collect();
        past.retain(|values| sample(values).is_some_and(|sample| self.enough(&sample)));
        if past.len() < RUNS_FOR_DRIFT {
            past = vec![values(baseline.measures())];
        }
        let mut samples: Vec<Sample> = past.iter().filter_map(|v| sample(v)).collect();
        let new = sample(&of_run)?;
        if samples.len() < past.len() || !samples.iter().chain([&new]).all(|s| self.enough(s)) {
            return None;
        }
        samples.push(new.clone());
        let mut samples = alike(samples)?;
        let run = samples.pop()?;
        let restricted = run != new;
        let past: Option<Vec<Figure>> =
            samples.iter().zip(&past).map(|(sample, values)| self.figure(sample, values)).collect();
        Some(FiguredSides { past: past?, run: self.figure(&run, &of_run)?, restricted })
    }

    /// The figure as it is printed everywhere else, with the variance that its calls give it.
    fn figure(&self, sample: &Sample, values: &[Value]) -> Option<Figure> {
        let quantile = sample.figure(self.statistic);
        let ranked = || {
            values.iter().map(|v| Ranked { value: up(v.value), cut: v.censored, cluster: v.call.0 })
        };
        let at = |percent| RankedFigure::of(Ranks::Around(percent), ranked());
        let (variance, third) = match self.statistic {
            Statistic::Quantile(percent) => {
                let of = at(percent)?;
                (of.variance(), of.third_cumulant())
            }
            Statistic::Spread => {
                // A spread is small against its ends: their errors in milliseconds, as a share of it.
                let (middle, slow) = (at(50.0)?, at(90.0)?);
                let (low, high) = (sample.quantile(50.0).value, sample.quantile(90.0).value);
                let width = quantile.value.abs().max(1.0);
                let zero = 0.0;
                let by_call = slow.influence.iter().map(|(call, slow)| {
                    (slow * high - middle.influence.get(call).unwrap_or(&zero) * low) / width
                });
                (variance(by_call.clone()), third_cumulant(by_call))
            }
        };
        Some(Figure {
            value: up(quantile.value),
            variance,
            third,
            calls: sample.clusters(),
            turns: sample.len(),
            bound: quantile.lower_bound,
        })
    }

    pub(super) fn change(&self, found: &Found, p: f64, direction: Direction) -> Change {
        Change {
            metric: self.metric,
            statistic: self.statistic,
            basis: found.basis,
            baseline: found.baseline,
            run: found.run,
            baseline_is_bound: found.baseline_is_bound,
            run_is_bound: found.run_is_bound,
            difference: found.difference,
            min_effect_ms: found.min_effect_ms,
            detectable_ms: found.detectable_ms,
            p,
            direction,
        }
    }
}

/// The medians of the latencies, the slow end of the chief one, and its spread, with Holm's correction. `alike` says
/// that `tts_node_ttfb` is the same measure on both sides.
pub(super) fn all(
    rule: &BaselineRule,
    baseline: &Baseline,
    run: &Measures,
    alike: bool,
) -> (Vec<Change>, Option<Change>) {
    let decides = rule
        .primary_decides
        .then_some(Figured { metric: rule.primary, statistic: Statistic::Quantile(rule.quantile) });
    let of_chief = |statistic| Figured { metric: rule.primary, statistic };
    let others = Metric::ALL
        .into_iter()
        .filter(|metric| metric.is_time() && *metric != rule.primary)
        .filter(|metric| alike || *metric != Metric::TtsNodeTtfb)
        .filter(|metric| !(baseline.measures().repeats(*metric) && run.repeats(*metric)))
        .map(|metric| Figured { metric, statistic: Statistic::Quantile(50.0) });
    let asked = [of_chief(Statistic::Quantile(50.0)), of_chief(Statistic::Quantile(95.0))]
        .into_iter()
        .chain(others)
        .chain([of_chief(Statistic::Spread)])
        .filter(|figured| Some(*figured) != decides);
    let runs = baseline.run_ids().len();
    let held = Held {
        tail: REPORTED_TAIL,
        least_share: rule.min_effect_rel,
        least_ms: rule.min_effect_abs_ms,
        runs,
    };
    let found: Vec<(Figured, Found)> = asked
        .filter_map(|figured| {
            let FiguredSides { past, run, .. } = figured.sides(baseline, run)?;
            Some((figured, Found::of(&past, &[], &run, held)?))
        })
        .collect();
    let adjusted = holm(&found.iter().map(|(_, found)| found.p()).collect::<Vec<f64>>());
    let mut changes: Vec<Change> = found
        .iter()
        .zip(adjusted)
        .map(|((figured, found), p)| figured.change(found, p, direction(found, p)))
        .collect();
    let spread = changes.pop_if(|change| change.statistic == Statistic::Spread);
    (changes, spread)
}

/// The direction of a change by its adjusted p; whether it matters is for the reader.
fn direction(found: &Found, p: f64) -> Direction {
    let Found { difference, min_effect_ms: least, .. } = found;
    if p <= REPORTED && difference.point > 0.0 && !found.baseline_is_bound {
        Direction::Slower
    } else if p <= REPORTED && difference.point < 0.0 && !found.run_is_bound {
        Direction::Faster
    } else if difference.low > -least && difference.high < *least && !found.run_is_bound {
        Direction::Alike
    } else {
        Direction::Unclear
    }
}
