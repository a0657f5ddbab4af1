//! Whole conversations as they came over the wire, and what no agent should send.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for some of many events")]

mod events;
mod rtvi;

use super::Reports;
use crate::record::{Dialect, Observation, ReportedMetrics, SessionEvent, Stamped};
use crate::time::Offset;
use proptest::prelude::*;
use serde_json::Value;

const fn ms(ms: i64) -> Offset {
    Offset::from_micros(ms * 1_000)
}

/// A captured conversation, played to the reader: each line is a message and the moment of its receipt.
fn play(capture: &str, dialect: Dialect) -> Vec<Stamped> {
    let mut reports = Reports::default();
    let each = capture.lines().flat_map(|line| {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let at = ms(line["ms"].as_i64().expect("a moment"));
        reports.take("agent", dialect, line["is"].to_string().as_bytes(), at)
    });
    each.collect()
}

/// What one agent says in these messages, the first of them at 0 ms, the next at 100 ms and so on.
fn say<const N: usize>(dialect: Dialect, messages: [Value; N]) -> Vec<Stamped> {
    let mut reports = Reports::default();
    let all = (0..).zip(messages);
    all.flat_map(|(i, m)| reports.take("a", dialect, m.to_string().as_bytes(), ms(100 * i)))
        .collect()
}

fn events(told: &[Stamped]) -> impl Iterator<Item = (i64, &SessionEvent)> {
    told.iter().map(|stamped| {
        let Observation::Session(event) = &stamped.what else { panic!("{stamped:?}") };
        (stamped.at.micros() / 1_000, event)
    })
}

/// Every message of a conversation in short: when, who, what, whether it was broken off.
fn messages(told: &[Stamped]) -> Vec<(i64, &'static str, &str, bool)> {
    let each = events(told).filter_map(|(at, event)| match event {
        SessionEvent::UserMessage { text, .. } => Some((at, "user", text.as_str(), false)),
        SessionEvent::AgentMessage { text, interrupted, .. } => {
            Some((at, "agent", text.as_str(), *interrupted))
        }
        _ => None,
    });
    each.collect()
}

fn metrics(told: &[Stamped]) -> Vec<ReportedMetrics> {
    let each = events(told).filter_map(|(_, event)| match event {
        SessionEvent::UserMessage { metrics, .. } | SessionEvent::AgentMessage { metrics, .. } => {
            Some(*metrics)
        }
        _ => None,
    });
    each.collect()
}

fn states(told: &[Stamped]) -> Vec<(i64, &str)> {
    let each = events(told).filter_map(|(at, event)| match event {
        SessionEvent::AgentState { new, .. } => Some((at, new.as_str())),
        _ => None,
    });
    each.collect()
}

/// Kind, provider, model and counts of the last usage that was told.
fn usage(told: &[Stamped]) -> Vec<String> {
    let last = events(told).filter_map(|(_, event)| match event {
        SessionEvent::Usage { models } => Some(models),
        _ => None,
    });
    let models = last.last().into_iter().flatten();
    models.map(|m| format!("{} {}/{} {:?}", m.kind, m.provider, m.model, m.counts)).collect()
}

fn dialects(told: &[Stamped]) -> Vec<Dialect> {
    let each = events(told).filter_map(|(_, event)| match event {
        SessionEvent::Dialect(dialect) => Some(*dialect),
        _ => None,
    });
    each.collect()
}

#[test]
fn an_agent_is_heard_in_its_first_dialect_only() {
    let state = |new: &str| {
        let state =
            serde_json::json!({"type": "agent_state_changed", "old_state": "x", "new_state": new});
        state.to_string().into_bytes()
    };
    // `AgentStateChanged`, listening → thinking.
    let proto = [0x1a, 0x06, 0x52, 0x04, 0x08, 0x02, 0x10, 0x03];
    let mut reports = Reports::default();
    assert_eq!(reports.take("a", Dialect::Session, b"", ms(0)), [], "nothing is no dialect");
    let first = reports.take("a", Dialect::Session, &proto, ms(1));
    assert_eq!((dialects(&first), states(&first)), (vec![Dialect::Session], vec![(1, "thinking")]));
    assert_eq!(reports.take("a", Dialect::Events, &state("speaking"), ms(2)), []);
    let second = reports.take("a", Dialect::Session, &proto, ms(3));
    assert_eq!((dialects(&second), second.len()), (vec![], 1));
    // Another agent has a dialect of its own, and what is none does not decide it.
    assert_eq!(reports.take("b", Dialect::Rtvi, &state("speaking"), ms(4)), []);
    let other = reports.take("b", Dialect::Events, &state("speaking"), ms(5));
    assert_eq!(dialects(&other), [Dialect::Events]);
    let sdk = SessionEvent::Framework { sdk: "python".into(), sdk_version: "1.4".into() };
    assert!(events(&other).any(|(_, event)| *event == sdk));
    for agent in 0..100 {
        reports.take(&agent.to_string(), Dialect::Events, &state("speaking"), ms(6));
    }
    assert_eq!(reports.agents.len(), super::AGENTS);
}

/// JSON of any shape, with the words of the dialects in it.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        "[a-z_-]{0,12}",
        proptest::sample::select(vec![
            "rtvi-ai",
            "metrics",
            "bot-output",
            "bot-llm-started",
            "bot-started-speaking",
            "bot-stopped-speaking",
            "user-stopped-speaking",
            "user-input",
            "transcription",
            "llm-function-call-in-progress",
            "conversation_item_added",
            "function_tools_executed",
            "metrics_collected",
            "llm_metrics",
            "assistant",
            "user",
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word.prop_map(Value::from),
    ];
    let key = proptest::sample::select(vec![
        "label",
        "type",
        "data",
        "item",
        "metrics",
        "role",
        "content",
        "text",
        "final",
        "ttfb",
        "tokens",
        "characters",
        "stt_usage",
        "value",
        "processor",
        "tool_call_id",
        "segment_id",
        "function_calls",
        "function_call_outputs",
        "created_at",
        "call_id",
        "name",
        "input_type",
        "total_tokens",
        "completion_tokens",
        "spoken_progress",
        "old_state",
        "new_state",
    ]);
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((key.clone(), inner), 0..8).prop_map(|fields| {
                fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            }),
        ]
    })
}

/// The fields that make a reader look at a message, around any others.
fn any_message() -> impl Strategy<Value = Value> {
    (any_json(), any_json()).prop_map(|(mut outer, data)| {
        if let Some(fields) = outer.as_object_mut() {
            fields.entry("label").or_insert_with(|| "rtvi-ai".into());
            fields.entry("type").or_insert_with(|| "metrics".into());
            fields.entry("data").or_insert(data);
        }
        outer
    })
}

const ALL: [Dialect; 3] = [Dialect::Session, Dialect::Events, Dialect::Rtvi];

proptest! {
    #[test]
    fn no_bytes_panic(messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..8)) {
        for dialect in ALL {
            let mut reports = Reports::default();
            for bytes in &messages {
                reports.take("a", dialect, bytes, ms(0));
            }
        }
    }

    /// Whatever an agent says, its words stay short and nothing is dated after its receipt.
    #[test]
    fn no_message_panics_or_grows(messages in proptest::collection::vec(any_message(), 0..30)) {
        for dialect in [Dialect::Events, Dialect::Rtvi] {
            let mut reports = Reports::default();
            for (at, message) in (0..).zip(&messages) {
                for told in reports.take("a", dialect, message.to_string().as_bytes(), ms(at)) {
                    prop_assert!(told.at <= ms(at));
                }
            }
        }
    }
}

#[test]
fn floods_are_kept_short() {
    let long = "x".repeat(10_000);
    let packet = |kind: &str, data: Value| {
        serde_json::json!({"label": "rtvi-ai", "type": kind, "data": data}).to_string()
    };
    let mut reports = Reports::default();
    let mut told = Vec::new();
    for i in 0..200 {
        for (kind, data) in [
            ("bot-started-speaking", Value::Null),
            ("bot-llm-text", serde_json::json!({"text": long})),
            ("bot-tts-text", serde_json::json!({"text": "words"})),
            ("bot-output", serde_json::json!({"text": long, "segment_id": i})),
            ("user-transcription", serde_json::json!({"text": "words", "final": i % 2 == 0})),
            ("user-started-speaking", Value::Null),
            ("llm-function-call-in-progress", serde_json::json!({"tool_call_id": i.to_string()})),
        ] {
            let bytes = packet(kind, data);
            told.extend(reports.take("a", Dialect::Rtvi, bytes.as_bytes(), ms(i)));
        }
    }
    told.extend(reports.take(
        "a",
        Dialect::Rtvi,
        packet("bot-stopped-speaking", Value::Null).as_bytes(),
        ms(3_000),
    ));
    let last = messages(&told).last().map(|(_, who, text, _)| (*who, text.len()));
    assert_eq!(last, Some(("agent", 2_000)));
    let tools = events(&told).filter(|(_, e)| matches!(e, SessionEvent::ToolStarted { .. }));
    assert_eq!(tools.count(), 64);
}
