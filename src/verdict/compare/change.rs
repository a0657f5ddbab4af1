//! One figure of a run against the same figure of the accepted runs, as numbers. All of it is on the scale of
//! [`crate::stats::up`], on which changes add up; milliseconds are made of it at the end.

use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

use super::super::figures::Figure;
use super::super::{Basis, RunToRun};
use super::RUNS_FOR_DRIFT;
use crate::stats::{Interval, Prediction, Skewed, down, power, up};

/// How much runs of one agent differ, beyond what their calls explain, as long as there are too few accepted ones to
/// know: 5 %.
pub const ASSUMED_DRIFT: f64 = 0.05;
/// The tail at which a change is compared that is only reported: that of a 95 % interval.
pub(super) const REPORTED_TAIL: f64 = 0.025;

/// How often the number of calls that is named may not settle it by this question: others have to be clear, too, so that
/// it does in nine cases of ten.
const UNSETTLED: f64 = 0.05;

/// A comparison of one figure, and what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) basis: Basis,
    /// In milliseconds.
    pub(super) baseline: f64,
    pub(super) run: f64,
    pub(super) baseline_is_bound: bool,
    pub(super) run_is_bound: bool,
    /// In milliseconds; each end is beyond the truth in `tail` of cases. With fewer runs than tell how much they differ
    /// by the calls alone.
    pub(super) difference: Interval,
    pub(super) tail: f64,
    pub(super) min_effect_ms: f64,
    pub(super) detectable_ms: f64,
    /// How often chance alone gives a figure at least as much slower; and as much faster.
    pub(super) p_slower: f64,
    pub(super) p_faster: f64,
    pub(super) errors: Errors,
}

/// Standard deviations on the scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Errors {
    /// Of the difference.
    pub(super) difference: f64,
    /// Of the difference, from the calls.
    pub(super) calls_of_difference: f64,
    /// The room that a comparison needs, in units of `difference`: up to where a change is shown, or excluded, and what
    /// chance takes away from that in all but [`UNSETTLED`] of cases.
    pub(super) reach: f64,
    /// Calls in a run.
    pub(super) calls: f64,
}

/// How a figure is compared with those of the accepted runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    /// The chance of a false alarm that is allowed for, in one direction.
    pub(super) tail: f64,
    /// The change that matters: this share of the baseline …
    pub(super) least_share: f64,
    /// … and at least so many milliseconds.
    pub(super) least_ms: f64,
    /// Accepted runs.
    pub(super) runs: usize,
}

impl Held {
    fn min_effect_ms(&self, baseline_ms: f64) -> f64 {
        (self.least_share * baseline_ms.abs()).max(self.least_ms)
    }
}

/// A shift from `base` milliseconds, in milliseconds.
pub(super) fn shift_ms(base: f64, shift: f64) -> f64 {
    down(up(base) + shift) - base
}

/// A change by `ms` from `base` as a shift.
pub(super) fn shift_of(base: f64, ms: f64) -> f64 {
    up(base + ms) - up(base)
}

impl Found {
    /// Against accepted figures; those of nights that came `later` say how much nights differ. `None` without an
    /// accepted one.
    pub(super) fn of(past: &[Figure], later: &[f64], run: &Figure, held: Held) -> Option<Self> {
        if past.len() >= RUNS_FOR_DRIFT {
            Self::against_runs(past, later, run, held)
        } else {
            Self::against_calls(past, run, held)
        }
    }

    /// By Student's prediction of one more figure. Runs cannot vary less than their calls make them: that is a floor.
    fn against_runs(past: &[Figure], later: &[f64], run: &Figure, held: Held) -> Option<Self> {
        let runs = count(past.len());
        let calls = past.iter().map(|f| count(f.calls)).sum::<f64>() / runs;
        // A run of fewer calls than the accepted ones varies more than they do.
        let fewer = calls / count(run.calls.max(1));
        let sampling = past.iter().map(|f| f.variance).sum::<f64>() / runs;
        let values: Vec<f64> = past.iter().map(|f| f.value).collect();
        let usual = Prediction::with_later(&values, later, sampling * (fewer - 1.0))?;
        let shift = run.value - usual.mean;
        let third = past.iter().map(|f| f.third).sum::<f64>() / runs * fewer.powi(2);
        let wider = (1.0 + 1.0 / runs).sqrt();
        let by_nights = Chance::new(usual.standard_error, usual.freedom, (runs, wider, third));
        let error = (sampling * (fewer + 1.0 / runs)).sqrt();
        let by_calls = Chance::new(error, f64::INFINITY, (runs, wider, third));
        let p_above = |shift: f64, side: f64| {
            by_nights.p_above(shift, side).max(by_calls.p_above(shift, side))
        };
        let reach =
            |tail: f64, side: f64| by_nights.reach(tail, side).max(by_calls.reach(tail, side));
        let (need, room) = (reach(held.tail, 1.0), reach(held.tail, -1.0));
        let base = down(usual.mean);
        let min_effect_ms = held.min_effect_ms(base);
        // A run that is slower by this is beyond chance unless chance makes it faster at the same time.
        let least = shift_of(base, min_effect_ms);
        let detectable = need.max(least) + reach(1.0 - power::POWER, -1.0);
        let ms = |shift| shift_ms(base, shift);
        let expected = usual.interval();
        let basis = Basis::Runs(RunToRun {
            runs: past.len(),
            expected: Interval { low: down(expected.low), point: base, high: down(expected.high) },
            between_runs_ms: ms(usual.sd),
            sampling_ms: ms(sampling.sqrt()),
        });
        let difference = usual.standard_error.max(error);
        Some(Self {
            basis,
            baseline: base,
            run: run.ms(),
            baseline_is_bound: most_are_bound(past),
            run_is_bound: run.bound,
            difference: Interval {
                low: ms(shift - need),
                point: ms(shift),
                high: ms(shift + room),
            },
            tail: held.tail,
            min_effect_ms,
            detectable_ms: ms(detectable),
            p_slower: p_above(shift, 1.0),
            p_faster: p_above(-shift, -1.0),
            errors: Errors {
                difference,
                calls_of_difference: error,
                reach: (need + reach(UNSETTLED, -1.0)) / difference.max(f64::MIN_POSITIVE),
                calls: count(run.calls),
            },
        })
    }

    /// By the calls of all accepted runs together, and [`ASSUMED_DRIFT`].
    fn against_calls(past: &[Figure], run: &Figure, held: Held) -> Option<Self> {
        let all: f64 = past.iter().map(|f| count(f.calls)).sum();
        let weight = |f: &Figure| count(f.calls) / all;
        let mean = past.iter().map(|f| weight(f) * f.value).sum::<f64>();
        let variance = past.iter().map(|f| weight(f).powi(2) * f.variance).sum::<f64>();
        let calls = past.iter().map(|f| f.calls).sum::<usize>().min(run.calls);
        let freedom = count(calls) - 1.0;
        if past.is_empty() || freedom < 1.0 {
            return None;
        }
        let shift = run.value - mean;
        let by_calls = (variance + run.variance).sqrt();
        let both = 1.0 + 1.0 / count(held.runs.max(1));
        let error = by_calls.hypot(ASSUMED_DRIFT * both.sqrt());
        let half = student(freedom, REPORTED_TAIL) * by_calls;
        let base = down(mean);
        let ms = |shift| shift_ms(base, shift);
        let min_effect_ms = held.min_effect_ms(base);
        let least = shift_of(base, min_effect_ms);
        // What it takes to be beyond chance, or beyond what matters by calls alone.
        let need = (student(freedom, held.tail) * error).max(least + half);
        let tail = |shift: f64| student_tail(freedom, shift / error.max(f64::MIN_POSITIVE));
        Some(Self {
            basis: Basis::Calls,
            baseline: base,
            run: run.ms(),
            baseline_is_bound: most_are_bound(past),
            run_is_bound: run.bound,
            difference: Interval {
                low: ms(shift - half),
                point: ms(shift),
                high: ms(shift + half),
            },
            tail: REPORTED_TAIL,
            min_effect_ms,
            detectable_ms: ms(need + normal(1.0 - power::POWER) * error),
            p_slower: tail(shift),
            p_faster: tail(-shift),
            errors: Errors {
                difference: by_calls,
                calls_of_difference: by_calls,
                reach: student(freedom, REPORTED_TAIL) + normal(UNSETTLED),
                calls: count(run.calls),
            },
        })
    }

    /// Slower by what matters, however sure that is.
    pub(super) fn matters(&self) -> bool {
        self.difference.point >= self.min_effect_ms && !self.baseline_is_bound
    }

    /// Slower by what matters, and by chance in at most this share of cases.
    pub(super) fn is_slower(&self, tail: f64) -> bool {
        let whole = self.knows_drift() || self.difference.low >= self.min_effect_ms;
        self.p_slower <= tail && self.matters() && whole
    }

    /// The same the other way.
    pub(super) fn is_faster(&self, tail: f64) -> bool {
        let least = -self.min_effect_ms;
        let whole = self.knows_drift() || self.difference.high <= least;
        self.p_faster <= tail && self.difference.point <= least && whole && !self.run_is_bound
    }

    /// It is known how much runs differ.
    pub(super) const fn knows_drift(&self) -> bool {
        matches!(self.basis, Basis::Runs(_))
    }

    pub(super) fn is_bound(&self) -> bool {
        self.baseline_is_bound || self.run_is_bound
    }

    /// Whether the interval excludes a slowdown that matters.
    pub(super) fn excluded(&self) -> bool {
        !self.is_bound() && self.difference.high < self.min_effect_ms
    }

    /// In both directions.
    pub(super) fn p(&self) -> f64 {
        (2.0 * self.p_slower.min(self.p_faster)).min(1.0)
    }

    /// The level of the interval in percent: `96`, `99.2`.
    pub(super) fn confidence(&self) -> f64 {
        (1.0 - 2.0 * self.tail) * 100.0
    }
}

/// One night that went wrong makes no bound of a baseline.
fn most_are_bound(past: &[Figure]) -> bool {
    2 * past.iter().filter(|figure| figure.bound).count() > past.len()
}

/// What chance does to the difference of a run from the mean of others.
struct Chance {
    error: f64,
    /// Towards slower; towards faster it is skewed the other way.
    slower: Skewed,
}

impl Chance {
    /// `third` is the cumulant of one run; `wider` is how many times the error of that the `error` is.
    fn new(error: f64, freedom: f64, (runs, wider, third): (f64, f64, f64)) -> Self {
        let skewness = if error > 0.0 { third / (error / wider).powi(3) } else { 0.0 };
        Self { error, slower: Skewed { freedom, runs, skewness } }
    }

    fn towards(&self, side: f64) -> Skewed {
        Skewed { skewness: self.slower.skewness * side, ..self.slower }
    }

    /// How often chance alone gives so large a shift; `side` is 1 for a slower run and −1 for a faster one.
    fn p_above(&self, shift: f64, side: f64) -> f64 {
        if self.error > 0.0 {
            self.towards(side).p_above(shift / self.error)
        } else if shift > 0.0 {
            0.0
        } else {
            1.0
        }
    }

    /// The shift that chance alone exceeds in this share of cases.
    fn reach(&self, tail: f64, side: f64) -> f64 {
        self.error * self.towards(side).limit(tail)
    }
}

/// Where a normal value lies above in this share of cases.
pub(super) fn normal(tail: f64) -> f64 {
    Normal::new(0.0, 1.0).map_or(0.0, |normal| normal.inverse_cdf(1.0 - tail))
}

fn student(freedom: f64, tail: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |t| t.inverse_cdf(1.0 - tail))
}

fn student_tail(freedom: f64, at: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(1.0, |t| t.sf(at))
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 calls")]
pub(super) fn count(n: usize) -> f64 {
    n as f64
}
