//! The clock of the audio sources: the current instant, and a share in the process-wide grid of 20 ms periods.
#![expect(
    clippy::disallowed_methods,
    reason = "IO: reads the clock, so that the audio modules need not"
)]

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use crate::media::Grid;

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
static USERS: AtomicU32 = AtomicU32::new(0);

pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock's time since 1970 at a moment, as it was set when the process first asked.
pub(crate) fn wall(at: Instant) -> Duration {
    static READ: LazyLock<(Instant, Duration)> = LazyLock::new(|| {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        (Instant::now(), wall.unwrap_or_default())
    });
    let (then, wall) = *READ;
    match at.checked_duration_since(then) {
        Some(later) => wall + later,
        None => wall.saturating_sub(then - at),
    }
}

/// The grid for one more source or playout.
///
/// All grids of a process share an epoch and take turns in four phases 5 ms apart. Hundreds of calls then need four
/// wake-ups per 20 ms instead of hundreds, and yet do not put all their packets on the wire in one burst.
pub(crate) fn grid() -> Grid {
    Grid::phased(*EPOCH, USERS.fetch_add(1, Ordering::Relaxed))
}

/// The first instant after `now` that is a whole number of `tick`s from the epoch of all grids.
pub(crate) fn next_tick(now: Instant, tick: Duration) -> Instant {
    let since = now.saturating_duration_since(*EPOCH).as_nanos();
    let into = u64::try_from(since % tick.as_nanos().max(1)).unwrap_or_default();
    now + tick.saturating_sub(Duration::from_nanos(into))
}
