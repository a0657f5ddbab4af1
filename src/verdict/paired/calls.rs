//! Pairs of calls by whether each succeeded.

use std::collections::BTreeMap;

use crate::record::CallId;
use crate::scenario::Metric;
use crate::stats::mcnemar;
use crate::turn::Measures;

/// So many more go wrong that nobody should call it the same, even if chance does it in one case of four.
/// One-sided; the slack is for rounding.
const SUSPICIOUS: f64 = 0.25 + 1e-9;

/// Pairs of calls by whether each succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PairedCalls {
    pub both_ok: u64,
    pub only_a_ok: u64,
    pub only_b_ok: u64,
    pub neither_ok: u64,
}

impl PairedCalls {
    /// Of the pairs before `pairs`.
    pub(super) fn count(a: &Measures, b: &Measures, pairs: u32) -> Self {
        let (a, b) = (well(a), well(b));
        let mut calls = Self::default();
        for (call, a_ok) in a.into_iter().filter(|(call, _)| call.0 < pairs) {
            match (a_ok, b.get(&call)) {
                (true, Some(true)) => calls.both_ok += 1,
                (true, Some(false)) => calls.only_a_ok += 1,
                (false, Some(true)) => calls.only_b_ok += 1,
                (false, Some(false)) => calls.neither_ok += 1,
                (_, None) => {}
            }
        }
        calls
    }

    /// Pairs in which both calls say something about their agent.
    pub fn pairs(&self) -> u64 {
        self.both_ok + self.only_a_ok + self.only_b_ok + self.neither_ok
    }

    /// How often chance alone makes the two sides differ at least as much, in either direction.
    pub fn p(&self) -> f64 {
        mcnemar(self.only_a_ok, self.only_b_ok)
    }

    /// More calls to B fail, beyond chance at this one-sided level.
    pub(super) fn worse(&self, level: f64) -> bool {
        self.only_a_ok > self.only_b_ok && self.p() / 2.0 <= level
    }

    /// So many more calls to B fail that "the same" would be rash.
    pub(super) fn suspicious(&self) -> bool {
        more_than_chance(self.only_a_ok, self.only_b_ok)
    }
}

/// So many pairs have more go wrong with B, and so few with A, that "the same" would be rash.
pub(super) fn more_than_chance(with_b: u64, with_a: u64) -> bool {
    with_b > with_a + 1 && mcnemar(with_b, with_a) / 2.0 <= SUSPICIOUS
}

/// Whether each call that says something about the agent succeeded, if that could be found out.
pub(super) fn well(measures: &Measures) -> BTreeMap<CallId, bool> {
    let known = measures.values(Metric::CallsOk).iter().filter(|v| !v.censored);
    known.map(|v| (v.call, v.value > 0.5)).collect()
}
