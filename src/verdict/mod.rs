//! Thresholds and baseline → a [`Verdict`] with its reasons.

use crate::scenario::{Metric, Threshold};
use crate::stats::{Interval, Quantile};

/// What a run amounts to.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    pub outcome: Outcome,
    /// Sentences for people, the decisive one first; never empty.
    pub reasons: Vec<String>,
    pub thresholds: Vec<ThresholdResult>,
    /// `None` when there is no baseline.
    pub comparison: Option<Comparison>,
}

/// The closed set of judgements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Every threshold held and nothing is worse than the baseline.
    Pass,
    /// As `Pass`, and the primary metric is better than the baseline beyond doubt.
    Improvement,
    /// A threshold or an expectation failed.
    Fail,
    /// The primary metric is worse than the baseline by more than the minimum effect.
    Regression,
    /// The data do not allow a judgement; the reasons say what would.
    Inconclusive,
    /// The baseline belongs to something else.
    NotComparable,
    /// The caller itself was overloaded: no judgement of the agent.
    Invalid,
    /// No call reached an agent.
    NothingMeasured,
    /// The user stopped the run; what was measured is reported but not judged.
    Stopped,
}

/// How one threshold came out.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdResult {
    pub threshold: Threshold,
    /// `None` when nothing was measured for it, which counts as failed.
    pub measured: Option<Quantile>,
    pub held: bool,
}

/// The run against its baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    pub baseline_run_id: String,
    /// The metric that decides, e.g. `heard_e2e_latency` at 50 %.
    pub primary: Metric,
    pub quantile: f64,
    pub changes: Vec<Change>,
}

/// The change of one metric's quantile against the baseline, run minus baseline, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    pub metric: Metric,
    pub quantile: f64,
    pub baseline: f64,
    pub run: f64,
    /// 95 % interval of the difference (bootstrap by call).
    pub difference: Interval,
}
