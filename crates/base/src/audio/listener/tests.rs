use super::*;
use crate::audio::opus::encode_pcm;
use crate::audio::testing::{CLIPS, mix, room, silence};
use crate::audio::{Clip, audible_span};
use proptest::prelude::*;

mod beds;
mod sounds;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A packet with its payload.
#[derive(Clone)]
struct Owned {
    at: Duration,
    rtp_time: u32,
    payload: Vec<u8>,
}

impl Owned {
    fn packet(&self) -> Packet<'_> {
        Packet { at: self.at, rtp_time: self.rtp_time, payload: &self.payload }
    }
}

/// Samples as packets that arrive in time.
fn packets(pcm: &[i16]) -> Vec<Owned> {
    let encoded = encode_pcm(pcm, 0, pcm.len() - 1).unwrap();
    let packet = |(frame, i): (&crate::audio::opus::EncodedFrame, u32)| Owned {
        at: MS(20) * i,
        rtp_time: i * 960,
        payload: frame.payload.to_vec(),
    };
    encoded.frames().iter().zip(0u32..).map(packet).collect()
}

/// What a listener says of packets, of which some may be missing.
fn listen(packets: &[Owned]) -> Vec<Event> {
    let mut listener = Listener::new();
    listener.begin_stream();
    let (mut events, mut expected) = (Vec::new(), 0);
    for packet in packets {
        let missing = packet.rtp_time.saturating_sub(expected) / 960;
        if missing > 0 {
            events.extend(listener.lost(missing.into(), packet.at));
        }
        expected = packet.rtp_time + 960;
        events.extend(listener.hear(packet.packet()));
    }
    events.extend(listener.advance(end_of(packets)));
    events
}

fn end_of(packets: &[Owned]) -> Duration {
    packets.last().map_or(MS(0), |last| last.at) + MS(1_000)
}

/// What an ear says of the samples libopus gives for each packet, without any memory of silence.
fn listen_plainly(packets: &[Owned]) -> Vec<Event> {
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).unwrap();
    let (mut ear, mut pcm) = (Ear::new(), [0; 960]);
    let (mut events, mut expected) = (Vec::new(), 0);
    for Owned { at, rtp_time, payload } in packets {
        let missing = rtp_time.saturating_sub(expected) / 960;
        let mut concealed = Vec::new();
        for _ in 0..missing {
            decoder.decode(&[], &mut pcm, false).unwrap();
            concealed.extend(pcm);
        }
        if missing > 0 {
            events.extend(ear.hear(Heard { at: *at, rtp_time: expected, pcm: &concealed }));
        }
        expected = rtp_time + 960;
        decoder.decode(payload, &mut pcm, false).unwrap();
        events.extend(ear.hear(Heard { at: *at, rtp_time: *rtp_time, pcm: &pcm }));
    }
    events.extend(ear.advance(end_of(packets)));
    events
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
fn edges_are_those_of_plain_decoding() {
    for noise in [None, Some(-65.0), Some(-52.0)] {
        for pauses in [&[700, 1500][..], &[190, 205, 215, 700], &[230, 400, 260, 150]] {
            for phase in [0, 13] {
                let packets = packets(&[silence(phase), speech(pauses, noise)].concat());
                let events = listen(&packets);
                let which = format!("{noise:?}, pauses of {pauses:?}, {phase} ms");
                assert_eq!(events, listen_plainly(&packets), "{which}");
                assert!(events.len() >= 10, "{which}: {events:?}");
            }
        }
    }
}

#[test]
fn losses_are_concealed() {
    let mut packets = packets(&speech(&[700, 260], None));
    let mut index = 0;
    packets.retain(|_| {
        index += 1;
        index % 83 != 0 && index % 84 != 0
    });
    assert_eq!(listen(&packets), listen_plainly(&packets));
}

#[test]
fn a_voice_that_stops_coming_ends_with_its_last_packet() {
    let all = packets(&speech(&[700], None));
    for end in (60..all.len()).step_by(67) {
        assert_eq!(listen(&all[..end]), listen_plainly(&all[..end]), "after {end} packets");
    }
}

#[test]
fn another_stream_ends_the_voice_before_it() {
    let all = packets(&speech(&[700], None));
    let mut listener = Listener::new();
    listener.begin_stream();
    let mut events = Vec::new();
    for packet in &all {
        events.extend(listener.hear(packet.packet()));
        if events.len() % 2 == 1 && packet.at > MS(600) {
            break;
        }
    }
    let begun = events.len();
    assert!(begun % 2 == 1, "in a voice");
    listener.begin_stream();
    let quiet = packets(&silence(1_000));
    for packet in quiet {
        let at = packet.at + MS(60_000);
        let rtp_time = packet.rtp_time.wrapping_add(4_000_000_000);
        events.extend(listener.hear(Packet { at, rtp_time, ..packet.packet() }));
    }
    assert!(matches!(events.get(begun..), Some([Event::VoiceEnded { .. }])), "{events:?}");
}

#[test]
fn what_is_no_opus_is_counted() {
    let mut listener = Listener::new();
    listener.begin_stream();
    for payload in [&[][..], &[0xff, 0x00, 0x01]] {
        assert_eq!(listener.hear(Packet { at: MS(0), rtp_time: 0, payload }), []);
    }
    assert_eq!(listener.undecodable(), 2);
}

proptest! {
    #[test]
    fn whatever_packets_come_voices_begin_and_end_in_turn(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 1..60),
        step in prop::sample::select(vec![0, 480, 960, 1920, 5_000_000]),
    ) {
        let mut listener = Listener::new();
        listener.begin_stream();
        let mut events = Vec::new();
        for (payload, i) in payloads.iter().zip(0u32..) {
            let rtp_time = i.wrapping_mul(step);
            events.extend(listener.hear(Packet { at: MS(20) * i, rtp_time, payload }));
        }
        events.extend(listener.advance(MS(10_000)));
        let mut last = MS(0);
        for (i, event) in events.iter().enumerate() {
            let (begins, at) = match event {
                Event::VoiceStarted { at, .. } => (true, *at),
                Event::VoiceEnded { at } | Event::VoiceRetracted { at } => (false, *at),
                Event::NeverSilent { .. } => continue,
            };
            prop_assert_eq!(begins, i % 2 == 0);
            prop_assert!(at >= last);
            last = at;
        }
        prop_assert_eq!(events.len() % 2, 0);
    }
}
