//! Scenarios and recordings for tests, written as moments in milliseconds.

use std::time::Duration;

use super::{Measures, Turn, analyse, turns};
use crate::record::{
    CallEnd, CallId, CallRecord, ClipFact, Host, MediaFacts, Observation, Outcome, ReportedMetrics,
    Run, RunHead, RunTail, SessionEvent, Stamped,
};
use crate::scenario::testing::with_turns;
use crate::scenario::{
    Act, Anchor, ClipRef, Content, Expect, Metric, Scenario, Signals, Start, Step,
};
use crate::time::Offset;

pub(crate) const WITHIN: Duration = Duration::from_secs(8);
pub(crate) const YIELD_WITHIN: Duration = Duration::from_secs(2);

pub(crate) fn at(ms: i64) -> Offset {
    Offset::from_micros(ms * 1_000)
}

pub(crate) fn listen(id: &str) -> Step {
    let expect = Some(Expect::Speaks { within: WITHIN });
    let (content, signals) = (Content::default(), Signals::default());
    Step { id: id.to_owned(), act: Act::Listen, expect, content, signals }
}

pub(crate) fn say(id: &str, expect: Option<Expect>) -> Step {
    let clip = ClipRef {
        file: format!("clips/{id}.wav"),
        text: None,
        take: crate::audio::Take::default(),
        span: 0..0,
    };
    let barges = matches!(expect, Some(Expect::Yields { .. }));
    let after = if barges { Anchor::AgentSpeechStart } else { Anchor::AgentSpeechEnd };
    let start = Start { after, delay: Duration::from_millis(400) };
    let act = Act::Say { clip, start };
    let (content, signals) = (Content::default(), Signals::default());
    Step { id: id.to_owned(), act, expect, content, signals }
}

pub(crate) fn ask(id: &str) -> Step {
    say(id, Some(Expect::Responds { within: WITHIN }))
}

pub(crate) fn barge(id: &str) -> Step {
    say(id, Some(Expect::Yields { within: YIELD_WITHIN }))
}

pub(crate) fn scenario(steps: Vec<Step>) -> Scenario {
    scenario_with("", steps)
}

/// With more lines of the file, such as `thresholds: …`.
pub(crate) fn scenario_with(lines: &str, steps: Vec<Step>) -> Scenario {
    let head = "name: greeting
agent: {name: demo-agent}
hangup: {max_call: 90s}
load: {executor: repeat, calls: 10, concurrency: 5}";
    with_turns(&format!("{head}\n{lines}"), steps)
}

/// The scenario most recordings here are of: a greeting and two questions.
pub(crate) fn two_questions() -> Scenario {
    two_questions_with("")
}

/// As [`scenario_with`].
pub(crate) fn two_questions_with(lines: &str) -> Scenario {
    scenario_with(lines, vec![listen("greeting"), ask("hours"), ask("price")])
}

/// A call whose log is written with the functions below.
pub(crate) fn call(id: u32, log: Vec<Stamped>, end_ms: i64, outcome: Outcome) -> CallRecord {
    CallRecord {
        id: CallId(id),
        room: format!("room-{id}"),
        due: at(0),
        dialled: at(0),
        log,
        end: CallEnd { at: at(end_ms), outcome, detail: String::new() },
        media: MediaFacts::default(),
    }
}

pub(crate) fn is(ms: i64, what: Observation) -> Stamped {
    Stamped { at: at(ms), what }
}

pub(crate) fn connected(ms: i64) -> Vec<Stamped> {
    let room = Observation::Connected { room_sid: "RM_1".to_owned() };
    vec![is(ms, room)]
}

pub(crate) fn joined(ms: i64) -> Vec<Stamped> {
    let joined = Observation::AgentJoined { identity: "agent-AJ_1".to_owned() };
    vec![is(ms, joined), is(ms + 150, Observation::AgentTrackSubscribed)]
}

pub(crate) fn voice(from: i64, until: i64) -> Vec<Stamped> {
    vec![is(from, Observation::VoiceBegan), is(until, Observation::VoiceEnded)]
}

pub(crate) fn began(step: u32, ms: i64) -> Vec<Stamped> {
    vec![is(ms, Observation::StepBegan { step })]
}

pub(crate) fn said(step: u32, from: i64, until: i64) -> Vec<Stamped> {
    let began = is(from, Observation::UtteranceBegan { step });
    vec![began, is(until, Observation::UtteranceEnded { step })]
}

pub(crate) fn met(step: u32, ms: i64) -> Vec<Stamped> {
    vec![is(ms, Observation::ExpectationMet { step })]
}

pub(crate) fn missed(step: u32, ms: i64) -> Vec<Stamped> {
    vec![is(ms, Observation::ExpectationMissed { step })]
}

pub(crate) fn session(ms: i64, event: SessionEvent) -> Vec<Stamped> {
    vec![is(ms, Observation::Session(event))]
}

pub(crate) fn user(ms: i64, text: &str, end_of_turn: f64) -> Vec<Stamped> {
    let metrics =
        ReportedMetrics { end_of_turn_delay_ms: Some(end_of_turn), ..ReportedMetrics::default() };
    let (id, text) = (format!("item_{ms}"), text.to_owned());
    session(ms, SessionEvent::UserMessage { id, text, metrics })
}

pub(crate) fn agent(ms: i64, text: &str, interrupted: bool, ttft: f64) -> Vec<Stamped> {
    let metrics = ReportedMetrics {
        llm_node_ttft_ms: Some(ttft),
        e2e_latency_ms: Some(ttft + 700.0),
        ..ReportedMetrics::default()
    };
    agent_with(ms, text, interrupted, metrics)
}

pub(crate) fn agent_with(
    ms: i64,
    text: &str,
    interrupted: bool,
    metrics: ReportedMetrics,
) -> Vec<Stamped> {
    let (id, text) = (format!("item_{ms}"), text.to_owned());
    session(ms, SessionEvent::AgentMessage { id, text, interrupted, metrics })
}

pub(crate) fn run(run_id: &str, calls: Vec<CallRecord>, scenario: &Scenario) -> Run {
    let planned = u32::try_from(calls.len()).expect("few");
    let ended = calls.iter().map(|c| c.end.at).max().unwrap_or_default();
    let clips = scenario.steps().iter().map(|step| match &step.act {
        Act::Say { clip, .. } => Some(ClipFact {
            file: clip.file.clone(),
            sha256: format!("sha of {}", clip.file),
            text: None,
            voiced_ms: 2_000.0,
            end_given_ms: None,
            channel: None,
            source: None,
        }),
        Act::Listen | Act::Silence { .. } => None,
    });
    Run {
        head: RunHead {
            run_id: run_id.to_owned(),
            started_at: "2026-11-24T10:00:00.000000Z".to_owned(),
            loadcall_version: "0.1.0".to_owned(),
            scenario_path: "scenarios/greeting.yaml".to_owned(),
            scenario_text: String::new(),
            overlay: None,
            clips: clips.collect(),
            seed: 1,
            server_url: "ws://127.0.0.1:7880".to_owned(),
            langfuse_url: None,
            agent_started: false,
            labels: crate::record::Labels::default(),
            server: None,
            host: Host { os: "linux".to_owned(), cpus: 2 },
            calibration: None,
            arm: None,
        },
        calls,
        tail: Some(RunTail { ended, stopped: false, gave_up: false, planned }),
    }
}

pub(crate) fn turns_of(
    steps: Vec<Step>,
    log: &[Vec<Stamped>],
    end_ms: i64,
    outcome: Outcome,
) -> Vec<Turn> {
    turns(&call(0, log.concat(), end_ms, outcome), &scenario(steps))
}

pub(crate) fn measures_of(
    steps: Vec<Step>,
    log: &[Vec<Stamped>],
    end_ms: i64,
    outcome: Outcome,
) -> Measures {
    let scenario = scenario(steps);
    let run = run("r", vec![call(0, log.concat(), end_ms, outcome)], &scenario);
    analyse(&run, &scenario).measures
}

/// Values of a metric as (step, milliseconds, censored).
pub(crate) fn values(measures: &Measures, metric: Metric) -> Vec<(u32, f64, bool)> {
    measures.values(metric).iter().map(|v| (v.step, v.value, v.censored)).collect()
}
