//! Which sequence numbers came, and how regularly.

use std::time::Instant;

/// Packets that come later than this many after a higher one stay counted as lost.
const WINDOW: u64 = u128::BITS as u64;

/// The reception ledger of RFC 3550 (6.4.1 and A.8), except that a duplicate does not make up for a loss.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Bit `n` is set if `highest - n` has come.
    seen: u128,
    highest: Option<u64>,
    /// Of earlier streams, and numbers which left the window without having come.
    lost: u64,
    /// The newest packet, for the jitter between it and the next.
    last: Option<(u32, Instant)>,
    /// In ticks of 48 kHz.
    jitter: f64,
}

impl Arrivals {
    pub(super) fn record(&mut self, seq: u64, rtp_time: u32, arrival: Instant) {
        self.measure_jitter(rtp_time, arrival);
        let Some(highest) = self.highest else {
            self.highest = Some(seq);
            // Everything before the first packet counts as seen: the stream began with it.
            self.seen = u128::MAX;
            return;
        };
        if let Some(behind) = highest.checked_sub(seq) {
            if behind < WINDOW {
                self.seen |= 1 << behind;
            }
            return;
        }
        let ahead = seq - highest;
        self.highest = Some(seq);
        if ahead >= WINDOW {
            self.lost = self.lost().saturating_add(ahead - WINDOW);
            self.seen = 1;
        } else {
            let leaving = self.seen >> (WINDOW - ahead);
            // Shifting out `ahead` bits, of which those that are not set were never received.
            self.lost = self.lost.saturating_add(ahead - u64::from(leaving.count_ones()));
            self.seen = self.seen << ahead | 1;
        }
    }

    /// Another stream takes over, with its own numbers and times.
    pub(super) fn restart(&mut self) {
        self.lost = self.lost();
        self.highest = None;
        self.last = None;
        self.seen = 0;
    }

    pub(super) fn lost(&self) -> u64 {
        let missing = self.highest.map_or(0, |_| u64::from(self.seen.count_zeros()));
        self.lost.saturating_add(missing)
    }

    /// In seconds.
    pub(super) fn jitter(&self) -> f64 {
        self.jitter / 48_000.0
    }

    fn measure_jitter(&mut self, rtp_time: u32, arrival: Instant) {
        if let Some((last_time, last_arrival)) = self.last {
            let between = arrival.saturating_duration_since(last_arrival).as_secs_f64() * 48_000.0;
            let sent = f64::from(rtp_time.wrapping_sub(last_time).cast_signed());
            self.jitter += ((between - sent).abs() - self.jitter) / 16.0;
        }
        self.last = Some((rtp_time, arrival));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{clock, media::PERIOD};

    fn lost(sequence: &[u64]) -> u64 {
        let mut arrivals = Arrivals::default();
        for seq in sequence {
            arrivals.record(*seq, 0, clock::now());
        }
        arrivals.lost()
    }

    #[test]
    fn losses() {
        for (expected, sequence) in [
            (0, &[][..]),
            (0, &[7, 8, 9]),
            (1, &[7, 9]),
            (0, &[7, 9, 8]),
            (0, &[7, 8, 8, 8]),
            (1, &[7, 8, 8, 10]),
            (0, &[7, 5, 8]),
            (991, &[7, 999]),
        ] {
            assert_eq!(lost(sequence), expected, "{sequence:?}");
        }
    }

    #[test]
    fn a_new_stream_keeps_the_losses_of_the_old() {
        let mut arrivals = Arrivals::default();
        for seq in [1, 3] {
            arrivals.record(seq, 0, clock::now());
        }
        arrivals.restart();
        assert_eq!(arrivals.lost(), 1);
        for seq in [50_000, 50_002] {
            arrivals.record(seq, 0, clock::now());
        }
        assert_eq!(arrivals.lost(), 2);
    }

    #[test]
    fn jitter_is_zero_for_a_steady_stream_and_approaches_the_deviation() {
        let (start, mut steady, mut shaky) =
            (clock::now(), Arrivals::default(), Arrivals::default());
        for k in 0..500u32 {
            let on_time = start + PERIOD * k;
            steady.record(k.into(), k * 960, on_time);
            shaky.record(k.into(), k * 960, on_time + PERIOD / 2 * (k % 2));
        }
        assert!(steady.jitter() < 1e-9);
        assert!((shaky.jitter() - 0.010).abs() < 0.000_1, "{}", shaky.jitter());
    }

    proptest! {
        /// Against the definition, for packets that are not reordered beyond the window.
        #[test]
        fn losses_are_the_numbers_that_never_came(steps in prop::collection::vec((0u64..400, 0u64..100), 1..80)) {
            let (mut highest, mut sequence) = (1000, vec![1000]);
            for (up, down) in steps {
                highest += up;
                sequence.push(highest);
                sequence.push((highest - down).max(1000));
            }
            let unique: BTreeSet<u64> = sequence.iter().copied().collect();
            prop_assert_eq!(lost(&sequence), highest - 1000 + 1 - unique.len() as u64);
        }

        #[test]
        fn no_sequence_overflows(sequence in prop::collection::vec(any::<u64>(), 0..50)) {
            lost(&sequence);
        }
    }
}
