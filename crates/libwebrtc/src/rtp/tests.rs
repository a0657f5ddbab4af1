//! Two sides of a connection without its network.

use std::collections::BTreeSet;

use proptest::prelude::*;
use str0m::crypto::dtls::SrtpProfile;

use super::*;
use crate::{clock, media::PERIOD};

/// The stream of the first side.
const SSRC: u32 = 7;

fn side(is_client: bool) -> Session {
    let material = (0..88).collect();
    let keys = Keys { profile: SrtpProfile::AEAD_AES_256_GCM, is_client, material };
    let slot = KeySlot::default();
    slot.set(keys).unwrap();
    let mut session = Session::new(slot);
    session.start(clock::now());
    session
}

fn line(mid: &str, payload_type: u8) -> Line {
    let extensions = ExtensionIds { audio_level: Some(1), mid: Some(4) };
    Line { mid: mid.into(), payload_type, extensions, ssrc: Some(SSRC), remote_ssrcs: vec![] }
}

/// Both sides with one m-line, which is the third of either.
fn sides() -> [Session; 2] {
    [true, false].map(|is_client| {
        let mut session = side(is_client);
        session.agree(2, Line { ssrc: is_client.then_some(SSRC), ..line("abc", 111) });
        session
    })
}

fn packet(seq: u64) -> OutgoingPacket {
    let [.., a, b, c, d] = (seq * 960).to_be_bytes();
    OutgoingPacket {
        payload: Arc::from([0xf8, 1, 2, 3, 4]),
        rtp_time: u32::from_be_bytes([a, b, c, d]),
        seq,
        marker: false,
        level: 30,
        deadline: clock::now(),
    }
}

fn sealed(session: &mut Session, seq: u64) -> Bytes {
    session.seal(2, &packet(seq)).expect("a datagram")
}

#[test]
fn what_one_side_sends_the_other_hears_once() {
    let [mut near, mut far] = sides();
    // Over the end of 16 bits, in some disorder.
    for seq in [65_533, 65_535, 65_534, 65_536, 65_537] {
        let datagram = sealed(&mut near, seq);
        let opened = far.open(&datagram, clock::now()).expect("a packet");
        assert_eq!((opened.line, opened.packet.ssrc, opened.packet.seq), (2, SSRC, seq));
        assert_eq!(opened.packet.rtp_time, packet(seq).rtp_time);
        assert_eq!(*opened.packet.payload, *packet(seq).payload);
        assert!(far.open(&datagram, clock::now()).is_none(), "the same once more");
    }
    assert!(near.seal(1, &packet(1)).is_none(), "nothing was agreed there");
}

#[test]
fn nothing_is_sent_or_heard_before_the_handshake() {
    let [mut near, _] = sides();
    let mut early = Session::new(KeySlot::default());
    early.agree(2, line("abc", 111));
    assert!(early.seal(2, &packet(1)).is_none());
    assert!(early.open(&sealed(&mut near, 1), clock::now()).is_none());
    assert_eq!((early.goodbye(), early.report(clock::now()).len()), (None, 0));
}

#[test]
fn a_stream_finds_its_line() {
    let [mut near, _] = sides();
    let datagram = sealed(&mut near, 1);
    let other = |mid, payload_type| Line { ssrc: None, ..line(mid, payload_type) };
    let announced = Line { remote_ssrcs: vec![SSRC], ..other("b", 111) };
    let without_mid =
        Line { extensions: ExtensionIds::default(), mid: "abc".into(), ..other("abc", 111) };
    for (lines, expected) in [
        (vec![announced, other("abc", 111)], Some(0)),
        (vec![other("b", 111), other("abc", 111)], Some(1)),
        (vec![other("b", 112), without_mid.clone()], Some(1)),
        (vec![without_mid.clone(), without_mid], None),
        (vec![other("abc", 112)], None),
        (vec![], None),
    ] {
        let mut far = side(false);
        lines.into_iter().enumerate().for_each(|(number, line)| far.agree(number, line));
        let opened = far.open(&datagram, clock::now());
        assert_eq!(opened.map(|opened| opened.line), expected);
    }
}

#[test]
fn a_stream_can_move_to_another_line() {
    let [mut near, mut far] = sides();
    assert_eq!(far.open(&sealed(&mut near, 1), clock::now()).map(|o| o.line), Some(2));
    let moved = Line { remote_ssrcs: vec![SSRC], ssrc: None, ..line("b", 111) };
    far.agree(0, moved);
    let opened = far.open(&sealed(&mut near, 2), clock::now()).expect("a packet");
    assert_eq!((opened.line, opened.packet.seq), (0, 2));
}

#[test]
fn the_line_is_named_until_the_other_side_reports() {
    let [mut near, mut far] = sides();
    let first = sealed(&mut near, 1);
    far.open(&first, clock::now());
    let later = clock::now() + REPORT_EVERY;
    assert!(far.report(later).iter().all(|report| near.open_report(report, later)));
    let second = sealed(&mut near, 2);
    assert_eq!(first.len() - second.len(), 4, "one word less");
    assert!(far.open(&second, later).is_some());
}

#[test]
fn both_sides_say_what_they_sent_and_heard() {
    let [mut near, mut far] = sides();
    let start = clock::now();
    for seq in 0..100_u32 {
        let datagram = sealed(&mut near, seq.into());
        if seq % 10 != 3 {
            far.open(&datagram, start + PERIOD * seq);
        }
    }
    let way = Duration::from_millis(30);
    let at = start + Duration::from_secs(3);
    for report in near.report(at) {
        assert!(far.open_report(&report, at + way));
    }
    let said = far.sender_said(SSRC).expect("a sender report");
    assert_eq!((said.packets, said.bytes), (100, 500));
    let later = at + Duration::from_secs(1);
    for report in far.report(later) {
        assert!(near.open_report(&report, later + way));
    }
    let heard = near.receiver_said(2).expect("a receiver report");
    assert_eq!((heard.lost, heard.share_lost), (10, f64::from(10 * 256 / 100) / 256.0));
    let trip = heard.round_trip.expect("a round trip");
    assert!(trip.abs_diff(way * 2) < Duration::from_millis(1), "{trip:?}");
    assert_eq!((heard.round_trips, heard.total_round_trip), (1, trip));
    assert!(far.report(later + Duration::from_secs(1)).is_empty(), "too early");
    assert!(far.report(later + REPORT_EVERY).is_empty(), "nothing new");
}

#[test]
fn a_sender_report_places_the_samples_that_are_captured_then() {
    let [mut near, _] = sides();
    let sent = packet(50);
    near.seal(2, &sent).expect("a datagram");
    for (after, ticks) in [(Duration::ZERO, 960), (PERIOD, 1_920)] {
        let (_, outgoing) = near.lines[2].as_mut().unwrap();
        outgoing.forget_report();
        let report = outgoing.report(SSRC, sent.deadline + after).expect("something was sent");
        assert_eq!(report.rtp_time.wrapping_sub(sent.rtp_time), ticks);
    }
    let (_, outgoing) = near.lines[2].as_mut().unwrap();
    outgoing.forget_report();
    // It was fetched two periods ahead.
    let early = sent.deadline.checked_sub(2 * PERIOD).unwrap();
    let report = outgoing.report(SSRC, early).expect("something was sent");
    assert_eq!(sent.rtp_time.wrapping_sub(report.rtp_time), 960);
}

#[test]
fn what_is_asked_for_again_is_what_was_sent() {
    let [mut near, mut far] = sides();
    let sent: Vec<_> = (0..60).map(|seq| sealed(&mut near, seq)).collect();
    let nack = [5, 58, 59, 60]
        .iter()
        .fold(rtcp_types::Nack::builder(), |nack, seq| nack.add_rtp_sequence(*seq));
    let feedback = rtcp_types::TransportFeedback::builder(&nack).sender_ssrc(9).media_ssrc(SSRC);
    let mut plain = vec![0; 64];
    let length = rtcp_types::RtcpPacketWriterExt::write_into(&feedback, &mut plain).unwrap();
    let (sealing, _) = far.contexts.as_mut().unwrap();
    let report = sealing.rtcp(&plain[..length]).unwrap();
    assert!(near.open_report(&report, clock::now()));
    let again: BTreeSet<_> = std::iter::from_fn(|| near.poll_again()).collect();
    assert_eq!(again, BTreeSet::from([sent[58].clone(), sent[59].clone()]), "what is still there");
    assert_eq!(near.asked_again(2), 1);
    // What has not left has not changed, however many came after it.
    assert!(sent.iter().all(|datagram| far.open(datagram, clock::now()).is_some()));
}

#[test]
fn the_end_is_told_where_something_was_sent() {
    let [mut near, mut far] = sides();
    assert_eq!(near.goodbye(), None);
    sealed(&mut near, 1);
    let goodbye = near.goodbye().expect("a goodbye");
    let (_, opening) = far.contexts.as_mut().unwrap();
    let plain = opening.rtcp(&goodbye).expect("it is sealed");
    assert!(
        rtcp_types::Compound::parse(plain)
            .unwrap()
            .flatten()
            .any(|packet| matches!(packet, rtcp_types::Packet::Bye(bye) if bye.ssrcs().eq([SSRC])))
    );
    assert_eq!(near.report_at(), None);
}

#[test]
fn a_packet_takes_little_from_the_allocator() {
    let [mut near, mut far] = sides();
    let sent = packet(1);
    let mut exchange = |numbers: std::ops::Range<u64>| {
        for seq in numbers {
            let datagram = near.seal(2, &OutgoingPacket { seq, ..sent.clone() }).expect("sealed");
            far.open(&datagram, sent.deadline).expect("opened");
        }
    };
    exchange(0..200);
    let counted = allocation_counter::measure(|| exchange(200..1_200));
    // The datagram and that it is shared; the payload.
    assert_eq!(counted.count_total, 3 * 1_000);
}

proptest! {
    /// Nobody without the keys makes a stream, or the sides do anything.
    #[test]
    fn forgeries_do_nothing(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..4),
        random in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let [mut near, mut far] = sides();
        let genuine = sealed(&mut near, 1);
        let mut datagram = genuine.to_vec();
        for (place, change) in edits {
            let place = place.index(datagram.len());
            datagram[place] ^= change;
        }
        for forged in [&datagram, &random] {
            if *forged != *genuine {
                prop_assert!(far.open(forged, clock::now()).is_none());
                prop_assert!(!far.open_report(forged, clock::now()));
            }
        }
        prop_assert!(far.incoming.is_empty());
        prop_assert!(far.open(&genuine, clock::now()).is_some());
    }

    /// Whatever a network does to the order: what arrives comes out once, under its own number.
    #[test]
    fn any_order_is_sorted_out(
        begin in 0..0x8000_u64,
        order in prop::collection::vec(0..300_u64, 1..200),
    ) {
        let [mut near, mut far] = sides();
        let sent: Vec<_> = (0..300).map(|k| sealed(&mut near, begin + k)).collect();
        let mut heard = BTreeSet::new();
        for k in order {
            if let Some(opened) = far.open(&sent[usize::try_from(k).unwrap()], clock::now()) {
                prop_assert!(heard.insert(opened.packet.seq));
                prop_assert_eq!(opened.packet.seq, begin + k);
            }
        }
        prop_assert!(!heard.is_empty());
    }
}
