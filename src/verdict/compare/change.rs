//! One figure of a run against the same figure of the accepted runs, as numbers.

use super::super::thresholds::sample;
use super::super::{Baseline, Basis, Change, Direction, RunToRun, values_needed};
use super::{MIN_CALLS, RUNS_FOR_DRIFT};
use crate::scenario::{BaselineRule, Metric};
use crate::stats::{
    DEFAULT_RESAMPLES, Interval, Prediction, Quantile, Resampling, Sample, Statistic, alike,
    difference, power, sampling_deviation,
};
use crate::turn::Measures;
use statrs::distribution::{ContinuousCDF as _, Normal};

/// A comparison of one figure, and what it rests on.
pub(super) struct Measured {
    pub(super) change: Change,
    /// How often chance alone gives a figure at least as much slower; and as much faster.
    pub(super) p_slower: f64,
    pub(super) p_faster: f64,
    /// The two sides have different shares of the steps and were weighted alike.
    pub(super) restricted: bool,
    pub(super) errors: Errors,
}

/// Standard deviations on the scale of the comparison ([`Scale`]).
#[derive(Debug, Clone, Copy)]
pub(super) struct Errors {
    pub(super) scale: Scale,
    /// Of the difference.
    pub(super) difference: f64,
    /// Between runs, from all causes; `None` when it is not known.
    pub(super) between_runs: Option<f64>,
    /// Between runs, from the calls they happen to consist of (per `calls`); `None` as above.
    pub(super) sampling: Option<f64>,
    /// Calls in an accepted run (mean), or in all of them together.
    pub(super) calls: f64,
}

/// The scale on which changes add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Latencies vary in proportion to their size.
    Logarithm,
    /// Some figure is not above zero (an agent that interrupts).
    Plain,
}

impl Scale {
    fn choose(figures: &[Quantile]) -> Self {
        if figures.iter().all(|f| f.value > 0.0) { Self::Logarithm } else { Self::Plain }
    }

    fn up(self, value: f64) -> f64 {
        match self {
            Self::Logarithm => value.max(f64::MIN_POSITIVE).ln(),
            Self::Plain => value,
        }
    }

    fn down(self, value: f64) -> f64 {
        match self {
            Self::Logarithm => value.exp(),
            Self::Plain => value,
        }
    }

    /// A change on this scale in milliseconds from `base`.
    pub(super) fn shift_ms(self, base: f64, shift: f64) -> f64 {
        match self {
            Self::Logarithm => base * shift.exp_m1(),
            Self::Plain => shift,
        }
    }

    /// A change of `ms` from `base` on this scale.
    pub(super) fn shift(self, base: f64, ms: f64) -> f64 {
        match self {
            Self::Logarithm => (ms / base).max(-0.999).ln_1p(),
            Self::Plain => ms,
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Question {
    pub(super) metric: Metric,
    pub(super) statistic: Statistic,
}

impl Question {
    /// Values a side needs before the answer rests on more than one or two of them.
    pub(super) fn values_needed(&self) -> usize {
        match self.statistic {
            Statistic::Quantile(percent) => values_needed(percent),
            Statistic::Spread => values_needed(90.0),
        }
    }

    pub(super) fn enough(&self, sample: &Sample) -> bool {
        sample.clusters() >= MIN_CALLS && sample.len() >= self.values_needed()
    }

    /// `None` when a side has no value, or they have no step in common.
    pub(super) fn ask(
        self,
        rule: BaselineRule,
        baseline: &Baseline,
        run: &Measures,
        seed: u64,
    ) -> Option<Measured> {
        let new = sample(run.values(self.metric))?;
        let runs: Vec<Sample> = baseline
            .runs()
            .filter_map(|measures| sample(measures.values(self.metric)))
            .filter(|sample| self.enough(sample))
            .collect();
        if runs.len() >= RUNS_FOR_DRIFT {
            return self.against_runs(rule, runs, &new, seed);
        }
        let old = sample(baseline.measures().values(self.metric))?;
        self.against_calls(rule, &old, new, seed)
    }

    fn against_calls(
        self,
        rule: BaselineRule,
        old: &Sample,
        new: Sample,
        seed: u64,
    ) -> Option<Measured> {
        let both = alike(vec![old.clone(), new])?;
        let [from, to] = both.as_slice() else { return None };
        let (was, is) = (from.figure(self.statistic), to.figure(self.statistic));
        let how = Resampling { resamples: DEFAULT_RESAMPLES, seed };
        let found = difference(from, to, self.statistic, &how);
        let min_effect_ms = rule.min_effect_ms(was.value);
        let slower = found.interval.point >= 0.0;
        let change = Change {
            metric: self.metric,
            statistic: self.statistic,
            basis: Basis::Calls,
            baseline: was.value,
            run: is.value,
            baseline_is_bound: was.lower_bound,
            run_is_bound: is.lower_bound,
            difference: found.interval,
            min_effect_ms,
            detectable_ms: power::against_one(found.standard_error, min_effect_ms),
            p: found.p,
            direction: Direction::Unclear,
        };
        Some(Measured {
            change,
            p_slower: if slower { found.p / 2.0 } else { 1.0 - found.p / 2.0 },
            p_faster: if slower { 1.0 - found.p / 2.0 } else { found.p / 2.0 },
            restricted: from != old,
            errors: Errors {
                scale: Scale::Plain,
                difference: found.standard_error,
                between_runs: None,
                sampling: None,
                calls: count(from.clusters()),
            },
        })
    }

    fn against_runs(
        self,
        rule: BaselineRule,
        mut samples: Vec<Sample>,
        new: &Sample,
        seed: u64,
    ) -> Option<Measured> {
        samples.push(new.clone());
        let mut samples = alike(samples)?;
        let run = samples.pop()?;
        let restricted = run != *new;
        let is = run.figure(self.statistic);
        let figures: Vec<Quantile> = samples.iter().map(|s| s.figure(self.statistic)).collect();
        let scale = Scale::choose(&[figures.as_slice(), &[is]].concat());
        let runs = count(samples.len());
        let calls = samples.iter().map(|s| count(s.clusters())).sum::<f64>() / runs;
        // A run of fewer calls than the accepted ones varies more than they do.
        let fewer = calls / count(run.clusters());
        let variance = |s: &Sample| {
            sampling_deviation(s, self.statistic, seed, |value| scale.up(value)).powi(2)
        };
        let sampling = samples.iter().map(variance).sum::<f64>() / runs;
        let scaled: Vec<f64> = figures.iter().map(|f| scale.up(f.value)).collect();
        let usual = Prediction::of(&scaled, sampling * (fewer - 1.0))?;

        let (base, shift) = (scale.down(usual.mean), scale.up(is.value) - usual.mean);
        let expected = usual.interval();
        let half = expected.half_width();
        let by_calls = (sampling * (fewer + 1.0 / runs)).sqrt();
        let min_effect_ms = rule.min_effect_ms(base);
        let least = scale.shift(base, min_effect_ms);
        let ms = |shift| scale.shift_ms(base, shift);
        let accepted = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        let detectable =
            power::against_runs(usual.standard_error, accepted, power::FALSE_ALARMS, least);
        let (p_slower, p_faster) = (
            usual.p_above(scale.up(is.value)).max(beyond(shift, by_calls)),
            usual.p_below(scale.up(is.value)).max(beyond(-shift, by_calls)),
        );
        let change = Change {
            metric: self.metric,
            statistic: self.statistic,
            basis: Basis::Runs(RunToRun {
                runs: samples.len(),
                expected: Interval {
                    low: scale.down(expected.low),
                    point: base,
                    high: scale.down(expected.high),
                },
                between_runs_ms: ms(usual.sd),
                sampling_ms: ms(sampling.sqrt()),
            }),
            baseline: base,
            run: is.value,
            baseline_is_bound: figures.iter().any(|f| f.lower_bound),
            run_is_bound: is.lower_bound,
            difference: Interval {
                low: ms(shift - half),
                point: ms(shift),
                high: ms(shift + half),
            },
            min_effect_ms,
            detectable_ms: ms(detectable),
            p: (2.0 * p_slower.min(p_faster)).min(1.0),
            direction: Direction::Unclear,
        };
        let errors = Errors {
            scale,
            difference: usual.standard_error,
            between_runs: Some(usual.sd),
            sampling: Some(sampling.sqrt()),
            calls,
        };
        Some(Measured { change, p_slower, p_faster, restricted, errors })
    }
}

/// How often calls alone make a figure lie this far off. Runs cannot vary less than the calls they
/// consist of, even when a few of them happen to be alike.
fn beyond(shift: f64, error: f64) -> f64 {
    if error > 0.0 {
        Normal::new(0.0, error).map_or(1.0, |normal| normal.sf(shift))
    } else if shift > 0.0 {
        0.0
    } else {
        1.0
    }
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 calls")]
pub(super) fn count(n: usize) -> f64 {
    n as f64
}
