use super::*;
use crate::audio::level::{dbfs, power_of};
use crate::audio::testing::{burst, noise, silence, tone};
use crate::audio::{FRAME, duration_of};

mod properties;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A packet on its way to the ear.
#[derive(Clone, Debug)]
struct Packet {
    at: Duration,
    rtp_time: u32,
    pcm: Vec<i16>,
}

/// The signal in packets of 20 ms, the first of which arrives at `start`, each one in time.
fn packets(pcm: &[i16], start: Duration) -> Vec<Packet> {
    pcm.chunks(FRAME)
        .zip(0u32..)
        .map(|(pcm, i)| Packet { at: start + MS(20) * i, rtp_time: i * 960, pcm: pcm.to_vec() })
        .collect()
}

/// What is heard, but for what is said of noise that never ends.
fn hear(ear: &mut Ear, packets: &[Packet]) -> Vec<Event> {
    packets
        .iter()
        .flat_map(|p| ear.hear(Heard { at: p.at, rtp_time: p.rtp_time, pcm: &p.pcm }))
        .filter(|event| !matches!(event, Event::NeverSilent { .. }))
        .collect()
}

fn hear_all(packets: &[Packet]) -> Vec<Event> {
    hear(&mut Ear::new(), packets)
}

fn started(ms: u64) -> Event {
    Event::VoiceStarted { at: MS(ms), sound_at: MS(ms) }
}

/// The last sample of a voice that ends at `ms`.
fn ended(ms: u64) -> Event {
    Event::VoiceEnded { at: duration_of(ms * 48 - 1) }
}

/// Moments to the microsecond, as the duration of a sample is no whole number of nanoseconds.
fn rounded(events: &[Event]) -> Vec<(bool, u128)> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::VoiceStarted { at, .. } => Some((true, at.as_nanos().div_ceil(1000))),
            Event::VoiceEnded { at } | Event::VoiceRetracted { at } => {
                Some((false, at.as_nanos().div_ceil(1000)))
            }
            Event::NeverSilent { .. } => None,
        })
        .collect()
}

fn assert_events(found: &[Event], expected: &[Event]) {
    assert_eq!(rounded(found), rounded(expected));
}

#[test]
fn the_constant_is_that_of_its_level() {
    assert!((power_of(SOUND_DBFS) / SOUND - 1.0).abs() < 1e-12);
}

#[test]
fn a_voice_is_dated_to_its_first_and_last_sample() {
    let pcm = [silence(333), burst(500, -20.0), silence(400)].concat();
    assert_events(&hear_all(&packets(&pcm, Duration::ZERO)), &[started(333), ended(833)]);
}

#[test]
fn a_beginning_is_known_soon_and_an_end_after_the_silence_that_makes_it() {
    let all = packets(&[silence(333), burst(500, -20.0), silence(400)].concat(), Duration::ZERO);
    let mut ear = Ear::new();
    let known: Vec<Duration> = all
        .iter()
        .filter(|p| !hear(&mut ear, std::slice::from_ref(p)).is_empty())
        .map(|p| p.at + MS(20))
        .collect();
    assert!(known[0] <= MS(333 + 60), "{known:?}");
    assert!(known[1] >= MS(833 + 200) && known[1] <= MS(833 + 230), "{known:?}");
}

#[test]
fn sentences_are_voices_of_their_own_and_words_are_not() {
    let pcm = [
        silence(100),
        burst(300, -20.0),
        silence(150),
        burst(300, -20.0),
        silence(350),
        burst(300, -20.0),
        silence(300),
    ]
    .concat();
    assert_events(
        &hear_all(&packets(&pcm, MS(0))),
        &[started(100), ended(850), started(1200), ended(1500)],
    );
}

#[test]
fn a_voice_from_the_first_sample_on_is_one() {
    let pcm = [burst(500, -20.0), silence(400)].concat();
    assert_events(&hear_all(&packets(&pcm, MS(0))), &[started(0), ended(500)]);
}

#[test]
fn clicks_are_not_voices_and_do_not_prolong_one() {
    let pcm = [
        silence(200),
        burst(3, -3.0),
        silence(200),
        burst(25, -10.0),
        silence(200),
        burst(300, -20.0),
        silence(150),
        burst(3, -3.0),
        silence(400),
    ]
    .concat();
    assert_events(&hear_all(&packets(&pcm, MS(0))), &[started(628), ended(928)]);
}

#[test]
fn a_soft_beginning_is_found_where_it_becomes_audible() {
    // From −70 dBFS to −20 in 500 ms: −50 is passed after 200 ms.
    let rise: Vec<i16> = tone(24_000, 500.0, -20.0)
        .iter()
        .enumerate()
        .map(|(i, s)| {
            let gain = 10f64.powf((duration_of(i as u64).as_secs_f64() * 100.0 - 50.0) / 20.0);
            #[expect(clippy::cast_possible_truncation, reason = "a gain of at most 1")]
            let sample = (f64::from(*s) * gain).round() as i16;
            sample
        })
        .collect();
    let pcm = [silence(100), rise, burst(200, -20.0), silence(300)].concat();
    let events = hear_all(&packets(&pcm, MS(0)));
    let [Event::VoiceStarted { at, .. }, Event::VoiceEnded { .. }] = events[..] else {
        panic!("{events:?}")
    };
    assert!(at.abs_diff(MS(300)) < MS(10), "{at:?}");
}

#[test]
fn a_soft_consonant_before_a_vowel_belongs_to_the_voice() {
    let pcm = [silence(200), noise(48 * 80, -42.0, 3), burst(300, -15.0), silence(300)].concat();
    let events = hear_all(&packets(&pcm, MS(0)));
    let [Event::VoiceStarted { at, .. }, Event::VoiceEnded { .. }] = events[..] else {
        panic!("{events:?}")
    };
    assert!(at.abs_diff(MS(200)) < MS(2), "{at:?}");
}

#[test]
fn noise_that_sets_in_is_a_sound_until_it_is_known_to_be_none() {
    let mut pcm = noise(48 * 10_000, -45.0, 1);
    pcm[..48_000].fill(0);
    let all = packets(&pcm, MS(0));
    let mut ear = Ear::new();
    let events: Vec<(Duration, Event)> = all
        .iter()
        .flat_map(|p| {
            let events = ear.hear(Heard { at: p.at, rtp_time: p.rtp_time, pcm: &p.pcm });
            events.into_iter().map(|event| (p.at, event))
        })
        .collect();
    let [
        (_, Event::VoiceStarted { at: first, .. }),
        (known, Event::VoiceRetracted { at: none }),
        (_, Event::NeverSilent { since, level_dbfs }),
    ] = events[..]
    else {
        panic!("{events:?}")
    };
    assert!(first.abs_diff(MS(1000)) < MS(2), "{first:?}");
    assert_eq!(none, first);
    assert!(known < MS(3_700), "{known:?}");
    assert!(since.abs_diff(MS(1000)) < MS(100), "{since:?}");
    assert!((level_dbfs + 45.0).abs() < 1.0, "{level_dbfs}");
}

#[test]
fn a_loud_tone_without_end_stays_a_voice() {
    let pcm = [silence(100), tone(48 * 20_000, 300.0, -20.0)].concat();
    assert_eq!(hear_all(&packets(&pcm, MS(0))).len(), 1);
}

#[test]
fn dtx_gaps_are_silence_and_teach_nothing() {
    let mut ear = Ear::new();
    // Comfort noise at −45 dBFS, then nothing but a packet of it each 400 ms.
    let mut all = packets(&noise(48 * 1000, -45.0, 1), MS(0));
    for i in 0..10 {
        let at = 1000 + 400 * i;
        all.push(Packet {
            at: MS(at),
            rtp_time: u32::try_from(at * 48).expect("a short test"),
            pcm: noise(960, -45.0, at),
        });
    }
    assert_eq!(hear(&mut ear, &all), []);
    let noise_dbfs = dbfs(ear.noise.power());
    assert!((noise_dbfs + 45.0).abs() < 2.0, "{noise_dbfs}");
    // The voice comes after another gap.
    let voice: Vec<Packet> = packets(&burst(300, -20.0), MS(6000))
        .into_iter()
        .map(|p| Packet { rtp_time: p.rtp_time + 6000 * 48, ..p })
        .collect();
    assert_events(&hear(&mut ear, &voice), &[started(6000)]);
    // And the next packet of silence is 400 ms later.
    let next = Packet { at: MS(6700), rtp_time: 6700 * 48, pcm: noise(960, -45.0, 1) };
    assert_events(&hear(&mut ear, &[next]), &[ended(6300)]);
}

#[test]
fn a_lost_packet_does_not_divide_a_voice_or_move_its_end() {
    let mut all = packets(&[silence(100), burst(600, -20.0), silence(400)].concat(), MS(0));
    all.remove(20);
    assert_events(&hear_all(&all), &[started(100), ended(700)]);
}

#[test]
fn the_packet_with_the_beginning_decides_and_the_loss_before_it_does_not() {
    let mut all = packets(&[silence(100), burst(600, -20.0), silence(400)].concat(), MS(0));
    // The beginning itself is lost: what was heard first is what came next.
    all.remove(5);
    assert_events(&hear_all(&all), &[started(120), ended(700)]);
}

#[test]
fn a_burst_of_packets_counts_from_its_arrival() {
    let pcm = [silence(200), burst(300, -20.0), silence(400)].concat();
    let mut all = packets(&pcm, MS(0));
    // Packets 5 to 14 (100 to 300 ms) arrive together at 300 ms.
    for packet in &mut all[5..15] {
        packet.at = MS(300);
    }
    assert_events(&hear_all(&all), &[started(300), ended(500)]);
}

#[test]
fn a_late_packet_delays_what_it_holds_and_makes_no_pause() {
    let pcm = [silence(200), burst(600, -20.0), silence(400)].concat();
    let mut all = packets(&pcm, MS(0));
    for packet in &mut all[20..] {
        packet.at += MS(250);
    }
    assert_events(&hear_all(&all), &[started(200), ended(800 + 250)]);
}

#[test]
fn a_packet_behind_its_successor_is_left_out() {
    let pcm = [silence(200), burst(600, -20.0), silence(400)].concat();
    let mut all = packets(&pcm, MS(0));
    let again = all[3].clone();
    all.insert(30, again);
    all.swap(20, 21);
    assert_events(&hear_all(&all), &[started(200), ended(800)]);
}

#[test]
fn a_new_stream_follows_the_old_one() {
    let mut all = packets(&[silence(200), burst(100, -20.0)].concat(), MS(0));
    let second: Vec<Packet> = packets(&[burst(300, -20.0), silence(300)].concat(), MS(300))
        .into_iter()
        .map(|p| Packet { rtp_time: p.rtp_time.wrapping_add(3_000_000_000), ..p })
        .collect();
    all.extend(second);
    assert_events(&hear_all(&all), &[started(200), ended(600)]);
}

#[test]
fn a_stream_that_stops_is_silent_in_the_end() {
    let mut ear = Ear::new();
    let all = packets(&[silence(200), burst(300, -20.0)].concat(), MS(0));
    assert_events(&hear(&mut ear, &all), &[started(200)]);
    assert_eq!(ear.advance(MS(899)), []);
    assert!(ear.voice.is_some());
    assert_events(&ear.advance(MS(900)), &[ended(500)]);
    assert_events(&ear.advance(MS(5000)), &[]);
    // It goes on where it stopped, but later.
    let rest: Vec<Packet> = packets(&burst(300, -20.0), MS(1500))
        .into_iter()
        .map(|p| Packet { rtp_time: p.rtp_time + 500 * 48, ..p })
        .collect();
    assert_events(&hear(&mut ear, &rest), &[started(1500)]);
}

#[test]
fn the_packet_not_yet_full_counts_when_nothing_follows() {
    let mut ear = Ear::new();
    let mut all = packets(&[silence(200), burst(48, -20.0)].concat(), MS(0));
    // 2.5 ms packets, so that a block is open at the end.
    all = all
        .iter()
        .flat_map(|p| {
            p.pcm.chunks(120).zip(0u32..).map(|(pcm, i)| Packet {
                at: p.at + Duration::from_micros(2500) * i,
                rtp_time: p.rtp_time + 120 * i,
                pcm: pcm.to_vec(),
            })
        })
        .collect();
    let mut events = hear(&mut ear, &all);
    events.extend(ear.advance(MS(10_000)));
    assert_events(&events, &[started(200), ended(248)]);
}

#[test]
fn a_soft_lead_in_is_a_sound_before_the_voice() {
    let mut ear = Ear::new();
    // 200 ms of silence, 300 ms at -57 dBFS, 300 ms of voice: packets that come every 20 ms.
    let level = |ms: u64| match ms {
        0..200 => 0.0,
        200..500 => 46.0,
        _ => 6_000.0,
    };
    let mut events = Vec::new();
    for packet in 0..40_u64 {
        let at = packet * 20;
        let pcm: Vec<i16> = (0..960)
            .map(|i| {
                let t = f64::from(i) / 48_000.0 * 440.0 * std::f64::consts::TAU;
                #[expect(clippy::cast_possible_truncation, reason = "below full scale")]
                let sample = (t.sin() * level(at) * std::f64::consts::SQRT_2) as i16;
                sample
            })
            .collect();
        let rtp_time = u32::try_from(at * 48).unwrap();
        events.extend(ear.hear(Heard { at: MS(at + 1_000), rtp_time, pcm: &pcm }));
    }
    let [Event::VoiceStarted { at, sound_at }] = events[..] else { panic!("{events:?}") };
    assert_eq!(sound_at, MS(1_200));
    assert!(at >= MS(1_500) && at < MS(1_502), "{at:?}");
}
