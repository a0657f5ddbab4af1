//! RTCP: what is told to the other side, and what it tells (RFC 3550, 6). Its form is the library's.

use std::time::{Duration, Instant};

use rtcp_types::{
    Bye, Compound, Nack, Packet, ReceiverReport, ReportBlock, ReportBlockBuilder, RtcpPacketWriter,
    Sdes, SdesChunk, SdesItem, SenderReport as WrittenSender,
};

use crate::clock;

/// Blocks in a compound packet, which stays below 1200 bytes with them.
const BLOCKS_MAX: usize = 30;
/// Sender reports in one.
const SENDERS_MAX: usize = 4;
/// Seconds from 1900 to 1970 (RFC 5905, 6).
const NTP_OFFSET: u64 = 2_208_988_800;

/// What is told of a stream of this side's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SenderReport {
    pub(super) ssrc: u32,
    pub(super) at: Instant,
    /// Of what is captured at that time.
    pub(super) rtp_time: u32,
    pub(super) packets: u32,
    pub(super) bytes: u32,
}

/// What the receiver of a stream says about it (RFC 3550, 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// The stream.
    pub(super) ssrc: u32,
    /// In parts of 256.
    pub(super) share_lost: u8,
    pub(super) lost: i32,
    pub(super) highest: u32,
    pub(super) jitter: u32,
    /// See [`compact`].
    pub(super) last_report: u32,
    /// See [`delay`].
    pub(super) delay: u32,
}

/// What the other side says it sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SenderSaid {
    /// The middle 32 bits of its time (RFC 3550, 6.4.1).
    pub(super) time: u32,
    pub(crate) packets: u32,
    pub(crate) bytes: u32,
}

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    Sender {
        ssrc: u32,
        said: SenderSaid,
    },
    /// About a stream of this side's.
    Receiver {
        ssrc: u32,
        block: Block,
    },
    /// These packets of this side's are asked for again.
    Missing {
        ssrc: u32,
        seqs: Vec<u16>,
    },
}

/// Reads a compound packet. What makes no sense in it is skipped.
pub(super) fn read(compound: &[u8]) -> Vec<Said> {
    let Ok(packets) = Compound::parse(compound) else { return Vec::new() };
    let mut said = Vec::new();
    for packet in packets.flatten() {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the rest of RTCP is of no use here")]
        match packet {
            Packet::Sr(report) => {
                let [_, _, a, b, c, d, _, _] = report.ntp_timestamp().to_be_bytes();
                let sender = SenderSaid {
                    time: u32::from_be_bytes([a, b, c, d]),
                    packets: report.packet_count(),
                    bytes: report.octet_count(),
                };
                said.push(Said::Sender { ssrc: report.ssrc(), said: sender });
                said.extend(report.report_blocks().map(|block| receiver(&block)));
            }
            Packet::Rr(report) => said.extend(report.report_blocks().map(|block| receiver(&block))),
            Packet::TransportFeedback(feedback) => {
                if let Ok(nack) = feedback.parse_fci::<Nack<'_>>() {
                    let seqs = nack.entries().collect();
                    said.push(Said::Missing { ssrc: feedback.media_ssrc(), seqs });
                }
            }
            _ => {}
        }
    }
    said
}

fn receiver(block: &ReportBlock<'_>) -> Said {
    // A number of 24 bits with a sign.
    let lost = (block.cumulative_lost() << 8).cast_signed() >> 8;
    let read = Block {
        ssrc: block.ssrc(),
        share_lost: block.fraction_lost(),
        lost,
        highest: block.extended_sequence_number(),
        jitter: block.interarrival_jitter(),
        last_report: block.last_sender_report_timestamp(),
        delay: block.delay_since_last_sender_report_timestamp(),
    };
    Said::Receiver { ssrc: block.ssrc(), block: read }
}

/// Compound packets that say all this, in the name of `own` where nothing is sent. None without anything to say.
pub(super) fn compounds(
    own: u32,
    cname: &str,
    senders: &[SenderReport],
    blocks: &[Block],
) -> Vec<Vec<u8>> {
    let mut senders = senders.chunks(SENDERS_MAX);
    let mut blocks = blocks.chunks(BLOCKS_MAX);
    let mut compounds = Vec::new();
    loop {
        let (sent, received) = (senders.next(), blocks.next());
        if sent.is_none() && received.is_none() {
            return compounds;
        }
        compounds.extend(compound(
            own,
            cname,
            sent.unwrap_or_default(),
            received.unwrap_or_default(),
        ));
    }
}

fn compound(own: u32, cname: &str, senders: &[SenderReport], blocks: &[Block]) -> Option<Vec<u8>> {
    let mut compound = Vec::new();
    let mut named = Vec::new();
    // The blocks are in the first of the reports.
    let mut blocks = blocks.iter().map(Block::written);
    for sender in senders {
        let mut report = WrittenSender::builder(sender.ssrc)
            .ntp_timestamp(ntp(sender.at))
            .rtp_timestamp(sender.rtp_time)
            .packet_count(sender.packets)
            .octet_count(sender.bytes);
        for block in blocks.by_ref() {
            report = report.add_report_block(block);
        }
        append(&report, &mut compound)?;
        named.push(sender.ssrc);
    }
    if senders.is_empty() {
        let mut report = ReceiverReport::builder(own);
        for block in blocks {
            report = report.add_report_block(block);
        }
        append(&report, &mut compound)?;
        named.push(own);
    }
    name(&named, cname, &mut compound)?;
    Some(compound)
}

/// The last words of these streams; nothing for none.
pub(super) fn goodbye(ssrcs: &[u32], cname: &str) -> Option<Vec<u8>> {
    // As many as fit in one (RFC 3550, 6.6).
    let ssrcs = ssrcs.get(..ssrcs.len().min(31))?;
    let own = ssrcs.first()?;
    let mut compound = Vec::new();
    append(&ReceiverReport::builder(*own), &mut compound)?;
    name(&[*own], cname, &mut compound)?;
    let bye = ssrcs.iter().fold(Bye::builder(), |bye, ssrc| bye.add_source(*ssrc));
    append(&bye, &mut compound)?;
    Some(compound)
}

/// Says who sends these streams (RFC 3550, 6.5).
fn name(ssrcs: &[u32], cname: &str, compound: &mut Vec<u8>) -> Option<()> {
    let chunk =
        |ssrc: &u32| SdesChunk::builder(*ssrc).add_item(SdesItem::builder(SdesItem::CNAME, cname));
    let names = ssrcs.iter().fold(Sdes::builder(), |all, ssrc| all.add_chunk(chunk(ssrc)));
    append(&names, compound)
}

fn append(packet: &dyn RtcpPacketWriter, compound: &mut Vec<u8>) -> Option<()> {
    let (begin, length) = (compound.len(), packet.calculate_size().ok()?);
    compound.resize(begin + length, 0);
    packet.write_into_unchecked(compound.get_mut(begin..)?);
    Some(())
}

impl Block {
    fn written(&self) -> ReportBlockBuilder {
        ReportBlock::builder(self.ssrc)
            .fraction_lost(self.share_lost)
            .cumulative_lost(self.lost.cast_unsigned() & 0xff_ffff)
            .extended_sequence_number(self.highest)
            .interarrival_jitter(self.jitter)
            .last_sender_report_timestamp(self.last_report)
            .delay_since_last_sender_report_timestamp(self.delay)
    }
}

/// A moment as NTP writes it: seconds since 1900, in parts of 2^32.
fn ntp(at: Instant) -> u64 {
    let since = clock::wall(at);
    let seconds = since.as_secs().wrapping_add(NTP_OFFSET);
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    seconds << 32 | fraction
}

/// The middle of [`ntp`]: seconds in parts of 2^16, of which the upper half goes round.
pub(super) fn compact(at: Instant) -> u32 {
    let [_, _, a, b, c, d, _, _] = ntp(at).to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// A time in parts of 2^16 of a second.
pub(super) fn delay(time: Duration) -> u32 {
    u32::try_from((time.as_nanos() << 16) / 1_000_000_000).unwrap_or(u32::MAX)
}

/// The time that [`delay`] wrote.
pub(super) fn since(delay: u32) -> Duration {
    Duration::from_nanos((u64::from(delay) * 1_000_000_000) >> 16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(ssrc: u32) -> Block {
        let lost = -3;
        let (highest, jitter, last_report, delay) = (70_000, 480, 0x1234_5678, 0x8000);
        Block { ssrc, share_lost: 64, lost, highest, jitter, last_report, delay }
    }

    #[test]
    fn what_is_written_is_read() {
        let at = clock::now();
        let report = SenderReport { ssrc: 7, at, rtp_time: 9, packets: 100, bytes: 5_000 };
        let written = compounds(1, "me", &[report], &[block(5), block(6)]);
        let [one] = &written[..] else { panic!("{written:?}") };
        let said = SenderSaid { time: compact(at), packets: 100, bytes: 5_000 };
        let sender = Said::Sender { ssrc: 7, said };
        let receivers = [5, 6].map(|ssrc| Said::Receiver { ssrc, block: block(ssrc) });
        assert_eq!(read(one), [&[sender][..], &receivers].concat());
        assert_eq!(&one[4..8], &[0, 0, 0, 7], "it speaks for itself");
    }

    #[test]
    fn whoever_only_listens_says_what_it_hears() {
        let written = compounds(1, "me", &[], &[block(5)]);
        assert_eq!(written[0][1], 201, "a receiver report");
        assert_eq!(read(&written[0]), [Said::Receiver { ssrc: 5, block: block(5) }]);
        assert_eq!(compounds(1, "me", &[], &[]), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn many_streams_are_told_of_in_several_packets_that_fit() {
        let at = clock::now();
        let report = SenderReport { ssrc: 7, at, rtp_time: 9, packets: 100, bytes: 5_000 };
        let blocks: Vec<_> = (0..100).map(block).collect();
        let written = compounds(1, &"x".repeat(36), &[report; 20], &blocks);
        let said: Vec<_> = written.iter().flat_map(|one| read(one)).collect();
        assert_eq!(said.len(), 120);
        assert!(written.iter().all(|one| one.len() <= 1_200), "{:?}", written.iter().map(Vec::len));
    }

    #[test]
    fn a_goodbye_names_its_streams() {
        let bye = goodbye(&[7, 8], "me").unwrap();
        let last = Compound::parse(&bye).unwrap().flatten().last();
        let Some(Packet::Bye(last)) = last else { panic!("{last:?}") };
        assert_eq!(last.ssrcs().collect::<Vec<_>>(), [7, 8]);
        assert_eq!(goodbye(&[], "me"), None);
    }

    #[test]
    fn packets_that_are_missing_are_named() {
        let nack = Nack::builder().add_rtp_sequence(65_535).add_rtp_sequence(3);
        let feedback = rtcp_types::TransportFeedback::builder(&nack).sender_ssrc(1).media_ssrc(7);
        let mut written = vec![];
        append(&feedback, &mut written).unwrap();
        let [Said::Missing { ssrc: 7, seqs }] = &read(&written)[..] else { panic!() };
        assert!(seqs.contains(&65_535) && seqs.contains(&3));
    }

    #[test]
    fn times_come_back() {
        let now = clock::now();
        let later = now + Duration::from_millis(1_500);
        let trip = since(compact(later).wrapping_sub(compact(now)));
        assert!(trip.abs_diff(Duration::from_millis(1_500)) < Duration::from_micros(50));
        assert_eq!(since(delay(Duration::from_millis(250))), Duration::from_millis(250));
    }

    proptest! {
        #[test]
        fn nothing_that_comes_panics(compound in prop::collection::vec(any::<u8>(), 0..120)) {
            read(&compound);
        }
    }
}
