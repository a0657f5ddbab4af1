//! A large recording, the same every time, to see that it is read in bounded memory.

use super::{StoreError, Writer};
use crate::random::SplitMix64;
use crate::record::{
    CallEnd, CallId, CallRecord, Host, MediaFacts, Observation, Outcome, ReportedMetrics, RunHead,
    RunTail, SessionEvent, Speaker, Stamped,
};
use crate::time::Offset;
use std::fmt::Write as _;
use std::path::Path;

/// One turn takes this long.
const TURN_MS: i64 = 12_000;

/// Writes a recording of `calls` calls with a greeting and `turns` questions each, in the order of
/// their ends, which is not that of their ids. Each turn logs what a talkative agent sends.
pub(crate) fn large(folder: &Path, calls: u32, turns: u32, seed: u64) -> Result<(), StoreError> {
    let mut writer = Writer::create(folder, &head(calls, turns, seed))?;
    let mut random = SplitMix64::new(seed);
    for id in 0..calls {
        // Neighbours end in turn.
        let id = if (id ^ 1) < calls { id ^ 1 } else { id };
        writer.call(&call(id, turns, &mut random))?;
    }
    let ended = Offset::from_micros(i64::from(calls) * 1_000_000);
    writer.end(&RunTail { ended, stopped: false, gave_up: false, planned: calls })
}

fn head(calls: u32, turns: u32, seed: u64) -> RunHead {
    let mut scenario = "version: 1\nname: large\nagent: {name: large}\nturns:\n  - {id: greeting, \
                        expect: {agent: speaks, within: 10s}}\n"
        .to_owned();
    for turn in 1..=turns {
        let _ = writeln!(
            scenario,
            "  - {{id: question-{turn}, say: {{file: clips/question.wav}}, start: {{after: \
             agent_speech_end, delay: 400ms}}, expect: {{agent: responds, within: 8s}}}}"
        );
    }
    let at_a_time = calls.min(10);
    let _ =
        writeln!(scenario, "load: {{executor: repeat, calls: {calls}, concurrency: {at_a_time}}}");
    RunHead {
        run_id: format!("large-{seed}"),
        started_at: "2026-11-24T10:00:00.000000Z".to_owned(),
        loadcall_version: "0.1.0".to_owned(),
        scenario_path: "large.yaml".to_owned(),
        scenario_text: scenario,
        overlay: None,
        clips: Vec::new(),
        seed,
        server_url: "ws://127.0.0.1:7880".to_owned(),
        langfuse_url: None,
        agent_started: false,
        labels: crate::record::Labels::default(),
        server: None,
        host: Host { os: "linux".to_owned(), cpus: 2 },
        calibration: None,
        arm: None,
    }
}

fn call(id: u32, turns: u32, random: &mut SplitMix64) -> CallRecord {
    let begin = i64::from(id) * 200;
    let at = |ms: i64| Offset::from_micros((begin + ms) * 1_000);
    let mut log = Vec::new();
    let mut push = |ms: i64, what| log.push(Stamped { at: at(ms), what });
    push(50, Observation::Connected { room_sid: format!("RM_{id}") });
    push(300, Observation::AgentJoined { identity: format!("agent-AJ_{id}") });
    push(420, Observation::AgentTrackSubscribed);
    push(500, Observation::StepBegan { step: 0 });
    push(900, Observation::VoiceBegan);
    push(2_500, Observation::VoiceEnded);
    for step in 1..=turns {
        turn(step, i64::from(step) * TURN_MS, random, &mut push);
    }
    push(i64::from(turns + 1) * TURN_MS, Observation::HangingUp);
    CallRecord {
        id: CallId(id),
        room: format!("loadcall-large-{id}"),
        due: at(0),
        dialled: at(0),
        log,
        end: CallEnd {
            at: at(i64::from(turns + 1) * TURN_MS + 100),
            outcome: Outcome::Answered,
            detail: String::new(),
        },
        media: MediaFacts { packets_received: 6_000, ..MediaFacts::default() },
    }
}

fn turn(step: u32, from: i64, random: &mut SplitMix64, push: &mut impl FnMut(i64, Observation)) {
    let chance = random.unit() * 200.0;
    let e2e = 900.0 + chance;
    #[expect(clippy::cast_possible_truncation, reason = "about a second")]
    let reply = from + 2_000 + e2e as i64 + 200;
    let words = "I would like to know when you are open on Sundays, and whether there is parking";
    let answer = "We are open on Sundays from ten in the morning until six in the evening, and the \
                  car park behind the house is free of charge for our guests";
    push(from - 400, Observation::StepBegan { step });
    push(from, Observation::UtteranceBegan { step });
    push(from + 2_000, Observation::UtteranceEnded { step });
    let state = |old: &str, new: &str| {
        Observation::Session(SessionEvent::AgentState { old: old.to_owned(), new: new.to_owned() })
    };
    let heard = |speaker, text: &str, end, last| Observation::Transcript {
        speaker,
        segment: format!("SG_{step}"),
        text: text.get(..end).unwrap_or(text).to_owned(),
        last,
        until: None,
    };
    for part in 1..=4 {
        push(from + 500 * part, heard(Speaker::Caller, words, 20 * usize_of(part), part == 4));
    }
    push(from + 2_400, state("listening", "thinking"));
    let user = ReportedMetrics {
        transcription_delay_ms: Some(250.0 + chance / 10.0),
        end_of_turn_delay_ms: Some(400.0),
        on_user_turn_completed_delay_ms: Some(0.5),
        ..ReportedMetrics::default()
    };
    let (id, text) = (format!("item_u{step}"), words.to_owned());
    push(from + 2_420, Observation::Session(SessionEvent::UserMessage { id, text, metrics: user }));
    push(reply - 15, Observation::SoundBegan);
    push(reply, Observation::VoiceBegan);
    push(reply, Observation::ExpectationMet { step });
    push(reply + 10, state("thinking", "speaking"));
    for part in 1..=6 {
        push(reply + 400 * part, heard(Speaker::Agent, answer, 20 * usize_of(part), part == 6));
    }
    push(reply + 4_000, Observation::VoiceEnded);
    let agent = ReportedMetrics {
        llm_node_ttft_ms: Some(200.0 + chance),
        llm_node_ttfs_ms: Some(300.0 + chance),
        tts_node_ttfb_ms: Some(150.0),
        e2e_latency_ms: Some(e2e),
        ..ReportedMetrics::default()
    };
    let (id, text) = (format!("item_a{step}"), answer.to_owned());
    let message = SessionEvent::AgentMessage { id, text, interrupted: false, metrics: agent };
    push(reply + 4_050, Observation::Session(message));
    push(reply + 4_060, state("speaking", "listening"));
}

fn usize_of(part: i64) -> usize {
    usize::try_from(part).unwrap_or(0)
}
