//! How values vary: turns within calls, calls within runs, runs.
//!
//! The nested analysis of variance, with the steps of a script as fixed effects. Sizes may differ, so
//! the expected mean squares are those of Searle ("Linear Models", 1971, ch. 11). Intervals: of the
//! smallest component the chi-square one; of the others Williams's ("A Confidence Interval for Variance
//! Components", Biometrika 49, 1962, p. 278–281), which is exact for normal values in equal numbers.

use std::collections::BTreeMap;

use statrs::distribution::{ChiSquared, ContinuousCDF as _, FisherSnedecor};

use super::Interval;

const LOW: f64 = 0.025;
const HIGH: f64 = 0.975;

/// The logarithm of one value, and where it belongs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logged {
    pub value: f64,
    pub run: u32,
    pub call: u32,
    pub step: u32,
}

/// A standard deviation with its 95 % interval; at most infinite where there is too little to tell.
pub type Component = Interval;

/// What the variance of a value is made of, as standard deviations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Components {
    /// Between turns of a call; `None` where calls have one turn, which is then within `call`.
    pub turn: Option<Component>,
    /// Between calls of a run.
    pub call: Component,
    /// Between runs.
    pub run: Component,
}

/// Sums over the values of one group.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    n: f64,
    sum: f64,
}

impl Group {
    fn add(&mut self, value: f64) {
        self.n += 1.0;
        self.sum += value;
    }

    fn mean(self) -> f64 {
        self.sum / self.n
    }
}

/// A mean square with its degrees of freedom.
#[derive(Debug, Clone, Copy)]
struct MeanSquare {
    value: f64,
    freedom: f64,
}

impl MeanSquare {
    fn of(sum: f64, freedom: f64) -> Option<Self> {
        (freedom >= 1.0).then(|| Self { value: sum / freedom, freedom })
    }
}

/// The components of the values of several runs. `None` with fewer than two runs, or without a run of
/// two calls.
pub fn components(values: &[Logged]) -> Option<Components> {
    let centred = without_steps(values);
    let mut calls: BTreeMap<(u32, u32), Group> = BTreeMap::new();
    let mut runs: BTreeMap<u32, Group> = BTreeMap::new();
    let mut all = Group::default();
    for v in &centred {
        calls.entry((v.run, v.call)).or_default().add(v.value);
        runs.entry(v.run).or_default().add(v.value);
        all.add(v.value);
    }
    let within_calls: f64 = centred
        .iter()
        .filter_map(|v| Some((v.value - calls.get(&(v.run, v.call))?.mean()).powi(2)))
        .sum();
    let between = |run: &u32, call: &Group| {
        runs.get(run).map_or(0.0, |of| call.n * (call.mean() - of.mean()).powi(2))
    };
    let within_runs: f64 = calls.iter().map(|((run, _), call)| between(run, call)).sum();
    let between_runs: f64 = runs.values().map(|r| r.n * (r.mean() - all.mean()).powi(2)).sum();

    let (n, c, r) = (all.n, count(calls.len()), count(runs.len()));
    let share = |run: &u32, call: &Group| runs.get(run).map_or(0.0, |of| call.n * call.n / of.n);
    let squares_by_run: f64 = calls.iter().map(|((run, _), call)| share(run, call)).sum();
    let squares: f64 = calls.values().map(|call| call.n * call.n).sum();
    let squares_of_runs: f64 = runs.values().map(|run| run.n * run.n).sum();

    let of_calls = MeanSquare::of(within_runs, c - r)?;
    let of_runs = MeanSquare::of(between_runs, r - 1.0)?;
    let steps = values.iter().map(|v| v.step).collect::<std::collections::BTreeSet<_>>().len();
    let of_turns = MeanSquare::of(within_calls, n - c - (count(steps) - 1.0));
    let per_call = (n - squares_by_run) / (c - r);
    let turn = of_turns.map(|turns| sd(turns.value, chi_square(turns)));
    let noise = of_turns.unwrap_or(MeanSquare { value: 0.0, freedom: f64::INFINITY });
    let call = above(of_calls, noise, per_call);

    // What the mean square of runs would be if runs did not differ.
    let weight = (squares_by_run - squares / n) / (r - 1.0);
    let expected = noise.value + weight * call.point.powi(2);
    let base = MeanSquare { value: expected, freedom: of_calls.freedom };
    let run = above(of_runs, base, (n - squares_of_runs / n) / (r - 1.0));
    Some(Components { turn, call, run })
}

/// The values minus the mean of their step.
fn without_steps(values: &[Logged]) -> Vec<Logged> {
    let mut steps: BTreeMap<u32, Group> = BTreeMap::new();
    for v in values {
        steps.entry(v.step).or_default().add(v.value);
    }
    let mean = |step| steps.get(step).copied().map_or(0.0, Group::mean);
    values.iter().map(|v| Logged { value: v.value - mean(&v.step), ..*v }).collect()
}

/// The component that a mean square has beyond a smaller one, `per` times.
fn above(square: MeanSquare, base: MeanSquare, per: f64) -> Component {
    let point = (square.value - base.value) / per;
    let chi = ChiSquared::new(square.freedom).ok();
    let f = base
        .freedom
        .is_finite()
        .then(|| FisherSnedecor::new(square.freedom, base.freedom).ok())
        .flatten();
    let end = |share: f64| {
        let chi = chi.map_or(f64::NAN, |chi| chi.inverse_cdf(share));
        let f = f.map_or(0.0, |f| f.inverse_cdf(share));
        (square.value - base.value * f) * square.freedom / (per * chi)
    };
    sd(point, (end(HIGH), end(LOW)))
}

/// The ends of the interval of a variance.
fn chi_square(square: MeanSquare) -> (f64, f64) {
    let end = |share: f64| {
        let chi = ChiSquared::new(square.freedom).map_or(f64::NAN, |chi| chi.inverse_cdf(share));
        square.value * square.freedom / chi
    };
    (end(HIGH), end(LOW))
}

/// Variances as standard deviations; an estimate below zero is zero.
fn sd(point: f64, (low, high): (f64, f64)) -> Component {
    let root = |variance: f64| variance.max(0.0).sqrt();
    let point = root(point);
    Interval { low: root(low).min(point), point, high: root(high).max(point) }
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 values")]
fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    /// About normal, with a standard deviation of 1.
    fn noise(random: &mut SplitMix64) -> f64 {
        (0..12).map(|_| random.unit()).sum::<f64>() - 6.0
    }

    fn drawn(random: &mut SplitMix64, runs: u32, calls: u32, sd: [f64; 3]) -> Vec<Logged> {
        let mut values = Vec::new();
        for run in 0..runs {
            let of_run = noise(random) * sd[0];
            for call in 0..calls {
                let of_call = noise(random) * sd[1];
                for step in 0..4 {
                    // A call in ten ends early.
                    if call % 10 == 9 && step > 1 {
                        continue;
                    }
                    let value = f64::from(step) + of_run + of_call + noise(random) * sd[2];
                    values.push(Logged { value, run, call, step });
                }
            }
        }
        values
    }

    #[test]
    fn the_components_are_those_that_were_put_in() {
        let mut random = SplitMix64::new(3);
        let found = components(&drawn(&mut random, 60, 40, [0.10, 0.15, 0.35])).expect("runs");
        let turn = found.turn.expect("several turns");
        assert!((turn.point - 0.35).abs() < 0.01, "{found:?}");
        assert!((found.call.point - 0.15).abs() < 0.01, "{found:?}");
        assert!((found.run.point - 0.10).abs() < 0.025, "{found:?}");
    }

    #[test]
    fn intervals_cover_the_truth_as_often_as_they_say() {
        let mut random = SplitMix64::new(4);
        let mut covered = [0; 3];
        for _ in 0..400 {
            let found = components(&drawn(&mut random, 6, 20, [0.10, 0.15, 0.35])).expect("runs");
            let turn = found.turn.expect("several turns");
            for (i, (c, truth)) in
                [(found.run, 0.10), (found.call, 0.15), (turn, 0.35)].into_iter().enumerate()
            {
                covered[i] += i32::from(c.low <= truth && truth <= c.high);
            }
        }
        assert!(covered.iter().all(|n| (368..=396).contains(n)), "{covered:?} of 400");
    }

    #[test]
    fn runs_that_do_not_differ_have_an_interval_down_to_zero() {
        let mut random = SplitMix64::new(5);
        let found = components(&drawn(&mut random, 5, 20, [0.0, 0.15, 0.35])).expect("runs");
        assert!(found.run.low <= 0.0 && found.run.point < 0.08, "{found:?}");
    }

    #[test]
    fn a_turn_a_call_cannot_be_told_from_the_call() {
        let mut random = SplitMix64::new(6);
        let values = drawn(&mut random, 5, 20, [0.0, 0.15, 0.35]);
        let one: Vec<Logged> = values.into_iter().filter(|v| v.step == 0).collect();
        let found = components(&one).expect("runs");
        assert_eq!(found.turn, None);
        assert!((0.25..0.5).contains(&found.call.point), "{found:?}");
        let single: Vec<Logged> = one.iter().filter(|v| v.run == 0).copied().collect();
        assert_eq!(components(&single), None);
    }
}
