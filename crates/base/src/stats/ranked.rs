//! Figures that are weighted means of values in order, with the variance that their clusters give them.
//!
//! The median here is Harrell and Davis's ("A New Distribution-Free Quantile Estimator", Biometrika 69, 1982,
//! p. 635–640): every rank has the weight of the beta density at its middle. It varies less than one rank does, and
//! does not jump where values lie in two humps or on a grid. The slow mean is that of the values above a quantile
//! (expected shortfall), which varies less than a quantile out there.
//!
//! Variances need no resampling: the influence of each value is that of an L-estimator (Serfling, "Approximation
//! Theorems of Mathematical Statistics", 1980, §8.1), and influences are summed by cluster.

use std::collections::BTreeMap;

/// One value of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    pub value: f64,
    /// The true value is at least `value`, and the reason says nothing of how large it is.
    pub cut: bool,
    /// Values of one cluster belong together.
    pub cluster: u32,
}

/// A figure, and what each cluster adds to it.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedFigure {
    pub value: f64,
    /// What the figure is based on begins or ends among values that were cut: it is at least `value`.
    pub bound: bool,
    /// How far each cluster moves the figure; they add up to nothing.
    pub influence: BTreeMap<u32, f64>,
    pub values: usize,
}

/// What a figure is the mean of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ranks {
    /// Those around the quantile at this percentage.
    Around(f64),
    /// The largest, this share of all (0.1: the slowest tenth).
    Slowest(f64),
}

impl RankedFigure {
    /// `None` without a finite value.
    pub fn of(ranks: Ranks, values: impl IntoIterator<Item = Ranked>) -> Option<Self> {
        let mut values: Vec<Ranked> = values.into_iter().filter(|v| v.value.is_finite()).collect();
        values.sort_by(|a, b| {
            a.value.total_cmp(&b.value).then(a.cut.cmp(&b.cut)).then(a.cluster.cmp(&b.cluster))
        });
        let shares = shares(&values);
        let largest_is_cut = values.last()?.cut;
        let density = Density::of(ranks, values.len());
        let (mut sum, mut total, mut below) = (0.0, 0.0, 0.0);
        let mut bound = false;
        for (value, share) in values.iter().zip(&shares) {
            let weight = density.rank(below, below + share);
            sum += weight * value.value;
            total += weight;
            bound |= largest_is_cut && value.cut && weight > 1e-6;
            below += share;
        }
        let influence = influences(&values, &shares, density, total);
        Some(Self { value: sum / total, bound, influence, values: values.len() })
    }

    /// The variance of the figure between samples of so many clusters; 0 of one.
    pub fn variance(&self) -> f64 {
        variance(self.influence.values().copied())
    }

    /// Its third cumulant; 0 of fewer than three clusters.
    pub fn third_cumulant(&self) -> f64 {
        third_cumulant(self.influence.values().copied())
    }
}

/// The variance of a sum of influences of clusters; 0 of fewer than two.
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 clusters")]
pub fn variance(influences: impl Iterator<Item = f64>) -> f64 {
    let (n, squares) = influences.fold((0_usize, 0.0), |(n, sum), u| (n + 1, sum + u * u));
    if n < 2 { 0.0 } else { squares * n as f64 / (n - 1) as f64 }
}

/// The third cumulant of a sum of influences of clusters, without bias (Fisher's k-statistic); 0 of fewer than three.
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 clusters")]
pub fn third_cumulant(influences: impl Iterator<Item = f64>) -> f64 {
    let (count, cubes) = influences.fold((0_usize, 0.0), |(n, sum), u| (n + 1, sum + u * u * u));
    let n = count as f64;
    if count < 3 { 0.0 } else { cubes * n * n / ((n - 1.0) * (n - 2.0)) }
}

/// The share of each value in order: what was cut hands its share on to the larger ones (Efron, "The Two Sample
/// Problem with Censored Data", 1967: Kaplan and Meier's estimate), the largest keeps it.
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 values")]
fn shares(values: &[Ranked]) -> Vec<f64> {
    let n = values.len();
    let mut each = 1.0 / n as f64;
    let shares = values.iter().enumerate().map(|(i, value)| {
        let left = n - 1 - i;
        if value.cut && left > 0 {
            each += each / left as f64;
            0.0
        } else {
            each
        }
    });
    shares.collect()
}

/// The weight of ranks, by their place between 0 and 1.
#[derive(Debug, Clone, Copy)]
enum Density {
    Beta { a: f64, b: f64, peak: f64 },
    Above(f64),
}

impl Density {
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 values")]
    fn of(ranks: Ranks, n: usize) -> Self {
        match ranks {
            Ranks::Around(percent) => {
                let p = (percent / 100.0).clamp(0.001, 0.999);
                let (a, b) = ((n as f64 + 1.0) * p - 1.0, (n as f64 + 1.0) * (1.0 - p) - 1.0);
                // Of fewer values than a quantile needs the density has no peak inside.
                let (a, b) = (a.max(0.0), b.max(0.0));
                let mode = if a + b > 0.0 { a / (a + b) } else { 0.5 };
                Self::Beta { a, b, peak: log_beta(a, b, mode) }
            }
            Ranks::Slowest(share) => Self::Above(1.0 - share.clamp(0.0, 1.0)),
        }
    }

    /// At a place; only ratios matter.
    fn at(self, place: f64) -> f64 {
        match self {
            Self::Beta { a, b, peak } => (log_beta(a, b, place) - peak).exp(),
            Self::Above(from) => f64::from(u8::from(place > from)),
        }
    }

    /// Of all places between two.
    fn rank(self, from: f64, to: f64) -> f64 {
        match self {
            Self::Beta { .. } => self.at(f64::midpoint(from, to)) * (to - from),
            Self::Above(edge) => (to - from.max(edge)).max(0.0),
        }
    }
}

/// The logarithm of the beta density without its constant.
fn log_beta(a: f64, b: f64, place: f64) -> f64 {
    let of = |exponent: f64, x: f64| if exponent > 0.0 { exponent * x.ln() } else { 0.0 };
    of(a, place.clamp(0.0, 1.0)) + of(b, (1.0 - place).clamp(0.0, 1.0))
}

/// How far the figure moves when a value gets more weight, by cluster: minus the sum of gap · density ·
/// (1 at and above it, less the share below), over all gaps.
fn influences(
    values: &[Ranked],
    shares: &[f64],
    density: Density,
    total: f64,
) -> BTreeMap<u32, f64> {
    // Of gap j, between value j and the next: its weight, and that times the share below it.
    let mut below = 0.0;
    let mut mean = 0.0;
    let gaps: Vec<f64> = values
        .windows(2)
        .zip(shares)
        .map(|(pair, share)| {
            below += share;
            let [value, next] = pair else { return 0.0 };
            let gap = (next.value - value.value) * density.at(below) / total;
            mean += gap * below;
            gap
        })
        .collect();
    let mut at_and_above: f64 = gaps.iter().sum();
    let mut influence = BTreeMap::new();
    for ((value, share), gap) in values.iter().zip(shares).zip(gaps.iter().chain([&0.0])) {
        *influence.entry(value.cluster).or_default() += share * (mean - at_and_above);
        at_and_above -= gap;
    }
    influence
}

#[cfg(test)]
mod tests;
