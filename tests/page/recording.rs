//! Recordings whose pages are looked at: what a call says is written down here, and its log and its audio follow.

use loadcall::audio::{FRAME, RATE, ogg::StereoFile};
use loadcall::random::SplitMix64;
use loadcall::record::audio::{Kept, file_name};
use loadcall::record::{
    CallEnd, CallId, CallRecord, ClipFact, Host, MediaFacts, Observation, Outcome, ReportedMetrics,
    Run, RunHead, RunTail, SessionEvent, Speaker, Stamped,
};
use loadcall::stats::Histogram;
use loadcall::time::Offset;
use std::path::Path;

/// One caller asks twice and breaks in once.
pub(crate) const SCENARIO: &str = r#"version: 1
name: opening-hours
agent: {name: front-desk}
turns:
  - {id: greeting, expect: {agent: speaks, within: 5s}}
  - id: hours
    say: {file: clips/hours.wav, text: "What are your opening hours?"}
    start: {after: agent_speech_end, delay: 400ms}
    expect: {agent: responds, within: 8s, text: {contains: [nine]}}
  - id: parking
    say: {file: clips/parking.wav, text: "And is there somewhere to park?"}
    start: {after: agent_speech_end, delay: 400ms}
    expect: {agent: responds, within: 8s}
  - id: wait
    say: {file: clips/wait.wav, text: "Wait, one more thing."}
    start: {after: agent_speech_start, delay: 900ms}
    expect: {agent: yields, within: 2s}
load: {executor: repeat, calls: 12, concurrency: 4}
thresholds:
  heard_e2e_latency: ["p(50)<1500ms", "p(95)<2500ms"]
  calls_ok: ["rate>0.9"]
"#;

/// Where a call's audio begins, after the caller dialled: not at zero, so that who forgets it is seen.
pub(crate) const AUDIO_FROM_MS: i64 = 230;

/// What happens in a call beside the ordinary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Fine,
    /// The model fails in the second question.
    Silent,
    /// The agent talks through the barge-in.
    SpeaksOn,
    /// The reply to the first question lacks its word.
    Wrong,
    /// The agent does not come.
    NoAgent,
}

/// A run: how many calls, what happens in which, and how slow the model is.
pub(crate) struct Made {
    pub(crate) id: String,
    pub(crate) calls: u32,
    pub(crate) fate: fn(u32) -> Fate,
    pub(crate) model_ms: f64,
    pub(crate) seed: u64,
    /// The agent's words, for a hostile one.
    pub(crate) words: Option<String>,
    pub(crate) scenario: String,
}

pub(crate) fn at(ms: i64) -> Offset {
    Offset::from_micros(ms * 1_000)
}

impl Made {
    pub(crate) fn run(&self) -> Run {
        let mut random = SplitMix64::new(self.seed);
        let calls: Vec<CallRecord> = (0..self.calls).map(|id| self.call(id, &mut random)).collect();
        let ended = calls.iter().map(|call| call.end.at).max().unwrap_or_default();
        let clip = |file: &str| {
            Some(ClipFact {
                file: file.to_owned(),
                sha256: "00ff".repeat(16),
                text: None,
                voiced_ms: 1_500.0,
                end_given_ms: None,
                channel: None,
                source: None,
            })
        };
        let clips = ["clips/hours.wav", "clips/parking.wav", "clips/wait.wav"].map(clip);
        Run {
            head: RunHead {
                run_id: self.id.clone(),
                started_at: "2026-11-24T10:00:00.000000Z".to_owned(),
                loadcall_version: "0.1.0".to_owned(),
                scenario_path: "scenarios/opening-hours.yaml".to_owned(),
                scenario_text: self.scenario.clone(),
                clips: std::iter::once(None).chain(clips).collect(),
                seed: self.seed,
                server_url: "wss://voice.example".to_owned(),
                langfuse_url: None,
                agent_started: false,
                labels: loadcall::record::Labels::default(),
                overlay: None,
                server: None,
                host: Host { os: "linux".to_owned(), cpus: 2 },
                calibration: None,
                arm: None,
            },
            calls,
            tail: Some(RunTail { ended, stopped: false, gave_up: false, planned: self.calls }),
        }
    }

    fn call(&self, id: u32, random: &mut SplitMix64) -> CallRecord {
        let fate = (self.fate)(id);
        let begin = i64::from(id) * if self.calls > 100 { 150 } else { 4_000 };
        let mut log = Log { begin, all: Vec::new() };
        let sid = format!("RM_{id}");
        log.push(90, Observation::Connected { room_sid: sid });
        let (ended, outcome, detail) = match fate {
            Fate::NoAgent => (20_000, Outcome::NoAgent, "no agent joined within 20s"),
            Fate::Fine | Fate::Silent | Fate::SpeaksOn | Fate::Wrong => {
                self.talk(id, fate, &mut log, random)
            }
        };
        CallRecord {
            id: CallId(id),
            room: format!("loadcall-{}-{id:03}", self.id),
            due: at(begin),
            dialled: at(begin + i64::from(id % 3) * 7),
            log: log.sorted(),
            end: CallEnd { at: at(begin + ended), outcome, detail: detail.to_owned() },
            media: if fate == Fate::NoAgent { MediaFacts::default() } else { media(random) },
        }
    }

    /// What is said, and how it ends.
    fn talk(
        &self,
        id: u32,
        fate: Fate,
        log: &mut Log,
        random: &mut SplitMix64,
    ) -> (i64, Outcome, &'static str) {
        log.push(300, Observation::AgentJoined { identity: format!("agent-AJ_{id}") });
        log.push(420, Observation::AgentTrackSubscribed);
        let (sdk, sdk_version) = ("python".to_owned(), "1.8.9".to_owned());
        log.push(430, Observation::Session(SessionEvent::Framework { sdk, sdk_version }));
        log.push(450, Observation::StepBegan { step: 0 });
        let greeting = 700 + whole(random.unit() * 250.0);
        log.voice(greeting, 1_900);
        let hello = "Good morning, this is the front desk.";
        log.words(greeting, Speaker::Agent, self.words.as_deref().unwrap_or(hello));
        let mut now = greeting + 3_000;
        for question in QUESTIONS {
            let until = now + 1_650;
            let step = question.step;
            log.push(now - 350, Observation::StepBegan { step });
            log.push(now, Observation::UtteranceBegan { step });
            log.push(until, Observation::UtteranceEnded { step });
            log.words(now + 300, Speaker::Caller, question.understood);
            if fate == Fate::Silent && step == 2 {
                log.push(until + 580, Observation::AgentState("thinking".to_owned()));
                let message = "type='llm_error' error=APIStatusError(message='overloaded', \
                               status_code=503)";
                let error = SessionEvent::Error { message: message.to_owned() };
                log.push(until + 1_900, Observation::Session(error));
                log.push(until + 8_000, Observation::ExpectationMissed { step });
                return (until + 8_200, Outcome::NoAnswer, "turn `parking`: no reply within 8s");
            }
            now = self.reply(&question, fate, until, log, random);
        }
        log.push(now, Observation::UtteranceBegan { step: 3 });
        log.push(now + 900, Observation::UtteranceEnded { step: 3 });
        if fate == Fate::SpeaksOn {
            log.push(now + 2_000, Observation::ExpectationMissed { step: 3 });
        } else {
            log.push(now + 350, Observation::ExpectationMet { step: 3 });
        }
        log.push(now + 3_400, Observation::HangingUp);
        (now + 3_500, Outcome::Answered, "")
    }

    /// The agent's reply to what was asked until then, and when the caller speaks again.
    fn reply(
        &self,
        question: &Question,
        fate: Fate,
        until: i64,
        log: &mut Log,
        random: &mut SplitMix64,
    ) -> i64 {
        let step = question.step;
        let model = self.model_ms * (0.8 + 0.5 * random.unit());
        let end_of_turn = 400.0 + 30.0 * random.unit();
        let heard = ReportedMetrics {
            transcription_delay_ms: Some(260.0),
            end_of_turn_delay_ms: Some(end_of_turn),
            on_user_turn_completed_delay_ms: Some(0.5),
            ..ReportedMetrics::default()
        };
        let e2e = end_of_turn + model + 270.0 + if step == 2 { 220.0 } else { 0.0 };
        let reply = until + whole(e2e) + 190;
        let decided = until + whole(end_of_turn) + 165;
        log.push(decided, Observation::AgentState("thinking".to_owned()));
        let (id, text) = (format!("u{step}"), question.understood.to_owned());
        let message = SessionEvent::UserMessage { id, text, metrics: heard };
        log.push(decided + 5, Observation::Session(message));
        if step == 2 {
            let (call, name) = (format!("t{step}"), "find_parking".to_owned());
            let began = SessionEvent::ToolStarted { call: call.clone(), name };
            log.push(reply - 700, Observation::Session(began));
            log.push(reply - 480, Observation::Session(SessionEvent::ToolEnded { call }));
        }
        log.push(reply, Observation::ExpectationMet { step });
        let is_cut_off = step == 2 && fate != Fate::SpeaksOn;
        let spoken = if is_cut_off { 1_250 } else { 3_600 };
        log.voice(reply, spoken);
        log.push(reply + 8, Observation::AgentState("speaking".to_owned()));
        let answer = match fate {
            Fate::Wrong if step == 1 => "I am afraid I cannot say.",
            _ => self.words.as_deref().unwrap_or(question.answer),
        };
        log.words(reply + 60, Speaker::Agent, answer);
        let metrics = ReportedMetrics {
            llm_node_ttft_ms: Some(model),
            llm_node_ttfs_ms: Some(model + 120.0),
            tts_node_ttfb_ms: Some(150.0),
            e2e_latency_ms: Some(e2e),
            ..ReportedMetrics::default()
        };
        let (id, text) = (format!("a{step}"), answer.to_owned());
        let message = SessionEvent::AgentMessage { id, text, interrupted: is_cut_off, metrics };
        log.push(reply + spoken + 20, Observation::Session(message));
        log.push(reply + spoken + 30, Observation::AgentState("listening".to_owned()));
        if step == 2 { reply + 900 } else { reply + spoken + 1_100 }
    }
}

/// What is asked, as the agent understands it, and what it answers.
struct Question {
    step: u32,
    understood: &'static str,
    answer: &'static str,
}

const QUESTIONS: [Question; 2] = [
    Question {
        step: 1,
        understood: "what are your opening hours",
        answer: "We are open from nine to six, every day but Monday.",
    },
    Question {
        step: 2,
        understood: "and is there somewhere to park",
        answer: "Yes, behind the house, and it is free of charge.",
    },
];

#[expect(clippy::cast_possible_truncation, reason = "milliseconds of a call")]
const fn whole(ms: f64) -> i64 {
    ms as i64
}

fn media(random: &mut SplitMix64) -> MediaFacts {
    #[expect(clippy::cast_possible_truncation, reason = "microseconds")]
    let late = (0..40).map(|_| (random.unit() * 900.0) as i64);
    MediaFacts {
        pacing: Histogram::of(late).to_base64().unwrap(),
        packets_received: 600,
        packets_lost: 1,
        largest_gap_ms: 41.0,
        ..MediaFacts::default()
    }
}

struct Log {
    begin: i64,
    all: Vec<Stamped>,
}

impl Log {
    fn push(&mut self, ms: i64, what: Observation) {
        self.all.push(Stamped { at: at(self.begin + ms), what });
    }
    fn voice(&mut self, from: i64, length: i64) {
        self.push(from - 12, Observation::SoundBegan);
        self.push(from, Observation::VoiceBegan);
        self.push(from + length, Observation::VoiceEnded);
    }
    fn words(&mut self, from: i64, speaker: Speaker, text: &str) {
        let (segment, text) = (format!("SG_{from}"), text.to_owned());
        self.push(
            from,
            Observation::Transcript { speaker, segment, text, last: true, until: None },
        );
    }
    fn sorted(mut self) -> Vec<Stamped> {
        self.all.sort_by_key(|stamped| stamped.at);
        self.all
    }
}

/// Writes the audio of a call as its log has it, and says where: what is said sounds like syllables.
pub(crate) fn keep(call: &CallRecord, folder: &Path) -> Kept {
    let starts = call.dialled.plus_micros(AUDIO_FROM_MS * 1_000);
    let samples = |until: Offset| {
        usize::try_from((until.micros() - starts.micros()).max(0) * 48 / 1_000).unwrap()
    };
    let length = samples(call.end.at);
    let mut pcm = vec![0_i16; (length.div_ceil(FRAME) + 1) * FRAME * 2];
    let mut open: [Option<Offset>; 2] = [None, None];
    for seen in &call.log {
        let (side, begins) = match seen.what {
            Observation::UtteranceBegan { .. } => (0, true),
            Observation::UtteranceEnded { .. } => (0, false),
            Observation::VoiceBegan => (1, true),
            Observation::VoiceEnded => (1, false),
            _ => continue,
        };
        if begins {
            open[side] = Some(seen.at);
        } else if let Some(from) = open[side].take() {
            let (from, until) = (samples(from), samples(seen.at));
            for i in from..until {
                let frame = &mut pcm[2 * i..2 * i + 2];
                frame[side] = syllable(i - from, if side == 0 { 140.0 } else { 205.0 });
            }
        }
    }
    let path = folder.join(file_name(call.id));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = StereoFile::create(std::fs::File::create(&path).unwrap(), call.id.0).unwrap();
    for frame in pcm.chunks_exact(2 * FRAME) {
        file.add(frame.try_into().unwrap()).unwrap();
    }
    let bytes = file.finish(length as u64).unwrap();
    #[expect(clippy::cast_precision_loss, reason = "seconds of audio")]
    let length_ms = length as f64 / 48.0;
    Kept { call: call.id, file: file_name(call.id), starts, length_ms, bytes }
}

/// A tone with overtones that swells four times a second and is loud at once at its begin.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "samples")]
fn syllable(i: usize, pitch: f64) -> i16 {
    let t = i as f64 / f64::from(RATE);
    let swell = 0.06
        + 1.4
            * (std::f64::consts::PI * (4.1 * t + 0.5)).sin().abs()
            * (0.5 + 0.3 * (7.3 * t).cos() + 0.2 * (17.9 * t).sin());
    let tone: f64 = (1..6)
        .map(|k| (std::f64::consts::TAU * pitch * f64::from(k) * t).sin() / f64::from(k))
        .sum();
    (tone * swell * 7_000.0) as i16
}
