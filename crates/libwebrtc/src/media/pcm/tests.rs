use proptest::prelude::*;

use super::*;
use crate::{clock, media::PERIOD};

const MONO: PcmShape = PcmShape { rate: 8_000, channels: 1 };
const PER_PERIOD: usize = 160;

fn timeline(queue_ms: u64) -> (Instant, PcmTimeline) {
    let start = clock::now();
    (start, PcmTimeline::new(Grid::new(start), MONO, Duration::from_millis(queue_ms), start))
}

fn at(start: Instant, ms: u64) -> Instant {
    start + Duration::from_millis(ms)
}

#[test]
fn shapes() {
    let shape = |rate, channels| PcmShape { rate, channels };
    for (supported, rate, channels) in [
        (true, 8_000, 1),
        (true, 44_100, 2),
        (true, 22_050, 1),
        (false, 11_025, 1),
        (false, 48_000, 0),
        (false, 48_000, 3),
        (false, 0, 1),
    ] {
        assert_eq!(
            shape(rate, channels).is_supported(),
            supported,
            "{rate} Hz, {channels} channels"
        );
    }
    assert_eq!(shape(44_100, 2).period(), 1764);
}

#[test]
fn a_period_takes_what_was_captured_before_its_end() {
    let (start, mut pcm) = timeline(100);
    let (reader, first) = pcm.attach(start);
    assert_eq!(first, 0);
    pcm.push(at(start, 5), &[1; PER_PERIOD]).expect("there is room");
    assert_eq!(pcm.fetch(reader, 0).as_deref(), Some(&[1; PER_PERIOD][..]));
    assert_eq!(pcm.fetch(reader, 1).as_deref(), Some(&[0; PER_PERIOD][..]), "then silence");
}

#[test]
fn a_frame_shorter_than_a_period_is_not_kept_back() {
    let (start, mut pcm) = timeline(100);
    let (reader, _) = pcm.attach(start);
    pcm.push(start, &[1; 10]).expect("there is room");
    let period = pcm.fetch(reader, 0).expect("a queue source always has audio");
    assert_eq!((period[9], period[10], period.len()), (1, 0, PER_PERIOD));
}

#[test]
fn the_caller_waits_while_more_than_the_queue_is_ahead() {
    let (start, mut pcm) = timeline(40);
    pcm.push(start, &[1; 2 * PER_PERIOD]).expect("there is room");
    assert_eq!(pcm.next_push(start), None, "exactly the queue");
    pcm.push(start, &[1; 2 * PER_PERIOD]).expect("twice the queue is taken");
    assert_eq!(pcm.next_push(start), Some(at(start, 40)));
    assert_eq!(
        pcm.push(start, &[1; PER_PERIOD]),
        Err(at(start, 20)),
        "no room until a period has passed"
    );
    assert_eq!(pcm.next_push(at(start, 40)), None, "time drains the queue without any sender");
}

#[test]
fn clearing_gives_silence_and_room() {
    let (start, mut pcm) = timeline(40);
    let (reader, _) = pcm.attach(start);
    pcm.push(start, &[1; 4 * PER_PERIOD]).expect("twice the queue is taken");
    assert!(pcm.fetch(reader, 0).is_some_and(|period| period.contains(&1)));
    pcm.clear();
    assert_eq!(pcm.next_push(at(start, 20)), None);
    assert!(pcm.fetch(reader, 1).is_some_and(|period| !period.contains(&1)));
}

#[test]
fn every_sender_gets_the_same_periods() {
    let (start, mut pcm) = timeline(100);
    let (one, _) = pcm.attach(start);
    let (other, _) = pcm.attach(start);
    pcm.push(start, &[1; PER_PERIOD]).expect("there is room");
    pcm.push(start, &[2; PER_PERIOD]).expect("there is room");
    for index in 0..2 {
        assert_eq!(pcm.fetch(one, index), pcm.fetch(other, index));
    }
    assert!(pcm.recent.is_empty(), "what both have is forgotten");
}

#[test]
fn a_sender_that_lags_does_not_keep_more_than_the_limit() {
    let (start, mut pcm) = timeline(1000);
    let (fast, _) = pcm.attach(start);
    let (slow, _) = pcm.attach(start);
    for index in 0..100 {
        assert!(pcm.fetch(fast, index).is_some());
    }
    assert_eq!(pcm.recent.len() as u64, CATCH_UP);
    assert_eq!(pcm.fetch(slow, 0), None);
    pcm.detach(slow);
    assert!(pcm.recent.is_empty());
}

#[test]
fn without_a_queue_nothing_is_made_up() {
    let (start, mut pcm) = timeline(0);
    let (reader, _) = pcm.attach(start);
    pcm.push(start, &[1; 80]).expect("taken");
    assert_eq!(pcm.fetch(reader, 0), None, "half a period only");
    pcm.push(at(start, 21), &[1; 80]).expect("taken");
    assert!(pcm.fetch(reader, 1).is_some());
    assert_eq!(pcm.next_push(start), None, "never back-pressure");
}

#[test]
fn without_a_queue_the_backlog_is_bounded() {
    let (start, mut pcm) = timeline(0);
    let _reader = pcm.attach(start);
    for _ in 0..1000 {
        pcm.push(start, &[1; 80]).expect("taken");
    }
    assert_eq!(pcm.waiting.len(), MONO.samples(DIRECT_LIMIT));
}

proptest! {
    /// Whatever comes in and whoever reads when, memory stays bounded, and samples come out once and in order.
    #[test]
    fn samples_keep_their_order(steps in prop::collection::vec((0u64..3_000, 0usize..400, 0u8..4), 0..60)) {
        let (start, mut pcm) = timeline(60);
        let (reader, mut index) = pcm.attach(start);
        let (mut now, mut sample, mut last_heard) = (start, 0i16, 0i16);
        for (ms, len, action) in steps {
            now += Duration::from_millis(ms / if action == 0 { 1 } else { 100 });
            let frame: Vec<i16> = (0..len).map(|i| sample + 1 + i16::try_from(i).expect("small")).collect();
            if sample < 30_000 && frame.len() <= pcm.queue() && pcm.push(now, &frame).is_ok() {
                sample += i16::try_from(len).expect("small");
            }
            while pcm.grid().deadline(index) <= now && action != 3 {
                for heard in pcm.fetch(reader, index).iter().flat_map(|period| period.iter()).filter(|s| **s != 0) {
                    prop_assert!(*heard > last_heard, "{} after {}", heard, last_heard);
                    last_heard = *heard;
                }
                index += 1;
            }
            prop_assert!(pcm.waiting.len() <= 2 * pcm.queue());
            prop_assert!(pcm.recent.len() as u64 <= CATCH_UP);
        }
        let drained = pcm.next_push(now + PERIOD * 10);
        prop_assert_eq!(drained, None);
    }
}
