//! How often chance puts a figure far above the mean of several others, when such figures are skewed.
//!
//! The mean of the slowest tenth of waits has a long upper end, and Student's prediction, which supposes that figures are
//! symmetric, calls too many of them slow. The correction is the first term of the Edgeworth expansion, in the
//! skewness γ of one figure (Hall, "The Bootstrap and Edgeworth Expansion", 1992, §2.4 and §2.6; of Student's t: Johnson,
//! "Modified t Tests and Confidence Intervals for Asymmetrical Populations", JASA 73, 1978, p. 536–544), worked out for
//! one more figure against the mean of n:
//!
//! - the difference has the skewness γ · (1 − 1/n²) / (1 + 1/n)^1.5, which adds a sixth of it times (z² − 1) φ(z) to
//!   the chance of more than z;
//! - mean and standard deviation s of skewed figures vary together: given s, the mean lies γ/2 · (s²/σ² − 1) · (1 − 1/n)
//!   standard deviations from its own mean, so that a small s goes with a small mean.
//!
//! Both are averaged over s, of which s²/σ² is a chi-square of ν degrees of freedom over ν. Then E φ(t·s/σ) is
//! (1 + t²/ν)^(−ν/2) / √2π, and with a factor of s²/σ² it is that over 1 + t²/ν.

use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

/// Beyond this the first term alone says too much.
const MOST: f64 = 2.0;
/// Steps of the search for a limit, to a billionth of where it begins.
const BISECTIONS: u32 = 50;

/// The distance of one more figure from the mean of `runs` others, over its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Skewed {
    /// Degrees of freedom of the standard error; infinite where it is known.
    pub freedom: f64,
    /// How many figures the mean is of.
    pub runs: f64,
    /// Of one figure: its third cumulant over the cube of its standard deviation.
    pub skewness: f64,
}

impl Skewed {
    /// How often chance alone gives a distance of `t` or more. Skewness to the other side, which would make that rarer, is
    /// not counted on.
    pub fn p_above(&self, t: f64) -> f64 {
        let Self { freedom, runs, .. } = *self;
        let skewness = self.skewness.clamp(0.0, MOST);
        let share = if freedom.is_finite() { t * t / freedom } else { 0.0 };
        // E φ(t·s/σ).
        let density = if freedom.is_finite() {
            (-freedom / 2.0 * share.ln_1p()).exp()
        } else {
            (-t * t / 2.0).exp()
        } / (2.0 * std::f64::consts::PI).sqrt();
        let wider = (1.0 + 1.0 / runs).sqrt();
        let of_difference =
            (1.0 - 1.0 / (runs * runs)) / wider.powi(3) / 6.0 * (t * t / (1.0 + share) - 1.0);
        let of_mean = (1.0 - 1.0 / runs) / wider / 2.0 * share / (1.0 + share);
        let added = skewness * density * (of_difference + of_mean);
        // Near the middle the first term is negative, and nothing is decided there.
        (self.symmetric(t) + added.max(0.0)).min(1.0)
    }

    /// The distance that chance alone exceeds in this share of cases, less than a half.
    pub fn limit(&self, alpha: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1.0);
        while self.p_above(high) > alpha && high < 1e6 {
            (low, high) = (high, high * 2.0);
        }
        for _ in 0..BISECTIONS {
            let middle = f64::midpoint(low, high);
            if self.p_above(middle) > alpha { low = middle } else { high = middle }
        }
        high
    }

    fn symmetric(&self, t: f64) -> f64 {
        if self.freedom.is_finite() {
            StudentsT::new(0.0, 1.0, self.freedom).map_or(1.0, |student| student.sf(t))
        } else {
            Normal::standard().sf(t)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Prediction, deviation};
    use super::*;
    use crate::random::SplitMix64;

    /// A sum of `shape` exponential numbers, with mean 0 and variance 1: its skewness is 2/√shape.
    fn skewed(shape: u32, random: &mut SplitMix64) -> f64 {
        let sum: f64 = (0..shape).map(|_| -(1.0 - random.unit()).ln()).sum();
        (sum - f64::from(shape)) / f64::from(shape).sqrt()
    }

    /// How often of 20,000 one more figure is above the 2 % limit of seven: by Student, and with the correction.
    fn alarms(shape: u32) -> [u32; 2] {
        let mut random = SplitMix64::new(u64::from(shape));
        let skewness = 2.0 / f64::from(shape).sqrt();
        let mut alarms = [0, 0];
        for _ in 0..20_000 {
            let past: Vec<f64> = (0..7).map(|_| skewed(shape, &mut random)).collect();
            let new = skewed(shape, &mut random);
            let mean = past.iter().sum::<f64>() / 7.0;
            let t = (new - mean) / (deviation(&past) * (1.0_f64 + 1.0 / 7.0).sqrt());
            for (count, skewness) in alarms.iter_mut().zip([0.0, skewness]) {
                let of = Skewed { freedom: 6.0, runs: 7.0, skewness };
                *count += u32::from(of.p_above(t) <= 0.02);
            }
        }
        alarms
    }

    #[test]
    fn skewed_figures_raise_as_many_alarms_as_they_may() {
        // 2 % of 20,000 is 400, with a standard error of 20.
        for (shape, student, most) in [(16, 540, 452), (8, 600, 470), (4, 750, 530)] {
            let [plain, corrected] = alarms(shape);
            println!("2/√{shape}: {plain}, corrected {corrected}");
            assert!(plain >= student, "Student's: {plain} with 2/√{shape}");
            assert!((340..=most).contains(&corrected), "{corrected} with 2/√{shape}");
        }
    }

    #[test]
    fn without_skewness_it_is_students_prediction() {
        let figures = [1.0, 2.0, 4.0, 3.0, 2.5];
        let usual = Prediction::of(&figures, 0.0).expect("five");
        let of = Skewed { freedom: 4.0, runs: 5.0, skewness: 0.0 };
        for at in [1.0, 3.0, 6.0] {
            let t = (at - usual.mean) / usual.standard_error;
            assert!((of.p_above(t) - usual.p_above(at)).abs() < 1e-12);
        }
        // t with 4 degrees of freedom: 2.1318 at 5 %.
        assert!((of.limit(0.05) - 2.1318).abs() < 1e-4, "{}", of.limit(0.05));
        let known = Skewed { freedom: f64::INFINITY, ..of };
        assert!((known.limit(0.025) - 1.95996).abs() < 1e-4);
    }

    #[test]
    fn chances_fall_with_the_distance_and_limits_are_their_inverse() {
        for freedom in [1.0, 4.0, 6.0, 30.0, f64::INFINITY] {
            for skewness in [-1.0, 0.0, 0.5, 1.0, 5.0] {
                let of = Skewed { freedom, runs: 7.0, skewness };
                let chances: Vec<f64> = (0..80).map(|n| of.p_above(f64::from(n) / 10.0)).collect();
                assert!(chances.windows(2).all(|pair| pair[0] > pair[1]), "{of:?}: {chances:?}");
                for alpha in [0.1, 0.015, 0.001] {
                    assert!((of.p_above(of.limit(alpha)) / alpha - 1.0).abs() < 1e-6, "{of:?}");
                }
            }
        }
    }
}
