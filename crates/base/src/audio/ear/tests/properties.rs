//! What holds for any signal and any arrival.

use proptest::prelude::*;

use super::*;
use crate::audio::testing::{Random, mix, room};

/// How packets can arrive: in time, and each a bit later than it should.
fn jittered(pcm: &[i16], seed: u64, jitter_ms: u64) -> Vec<Packet> {
    let mut random = Random(seed);
    let mut last = Duration::ZERO;
    packets(pcm, MS(0))
        .into_iter()
        .map(|p| {
            let late = Duration::from_micros(random.next() % (jitter_ms * 1000 + 1));
            last = last.max(p.at + late);
            Packet { at: last, ..p }
        })
        .collect()
}

/// Four seconds with one voice for certain, and voices, clicks and noise anywhere.
fn anything(seed: u64) -> Vec<i16> {
    let mut random = Random(seed);
    let mut pick = |from: u64, to: u64| from + random.next() % (to - from);
    let mut pcm = noise(
        48 * 4000,
        -50.0 - Duration::from_millis(pick(0, 40_000)).as_secs_f64(),
        pick(0, 1000),
    );
    mix(&mut pcm, 48_000, &burst(400, -12.0));
    for _ in 0..pick(1, 8) {
        let at = usize::try_from(pick(0, 180_000)).expect("small");
        let ms = usize::try_from(pick(1, 700)).expect("small");
        mix(&mut pcm, at, &burst(ms, -35.0 + Duration::from_millis(pick(0, 25_000)).as_secs_f64()));
    }
    pcm
}

fn moment(event: &Event) -> Duration {
    match event {
        Event::VoiceStarted { at, .. }
        | Event::VoiceEnded { at }
        | Event::VoiceRetracted { at } => *at,
        Event::NeverSilent { since, .. } => *since,
    }
}

fn assert_alternating(events: &[Event]) {
    for (i, event) in events.iter().enumerate() {
        assert_eq!(matches!(event, Event::VoiceStarted { .. }), i % 2 == 0, "{events:?}");
    }
    assert!(events.windows(2).all(|pair| moment(&pair[0]) <= moment(&pair[1])), "{events:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_voice_anywhere_in_noise_is_found_within_5_ms(
        start in 5_000usize..190_000,
        length in 2_000usize..90_000,
        hz in 120.0..3500.0f64,
        noise_dbfs in -90.0..-42.0f64,
        snr in 15.0..60.0f64,
        of_a_room in any::<bool>(),
        seed in any::<u64>(),
        jitter in 0u64..60,
    ) {
        let level = (noise_dbfs + snr).clamp(-44.0, -6.0);
        let mut pcm = if of_a_room { room(300_000, noise_dbfs, seed) } else { noise(300_000, noise_dbfs, seed) };
        mix(&mut pcm, start, &tone(length, hz, level));
        let all = jittered(&pcm, seed, jitter);
        let events = hear_all(&all);
        let expected = |sample: usize| {
            let packet = &all[sample / FRAME];
            packet.at + duration_of((sample % FRAME) as u64)
        };
        let [Event::VoiceStarted { at: first, .. }, Event::VoiceEnded { at: last }] = events[..] else {
            return Err(TestCaseError::fail(format!("{events:?}")));
        };
        // Found in the next packet, it carries that packet's lateness; so compare in the stream's time.
        let nearest = |at: Duration, sample: usize| {
            (0..240).step_by(12).any(|off| {
                [sample + off, sample.saturating_sub(off)].iter().any(|s| expected(*s).abs_diff(at) < MS(1))
            })
        };
        prop_assert!(nearest(first, start), "beginning {first:?} is not {:?}", expected(start));
        prop_assert!(nearest(last, start + length - 1), "end {last:?} is not {:?}", expected(start + length - 1));
    }

    #[test]
    fn silence_and_noise_give_nothing(
        dbfs in -95.0..-41.0f64,
        of_a_room in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let pcm = if of_a_room { room(480_000, dbfs, seed) } else { noise(480_000, dbfs, seed) };
        prop_assert_eq!(hear_all(&packets(&pcm, MS(0))), []);
        prop_assert_eq!(hear_all(&packets(&silence(3000), MS(0))), []);
    }

    #[test]
    fn later_packets_shift_every_event(seed in any::<u64>(), shift_us in 0u64..10_000_000_000, jitter in 0u64..100) {
        let all = jittered(&anything(seed), seed, jitter);
        let shift = Duration::from_micros(shift_us);
        let late: Vec<Packet> = all.iter().map(|p| Packet { at: p.at + shift, ..p.clone() }).collect();
        let (mut now, mut then) = (Ear::new(), Ear::new());
        let mut events = hear(&mut now, &all);
        let mut shifted = hear(&mut then, &late);
        events.extend(now.advance(MS(100_000)));
        shifted.extend(then.advance(MS(100_000) + shift));
        prop_assert!(!events.is_empty());
        assert_alternating(&events);
        prop_assert_eq!(events.len(), shifted.len());
        for (a, b) in events.iter().zip(&shifted) {
            prop_assert_eq!(moment(a) + shift, moment(b));
        }
    }

    #[test]
    fn the_rtp_time_may_begin_anywhere_and_packets_may_be_of_any_length(
        seed in any::<u64>(),
        origin in any::<u32>(),
        length in prop::sample::select(vec![120usize, 240, 480, 777, 1920, 2880, 5760]),
    ) {
        let pcm = anything(seed);
        let whole = hear_all(&packets(&pcm, MS(0)));
        let mut at = 0u32;
        let mut events = Vec::new();
        let mut ear = Ear::new();
        for pcm in pcm.chunks(length) {
            let rtp_time = origin.wrapping_add(at);
            events.extend(ear.hear(Heard { at: duration_of(at.into()), rtp_time, pcm }));
            at += u32::try_from(pcm.len()).expect("small");
        }
        prop_assert_eq!(rounded(&events), rounded(&whole));
    }

    #[test]
    fn nothing_that_arrives_panics_and_events_alternate(
        arrivals in proptest::collection::vec(
            (any::<u64>(), any::<u32>(), 0u32..4, 0usize..1500, any::<i16>(), any::<bool>()),
            0..60,
        ),
    ) {
        let mut ear = Ear::new();
        let mut events = Vec::new();
        let mut next = 0u32;
        for (at, rtp_time, kind, length, value, is_tone) in arrivals {
            let pcm = if is_tone { burst(length / 48, -10.0) } else { vec![value; length] };
            let rtp_time = match kind {
                0 => rtp_time,
                1 => next.wrapping_add(rtp_time % 4000),
                2 => next.wrapping_sub(rtp_time % 4000),
                _ => next,
            };
            next = rtp_time.wrapping_add(960);
            // Microseconds, and now and then the end of time.
            let at = if at % 7 == 0 { Duration::MAX } else { Duration::from_micros(at >> 30) };
            events.extend(ear.hear(Heard { at, rtp_time, pcm: &pcm }));
            if at < MS(5_000_000) {
                events.extend(ear.advance(at));
            }
        }
        events.extend(ear.advance(Duration::MAX));
        assert_alternating(&events);
        prop_assert_eq!(events.len() % 2, 0);
    }
}
