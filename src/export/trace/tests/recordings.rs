//! Calls of many kinds, each as a recording would have it.

use crate::record::{
    CallRecord, Heard, Kind, Observation, Outcome, Participant, SessionEvent, Source, Stamped,
    ToolResult, Track,
};
use crate::report::fixture::{self, at};

const HOSTILE: &str = "</script>\u{1b}[31m\u{202e}\0\r\n\"'{{run}}$(reboot)";

/// Each with its name.
pub(super) fn all() -> Vec<(&'static str, CallRecord)> {
    vec![
        ("answered", call(0)),
        ("no agent", no_agent()),
        ("refused", refused()),
        ("unanswered", unanswered()),
        ("cut in", cut_in()),
        ("not yielding", not_yielding()),
        ("tools", tools()),
        ("two agents", two_agents()),
        ("hostile", hostile()),
        ("stopped", stopped()),
        ("troubled", troubled()),
        ("endless", endless()),
    ]
}

/// An answered call, with the begin of its first step.
pub(super) fn call(id: u32) -> CallRecord {
    let mut call = fixture::call(id);
    let began = Observation::StepBegan { step: 0 };
    let at = call.log[0].at;
    call.log.insert(1, Stamped { at, what: began });
    call
}

fn push(call: &mut CallRecord, us: i64, what: Observation) {
    call.log.push(Stamped { at: at(us), what });
}

fn no_agent() -> CallRecord {
    let mut call = call(0);
    call.log.truncate(1);
    call.end.outcome = Outcome::NoAgent;
    call
}

fn refused() -> CallRecord {
    let mut call = call(0);
    call.log.clear();
    call.end.outcome = Outcome::Refused;
    call.end.detail = "HTTP 401".to_owned();
    call
}

/// Neither the question nor what follows was answered.
pub(super) fn unanswered() -> CallRecord {
    let mut call = call(0);
    call.log.retain(|seen| seen.at < at(6_500_000));
    push(&mut call, 14_000_000, Observation::ExpectationMissed { step: 1 });
    call.end.at = at(14_000_000);
    call.end.outcome = Outcome::NoAnswer;
    call
}

fn cut_in() -> CallRecord {
    let mut call = call(0);
    push(&mut call, 5_000_000, Observation::VoiceBegan);
    push(&mut call, 6_300_000, Observation::VoiceEnded);
    call.log.sort_by_key(|seen| seen.at);
    call
}

fn not_yielding() -> CallRecord {
    let mut call = call(0);
    let end = Stamped { at: at(10_350_000), what: Observation::VoiceEnded };
    let place = call.log.iter().position(|seen| *seen == end).unwrap();
    call.log[place].at = at(12_900_000);
    call.log.sort_by_key(|seen| seen.at);
    call.end.at = at(13_000_000);
    call
}

fn tools() -> CallRecord {
    let mut call = call(0);
    for n in 0..3_i64 {
        let id = format!("c{n}");
        let (from, until) = (6_100_000 + n * 200_000, 6_250_000 + n * 200_000);
        let name = format!("tool_{n}");
        let started = SessionEvent::ToolStarted { call: id.clone(), name };
        push(&mut call, from, Observation::Session(started));
        let ended = SessionEvent::ToolEnded { call: id };
        push(&mut call, until, Observation::Session(ended));
    }
    let result = |name: &str, is_error| ToolResult { name: name.to_owned(), is_error, gave: None };
    let tools = vec![result("tool_0", false), result("tool_1", true), result("tool_2", false)];
    push(&mut call, 6_700_000, Observation::Session(SessionEvent::ToolsExecuted { tools }));
    call
}

fn two_agents() -> CallRecord {
    let mut call = call(0);
    for (track, identity) in [(0, "agent-A"), (1, "agent-B")] {
        let guest = Participant {
            identity: identity.to_owned(),
            name: String::new(),
            kind: Kind::Agent,
            agent_name: "demo-agent".to_owned(),
            on_behalf_of: String::new(),
            joined_after_ms: Some(200),
        };
        push(&mut call, 310_000, Observation::Participant(guest));
        let name = "voice".to_owned();
        let (source, heard) = (Source::Microphone, Heard::Voice);
        let track = Track { track, identity: identity.to_owned(), name, source, heard };
        push(&mut call, 420_000, Observation::Track(track));
    }
    for track in 0..2 {
        push(&mut call, 7_200_000, Observation::TrackSpoke { track, until: at(9_000_000) });
    }
    call
}

fn hostile() -> CallRecord {
    let mut call = tools();
    call.room = HOSTILE.to_owned();
    call.end.detail = HOSTILE.repeat(1_000);
    for seen in &mut call.log {
        if let Observation::AgentJoined { identity } = &mut seen.what {
            HOSTILE.clone_into(identity);
        }
    }
    let text = HOSTILE.repeat(1_000);
    let name = text.clone();
    let started = SessionEvent::ToolStarted { call: "h".to_owned(), name };
    push(&mut call, 6_800_000, Observation::Session(started));
    push(&mut call, 6_900_000, Observation::Session(SessionEvent::Error { message: text.clone() }));
    let metrics = crate::record::ReportedMetrics {
        llm_node_ttft_ms: Some(f64::NAN),
        tts_node_ttfb_ms: Some(f64::INFINITY),
        ..Default::default()
    };
    let message = SessionEvent::AgentMessage { id: "m".into(), text, interrupted: false, metrics };
    push(&mut call, 10_400_000, Observation::Session(message));
    call
}

fn stopped() -> CallRecord {
    let mut call = call(0);
    call.log.retain(|seen| seen.at < at(5_000_000));
    call.end.at = at(5_000_000);
    call.end.outcome = Outcome::Stopped;
    call
}

fn troubled() -> CallRecord {
    let mut call = call(0);
    push(&mut call, 7_900_000, Observation::AgentMediaStalled);
    push(&mut call, 8_000_000, Observation::Reconnecting);
    push(&mut call, 8_100_000, Observation::LimitReached { what: "log".to_owned() });
    push(&mut call, 8_200_000, Observation::ConnectionLost { reason: "gone".to_owned() });
    call.end.outcome = Outcome::ConnectionLost;
    call
}

/// More of everything than becomes spans.
fn endless() -> CallRecord {
    let mut call = call(0);
    for n in 0..3_000_i64 {
        let from = 6_000_000 + n * 1_000;
        let (id, name) = (n.to_string(), "again".to_owned());
        let started = SessionEvent::ToolStarted { call: id.clone(), name };
        push(&mut call, from, Observation::Session(started));
        push(&mut call, from + 500, Observation::Session(SessionEvent::ToolEnded { call: id }));
        let message = format!("error {n}");
        push(&mut call, from, Observation::Session(SessionEvent::Error { message }));
    }
    call
}
