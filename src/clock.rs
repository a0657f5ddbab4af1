//! The only reader of a clock: the run's epoch on the wall clock, read once beside the monotonic
//! one, and [`Offset`]s from it ever after.
#![expect(clippy::disallowed_methods, reason = "IO: the only reader of a clock")]

use crate::time::Offset;
use std::time::{Instant, SystemTime};

/// The caller's one monotonic clock. Copies agree.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    epoch: Instant,
    wall: SystemTime,
}

impl Clock {
    /// A clock whose offset zero is now.
    pub fn start() -> Self {
        Self { epoch: Instant::now(), wall: SystemTime::now() }
    }

    /// The wall clock at offset zero.
    pub fn started_at(&self) -> SystemTime {
        self.wall
    }

    pub fn now(&self) -> Offset {
        self.offset(Instant::now())
    }

    /// A moment of the media engine as an offset; negative before the epoch.
    pub fn offset(&self, at: Instant) -> Offset {
        let after = at.saturating_duration_since(self.epoch);
        let before = self.epoch.saturating_duration_since(at);
        Offset::default().plus(after).minus(before)
    }

    /// An offset as a moment of the media engine; the epoch for negative ones.
    pub fn instant(&self, at: Offset) -> Instant {
        self.epoch + at.since_start()
    }
}

/// The wall clock's time of day, for things that only need a date.
pub fn wall_now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn offsets_and_instants_are_the_same_moments() {
        let clock = Clock::start();
        let at = Offset::from_micros(1_234_567);
        assert_eq!(clock.offset(clock.instant(at)), at);
        let before =
            clock.instant(Offset::default()).checked_sub(Duration::from_millis(3)).unwrap();
        assert_eq!(clock.offset(before), Offset::from_micros(-3_000));
        assert!(clock.now() <= clock.now());
    }
}
