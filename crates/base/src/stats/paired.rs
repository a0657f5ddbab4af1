//! What changed between the two halves of each pair.
//!
//! - The typical shift is the estimate of Hodges and Lehmann ("Estimates of Location Based on Rank
//!   Tests", Annals of Mathematical Statistics 34, 1963, p. 598–611): the median of the means of all
//!   two differences. It is nearly as sharp as the mean and does not follow outliers.
//! - Its interval resamples clusters. The bare percentile method is too narrow with few clusters, so
//!   it is widened as Hesterberg advises ("What Teachers Should Know About the Bootstrap", The American
//!   Statistician 69, 2015, p. 371–386, "expanded percentile").
//! - A difference need not be known: it lies between two bounds, which may be infinite. The shift is
//!   then estimated twice, once with every lower bound and once with every upper one, and the truth
//!   lies between (worst-case bounds, as in Manski, "Nonparametric Bounds on Treatment Effects",
//!   American Economic Review 80, 1990, p. 319–323). So nothing unknown can make either side look better.
//! - Whether things that are yes or no changed is `McNemar`'s question ("Note on the Sampling Error of
//!   the Difference between Correlated Proportions", Psychometrika 12, 1947, p. 153–157), answered
//!   exactly with the binomial distribution.

use statrs::distribution::{Binomial, ContinuousCDF as _, DiscreteCDF as _, Normal, StudentsT};

use super::bootstrap::Resampling;
use crate::random::SplitMix64;

/// An estimate is sought until it is known to this, in the unit of the values.
const PRECISION: f64 = 1e-5;
/// Estimates are given to this, so that equal input gives equal text. One in so many parts of a unit.
const ROUNDED_TO: f64 = 1_000.0;
/// About how often all values are looked at for one estimate.
const PASSES: usize = 32;
/// What the resampling of pairs is drawn for.
const PURPOSE: u64 = 3;

/// The second minus the first of a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedDifference {
    /// May be −∞.
    pub at_least: f64,
    /// Not below `at_least`, and equal to it when the difference is known; may be +∞.
    pub at_most: f64,
    /// Differences of one cluster belong together and are resampled together.
    pub cluster: u32,
}

/// The typical difference, between two bounds that are equal when every difference is known, and the
/// 95 % interval around both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    pub low: f64,
    pub at_least: f64,
    pub at_most: f64,
    pub high: f64,
}

impl Shift {
    /// Half of the distance from `low` to `high`; infinite when either is.
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

/// The typical difference. `None` with fewer than two clusters, about which nothing can be said.
pub fn shift(differences: &[PairedDifference], how: &Resampling) -> Option<Shift> {
    let sorted = |bound: fn(&PairedDifference) -> f64| {
        let known = differences.iter().filter(|d| !bound(d).is_nan());
        let mut values: Vec<(f64, u32)> = known.map(|d| (bound(d), d.cluster)).collect();
        values.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        values
    };
    let (least, most) = (sorted(|d| d.at_least), sorted(|d| d.at_most));
    let mut clusters: Vec<u32> = differences.iter().map(|d| d.cluster).collect();
    clusters.sort_unstable();
    clusters.dedup();
    if clusters.len() < 2 {
        return None;
    }
    let times = how.times(differences.len().saturating_mul(PASSES));
    let known = least == most;
    let low = Estimate::of(&least, &clusters, times, how.seed);
    let high = if known { low.clone() } else { Estimate::of(&most, &clusters, times, how.seed) };
    Some(Shift { low: low.low, at_least: low.point, at_most: high.point, high: high.high })
}

/// The typical value by the estimate of Hodges and Lehmann alone, of values in order; `None` of none.
pub fn location(sorted: &[f64]) -> Option<f64> {
    let place: Vec<(f64, usize)> = sorted.iter().map(|value| (*value, 0)).collect();
    (!place.is_empty()).then(|| center(&place, &[1], &mut Vec::new()))
}

/// One bound of the shift, with its interval.
#[derive(Debug, Clone)]
struct Estimate {
    low: f64,
    point: f64,
    high: f64,
}

impl Estimate {
    fn of(sorted: &[(f64, u32)], clusters: &[u32], times: u32, seed: u64) -> Self {
        let place: Vec<(f64, usize)> = sorted
            .iter()
            .map(|(value, cluster)| (*value, clusters.binary_search(cluster).unwrap_or_default()))
            .collect();
        let mut counts = vec![1_u32; clusters.len()];
        let mut drawn = Vec::new();
        let point = center(&place, &counts, &mut drawn);
        let mut random = SplitMix64::for_purpose(seed, PURPOSE);
        let size = u32::try_from(clusters.len()).unwrap_or(u32::MAX);
        let mut estimates: Vec<f64> = Vec::new();
        for _ in 0..times {
            counts.fill(0);
            for _ in 0..size {
                if let Some(count) = counts.get_mut(random.below(size) as usize) {
                    *count += 1;
                }
            }
            estimates.push(center(&place, &counts, &mut drawn));
        }
        estimates.sort_by(f64::total_cmp);
        let skipped = rank(tail(clusters.len()), estimates.len());
        let at = |i: usize| rounded(estimates.get(i).copied().unwrap_or(point));
        let last = estimates.len().saturating_sub(1 + skipped);
        Self { low: at(skipped), point: rounded(point), high: at(last) }
    }
}

/// The smallest value that at least half of the means of two values do not exceed, each value as
/// often as its cluster was drawn; found by halving, as counting pairs below a value is cheap.
fn center(sorted: &[(f64, usize)], counts: &[u32], drawn: &mut Vec<(f64, f64)>) -> f64 {
    drawn.clear();
    let mut total = 0.0;
    for (value, cluster) in sorted {
        let times = counts.get(*cluster).copied().map_or(0.0, f64::from);
        if times > 0.0 {
            total += times;
            // With the weight of all values up to this one.
            drawn.push((*value, total));
        }
    }
    let half = total * total / 2.0;
    let mut finite = drawn.iter().map(|(value, _)| *value).filter(|value| value.is_finite());
    let Some(mut low) = finite.next() else {
        return drawn.first().map_or(0.0, |(value, _)| *value);
    };
    let mut high = finite.next_back().unwrap_or(low);
    let nothing = drawn.iter().take_while(|(value, _)| *value < low).last();
    let known = total - nothing.map_or(0.0, |(_, weight)| *weight);
    // Most means contain a value without a lower bound.
    if total * total - known * known >= half && known < total {
        return f64::NEG_INFINITY;
    }
    if pairs_up_to(drawn, high) < half {
        return f64::INFINITY;
    }
    if pairs_up_to(drawn, low) >= half {
        return low;
    }
    while high - low > PRECISION {
        let middle = f64::midpoint(low, high);
        if pairs_up_to(drawn, middle) >= half { high = middle } else { low = middle }
    }
    high
}

/// The weight of all ordered pairs whose mean is at most `limit`.
fn pairs_up_to(drawn: &[(f64, f64)], limit: f64) -> f64 {
    let mut partner = drawn.len();
    let mut before = 0.0;
    let mut sum = 0.0;
    for (value, up_to) in drawn {
        let weight = up_to - before;
        before = *up_to;
        let room = 2.0 * limit - value;
        while partner > 0 && drawn.get(partner - 1).is_some_and(|(other, _)| *other > room) {
            partner -= 1;
        }
        let Some((_, below)) = partner.checked_sub(1).and_then(|i| drawn.get(i)) else { break };
        sum += weight * below;
    }
    sum
}

/// The share of resamples beyond each end of a 95 % interval of `clusters` clusters.
fn tail(clusters: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 clusters")]
    let n = clusters.max(2) as f64;
    let t = StudentsT::new(0.0, 1.0, n - 1.0).map_or(0.0, |t| t.inverse_cdf(0.975));
    Normal::standard().cdf(-(n / (n - 1.0)).sqrt() * t)
}

fn rank(share: f64, of: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank among a few thousand resamples"
    )]
    let rank = (share * of as f64).floor() as usize;
    rank.min(of / 2)
}

fn rounded(value: f64) -> f64 {
    let near = (value * ROUNDED_TO).round() / ROUNDED_TO;
    // No zero with a sign.
    if near.is_finite() { near + 0.0 } else { value }
}

/// The exact probability that chance alone divides the pairs of which one half succeeded and the
/// other did not at least as unevenly as this, either way: 1 when there are none.
pub fn mcnemar(only_first: u64, only_second: u64) -> f64 {
    let n = only_first + only_second;
    let fewer = only_first.min(only_second);
    let Ok(binomial) = Binomial::new(0.5, n) else { return 1.0 };
    (2.0 * binomial.cdf(fewer)).min(1.0)
}

#[cfg(test)]
mod tests;
