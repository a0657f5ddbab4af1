//! The exit codes.

use crate::verdict::Outcome;

pub(super) const PASS: u8 = 0;
pub(super) const INTERNAL: u8 = 1;
pub(super) const USAGE: u8 = 2;
pub(super) const NOTHING_MEASURED: u8 = 3;
pub(super) const WORSE: u8 = 4;
pub(super) const NO_VERDICT: u8 = 5;
pub(super) const STOPPED: u8 = 130;

/// The exit code of a judged run.
pub(super) fn of(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Pass | Outcome::Improvement => PASS,
        Outcome::Fail | Outcome::Regression => WORSE,
        Outcome::Inconclusive | Outcome::NotComparable | Outcome::Invalid => NO_VERDICT,
        Outcome::NothingMeasured => NOTHING_MEASURED,
        Outcome::Stopped => STOPPED,
    }
}
