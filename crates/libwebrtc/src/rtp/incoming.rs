//! A stream of the other side's.

use std::time::Instant;

use bytes::Bytes;

use super::{
    header::{Parsed, without_padding},
    order::Window,
    reports::{Block, SenderSaid, delay},
    srtp::Opening,
};
use crate::media::IncomingPacket;

#[derive(Default)]
pub(super) struct Incoming {
    /// The m-line it belongs to, since the last negotiation.
    line: Option<usize>,
    window: Window,
    /// The number of the first packet.
    first: u64,
    received: u64,
    /// At the last report: packets expected, and received.
    reported: (u64, u64),
    /// RFC 3550, A.8, in sixteenths of a tick; and the newest packet.
    jitter: u32,
    newest: Option<(u32, Instant)>,
    sender: Option<(SenderSaid, Instant)>,
}

impl Incoming {
    pub(super) fn line(&self) -> Option<usize> {
        self.line
    }

    /// Where it belongs has to be found out again.
    pub(super) fn unplace(&mut self) {
        self.line = None;
    }

    /// The packet in a datagram, if it is one, and did not come before.
    pub(super) fn open(
        &mut self,
        opening: &mut Opening,
        parsed: &Parsed<'_>,
        datagram: &[u8],
        arrival: Instant,
        line: usize,
    ) -> Option<IncomingPacket> {
        let number = self.window.extend(parsed.seq);
        if !self.window.is_new(number) {
            return None;
        }
        let payload = opening.rtp(datagram, parsed.length, parsed.ssrc, number)?;
        let payload = if parsed.has_padding { without_padding(payload)? } else { payload };
        if self.received == 0 {
            self.first = number;
        }
        self.window.record(number);
        self.received += 1;
        self.line = Some(line);
        self.measure_jitter(parsed.rtp_time, arrival);
        Some(IncomingPacket {
            ssrc: parsed.ssrc,
            seq: number,
            rtp_time: parsed.rtp_time,
            payload: Bytes::copy_from_slice(payload),
            arrival,
        })
    }

    pub(super) fn sender_said(&mut self, report: SenderSaid, arrival: Instant) {
        self.sender = Some((report, arrival));
    }

    pub(super) fn sender(&self) -> Option<SenderSaid> {
        self.sender.map(|(said, _)| said)
    }

    /// What is to be reported of it, if something came since the last time (RFC 3550, 6.4.1 and A.3).
    pub(super) fn report(&mut self, ssrc: u32, now: Instant) -> Option<Block> {
        let highest = self.window.highest()?;
        let expected = highest.saturating_sub(self.first) + 1;
        let (expected_before, received_before) = self.reported;
        let received_since = self.received - received_before;
        if received_since == 0 {
            return None;
        }
        self.reported = (expected, self.received);
        let expected_since = expected.saturating_sub(expected_before);
        let lost_since = expected_since.saturating_sub(received_since);
        let share = lost_since * 256 / expected_since.max(1);
        let lost = i64::try_from(expected).unwrap_or(i64::MAX)
            - i64::try_from(self.received).unwrap_or(i64::MAX);
        let [.., a, b, c, d] = highest.to_be_bytes();
        Some(Block {
            ssrc,
            share_lost: u8::try_from(share).unwrap_or(u8::MAX),
            lost: i32::try_from(lost.clamp(-0x80_0000, 0x7f_ffff)).unwrap_or_default(),
            highest: u32::from_be_bytes([a, b, c, d]),
            jitter: self.jitter >> 4,
            last_report: self.sender.map_or(0, |(said, _)| said.time),
            delay: self.sender.map_or(0, |(_, at)| delay(now.saturating_duration_since(at))),
        })
    }

    fn measure_jitter(&mut self, rtp_time: u32, arrival: Instant) {
        if let Some((last_time, last_arrival)) = self.newest {
            let between = arrival.saturating_duration_since(last_arrival).as_micros() * 48 / 1_000;
            let between = i64::try_from(between).unwrap_or(i64::MAX);
            let sent = i64::from(rtp_time.wrapping_sub(last_time).cast_signed());
            let off =
                u32::try_from(between.saturating_sub(sent).unsigned_abs()).unwrap_or(u32::MAX);
            let settled = self.jitter.saturating_add(8) >> 4;
            self.jitter = self.jitter.saturating_add(off).saturating_sub(settled);
        }
        self.newest = Some((rtp_time, arrival));
    }
}
