//! Which calls are looked at first: those that failed, then those with the slowest turn.

use std::cmp::Reverse;

use crate::report::Report;
use crate::scenario::Scenario;
use crate::turn::{CallFacts, Reply, Turn};

/// The slowest turn of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slowest<'a> {
    pub(super) turn: &'a Turn,
    pub(super) ms: f64,
    /// It never came: the time is how long the caller waited.
    pub(super) censored: bool,
}

/// How long a turn took: until the reply or the agent's silence, or as long as the caller waited for it.
pub(super) const fn took(turn: &Turn) -> Option<(f64, bool)> {
    match turn.reply {
        Reply::Greeted { latency_ms, .. } | Reply::Heard { latency_ms, .. } => {
            Some((latency_ms, false))
        }
        Reply::Yielded { yield_ms } => Some((yield_ms, false)),
        Reply::Unanswered { waited_ms } | Reply::DidNotYield { waited_ms } => {
            Some((waited_ms, true))
        }
        Reply::CutIn { .. }
        | Reply::Ignored
        | Reply::Disturbed { .. }
        | Reply::NotAwaited
        | Reply::NotTested
        | Reply::NotReached => None,
    }
}

/// The slowest turn of a call; one that never came is slower than all that did.
pub(super) fn slowest(call: &CallFacts) -> Option<Slowest<'_>> {
    let all = call.turns.iter().filter_map(|turn| {
        let (ms, censored) = took(turn)?;
        ms.is_finite().then_some(Slowest { turn, ms, censored })
    });
    all.max_by(|a, b| a.censored.cmp(&b.censored).then(a.ms.total_cmp(&b.ms)))
}

/// The calls of a run, those to look at first at the front.
pub(super) fn ranked(report: &Report) -> Vec<&CallFacts> {
    let mut calls: Vec<&CallFacts> = report.judged.analysis.calls.iter().collect();
    calls.sort_by_cached_key(|call| {
        let class = match call.ok() {
            Some(false) => 0_u8,
            Some(true) => 1,
            // It says nothing about the agent.
            None => 2,
        };
        let slowest = slowest(call);
        let ms = slowest.map_or(i64::MIN, |slowest| whole(slowest.ms));
        (class, Reverse((slowest.is_some_and(|s| s.censored), ms)), call.call)
    });
    calls
}

#[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
fn whole(ms: f64) -> i64 {
    (ms * 1_000.0) as i64
}

/// The step of the script at which a call failed; `None` where it did not come to one.
pub(super) fn failed_step(call: &CallFacts, scenario: &Scenario) -> Option<u32> {
    let failure = call.failure.as_ref()?;
    let named = failure.detail.strip_prefix("turn `").and_then(|rest| {
        let steps = scenario.steps().iter().zip(0_u32..);
        let fits = |id: &str| rest.strip_prefix(id).is_some_and(|rest| rest.starts_with('`'));
        steps.filter(|(step, _)| fits(&step.id)).map(|(_, index)| index).next()
    });
    let silent = |turn: &&Turn| matches!(turn.reply, Reply::Unanswered { .. });
    named.or_else(|| call.turns.iter().find(silent).map(|turn| turn.step))
}
