//! Numbers that count on beyond the bits they are sent with, and which of them have come.

/// Of a stream of packets: the highest number that came, and which of those just below it did.
///
/// RFC 3711, 3.3.1 and 3.3.2, with a window of 128.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    highest: Option<u64>,
    /// Bit `n` is set if `highest - n` has come.
    seen: u128,
}

impl Window {
    pub(super) fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// The number that was most likely meant by its low 16 bits: the closest to the highest one.
    pub(super) fn extend(&self, low: u16) -> u64 {
        let Some(highest) = self.highest else { return low.into() };
        let [.., a, b] = highest.to_be_bytes();
        let step = low.wrapping_sub(u16::from_be_bytes([a, b])).cast_signed();
        // Before the first rollover there is nothing to go back to.
        highest.checked_add_signed(step.into()).unwrap_or(low.into())
    }

    /// Whether a number has not come, and is not so old that nobody knows.
    pub(super) fn is_new(&self, number: u64) -> bool {
        let Some(highest) = self.highest else { return true };
        match highest.checked_sub(number) {
            None => true,
            Some(behind) => behind < 128 && self.seen >> behind & 1 == 0,
        }
    }

    pub(super) fn record(&mut self, number: u64) {
        let Some(highest) = self.highest else {
            *self = Self { highest: Some(number), seen: 1 };
            return;
        };
        if let Some(behind) = highest.checked_sub(number) {
            if behind < 128 {
                self.seen |= 1 << behind;
            }
            return;
        }
        let ahead = number - highest;
        let kept = u32::try_from(ahead).ok().and_then(|ahead| self.seen.checked_shl(ahead));
        *self = Self { highest: Some(number), seen: kept.unwrap_or(0) | 1 };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_count_on_when_their_bits_overflow() {
        let mut window = Window::default();
        let mut last = None;
        for low in [65_000, 65_530, 3, 65_535, 2, 30_000, 60_000, 10] {
            let number = window.extend(low);
            window.record(number);
            last = Some(number);
        }
        assert_eq!(last, Some(2 * 65_536 + 10));
        let mut young = Window::default();
        young.record(3);
        assert_eq!(young.extend(65_535), 65_535, "there is no stream before its beginning");
    }

    #[test]
    fn what_came_is_not_new_and_neither_is_what_may_have_come() {
        let mut window = Window::default();
        for number in [1_000, 1_003, 1_001] {
            assert!(window.is_new(number));
            window.record(number);
            assert!(!window.is_new(number));
        }
        assert!(window.is_new(1_002) && window.is_new(1_004) && !window.is_new(875));
        window.record(5_000);
        assert!(!window.is_new(1_002) && window.is_new(4_999));
    }

    proptest! {
        #[test]
        fn each_is_taken_once(numbers in prop::collection::vec(0u64..400, 0..300)) {
            let (mut window, mut taken) = (Window::default(), BTreeSet::new());
            for number in numbers {
                if window.is_new(number) {
                    prop_assert!(taken.insert(number));
                    window.record(number);
                }
            }
        }

        #[test]
        fn nothing_overflows(numbers in prop::collection::vec(any::<u64>(), 0..50), low in any::<u16>()) {
            let mut window = Window::default();
            for number in numbers {
                window.record(number);
                window.extend(low);
            }
        }
    }
}
