//! Periods of 20 ms: the unit in which audio is captured, encoded, sent and played.

use std::time::{Duration, Instant};

/// The length of a period, and of every packet that is sent.
pub(crate) const PERIOD: Duration = Duration::from_millis(20);
/// The same in ticks of the 48 kHz RTP clock.
pub(crate) const PERIOD_TICKS: u32 = 960;
/// How many periods a sender or a playout makes up for after a stall (0.5 s); what is older is given up.
pub(crate) const CATCH_UP: u64 = 25;

const PHASES: u32 = 4;

/// An unbounded row of periods. Period `k` covers the samples captured in [`Grid::capture`]`(k)` up to
/// [`Grid::deadline`]`(k)`, and its packet is due at the deadline, as that of a real microphone would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    epoch: Instant,
}

impl Grid {
    /// A grid whose period 0 starts at `epoch`.
    pub(crate) fn new(epoch: Instant) -> Self {
        Self { epoch }
    }

    /// A grid that starts a quarter of a period after that of the user before.
    pub(crate) fn phased(epoch: Instant, user: u32) -> Self {
        Self::new(epoch + PERIOD / PHASES * (user % PHASES))
    }

    /// When the first sample of a period is captured.
    pub(crate) fn capture(&self, index: u64) -> Instant {
        self.epoch + span(index)
    }

    /// When the packet of a period is due: all its samples have been captured.
    pub(crate) fn deadline(&self, index: u64) -> Instant {
        self.epoch + span(index.saturating_add(1))
    }

    /// The number of periods that are complete at `now`, which is also the index of the period in progress.
    pub(crate) fn current(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.epoch);
        u64::try_from(elapsed.as_nanos() / PERIOD.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The length of `periods` periods, capped at about 2.7 years so that adding it to an instant cannot overflow.
pub(crate) fn span(periods: u64) -> Duration {
    PERIOD * u32::try_from(periods).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::now, media::testing::before};

    #[test]
    fn a_packet_is_due_one_period_after_its_first_sample() {
        let grid = Grid::new(now());
        assert_eq!(grid.deadline(7) - grid.capture(7), PERIOD);
        assert_eq!(grid.capture(8), grid.deadline(7));
    }

    #[test]
    fn the_current_period_changes_at_the_deadline() {
        let grid = Grid::new(now());
        let just_before = before(grid.deadline(7), Duration::from_nanos(1));
        assert_eq!(grid.current(just_before), 7);
        assert_eq!(grid.current(grid.deadline(7)), 8);
    }

    #[test]
    fn before_the_epoch_is_period_zero() {
        let epoch = now() + PERIOD * 10;
        assert_eq!(Grid::new(epoch).current(before(epoch, PERIOD * 5)), 0);
    }

    #[test]
    fn four_phases_then_the_first_again() {
        let epoch = now();
        let starts: Vec<_> =
            (0..5).map(|user| (Grid::phased(epoch, user).capture(0) - epoch).as_millis()).collect();
        assert_eq!(starts, [0, 5, 10, 15, 0]);
    }
}
