//! Shares of counted things, with intervals that stay right near 0 and 1.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF, DiscreteCDF, Hypergeometric};

use super::{Interval, Z_95};

/// What lies beyond each end of an interval: all intervals here are of 95 %.
const TAIL: f64 = 0.025;

/// `hits` of `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    pub hits: u64,
    /// Not below `hits`; 0 means that nothing was counted.
    pub n: u64,
}

impl Rate {
    /// The share, `None` of nothing.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 things are counted")]
    pub fn share(self) -> Option<f64> {
        (self.n > 0).then(|| self.hits.min(self.n) as f64 / self.n as f64)
    }

    /// The exact interval of 95 % (Clopper and Pearson, "The Use of Confidence or Fiducial Limits",
    /// Biometrika 26, 1934, p. 404–413): it holds the truth at least as often as it says for every
    /// share, near 0 and 1 too, where shares of calls lie and approximations fail. `None` of nothing.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 things are counted")]
    pub fn interval(self) -> Option<Interval> {
        let point = self.share()?;
        let (hits, misses) = (self.hits.min(self.n) as f64, self.misses() as f64);
        let quantile = |a: f64, b: f64, p: f64| Beta::new(a, b).ok().map(|d| d.inverse_cdf(p));
        let low = if hits > 0.0 { quantile(hits, misses + 1.0, TAIL)? } else { 0.0 };
        let high = if misses > 0.0 { quantile(hits + 1.0, misses, 1.0 - TAIL)? } else { 1.0 };
        Some(Interval { low: low.clamp(0.0, point), point, high: high.clamp(point, 1.0) })
    }

    /// What did not hit.
    pub const fn misses(self) -> u64 {
        self.n.saturating_sub(self.hits)
    }

    /// Wilson's score interval of 95 % (Wilson, "Probable Inference", JASA 22, 1927, p. 209–212).
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 things are counted")]
    fn score_interval(self) -> Option<Interval> {
        let point = self.share()?;
        let n = self.n as f64;
        let spread = Z_95 * (point * (1.0 - point) / n + Z_95 * Z_95 / (4.0 * n * n)).sqrt();
        let middle = point + Z_95 * Z_95 / (2.0 * n);
        let scale = 1.0 + Z_95 * Z_95 / n;
        Some(Interval {
            low: ((middle - spread) / scale).clamp(0.0, point),
            point,
            high: ((middle + spread) / scale).clamp(point, 1.0),
        })
    }

    /// The share of misses on a scale on which its variance hardly depends on it (Anscombe, "The
    /// Transformation of Poisson, Binomial and Negative-Binomial Data", Biometrika 35, 1948, p. 246–254).
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 things are counted")]
    pub fn stabilized_misses(self) -> f64 {
        ((self.misses() as f64 + 0.375) / (self.n as f64 + 0.75)).sqrt().asin()
    }
}

/// How often chance alone puts at least so many of all misses into the run, when both have the same
/// share of them (Fisher's exact test, one-sided): with the misses there are, and as the smallest
/// value they could have given, which is when all of them are in the run. 1 and 1 of nothing.
pub fn more_misses(baseline: Rate, run: Rate) -> ExactTest {
    let misses = baseline.misses() + run.misses();
    let at_least = |count: u64| {
        let Ok(all) = Hypergeometric::new(baseline.n + run.n, misses, run.n) else { return 1.0 };
        count.checked_sub(1).map_or(1.0, |below| all.sf(below).clamp(0.0, 1.0))
    };
    ExactTest { p: at_least(run.misses()), attainable: at_least(misses.min(run.n)) }
}

/// The outcome of a test of counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExactTest {
    pub p: f64,
    /// The smallest `p` that was possible.
    pub attainable: f64,
}

/// `run` minus `baseline` with its 95 % interval, made of the two Wilson intervals (method 10 of
/// Newcombe, "Interval Estimation for the Difference between Independent Proportions", Statistics in
/// Medicine 17, 1998, p. 873–890). `None` when either counted nothing.
pub fn rate_difference(baseline: Rate, run: Rate) -> Option<Interval> {
    let (b, r) = (baseline.score_interval()?, run.score_interval()?);
    let point = r.point - b.point;
    Some(Interval {
        low: point - (r.point - r.low).hypot(b.high - b.point),
        point,
        high: point + (r.high - r.point).hypot(b.point - b.low),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(hits: u64, n: u64) -> Rate {
        Rate { hits, n }
    }

    fn close(got: Interval, low: f64, high: f64) {
        assert!((got.low - low).abs() < 5e-5 && (got.high - high).abs() < 5e-5, "{got:?}");
    }

    #[test]
    fn intervals_as_published() {
        // Newcombe's worked examples for one proportion (Stat. Med. 17, 1998, p. 857–872, table I):
        // 81/263, 15/148, 0/20, 1/29; first the exact method, then the score method.
        close(rate(81, 263).interval().expect("n"), 0.2527, 0.3676);
        close(rate(15, 148).interval().expect("n"), 0.0578, 0.1617);
        close(rate(0, 20).interval().expect("n"), 0.0, 0.1684);
        close(rate(1, 29).interval().expect("n"), 0.0009, 0.1776);
        close(rate(81, 263).score_interval().expect("n"), 0.2553, 0.3662);
        close(rate(15, 148).score_interval().expect("n"), 0.0624, 0.1605);
        close(rate(0, 20).score_interval().expect("n"), 0.0, 0.1611);
        close(rate(1, 29).score_interval().expect("n"), 0.0061, 0.1718);
        assert_eq!(rate(0, 0).interval(), None);
    }

    #[test]
    fn the_exact_interval_covers_every_share() {
        // Summed over all outcomes of 30 calls, for shares of calls that go well.
        for share in [0.5, 0.8, 0.9, 0.95, 0.99, 0.999_f64] {
            let mut covered = 0.0;
            let mut chance = (1.0 - share).powi(30);
            for hits in 0..=30 {
                let i = rate(hits, 30).interval().expect("n");
                if (i.low..=i.high).contains(&share) {
                    covered += chance;
                }
                let (left, next) = (f64::from(30 - u32::try_from(hits).expect("few")), hits + 1);
                chance *=
                    left / f64::from(u32::try_from(next).expect("few")) * share / (1.0 - share);
            }
            assert!(covered >= 0.95, "{share}: {covered}");
        }
    }

    #[test]
    fn fisher_by_hand() {
        // Three misses, all in the 30 calls of the run and none in the 210 of the baseline:
        // C(30,3)/C(240,3) = 4060/2275280.
        let test = more_misses(rate(210, 210), rate(27, 30));
        assert!((test.p - 4_060.0 / 2_275_280.0).abs() < 1e-9, "{test:?}");
        assert!((test.attainable - test.p).abs() < 1e-12);
        // The lady tasting tea (Fisher 1935): 3 of 4 right has p = 17/70.
        let tea = more_misses(rate(3, 4), rate(1, 4));
        assert!((tea.p - 17.0 / 70.0).abs() < 1e-9, "{tea:?}");
        assert!((tea.attainable - 1.0 / 70.0).abs() < 1e-9);
        let none = more_misses(rate(210, 210), rate(30, 30));
        assert_eq!(none, ExactTest { p: 1.0, attainable: 1.0 });
        assert!((more_misses(rate(0, 0), rate(0, 0)).p - 1.0).abs() < 1e-12);
    }

    #[test]
    fn differences_as_published() {
        // Newcombe 1998, table II, method 10: 56/70 − 48/80 and 9/10 − 3/10.
        close(rate_difference(rate(48, 80), rate(56, 70)).expect("n"), 0.0524, 0.3339);
        close(rate_difference(rate(3, 10), rate(9, 10)).expect("n"), 0.1705, 0.8090);
        assert_eq!(rate_difference(rate(0, 0), rate(1, 1)), None);
    }

    #[test]
    fn the_interval_holds_the_share() {
        for n in 1..40 {
            for hits in 0..=n {
                let i = rate(hits, n).interval().expect("n");
                assert!(0.0 <= i.low && i.low <= i.point && i.point <= i.high && i.high <= 1.0);
            }
        }
    }
}
