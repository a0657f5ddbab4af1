//! A call as it was heard.

use crate::record::RunHead;
use crate::turn::{CallFacts, Lanes};

/// What a timeline is made from on our side.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub head: &'a RunHead,
    pub facts: &'a CallFacts,
    pub lanes: &'a Lanes,
}

impl Call<'_> {
    /// When it was dialled: nanoseconds since 1970 by our wall clock.
    pub(super) fn wall_ns(self) -> Option<u64> {
        let start: jiff::Timestamp = self.head.started_at.parse().ok()?;
        let ns = start.as_nanosecond() + i128::from(self.facts.dialled.micros()) * 1_000;
        u64::try_from(ns).ok()
    }

    pub(super) fn began(self) -> Option<String> {
        moment(i128::from(self.wall_ns()?))
    }

    pub(super) fn length_ms(self) -> f64 {
        self.facts.ended.ms_since(self.facts.dialled)
    }
}

/// Nanoseconds since 1970 as RFC 3339, UTC.
pub(super) fn moment(ns: i128) -> Option<String> {
    let at = jiff::Timestamp::from_nanosecond(ns).ok()?;
    Some(format!("{at:.3}"))
}
