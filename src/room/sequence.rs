//! Loss of a packet stream, from its sequence numbers: what is missing between the first and the
//! highest number seen, less what came late, and whatever came twice counted once.

/// How far behind the highest number a late packet is still told from a second copy.
const WINDOW: u64 = 64;

/// The numbers of one stream, which count on beyond 16 bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sequence {
    first: u64,
    highest: u64,
    /// Bit n: `highest - n` has come.
    seen: u64,
    /// Different packets that came.
    unique: u64,
}

/// What a packet is to its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The highest so far, after this many missing ones.
    Next { missing: u64 },
    /// Its place has passed: late, or a second copy.
    Passed,
}

impl Sequence {
    pub(super) fn starting_with(seq: u64) -> Self {
        Self { first: seq, highest: seq, seen: 1, unique: 1 }
    }

    pub(super) fn take(&mut self, seq: u64) -> Arrival {
        if seq > self.highest {
            let ahead = seq - self.highest;
            self.seen = if ahead < WINDOW { self.seen << ahead | 1 } else { 1 };
            self.highest = seq;
            self.unique += 1;
            return Arrival::Next { missing: ahead - 1 };
        }
        let behind = self.highest - seq;
        // Before the first is not missing; too far behind cannot be told from a copy.
        if seq >= self.first && behind < WINDOW && self.seen & 1 << behind == 0 {
            self.seen |= 1 << behind;
            self.unique += 1;
        }
        Arrival::Passed
    }

    /// Packets between the first and the highest that have not come.
    pub(super) fn lost(&self) -> u64 {
        self.highest - self.first + 1 - self.unique
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn late_packets_are_not_lost_and_copies_change_nothing() {
        let mut s = Sequence::starting_with(10);
        assert_eq!(s.take(11), Arrival::Next { missing: 0 });
        assert_eq!(s.take(14), Arrival::Next { missing: 2 });
        assert_eq!(s.lost(), 2);
        assert_eq!(s.take(12), Arrival::Passed);
        assert_eq!(s.take(12), Arrival::Passed);
        assert_eq!(s.take(14), Arrival::Passed);
        assert_eq!(s.take(9), Arrival::Passed);
        assert_eq!(s.lost(), 1);
        assert_eq!(s.take(14 + 200), Arrival::Next { missing: 199 });
        assert_eq!(s.lost(), 200);
    }

    proptest! {
        #[test]
        fn as_many_are_lost_as_are_missing(
            // Packets leave in order, some are dropped, some doubled, all a little shuffled.
            fates in proptest::collection::vec((0..10_u8, 0..30_u64), 1..300),
        ) {
            let mut sent: Vec<(u64, u64)> = Vec::new();
            for (seq, (fate, delay)) in (1_000..).zip(&fates) {
                let copies = match fate { 0 => 0, 1 => 2, _ => 1 };
                for _ in 0..copies {
                    sent.push((seq + delay, seq));
                }
            }
            sent.sort_unstable();
            let mut came = sent.iter().map(|(_, seq)| *seq);
            let Some(first) = came.next() else { return Ok(()) };
            let mut s = Sequence::starting_with(first);
            let mut unique = BTreeSet::from([first]);
            for seq in came {
                s.take(seq);
                unique.insert(seq);
            }
            let counted = unique.range(first..).count() as u64;
            let highest = *unique.last().unwrap();
            prop_assert_eq!(s.lost(), highest - first + 1 - counted);
        }
    }
}
