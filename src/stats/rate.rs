//! Shares of counted things, with intervals that stay right near 0 and 1.

use super::Interval;

/// The 97.5 % point of the normal distribution: all intervals here are of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// `hits` of `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// Wilson's score interval of 95 % (Wilson, "Probable Inference", JASA 22, 1927, p. 209–212);
    /// `None` of nothing.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 things are counted")]
    pub fn interval(self) -> Option<Interval> {
        let point = self.share()?;
        let n = self.n as f64;
        let spread = Z * (point * (1.0 - point) / n + Z * Z / (4.0 * n * n)).sqrt();
        let middle = point + Z * Z / (2.0 * n);
        let scale = 1.0 + Z * Z / n;
        Some(Interval {
            low: ((middle - spread) / scale).clamp(0.0, point),
            point,
            high: ((middle + spread) / scale).clamp(point, 1.0),
        })
    }
}

/// `run` minus `baseline` with its 95 % interval, made of the two Wilson intervals (method 10 of
/// Newcombe, "Interval Estimation for the Difference between Independent Proportions", Statistics in
/// Medicine 17, 1998, p. 873–890). `None` when either counted nothing.
pub fn rate_difference(baseline: Rate, run: Rate) -> Option<Interval> {
    let (b, r) = (baseline.interval()?, run.interval()?);
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
    fn wilson_as_published() {
        // Newcombe's worked examples of the score method for one proportion (Stat. Med. 17, 1998,
        // p. 857–872, table I): 81/263, 15/148, 0/20, 1/29.
        close(rate(81, 263).interval().expect("n"), 0.2553, 0.3662);
        close(rate(15, 148).interval().expect("n"), 0.0624, 0.1605);
        close(rate(0, 20).interval().expect("n"), 0.0, 0.1611);
        close(rate(1, 29).interval().expect("n"), 0.0061, 0.1718);
        assert_eq!(rate(0, 0).interval(), None);
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
