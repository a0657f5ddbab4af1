//! What one more run would give when nothing has changed, from the figures of several runs.
//!
//! Runs differ by themselves: by the calls they happen to consist of, and by the night they are of.
//! The figures of several runs contain both, so the interval for one more figure of the same kind
//! is Student's (Hahn and Meeker, "Statistical Intervals", 1991, §4.8): mean ± t(n−1) · s · √(1 + 1/n).
//!
//! Runs that came later teach how much runs differ and nothing of the level, which is meant to stay. They may have
//! changed since, in a step or night by night, so their variance is taken from successive differences, which
//! a change of the level enters once or hardly (von Neumann, "Distribution of the Ratio of the Mean Square
//! Successive Difference to the Variance", Annals of Mathematical Statistics 12, 1941, p. 367–395).

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::Interval;

/// Share of runs within the interval.
const COVERED: f64 = 0.95;
/// A successive difference of more standard deviations than this is a step, and enters as this many.
const STEP: f64 = 3.0;
/// The median of the absolute value of a standard normal number.
const MEDIAN_ABSOLUTE: f64 = 0.674_489_750_196_081_7;

/// Figures of at least two runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Mean of the figures.
    pub mean: f64,
    /// Standard deviation of the figures, between runs.
    pub sd: f64,
    /// How many there are; at least 2.
    pub runs: usize,
    /// Degrees of freedom of the standard deviation; at least 1.
    pub freedom: f64,
    /// Standard deviation of a new figure's distance from the mean of these, when nothing has changed.
    pub standard_error: f64,
}

/// A variance with its degrees of freedom.
#[derive(Debug, Clone, Copy)]
struct Spread {
    variance: f64,
    freedom: f64,
}

impl Spread {
    /// Of figures whose mean is this; at least two.
    fn around(mean: f64, figures: &[f64]) -> Self {
        let freedom = count(figures.len()) - 1.0;
        let squares: f64 = figures.iter().map(|f| (f - mean).powi(2)).sum();
        Self { variance: squares / freedom, freedom }
    }

    /// Of figures one after another, whose level may have changed; `usual` is what is known of their spread besides.
    /// `None` of fewer than two.
    fn successive(figures: &[f64], usual: Self) -> Option<Self> {
        let steps: Vec<f64> =
            figures.iter().zip(figures.iter().skip(1)).map(|(a, b)| (b - a).abs()).collect();
        let mut sorted = steps.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.get(sorted.len() / 2)?;
        let sd = (middle / MEDIAN_ABSOLUTE).max((2.0 * usual.variance).sqrt());
        let squares: f64 = steps.iter().map(|step| step.min(STEP * sd).powi(2)).sum();
        let n = count(figures.len());
        let freedom = 2.0 * (n - 1.0).powi(2) / (3.0 * n - 4.0);
        Some(Self { variance: squares / (2.0 * (n - 1.0)), freedom })
    }

    fn pooled(self, other: Self) -> Self {
        let freedom = self.freedom + other.freedom;
        let squares = self.variance * self.freedom + other.variance * other.freedom;
        Self { variance: squares / freedom, freedom }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred runs")]
fn count(n: usize) -> f64 {
    n as f64
}

impl Prediction {
    /// From the figures of runs of one kind. `extra_variance` is what the new figure varies by more
    /// than these do, because it rests on fewer values (0 when it does not). `None` of fewer than two.
    pub fn of(figures: &[f64], extra_variance: f64) -> Option<Self> {
        Self::with_later(figures, &[], extra_variance)
    }

    /// The same with the figures of runs that came `later`, in their order, which say how much runs differ.
    pub fn with_later(figures: &[f64], later: &[f64], extra_variance: f64) -> Option<Self> {
        let runs = figures.len();
        if runs < 2 {
            return None;
        }
        let n = count(runs);
        let mean = figures.iter().sum::<f64>() / n;
        let usual = Spread::around(mean, figures);
        let all = Spread::successive(later, usual).map_or(usual, |later| usual.pooled(later));
        let standard_error = (all.variance * (1.0 + 1.0 / n) + extra_variance.max(0.0)).sqrt();
        let (sd, freedom) = (all.variance.sqrt(), all.freedom);
        Some(Self { mean, sd, runs, freedom, standard_error })
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

    fn student(&self) -> StudentsT {
        StudentsT::new(0.0, 1.0, self.freedom).expect("at least one degree of freedom")
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

    /// How often a new figure lies above the 95 % point, when the level is learnt from seven and the spread from
    /// `later` too, of which number `n` is made by `moved`.
    fn alarms(later: usize, moved: impl Fn(usize) -> f64) -> u32 {
        let mut random = SplitMix64::new(12);
        let mut alarms = 0;
        for _ in 0..4_000 {
            let level: Vec<f64> = (0..7).map(|_| random.normal()).collect();
            let later: Vec<f64> = (0..later).map(|n| moved(n) + random.normal()).collect();
            let p = Prediction::with_later(&level, &later, 0.0).expect("seven");
            alarms += u32::from(p.p_above(random.normal()) <= 0.05);
        }
        alarms
    }

    #[test]
    fn later_runs_sharpen_it_and_a_change_among_them_does_not_blunt_it() {
        // 5 % of 4,000 is 200 with a standard error of 14.
        for later in [1, 2, 7, 40] {
            let alarms = alarms(later, |_| 0.0);
            assert!((160..=240).contains(&alarms), "{alarms} with {later} later");
        }
        let blunted = |moved: &dyn Fn(usize) -> f64| alarms(30, moved);
        let (step, creep) =
            (blunted(&|n| if n < 15 { 0.0 } else { 6.0 }), blunted(&|n| count(n) / 3.0));
        // A step enters as one difference of three deviations, which is 28 % more variance: 3 % of alarms instead of 5 %.
        assert!((100..=240).contains(&step) && (140..=240).contains(&creep), "{step}, {creep}");
        // What it is for: how wide the interval is no longer depends on seven runs.
        let width = |later: usize| {
            let mut random = SplitMix64::new(13);
            let mut widths: Vec<f64> = (0..500)
                .map(|_| {
                    let level: Vec<f64> = (0..7).map(|_| random.normal()).collect();
                    let later: Vec<f64> = (0..later).map(|_| random.normal()).collect();
                    let p = Prediction::with_later(&level, &later, 0.0).expect("seven");
                    p.interval().half_width()
                })
                .collect();
            widths.sort_by(f64::total_cmp);
            widths[475] / widths[25]
        };
        let (few, many) = (width(0), width(40));
        assert!(few > 2.5 && many < 1.6, "{few}, {many}");
    }
}
