//! Which values of a very large run are kept: those of some calls, spread evenly over the run.
//!
//! A figure of ten thousand calls is no better known than that of a thousand once runs differ by a percent:
//! the share of a run's error that comes of its calls is then below a third. So a baseline holds, and a
//! comparison looks at, the values of at most [`MOST_CALLS`] calls of a run. How calls ended is kept of all
//! ([`super::Measured::ends`]): shares of a percent need them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::random::SplitMix64;
use crate::record::CallId;
use crate::turn::Measures;

/// Calls whose values are kept of one run.
const MOST_CALLS: usize = 1_000;

/// The values of a run without those of calls beyond [`MOST_CALLS`]: all values of a call are kept, or none. The same
/// run always gives the same, and what was made compact stays as it is.
pub(crate) fn compact(measures: &Measures) -> Cow<'_, Measures> {
    let values = measures.by_metric.values();
    let calls: BTreeSet<CallId> =
        values.flat_map(|values| calls_in_a_row(values.iter().map(|v| v.call))).collect();
    if calls.len() <= MOST_CALLS {
        return Cow::Borrowed(measures);
    }
    let calls: Vec<CallId> = calls.into_iter().collect();
    let kept = evenly(&calls, MOST_CALLS);
    let by_metric = measures.by_metric.iter().map(|(metric, values)| {
        (*metric, values.iter().filter(|value| kept.contains(&value.call)).copied().collect())
    });
    Cow::Owned(Measures { by_metric: by_metric.collect(), ..*measures })
}

/// Each call once of neighbours that are of one call.
fn calls_in_a_row(calls: impl Iterator<Item = CallId>) -> impl Iterator<Item = CallId> {
    let mut before = None;
    calls.filter(move |call| before.replace(*call) != Some(*call))
}

/// One call of each of `n` blocks of equal size. Which one of its block is drawn, always alike: every tenth call may
/// be of one slot of the caller.
fn evenly(calls: &[CallId], n: usize) -> BTreeSet<CallId> {
    let mut random = SplitMix64::new(n as u64);
    let begin = |block: usize| block * calls.len() / n;
    let of_block = |block| {
        let block = calls.get(begin(block)..begin(block + 1))?;
        block.get(random.below(u32::try_from(block.len()).ok()?) as usize).copied()
    };
    (0..n).filter_map(of_block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Metric;
    use crate::turn::Value;

    /// A run of so many calls with a value of each of three turns, in which one call in three fails.
    fn run(calls: u32) -> Measures {
        let value = |call, step, value| Value { call: CallId(call), step, value, censored: false };
        let turns = (0..calls).flat_map(|call| (0..3).map(move |step| value(call, step, 900.0)));
        let ok = (0..calls).map(|call| value(call, 0, f64::from(u8::from(call % 3 > 0))));
        let by_metric =
            [(Metric::HeardE2eLatency, turns.collect()), (Metric::CallsOk, ok.collect())];
        Measures { by_metric: by_metric.into(), dropped_reported: 0 }
    }

    #[test]
    fn a_large_run_keeps_whole_calls_evenly() {
        let all = run(10_000);
        let kept = compact(&all).into_owned();
        let heard = kept.values(Metric::HeardE2eLatency);
        assert_eq!((heard.len(), kept.values(Metric::CallsOk).len()), (3_000, 1_000));
        for (block, turns) in (0..).zip(heard.chunks(3)) {
            let call = turns[0].call.0;
            assert!((block * 10..(block + 1) * 10).contains(&call), "{call} in block {block}");
            assert!(turns.iter().all(|turn| turn.call.0 == call));
        }
        // No place within ten is preferred.
        let mut places = [0; 10];
        for turn in heard {
            places[turn.call.0 as usize % 10] += 1;
        }
        assert!(places.iter().all(|n| (200..=400).contains(n)), "{places:?}");
        assert_eq!(compact(&all).into_owned(), kept);
        assert_eq!(compact(&kept).into_owned(), kept);
    }

    #[test]
    fn a_usual_run_is_kept_whole() {
        for calls in [1, 1_000] {
            assert!(matches!(compact(&run(calls)), Cow::Borrowed(_)));
        }
        assert_eq!(compact(&run(1_001)).values(Metric::HeardE2eLatency).len(), 3_000);
    }
}
