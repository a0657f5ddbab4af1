//! Connections over real sockets on the loopback, through the public API alone.
#![expect(clippy::disallowed_methods, reason = "IO: these tests run in real time")]

#[cfg(test)]
mod common;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use common::{PATIENCE, QUEUE, Side, audio, connect, exchange, microphone, next};
use libwebrtc::{
    audio_stream::native::NativeAudioStream, encoded::EncodedAudioStream,
    peer_connection_factory::native::PeerConnectionFactoryExt, prelude::*, stats::RtcStats,
    video_source::native::NativeVideoSource,
};
use tokio::{sync::mpsc, time::timeout};

#[tokio::test]
async fn messages_arrive_also_those_before_the_handler() {
    let (mut a, mut b) =
        (Side::new(RtcConfiguration::default()), Side::new(RtcConfiguration::default()));
    let ours = a.connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let (send_open, mut open) = mpsc::channel(QUEUE);
    ours.on_state_change(Some(Box::new(move |state| {
        let _ = send_open.try_send(state);
    })));
    connect(&mut a, &mut b).await;
    assert_eq!(timeout(PATIENCE, open.recv()).await.unwrap(), Some(DataChannelState::Open));
    let theirs = timeout(PATIENCE, b.channels.recv()).await.unwrap().unwrap();
    assert_eq!((theirs.label(), theirs.state()), ("chat".into(), DataChannelState::Open));
    assert!(matches!(ours.send(&[0xff], false), Err(DataChannelError::Utf8(_))));
    for n in 0..100u8 {
        ours.send(&[n; 1000], true).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (send_message, mut messages) = mpsc::channel(QUEUE);
    theirs.on_message(Some(Box::new(move |buffer| {
        let _ = send_message.try_send((buffer.data[0], buffer.data.len(), buffer.binary));
    })));
    for n in 0..100u8 {
        assert_eq!(timeout(PATIENCE, messages.recv()).await.unwrap(), Some((n, 1000, true)));
    }
    theirs.close();
    assert_eq!(timeout(PATIENCE, open.recv()).await.unwrap(), Some(DataChannelState::Closed));
    assert!(matches!(ours.send(b"x", true), Err(DataChannelError::Send)));
}

#[tokio::test]
async fn a_packet_is_stamped_close_to_when_it_was_sent() {
    let (mut a, mut b) =
        (Side::new(RtcConfiguration::default()), Side::new(RtcConfiguration::default()));
    let (source, track) = microphone();
    a.connection.add_track(track, &["stream"]).unwrap();
    connect(&mut a, &mut b).await;
    let track = audio(timeout(PATIENCE, b.tracks.recv()).await.unwrap().unwrap());
    let mut frames = EncodedAudioStream::new(track.clone());
    let mut sound = NativeAudioStream::new(track, 48_000, 1);
    let first = next(&mut frames).await.unwrap();
    assert!(first.arrival <= Instant::now());
    let mut last = first.clone();
    for _ in 0..100 {
        let frame = next(&mut frames).await.unwrap();
        assert_eq!(frame.seq, last.seq + 1);
        assert!(frame.arrival > last.arrival);
        last = frame;
    }
    // A machine under load sends late, but what it makes up for keeps the pace as a whole.
    let took = last.arrival - first.arrival;
    assert!(
        took > Duration::from_millis(1900) && took < Duration::from_millis(2600),
        "100 packets took {took:?}"
    );
    assert_eq!(next(&mut sound).await.unwrap().samples_per_channel, 480);
    assert!(source.pacing().sent() >= 100);
    a.connection.close();
    b.connection.close();
    while next(&mut sound).await.is_some() {}
    while next(&mut frames).await.is_some() {}
}

#[tokio::test]
async fn the_other_side_learns_of_a_close() {
    let (mut a, mut b) =
        (Side::new(RtcConfiguration::default()), Side::new(RtcConfiguration::default()));
    let channel = a.connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    connect(&mut a, &mut b).await;
    a.connection.close();
    // At once, whoever stops waiting for the rest of what closes with it.
    assert_eq!(a.connection.connection_state(), PeerConnectionState::Closed);
    a.reached(PeerConnectionState::Closed).await;
    b.reached(PeerConnectionState::Disconnected).await;
    assert!(matches!(channel.send(b"x", true), Err(DataChannelError::Send)));
    let error = a.connection.create_offer(OfferOptions::default()).await.unwrap_err();
    assert_eq!(error.error_type, RtcErrorType::InvalidState);
    assert!(a.connection.transceivers().is_empty());
}

#[tokio::test]
async fn a_callback_may_call_back() {
    let (mut a, mut b) =
        (Side::new(RtcConfiguration::default()), Side::new(RtcConfiguration::default()));
    a.connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let connection = Arc::new(Mutex::new(Some(a.connection.clone())));
    let (send, mut seen) = mpsc::channel(QUEUE);
    let inner = connection.clone();
    a.connection.on_ice_connection_state_change(Some(Box::new(move |state| {
        if let Some(connection) = &*inner.lock().unwrap() {
            let _ = send.try_send((
                state,
                connection.ice_connection_state(),
                connection.senders().len(),
            ));
            connection.on_ice_gathering_state_change(None);
        }
    })));
    connect(&mut a, &mut b).await;
    let (reported, asked, _) = timeout(PATIENCE, seen.recv()).await.unwrap().unwrap();
    assert_eq!(reported, asked);
    connection.lock().unwrap().take();
}

#[tokio::test]
async fn what_is_unsupported_says_so() {
    let side = Side::new(RtcConfiguration::default());
    let factory = PeerConnectionFactory::default();
    let video = factory.create_video_track("camera", NativeVideoSource::default());
    let init = RtpTransceiverInit {
        direction: RtpTransceiverDirection::SendOnly,
        stream_ids: vec![],
        send_encodings: vec![],
    };
    let error = side.connection.add_transceiver(video.into(), init).unwrap_err();
    assert!(error.to_string().contains("unsupported"), "{error}");
    assert!(!factory.acquire_platform_adm());
    assert_eq!(factory.recording_devices(), 0);
}

/// The candidates in a description are all of a machine's addresses.
fn without_candidates(description: &SessionDescription) -> SessionDescription {
    let text = description.to_string();
    let lines = text.lines().filter(|line| !line.starts_with("a=candidate:"));
    let kept: String = lines.flat_map(|line| [line, "\r\n"]).collect();
    SessionDescription::parse(&kept, description.sdp_type())
        .expect("a description without candidates is one")
}

#[tokio::test]
async fn a_call_takes_ipv6_where_there_is_no_other_way() {
    if let Err(error) = std::net::UdpSocket::bind("[::1]:0") {
        println!("skipped: this machine has no ::1: {error}");
        return;
    }
    let (mut a, mut b) =
        (Side::new(RtcConfiguration::default()), Side::new(RtcConfiguration::default()));
    let channel = a.connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    exchange(&a, &b, without_candidates).await;
    for (from, to) in [(&mut a.candidates, &b.connection), (&mut b.candidates, &a.connection)] {
        let told = timeout(PATIENCE, from.recv()).await.unwrap().unwrap().candidate();
        let port = told.split(' ').nth(5).unwrap();
        let line = format!("candidate:1 1 udp 2130706431 ::1 {port} typ host");
        to.add_ice_candidate(IceCandidate::parse("0", 0, &line).unwrap()).await.unwrap();
    }
    let theirs = timeout(PATIENCE, b.channels.recv()).await.unwrap().unwrap();
    let (send_message, mut messages) = mpsc::channel(QUEUE);
    theirs.on_message(Some(Box::new(move |buffer| {
        let _ = send_message.try_send(buffer.data.len());
    })));
    while channel.state() != DataChannelState::Open {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    channel.send(b"six", true).unwrap();
    assert_eq!(timeout(PATIENCE, messages.recv()).await.unwrap(), Some(3));
    let path = async {
        loop {
            let stats = a.connection.get_stats().await.unwrap();
            let local = stats.into_iter().find_map(|entry| {
                let RtcStats::LocalCandidate(local) = entry else { return None };
                Some(local.local_candidate.address)
            });
            if let Some(local) = local {
                return local;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert_eq!(timeout(PATIENCE, path).await.unwrap(), "::1");
}
