//! A judged run as a list of cases that were passed, failed or left open: what test reports and annotations are
//! made of.

use super::Report;
use super::paired::PairedReport;
use super::rows::{self, Expectation, Row};
use crate::scenario::Metric;
use crate::text::count;
use crate::verdict::Direction;
use crate::verdict::Outcome as Judgement;

/// Calls that a case names.
const CALLS: usize = 10;

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    pub(super) group: Group,
    pub(super) name: String,
    pub(super) result: Result,
}

/// What a case belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Verdict,
    Thresholds,
    Expectations,
    Comparison,
}

impl Group {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Thresholds => "thresholds",
            Self::Expectations => "expectations",
            Self::Comparison => "comparison",
        }
    }
}

/// How a case came out, with a sentence.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Result {
    Passed(String),
    Failed(String),
    /// Neither: it says nothing about the agent, or does not decide.
    Open(String),
}

/// The cases of a run, the verdict first. `fails`: the job fails because of it.
pub(super) fn of_run(report: &Report, fails: bool) -> Vec<Case> {
    let verdict = &report.judged.verdict;
    let mut cases = vec![of_verdict(verdict.outcome, &verdict.reasons, fails)];
    let judged = rows::is_judged(verdict.outcome);
    for result in &verdict.thresholds {
        let text = result.text.clone();
        let name = format!("{} {}", result.threshold.metric.name(), result.threshold.text);
        let result = if result.held { Result::Passed(text) } else { Result::Failed(text) };
        cases.push(Case { group: Group::Thresholds, name, result });
    }
    // A call that fails fails the run only as far as the scenario says.
    let mut of_calls = verdict.thresholds.iter().filter(|t| t.threshold.metric == Metric::CallsOk);
    let allowed = of_calls.all(|threshold| threshold.held);
    cases.extend(rows::expectations(report).iter().map(|of| expectation(of, allowed)));
    if let Some(comparison) = &verdict.comparison {
        cases.extend(rows::changes(comparison).iter().map(|row| compared(row, verdict.outcome)));
        for (name, text, worse) in rows::counted(comparison) {
            let result = if worse { Result::Failed(text) } else { Result::Passed(text) };
            cases.push(Case { group: Group::Comparison, name: name.to_owned(), result });
        }
    }
    if !judged {
        // What was not judged is neither good nor bad.
        let why = format!("not judged: {}", rows::word(verdict.outcome));
        for case in &mut cases[1..] {
            case.result = Result::Open(why.clone());
        }
    }
    cases
}

/// The cases of an A/B run, the verdict first.
pub(super) fn of_pair(report: &PairedReport, fails: bool) -> Vec<Case> {
    let verdict = &report.verdict;
    let mut cases = vec![of_verdict(verdict.outcome, &verdict.reasons, fails)];
    let rows = verdict.comparison.iter().flat_map(rows::paired);
    cases.extend(rows.map(|row| compared(&row, verdict.outcome)));
    cases
}

/// Never greener than the exit code.
fn of_verdict(outcome: Judgement, reasons: &[String], fails: bool) -> Case {
    let sentence = headline(outcome, reasons);
    let result = match outcome {
        _ if fails => Result::Failed(sentence),
        Judgement::Pass | Judgement::Improvement => Result::Passed(sentence),
        Judgement::Fail
        | Judgement::Regression
        | Judgement::Suspected
        | Judgement::Inconclusive
        | Judgement::NotComparable
        | Judgement::Invalid
        | Judgement::NothingMeasured
        | Judgement::Stopped => Result::Open(sentence),
    };
    Case { group: Group::Verdict, name: "verdict".to_owned(), result }
}

/// `PASS: no worse than the baseline`.
pub(super) fn headline(outcome: Judgement, reasons: &[String]) -> String {
    match reasons.first() {
        Some(reason) => format!("{}: {reason}", rows::word(outcome)),
        None => rows::word(outcome).to_owned(),
    }
}

fn expectation(of: &Expectation, allowed: bool) -> Case {
    let name = format!("{}: agent {}", of.turn, of.expects);
    let all = of.met + of.failed.len();
    let result = match of.failed.first() {
        None if all == 0 => Result::Open("no call got so far".to_owned()),
        None => Result::Passed(format!("met in {}", count(of.met, "call"))),
        Some((call, what)) => {
            let numbers: Vec<String> =
                of.failed.iter().take(CALLS).map(|(call, _)| call.to_string()).collect();
            let more = if of.failed.len() > CALLS { " …" } else { "" };
            let text = format!(
                "not met in {} of {}: {}{more}; call {call}: {what}",
                of.failed.len(),
                count(all, "call"),
                numbers.join(", "),
            );
            if allowed {
                Result::Open(format!("{text} (the threshold on calls_ok allows it)"))
            } else {
                Result::Failed(text)
            }
        }
    };
    Case { group: Group::Expectations, name, result }
}

/// Only what decides can fail; a verdict that is no regression does not make it one.
fn compared(row: &Row, outcome: Judgement) -> Case {
    let text = row.sentence();
    let result = match row.direction {
        Direction::Slower if row.decides && outcome == Judgement::Regression => {
            Result::Failed(text)
        }
        Direction::Slower if row.decides => Result::Open(text),
        Direction::Slower => Result::Open(format!("{text} (for information)")),
        Direction::Unclear => Result::Open(text),
        Direction::Faster | Direction::Alike => Result::Passed(text),
    };
    Case { group: Group::Comparison, name: row.name.clone(), result }
}

#[cfg(test)]
mod tests;
