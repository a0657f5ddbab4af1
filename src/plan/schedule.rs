//! When calls are due: the load of a scenario as a schedule.

use crate::scenario::Load;
use std::time::Duration;

/// How long after a call one without a moment of its own is placed at the soonest. Joining costs far more CPU
/// time than talking: fifty joins at once on two cores make whoever is measured meanwhile look slower by
/// 20 to 90 ms, which would say nothing of the agent.
const APART_MS: u16 = 50;

/// When the calls to each agent are due, and how many may be in progress at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// A closed loop: so many calls to each agent, one more whenever one of `slots` is free. No moment
    /// is written down for any of them, because how long calls last decides; all agents share the
    /// slots, and between two of them lies a pause.
    Slots { calls: u32, slots: u16, apart_ms: u16 },
}

impl Schedule {
    pub fn new(load: Load) -> Self {
        Self::apart_by(APART_MS, load)
    }

    /// As [`Self::new`], with calls so many milliseconds apart.
    pub fn apart_by(apart_ms: u16, load: Load) -> Self {
        let calls = match load {
            Load::Once => 1,
            Load::Repeat { calls, .. } => calls.get(),
        };
        Self::Slots { calls, slots: load.at_a_time(), apart_ms }
    }

    /// Calls to each agent.
    pub fn calls(self) -> u32 {
        match self {
            Self::Slots { calls, .. } => calls,
        }
    }

    /// How long after a call one without a moment of its own is placed at the soonest.
    pub fn apart(self) -> Duration {
        match self {
            Self::Slots { apart_ms, .. } => Duration::from_millis(apart_ms.into()),
        }
    }

    /// The most calls in progress at a time.
    pub fn at_a_time(self) -> usize {
        match self {
            Self::Slots { slots, .. } => slots.into(),
        }
    }
}
