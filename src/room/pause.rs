//! Whether a sender that sent no packets was held up, or had nothing to say.
//!
//! A sender whose clock stands still while it is silent (Go agents write only what they speak) goes on exactly where it
//! stopped, and then at the pace of time. Packets that were held up on their way go on exactly, too, but all at once.

use crate::time::Offset;
use std::time::Duration;

/// A hole shorter than this is the ordinary unsteadiness of a network.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest packet of Opus.
const ONE_PACKET: Duration = Duration::from_millis(120);
/// How much audio shows at which pace packets come.
const PACE: Duration = Duration::from_millis(200);

/// A hole in the packets of a stream, not judged yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    gap: Duration,
    /// The first packet after it.
    at: Offset,
    rtp_time: u32,
}

impl Pause {
    /// A hole that may have been silence: `gap` is how much later the packet at `at` came than its RTP time explains,
    /// `explained` what that time went on by. Nothing was lost and no voice was cut off, or it is none.
    pub(super) fn after(
        gap: Duration,
        explained: Duration,
        at: Offset,
        rtp_time: u32,
    ) -> Option<Self> {
        (gap >= SHORTEST && explained <= ONE_PACKET).then_some(Self { gap, at, rtp_time })
    }

    /// How long it was.
    pub(super) fn gap(&self) -> Duration {
        self.gap
    }

    /// Whether the sender was silent, once the packets behind the hole show it.
    pub(super) fn was_silence(&self, at: Offset, rtp_time: u32) -> Option<bool> {
        let sent = ticks(rtp_time.wrapping_sub(self.rtp_time));
        (sent >= PACE).then(|| at.since(self.at) * 2 >= sent)
    }
}

/// A difference of RTP times as time; a jump to another stream is none.
pub(super) fn ticks(rtp: u32) -> Duration {
    Duration::from_micros(u64::from(rtp) * 1_000 / 48)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn at(ms: i64) -> Offset {
        Offset::from_micros(ms * 1_000)
    }

    #[test]
    fn what_goes_on_at_the_pace_of_time_was_silence() {
        let pause = Pause::after(MS(3_000), MS(20), at(5_000), 960).expect("a hole");
        assert_eq!(pause.was_silence(at(5_020), 2 * 960), None);
        assert_eq!(pause.was_silence(at(5_200), 11 * 960), Some(true));
    }

    #[test]
    fn what_comes_all_at_once_was_held_up() {
        let pause = Pause::after(MS(1_000), MS(20), at(5_000), u32::MAX - 100).expect("a hole");
        assert_eq!(pause.was_silence(at(5_030), 11 * 960 - 101), Some(false));
    }

    #[test]
    fn a_clock_that_went_on_and_a_short_hole_are_no_question() {
        assert!(Pause::after(MS(3_000), MS(2_000), at(0), 0).is_none());
        assert!(Pause::after(MS(60), MS(20), at(0), 0).is_none());
    }
}
