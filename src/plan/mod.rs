//! Scenario → who is called when, decided before the first call: a [`Schedule`] says when, the
//! [`Targets`] whom, and the seed in which order. A plan holds no list of its calls, so one of a hundred
//! thousand takes no more memory than one of ten.

mod schedule;
mod targets;
pub mod estimate;

pub use schedule::Schedule;
pub use targets::{TargetId, Targets};

use crate::record::CallId;
use crate::time::Offset;
use targets::Interleaved;

/// All calls of a run. The same plan always gives the same calls in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    pub schedule: Schedule,
    pub targets: Targets,
    /// Decides the order of several agents.
    pub seed: u64,
}

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedCall {
    /// Counts the calls to one agent: those to several agents with the same id belong together.
    pub id: CallId,
    pub target: TargetId,
    /// When the schedule wants it, from the beginning of the run; `None` when it is due as soon as there
    /// is a free slot.
    pub due: Option<Offset>,
}

/// The calls of a plan in the order they are placed, each made when it is asked for.
#[derive(Debug, Clone)]
pub struct PlannedCalls {
    order: Interleaved,
    /// Calls of a round: one to each agent.
    round: u8,
    /// How many of this round have been given.
    given: u8,
    id: u32,
    ids: u32,
}

impl Plan {
    pub fn calls(&self) -> PlannedCalls {
        PlannedCalls {
            order: Interleaved::new(self.targets, self.seed),
            round: self.targets.count(),
            given: 0,
            id: 0,
            ids: self.schedule.calls(),
        }
    }

    /// How many calls there are in all.
    pub fn total(&self) -> u64 {
        u64::from(self.schedule.calls()) * u64::from(self.targets.count())
    }
}

impl Iterator for PlannedCalls {
    type Item = PlannedCall;

    fn next(&mut self) -> Option<PlannedCall> {
        if self.id == self.ids {
            return None;
        }
        let call = PlannedCall { id: CallId(self.id), target: self.order.next()?, due: None };
        self.given += 1;
        if self.given == self.round {
            (self.given, self.id) = (0, self.id + 1);
        }
        Some(call)
    }
}

#[cfg(test)]
mod tests;
