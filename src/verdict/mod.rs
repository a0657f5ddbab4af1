//! Thresholds and baseline → a [`Verdict`] with its reasons.
//!
//! The order of judgement: a run that is unfit is not judged at all ([`Unfit`]). Then come the
//! scenario's thresholds, which are absolute, and the baseline. A regression outranks a failed
//! threshold because it says where the failure comes from; both are always listed.

mod health;
mod thresholds;
mod ground;
mod questions;
mod figures;
mod comparable;
mod meaning;
mod nights;
mod baseline;
mod attribution;
mod compare;
mod given;
mod judged;
pub mod paired;
pub mod noise;
pub mod family;

pub use attribution::{Attribution, PartChange, StepChange};
pub use baseline::{Baseline, CannotAccept, MAX_BYTES as BASELINE_MAX_BYTES};
pub use comparable::{Difference, How, Mismatch, NotComparable};
pub use compare::{ASSUMED_DRIFT, RUNS_FOR_DRIFT};
pub use figures::{EVENTS, Figure, Figures, SLOW, Wait, waits};
pub use given::{FILE_NAME as VERDICT_FILE, Given, GivenError, MAX_BYTES as VERDICT_MAX_BYTES};
pub use ground::{FailOn, Ground};
pub use health::{
    MAX_OUR_FAULT_SHARE, MAX_PACING_P99_MS, MAX_SKIPPED_SHARE, Pacing, Unfit, pacing, unfit,
};
pub use judged::{Judged, JudgedPair, Origin};
pub use questions::{Asked, Deciding, Question, Sighting, Suspicion};

pub use thresholds::{Ends, sample};

use compare::{Compared, Standing};
use serde::{Deserialize, Serialize};

use crate::scenario::{Metric, Scenario, Threshold};
use crate::stats::{Interval, Quantile, Rate, Statistic};
use crate::turn::Analysis;

/// Everything a verdict is made from.
#[derive(Debug, Clone, Copy)]
pub struct Judging<'a> {
    pub scenario: &'a Scenario,
    /// Of a run of this scenario.
    pub analysis: &'a Analysis,
    pub baseline: Option<&'a Baseline>,
    pub mismatch: Mismatch,
    pub deciding: Deciding<'a>,
    /// Of the resampling; the same input and seed always give the same verdict.
    pub seed: u64,
}

/// The judgement of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub outcome: Outcome,
    /// Sentences for people, the decisive one first, notes last; never empty.
    pub reasons: Vec<String>,
    /// In the scenario's order. When it sets none on `calls_ok`, one that every call must meet is
    /// added in front.
    pub thresholds: Vec<ThresholdResult>,
    /// `None` when there is no baseline, or none that can be compared.
    pub comparison: Option<Comparison>,
    /// All that speaks against the run, the gravest first; empty for a run that passes or was stopped.
    pub grounds: Vec<Ground>,
    /// Set while the baseline has too few runs to know how much they differ, whatever the outcome.
    pub learning: Option<Learning>,
    /// What differs from the newest accepted run, whether or not it forbids a comparison. The reasons say
    /// in one line how much; documents list it in a section of its own.
    pub differences: Vec<Difference>,
    /// What looks worse or is found worse, with the run in which it began.
    pub suspected: Vec<Suspicion>,
}

/// How far a baseline is on the way to enough runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learning {
    /// Accepted runs.
    pub runs: usize,
    /// As many as it takes.
    pub of: usize,
}

/// The closed set of judgements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every threshold was met and nothing is worse than the baseline.
    Pass,
    /// As `Pass`, and the primary metric is better than the baseline beyond doubt.
    Improvement,
    /// A threshold or an expectation failed.
    Fail,
    /// The primary metric is worse than the baseline by more than the minimum effect, or more calls
    /// fail than in the baseline.
    Regression,
    /// Something looks worse, and the next run of the agent has to confirm it.
    Suspected,
    /// The data do not allow a judgement; the reasons say what would.
    Inconclusive,
    /// The baseline belongs to something else.
    NotComparable,
    /// The caller itself was overloaded, or the recording is incomplete: no judgement of the agent.
    Invalid,
    /// No call reached an agent.
    NothingMeasured,
    /// The user stopped the run; what was measured is reported but not judged.
    Stopped,
}

/// How one threshold came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdResult {
    pub threshold: Threshold,
    /// Milliseconds, or a share of calls. `None` when nothing was measured for it, which counts as
    /// failed.
    pub measured: Option<Quantile>,
    /// Of a quantile or a share: where it lies in 95 % of cases, by the calls. Decides nothing.
    #[serde(default)]
    pub interval: Option<Ends>,
    pub held: bool,
    /// How many values were measured, unanswered ones included; calls for a rate.
    pub n: usize,
    /// The threshold with what was measured, for people.
    pub text: String,
}

/// The run against its baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Of the newest accepted run.
    pub baseline_run_id: String,
    /// Of all accepted runs, the oldest first.
    pub baseline_runs: Vec<String>,
    /// The chief latency, e.g. `heard_e2e_latency` at 50 %.
    pub primary: Metric,
    /// In percent.
    pub quantile: f64,
    /// A change of what is typical counts from here on, in milliseconds.
    pub min_effect_ms: f64,
    /// What was asked of the latencies and could be answered: what decides first, the typical turn before the
    /// others.
    pub answers: Vec<Answer>,
    /// For information: the median of the chief latency, its 95th percentile, where there are enough turns, and the
    /// medians of the others.
    pub changes: Vec<Change>,
    /// From the median to the 90th percentile of the primary metric; `None` with too few turns.
    pub spread: Option<Change>,
    /// `None` when no call of a side says anything about the agent.
    pub failures: Option<FailureChange>,
    /// The same of calls in which the agent cut in on the caller; those without count as right.
    pub cut_ins: Option<FailureChange>,
    /// The same of calls in which something happened in a turn, for information; those without count as right.
    pub events: Vec<EventChange>,
    /// Where the change of a heard latency comes from; `None` when the primary metric is another one,
    /// or the agent reports no stages.
    pub attribution: Option<Attribution>,
}

/// The answer to a question of latency, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    #[serde(flatten)]
    pub asked: Asked,
    /// Takes part in the verdict.
    pub decides: bool,
    pub basis: Basis,
    pub baseline: f64,
    pub run: f64,
    pub baseline_is_bound: bool,
    pub run_is_bound: bool,
    /// Run minus baseline.
    pub difference: Interval,
    /// The level of that interval, in percent: it excludes no change where the answer is *slower* or *faster*.
    pub confidence: f64,
    /// A change counts from here on.
    pub min_effect_ms: f64,
    /// About the smallest slowdown that is found with a probability of 90 %.
    pub detectable_ms: f64,
    /// How often chance alone gives a figure at least as much slower. Not corrected: the question is
    /// answered at its own share of the 5 %.
    pub p_slower: f64,
    /// The same of a faster one.
    pub p_faster: f64,
    pub direction: Direction,
}

/// Calls in which something happened in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EventChange {
    /// What happened, e.g. `unanswered_turns`.
    pub event: Metric,
    /// `p` with Holm's correction, `more` by that.
    pub calls: FailureChange,
}

/// The change of one figure against the baseline, run minus baseline, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub metric: Metric,
    pub statistic: Statistic,
    /// What it was compared with.
    pub basis: Basis,
    /// Of all accepted calls together, or the geometric mean of the accepted runs' figures.
    pub baseline: f64,
    pub run: f64,
    /// `baseline` is a lower bound: so many turns had no reply.
    pub baseline_is_bound: bool,
    /// `run` is a lower bound: so many turns had no reply.
    pub run_is_bound: bool,
    /// 95 % interval of the difference.
    pub difference: Interval,
    /// A change counts from here on.
    pub min_effect_ms: f64,
    /// The smallest slowdown that such a comparison finds with a probability of 90 %
    /// ([`crate::stats::power`]).
    pub detectable_ms: f64,
    /// How often chance alone gives a change at least as large in either direction, with Holm's correction.
    pub p: f64,
    pub direction: Direction,
}

/// What a figure was compared with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// All accepted calls together, by resampling calls: how much runs differ is not accounted for.
    Calls,
    /// The figures of several accepted runs, by Student's prediction of one more.
    Runs(RunToRun),
}

/// How much accepted runs differ by themselves, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RunToRun {
    /// Accepted runs with enough values.
    pub runs: usize,
    /// Where one more of them lies in 95 % of cases; `point` is their mean.
    pub expected: Interval,
    /// Standard deviation between runs, from all causes.
    pub between_runs_ms: f64,
    /// What of it comes of the calls a run happens to consist of (resampling by call).
    pub sampling_ms: f64,
}

/// What a comparison says of one figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Slower,
    Faster,
    /// A change of the minimum effect is ruled out, or would have been found and was not.
    Alike,
    Unclear,
}

impl Direction {
    /// Changed beyond chance.
    pub const fn differs(self) -> bool {
        matches!(self, Self::Slower | Self::Faster)
    }
}

/// Calls in which something was right, compared with the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FailureChange {
    /// Of all accepted runs together.
    pub baseline: Rate,
    pub run: Rate,
    /// Accepted runs.
    pub runs: usize,
    /// 95 % interval of the difference of the shares, run minus baseline.
    pub difference: Interval,
    /// How often chance alone lets at least so many calls go wrong, by the calls and by how much runs
    /// differ.
    pub p: f64,
    /// More calls go wrong, beyond chance and by at least one in a hundred.
    pub more: bool,
}

/// Judges a run. Takes seconds for 10,000 calls, and asks nothing but its input. A run that the baseline
/// holds is compared with the other runs in it.
pub fn judge(input: Judging<'_>) -> Verdict {
    let thresholds = thresholds::results(input.scenario, input.analysis);
    if let Some(unfit) = unfit(input.analysis) {
        let (outcome, reasons) = (unfit.outcome(), vec![unfit.to_string()]);
        let grounds = Ground::of(outcome).into_iter().collect();
        let (comparison, learning, differences) = (None, None, Vec::new());
        return Verdict {
            outcome,
            reasons,
            thresholds,
            comparison,
            grounds,
            learning,
            differences,
            suspected: Vec::new(),
        };
    }
    let compared = input.baseline.map(|baseline| compare::with_baseline(&input, baseline));
    let failed = thresholds.iter().any(|t| !t.held);
    let standing = compared.as_ref().map(|c| c.standing);
    let outcome = match standing {
        Some(Standing::Worse) => Outcome::Regression,
        _ if failed => Outcome::Fail,
        Some(Standing::NotComparable) => Outcome::NotComparable,
        Some(Standing::Suspected) => Outcome::Suspected,
        Some(Standing::Unclear) => Outcome::Inconclusive,
        Some(Standing::Better) => Outcome::Improvement,
        Some(Standing::NoWorse | Standing::Learning(_)) | None => Outcome::Pass,
    };
    let of_standing = standing.and_then(Standing::ground);
    let grounds = thresholds::grounds(&thresholds, input.scenario).chain(of_standing).collect();
    let of_thresholds = thresholds::reasons(&thresholds, &input);
    let Compared { mut reasons, mut notes, comparison, learning, differences, suspected, .. } =
        compared.unwrap_or_default();
    if outcome == Outcome::Fail {
        reasons = [of_thresholds, reasons].concat();
    } else {
        reasons.extend(of_thresholds);
    }
    notes.extend(thresholds::notes(&thresholds, input.analysis));
    notes.extend(health::notes(&input));
    reasons.append(&mut notes);
    Verdict { outcome, reasons, thresholds, comparison, grounds, learning, differences, suspected }
}

/// How many values a quantile needs before two of them are compared: below that it is decided by one
/// or two turns.
pub(crate) fn values_needed(percent: f64) -> usize {
    match percent {
        p if p >= 99.0 => 300,
        p if p >= 95.0 => 60,
        p if p >= 90.0 => 30,
        _ => 10,
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
