use std::{
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use str0m::media::MediaKind;
use tokio_stream::Stream;

use super::{
    ChannelKey, FAILED_AFTER, Link, MESSAGE_MAX, Peer, PeerError, PeerEvent, TransceiverId,
    channel::SEND_BUFFER_MAX,
    testing::{A, B, Conditions, Loss, Pair, address, peer, peer_at},
};
use crate::{
    api::{
        audio_source::RtcAudioSource,
        audio_track::RtcAudioTrack,
        encoded::{EncodedAudioSource, EncodedAudioStream},
    },
    clock,
    media::{AudioTrack, Track},
    types::{
        ice_candidate::IceCandidate,
        messages::DataChannelError,
        packets::{EncodedFrame, ReceivedFrame},
        session_description::{SdpType, SessionDescription},
        settings::{DataChannelInit, OfferOptions, RtpTransceiverInit},
        states::{
            DataChannelState, PeerConnectionState, RtcTrackState, RtpTransceiverDirection,
            SignalingState,
        },
        stats::{IceCandidateType, RtcStats},
    },
};

const MESSAGE: usize = 16 * 1024;
const MESSAGES: usize = 64;
const HIGH_WATER: u64 = 128 * 1024;

fn negotiated(id: i32) -> DataChannelInit {
    DataChannelInit { negotiated: true, id, ..Default::default() }
}

fn sending() -> RtpTransceiverInit {
    RtpTransceiverInit {
        direction: RtpTransceiverDirection::SendOnly,
        stream_ids: vec![],
        send_encodings: vec![],
    }
}

/// A track that sends the byte `mark` in every packet.
fn microphone(mark: u8) -> Track {
    microphone_batched(mark, 1)
}

fn microphone_batched(mark: u8, packets: u32) -> Track {
    let frame = EncodedFrame { payload: Arc::new([mark; 20]), level: 30 };
    let RtcAudioSource::Native(source) =
        EncodedAudioSource::new(frame).batched(packets).rtc_source()
    else {
        panic!("an encoded source is a native one");
    };
    Track::Audio(AudioTrack::local(format!("mic{mark}"), source.feed().clone()))
}

fn remote_track(pair: &mut Pair, side: usize) -> RtcAudioTrack {
    let id = pair.events[side]
        .iter()
        .find_map(|e| if let PeerEvent::Track(id) = e { Some(*id) } else { None })
        .expect("a track event");
    match pair.peers[side].transceiver_mut(id).unwrap().remote_track() {
        Track::Audio(track) => RtcAudioTrack::new(track.clone()),
        Track::Video(_) => panic!("an audio track"),
    }
}

fn read(stream: &mut EncodedAudioStream) -> Vec<ReceivedFrame> {
    let mut context = Context::from_waker(Waker::noop());
    let mut frames = vec![];
    while let Poll::Ready(Some(frame)) = Pin::new(&mut *stream).poll_next(&mut context) {
        frames.push(frame);
    }
    frames
}

fn candidate(line: &str) -> IceCandidate {
    IceCandidate::parse("0", 0, line).unwrap()
}

#[test]
fn two_peers_connect() {
    let (pair, _) = Pair::connected();
    for side in [A, B] {
        assert_eq!(
            pair.states(side),
            [PeerConnectionState::Connecting, PeerConnectionState::Connected]
        );
        assert_eq!(pair.peers[side].signaling_state(), SignalingState::Stable);
    }
}

#[test]
fn a_megabyte_each_way_arrives_in_order_at_the_pace_of_the_network() {
    let (mut pair, ours) = Pair::connected();
    let theirs = pair.messages_channel(B)[0];
    let message = |n: usize| vec![u8::try_from(n).unwrap(); MESSAGE];
    let mut sent = [0; 2];
    let mut highest = 0;
    pair.run_until(|pair| {
        for (side, key) in [(A, ours), (B, theirs)] {
            while sent[side] < MESSAGES && pair.peers[side].buffered_amount(key) < HIGH_WATER {
                pair.peers[side].send(key, &message(sent[side]), true).unwrap();
                sent[side] += 1;
            }
            highest = highest.max(pair.peers[side].buffered_amount(key));
        }
        pair.messages.iter().all(|m| m.len() == MESSAGES)
            && pair.peers[A].buffered_amount(ours) == 0
            && pair.peers[B].buffered_amount(theirs) == 0
    });
    assert!(highest >= HIGH_WATER, "the sender was held back at {highest} bytes");
    for (side, key) in [(A, ours), (B, theirs)] {
        let expected: Vec<_> = (0..MESSAGES).map(|n| (key, message(n), true)).collect();
        assert_eq!(pair.messages[side], expected);
        let acknowledged =
            |e: &PeerEvent| if let PeerEvent::Acknowledged(_, bytes) = e { *bytes } else { 0 };
        let total: u64 = pair.events[side].iter().map(acknowledged).sum();
        assert_eq!(
            total,
            (MESSAGES * MESSAGE) as u64,
            "every byte is reported as acknowledged, once"
        );
    }
}

#[test]
fn a_negotiated_channel_needs_no_announcement() {
    let mut pair = Pair::new();
    let init = DataChannelInit { ordered: false, max_retransmits: Some(0), ..negotiated(7) };
    let keys = [A, B].map(|side| pair.peers[side].create_channel("lossy", &init).unwrap());
    pair.negotiate(A, &OfferOptions::default());
    pair.run_until(|pair| pair.is_open(A) && pair.is_open(B));
    pair.peers[A].send(keys[A], b"hi", false).unwrap();
    pair.run_until(|pair| !pair.messages[B].is_empty());
    assert_eq!(pair.messages[B], [(keys[B], b"hi".to_vec(), false)]);
    assert!(pair.messages_channel(B).is_empty());
    assert_eq!(pair.peers[A].stream_id(keys[A]), Some(7));
}

#[test]
fn stream_ids_are_checked() {
    let mut pair = Pair::new();
    pair.peers[A].create_channel("one", &negotiated(1)).unwrap();
    for id in [1, -1, 65_535] {
        let result = pair.peers[A].create_channel("two", &negotiated(id));
        assert!(
            matches!(result, Err(PeerError::ChannelId(refused)) if refused == id),
            "{id}: {result:?}"
        );
    }
}

#[test]
fn a_channel_refuses_what_it_cannot_keep() {
    let mut pair = Pair::new();
    let key = pair.peers[A].create_channel("early", &DataChannelInit::default()).unwrap();
    assert!(matches!(pair.peers[A].send(key, b"x", true), Err(DataChannelError::Send)), "not open");

    let (mut pair, key) = Pair::connected();
    assert!(pair.peers[A].send(key, &vec![0; MESSAGE_MAX + 1], true).is_err(), "too long");
    pair.network.is_cut = true;
    let mut taken = 0;
    while pair.peers[A].send(key, &vec![0; MESSAGE_MAX], true).is_ok() {
        taken += MESSAGE_MAX;
    }
    assert_eq!(taken, SEND_BUFFER_MAX);
    assert_eq!(pair.peers[A].buffered_amount(key), SEND_BUFFER_MAX as u64);
}

#[test]
fn a_channel_closed_before_it_opened_stays_closed() {
    let mut pair = Pair::new();
    let key = pair.peers[A].create_channel("never", &DataChannelInit::default()).unwrap();
    let kept = pair.peers[A].create_channel("kept", &DataChannelInit::default()).unwrap();
    pair.peers[A].close_channel(key);
    pair.negotiate(A, &OfferOptions::default());
    pair.run_until(|pair| pair.are_connected());
    pair.run_for(Duration::from_secs(1));
    let opened = |e: &PeerEvent| matches!(e, PeerEvent::ChannelState(k, DataChannelState::Open) if *k != kept);
    assert!(!pair.events[A].iter().any(opened), "{:?}", pair.events[A]);
    let added = pair.messages_channel(B);
    let closed = |e: &PeerEvent| matches!(e, PeerEvent::ChannelState(_, DataChannelState::Closed));
    assert_eq!(
        added.len() - pair.events[B].iter().filter(|e| closed(e)).count(),
        1,
        "{:?}",
        pair.events[B]
    );
}

#[test]
fn audio_flows_both_ways_with_its_times() {
    for packets in [1, 2, 3, 5] {
        flows_both_ways_with_its_times(packets);
    }
}

fn flows_both_ways_with_its_times(batch: u32) {
    let mut pair = Pair::new();
    for side in [A, B] {
        let mark = u8::try_from(side).unwrap() + 1;
        pair.peers[side].add_track(microphone_batched(mark, batch), vec!["stream".into()]).unwrap();
    }
    pair.negotiate(A, &OfferOptions::default());
    pair.run_until(|pair| pair.are_connected());
    let mut streams = [A, B].map(|side| EncodedAudioStream::new(remote_track(&mut pair, side)));
    let start = pair.now;
    pair.run_for(Duration::from_secs(2));
    for (side, stream) in streams.iter_mut().enumerate() {
        let frames = read(stream);
        assert!((98..=101).contains(&frames.len()), "{} frames in two seconds", frames.len());
        let mark = if side == A { 2 } else { 1 };
        for pair_of in frames.windows(2) {
            assert_eq!(pair_of[1].seq, pair_of[0].seq + 1);
            assert_eq!(pair_of[1].rtp_time, pair_of[0].rtp_time.wrapping_add(960));
            assert_eq!(
                pair_of[1].arrival - pair_of[0].arrival,
                Duration::from_millis(20),
                "paced by the deadlines"
            );
        }
        assert!(frames.iter().all(|f| *f.payload == [mark; 20]));
        assert!(
            frames[0].arrival >= start && frames[0].arrival <= start + Duration::from_millis(40)
        );
    }
}

#[test]
fn a_stalled_sender_catches_up_in_order() {
    let mut pair = Pair::new();
    pair.peers[A].add_transceiver(MediaKind::Audio, Some(microphone(9)), sending()).unwrap();
    pair.negotiate(A, &OfferOptions::default());
    pair.run_until(|pair| pair.are_connected());
    let mut stream = EncodedAudioStream::new(remote_track(&mut pair, B));
    pair.run_for(Duration::from_secs(1));
    read(&mut stream);
    // Nobody calls the peers for 200 ms.
    pair.now += Duration::from_millis(200);
    let resumed = pair.now;
    pair.run_for(Duration::from_millis(100));
    let frames = read(&mut stream);
    let late = frames.iter().filter(|f| f.arrival <= resumed + Duration::from_millis(11)).count();
    assert!((9..=11).contains(&late), "{late} packets were made up for at once");
    assert!(frames.windows(2).all(|w| w[1].seq == w[0].seq + 1 && w[1].arrival >= w[0].arrival));
}

#[test]
fn a_removed_track_is_no_longer_received_and_another_can_follow() {
    let mut pair = Pair::new();
    let id =
        pair.peers[A].add_transceiver(MediaKind::Audio, Some(microphone(1)), sending()).unwrap();
    pair.negotiate(A, &OfferOptions::default());
    pair.run_until(|pair| pair.are_connected());
    let mut stream = EncodedAudioStream::new(remote_track(&mut pair, B));
    pair.peers[A].remove_track(id).unwrap();
    pair.negotiate(A, &OfferOptions::default());
    let direction = |pair: &mut Pair, id: TransceiverId| {
        pair.peers[B].transceiver_mut(id).and_then(|t| t.current_direction())
    };
    assert_eq!(
        direction(&mut pair, TransceiverId::new(0)),
        Some(RtpTransceiverDirection::Inactive)
    );
    read(&mut stream);
    pair.run_for(Duration::from_secs(1));
    assert_eq!(read(&mut stream), []);

    pair.peers[A].add_transceiver(MediaKind::Audio, Some(microphone(2)), sending()).unwrap();
    pair.negotiate(A, &OfferOptions::default());
    assert_eq!(
        direction(&mut pair, TransceiverId::new(1)),
        Some(RtpTransceiverDirection::RecvOnly)
    );
}

#[test]
fn closing_is_clean_on_both_sides() {
    let (mut pair, key) = Pair::connected();
    pair.peers[A].add_transceiver(MediaKind::Audio, Some(microphone(1)), sending()).unwrap();
    pair.negotiate(A, &OfferOptions::default());
    pair.run_for(Duration::from_secs(1));
    let track = remote_track(&mut pair, B);
    let now = pair.now;
    pair.peers[A].close(now);
    pair.run_for(Duration::from_secs(1));
    assert!(pair.peers[A].is_finished());
    assert_eq!(pair.states(A).last(), Some(&PeerConnectionState::Closed));
    assert!(matches!(pair.peers[A].send(key, b"x", true), Err(DataChannelError::Send)));
    assert!(matches!(pair.peers[A].create_offer(&OfferOptions::default()), Err(PeerError::Closed)));

    // The other side hears of it at once, and fails only if nobody closes it.
    assert_eq!(pair.states(B).last(), Some(&PeerConnectionState::Disconnected));
    let closed = |e: &PeerEvent| matches!(e, PeerEvent::ChannelState(_, DataChannelState::Closed));
    assert!(pair.events[B].iter().any(closed));
    assert_eq!(track.state(), RtcTrackState::Live);
    pair.run_for(FAILED_AFTER);
    assert_eq!(pair.states(B).last(), Some(&PeerConnectionState::Failed));
    let now = pair.now;
    pair.peers[B].close(now);
    pair.run_for(Duration::from_secs(1));
    assert!(pair.peers[B].is_finished());
    assert_eq!(track.state(), RtcTrackState::Ended);
}

#[test]
fn a_peer_that_never_connected_closes_at_once() {
    let mut pair = Pair::new();
    let now = pair.now;
    pair.peers[A].close(now);
    pair.run_for(Duration::from_millis(1));
    assert!(pair.peers[A].is_finished());
}

#[test]
fn a_lost_network_fails_and_an_ice_restart_revives() {
    let (mut pair, key) = Pair::connected();
    pair.network.is_cut = true;
    pair.run_until(|pair| pair.peers[A].connection_state() == PeerConnectionState::Failed);
    pair.run_for(Duration::from_millis(1));
    let states = pair.states(A);
    assert!(
        states.ends_with(&[PeerConnectionState::Disconnected, PeerConnectionState::Failed]),
        "{states:?}"
    );
    pair.network.is_cut = false;
    pair.negotiate(A, &OfferOptions { ice_restart: true, ..Default::default() });
    pair.run_until(|pair| pair.are_connected());
    pair.peers[A].send(key, b"again", true).unwrap();
    pair.run_until(|pair| !pair.messages[B].is_empty());
}

#[test]
fn an_offer_is_withdrawn_by_the_answer_in_force() {
    let (mut pair, _) = Pair::connected();
    let in_force = pair.peers[A].current_remote_description().unwrap().clone();
    let id =
        pair.peers[A].add_transceiver(MediaKind::Audio, Some(microphone(1)), sending()).unwrap();
    let offer = pair.peers[A].create_offer(&OfferOptions::default()).unwrap();
    pair.peers[A].set_local_description(offer).unwrap();
    assert!(pair.peers[A].transceiver_mut(id).unwrap().mid().is_some());
    pair.peers[A].set_remote_description(in_force).unwrap();
    assert_eq!(pair.peers[A].signaling_state(), SignalingState::Stable);
    assert!(pair.peers[A].transceiver_mut(id).unwrap().mid().is_none());
    // The withdrawn transceiver is offered again.
    pair.negotiate(A, &OfferOptions::default());
    assert_eq!(
        pair.peers[A].transceiver_mut(id).unwrap().current_direction(),
        Some(RtpTransceiverDirection::SendOnly)
    );
}

#[test]
fn descriptions_out_of_turn_are_refused() {
    let mut one = peer(address(A), clock::now());
    assert!(matches!(one.create_offer(&OfferOptions::default()), Err(PeerError::NothingToOffer)));
    assert!(matches!(one.create_answer(), Err(PeerError::WrongState { .. })));
    let made_up = |kind| SessionDescription::parse("v=0\r\n", kind).unwrap();
    assert!(matches!(one.set_local_description(made_up(SdpType::Offer)), Err(PeerError::NotOurs)));
    assert!(matches!(
        one.set_remote_description(made_up(SdpType::Answer)),
        Err(PeerError::WrongState { .. })
    ));
    assert!(matches!(
        one.set_remote_description(made_up(SdpType::Offer)),
        Err(PeerError::RemoteDescription(_))
    ));
    assert!(matches!(
        one.set_remote_description(made_up(SdpType::PrAnswer)),
        Err(PeerError::Unsupported(_))
    ));
}

#[test]
fn candidates_that_are_not_used_are_skipped() {
    let mut one = peer(address(A), clock::now());
    for line in [
        "",
        "candidate:1 1 tcp 1671430143 10.0.0.9 9 typ host tcptype active",
        "candidate:1 1 udp 2130706431 fe80::1 7882 typ host",
        "candidate:1 1 udp 2130706431 d3f1.local 7882 typ host",
    ] {
        assert!(one.add_remote_candidate(&candidate(line)).is_ok(), "{line}");
        assert_eq!(one.negotiation.remote_candidates, 0, "{line}");
    }
    assert!(matches!(
        one.add_remote_candidate(&candidate("candidate:nonsense")),
        Err(PeerError::Candidate(_))
    ));
}

#[test]
fn an_address_is_used_once_something_can_be_reached_from_it() {
    use str0m::net::Protocol::{Tcp, Udp};
    let v6 = "[fd00::1]:1000".parse().unwrap();
    let mut one = peer_at(vec![address(A), v6], clock::now());
    let known = |one: &Peer, protocol, local| one.locals.is_known(protocol, local);
    assert!(known(&one, Udp, "10.0.0.1:1000") && known(&one, Udp, "[fd00::1]:1000"));
    for (line, protocol, local) in [
        ("udp 1 127.0.0.1 7882 typ host", Udp, "127.0.0.1:1000"),
        ("udp 1 ::1 7882 typ host", Udp, "[::1]:1000"),
        ("tcp 1 10.0.0.9 7881 typ host tcptype passive", Tcp, "10.0.0.1:9"),
        ("tcp 1 127.0.0.1 7881 typ host tcptype passive", Tcp, "127.0.0.1:9"),
        ("tcp 1 fd00::9 7881 typ host tcptype passive", Tcp, "[fd00::1]:9"),
    ] {
        assert!(!known(&one, protocol, local), "{line}");
        one.add_remote_candidate(&candidate(&format!("candidate:1 1 {line}"))).unwrap();
        assert!(known(&one, protocol, local), "{line}");
    }
    let in_sdp = "v=0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host\r\n";
    let mut two = peer(address(B), clock::now());
    two.use_candidates_of(&SessionDescription::new(SdpType::Offer, in_sdp));
    assert!(known(&two, Udp, "127.0.0.1:2000"));
}

mod faults;
mod hostile;
mod plain;
mod relayed;
