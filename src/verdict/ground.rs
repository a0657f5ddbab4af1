//! What can speak against a run, and which of it fails a job.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Outcome;

/// What can speak against a run, the gravest first. A run may have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// A threshold of the scenario failed.
    Threshold,
    /// Calls failed, or more of them than the scenario allows (`calls_ok`).
    Expectation,
    /// Slower than the baseline, or more calls fail or are cut in on than in it.
    Regression,
    /// No call reached an agent.
    NothingMeasured,
    /// The baseline belongs to something else.
    NotComparable,
    /// Something looks worse than the baseline, and no other run has confirmed it yet.
    Suspected,
    /// The comparison says nothing.
    Inconclusive,
    /// The caller was overloaded, or the recording is incomplete.
    Invalid,
}

impl Ground {
    pub const ALL: [Self; 8] = [
        Self::Threshold,
        Self::Expectation,
        Self::Regression,
        Self::NothingMeasured,
        Self::NotComparable,
        Self::Suspected,
        Self::Inconclusive,
        Self::Invalid,
    ];

    /// The ground that an outcome is by itself; `None` for one that speaks for the run, for a threshold or an
    /// expectation that failed, and for a run that the user stopped.
    pub const fn of(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Regression => Some(Self::Regression),
            Outcome::NothingMeasured => Some(Self::NothingMeasured),
            Outcome::NotComparable => Some(Self::NotComparable),
            Outcome::Suspected => Some(Self::Suspected),
            Outcome::Inconclusive => Some(Self::Inconclusive),
            Outcome::Invalid => Some(Self::Invalid),
            Outcome::Pass | Outcome::Improvement | Outcome::Fail | Outcome::Stopped => None,
        }
    }

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Threshold => "threshold",
            Self::Expectation => "expectation",
            Self::Regression => "regression",
            Self::NothingMeasured => "nothing-measured",
            Self::NotComparable => "not-comparable",
            Self::Suspected => "suspected",
            Self::Inconclusive => "inconclusive",
            Self::Invalid => "invalid",
        }
    }
}

/// The grounds that fail a job.
///
/// By default all but the three that chance or the calling machine decides, and that the next run may settle. A
/// baseline of something else is among them: it stays so until somebody accepts a new one, and until then
/// every night would pass without a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FailOn(BTreeSet<Ground>);

impl Default for FailOn {
    fn default() -> Self {
        let by_chance = [Ground::Suspected, Ground::Inconclusive, Ground::Invalid];
        Self(Ground::ALL.into_iter().filter(|ground| !by_chance.contains(ground)).collect())
    }
}

impl FailOn {
    /// The gravest of these grounds that fails a job; `None` when the job does not fail.
    pub fn failing(&self, grounds: &[Ground]) -> Option<Ground> {
        grounds.iter().copied().filter(|ground| self.0.contains(ground)).min()
    }
}

impl FromStr for FailOn {
    type Err = String;

    /// Names separated by commas; `default`, `all` and `none` stand for several.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut chosen = BTreeSet::new();
        for name in text.split(',').map(str::trim) {
            match Ground::ALL.into_iter().find(|ground| ground.name() == name) {
                Some(ground) => {
                    chosen.insert(ground);
                }
                None if name == "default" => chosen.extend(Self::default().0),
                None if name == "all" => chosen.extend(Ground::ALL),
                None if name == "none" && text.trim() == "none" => {}
                None => {
                    let names = Ground::ALL.map(Ground::name).join(", ");
                    return Err(format!(
                        "write one or more of {names}, separated by commas; or default, all or none"
                    ));
                }
            }
        }
        Ok(Self(chosen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<Ground> {
        text.parse::<FailOn>().expect("names").0.into_iter().collect()
    }

    #[test]
    fn grounds_are_named_one_by_one_or_together() {
        use Ground::{Expectation, Inconclusive, Invalid, Regression, Threshold};
        assert_eq!(parsed("regression, threshold"), [Threshold, Regression]);
        assert_eq!(parsed("default,suspected,inconclusive,invalid"), Ground::ALL);
        assert_eq!(parsed("all"), Ground::ALL);
        assert_eq!(parsed("none"), []);
        assert_eq!(parsed("default").len(), 5);
        for wrong in ["", "never", "regression;threshold", "none,regression", "Regression", ","] {
            let why = wrong.parse::<FailOn>().expect_err(wrong);
            assert!(why.contains("nothing-measured") && !why.contains("never"), "{why}");
        }
        let fail_on: FailOn = "regression,expectation".parse().expect("names");
        assert_eq!(fail_on.failing(&[Threshold, Regression, Invalid]), Some(Regression));
        assert_eq!(fail_on.failing(&[Inconclusive]), None);
        assert_eq!(FailOn::default().failing(&[Ground::Suspected]), None);
        assert_eq!(FailOn::default().failing(&[Inconclusive, Invalid]), None);
        assert_eq!(FailOn::default().failing(&[Expectation]), Some(Expectation));
    }
}
