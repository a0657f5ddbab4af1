//! A run with what it means and its verdict: what every document about it is made from.

use super::paired::{PairedVerdict, Pairing, Recorded};
use super::{Baseline, Judging, Mismatch, Verdict, judge, paired, unfit};
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
        let judging =
            Judging { scenario: &scenario, analysis: &analysis, baseline, mismatch, seed };
        let verdict = judge(judging);
        Self { scenario, analysis, verdict }
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
