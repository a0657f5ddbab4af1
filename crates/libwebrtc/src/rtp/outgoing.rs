//! A stream of this side's.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    Line,
    header::Header,
    reports::{Block, SenderReport, compact, since},
    srtp::Sealing,
};
use crate::media::{OutgoingPacket, PERIOD, PERIOD_TICKS};

/// Packets at least this loud (in -dBov, so: at most this number) are announced as voice.
const VOICE_LEVEL: u8 = 60;
/// Packets that are kept in case they are asked for again: a second of them.
const KEPT: usize = 50;

/// Bytes of a header and a tag at most.
const OVERHEAD: usize = 64;

#[derive(Default)]
pub(super) struct Outgoing {
    packets: u32,
    /// Of payload.
    bytes: u32,
    /// RTP time and deadline of the newest packet.
    newest: Option<(u32, Instant)>,
    /// How many packets there were at the last report.
    reported: u32,
    /// The newest packets, as they were sent, by what is left of their sequence numbers divided by so many.
    kept: Vec<Kept>,
    asked_again: u32,
    receiver: Option<ReceiverSaid>,
}

#[derive(Default)]
struct Kept {
    seq: Option<u16>,
    datagram: Bytes,
}

/// What the other side says of a stream it receives.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ReceiverSaid {
    /// Below zero where packets came twice (RFC 3550, 6.4.1).
    pub(crate) lost: i32,
    /// Of the packets since its last report, 0 to 1.
    pub(crate) share_lost: f64,
    /// In ticks of 48 kHz.
    pub(crate) jitter: u32,
    pub(crate) round_trip: Option<Duration>,
    /// All round trips so far.
    pub(crate) total_round_trip: Duration,
    pub(crate) round_trips: u64,
}

impl Outgoing {
    pub(super) fn seal(
        &mut self,
        sealing: &mut Sealing,
        line: &Line,
        packet: &OutgoingPacket,
    ) -> Option<Bytes> {
        let ssrc = line.ssrc?;
        let [.., high, low] = packet.seq.to_be_bytes();
        let seq = u16::from_be_bytes([high, low]);
        // Whoever has reported on the stream knows which m-line it belongs to.
        let mid = if self.receiver.is_none() { line.mid.as_str() } else { "" };
        let header = Header {
            payload_type: line.payload_type,
            marker: packet.marker,
            seq,
            rtp_time: packet.rtp_time,
            ssrc,
            level: (packet.level, packet.level <= VOICE_LEVEL),
            mid,
        };
        let mut datagram = Vec::with_capacity(OVERHEAD + packet.payload.len());
        header.write(line.extensions, &mut datagram);
        sealing.rtp(&mut datagram, &packet.payload, ssrc, packet.seq)?;
        let datagram = Bytes::from(datagram);
        self.kept.resize_with(KEPT, Kept::default);
        self.kept[usize::from(seq) % KEPT] = Kept { seq: Some(seq), datagram: datagram.clone() };
        self.packets = self.packets.wrapping_add(1);
        let bytes = u32::try_from(packet.payload.len()).unwrap_or(u32::MAX);
        self.bytes = self.bytes.wrapping_add(bytes);
        self.newest = Some((packet.rtp_time, packet.deadline));
        Some(datagram)
    }

    pub(super) fn has_sent(&self) -> bool {
        self.packets > 0
    }

    /// What is to be reported of it, if it has sent something since the last time.
    pub(super) fn report(&mut self, ssrc: u32, now: Instant) -> Option<SenderReport> {
        let (rtp_time, deadline) = self.newest?;
        if std::mem::replace(&mut self.reported, self.packets) == self.packets {
            return None;
        }
        // A packet carries what was captured in the period before its deadline.
        let captured = deadline.checked_sub(PERIOD)?;
        let ticks =
            |time: Duration| time.as_micros() * u128::from(PERIOD_TICKS) / PERIOD.as_micros();
        let [.., a, b, c, d] = match now.checked_duration_since(captured) {
            Some(later) => ticks(later).to_be_bytes(),
            None => ticks(captured - now).wrapping_neg().to_be_bytes(),
        };
        let rtp_time = rtp_time.wrapping_add(u32::from_be_bytes([a, b, c, d]));
        Some(SenderReport { ssrc, at: now, rtp_time, packets: self.packets, bytes: self.bytes })
    }

    /// As if there had been no report yet.
    #[cfg(test)]
    pub(super) fn forget_report(&mut self) {
        self.reported = 0;
    }

    pub(super) fn receiver_said(&mut self, block: Block, arrival: Instant) {
        let before = self.receiver.unwrap_or_default();
        // RFC 3550, 6.4.1: nothing to measure before the receiver had a report of ours.
        let round_trip = (block.last_report != 0).then(|| {
            let trip = compact(arrival).wrapping_sub(block.last_report).wrapping_sub(block.delay);
            since(trip)
        });
        // Clocks are read at different times: what came out as less than nothing is nothing.
        let round_trip = round_trip.map(|trip| if trip > LONGEST { Duration::ZERO } else { trip });
        self.receiver = Some(ReceiverSaid {
            lost: block.lost,
            share_lost: f64::from(block.share_lost) / 256.0,
            jitter: block.jitter,
            round_trip: round_trip.or(before.round_trip),
            total_round_trip: before.total_round_trip + round_trip.unwrap_or_default(),
            round_trips: before.round_trips + u64::from(round_trip.is_some()),
        });
    }

    pub(super) fn receiver(&self) -> Option<&ReceiverSaid> {
        self.receiver.as_ref()
    }

    /// The packets with these numbers, where they are kept.
    pub(super) fn again(&mut self, seqs: &[u16]) -> Vec<Bytes> {
        self.asked_again = self.asked_again.saturating_add(1);
        let kept = |seq: &u16| {
            let kept = self.kept.get(usize::from(*seq) % KEPT)?;
            (kept.seq == Some(*seq)).then(|| kept.datagram.clone())
        };
        seqs.iter().take(KEPT).filter_map(kept).collect()
    }

    pub(super) fn asked_again(&self) -> u32 {
        self.asked_again
    }
}

/// Half the range of what a report can say; beyond it a round trip was below zero.
const LONGEST: Duration = Duration::from_secs(32_768);
