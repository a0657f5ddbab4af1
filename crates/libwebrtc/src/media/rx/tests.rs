use std::{
    task::{Context, Poll, Waker},
    time::Duration,
};

use proptest::prelude::*;
use tokio_stream::Stream;

use super::*;
use crate::{
    api::{
        audio_source::{AudioSourceOptions, native::NativeAudioSource},
        audio_stream::native::NativeAudioStream,
        audio_track::RtcAudioTrack,
        encoded::EncodedAudioStream,
    },
    clock,
    media::{
        AudioTx, OutgoingPacket, PERIOD, PcmShape, RtpPosition, Source, TxSettings,
        testing::{before, dominant_frequency, rms, tone},
    },
    types::audio_frame::AudioFrame,
};

fn remote() -> (RtcAudioTrack, AudioRx, Instant) {
    let start = clock::now();
    let track = AudioTrack::remote("far".into(), Waker::noop().clone());
    let rx = AudioRx::new(&track, Grid::new(start), start).expect("a remote track");
    (RtcAudioTrack::new(track), rx, start)
}

fn ready<S: Stream + Unpin>(stream: &mut S) -> Vec<S::Item> {
    let mut cx = Context::from_waker(Waker::noop());
    std::iter::from_fn(|| match std::pin::Pin::new(&mut *stream).poll_next(&mut cx) {
        Poll::Ready(item) => item,
        Poll::Pending => None,
    })
    .collect()
}

fn packet(k: u32, arrival: Instant) -> IncomingPacket {
    let payload = Bytes::from_static(&[0xf8, 0xff, 0xfe]);
    IncomingPacket { ssrc: 7, seq: k.into(), rtp_time: k * 960, payload, arrival }
}

/// Sends `input` through both ends in virtual time; returns what a stream of the other shape hears.
fn carry(from: PcmShape, to: PcmShape, input: &[i16]) -> Vec<AudioFrame<'static>> {
    let source =
        NativeAudioSource::new(AudioSourceOptions::default(), from.rate, from.channels, 100);
    let Source::Pcm(timeline) = source.feed() else { panic!("a PCM source") };
    let local = AudioTrack::local("near".into(), source.feed().clone());
    let start = clock::now();
    let mut tx = AudioTx::new(&local, TxSettings::default(), RtpPosition::random(), start)
        .expect("supported");
    let (track, ..) = remote();
    let mut rx = AudioRx::new(track.track(), Grid::new(before(tx.next_deadline(), PERIOD)), start)
        .expect("a remote track");
    let (rate, channels) = (to.rate.cast_signed(), to.channels.cast_signed());
    let mut stream = NativeAudioStream::new(track, rate, channels);
    let mut heard = Vec::new();
    for period in input.chunks(from.period()) {
        let now = tx.next_deadline();
        timeline
            .lock()
            .push(before(now, Duration::from_millis(1)), period)
            .expect("in real time there is room");
        while let Some(sent) = tx.tick(now) {
            let OutgoingPacket { seq, rtp_time, payload, .. } = sent;
            rx.receive(IncomingPacket {
                ssrc: 1,
                seq,
                rtp_time,
                payload: Bytes::copy_from_slice(&payload),
                arrival: now,
            });
        }
        rx.tick(now);
        heard.extend(ready(&mut stream));
    }
    heard
}

fn channel(frames: &[AudioFrame<'static>], channel: usize) -> Vec<i16> {
    frames
        .iter()
        .flat_map(|frame| {
            frame.data.iter().skip(channel).step_by(frame.num_channels as usize).copied()
        })
        .collect()
}

#[test]
fn a_tone_arrives_in_every_combination_of_shapes() {
    let shape = |rate, channels| PcmShape { rate, channels };
    for (from, to) in [
        (shape(48_000, 1), shape(48_000, 1)),
        (shape(48_000, 2), shape(48_000, 2)),
        (shape(48_000, 2), shape(24_000, 2)),
        (shape(24_000, 2), shape(24_000, 1)),
        (shape(16_000, 1), shape(48_000, 2)),
        (shape(8_000, 1), shape(16_000, 1)),
        (shape(48_000, 1), shape(8_000, 1)),
        (shape(44_100, 2), shape(44_100, 2)),
        (shape(22_050, 1), shape(32_000, 2)),
    ] {
        let mono = tone(440.0, from.rate, from.rate as usize);
        let input: Vec<i16> = mono.iter().flat_map(|s| vec![*s; from.channels as usize]).collect();
        let frames = carry(from, to, &input);
        assert_eq!(frames.len(), 100, "a second, {from:?} to {to:?}");
        for frame in &frames {
            assert_eq!((frame.sample_rate, frame.num_channels), (to.rate, to.channels));
            assert_eq!(frame.data.len(), (frame.samples_per_channel * to.channels) as usize);
            assert_eq!(frame.samples_per_channel, to.rate / 100);
        }
        for index in 0..to.channels as usize {
            let heard = channel(&frames, index);
            let steady = &heard[heard.len() / 4..];
            let frequency = dominant_frequency(steady, to.rate);
            assert!((frequency - 440.0).abs() < 3.0, "{frequency} Hz, {from:?} to {to:?}");
            let gain = rms(steady) / rms(&mono);
            assert!((0.8..1.2).contains(&gain), "gain {gain}, {from:?} to {to:?}");
        }
    }
}

#[test]
fn the_delay_is_the_cushion_and_the_codec() {
    let mono = PcmShape { rate: 48_000, channels: 1 };
    let mut input = vec![0; 48_000];
    input.extend(tone(440.0, 48_000, 24_000));
    let heard = channel(&carry(mono, mono, &input), 0);
    let onset =
        heard.iter().position(|sample| sample.unsigned_abs() > 2_000).expect("the tone is heard");
    let delay_ms = (onset - 48_000) / 48;
    // Two packets must be there before the first is played (20 ms), and the codec looks 6.5 ms ahead.
    assert!((25..30).contains(&delay_ms), "{delay_ms} ms");
}

#[test]
fn channels_stay_apart() {
    let stereo = PcmShape { rate: 48_000, channels: 2 };
    let input: Vec<i16> =
        tone(440.0, 48_000, 48_000).iter().flat_map(|sample| [*sample, 0]).collect();
    let frames = carry(stereo, stereo, &input);
    let (left, right) = (rms(&channel(&frames, 0)), rms(&channel(&frames, 1)));
    assert!(left > 10.0 * right, "{left} and {right}");
}

#[test]
fn nothing_is_decoded_or_kept_for_a_tap() {
    let (track, mut rx, start) = remote();
    let mut packets = EncodedAudioStream::new(track);
    for k in [0, 2, 1, 1, 9] {
        rx.receive(packet(k, start + Duration::from_millis(k.into())));
        assert_eq!(rx.next_deadline(start), None);
    }
    assert!(rx.decoders.is_empty());
    assert_eq!(rx.buffer.next(start + PERIOD * 50), Stretch::Silence);
    let seen: Vec<_> = ready(&mut packets)
        .iter()
        .map(|p| (p.seq, p.rtp_time, (p.arrival - start).as_millis()))
        .collect();
    assert_eq!(seen, [(0, 0, 0), (2, 1920, 2), (1, 960, 1), (1, 960, 1), (9, 8640, 9)]);
    let stats = rx.stats();
    assert_eq!((stats.packets, stats.bytes, stats.lost, stats.samples), (5, 15, 6, 0));
}

#[test]
fn a_tap_that_is_not_read_overflows_and_says_so() {
    let (track, mut rx, start) = remote();
    let mut packets = EncodedAudioStream::new(track);
    for k in 0..600 {
        rx.receive(packet(k, start));
    }
    assert_eq!(packets.overflowed(), 600 - 512);
    assert_eq!(ready(&mut packets).first().map(|packet| packet.seq), Some(600 - 512));
}

#[test]
fn streams_end_with_the_track_and_sinks_leave_no_decoder() {
    let (track, mut rx, start) = remote();
    let mut packets = EncodedAudioStream::new(track.clone());
    let mut audio = NativeAudioStream::new(track.clone(), 48_000, 1);
    rx.receive(packet(0, start));
    rx.tick(start + PERIOD);
    assert_eq!(rx.decoders.len(), 1);
    assert_eq!(ready(&mut audio).len(), 2, "silence before there is anything to play");
    audio.close();
    rx.tick(start + PERIOD * 2);
    assert!(rx.decoders.is_empty() && rx.next_deadline(start + PERIOD * 2).is_none());
    track.track().end();
    assert_eq!(ready(&mut packets).len(), 1, "what came before the end");
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(std::pin::Pin::new(&mut packets).poll_next(&mut cx), Poll::Ready(None));
    let mut late = EncodedAudioStream::new(track);
    assert_eq!(std::pin::Pin::new(&mut late).poll_next(&mut cx), Poll::Ready(None));
}

#[test]
fn shapes_that_cannot_be_served_end_at_once() {
    let (track, _rx, _) = remote();
    let mut cx = Context::from_waker(Waker::noop());
    for (rate, channels) in [(0, 1), (-1, 1), (48_000, 0), (48_000, 3), (11_025, 1)] {
        let mut stream = NativeAudioStream::new(track.clone(), rate, channels);
        let item = std::pin::Pin::new(&mut stream).poll_next(&mut cx);
        assert!(matches!(item, Poll::Ready(None)), "{rate} Hz, {channels} channels");
    }
}

#[test]
fn a_muted_track_plays_silence_in_real_time() {
    let mono = PcmShape { rate: 48_000, channels: 1 };
    let (track, mut rx, start) = remote();
    let mut stream = NativeAudioStream::new(track.clone(), 48_000, 1);
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Audio)
        .expect("an encoder");
    let mut loudness = Vec::new();
    for (k, period) in (0..40u32).zip(tone(440.0, 48_000, 40 * 960).chunks(mono.period())) {
        track.set_enabled(k < 20);
        let payload = encoder.encode_vec(period, 1276).expect("encodes").into();
        rx.receive(IncomingPacket { payload, ..packet(k, start + PERIOD * k) });
        rx.tick(start + PERIOD * (k + 1));
        let frames = ready(&mut stream);
        assert_eq!(frames.len(), 2);
        loudness.push(rms(&channel(&frames, 0)));
    }
    assert!(loudness[10] > 5_000.0 && loudness[19] > 5_000.0);
    assert!(loudness[20..].iter().all(|loudness| *loudness < 0.5), "{loudness:?}");
}

#[test]
fn losses_and_concealment_are_counted() {
    let (track, mut rx, start) = remote();
    let _stream = NativeAudioStream::new(track, 48_000, 1);
    for k in (0..50).filter(|k| ![20, 30, 31].contains(k)) {
        rx.receive(packet(k, start + PERIOD * k));
        rx.tick(start + PERIOD * (k + 1));
    }
    let stats = rx.stats();
    assert_eq!((stats.packets, stats.lost, stats.discarded), (47, 3, 0));
    assert_eq!(stats.samples, 50 * 960);
    assert!(stats.concealed_samples >= 3 * 960, "{stats:?}");
    assert_eq!(stats.concealment_events, 2);
    assert_eq!(stats.silent_concealed_samples, 0);
    let waited = stats.jitter_buffer_delay
        / f64::from(u32::try_from(stats.jitter_buffer_emitted).expect("small"));
    assert!((0.02..0.08).contains(&waited), "{waited} s");
}

#[test]
fn a_stalled_playout_catches_up_within_limits() {
    let (track, mut rx, start) = remote();
    let options =
        crate::audio_stream::native::NativeAudioStreamOptions { queue_size_frames: Some(0) };
    let mut stream = NativeAudioStream::with_options(track, 48_000, 1, options);
    rx.tick(start);
    rx.tick(start + PERIOD * 4);
    assert_eq!(ready(&mut stream).len(), 8);
    rx.tick(start + PERIOD * 1000);
    assert_eq!(ready(&mut stream).len() as u64, 2 * CATCH_UP);
}

#[test]
fn another_stream_on_the_track_starts_afresh() {
    let (track, mut rx, start) = remote();
    let mut stream = NativeAudioStream::new(track, 48_000, 1);
    for k in 1000..1010 {
        rx.receive(packet(k, start + PERIOD * (k - 1000)));
        rx.tick(start + PERIOD * (k - 999));
    }
    for k in 0..10 {
        rx.receive(IncomingPacket { ssrc: 8, ..packet(k, start + PERIOD * (k + 10)) });
        rx.tick(start + PERIOD * (k + 11));
    }
    let stats = rx.stats();
    assert_eq!((stats.ssrc, stats.packets, stats.lost), (8, 20, 0));
    assert!(stats.jitter_buffer_emitted >= 16 * 960, "{stats:?}");
    assert!(!ready(&mut stream).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// No packet makes the receiver panic, and frames come out in real time whatever comes in.
    #[test]
    fn any_packets(steps in prop::collection::vec(
        (0u32..3, any::<u64>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..40), any::<bool>()), 0..60,
    )) {
        let (track, mut rx, start) = remote();
        let mut stream = NativeAudioStream::new(track, 24_000, 1);
        for (k, (ssrc, seq, rtp_time, payload, near)) in (0u32..).zip(steps) {
            let seq = if near { u64::from(k) } else { seq };
            let arrival = start + PERIOD * k;
            rx.receive(IncomingPacket {
                ssrc: ssrc / 2,
                seq,
                rtp_time,
                payload: payload.into(),
                arrival,
            });
            rx.tick(start + PERIOD * (k + 1));
            let frames = ready(&mut stream);
            prop_assert_eq!(frames.len(), 2);
            prop_assert!(frames.iter().all(|frame| frame.data.len() == 240));
        }
    }
}
