//! When calls are due: the load of a scenario as a schedule.

use crate::scenario::Load;

/// When the calls to each agent are due, and how many may be in progress at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// A closed loop: so many calls to each agent, one more whenever one of `slots` is free. No moment
    /// is written down for any of them, because how long calls last decides; all agents share the
    /// slots.
    Slots { calls: u32, slots: u16 },
}

impl Schedule {
    pub fn new(load: Load) -> Self {
        let calls = match load {
            Load::Once => 1,
            Load::Repeat { calls, .. } => calls.get(),
        };
        Self::Slots { calls, slots: load.at_a_time() }
    }

    /// Calls to each agent.
    pub fn calls(self) -> u32 {
        match self {
            Self::Slots { calls, .. } => calls,
        }
    }

    /// The most calls in progress at a time.
    pub fn at_a_time(self) -> usize {
        match self {
            Self::Slots { slots, .. } => slots.into(),
        }
    }
}
