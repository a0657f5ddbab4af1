//! Sequence numbers and timestamps of an RTP stream.

use std::time::Instant;

use crate::media::{PERIOD, PERIOD_TICKS};

/// What the next packet of a stream will be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RtpPosition {
    seq: u64,
    rtp_time: u32,
    /// The deadline that `rtp_time` belongs to; `None` before the first packet.
    deadline: Option<Instant>,
}

impl RtpPosition {
    /// The start of a new stream (RFC 3550, 5.1). The sequence number begins in the lower half of its range, so that a
    /// receiver which misses the first packets cannot misjudge the rollover counter of SRTP (RFC 3711, 3.3.1).
    pub(crate) fn random() -> Self {
        let bits = uuid::Uuid::new_v4().as_u128();
        let [time @ .., _, _, _, _, _, _, _, _, _, _, high, low] = bits.to_be_bytes();
        Self {
            seq: u64::from(u16::from_be_bytes([high, low]) & 0x7fff),
            rtp_time: u32::from_be_bytes(time),
            deadline: None,
        }
    }

    pub(crate) fn seq(self) -> u64 {
        self.seq
    }

    pub(crate) fn rtp_time(self) -> u32 {
        self.rtp_time
    }

    /// The same stream at the deadline of another grid.
    pub(super) fn continued(self, deadline: Instant) -> Self {
        let periods = self.deadline.map_or(0, |from| {
            // Rounded up, so that no two packets have the same time.
            deadline.saturating_duration_since(from).as_nanos().div_ceil(PERIOD.as_nanos())
        });
        let mut position = self;
        position.advance(u64::try_from(periods).unwrap_or(u64::MAX), deadline);
        position
    }

    pub(super) fn advance(&mut self, periods: u64, deadline: Instant) {
        // RTP time wraps around, so only the low bits of the product matter.
        let [.., a, b, c, d] = periods.wrapping_mul(u64::from(PERIOD_TICKS)).to_be_bytes();
        self.rtp_time = self.rtp_time.wrapping_add(u32::from_be_bytes([a, b, c, d]));
        self.deadline = Some(deadline);
    }

    pub(super) fn count_packet(&mut self) {
        self.seq += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_new_stream_starts_in_the_lower_half_of_the_sequence() {
        let starts: Vec<_> = (0..200).map(|_| RtpPosition::random()).collect();
        assert!(starts.iter().all(|start| start.seq() < 0x8000));
        assert!(
            starts.iter().any(|start| start.seq() > 0x100)
                && starts.iter().any(|s| s.rtp_time() > 0x0100_0000)
        );
    }

    #[test]
    fn time_goes_on_between_two_tracks_of_a_stream() {
        let t = clock::now();
        let mut position = RtpPosition { seq: 5, rtp_time: u32::MAX - 960, deadline: None };
        position = position.continued(t);
        assert_eq!(position.rtp_time(), u32::MAX - 960, "nothing came before");
        position.advance(1, t + PERIOD);
        assert_eq!(position.rtp_time(), u32::MAX);
        let later = position.continued(t + PERIOD * 3 + PERIOD / 4);
        assert_eq!((later.seq(), later.rtp_time()), (5, u32::MAX.wrapping_add(3 * 960)));
        assert_eq!(position.continued(t).rtp_time(), u32::MAX, "never back");
    }
}
