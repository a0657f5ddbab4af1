use super::*;
use crate::audio::opus::encode_pcm;
use crate::audio::testing::{CLIPS, mix, room, silence};
use crate::audio::{Clip, audible_span};
use proptest::prelude::*;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Samples as packets that arrive in time.
fn packets(pcm: &[i16]) -> Vec<Packet> {
    let encoded = encode_pcm(pcm, 0, pcm.len() - 1).unwrap();
    let packet = |(frame, i): (&crate::audio::opus::EncodedFrame, u32)| Packet {
        at: MS(20) * i,
        rtp_time: i * 960,
        payload: Bytes::copy_from_slice(&frame.payload),
    };
    encoded.frames().iter().zip(0u32..).map(packet).collect()
}

/// What is told of packets, of which some may be missing, and how many were never decoded. Nothing may be told earlier
/// than was said.
fn listen(packets: &[Packet]) -> (Vec<Event>, usize) {
    let mut listener = Listener::new();
    let (mut events, mut dropped) = (listener.begin_stream(), 0);
    let (mut expected, mut certain_from) = (0, 0);
    for packet in packets {
        let missing = packet.rtp_time.saturating_sub(expected) / 960;
        let told = events.len();
        if missing > 0 {
            events.extend(listener.lost(missing.into(), packet.at));
        }
        expected = packet.rtp_time + 960;
        let kept = |listener: &Listener| listener.passing.as_ref().map(|p| p.kept.len());
        let before = kept(&listener);
        events.extend(listener.hear(packet.clone()));
        let place = packet.rtp_time as usize / 960;
        assert!(events.len() == told || place >= certain_from, "{place}: {:?}", &events[told..]);
        certain_from = certain_from.max(place + listener.certain_in());
        if let (Some(before), Some(after)) = (before, kept(&listener)) {
            dropped += before + 1 - after;
        }
    }
    let end = packets.last().map_or(MS(0), |last| last.at) + MS(1_000);
    events.extend(listener.advance(end));
    (events, dropped)
}

/// What is told when every packet is decoded.
fn listen_to_all(packets: &[Packet]) -> Vec<Event> {
    let (mut decoder, mut ear) = (Decoder::new().unwrap(), Ear::new());
    let (mut events, mut expected) = (Vec::new(), 0);
    for Packet { at, rtp_time, payload } in packets {
        let missing = rtp_time.saturating_sub(expected) / 960;
        if missing > 0 {
            let pcm = decoder.conceal(missing).unwrap();
            events.extend(ear.hear(Heard { at: *at, rtp_time: expected, pcm }));
        }
        expected = rtp_time + 960;
        let pcm = decoder.decode(payload).unwrap();
        events.extend(ear.hear(Heard { at: *at, rtp_time: *rtp_time, pcm }));
    }
    let end = packets.last().map_or(MS(0), |last| last.at) + MS(1_000);
    events.extend(ear.advance(end));
    events
}

/// How far apart the same events are at most, in ms; `None` if they are not the same.
fn distance(one: &[Event], other: &[Event]) -> Option<f64> {
    let moment = |event: &Event| match event {
        Event::VoiceStarted { at, .. } => (true, at.as_secs_f64() * 1e3),
        Event::VoiceEnded { at } => (false, at.as_secs_f64() * 1e3),
    };
    let pairs = || one.iter().map(moment).zip(other.iter().map(moment));
    let same = one.len() == other.len() && pairs().all(|(a, b)| a.0 == b.0);
    same.then(|| pairs().map(|(a, b)| (a.1 - b.1).abs()).fold(0.0, f64::max))
}

/// All clips twice, each cut to its sound, with pauses of so many milliseconds, over the noise of a room.
fn speech(pauses: &[usize], noise: Option<f64>) -> Vec<i16> {
    let mut pcm = silence(300);
    for (i, (_, wav)) in CLIPS.iter().cycle().take(CLIPS.len() * 2).enumerate() {
        let clip = Clip::from_wav(wav).unwrap();
        let (first, last) = audible_span(clip.pcm()).unwrap();
        pcm.extend(&clip.pcm()[first..=last]);
        pcm.extend(silence(pauses[i % pauses.len()]));
    }
    pcm.extend(silence(400));
    if let Some(level) = noise {
        let noise = room(pcm.len(), level, 7);
        mix(&mut pcm, 0, &noise);
    }
    pcm
}

#[test]
fn edges_are_those_of_a_listener_that_decodes_everything() {
    for noise in [None, Some(-65.0)] {
        for pauses in [&[700, 1500][..], &[190, 205, 215, 700], &[230, 400, 260, 150]] {
            for phase in [0, 13] {
                let packets = packets(&[silence(phase), speech(pauses, noise)].concat());
                let (events, dropped) = listen(&packets);
                let apart = distance(&events, &listen_to_all(&packets));
                let which = format!("{noise:?}, pauses of {pauses:?}, {phase} ms");
                assert!(apart.is_some_and(|ms| ms < 1.0), "{which}: {apart:?} ms apart");
                assert!(dropped * 100 > packets.len() * 15, "{which}: {dropped} left out");
            }
        }
    }
}

#[test]
fn in_a_voice_nothing_is_certain_before_the_silence_that_ends_it() {
    for noise in [None, Some(-52.0)] {
        let mut listener = Listener::new();
        listener.begin_stream();
        let (mut waits, mut at_rest) = (Vec::new(), 0);
        for packet in packets(&speech(&[700], noise)) {
            listener.hear(packet);
            waits.push(listener.certain_in());
            at_rest += usize::from(listener.is_at_rest());
        }
        let long = waits.iter().filter(|packets| **packets >= 7).count();
        assert!(long * 3 > waits.len(), "{noise:?}: {long} of {}", waits.len());
        assert!(waits.contains(&1) && waits.iter().all(|packets| (1..=10).contains(packets)));
        assert_eq!(at_rest > 0, noise.is_none());
    }
}

#[test]
fn over_a_noise_that_moves_the_threshold_everything_is_decoded() {
    let packets = packets(&speech(&[700, 260], Some(-52.0)));
    let (events, dropped) = listen(&packets);
    // Before the noise is known, nothing is known of the voice either.
    assert_eq!((distance(&events, &listen_to_all(&packets)), dropped), (Some(0.0), 0));
}

#[test]
fn losses_are_made_up_for_as_without_leaving_anything_out() {
    let mut packets = packets(&speech(&[700, 260], None));
    let mut index = 0;
    packets.retain(|_| {
        index += 1;
        index % 83 != 0 && index % 84 != 0
    });
    let (events, dropped) = listen(&packets);
    let apart = distance(&events, &listen_to_all(&packets));
    assert!(apart.is_some_and(|ms| ms < 1.0) && dropped > 0, "{apart:?} ms, {dropped} left out");
}

#[test]
fn a_voice_that_stops_coming_ends_with_its_last_packet() {
    let all = packets(&speech(&[700], None));
    let mut dropped_once = 0;
    for end in (60..all.len()).step_by(67) {
        let (events, dropped) = listen(&all[..end]);
        let apart = distance(&events, &listen_to_all(&all[..end]));
        assert!(apart.is_some_and(|ms| ms < 1.0), "after {end} packets: {apart:?} ms apart");
        dropped_once += dropped;
    }
    assert!(dropped_once > 0);
}

#[test]
fn another_stream_ends_the_voice_before_it() {
    let all = packets(&speech(&[700], None));
    let mut listener = Listener::new();
    let mut events = listener.begin_stream();
    for packet in &all {
        events.extend(listener.hear(packet.clone()));
        if listener.passing.as_ref().is_some_and(|passing| passing.has_dropped) {
            break;
        }
    }
    let begun = events.len();
    assert!(begun % 2 == 1, "in a voice");
    events.extend(listener.begin_stream());
    let quiet = packets(&silence(1_000));
    for packet in quiet {
        let at = packet.at + MS(60_000);
        let rtp_time = packet.rtp_time.wrapping_add(4_000_000_000);
        events.extend(listener.hear(Packet { at, rtp_time, ..packet }));
    }
    assert!(matches!(events.get(begun..), Some([Event::VoiceEnded { .. }])), "{events:?}");
}

proptest! {
    #[test]
    fn any_packets_are_heard(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 1..60),
        step in prop::sample::select(vec![0, 480, 960, 1920, 5_000_000]),
    ) {
        let mut listener = Listener::new();
        listener.begin_stream();
        for (payload, i) in payloads.into_iter().zip(0u32..) {
            let rtp_time = i.wrapping_mul(step);
            listener.hear(Packet { at: MS(20) * i, rtp_time, payload: payload.into() });
        }
        listener.advance(MS(10_000));
    }
}
