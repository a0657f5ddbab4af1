//! A run with what it means and its verdict: what every document about it is made from.

use super::nights::began;
use super::paired::{PairedVerdict, Pairing, Recorded};
use super::questions::{Deciding, Sighting, Suspicion};
use super::{Baseline, FailOn, Given, Ground, Judging, Mismatch, Verdict, judge, paired, unfit};
use crate::measured::Measured;
use crate::scenario::Scenario;
use crate::turn::Analysis;

/// A judged run.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// For the agent that was called.
    pub scenario: Scenario,
    pub analysis: Analysis,
    pub verdict: Verdict,
    pub origin: Origin,
    /// What fails the job that asked for this verdict.
    pub fail_on: FailOn,
}

/// Where the verdict of a judged run comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Judged for this report.
    Now,
    /// Given when the run was placed and kept since (RFC 3339, UTC).
    Given { judged_at: String },
    /// Judged for this report, because the one that was given cannot be used.
    NotKept { why: String },
}

/// The two sides of an A/B run, each judged by its thresholds, and B compared with A.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedPair {
    pub a: Judged,
    pub b: Judged,
    pub verdict: PairedVerdict,
}

impl Judged {
    /// Judges a run by its scenario's thresholds and, if there is one, against a baseline.
    pub fn judge(
        (scenario, analysis): (Scenario, Analysis),
        baseline: Option<&Baseline>,
        mismatch: Mismatch,
        seed: u64,
    ) -> Self {
        Self::decide((scenario, analysis), baseline, (mismatch, Deciding::Once), seed)
    }

    /// The same by a rule that says how sure the comparison has to be.
    pub fn decide(
        (scenario, analysis): (Scenario, Analysis),
        baseline: Option<&Baseline>,
        (mismatch, deciding): (Mismatch, Deciding<'_>),
        seed: u64,
    ) -> Self {
        let judging = Judging {
            scenario: &scenario,
            analysis: &analysis,
            baseline,
            mismatch,
            deciding,
            seed,
        };
        let verdict = judge(judging);
        let (origin, fail_on) = (Origin::Now, FailOn::default());
        Self { scenario, analysis, verdict, origin, fail_on }
    }

    /// A run with the verdict it was given when it was placed.
    pub fn given((scenario, analysis): (Scenario, Analysis), given: Given) -> Self {
        let Given { judged_at, fail_on, verdict, .. } = given;
        Self { scenario, analysis, verdict, origin: Origin::Given { judged_at }, fail_on }
    }

    /// What looks worse, each with the run since when, for the run that confirms it.
    pub fn suspicions(&self) -> Vec<Suspicion> {
        let head = &self.analysis.head;
        let this = Sighting { run: head.run_id.clone(), started_at: head.started_at.clone() };
        began(&self.verdict.suspected, &this)
    }

    /// What fails the job that asks: the gravest ground of the verdict; `None` when it does not fail.
    pub fn failing(&self) -> Option<Ground> {
        self.fail_on.failing(&self.verdict.grounds)
    }

    /// One line that says which verdict this is, where that is not obvious.
    pub fn origin_line(&self) -> Option<String> {
        match &self.origin {
            Origin::Now => None,
            Origin::Given { judged_at } => {
                let against =
                    match self.verdict.comparison.as_ref().map(|c| c.baseline_runs.as_slice()) {
                        None | Some([]) => "without a comparison".to_owned(),
                        Some([one]) => format!("against the accepted run {one}"),
                        Some([first, .., last]) => {
                            let n = self
                                .verdict
                                .comparison
                                .as_ref()
                                .map_or(0, |c| c.baseline_runs.len());
                            format!("against {n} accepted runs, {first} to {last}")
                        }
                    };
                Some(format!(
                    "verdict as given at {judged_at}, {against}; `loadcall compare` judges again"
                ))
            }
            Origin::NotKept { why } => Some(format!(
                "judged again: the verdict given when the run was placed cannot be used ({why})"
            )),
        }
    }

    /// The run as its values.
    pub fn measured(&self) -> Measured {
        Measured::take(&self.analysis, &self.scenario, unfit(&self.analysis).is_none())
    }

    fn recorded(&self) -> Recorded<'_> {
        Recorded { scenario: &self.scenario, analysis: &self.analysis }
    }
}

impl JudgedPair {
    /// Judges both sides of an A/B run, each with its scenario.
    pub fn judge(a: (Scenario, Analysis), b: (Scenario, Analysis), seed: u64) -> Self {
        let side = |of| Judged::judge(of, None, Mismatch::Refuse, seed);
        let (a, b) = (side(a), side(b));
        let verdict = paired::judge(Pairing { a: a.recorded(), b: b.recorded(), seed });
        Self { a, b, verdict }
    }
}
