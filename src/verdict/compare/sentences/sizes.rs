//! How much there is to compare, and what is missing for a comparison.

use super::super::super::figures::MIN_CALLS;
use super::super::super::thresholds::sample;
use super::super::super::{Baseline, values_needed};
use crate::scenario::{BaselineRule, Metric};
use crate::stats::Sample;
use crate::turn::Measures;

/// How much there is of the chief latency, in the baseline and in the run.
pub(in super::super) struct Sizes {
    pub(super) metric: Metric,
    pub(super) percent: f64,
    pub(super) calls: (usize, usize),
    values: (usize, usize),
}

impl Sizes {
    pub(in super::super) fn of(rule: &BaselineRule, baseline: &Baseline, run: &Measures) -> Self {
        let of = |measures: &Measures| sample(measures.values(rule.primary));
        let (old, new) = (of(baseline.measures()), of(run));
        let (calls, values) = (
            |s: &Option<Sample>| s.as_ref().map_or(0, Sample::clusters),
            |s: &Option<Sample>| s.as_ref().map_or(0, Sample::len),
        );
        Self {
            metric: rule.primary,
            percent: rule.quantile,
            calls: (calls(&old), calls(&new)),
            values: (values(&old), values(&new)),
        }
    }

    /// What is missing for a comparison.
    pub(super) fn missing(&self) -> String {
        let name = self.metric.name();
        let need = values_needed(self.percent);
        let (old, new) = self.values;
        if old == 0 || new == 0 {
            let side = if old == 0 { "baseline" } else { "run" };
            return format!("{name} cannot be compared: the {side} has no values");
        }
        let (what, (old, new), need) = if self.calls.0.min(self.calls.1) < MIN_CALLS {
            ("calls", self.calls, MIN_CALLS)
        } else if old.min(new) < need {
            ("turns", self.values, need)
        } else {
            let why = "too few calls of the same turns on both sides";
            return format!("{name} cannot be compared: {why}");
        };
        format!(
            "{name}: too few {what} to compare ({old} in the baseline, {new} in the run); at least {need} are needed"
        )
    }
}
