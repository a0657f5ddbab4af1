//! Until when an answer is waited for.

use std::time::Duration;

use crate::clock::Clock;

/// A moment after which nothing more is tried. Copies agree.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    clock: Clock,
    within: Duration,
}

impl Deadline {
    /// So long from now.
    pub fn after(within: Duration) -> Self {
        Self { clock: Clock::start(), within }
    }

    /// What is left of it; zero when it is over.
    pub fn left(&self) -> Duration {
        self.within.saturating_sub(self.elapsed())
    }

    pub fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// How long it was when it was set.
    pub fn within(&self) -> Duration {
        self.within
    }

    fn elapsed(&self) -> Duration {
        self.clock.now().since_start()
    }
}
