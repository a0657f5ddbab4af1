//! What to do next, where the reasons of a verdict leave it open. A command to copy stands on a line of its own.

use super::page::{Page, Tone};
use crate::report::Report;
use crate::verdict::{Origin, Outcome as Judgement};

/// What to do next, and the command for it.
pub(in crate::report) struct Advice {
    pub(in crate::report) text: &'static str,
    pub(in crate::report) command: String,
}

impl Advice {
    pub(super) fn write(&self, page: &mut Page) {
        page.paragraph(2, &[(Tone::Strong, "next:")], self.text);
        page.command(4, &self.command);
    }
}

/// After a run that lies at `place`.
pub(in crate::report) fn of_a_run(report: &Report, place: &str) -> Option<Advice> {
    // Of a run of before nobody knows whether it was accepted since.
    let is_new = matches!(report.judged.origin, Origin::Now);
    let verdict = &report.judged.verdict;
    let (text, command) = match verdict.outcome {
        Judgement::Pass if is_new && verdict.comparison.is_none() => {
            ("make this run the baseline", format!("loadcall accept {place}"))
        }
        Judgement::Pass if is_new && verdict.learning.is_some() => {
            ("add this run to the baseline", format!("loadcall accept {place}"))
        }
        Judgement::Improvement => {
            ("start a new baseline with this run", format!("loadcall accept --replace {place}"))
        }
        Judgement::Regression => (
            "see below which stage got slower; if the change is intended, start a new baseline",
            format!("loadcall accept --replace {place}"),
        ),
        Judgement::Fail => (
            "failures are marked ✗ below; every turn, as JSON",
            format!("loadcall report --format json {place}"),
        ),
        Judgement::Pass
        | Judgement::Suspected
        | Judgement::Inconclusive
        | Judgement::NotComparable
        | Judgement::Invalid
        | Judgement::NothingMeasured
        | Judgement::Stopped => return None,
    };
    Some(Advice { text, command })
}

/// After an A/B run that lies at `place`.
pub(in crate::report) fn of_a_pair(outcome: Judgement, place: &str) -> Option<Advice> {
    let (text, command) = match outcome {
        Judgement::Pass | Judgement::Improvement => {
            ("make b the baseline", format!("loadcall accept {place}/b"))
        }
        Judgement::Regression => (
            "see below which stage got slower; all numbers of b",
            format!("loadcall report {place}/b"),
        ),
        Judgement::Fail
        | Judgement::Suspected
        | Judgement::Inconclusive
        | Judgement::NotComparable
        | Judgement::Invalid
        | Judgement::NothingMeasured
        | Judgement::Stopped => return None,
    };
    Some(Advice { text, command })
}
