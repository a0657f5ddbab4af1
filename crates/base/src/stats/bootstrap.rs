//! Intervals by resampling clusters with replacement.
//!
//! Percentile method (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13), 95 %.
//! A sample is sorted once; a resample is only a count for each cluster, with which the sorted values
//! are walked until the quantile is reached.

use super::{Interval, Sample, Statistic, deviation};
use crate::random::SplitMix64;

/// How often a sample is drawn again for an interval unless that would take too long.
pub const DEFAULT_RESAMPLES: u32 = 2_000;
/// How often it is drawn for a standard deviation, which needs fewer: its own error is then 5 %.
const FOR_DEVIATION: u32 = 200;
/// Values looked at for one interval; bounds its time to a fraction of a second.
const MAX_VISITS: usize = 40_000_000;
/// Fewer resamples than this say nothing about the ends of an interval, nor about a chance as small
/// as the correction for a dozen metrics asks for. The intervals of samples so large that this
/// limit is reached are narrow.
const MIN_RESAMPLES: u32 = 1_000;
const LOW_PERCENT: f64 = 2.5;
const HIGH_PERCENT: f64 = 97.5;

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resampling {
    /// At most this often; very large samples are drawn less often (never under 1,000 times).
    pub resamples: u32,
    pub seed: u64,
}

/// The difference of two figures, as resampling shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// 95 %.
    pub interval: Interval,
    /// Standard deviation of the difference: its standard error.
    pub standard_error: f64,
    /// Twice the share of resamples on the far side of no difference.
    pub p: f64,
}

/// The mean with its 95 % interval; lower bounds enter with that bound.
pub fn mean_interval(sample: &Sample, how: &Resampling) -> Interval {
    let mut draw = Draw::new(sample, how.seed, 4);
    let times = how.times(sample.len());
    let mut drawn: Vec<f64> = (0..times).filter_map(|_| draw.mean()).collect();
    let point = sample.resampled_mean(&vec![1; sample.clusters()]);
    interval(point.unwrap_or_default(), &mut drawn)
}

/// A figure with its 95 % interval. Among censored values `point` and `high` may be lower bounds;
/// [`Sample::figure`] tells.
pub fn interval_of(sample: &Sample, statistic: Statistic, how: &Resampling) -> Interval {
    let mut draw = Draw::new(sample, how.seed, 0);
    let times = how.times(sample.len());
    let mut drawn: Vec<f64> = (0..times).map(|_| draw.figure(statistic)).collect();
    interval(sample.figure(statistic).value, &mut drawn)
}

/// The difference of two figures, `run` minus `baseline`. Clusters are drawn in each sample by
/// itself. A quantile that is a lower bound enters with that bound, so a difference can be too small
/// where `run` is censored, and too large where `baseline` is.
pub fn difference(
    baseline: &Sample,
    run: &Sample,
    statistic: Statistic,
    how: &Resampling,
) -> Difference {
    let mut from = Draw::new(baseline, how.seed, 1);
    let mut to = Draw::new(run, how.seed, 2);
    let times = how.times(baseline.len() + run.len());
    let mut drawn: Vec<f64> =
        (0..times).map(|_| to.figure(statistic) - from.figure(statistic)).collect();
    let share =
        |of: usize| f64::from(u32::try_from(of + 1).unwrap_or(u32::MAX)) / f64::from(times + 1);
    let (above, below) = (
        share(drawn.iter().filter(|d| **d >= 0.0).count()),
        share(drawn.iter().filter(|d| **d <= 0.0).count()),
    );
    let standard_error = deviation(&drawn);
    let point = run.figure(statistic).value - baseline.figure(statistic).value;
    Difference {
        interval: interval(point, &mut drawn),
        standard_error,
        p: (2.0 * above.min(below)).min(1.0),
    }
}

/// Standard deviation of a figure between samples of these clusters, after `scale` was applied.
pub fn sampling_deviation(
    sample: &Sample,
    statistic: Statistic,
    seed: u64,
    scale: impl Fn(f64) -> f64,
) -> f64 {
    let mut draw = Draw::new(sample, seed, 3);
    let drawn: Vec<f64> = (0..FOR_DEVIATION).map(|_| scale(draw.figure(statistic))).collect();
    deviation(&drawn)
}

impl Resampling {
    pub(super) fn times(&self, values: usize) -> u32 {
        let affordable = u32::try_from(MAX_VISITS / values.max(1)).unwrap_or(u32::MAX);
        self.resamples.min(affordable).max(MIN_RESAMPLES.min(self.resamples))
    }
}

/// Draws resamples of one sample.
struct Draw<'a> {
    sample: &'a Sample,
    random: SplitMix64,
    counts: Vec<u32>,
}

impl<'a> Draw<'a> {
    fn new(sample: &'a Sample, seed: u64, purpose: u64) -> Self {
        let counts = vec![0; sample.clusters()];
        Self { sample, random: SplitMix64::for_purpose(seed, purpose), counts }
    }

    fn figure(&mut self, statistic: Statistic) -> f64 {
        self.draw();
        statistic.of(|percent| self.sample.resampled_quantile(percent, &self.counts)).value
    }

    fn mean(&mut self) -> Option<f64> {
        self.draw();
        self.sample.resampled_mean(&self.counts)
    }

    fn draw(&mut self) {
        self.counts.fill(0);
        let clusters = u32::try_from(self.counts.len()).unwrap_or(u32::MAX);
        for _ in 0..clusters {
            if let Some(count) = self.counts.get_mut(self.random.below(clusters) as usize) {
                *count += 1;
            }
        }
    }
}

fn interval(point: f64, drawn: &mut [f64]) -> Interval {
    drawn.sort_by(f64::total_cmp);
    let at = |percent: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rank among a few thousand resamples"
        )]
        let rank = (percent / 100.0 * drawn.len() as f64).ceil() as usize;
        drawn.get(rank.saturating_sub(1)).copied().unwrap_or(point)
    };
    Interval { low: at(LOW_PERCENT), point, high: at(HIGH_PERCENT) }
}

#[cfg(test)]
mod tests {
    use super::super::Point;
    use super::*;

    const HOW: Resampling = Resampling { resamples: 400, seed: 42 };

    /// Calls of `turns` values around `center`, spread evenly by ±`spread`, calls by ±`between`.
    fn calls(random: &mut SplitMix64, n: u32, turns: u32, center: f64, between: f64) -> Sample {
        let mut points = Vec::new();
        for cluster in 0..n {
            let call = (random.unit() * 2.0 - 1.0) * between;
            points.extend((0..turns).map(|stratum| Point {
                value: center + call + (random.unit() * 2.0 - 1.0) * 100.0,
                censored: false,
                cluster,
                stratum,
            }));
        }
        Sample::new(points).expect("not empty")
    }

    #[test]
    fn intervals_cover_the_truth_as_often_as_they_say() {
        let mut random = SplitMix64::new(1);
        let trials = 400;
        let (mut quantiles, mut differences, mut means) = (0, 0, 0);
        for seed in 0..trials {
            let how = Resampling { resamples: 300, seed };
            let (a, b) = (
                calls(&mut random, 40, 3, 1_000.0, 150.0),
                calls(&mut random, 40, 3, 1_200.0, 150.0),
            );
            let i = interval_of(&a, Statistic::Quantile(50.0), &how);
            quantiles += u32::from(i.low <= 1_000.0 && 1_000.0 <= i.high);
            let i = mean_interval(&a, &how);
            means += u32::from(i.low <= 1_000.0 && 1_000.0 <= i.high);
            let i = difference(&a, &b, Statistic::Quantile(50.0), &how).interval;
            differences += u32::from(i.low <= 200.0 && 200.0 <= i.high);
        }
        // 95 % of 400 is 380, with a standard error of 4.4.
        assert!((366..=396).contains(&quantiles), "{quantiles} of {trials}");
        assert!((366..=396).contains(&means), "{means} of {trials}");
        assert!((366..=396).contains(&differences), "{differences} of {trials}");
    }

    #[test]
    fn turns_of_a_call_are_drawn_together() {
        // Twenty equal turns in each of six calls are six observations, not a hundred and twenty.
        let points = |turns: u32| {
            (0..6_u32).flat_map(move |cluster| {
                (0..turns).map(move |stratum| Point {
                    value: f64::from(cluster) * 100.0,
                    censored: false,
                    cluster,
                    stratum,
                })
            })
        };
        let one =
            interval_of(&Sample::new(points(1)).expect("some"), Statistic::Quantile(50.0), &HOW);
        let many =
            interval_of(&Sample::new(points(20)).expect("some"), Statistic::Quantile(50.0), &HOW);
        assert_eq!(one, many);
        assert!(many.low <= 100.0 && many.high >= 300.0, "{many:?}");
    }

    #[test]
    fn the_seed_decides() {
        let s = calls(&mut SplitMix64::new(3), 300, 2, 500.0, 50.0);
        assert_eq!(
            interval_of(&s, Statistic::Quantile(90.0), &HOW),
            interval_of(&s, Statistic::Quantile(90.0), &HOW)
        );
        let other = Resampling { seed: 43, ..HOW };
        assert_ne!(
            interval_of(&s, Statistic::Quantile(50.0), &HOW),
            interval_of(&s, Statistic::Quantile(50.0), &other)
        );
    }

    #[test]
    fn a_sample_against_itself_differs_by_nothing() {
        let s = calls(&mut SplitMix64::new(4), 30, 2, 500.0, 50.0);
        let i = difference(&s, &s, Statistic::Quantile(50.0), &HOW).interval;
        assert!(i.low < 0.0 && i.point.abs() < f64::EPSILON && i.high > 0.0, "{i:?}");
    }

    #[test]
    fn large_samples_are_drawn_less_often() {
        assert_eq!(HOW.times(10), 400);
        assert_eq!(Resampling { resamples: 2_000, seed: 0 }.times(20_000), 2_000);
        assert_eq!(Resampling { resamples: 2_000, seed: 0 }.times(32_000), 1_250);
        assert_eq!(Resampling { resamples: 2_000, seed: 0 }.times(usize::MAX), 1_000);
    }

    #[test]
    fn the_standard_error_is_that_of_the_difference() {
        let mut random = SplitMix64::new(8);
        let (a, b) =
            (calls(&mut random, 60, 2, 1_000.0, 100.0), calls(&mut random, 60, 2, 1_060.0, 100.0));
        let d = difference(
            &a,
            &b,
            Statistic::Quantile(50.0),
            &Resampling { resamples: 2_000, seed: 1 },
        );
        let normal = d.interval.half_width() / 1.96;
        assert!((d.standard_error / normal - 1.0).abs() < 0.15, "{d:?}");
        assert!(d.p < 0.05 && d.p >= 2.0 / 2_001.0, "{d:?}");
        let of = |s| sampling_deviation(s, Statistic::Quantile(50.0), 1, |v| v);
        assert!((of(&a).hypot(of(&b)) / d.standard_error - 1.0).abs() < 0.2);
        let same = difference(&a, &a, Statistic::Spread, &HOW);
        assert!(same.p > 0.8, "{same:?}");
    }
}
