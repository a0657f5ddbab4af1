//! Censored values in order, and their quantiles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Quantile;

/// Slack when a share is compared with a level, so that a rounding error of a sum of weights does
/// not move a quantile by one rank. Samples have far fewer than 10^8 values, so it never skips one.
const SLACK: f64 = 1e-9;

/// One value to be judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub value: f64,
    /// The true value is at least `value`.
    pub censored: bool,
    /// Values of one cluster belong together and are resampled together.
    pub cluster: u32,
    /// Values are only alike within a stratum.
    pub stratum: u32,
}

/// What a sample is summed up in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// The quantile at this percentage.
    Quantile(f64),
    /// From the median to the 90th percentile: how far the slow values are from the usual ones.
    Spread,
}

impl Statistic {
    /// Made of quantiles, wherever they come from. A spread between bounds counts as one.
    pub(super) fn of(self, mut quantile: impl FnMut(f64) -> Quantile) -> Quantile {
        match self {
            Self::Quantile(percent) => quantile(percent),
            Self::Spread => {
                let (middle, slow) = (quantile(50.0), quantile(90.0));
                Quantile {
                    value: slow.value - middle.value,
                    lower_bound: slow.lower_bound || middle.lower_bound,
                }
            }
        }
    }
}

/// How many values of each stratum there are (or, in a target, how much weight each shall have).
pub type Mix = BTreeMap<u32, f64>;

/// At least one finite value, sorted.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// By value; where values are equal the censored ones come last, since they outlast the others.
    entries: Vec<Entry>,
    /// The weight of all values of each cluster.
    clusters: Vec<f64>,
    mix: Mix,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Entry {
    value: f64,
    weight: f64,
    /// Dense, from 0.
    cluster: u32,
    stratum: u32,
    censored: bool,
}

impl Sample {
    /// `None` when there is no finite value. Values that are not finite are left out.
    pub fn new(points: impl IntoIterator<Item = Point>) -> Option<Self> {
        let mut points: Vec<Point> = points.into_iter().filter(|p| p.value.is_finite()).collect();
        points.sort_by(|a, b| {
            (a.value.total_cmp(&b.value)).then(a.censored.cmp(&b.censored)).then_with(|| {
                // Ties are put into one order, so that the order of the input means nothing.
                (a.cluster, a.stratum).cmp(&(b.cluster, b.stratum))
            })
        });
        let mut dense: BTreeMap<u32, u32> = points.iter().map(|p| (p.cluster, 0)).collect();
        for (index, place) in (0..).zip(dense.values_mut()) {
            *place = index;
        }
        let mut mix = Mix::new();
        let entries: Vec<Entry> = points
            .iter()
            .map(|p| {
                *mix.entry(p.stratum).or_default() += 1.0;
                Entry {
                    value: p.value,
                    weight: 1.0,
                    cluster: dense.get(&p.cluster).copied().unwrap_or_default(),
                    stratum: p.stratum,
                    censored: p.censored,
                }
            })
            .collect();
        let mut sample = Self { entries, clusters: vec![0.0; dense.len()], mix };
        sample.weigh_clusters();
        (!sample.entries.is_empty()).then_some(sample)
    }

    fn weigh_clusters(&mut self) {
        self.clusters.fill(0.0);
        for entry in &self.entries {
            if let Some(weight) = self.clusters.get_mut(entry.cluster as usize) {
                *weight += entry.weight;
            }
        }
    }

    /// How many values there are, censored ones included; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a sample is never empty")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many of the values are lower bounds.
    pub fn censored(&self) -> usize {
        self.entries.iter().filter(|e| e.censored).count()
    }

    /// How many clusters the values come from; at least 1.
    pub fn clusters(&self) -> usize {
        self.clusters.len()
    }

    /// How many values each stratum has.
    pub fn mix(&self) -> &Mix {
        &self.mix
    }

    /// The quantile at `percent` (0 to 100): the smallest value that at least this share of all
    /// values does not exceed. Without censored values this is the nearest rank, the value number
    /// `⌈n · percent / 100⌉` in order (type 1 of Hyndman and Fan, and what an HDR histogram gives).
    ///
    /// With censored values the share is the Kaplan–Meier estimate (Kaplan and Meier,
    /// "Nonparametric Estimation from Incomplete Observations", JASA 53, 1958, p. 457–481): a
    /// censored value's weight is handed on to those known to be larger. Where the estimate never
    /// reaches the level, the result is the largest value and a lower bound.
    pub fn quantile(&self, percent: f64) -> Quantile {
        self.walk(percent, |_| 1.0)
    }

    /// The largest value; a lower bound as soon as any value is one.
    pub fn max(&self) -> Quantile {
        Quantile { value: self.largest(), lower_bound: self.censored() > 0 }
    }

    /// The quantile of a resample, in which cluster `c` occurs `counts[c]` times. One that is not
    /// reached is bounded by the largest value of the whole sample.
    pub(super) fn resampled_quantile(&self, percent: f64, counts: &[u32]) -> Quantile {
        self.walk(percent, |cluster| counts.get(cluster as usize).copied().map_or(0.0, f64::from))
    }

    /// The mean of a resample, in which cluster `c` occurs `counts[c]` times; a lower bound enters with
    /// that bound. `None` of an empty one.
    pub(super) fn resampled_mean(&self, counts: &[u32]) -> Option<f64> {
        let (sum, weight) = self.entries.iter().fold((0.0, 0.0), |(sum, weight), entry| {
            let times = counts.get(entry.cluster as usize).copied().map_or(0.0, f64::from);
            (sum + entry.value * entry.weight * times, weight + entry.weight * times)
        });
        (weight > 0.0).then(|| sum / weight)
    }

    /// The figure a statistic gives of these values.
    pub fn figure(&self, statistic: Statistic) -> Quantile {
        statistic.of(|percent| self.quantile(percent))
    }

    fn walk(&self, percent: f64, times: impl Fn(u32) -> f64) -> Quantile {
        let level = 1.0 - (percent / 100.0).clamp(0.0, 1.0) + SLACK;
        let mut at_risk: f64 = (0..).zip(&self.clusters).map(|(c, weight)| weight * times(c)).sum();
        // Between two censored values the surviving share falls in proportion to the weight still at
        // risk, so the level is turned into a weight once and only subtraction is left to do.
        let mut survival = 1.0;
        let mut since = at_risk;
        let mut stop = level * since;
        for entry in &self.entries {
            let weight = entry.weight * times(entry.cluster);
            if weight <= 0.0 {
                continue;
            }
            at_risk -= weight;
            if !entry.censored {
                if at_risk <= stop {
                    return Quantile { value: entry.value, lower_bound: false };
                }
            } else if at_risk > SLACK {
                survival *= (at_risk + weight) / since;
                since = at_risk;
                stop = level * since / survival;
            } else {
                break;
            }
        }
        Quantile { value: self.largest(), lower_bound: self.censored() > 0 }
    }

    fn largest(&self) -> f64 {
        self.entries.last().map_or(0.0, |e| e.value)
    }

    /// The same values weighted so that each stratum has the share `target` gives it. Strata without
    /// a target are left out; `None` when nothing is left.
    fn standardized(&self, target: &Mix) -> Option<Self> {
        let points = self.entries.iter().filter(|e| target.contains_key(&e.stratum));
        let mut sample = Self::new(points.map(|e| Point {
            value: e.value,
            censored: e.censored,
            cluster: e.cluster,
            stratum: e.stratum,
        }))?;
        let scale = |stratum: u32| {
            let have = sample.mix.get(&stratum).copied().unwrap_or(1.0);
            target.get(&stratum).copied().unwrap_or_default() / have
        };
        let weights: Vec<f64> = sample.entries.iter().map(|e| scale(e.stratum)).collect();
        for (entry, weight) in sample.entries.iter_mut().zip(weights) {
            entry.weight = weight;
        }
        sample.weigh_clusters();
        Some(sample)
    }
}

/// Makes samples comparable: where the shares of their strata differ (a call that ended early lacks
/// its last turns), only the strata all have are kept, and all samples are weighted to the mean of
/// their mixes. Samples of the same mix come back as they are. `None` when they have no stratum in
/// common.
pub fn alike(samples: Vec<Sample>) -> Option<Vec<Sample>> {
    let share = |sample: &Sample, stratum: u32| {
        let all: f64 = sample.mix.values().sum();
        sample.mix.get(&stratum).copied().unwrap_or_default() / all
    };
    let first = samples.first()?;
    let like_first = |s: &Sample| {
        let mut strata = first.mix.keys().chain(s.mix.keys());
        strata.all(|stratum| (share(first, *stratum) - share(s, *stratum)).abs() < SLACK)
    };
    if samples.iter().all(like_first) {
        return Some(samples);
    }
    let everywhere = |stratum: &u32| samples.iter().all(|s| s.mix.contains_key(stratum));
    // Weights sum to the size of the smallest sample, so that they stay near 1.
    let size = samples.iter().map(Sample::len).min()?;
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 values")]
    let scale = size as f64 / samples.len() as f64;
    let target: Mix = (first.mix.keys().copied().filter(everywhere))
        .map(|s| (s, samples.iter().map(|sample| share(sample, s)).sum::<f64>() * scale))
        .collect();
    samples.iter().map(|s| s.standardized(&target)).collect()
}

#[cfg(test)]
mod tests;
