//! That a ready-made packet on its way through this module takes nothing from the allocator, once everything has its
//! size. Nor does sealing and opening it: see the tests of [`rtp`](crate::rtp).

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use tokio_stream::Stream;

use crate::{
    api::{
        audio_source::RtcAudioSource,
        audio_track::RtcAudioTrack,
        encoded::{EncodedAudioSource, EncodedAudioStream},
    },
    clock,
    media::{AudioRx, AudioTrack, AudioTx, Grid, IncomingPacket, PERIOD, RtpPosition, TxSettings},
    types::packets::EncodedFrame,
};

/// Until queues and histograms have grown, and then as many as are counted.
const WARM_UP: u32 = 100;
const COUNTED: u32 = 1_000;

#[test]
fn a_packet_that_is_sent_allocates_nothing() {
    let payload: Arc<[u8]> = Arc::new([0xf8, 0xff, 0xfe]);
    let microphone = EncodedAudioSource::new(EncodedFrame { payload, level: 127 });
    let RtcAudioSource::Native(source) = microphone.rtc_source() else { panic!("a native source") };
    let track = AudioTrack::local("near".into(), source.feed().clone());
    let mut tx = AudioTx::new(&track, TxSettings::default(), RtpPosition::random(), clock::now())
        .expect("a local track");
    let mut send = |packets| {
        for _ in 0..packets {
            let due = tx.next_deadline();
            assert!(tx.tick(due).is_some());
        }
    };
    send(WARM_UP);
    let counted = allocation_counter::measure(|| send(COUNTED));
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_packet_that_is_received_and_read_allocates_nothing() {
    let start = clock::now();
    let track = AudioTrack::remote("far".into(), Waker::noop().clone());
    let mut rx = AudioRx::new(&track, Grid::new(start), start).expect("a remote track");
    let mut stream = EncodedAudioStream::new(RtcAudioTrack::new(track));
    let payload = Bytes::from_static(&[0xf8, 0xff, 0xfe]);
    let mut cx = Context::from_waker(Waker::noop());
    let mut receive = |packets: std::ops::Range<u32>| {
        for k in packets {
            assert!(Pin::new(&mut stream).poll_next(&mut cx).is_pending());
            let (payload, arrival) = (payload.clone(), start + PERIOD * k);
            rx.receive(IncomingPacket {
                ssrc: 7,
                seq: k.into(),
                rtp_time: k * 960,
                payload,
                arrival,
            });
            rx.wake_taps();
            let read = Pin::new(&mut stream).poll_next(&mut cx);
            assert!(matches!(read, Poll::Ready(Some(frame)) if frame.seq == u64::from(k)));
        }
    };
    receive(0..WARM_UP);
    let counted = allocation_counter::measure(|| receive(WARM_UP..WARM_UP + COUNTED));
    assert_eq!(counted.count_total, 0);
}
