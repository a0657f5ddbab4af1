use std::time::Duration;

use super::{native::NativeAudioSource, *};
use crate::{
    clock,
    types::{RtcErrorType, audio_frame::AudioFrame},
};

fn source(rate: u32, channels: u32, queue_ms: u32) -> NativeAudioSource {
    NativeAudioSource::new(AudioSourceOptions::default(), rate, channels, queue_ms)
}

/// A frame of so many milliseconds.
fn frame(rate: u32, channels: u32, ms: u32) -> AudioFrame<'static> {
    AudioFrame::new(rate, channels, rate / 1000 * ms)
}

#[tokio::test]
async fn frames_that_do_not_fit_are_refused_with_a_reason() {
    for (source, frame, reason) in [
        (source(48_000, 1, 100), frame(24_000, 1, 10), "24000 Hz"),
        (source(48_000, 1, 100), frame(48_000, 2, 10), "2 channels"),
        (source(48_000, 6, 100), frame(48_000, 6, 10), "unsupported"),
        (source(11_025, 1, 100), frame(11_025, 1, 10), "unsupported"),
        (source(48_000, 0, 100), frame(48_000, 0, 10), "unsupported"),
        (source(48_000, 1, 0), frame(48_000, 1, 20), "10 ms"),
    ] {
        let error = source.capture_frame(&frame).await.expect_err(reason);
        assert_eq!(error.error_type, RtcErrorType::InvalidState);
        assert!(error.message.contains(reason), "{error} should mention {reason}");
    }
    let mut odd = frame(48_000, 2, 10);
    odd.data.to_mut().pop();
    assert!(source(48_000, 2, 100).capture_frame(&odd).await.is_err());
}

#[tokio::test]
async fn a_frame_longer_than_the_queue_is_captured_in_real_time() {
    let source = source(48_000, 2, 40);
    let begun = clock::now();
    source.capture_frame(&frame(48_000, 2, 200)).await.expect("it fits");
    // All but the queue has been taken; the clock of the source may be up to one period ahead of ours.
    let waited = begun.elapsed();
    assert!(
        waited >= Duration::from_millis(140) && waited < Duration::from_millis(400),
        "{waited:?}"
    );
}

#[tokio::test]
async fn clearing_releases_a_caller_that_is_held_back() {
    let source = source(48_000, 1, 1000);
    source.capture_frame(&frame(48_000, 1, 1000)).await.expect("it fits");
    let more = frame(48_000, 1, 1000);
    let mut held = std::pin::pin!(source.capture_frame(&more));
    assert!(
        tokio::time::timeout(Duration::from_millis(50), &mut held).await.is_err(),
        "a second is ahead"
    );
    source.clear_buffer();
    tokio::time::timeout(Duration::from_millis(200), held)
        .await
        .expect("released")
        .expect("it fits");
}

#[tokio::test]
async fn without_a_queue_nobody_is_held_back() {
    let source = source(16_000, 1, 0);
    let begun = clock::now();
    for _ in 0..200 {
        source.capture_frame(&frame(16_000, 1, 10)).await.expect("10 ms");
    }
    assert!(begun.elapsed() < Duration::from_millis(500));
}

#[tokio::test]
async fn ready_made_packets_and_frames_do_not_mix() {
    let silence = crate::encoded::EncodedFrame { payload: [0xf8].into(), level: 127 };
    let RtcAudioSource::Native(source) =
        crate::encoded::EncodedAudioSource::new(silence).rtc_source()
    else {
        panic!("an encoded source is a native one");
    };
    assert_eq!((source.sample_rate(), source.num_channels()), (48_000, 1));
    assert!(source.capture_frame(&frame(48_000, 1, 10)).await.is_err());
}

#[test]
fn options_are_kept() {
    let source = RtcAudioSource::Native(source(24_000, 2, 100));
    source.set_audio_options(AudioSourceOptions {
        noise_suppression: true,
        ..AudioSourceOptions::default()
    });
    assert!(source.audio_options().noise_suppression);
    assert_eq!((source.sample_rate(), source.num_channels()), (24_000, 2));
    assert_eq!(
        (RtcAudioSource::Device.sample_rate(), RtcAudioSource::Device.num_channels()),
        (48_000, 1)
    );
}
