//! The one measure of time: microseconds since a run began.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A moment as microseconds since the run began, on the caller's one monotonic clock.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Offset(i64);

impl Offset {
    pub const fn from_micros(us: i64) -> Self {
        Self(us)
    }
    pub const fn micros(self) -> i64 {
        self.0
    }
    /// Signed milliseconds from `earlier` to this moment.
    pub fn ms_since(self, earlier: Self) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a run is far shorter than 2^52 microseconds"
        )]
        let ms = (self.0 - earlier.0) as f64 / 1_000.0;
        ms
    }
    /// This moment moved by a signed number of microseconds.
    #[must_use]
    pub const fn plus_micros(self, us: i64) -> Self {
        Self(self.0.saturating_add(us))
    }
    /// This moment moved forward.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        self.plus_micros(i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
    }
    /// This moment moved back.
    #[must_use]
    pub fn minus(self, d: Duration) -> Self {
        self.plus_micros(-i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
    }
    /// Time since the run began; zero before.
    pub fn since_start(self) -> Duration {
        Duration::from_micros(u64::try_from(self.0).unwrap_or(0))
    }
    /// Time since `earlier`; zero when it is later.
    pub fn since(self, earlier: Self) -> Duration {
        Self(self.0.saturating_sub(earlier.0)).since_start()
    }
}
