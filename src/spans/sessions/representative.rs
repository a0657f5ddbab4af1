//! Whether a scenario does to the agent what its callers do: the agent's own times in production beside its own times
//! in simulated calls. What is heard has no place here.

use std::collections::BTreeMap;

use crate::scenario::Metric;
use crate::stats::{Difference, Point, Resampling, Sample, Statistic, difference, holm};
use crate::text::number;

/// Values and clusters (sessions or calls) below which nothing is compared.
const VALUES: usize = 10;
const CLUSTERS: usize = 5;
/// What chance explains this often is not said.
const LEVEL: f64 = 0.05;
/// A difference that matters: this share of the median in production, and at least so many milliseconds.
const SHARE: f64 = 0.10;
const LEAST_MS: f64 = 20.0;

/// What the agent reported in simulated calls, in milliseconds; a cluster is a call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Synthetic {
    pub values: BTreeMap<Metric, Vec<(u32, f64)>>,
    /// What it is, for people: `the baseline greeting.baseline.json`.
    pub name: String,
}

/// Whether the simulated values can stand for those of production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Representative {
    /// No difference that matters is left open.
    Yes,
    /// They differ by more than matters, beyond chance.
    No,
    /// Chance explains the difference, or it hides one that matters.
    Open,
    /// Too few values.
    TooFew,
}

/// A stage in production against the same stage in simulated calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Against {
    /// Median in simulated calls, and how many values it rests on.
    pub p50_ms: f64,
    pub n: usize,
    /// Production minus simulated, 95 %; `None` when there are too few values.
    pub difference: Option<Difference>,
    /// Corrected for the number of stages (Holm).
    pub p: Option<f64>,
    pub representative: Representative,
}

/// Compares all stages. Sessions are resampled, and so are calls.
pub(super) fn compare(
    production: &BTreeMap<Metric, Sample>,
    synthetic: &Synthetic,
    how: &Resampling,
) -> BTreeMap<Metric, Against> {
    let mut all: Vec<(Metric, Against, f64)> = Vec::new();
    for (metric, theirs) in production {
        let Some(ours) = synthetic.sample(*metric) else { continue };
        let few = |sample: &Sample| sample.len() < VALUES || sample.clusters() < CLUSTERS;
        let median = Statistic::Quantile(50.0);
        let difference =
            (!few(theirs) && !few(&ours)).then(|| difference(&ours, theirs, median, how));
        let against = Against {
            p50_ms: ours.quantile(50.0).value,
            n: ours.len(),
            difference,
            p: None,
            representative: Representative::TooFew,
        };
        all.push((*metric, against, theirs.quantile(50.0).value));
    }
    let p_values: Vec<f64> = all.iter().filter_map(|(_, a, _)| Some(a.difference?.p)).collect();
    let mut corrected = holm(&p_values).into_iter();
    let finish = |(metric, against, p50): (Metric, Against, f64)| {
        let against = match against.difference {
            Some(difference) => {
                let p = corrected.next().unwrap_or(1.0);
                let representative = decide(&difference, p, p50);
                Against { p: Some(p), representative, ..against }
            }
            None => against,
        };
        (metric, against)
    };
    all.into_iter().map(finish).collect()
}

fn decide(difference: &Difference, p: f64, p50: f64) -> Representative {
    let matters = (SHARE * p50).max(LEAST_MS);
    let interval = difference.interval;
    let beyond = interval.low > matters || interval.high < -matters;
    if beyond && p < LEVEL {
        Representative::No
    } else if interval.low > -matters && interval.high < matters {
        Representative::Yes
    } else {
        Representative::Open
    }
}

impl Synthetic {
    fn sample(&self, metric: Metric) -> Option<Sample> {
        let values = self.values.get(&metric)?;
        Sample::new(values.iter().map(|(cluster, value)| Point {
            value: *value,
            censored: false,
            cluster: *cluster,
            stratum: 0,
        }))
    }
}

impl Against {
    /// `production p50 420 ms, scenario 250 ms (+150 to +190 ms): the scenario is not representative`.
    pub fn sentence(&self, p50_ms: f64) -> String {
        let (theirs, ours) = (number(p50_ms), number(self.p50_ms));
        let range = self.difference.map_or(String::new(), |difference| {
            let interval = difference.interval;
            let end = |ms| crate::text::signed(ms);
            format!(" ({} to {} ms)", end(interval.low), end(interval.high))
        });
        let judged = match self.representative {
            Representative::Yes => "alike",
            Representative::No => "the scenario is not representative",
            Representative::Open => {
                "cannot tell, a difference that matters is neither shown nor ruled out"
            }
            Representative::TooFew => "cannot tell, too few values",
        };
        format!("production p50 {theirs} ms, simulated {ours} ms{range}: {judged}")
    }
}
