//! Scenario + run ids → who calls whom in which order: every call's room and caller, fixed before
//! the first one is placed.
//!
//! # Interleaved calls
//! Two agents are called in blocks of two calls each, `A B B A` or `B A A B` as the seed says, so
//! that whatever changes steadily with time (a provider that gets slower, a machine that heats up)
//! falls on both alike, and neither is always the one that is called first. Both share one
//! concurrency: at any time the calls in progress are of both.

use crate::random::SplitMix64;
use crate::record::{CallId, Side};
use crate::scenario::{Load, Scenario};

/// The order of blocks is drawn apart from everything else that a seed decides.
const PURPOSE: u64 = 0xAB;

/// All calls of a run, in the order they are placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub calls: Vec<PlannedCall>,
    /// How many calls may be in progress at a time; the next is due when one ends.
    pub concurrency: usize,
}

/// One call, fully resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedCall {
    /// Counts the calls to one agent: those of both sides with the same id are a pair.
    pub id: CallId,
    /// Of an interleaved run; a run of one agent has only [`Side::A`].
    pub side: Side,
    /// Unique to this call, so it serves as the session id of its traces.
    pub room: String,
    /// The caller's identity in the room.
    pub identity: String,
}

impl Plan {
    /// The calls to one agent. The same scenario and run id always give the same plan.
    pub fn of(scenario: &Scenario, run_id: &str) -> Self {
        let (calls, concurrency) = size(scenario);
        let call = |id| planned(scenario, run_id, Side::A, id);
        Self { calls: (0..calls).map(call).collect(), concurrency }
    }

    /// The calls to two agents, as many to each as the scenario says; `run_ids` of A and of B. The
    /// same scenario, run ids and seed always give the same plan.
    pub fn interleaved(scenario: &Scenario, run_ids: [&str; 2], seed: u64) -> Self {
        let (pairs, concurrency) = size(scenario);
        let mut random = SplitMix64::for_purpose(seed, PURPOSE);
        let mut first = Side::A;
        let mut calls = Vec::new();
        for id in 0..pairs {
            // The second pair of a block mirrors the first.
            first = match id % 2 {
                0 if random.below(2) == 0 => Side::A,
                0 => Side::B,
                _ => first.other(),
            };
            for side in [first, first.other()] {
                let run_id = match side {
                    Side::A => run_ids[0],
                    Side::B => run_ids[1],
                };
                calls.push(planned(scenario, run_id, side, id));
            }
        }
        Self { calls, concurrency }
    }
}

/// How many calls to an agent, and how many at a time.
fn size(scenario: &Scenario) -> (u32, usize) {
    let load = scenario.load();
    let calls = match load {
        Load::Once => 1,
        Load::Repeat { calls, .. } => calls.get(),
    };
    (calls, load.at_a_time().into())
}

fn planned(scenario: &Scenario, run_id: &str, side: Side, id: u32) -> PlannedCall {
    PlannedCall {
        id: CallId(id),
        side,
        room: format!("loadcall-{}-{run_id}-{id:03}", scenario.name()),
        identity: format!("caller-{id:03}"),
    }
}

#[cfg(test)]
mod tests;
