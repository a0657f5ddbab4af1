//! Looking at data while more of it comes, without more errors than one look at the end makes.
//!
//! The error is spent as O'Brien and Fleming's limits do, little at first ("A Multiple Testing Procedure for
//! Clinical Trials", Biometrics 35, 1979, p. 549–556), by the function of Lan and `DeMets` ("Discrete Sequential
//! Boundaries for Clinical Trials", Biometrika 70, 1983, p. 659–663). Limits come from the distribution of a
//! sum of normal increments that has stayed below all earlier limits, by integration step by step (Armitage,
//! `McPherson` and Rowe, "Repeated Significance Tests on Accumulating Data", JRSS A 132, 1969, p. 235–244).

use statrs::distribution::{Continuous as _, ContinuousCDF as _, Normal};

/// Points of the density between two looks.
const POINTS: u32 = 200;
/// Below so many standard deviations nothing is left.
const FAR: f64 = 8.0;
/// Steps of the search for a limit.
const BISECTIONS: u32 = 60;

/// How much of a one-sided error `alpha` may be spent when the share `through` of all data is there.
pub fn spent(alpha: f64, through: f64) -> f64 {
    let normal = Normal::standard();
    if through <= 0.0 || alpha <= 0.0 {
        return 0.0;
    }
    let z = -normal.inverse_cdf(alpha / 2.0);
    (2.0 * normal.sf(z / through.min(1.0).sqrt())).min(alpha)
}

/// The one-sided level at which each look asks, so that all of them together err with probability `alpha`.
/// `through` is the share of all data at each look, rising, 1 at the last.
pub fn levels(alpha: f64, through: &[f64]) -> Vec<f64> {
    let normal = Normal::standard();
    let mut density: Option<Density> = None;
    let mut before = (0.0, 0.0);
    let mut levels = Vec::new();
    for &at in through {
        let (then, spent_then) = before;
        let now = spent(alpha, at);
        let step = (at - then).max(f64::EPSILON).sqrt();
        let root = at.sqrt();
        let beyond = |limit: f64| match &density {
            None => normal.sf(limit / root),
            Some(density) => density.sum(|from| normal.sf((limit - from) / step)),
        };
        let limit = search(FAR * root, |limit| beyond(limit) > now - spent_then);
        levels.push(normal.sf(limit / root));
        if levels.len() == through.len() {
            break;
        }
        let next = Density::new(-FAR * root, limit, |to| match &density {
            None => normal.pdf(to / root) / root,
            Some(density) => density.sum(|from| normal.pdf((to - from) / step) / step),
        });
        density = Some(next);
        before = (at, now);
    }
    levels
}

/// The smallest limit up to `most` at which `is_low` no longer holds.
fn search(most: f64, is_low: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (-most, most);
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(low, high);
        if is_low(middle) { low = middle } else { high = middle }
    }
    high
}

/// Of the sum, where it has stayed below all limits so far.
struct Density {
    from: f64,
    width: f64,
    at: Vec<f64>,
}

impl Density {
    fn new(from: f64, to: f64, of: impl Fn(f64) -> f64) -> Self {
        let width = (to - from) / f64::from(POINTS);
        let at = (0..=POINTS).map(|i| of(from + f64::from(i) * width)).collect();
        Self { from, width, at }
    }

    /// The integral of the density times `of`, by Simpson's rule.
    fn sum(&self, of: impl Fn(f64) -> f64) -> f64 {
        let points = (0_u32..).zip(&self.at);
        let sum: f64 = points
            .map(|(i, density)| {
                let weight = match i {
                    0 | POINTS => 1.0,
                    i if i % 2 == 1 => 4.0,
                    _ => 2.0,
                };
                weight * density * of(self.from + f64::from(i) * self.width)
            })
            .sum();
        sum * self.width / 3.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    /// Limits for five looks at equal distances and 2.5 % on one side, as tables have them (Jennison and
    /// Turnbull, "Group Sequential Methods", 2000, and the programs of Reboussin and others): 4.877, 3.357,
    /// 2.680, 2.290, 2.031.
    #[test]
    fn the_limits_are_those_of_the_tables() {
        let normal = Normal::standard();
        let limits: Vec<f64> = levels(0.025, &[0.2, 0.4, 0.6, 0.8, 1.0])
            .into_iter()
            .map(|level| -normal.inverse_cdf(level))
            .collect();
        for (got, want) in limits.iter().zip([4.877, 3.357, 2.680, 2.290, 2.031]) {
            assert!((got - want).abs() < 0.003, "{limits:?}");
        }
    }

    #[test]
    fn one_look_asks_at_the_whole_level() {
        let one = levels(0.016, &[1.0]);
        assert!((one[0] - 0.016).abs() < 1e-6, "{one:?}");
        // As near as the quantile of a normal distribution is computed.
        assert!((spent(0.05, 1.0) - 0.05).abs() < 1e-9 && spent(0.05, 0.0) <= 0.0);
    }

    #[test]
    fn all_looks_together_err_as_often_as_one() {
        let through = [0.25, 0.5, 0.75, 1.0];
        let limits: Vec<f64> = levels(0.05, &through)
            .into_iter()
            .map(|level| -Normal::standard().inverse_cdf(level))
            .collect();
        let mut random = SplitMix64::new(2);
        let trials = 20_000;
        let wrong = (0..trials).filter(|_| {
            let mut sum = 0.0;
            through.iter().zip(&limits).any(|(at, limit)| {
                sum += random.normal() * 0.5;
                sum / f64::sqrt(*at) > *limit
            })
        });
        // 5 % of 20,000 is 1,000, with a standard error of 31.
        let wrong = wrong.count();
        assert!((920..=1_080).contains(&wrong), "{wrong} of {trials}");
    }
}
