//! Several scenarios of one agent, judged together: with ten of them, each with a false alarm in 5 % of runs, two nights
//! in five would have one.

use super::compare::{ALL, CALLS_OK, CUT_INS, LATENCIES};
use super::{Answer, Asked, Question, Verdict};
use crate::stats::holm;

/// The chance of a false alarm of all scenarios together.
pub const LEVEL: f64 = 0.05;

/// What the comparison of one scenario says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    /// How often chance alone makes any of its questions look this bad; `None` where nothing was compared.
    pub p: Option<f64>,
    /// It is worse by its own level, and by enough to matter.
    pub worse: bool,
}

/// The part of its chance that a question keeps which was suspected in the run before. That has a chance of 10 % by
/// itself, and of a quarter in a run that is as slow: both runs are compared with the same accepted ones, and where these
/// happen to be fast both look slow.
const AGAIN: f64 = 0.25;
/// There are two ways to be worse by the rule of two runs ([`super::Deciding::Confirmed`]).
const WAYS: f64 = 2.0;

/// How often chance alone makes any of the questions that decide look as bad as they do here (Bonferroni's correction
/// with the parts that the questions have); `None` where none was asked.
///
/// Where runs are `confirmed` by others, it is the chance of both runs: a question has a chance of *x* in this one, or
/// one of 4 *x* after it was suspected in the run before. Each of the two happens in at most *x* of cases.
pub fn chance(verdict: &Verdict, confirmed: bool) -> Option<f64> {
    let comparison = verdict.comparison.as_ref()?;
    let deciding = || comparison.answers.iter().filter(|answer| answer.decides);
    // The interval of an answer that decides is that of its level, on both sides.
    let level = |answer: &Answer| (100.0 - answer.confidence) / 200.0;
    let all: f64 = deciding().map(level).sum();
    let latencies = deciding().map(|answer| {
        let p = answer.p_slower * all / level(answer) / (LATENCIES / ALL);
        (answer.asked.clone(), p)
    });
    let counts = [
        (Question::CallsOk, comparison.failures, CALLS_OK / ALL),
        (Question::CutIns, comparison.cut_ins, CUT_INS / ALL),
    ];
    let counts = counts.into_iter().filter_map(|(question, count, part)| {
        Some((Asked { question, step: None }, count?.p / part))
    });
    let again = |asked: &Asked| {
        verdict.suspected.iter().any(|seen| seen.asked == *asked && seen.since.is_some())
    };
    let all = latencies
        .chain(counts)
        .map(|(asked, p)| if confirmed { of_two_runs(p, again(&asked)) } else { p });
    all.reduce(f64::min).map(|p| p.min(1.0))
}

/// Of a chance in this run, and whether the run before was suspected of the same.
fn of_two_runs(p: f64, again: bool) -> f64 {
    WAYS * if again { p * AGAIN } else { p }
}

/// Which scenarios are worse when all are looked at together (Holm's correction).
pub fn worse(members: &[Member]) -> Vec<bool> {
    let p: Vec<f64> = members.iter().filter_map(|member| member.p).collect();
    let mut adjusted = holm(&p).into_iter();
    let is_worse = |member: &Member| {
        let p = member.p.and_then(|_| adjusted.next());
        // What is worse without a chance that is known is not made good by others.
        member.worse && p.is_none_or(|p| p <= LEVEL)
    };
    members.iter().map(is_worse).collect()
}

#[cfg(test)]
mod tests;
