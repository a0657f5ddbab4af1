//! How small a change can be and still be found: the minimum detectable effect.
//!
//! Everything here is about figures on a scale where changes add up. For latencies that is the natural
//! logarithm: a shift of 0.18 there is +20 %, and standard deviations are fractions (0.05 is 5 %).

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal, StudentsT};

use super::Z_95;

/// A detectable effect is found with this probability.
pub const POWER: f64 = 0.9;
/// A change that is none is taken for one at most this often.
pub const FALSE_ALARMS: f64 = 0.05;
/// Points at which the unknown spread of the runs is integrated over.
const POINTS: u32 = 64;
/// Steps of the search: to a hundred-millionth of where it begins.
const BISECTIONS: u32 = 27;

/// How runs of an agent vary, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Design {
    /// Standard deviation between runs of the logarithm of a latency (0.05: nights differ by 5 %).
    pub between_run_sd: f64,
    /// The same between calls of one run.
    pub between_call_sd: f64,
    /// The same between turns of one call.
    pub within_call_sd: f64,
    /// Calls in a run.
    pub calls: u32,
    pub turns_per_call: u32,
    /// Accepted runs a new one is compared with, at least 2.
    pub runs: u32,
}

impl Design {
    /// Standard deviation of the logarithm of a run's quantile at `percent`, without that between
    /// runs: of an order statistic of normal values that correlate within calls (the variance of a
    /// quantile, p(1−p)/(n·f²), times the design effect of the indicator "below the quantile").
    pub fn sampling_sd(&self, percent: f64) -> f64 {
        let total = self.between_call_sd.hypot(self.within_call_sd);
        if total <= 0.0 || self.calls == 0 || self.turns_per_call == 0 {
            return 0.0;
        }
        let p = (percent / 100.0).clamp(0.001, 0.999);
        let z = standard_normal().inverse_cdf(p);
        let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() / total;
        let turns = f64::from(self.turns_per_call);
        let correlation = (self.between_call_sd / total).powi(2);
        let of_indicators = both_below(z, correlation) / (p * (1.0 - p));
        let effect = 1.0 + (turns - 1.0) * of_indicators;
        (p * (1.0 - p) * effect / (f64::from(self.calls) * turns)).sqrt() / density
    }

    /// Standard deviation of the logarithm of a run's quantile, from all causes.
    pub fn run_sd(&self, percent: f64) -> f64 {
        self.between_run_sd.hypot(self.sampling_sd(percent))
    }

    /// The smallest slowdown, as a fraction (0.17: +17 %), that a comparison of one run with
    /// [`Self::runs`] accepted ones finds with probability [`POWER`], when it also has to be at least
    /// `min_effect` (0.08: 8 %).
    pub fn smallest_effect(&self, percent: f64, min_effect: f64) -> f64 {
        let runs = f64::from(self.runs.max(2));
        let error = self.run_sd(percent) * (1.0 + 1.0 / runs).sqrt();
        against_runs(error, self.runs, FALSE_ALARMS, min_effect.ln_1p()).exp_m1()
    }
}

/// The smallest shift that is found with probability [`POWER`] by a one-sided t-test at level `alpha`
/// that must also measure a shift of `least`. `standard_error` is that of the difference, known from
/// the figures of `runs` runs (of fewer than 2 as of 2). (Power of the t-test: Johnson, Kotz and Balakrishnan, "Continuous Univariate
/// Distributions 2", 1995, ch. 31; integrated over the chi distribution of the estimated error.)
pub fn against_runs(standard_error: f64, runs: u32, alpha: f64, least: f64) -> f64 {
    if standard_error <= 0.0 {
        return least;
    }
    let freedom = f64::from(runs.max(2) - 1);
    let (student, chi) = estimated_error(freedom);
    let t = student.inverse_cdf(1.0 - alpha);
    let estimated: Vec<f64> = (0..POINTS)
        .map(|i| {
            let share = (f64::from(i) + 0.5) / f64::from(POINTS);
            standard_error * (chi.inverse_cdf(share) / freedom).sqrt()
        })
        .collect();
    let normal = standard_normal();
    let found = |shift: f64| {
        let beyond = |error: &f64| normal.sf(((t * error).max(least) - shift) / standard_error);
        estimated.iter().map(beyond).sum::<f64>() / f64::from(POINTS)
    };
    let (mut low, mut high) = (0.0, least + 100.0 * standard_error);
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(low, high);
        if found(middle) < POWER { low = middle } else { high = middle }
    }
    high
}

/// The smallest shift that is found with probability [`POWER`] when a whole 95 % interval must lie
/// beyond `least`; `standard_error` is that of the difference.
pub fn against_one(standard_error: f64, least: f64) -> f64 {
    least + (Z_95 + z_power()) * standard_error
}

/// The smallest shift that is found with probability [`POWER`] when the 95 % interval must lie above
/// zero and the shift itself must measure at least `least`; `standard_error` is that of the shift.
pub fn within_pairs(standard_error: f64, least: f64) -> f64 {
    ((Z_95 + z_power()) * standard_error).max(least + z_power() * standard_error)
}

fn z_power() -> f64 {
    standard_normal().inverse_cdf(POWER)
}

/// P(X ≤ z and Y ≤ z) − P(X ≤ z)² of two standard normal values that correlate: the integral of the
/// bivariate density over the correlation (Plackett, "A Reduction Formula for Normal Multivariate
/// Integrals", Biometrika 41, 1954, p. 351–360), by Simpson's rule.
fn both_below(z: f64, correlation: f64) -> f64 {
    const STEPS: u32 = 64;
    // Close to 1 the integrand has a pole that can be integrated over, but not by Simpson's rule:
    // with r = sin θ it has none.
    let end = correlation.clamp(0.0, 1.0).asin();
    let integrand = |theta: f64| (-z * z / (1.0 + theta.sin())).exp();
    let width = end / f64::from(STEPS);
    let sum: f64 = (0..=STEPS)
        .map(|i| {
            let weight = match i {
                0 | STEPS => 1.0,
                i if i % 2 == 1 => 4.0,
                _ => 2.0,
            };
            weight * integrand(f64::from(i) * width)
        })
        .sum();
    sum * width / 3.0 / (2.0 * std::f64::consts::PI)
}

/// Of a figure over its estimated error, and of the squared error as it is estimated.
fn estimated_error(freedom: f64) -> (StudentsT, ChiSquared) {
    (
        StudentsT::new(0.0, 1.0, freedom).expect("freedom is positive"),
        ChiSquared::new(freedom).expect("freedom is positive"),
    )
}

fn standard_normal() -> Normal {
    Normal::new(0.0, 1.0).expect("a standard deviation of 1")
}

#[cfg(test)]
mod tests {
    use super::super::{Point, Sample};
    use super::*;
    use crate::random::SplitMix64;

    const DESIGN: Design = Design {
        between_run_sd: 0.0,
        between_call_sd: 0.15,
        within_call_sd: 0.35,
        calls: 30,
        turns_per_call: 4,
        runs: 7,
    };

    fn figure(random: &mut SplitMix64, percent: f64) -> f64 {
        let mut points = Vec::new();
        for cluster in 0..DESIGN.calls {
            let call = random.normal() * DESIGN.between_call_sd;
            points.extend((0..DESIGN.turns_per_call).map(|stratum| Point {
                value: call + random.normal() * DESIGN.within_call_sd,
                censored: false,
                cluster,
                stratum,
            }));
        }
        Sample::new(points).expect("values").quantile(percent).value
    }

    #[test]
    fn the_formula_of_the_sampling_error_is_what_sampling_does() {
        let mut random = SplitMix64::new(5);
        for percent in [50.0, 90.0] {
            let drawn: Vec<f64> = (0..3_000).map(|_| figure(&mut random, percent)).collect();
            let mean = drawn.iter().sum::<f64>() / 3_000.0;
            let sd = (drawn.iter().map(|f| (f - mean).powi(2)).sum::<f64>() / 2_999.0).sqrt();
            let formula = DESIGN.sampling_sd(percent);
            assert!((formula / sd - 1.0).abs() < 0.06, "p{percent}: {formula} and {sd}");
        }
    }

    #[test]
    fn what_is_called_detectable_is_found_nine_times_in_ten() {
        let mut random = SplitMix64::new(6);
        for (sd, least) in [(0.05, 0.077), (0.01, 0.077), (0.08, 0.0)] {
            let error = sd * (1.0_f64 + 1.0 / 7.0).sqrt();
            let shift = against_runs(error, 7, 0.05, least);
            let found = (0..4_000).filter(|_| {
                let figures: Vec<f64> = (0..7).map(|_| random.normal() * sd).collect();
                let p = super::super::Prediction::of(&figures, 0.0).expect("seven");
                let new = random.normal() * sd + shift;
                p.p_above(new) <= 0.05 && new - p.mean >= least
            });
            // 90 % of 4,000 with a standard error of 19.
            let found = found.count();
            assert!((3_540..=3_660).contains(&found), "{found} at {sd}");
        }
    }

    #[test]
    fn effects_grow_with_what_blurs_them() {
        let effect = |design: Design| design.smallest_effect(50.0, 0.08);
        let base = effect(DESIGN);
        assert!((0.17..0.21).contains(&base), "{base}");
        assert!(effect(Design { calls: 120, ..DESIGN }) < base);
        assert!(effect(Design { between_run_sd: 0.05, ..DESIGN }) > base);
        assert!(effect(Design { runs: 5, ..DESIGN }) > base);
        // Nothing is found that is not measured as large enough.
        let sharp = Design { calls: 1_000_000, ..DESIGN };
        assert!((effect(sharp) - 0.08).abs() < 0.002, "{}", effect(sharp));
        assert!((against_one(0.01, 0.08) - (0.08 + 0.0324)).abs() < 1e-4);
    }
}
