//! Several figures of the same clusters, each with its error, and the level at which all of them are asked.
//!
//! - The error is the delete-a-group jackknife (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
//!   ch. 11): every cluster, or group of clusters, is left out once, and how far the figure moves is what the
//!   group adds to it. It asks nothing of the shape of the values, and all figures share the groups, so how they
//!   vary together is known too.
//! - Figures of the same calls vary together, and several questions at Bonferroni's levels would be answered too
//!   carefully. How far all limits may be drawn in is found by turning the signs of what the groups add
//!   (the wild bootstrap with studentized maxima: Romano and Wolf, "Exact and Approximate Stepdown Methods for
//!   Multiple Hypothesis Testing", JASA 100, 2005, p. 94–108).

use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

use crate::random::SplitMix64;

/// More clusters than this are left out in groups of equal size.
const GROUPS: usize = 200;
/// How often the signs are drawn; each draw counts with its opposite, too.
const DRAWS: u32 = 2_000;
/// What the signs are drawn for.
const PURPOSE: u64 = 5;

/// A figure with what each group of clusters adds to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    pub point: f64,
    /// How far each group moves the figure, times the number of groups.
    influence: Vec<f64>,
    /// Of its error, as a number of independent squares.
    freedom: f64,
}

impl Estimate {
    /// Its standard error; 0 when no group moves it.
    pub fn error(&self) -> f64 {
        let n = self.influence.len();
        #[expect(clippy::cast_precision_loss, reason = "at most some hundred groups")]
        let root = (n.max(1) as f64).sqrt();
        super::deviation(&self.influence) / root
    }

    /// The distance from the figure to the end of its interval that it lies beyond with probability `alpha`,
    /// on one side.
    pub fn reach(&self, alpha: f64) -> f64 {
        self.error() * student(self.freedom).map_or(f64::INFINITY, |t| quantile(&t, alpha))
    }

    /// How often chance lets the figure exceed `limit` by as much as it does, or more. With no error at all it
    /// is certain on which side it lies.
    pub fn p_above(&self, limit: f64) -> f64 {
        let beyond = self.point - limit;
        if self.error() <= 0.0 {
            return if beyond > 0.0 { 0.0 } else { 1.0 };
        }
        student(self.freedom).map_or(1.0, |t| t.sf(beyond / self.error()))
    }

    /// The same figure read the other way round.
    #[must_use]
    pub fn negated(&self) -> Self {
        let influence = self.influence.iter().map(|u| -u).collect();
        Self { point: -self.point, influence, freedom: self.freedom }
    }

    /// The same figure with an error that is less well known: the jackknife of a figure that rests on few of the
    /// values at a time, as a median or a tail does, varies about twice as much as that of a mean.
    #[must_use]
    pub fn rough(self) -> Self {
        Self { freedom: (self.freedom / 2.0).max(1.0), ..self }
    }
}

/// Figures of `clusters` clusters, from `figures` of all but those of which its argument says that they are
/// left out. A figure that cannot be had of all is `None`, and so is one that falls with a group. `None` with
/// fewer than two clusters.
pub fn jackknife(
    clusters: usize,
    figures: impl Fn(&dyn Fn(usize) -> bool) -> Vec<Option<f64>>,
) -> Option<Vec<Option<Estimate>>> {
    if clusters < 2 {
        return None;
    }
    let size = clusters.div_ceil(GROUPS);
    let groups = clusters.div_ceil(size);
    let whole = figures(&|_| false);
    let mut all: Vec<Option<Estimate>> = whole
        .iter()
        .map(|point| {
            let influence = Vec::with_capacity(groups);
            #[expect(clippy::cast_precision_loss, reason = "at most some hundred groups")]
            Some(Estimate { point: (*point)?, influence, freedom: (groups - 1) as f64 })
        })
        .collect();
    for group in 0..groups {
        let rest = figures(&|cluster| cluster % groups == group);
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 clusters")]
        let others = (groups - 1) as f64;
        for (estimate, without) in all.iter_mut().zip(rest) {
            *estimate = match (estimate.take(), without) {
                (Some(mut known), Some(without)) => {
                    known.influence.push(others * (known.point - without));
                    Some(known)
                }
                _ => None,
            };
        }
    }
    Some(all)
}

/// By which factor the reach of every figure at its share of the level may be shortened, so that chance takes
/// any of them beyond its own with the probability of all shares together. At most 1, which is Bonferroni's
/// correction; `shares` are of one side, with the estimates they belong to.
pub fn drawn_in(questions: &[(&Estimate, f64)], seed: u64) -> f64 {
    let Some(groups) = questions.first().map(|(estimate, _)| estimate.influence.len()) else {
        return 1.0;
    };
    let level: f64 = questions.iter().map(|(_, share)| share).sum();
    let columns: Vec<(Vec<f64>, f64)> = questions
        .iter()
        .filter(|(estimate, _)| estimate.error() > 0.0 && estimate.influence.len() == groups)
        .filter_map(|(estimate, share)| {
            let reach = quantile(&student(estimate.freedom)?, *share);
            Some((centred(&estimate.influence), reach))
        })
        .collect();
    if columns.len() < 2 || level <= 0.0 {
        return 1.0;
    }
    let mut random = SplitMix64::for_purpose(seed, PURPOSE);
    let mut largest = Vec::new();
    let mut signs = vec![1.0; groups];
    for _ in 0..DRAWS {
        for sign in &mut signs {
            *sign = if random.below(2) == 0 { 1.0 } else { -1.0 };
        }
        let (mut up, mut down) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for (column, reach) in &columns {
            let t = studentized(column, &signs) / reach;
            (up, down) = (up.max(t), down.max(-t));
        }
        largest.extend([up, down]);
    }
    largest.sort_by(|a, b| b.total_cmp(a));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank among a few thousand draws"
    )]
    let rank = (level * largest.len() as f64).floor() as usize;
    largest.get(rank).copied().unwrap_or(1.0).clamp(0.0, 1.0)
}

fn centred(values: &[f64]) -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "at most some hundred groups")]
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    values.iter().map(|v| v - mean).collect()
}

/// The mean of values with these signs, over its standard error.
#[expect(clippy::cast_precision_loss, reason = "at most some hundred groups")]
fn studentized(values: &[f64], signs: &[f64]) -> f64 {
    let n = values.len() as f64;
    let (sum, squares) = values
        .iter()
        .zip(signs)
        .fold((0.0, 0.0), |(sum, squares), (v, sign)| (sum + v * sign, squares + v * v));
    let mean = sum / n;
    let variance = (squares - n * mean * mean) / (n - 1.0);
    if variance <= 0.0 { sum.signum() * f64::MAX } else { mean / (variance / n).sqrt() }
}

fn student(freedom: f64) -> Option<StudentsT> {
    StudentsT::new(0.0, 1.0, freedom).ok()
}

/// What a Student's t exceeds with probability `alpha`. Levels so small that the search for it is not exact are
/// taken from its tail.
fn quantile(t: &StudentsT, alpha: f64) -> f64 {
    if alpha >= 1e-6 {
        return -t.inverse_cdf(alpha);
    }
    if alpha <= 0.0 {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (0.0, Normal::standard().inverse_cdf(1.0 - 1e-6));
    while t.sf(high) > alpha && high < 1e12 {
        (low, high) = (high, high * 2.0);
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if t.sf(middle) > alpha { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests;
