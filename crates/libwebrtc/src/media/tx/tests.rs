use std::time::Duration;

use super::*;
use crate::{
    api::{
        audio_source::{AudioSourceOptions, native::NativeAudioSource},
        encoded::EncodedAudioSource,
    },
    clock,
    media::{
        PERIOD,
        testing::{before, tone},
    },
    types::packets::EncodedFrame,
};

fn frame(byte: u8) -> EncodedFrame {
    EncodedFrame { payload: Arc::new([byte]), level: 40 + byte }
}

/// A track of ready-made packets: 0 is silence.
fn microphone() -> (EncodedAudioSource, AudioTrack) {
    microphone_batched(1)
}

/// The same, of which so many are fetched together.
fn microphone_batched(packets: u32) -> (EncodedAudioSource, AudioTrack) {
    let microphone = EncodedAudioSource::new(frame(0)).batched(packets);
    let track = track_of(&microphone);
    (microphone, track)
}

fn track_of(microphone: &EncodedAudioSource) -> AudioTrack {
    let crate::audio_source::RtcAudioSource::Native(source) = microphone.rtc_source() else {
        panic!("an encoded source is a native one");
    };
    AudioTrack::local("mic".into(), source.feed().clone())
}

fn sender(track: &AudioTrack, now: Instant) -> AudioTx {
    AudioTx::new(track, TxSettings::default(), RtpPosition::random(), now).expect("a local track")
}

/// All packets that are due.
fn drain(tx: &mut AudioTx, now: Instant) -> Vec<OutgoingPacket> {
    std::iter::from_fn(|| tx.tick(now)).collect()
}

fn bytes(packets: &[OutgoingPacket]) -> Vec<u8> {
    packets.iter().map(|packet| packet.payload[0]).collect()
}

#[test]
fn a_packet_per_period_at_its_deadline() {
    let (_microphone, track) = microphone();
    let mut tx = sender(&track, clock::now());
    let first = tx.next_deadline();
    assert_eq!(tx.tick(before(first, Duration::from_nanos(1))), None);
    let packets: Vec<_> = (0..3).flat_map(|k| drain(&mut tx, first + PERIOD * k)).collect();
    assert_eq!(packets.len(), 3);
    for (k, packet) in (0..).zip(&packets) {
        assert_eq!(packet.deadline, first + PERIOD * k);
        assert_eq!(packet.seq, packets[0].seq + u64::from(k));
        assert_eq!(packet.rtp_time, packets[0].rtp_time.wrapping_add(960 * k));
        assert_eq!(packet.marker, k == 0);
        assert_eq!(packet.level, 40);
    }
    assert_eq!(tx.stats(), TxStats { packets: 3, bytes: 3, skipped: 0 });
}

#[test]
fn a_clip_is_captured_one_period_before_its_first_packet_is_due() {
    let (microphone, track) = microphone();
    let mut tx = sender(&track, clock::now());
    let wish = tx.next_deadline() + PERIOD / 2;
    let playback = microphone.play([frame(1), frame(2)].into(), wish).expect("nothing else plays");
    let packets: Vec<_> = (0..6).flat_map(|k| drain(&mut tx, wish + PERIOD * k)).collect();
    let first = packets.iter().find(|packet| packet.payload[0] == 1).expect("the clip was sent");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let started = runtime.block_on(playback.started()).expect("the clip was not cut");
    assert_eq!(started, before(first.deadline, PERIOD));
    assert!(started >= wish && started - wish < PERIOD);
    assert_eq!(first.level, 41);
    assert_eq!(bytes(&packets), [0, 0, 1, 2, 0, 0]);
}

#[test]
fn a_short_stall_is_made_up_for_and_measured() {
    let (microphone, track) = microphone();
    let mut tx = sender(&track, clock::now());
    let first = tx.next_deadline();
    microphone
        .play((1..=9).map(frame).collect(), before(first, PERIOD * 2))
        .expect("nothing else plays");
    let now = first + PERIOD * 5 + Duration::from_micros(300);
    let packets = drain(&mut tx, now);
    assert_eq!(packets.len(), 6);
    assert_eq!(packets[5].deadline, first + PERIOD * 5, "deadlines stay on the grid");
    for packet in &packets {
        tx.left(now - packet.deadline);
    }
    let pacing = microphone.pacing();
    assert_eq!((pacing.sent(), pacing.skipped()), (6, 0));
    assert_eq!(pacing.max(), Some(PERIOD * 5 + Duration::from_micros(300)));
    let punctual = pacing.buckets().next().expect("something was sent");
    assert!(
        punctual.0 >= Duration::from_micros(300) && punctual.0 < Duration::from_micros(312),
        "{punctual:?}"
    );
}

#[test]
fn a_long_stall_is_given_up_but_time_goes_on() {
    let (microphone, track) = microphone();
    let mut tx = sender(&track, clock::now());
    let first = tx.next_deadline();
    let before = drain(&mut tx, first);
    microphone.play((1..=200).map(frame).collect(), first).expect("nothing else plays");
    let started = drain(&mut tx, first + PERIOD);
    assert_eq!(bytes(&started), [1]);
    let after = drain(&mut tx, first + PERIOD * 101);
    assert_eq!(bytes(&after), [101], "what was spoken meanwhile is lost");
    assert_eq!(after[0].seq, before[0].seq + 2);
    assert_eq!(after[0].rtp_time, before[0].rtp_time.wrapping_add(960 * 101));
    assert!(after[0].marker);
    assert_eq!((microphone.pacing().skipped(), tx.stats().skipped), (99, 99));
}

#[test]
fn packets_that_are_fetched_together_are_those_that_would_be_sent() {
    let (microphone, track) = microphone_batched(3);
    let mut tx = sender(&track, clock::now());
    let first = tx.next_deadline();
    microphone.play((1..=50).map(frame).collect(), before(first, PERIOD)).expect("nothing plays");
    let (mut batches, mut packets) = (vec![], vec![]);
    for k in 0..10 {
        let now = first + PERIOD * k;
        let next = tx.next_deadline();
        let batch = drain(&mut tx, now);
        assert_eq!(batch.is_empty(), now < next, "it says when it has to be asked again");
        batches.extend(Some(batch.len()).filter(|n| *n > 0));
        packets.extend(batch);
    }
    assert!((1..=3).contains(&batches[0]), "{batches:?}");
    assert!(batches[1..].iter().all(|n| *n == 3), "{batches:?}");
    for (k, packet) in (0..).zip(&packets) {
        assert_eq!(packet.deadline, first + PERIOD * k);
        assert_eq!(packet.seq, packets[0].seq + u64::from(k));
        assert_eq!(packet.rtp_time, packets[0].rtp_time.wrapping_add(960 * k));
        assert_eq!(packet.payload[0], u8::try_from(k + 1).expect("small"));
    }
}

#[test]
fn a_wish_is_late_for_what_is_fetched_already() {
    let (microphone, track) = microphone_batched(3);
    let mut tx = sender(&track, clock::now());
    let first = tx.next_deadline();
    let mut packets = drain(&mut tx, first);
    let next = tx.next_deadline();
    microphone.play([frame(1)].into(), first).expect("nothing plays");
    packets.extend(drain(&mut tx, next));
    let clip = packets.iter().find(|packet| packet.payload[0] == 1).expect("it is sent");
    assert_eq!(clip.deadline, next, "no later than it must be");
}

#[test]
fn batches_of_all_streams_begin_together() {
    for (periods, complete, end) in [(1, 7, 7), (3, 6, 6), (3, 7, 9), (3, 8, 9), (3, 9, 9)] {
        assert_eq!(behind_batch(complete, periods), end);
    }
}

#[test]
fn a_reconnected_track_goes_on_in_the_middle_of_the_clip() {
    let (microphone, track) = microphone();
    let mut old = sender(&track, clock::now());
    let first = old.next_deadline();
    microphone
        .play((1..=20).map(frame).collect(), before(first, PERIOD))
        .expect("nothing else plays");
    assert_eq!(bytes(&drain(&mut old, first + PERIOD)), [1, 2]);
    let mut new = sender(&track, first + PERIOD * 2 + PERIOD / 2);
    assert_eq!(bytes(&drain(&mut new, first + PERIOD * 4)), [4, 5]);
    assert_eq!(
        bytes(&drain(&mut old, first + PERIOD * 4)),
        [3, 4, 5],
        "as long as both exist, both send it"
    );
    drop(old);
    assert_eq!(bytes(&drain(&mut new, first + PERIOD * 5)), [6]);
}

#[test]
fn muting_sends_silence_and_the_clip_goes_on() {
    let (microphone, track) = microphone();
    let mut tx = sender(&track, clock::now());
    let first = tx.next_deadline();
    microphone
        .play((1..=20).map(frame).collect(), before(first, PERIOD))
        .expect("nothing else plays");
    assert_eq!(bytes(&drain(&mut tx, first)), [1]);
    track.set_enabled(false);
    assert_eq!(bytes(&drain(&mut tx, first + PERIOD)), [0]);
    track.set_enabled(true);
    assert_eq!(bytes(&drain(&mut tx, first + PERIOD * 2)), [3]);
}

#[test]
fn the_end_of_the_last_track_cuts_the_clip() {
    let (microphone, track) = microphone();
    let other = track_of(&microphone);
    let playback = microphone.play([frame(1)].into(), clock::now()).expect("nothing else plays");
    drop(track);
    assert!(
        microphone.play([frame(1)].into(), clock::now()).is_err(),
        "the other track still plays it"
    );
    drop(other);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert_eq!(runtime.block_on(playback.started()), None);
}

#[test]
fn a_stream_goes_on_with_another_track() {
    let (_one, first_track) = microphone();
    let (_other, second_track) = microphone();
    let mut tx = sender(&first_track, clock::now());
    let first = tx.next_deadline();
    let packet = drain(&mut tx, first).remove(0);
    let position = tx.position();
    drop(tx);
    let later = packet.deadline + PERIOD * 3;
    let mut tx =
        AudioTx::new(&second_track, TxSettings::default(), position, later).expect("a local track");
    let first = tx.next_deadline();
    let next = drain(&mut tx, first).remove(0);
    assert_eq!(next.seq, packet.seq + 1);
    let ticks = f64::from(next.rtp_time.wrapping_sub(packet.rtp_time));
    let elapsed = (next.deadline - packet.deadline).as_secs_f64() * 48_000.0;
    assert!((ticks - elapsed).abs() < 960.0, "{ticks} ticks for {elapsed}");
}

#[test]
fn a_source_without_a_queue_sends_only_what_it_is_given() {
    let source = NativeAudioSource::new(AudioSourceOptions::default(), 48_000, 1, 0);
    let track = AudioTrack::local("mic".into(), source.feed().clone());
    let mut tx = sender(&track, clock::now());
    let Source::Pcm(timeline) = source.feed() else { panic!("a PCM source") };
    let first = tx.next_deadline();
    let push = |at, samples: &[i16]| timeline.lock().push(at, samples).expect("no back-pressure");
    push(before(first, Duration::from_millis(1)), &tone(440.0, 48_000, 960));
    let sent = drain(&mut tx, first + PERIOD * 2);
    assert_eq!(sent.len(), 1);
    push(before(first + PERIOD * 3, Duration::from_millis(1)), &tone(440.0, 48_000, 960));
    let after_gap = drain(&mut tx, first + PERIOD * 3);
    assert_eq!(after_gap.len(), 1);
    assert_eq!(after_gap[0].seq, sent[0].seq + 1);
    assert_eq!(after_gap[0].rtp_time, sent[0].rtp_time.wrapping_add(3 * 960));
    assert!(after_gap[0].marker);
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let now = clock::now();
    let remote = AudioTrack::remote("far".into(), std::task::Waker::noop().clone());
    assert!(AudioTx::new(&remote, TxSettings::default(), RtpPosition::random(), now).is_err());
    let source = NativeAudioSource::new(AudioSourceOptions::default(), 48_000, 6, 100);
    let six = AudioTrack::local("mic".into(), source.feed().clone());
    let error = AudioTx::new(&six, TxSettings::default(), RtpPosition::random(), now)
        .expect_err("six channels");
    assert!(error.message.contains("6 channels"), "{error}");
    let device = AudioTrack::device("mic".into());
    assert!(drain(&mut sender(&device, now), now + PERIOD * 10).is_empty());
}
