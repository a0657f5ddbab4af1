//! A voice over something that never stops.

use super::sounds::{beats, cafe, chord, fan, murmur, shaped, typing, voice, white};
use super::*;
use crate::audio::FRAME;

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

#[test]
fn look() {
    let beds: [(&str, fn(usize, f64) -> Vec<i16>); 7] = [
        ("white", white),
        ("room", murmur),
        ("chord", chord),
        ("beats", beats),
        ("fan", fan),
        ("cafe", cafe),
        ("typing", typing),
    ];
    let said = [(700, 1200), (4500, 1500), (8000, 1500)];
    for (name, bed) in beds {
        for dbfs in [-55.0, -45.0, -38.0, -35.0, -32.0, -30.0] {
            for by in [Encoder::Continuous, Encoder::Dtx, Encoder::Stops(20), Encoder::Stops(8)] {
                let mut pcm = bed(11_000, dbfs);
                for (at, length) in said {
                    mix(&mut pcm, at * 48, &voice(length, -20.0));
                }
                let speaks = |i: usize| {
                    said.iter()
                        .any(|(at, length)| (at * 48..(at + length) * 48).contains(&(i + 960)))
                };
                let o = heard(&sent(&pcm, by, speaks));
                let ok = o.voices.len() == 3
                    && o.voices.iter().zip(said).all(|((f, l), (at, len))| {
                        (f - at as f64 - 6.5).abs() < 60.0
                            && (l - at as f64 - len as f64 - 6.5).abs() < 60.0
                    });
                let v: Vec<String> =
                    o.voices.iter().map(|(f, l)| format!("{f:.0}-{l:.0}")).collect();
                println!(
                    "{} {name} {dbfs} {by:?}: {} | retracted {} never {:.0?} known {:.0} {:.0}",
                    if ok { "ok " } else { "BAD" },
                    v.join(" "),
                    o.retracted,
                    o.never_silent,
                    o.begin_known,
                    o.end_known
                );
            }
        }
    }
}
