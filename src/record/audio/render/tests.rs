//! What was sent and heard is found in the file again, each side at its moment.

use super::super::tape::{Tape, Taping};
use super::*;
use crate::audio::audible_span;
use crate::audio::ogg::play;
use crate::audio::opus::{EncodedClip, encode_pcm, silence};
use crate::record::{CallEnd, MediaFacts, Outcome, Stamped};

const MS: i64 = 1_000;

/// A tone of 300 ms at 1 kHz, which begins and ends audible.
fn beep() -> EncodedClip {
    #[expect(clippy::cast_possible_truncation, reason = "a test")]
    let pcm: Vec<i16> = (0..14_400)
        .map(|i| (8_000.0 * (std::f64::consts::TAU * (f64::from(i) + 0.5) / 48.0).cos()) as i16)
        .collect();
    encode_pcm(&pcm, 0, pcm.len() - 1).unwrap()
}

fn clip(encoded: &EncodedClip) -> Clip {
    let packets = encoded.frames().iter().map(|frame| Arc::clone(&frame.payload)).collect();
    Clip { packets, first_voiced_at: encoded.first_voiced_at() }
}

/// A call from 10 s to 13 s of its run.
fn call(said_ms: &[i64]) -> Said {
    let at = |ms: i64| Offset::from_micros(10_000 * MS + ms * MS);
    let said = |ms: &i64| Stamped { at: at(*ms), what: Observation::UtteranceBegan { step: 1 } };
    Said::in_call(&CallRecord {
        id: CallId(3),
        room: String::new(),
        due: at(-50),
        dialled: at(0),
        log: said_ms.iter().map(said).collect(),
        end: CallEnd { at: at(3_000), outcome: Outcome::Answered, detail: String::new() },
        media: MediaFacts::default(),
    })
}

/// One track of an agent, which sends packets of 20 ms.
struct Sender<'a> {
    tape: &'a mut Tape,
    packet: Packet<'static>,
}

impl<'a> Sender<'a> {
    fn new(tape: &'a mut Tape, track: u32) -> Self {
        let at = Offset::default();
        let rtp_time = u32::MAX - 2_000;
        Self { tape, packet: Packet { track, ssrc: 9, seq: 40, rtp_time, at, payload: &[] } }
    }

    /// Sends a packet that arrives so long after the call began.
    fn send(&mut self, ms: i64, payload: &[u8], samples: u32) {
        let at = Offset::from_micros(10_000 * MS + ms * MS);
        self.tape.add(&Packet { at, payload, ..self.packet });
        self.pass(1, samples);
    }

    /// So many packets do not come.
    fn pass(&mut self, packets: u32, samples: u32) {
        self.packet.seq += u64::from(packets);
        self.packet.rtp_time = self.packet.rtp_time.wrapping_add(packets * samples);
    }

    fn beep(&mut self, ms: i64) {
        for (n, frame) in (0..).zip(beep().frames()) {
            self.send(ms + 20 * n, &frame.payload, 960);
        }
    }
}

/// The samples of both sides.
fn played(said: &Said, clips: &[Option<Clip>], tape: &Tape) -> [Vec<i16>; 2] {
    let tape: Vec<u8> = tape.pieces().flatten().copied().collect();
    let mut file = Vec::new();
    let bytes = render(said, clips, &tape, &mut file, &mut || true).unwrap();
    assert_eq!(bytes, file.len() as u64);
    decoded(&file)
}

/// As a player has it.
fn decoded(file: &[u8]) -> [Vec<i16>; 2] {
    let mut sides = [Vec::new(), Vec::new()];
    let sides_of = &mut |pcm: &[i16]| {
        for (i, side) in sides.iter_mut().enumerate() {
            side.extend(pcm.iter().skip(i).step_by(2));
        }
    };
    play(file, sides_of).unwrap();
    sides
}

/// The first and last audible sample of a side in milliseconds.
fn audible_ms(side: &[i16]) -> Option<(usize, usize)> {
    audible_span(side).map(|(first, last)| (first / 48, last / 48))
}

/// Whether a side is audible from about one moment to about another.
#[track_caller]
fn assert_audible(side: &[i16], from_ms: usize, until_ms: usize) {
    let (first, last) = audible_ms(side).expect("something is heard");
    let near = first.abs_diff(from_ms) <= 4 && last.abs_diff(until_ms) <= 8;
    assert!(near, "heard from {first} to {last} ms, not from {from_ms} to {until_ms}");
}

/// Whether nothing is heard there.
#[track_caller]
fn assert_silent(side: &[i16], from_ms: usize, until_ms: usize) {
    let loudest = side[from_ms * 48..until_ms * 48].iter().map(|s| s.unsigned_abs()).max();
    assert!(loudest < Some(500), "{loudest:?}");
}

/// What the agent's encoder adds to the moment of a sample.
const LOOKAHEAD_MS: usize = 6;

#[test]
fn both_sides_are_at_their_moments() {
    let mut tape = Taping::default().tape();
    let mut sender = Sender::new(&mut tape, 1);
    sender.beep(1_500);
    let [caller, agent] = played(&call(&[400, 2_850]), &[None, Some(clip(&beep()))], &tape);
    assert_eq!((caller.len(), agent.len()), (3_000 * 48, 3_000 * 48));
    assert_audible(&caller[..2_000 * 48], 400, 700);
    // Hung up in the midst of the second.
    assert_audible(&caller[2_000 * 48..], 850, 999);
    assert_audible(&agent, 1_500 + LOOKAHEAD_MS, 1_800 + LOOKAHEAD_MS);
}

#[test]
fn lost_packets_and_packets_that_are_not_sent_are_silence() {
    let (mut tape, beep, pause) = (Taping::default().tape(), beep(), silence().unwrap());
    let mut sender = Sender::new(&mut tape, 1);
    for n in 0..3 {
        sender.send(20 * n, &pause.payload, 960);
    }
    // No packets for a second (DTX), then a voice of which three packets are lost.
    sender.packet.rtp_time = sender.packet.rtp_time.wrapping_add(48_000);
    for (n, frame) in (0..).zip(beep.frames()) {
        if (5..8).contains(&n) {
            sender.pass(1, 960);
        } else {
            sender.send(1_060 + 20 * n, &frame.payload, 960);
        }
    }
    let [_, agent] = played(&call(&[]), &[], &tape);
    assert_audible(&agent, 1_060 + LOOKAHEAD_MS, 1_360 + LOOKAHEAD_MS);
    assert_silent(&agent, 1_165, 1_215);
    assert_audible(&agent[..1_200 * 48], 1_066, 1_160);
}

#[test]
fn late_and_doubled_packets_are_left_out_as_the_ear_does() {
    let (mut tape, beep) = (Taping::default().tape(), beep());
    let mut sender = Sender::new(&mut tape, 1);
    let frames = beep.frames();
    for (n, frame) in (0..).zip(frames) {
        let sent = sender.packet;
        sender.send(500 + 20 * n, &frame.payload, 960);
        if n == 3 {
            let now = sender.packet;
            sender.packet = sent;
            sender.send(1_500, &frame.payload, 960);
            sender.packet = Packet { seq: 2, ..sent };
            sender.send(1_600, &frame.payload, 960);
            sender.packet = now;
        }
    }
    sender.send(1_700, &[], 960);
    sender.send(1_720, &[0xff, 0, 1], 960);
    let [_, agent] = played(&call(&[]), &[], &tape);
    assert_audible(&agent, 500 + LOOKAHEAD_MS, 800 + LOOKAHEAD_MS);
}

#[test]
fn tracks_are_mixed_and_another_stream_begins_anywhere() {
    let mut tape = Taping::default().tape();
    // Read one after the other, though they came at the same time.
    Sender::new(&mut tape, 2).beep(1_000);
    Sender::new(&mut tape, 1).beep(900);
    let mut sender = Sender::new(&mut tape, 1);
    sender.packet = Packet { ssrc: 10, seq: 1, rtp_time: 5, ..sender.packet };
    sender.beep(2_000);
    let [_, agent] = played(&call(&[]), &[], &tape);
    assert_audible(&agent[..1_900 * 48], 900 + LOOKAHEAD_MS, 1_300 + LOOKAHEAD_MS);
    assert_audible(&agent[1_900 * 48..], 100 + LOOKAHEAD_MS, 400 + LOOKAHEAD_MS);
    let loudest = |from: usize| agent[from * 48..][..2_400].iter().max().copied().unwrap();
    let (one, both) = (loudest(910), loudest(1_070));
    assert!((6_000..10_000).contains(&one) && both > one + 4_000, "{one} and {both}");
}

#[test]
fn packets_of_sixty_milliseconds_are_as_long_as_they_are() {
    let (mut tape, beep) = (Taping::default().tape(), beep());
    let mut sender = Sender::new(&mut tape, 1);
    for (n, three) in (0..).zip(beep.frames().chunks_exact(3)) {
        sender.send(600 + 60 * n, &joined(three), 2_880);
    }
    let [_, agent] = played(&call(&[]), &[], &tape);
    let (first, last) = audible_ms(&agent).unwrap();
    assert!(first.abs_diff(606) <= 4 && last.abs_diff(906) <= 10, "{first} {last}");
}

/// Packets of one frame each as one packet (RFC 6716, 3.2.5: code 3, lengths vary).
fn joined(frames: &[crate::audio::opus::EncodedFrame]) -> Vec<u8> {
    let bodies: Vec<&[u8]> = frames.iter().map(|frame| &frame.payload[1..]).collect();
    assert!(
        frames
            .iter()
            .all(|frame| frame.payload[0].trailing_zeros() >= 2 && frame.payload.len() <= 252)
    );
    let heads: Vec<u8> = frames.iter().map(|frame| frame.payload[0]).collect();
    assert!(heads.iter().all(|head| *head == heads[0]), "{heads:?}");
    let mut packet = vec![heads[0] | 3, 0x80 | u8::try_from(frames.len()).unwrap()];
    packet.extend(bodies[..bodies.len() - 1].iter().map(|body| u8::try_from(body.len()).unwrap()));
    packet.extend(bodies.concat());
    packet
}

#[test]
fn whoever_waits_can_stop_it() {
    let (mut asked, mut file) = (0, Vec::new());
    let stopped = render(&call(&[]), &[], &[], &mut file, &mut || {
        asked += 1;
        asked < 3
    });
    assert!(matches!(stopped, Err(RenderError::Stopped)));
    assert_eq!(asked, 3);
    // Bytes that are none of a tape are silence.
    let said = call(&[100]);
    render(&said, &[None], &[7; 100], &mut file, &mut || true).unwrap();
}
