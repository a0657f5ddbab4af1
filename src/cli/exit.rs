//! The exit codes.

use crate::verdict::{FailOn, Ground, Outcome};

pub(super) const PASS: u8 = 0;
pub(super) const INTERNAL: u8 = 1;
pub(super) const USAGE: u8 = 2;
pub(super) const NOTHING_MEASURED: u8 = 3;
pub(super) const WORSE: u8 = 4;
pub(super) const NO_VERDICT: u8 = 5;
/// What `doctor` found: the agent, this machine, or what traces are sent to.
pub(super) const AGENT_UNWELL: u8 = 6;
pub(super) const MACHINE_UNFIT: u8 = 7;
pub(super) const NOT_TRACED: u8 = 8;
pub(super) const STOPPED: u8 = 130;

/// The exit code of a verdict, all that speaks against the run, and what of it fails a job.
pub(super) fn of(outcome: Outcome, grounds: &[Ground], fail_on: &FailOn) -> u8 {
    match fail_on.failing(grounds) {
        _ if outcome == Outcome::Stopped => STOPPED,
        None => PASS,
        Some(Ground::Threshold | Ground::Expectation | Ground::Regression) => WORSE,
        Some(Ground::NothingMeasured) => NOTHING_MEASURED,
        Some(
            Ground::NotComparable | Ground::Suspected | Ground::Inconclusive | Ground::Invalid,
        ) => NO_VERDICT,
    }
}

/// The same of an A/B run, whose verdict has one ground at most.
pub(super) fn of_pair(outcome: Outcome, fail_on: &FailOn) -> u8 {
    of(outcome, Ground::of(outcome).as_slice(), fail_on)
}

/// What is said where something speaks against a run and the job passes all the same.
pub(super) fn passed_over(grounds: &[Ground], fail_on: &FailOn) -> Option<String> {
    let ground = grounds.first().filter(|_| fail_on.failing(grounds).is_none())?;
    let name = ground.name();
    Some(format!("note: exit code 0 although {name}: `--fail-on default,{name}` makes it fail"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Ground::{Inconclusive, Invalid, NotComparable, NothingMeasured, Regression, Threshold};

    #[test]
    fn grounds_choose_whether_and_how_a_job_fails() {
        let default = FailOn::default();
        let code = |outcome, grounds: &[Ground]| of(outcome, grounds, &default);
        assert_eq!(code(Outcome::Pass, &[]), PASS);
        assert_eq!(code(Outcome::Fail, &[Threshold, Inconclusive]), WORSE);
        assert_eq!(code(Outcome::Regression, &[Regression]), WORSE);
        assert_eq!(code(Outcome::NothingMeasured, &[NothingMeasured]), NOTHING_MEASURED);
        assert_eq!(code(Outcome::NotComparable, &[NotComparable]), NO_VERDICT);
        assert_eq!(code(Outcome::Inconclusive, &[Inconclusive]), PASS);
        assert_eq!(code(Outcome::Invalid, &[Invalid]), PASS);
        assert_eq!(code(Outcome::Stopped, &[]), STOPPED);
        let only = |names: &str| names.parse::<FailOn>().unwrap();
        assert_eq!(of(Outcome::Invalid, &[Invalid], &only("default,invalid")), NO_VERDICT);
        // What is hidden behind a graver outcome counts as well.
        let both = [Threshold, Regression];
        assert_eq!(of(Outcome::Regression, &both, &only("threshold")), WORSE);
        assert_eq!(
            of(Outcome::Fail, &[Threshold, NotComparable], &only("not-comparable")),
            NO_VERDICT
        );
        assert_eq!(of(Outcome::Regression, &both, &only("none")), PASS);
        assert_eq!(of(Outcome::Stopped, &[], &only("none")), STOPPED);
        assert_eq!(of_pair(Outcome::Inconclusive, &default), PASS);
        assert_eq!(of_pair(Outcome::Inconclusive, &only("all")), NO_VERDICT);
        assert_eq!(of_pair(Outcome::Regression, &default), WORSE);
        assert_eq!(of_pair(Outcome::Improvement, &only("all")), PASS);
        assert_eq!(passed_over(&[Threshold], &default), None);
        assert_eq!(passed_over(&[], &default), None);
        let said = passed_over(&[Inconclusive], &default).unwrap();
        assert!(said.contains("--fail-on default,inconclusive"), "{said}");
    }
}
