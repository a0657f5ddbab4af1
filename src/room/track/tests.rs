use super::*;
use crate::audio::{RATE, opus};
use crate::clock::Clock;
use std::f64::consts::TAU;
use std::sync::Arc;

const PACKET_MS: i64 = 20;

/// A sender of packets, 20 ms each, and the track that hears them.
struct Line {
    track: Track,
    clock: Clock,
    silence: Arc<[u8]>,
    tone: Vec<Arc<[u8]>>,
    seq: u64,
    rtp_time: u32,
    now_ms: i64,
    events: Vec<Event>,
}

fn at(ms: i64) -> Offset {
    Offset::from_micros(ms * 1_000)
}

impl Line {
    fn new() -> Self {
        let sample = |n: u32| (TAU * 440.0 * f64::from(n) / f64::from(RATE)).sin() * 8_000.0;
        #[expect(clippy::cast_possible_truncation, reason = "a quarter of full scale")]
        let pcm: Vec<i16> = (0..RATE).map(|n| sample(n) as i16).collect();
        let tone = opus::encode_pcm(&pcm, 0, pcm.len() - 1).unwrap();
        let tone = tone.frames().iter().map(|frame| Arc::clone(&frame.payload)).collect();
        let silence = opus::silence().unwrap().payload;
        let mut track = Track::new(0);
        track.stream_ended();
        let (clock, events) = (Clock::start(), Vec::new());
        Self { track, clock, silence, tone, seq: 1, rtp_time: 7, now_ms: 0, events }
    }

    /// One packet now, and the next one due 20 ms later.
    fn packet(&mut self, payload: &[u8]) -> Flow {
        let frame = Frame {
            ssrc: 1,
            seq: self.seq,
            rtp_time: self.rtp_time,
            payload: payload.to_vec().into(),
            arrival: self.clock.instant(at(self.now_ms)),
        };
        let flow = self.track.hear(&frame, at(self.now_ms), &mut self.events);
        self.seq += 1;
        self.rtp_time = self.rtp_time.wrapping_add(960);
        self.now_ms += PACKET_MS;
        flow
    }

    /// Packets of silence at the pace of time, and whether one of them said that a hole was silence.
    fn silence(&mut self, packets: usize) -> bool {
        let payload = Arc::clone(&self.silence);
        (0..packets).fold(false, |said, _| (self.packet(&payload) == Flow::WasSilent) | said)
    }

    fn tone(&mut self, packets: usize) -> bool {
        let tone: Vec<_> = self.tone.iter().take(packets).cloned().collect();
        tone.iter().fold(false, |said, p| (self.packet(p) == Flow::WasSilent) | said)
    }

    /// No packet for so long; gives what the clock says meanwhile.
    fn nothing(&mut self, ms: i64) -> Option<Stopped> {
        let until = self.now_ms + ms;
        let mut stopped = None;
        while self.now_ms < until {
            self.now_ms += 100;
            stopped = stopped.or(self.track.look_at_the_clock(at(self.now_ms), &mut self.events));
        }
        self.now_ms = until;
        stopped
    }

    fn gap_ms(&self) -> u128 {
        self.track.counts().largest_gap.as_millis()
    }
}

#[test]
fn a_sender_that_sends_nothing_in_silence_does_not_stall() {
    let mut line = Line::new();
    line.tone(25);
    line.silence(10);
    // At first that cannot be told from an agent that died while it was silent.
    let stopped = line.nothing(4_000);
    assert!(stopped.is_some_and(|stopped| !stopped.cut_off));
    assert!(line.gap_ms() < 100, "not a gap before anything followed");
    assert!(line.tone(30), "its clock stood still, and goes on at the pace of time");
    assert!(line.gap_ms() < 100, "{}", line.gap_ms());
    // From then on it is known.
    line.silence(10);
    assert_eq!(line.nothing(4_000), None);
    assert!(!line.tone(30));
    assert!(line.gap_ms() < 100, "{}", line.gap_ms());
}

#[test]
fn packets_that_were_held_up_are_a_gap() {
    let mut line = Line::new();
    line.silence(50);
    assert!(line.nothing(3_000).is_some());
    // All that was sent meanwhile comes at once.
    for _ in 0..150 {
        line.now_ms -= PACKET_MS;
        assert!(!line.silence(1));
    }
    assert!(!line.silence(50));
    assert!(line.gap_ms() >= 2_900, "{}", line.gap_ms());
}

#[test]
fn a_voice_that_is_cut_off_is_a_stall_each_time() {
    let mut line = Line::new();
    for _ in 0..2 {
        line.silence(10);
        line.tone(25);
        let stopped = line.nothing(3_000).expect("a stall");
        assert!(stopped.cut_off);
        assert!(!line.tone(25), "also if it goes on as if nothing had happened");
        assert!(line.gap_ms() >= 2_900, "{}", line.gap_ms());
    }
}

#[test]
fn a_hole_while_the_clock_went_on_is_a_stall() {
    let mut line = Line::new();
    line.silence(50);
    assert!(line.nothing(3_000).is_some());
    line.rtp_time = line.rtp_time.wrapping_add(3_000 * 48);
    line.seq += 150;
    assert!(!line.silence(50));
    // What was lost is counted as lost, and the clock explains the time.
    assert_eq!(line.track.counts().lost, 150);
}

#[test]
fn nothing_is_missed_of_a_track_that_is_muted_or_taken_back() {
    let mut line = Line::new();
    line.tone(25);
    line.silence(15);
    line.track.mute(true);
    assert_eq!(line.nothing(5_000), None);
    line.track.mute(false);
    line.rtp_time = line.rtp_time.wrapping_add(48);
    line.silence(50);
    assert!(line.gap_ms() < 100, "{}", line.gap_ms());

    line.tone(25);
    assert_eq!(line.track.end(), Flow::Steady);
    assert!(!line.track.is_over(), "its voice has to end");
    assert_eq!(line.nothing(3_000), None);
    assert!(line.track.is_over());
    let ends = line.events.iter().filter(|e| matches!(e, Event::VoiceEnded { .. })).count();
    assert_eq!(ends, 2);
}

#[test]
fn a_stall_is_taken_back_when_the_track_is() {
    let mut line = Line::new();
    line.tone(25);
    line.silence(25);
    assert!(line.nothing(2_500).is_some());
    assert_eq!(line.track.end(), Flow::WasSilent);

    let mut line = Line::new();
    line.tone(25);
    assert!(line.nothing(2_500).is_some());
    assert_eq!(line.track.end(), Flow::Steady, "a voice was cut off");
}

#[test]
fn what_a_doubtful_track_says_is_known_later_and_dated_alike() {
    let mut plain = Line::new();
    plain.tone(25);
    plain.nothing(1_000);
    let mut line = Line::new();
    line.track.doubt_until(at(1_000));
    line.tone(25);
    line.nothing(400);
    assert_eq!(line.events, []);
    line.nothing(600);
    assert_eq!(line.events, plain.events);
    assert_eq!(line.events.len(), 2);
}
