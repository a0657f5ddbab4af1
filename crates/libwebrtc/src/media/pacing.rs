//! How punctually packets were sent.

use std::time::Duration;

/// Values below this many microseconds have a bucket each; above, every power of two is cut into this many buckets.
const LINEAR: u64 = 32;
const LINEAR_BITS: u32 = LINEAR.trailing_zeros();
/// 2^27 µs: whatever is later than about two minutes counts as that (only [`Pacing::max`] stays exact).
const CEILING_US: u64 = (1 << 27) - 1;

/// The lateness of every packet that was sent, as a histogram with buckets of about 3 %.
///
/// Lateness is the time at which the engine turned to sending a packet, minus the packet's deadline. It is never
/// negative: packets are not sent early. The buckets take memory only up to the latest packet (a few kilobytes at most).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pacing {
    counts: Vec<u64>,
    sent: u64,
    skipped: u64,
    max: Option<Duration>,
}

impl Pacing {
    /// How many packets were sent.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// How many periods were given up because the sender had been stalled for more than half a second. Their packets
    /// were never sent, so they are in no bucket.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The lateness of the latest packet, exactly.
    pub fn max(&self) -> Option<Duration> {
        self.max
    }

    /// Every bucket that is not empty, in rising order: the greatest lateness it may stand for, and its count. The
    /// counts add up to [`sent`](Self::sent).
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let max = self.max.unwrap_or_default();
        let last = self.counts.len().saturating_sub(1);
        let bound = move |index| {
            if index == last { max } else { Duration::from_micros(upper_us(index)).min(max) }
        };
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, n)| **n > 0)
            .map(move |(index, n)| (bound(index), *n))
    }

    /// Adds the packets of another source to this histogram.
    pub fn merge(&mut self, other: &Self) {
        self.widen(other.counts.len());
        for (sum, n) in self.counts.iter_mut().zip(&other.counts) {
            *sum += n;
        }
        self.sent += other.sent;
        self.skipped += other.skipped;
        self.max = self.max.max(other.max);
    }

    /// What was sent after an earlier state of this histogram. Its maximum is exact when the latest packet is among
    /// that, and the bound of a bucket otherwise.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |index: usize| earlier.counts.get(index).copied().unwrap_or(0);
        let each = self.counts.iter().enumerate();
        let mut counts: Vec<_> = each.map(|(index, n)| n.saturating_sub(before(index))).collect();
        counts.truncate(counts.iter().rposition(|n| *n > 0).map_or(0, |last| last + 1));
        let bound = counts.len().checked_sub(1).map(|last| Duration::from_micros(upper_us(last)));
        let max = if self.max == earlier.max { bound.min(self.max) } else { self.max };
        Self {
            counts,
            sent: self.sent.saturating_sub(earlier.sent),
            skipped: self.skipped.saturating_sub(earlier.skipped),
            max,
        }
    }

    pub(crate) fn record(&mut self, lateness: Duration) {
        let index = bucket(u64::try_from(lateness.as_micros()).unwrap_or(u64::MAX));
        self.widen(index + 1);
        self.counts[index] += 1;
        self.sent += 1;
        self.max = self.max.max(Some(lateness));
    }

    pub(crate) fn skip(&mut self, periods: u64) {
        self.skipped += periods;
    }

    fn widen(&mut self, len: usize) {
        if self.counts.len() < len {
            self.counts.resize(len, 0);
        }
    }
}

fn bucket(us: u64) -> usize {
    let us = us.min(CEILING_US);
    let index = if us < LINEAR {
        us
    } else {
        let shift = us.ilog2() - LINEAR_BITS;
        // The leading bits of a value, `LINEAR..2 * LINEAR`, name its bucket within the power of two.
        u64::from(shift) * LINEAR + (us >> shift)
    };
    usize::try_from(index).expect("the ceiling keeps the index below a thousand")
}

fn upper_us(index: usize) -> u64 {
    let index = index as u64;
    if index < LINEAR {
        return index;
    }
    let shift = index / LINEAR - 1;
    ((index % LINEAR + LINEAR + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recorded(us: &[u64]) -> Pacing {
        let mut pacing = Pacing::default();
        for us in us {
            pacing.record(Duration::from_micros(*us));
        }
        pacing
    }

    #[test]
    fn small_values_are_exact() {
        let pacing = recorded(&[0, 3, 3, 31, 200]);
        let buckets: Vec<_> = pacing.buckets().map(|(late, n)| (late.as_micros(), n)).collect();
        assert_eq!(buckets, [(0, 1), (3, 2), (31, 1), (200, 1)]);
        assert_eq!(pacing.max(), Some(Duration::from_micros(200)));
    }

    #[test]
    fn an_absurd_value_keeps_memory_small_and_the_maximum_exact() {
        let pacing = recorded(&[u64::MAX]);
        assert!(pacing.counts.len() < 1000);
        assert_eq!(pacing.max(), Some(Duration::from_micros(u64::MAX)));
        assert_eq!(pacing.buckets().collect::<Vec<_>>(), [(Duration::from_micros(u64::MAX), 1)]);
    }

    proptest! {
        #[test]
        fn a_bucket_bounds_its_values_from_above_within_four_percent(us in 0..CEILING_US) {
            let upper = upper_us(bucket(us));
            prop_assert!(us <= upper && upper - us <= us / 25, "{us} in a bucket up to {upper}");
        }

        #[test]
        fn merging_is_recording_both(a in prop::collection::vec(0u64..100_000, 0..50),
                                     b in prop::collection::vec(0u64..100_000, 0..50)) {
            let mut merged = recorded(&a);
            merged.merge(&recorded(&b));
            prop_assert_eq!(merged, recorded(&[a, b].concat()));
        }

        #[test]
        fn what_came_since_is_what_was_recorded_since(a in prop::collection::vec(0u64..100_000, 0..50),
                                                      b in prop::collection::vec(0u64..100_000, 0..50)) {
            let (earlier, all) = (recorded(&a), recorded(&[a, b.clone()].concat()));
            let (since, expected) = (all.since(&earlier), recorded(&b));
            prop_assert_eq!(&since.counts, &expected.counts);
            prop_assert_eq!(since.sent, expected.sent);
            prop_assert!(since.max >= expected.max);
        }

        #[test]
        fn the_buckets_hold_every_packet(us in prop::collection::vec(any::<u64>(), 0..50)) {
            let pacing = recorded(&us);
            prop_assert_eq!(pacing.buckets().map(|(_, n)| n).sum::<u64>(), us.len() as u64);
        }
    }
}
