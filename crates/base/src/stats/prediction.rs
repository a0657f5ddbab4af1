//! What one more run would give when nothing has changed, from the figures of several runs.
//!
//! Runs differ by themselves: by the calls they happen to consist of, and by the night they are of.
//! The figures of several runs contain both, so the interval for one more figure of the same kind
//! is Student's (Hahn and Meeker, "Statistical Intervals", 1991, §4.8): mean ± t(n−1) · s · √(1 + 1/n).

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::Interval;

/// Share of runs within the interval.
const COVERED: f64 = 0.95;

/// Figures of at least two runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Mean of the figures.
    pub mean: f64,
    /// Standard deviation of the figures, between runs.
    pub sd: f64,
    /// How many there are; at least 2.
    pub runs: usize,
    /// Standard deviation of a new figure's distance from the mean of these, when nothing has changed.
    pub standard_error: f64,
}

impl Prediction {
    /// From the figures of runs of one kind. `extra_variance` is what the new figure varies by more
    /// than these do, because it rests on fewer values (0 when it does not). `None` of fewer than two.
    pub fn of(figures: &[f64], extra_variance: f64) -> Option<Self> {
        let runs = figures.len();
        if runs < 2 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a few runs")]
        let n = runs as f64;
        let mean = figures.iter().sum::<f64>() / n;
        let variance = figures.iter().map(|f| (f - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let standard_error = (variance * (1.0 + 1.0 / n) + extra_variance.max(0.0)).sqrt();
        Some(Self { mean, sd: variance.sqrt(), runs, standard_error })
    }

    /// Where one more figure lies in 95 of 100 cases when nothing has changed; `point` is the mean.
    pub fn interval(&self) -> Interval {
        let half = self.student().inverse_cdf(f64::midpoint(1.0, COVERED)) * self.standard_error;
        Interval { low: self.mean - half, point: self.mean, high: self.mean + half }
    }

    /// How often a figure at least this far above the mean comes about when nothing has changed.
    pub fn p_above(&self, figure: f64) -> f64 {
        let distance = figure - self.mean;
        if self.standard_error > 0.0 {
            self.student().sf(distance / self.standard_error)
        } else if distance > 0.0 {
            0.0
        } else {
            1.0
        }
    }

    /// As [`Self::p_above`], below the mean.
    pub fn p_below(&self, figure: f64) -> f64 {
        self.p_above(2.0 * self.mean - figure)
    }

    #[expect(clippy::cast_precision_loss, reason = "a few runs")]
    fn student(&self) -> StudentsT {
        StudentsT::new(0.0, 1.0, (self.runs - 1) as f64).expect("at least one degree of freedom")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    #[test]
    fn a_textbook_interval() {
        // Mean 10, s = 1, n = 5: t(4) at 97.5 % is 2.7764, so 10 ± 2.7764 · √1.2.
        let figures = [9.0, 9.5, 10.0, 10.0, 11.5].map(|f: f64| f);
        let p = Prediction::of(&figures, 0.0).expect("five");
        let half = 2.776_445 * p.sd * 1.2_f64.sqrt();
        let i = p.interval();
        assert!((i.low - (10.0 - half)).abs() < 1e-4 && (i.high - (10.0 + half)).abs() < 1e-4);
        assert!((p.p_above(i.high) - 0.025).abs() < 1e-6, "{}", p.p_above(i.high));
        assert!((p.p_below(i.low) - 0.025).abs() < 1e-6);
        assert!((p.p_above(10.0) - 0.5).abs() < 1e-9);
        assert_eq!(Prediction::of(&[1.0], 0.0), None);
    }

    #[test]
    fn runs_that_do_not_differ() {
        let p = Prediction::of(&[400.0; 6], 0.0).expect("six");
        assert_eq!((p.p_above(401.0), p.p_above(400.0), p.p_below(399.0)), (0.0, 1.0, 0.0));
        let p = Prediction::of(&[400.0; 6], 4.0).expect("six");
        assert!(p.p_above(401.0) > 0.3);
    }

    #[test]
    fn it_covers_one_more_as_often_as_it_says() {
        let mut random = SplitMix64::new(11);
        let trials = 4_000;
        let mut covered = 0;
        for _ in 0..trials {
            let figures: Vec<f64> = (0..7).map(|_| random.normal()).collect();
            let i = Prediction::of(&figures, 0.0).expect("seven").interval();
            covered += u32::from((i.low..=i.high).contains(&random.normal()));
        }
        // 95 % of 4,000 is 3,800 with a standard error of 14.
        assert!((3_758..=3_842).contains(&covered), "{covered} of {trials}");
    }
}
