//! A voice over something that never stops.

use super::sounds::{beats, cafe, chord, fan, murmur, shaped, typing, voice, white};
use super::*;
use crate::audio::FRAME;

/// A bed by its length in ms and its level in dBFS.
type Bed = fn(usize, f64) -> Vec<i16>;
/// A gain by the time in seconds.
type Shape = fn(f64) -> f64;

/// How an agent's encoder is set.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Encoder {
    Continuous,
    /// As WebRTC does on a machine with little power: it stops in noise.
    Dtx,
    /// Stops in all but a voice, with a packet of comfort noise each so many packets.
    Stops(usize),
}

/// The packets an agent's encoder makes of samples.
fn sent(pcm: &[i16], by: Encoder, speaks: impl Fn(usize) -> bool) -> Vec<Owned> {
    let mut encoder =
        opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(32_000)).unwrap();
    if by == Encoder::Dtx {
        encoder.set_dtx(true).unwrap();
        encoder.set_complexity(5).unwrap();
        encoder.set_signal(opus::Signal::Voice).unwrap();
    }
    let (mut at_rest, mut quiet) = (false, 0);
    let mut packets = Vec::new();
    for (i, pcm) in pcm.chunks_exact(FRAME).enumerate() {
        let mut payload = [0; 1275];
        let length = encoder.encode(pcm, &mut payload).unwrap();
        let says_rest = length <= 2;
        quiet = if speaks(i * FRAME) { 0 } else { quiet + 1 };
        let is_left_out = match by {
            Encoder::Continuous => false,
            Encoder::Dtx => says_rest && at_rest,
            Encoder::Stops(each) => quiet > 10 && quiet % each != 0,
        };
        at_rest = says_rest;
        if !is_left_out {
            let i = u32::try_from(i).unwrap();
            let payload = payload[..length].to_vec();
            packets.push(Owned { at: MS(20) * i, rtp_time: i * 960, payload });
        }
    }
    packets
}

#[derive(Debug, Default)]
struct Outcome {
    /// Voices by first and last moment, in ms, retracted ones left out.
    voices: Vec<(f64, f64)>,
    retracted: usize,
    never_silent: Vec<(f64, f64)>,
    /// How much later than they were the events were known, in ms.
    begin_known: f64,
    end_known: f64,
}

fn ms(at: Duration) -> f64 {
    at.as_secs_f64() * 1_000.0
}

fn heard(packets: &[Owned]) -> Outcome {
    let mut listener = Listener::new();
    listener.begin_stream();
    let mut outcome = Outcome::default();
    let mut open = None;
    let mut at = MS(0);
    let mut take = |events: Vec<Event>, now: Duration| {
        for event in events {
            match event {
                Event::VoiceStarted { at, .. } => {
                    assert!(open.replace(at).is_none());
                    outcome.begin_known = outcome.begin_known.max(ms(now) + 20.0 - ms(at));
                }
                Event::VoiceEnded { at } => {
                    outcome.voices.push((ms(open.take().unwrap()), ms(at)));
                    outcome.end_known = outcome.end_known.max(ms(now) + 20.0 - ms(at));
                }
                Event::VoiceRetracted { at } => {
                    assert_eq!(open.take(), Some(at));
                    outcome.retracted += 1;
                }
                Event::NeverSilent { since, level_dbfs } => {
                    outcome.never_silent.push((ms(since), level_dbfs));
                }
            }
        }
    };
    for packet in packets {
        while at < packet.at {
            take(listener.advance(at), at);
            at += MS(20);
        }
        take(listener.hear(packet.packet()), packet.at);
    }
    take(listener.advance(end_of(packets)), end_of(packets));
    outcome
}

/// When an agent speaks, as begin and length in ms: a greeting and two replies.
const SAID: [(usize, usize); 3] = [(700, 1_200), (4_500, 1_500), (8_000, 1_500)];

/// What is heard of an agent that speaks at this level over a bed.
fn call(bed: &[i16], dbfs: f64, by: Encoder) -> Outcome {
    heard(&spoken(bed, dbfs, by))
}

fn spoken(bed: &[i16], dbfs: f64, by: Encoder) -> Vec<Owned> {
    let mut pcm = bed.to_vec();
    for (at, length) in SAID {
        mix(&mut pcm, at * 48, &voice(length, dbfs));
    }
    // An encoder looks ahead.
    let in_voice = |at: usize, (from, length): (usize, usize)| {
        (from * 48..(from + length) * 48).contains(&(at + FRAME))
    };
    sent(&pcm, by, |at| SAID.iter().any(|said| in_voice(at, *said)))
}

/// Whether a voice is where it was said, within 60 ms of both ends.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn is_where(heard: (f64, f64), said: (usize, usize)) -> bool {
    let (from, until) = (said.0 as f64 + 6.5, (said.0 + said.1) as f64 + 6.5);
    (heard.0 - from).abs() < 60.0 && (heard.1 - until).abs() < 60.0
}

fn is_right(outcome: &Outcome) -> bool {
    outcome.voices.len() == SAID.len()
        && outcome.voices.iter().zip(SAID).all(|(voice, said)| is_where(*voice, said))
}

const LENGTH: usize = 11_000;

#[test]
fn voices_are_found_over_a_bed() {
    let beds: [(&str, Bed, f64); 17] = [
        ("white noise", white, -55.0),
        ("white noise", white, -45.0),
        ("white noise", white, -32.0),
        ("a room", murmur, -47.0),
        ("a room", murmur, -35.0),
        ("a room", murmur, -30.0),
        ("a chord", chord, -45.0),
        ("a chord", chord, -38.0),
        ("a chord", chord, -30.0),
        ("keys", typing, -45.0),
        ("keys", typing, -40.0),
        ("keys", typing, -32.0),
        ("a fan", fan, -42.0),
        ("a fan", fan, -30.0),
        ("a café", cafe, -35.0),
        ("music", beats, -45.0),
        ("music", beats, -35.0),
    ];
    let mut wrong = Vec::new();
    for (name, bed, dbfs) in beds {
        for by in [Encoder::Continuous, Encoder::Dtx, Encoder::Stops(20), Encoder::Stops(8)] {
            // No encoder takes keys for noise that may be left out.
            if name == "keys" && matches!(by, Encoder::Stops(_)) {
                continue;
            }
            let outcome = call(&bed(LENGTH, dbfs), -20.0, by);
            let is_said_rightly = match outcome.never_silent[..] {
                [] => dbfs < -50.0 || name == "keys",
                [(since, level)] => name == "keys" || since < 700.0 && (level - dbfs).abs() < 5.0,
                _ => false,
            };
            if !is_right(&outcome) || !is_said_rightly || outcome.begin_known > 350.0 {
                wrong.push(format!("{name} at {dbfs} dBFS, {by:?}: {outcome:.0?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_bed_may_begin_grow_and_stop_at_any_time() {
    let shapes: [(&str, Shape); 5] = [
        ("grows over three seconds", |t| (t / 3.0).min(1.0)),
        ("comes after the first reply", |t| if t < 6.6 { 0.0 } else { 1.0 }),
        ("comes in the pause before", |t| if t < 3.0 { 0.0 } else { 1.0 }),
        ("stops before the last reply", |t| if t < 7.0 { 1.0 } else { 0.0 }),
        ("fades out", |t| (1.0 - (t - 2.0) / 4.0).clamp(0.0, 1.0)),
    ];
    let beds: [(&str, Bed, f64); 4] = [
        ("white", white, -45.0),
        ("a room", murmur, -38.0),
        ("chord", chord, -34.0),
        ("cafe", cafe, -35.0),
    ];
    let mut wrong = Vec::new();
    for (name, bed, dbfs) in beds {
        for (how, shape) in shapes {
            for by in [Encoder::Continuous, Encoder::Dtx] {
                let outcome = call(&shaped(&bed(LENGTH, dbfs), shape), -20.0, by);
                if !is_right(&outcome) {
                    wrong.push(format!("{name} {how}, {by:?}: {outcome:.0?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_who_comes_in_the_middle_of_a_bed_hears_the_greeting() {
    for (bed, dbfs) in
        [(white(LENGTH, -45.0), -45), (chord(LENGTH, -38.0), -38), (white(LENGTH, -32.0), -32)]
    {
        for by in [Encoder::Continuous, Encoder::Dtx] {
            for missed in [1, 7, 20] {
                let outcome = heard(&spoken(&bed, -20.0, by)[missed..]);
                assert!(is_right(&outcome), "{dbfs}, {by:?}, {missed}: {outcome:?}");
            }
        }
    }
}

#[test]
fn a_quiet_voice_in_silence_is_heard() {
    for dbfs in [-40.0, -32.0, -26.0] {
        for by in [Encoder::Continuous, Encoder::Stops(20)] {
            let outcome = call(&silence(LENGTH), dbfs, by);
            let which = format!("{dbfs} dBFS, {by:?}: {outcome:?}");
            assert!(is_right(&outcome), "{which}");
            assert_eq!((outcome.retracted, outcome.never_silent.len()), (0, 0), "{which}");
        }
    }
}

#[test]
fn in_silence_a_voice_is_known_as_soon_as_ever() {
    for by in [Encoder::Continuous, Encoder::Stops(20)] {
        let outcome = call(&silence(LENGTH), -20.0, by);
        assert!(outcome.begin_known < 65.0, "{by:?}: {outcome:?}");
    }
}

#[test]
fn music_as_loud_as_the_voice_is_said_to_be_without_end() {
    let music = [beats(20_000, -20.0), beats(20_000, -20.0)].concat();
    let outcome = call(&music, -20.0, Encoder::Continuous);
    let [(since, level)] = outcome.never_silent[..] else { panic!("{outcome:?}") };
    assert!(since < 100.0 && (level + 20.0).abs() < 2.0, "{outcome:?}");
}

#[test]
fn losses_in_a_quiet_voice_are_no_comfort_noise() {
    let mut packets = spoken(&silence(LENGTH), -34.0, Encoder::Continuous);
    let mut index = 0;
    // Seven lost are too many to conceal, and leave pieces of 60 ms and more.
    packets.retain(|_| {
        index += 1;
        index % 10 > 6 || index % 40 > 20
    });
    let mut listener = Listener::new();
    listener.begin_stream();
    let (mut expected, mut begun) = (0, 0);
    for packet in &packets {
        let missing = packet.rtp_time.saturating_sub(expected) / 960;
        expected = packet.rtp_time + 960;
        let mut events = listener.lost(missing.into(), packet.at);
        events.extend(listener.hear(packet.packet()));
        for event in events {
            match event {
                Event::VoiceStarted { .. } => begun += 1,
                Event::VoiceEnded { .. } => {}
                Event::VoiceRetracted { .. } | Event::NeverSilent { .. } => panic!("{event:?}"),
            }
        }
    }
    assert!(begun >= 3, "{begun}");
}
