//! Scenario + run id → who calls when: every call's room and caller, fixed before the first one is
//! placed.

use crate::record::CallId;
use crate::scenario::{Load, Scenario};

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
    pub id: CallId,
    /// Unique to this call, so it serves as the session id of its traces.
    pub room: String,
    /// The caller's identity in the room.
    pub identity: String,
}

impl Plan {
    /// The same scenario and run id always give the same plan.
    pub fn of(scenario: &Scenario, run_id: &str) -> Self {
        let (calls, concurrency) = match scenario.load() {
            Load::Once => (1, 1),
            Load::Repeat { calls, concurrency } => (calls.get(), concurrency.get()),
        };
        let call = |id| PlannedCall {
            id: CallId(id),
            room: format!("loadcall-{}-{run_id}-{id:03}", scenario.name()),
            identity: format!("caller-{id:03}"),
        };
        Self { calls: (0..calls).map(call).collect(), concurrency: concurrency.into() }
    }
}
