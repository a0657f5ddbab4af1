//! The writing side and the reading side (`call::session`), held together.

use super::*;
use crate::agent::voice::Voices;
use crate::call::dialect::session::{ask_framework, ask_options, decode};
use crate::record::ToolResult;
use std::sync::Arc;

#[test]
fn what_the_agent_says_is_what_a_caller_reads() {
    let metrics = ReportedMetrics {
        llm_node_ttft_ms: Some(250.0),
        e2e_latency_ms: Some(962.5),
        speech_ms: Some(1_500.0),
        ..ReportedMetrics::default()
    };
    let said = [
        SessionEvent::AgentState { old: "listening".into(), new: "thinking".into() },
        SessionEvent::UserState { old: "speaking".into(), new: "listening".into() },
        SessionEvent::UserMessage { id: "a".into(), text: "hi".into(), metrics },
        SessionEvent::AgentMessage {
            id: "b".into(),
            text: "hello".into(),
            interrupted: true,
            metrics,
        },
        SessionEvent::ToolsStarted { names: vec!["look_up".into()] },
        SessionEvent::ToolStarted { call: "c1".into(), name: "look_up".into() },
        SessionEvent::ToolEnded { call: "c1".into() },
        SessionEvent::ToolsExecuted {
            tools: vec![ToolResult { name: "look_up".into(), is_error: false, gave: Some(true) }],
        },
        SessionEvent::Error { message: "type='llm_error'".into() },
        SessionEvent::FalseInterruption { resumed: true },
    ];
    for event_said in said {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let bytes = event(&event_said, now).expect("an event");
        assert_eq!(decode(&bytes), Some(event_said));
    }
}

#[test]
fn questions_are_answered() {
    let script = Script::default().for_room("a-001");
    let conversation = Conversation::new(script, Arc::new(Voices::default()));
    let began = SystemTime::UNIX_EPOCH;
    let about = About { identity: "agent-1", began, conversation: &conversation };
    let read = |request: Vec<u8>| decode(&answer(&request, &about, began).expect("an answer"));
    assert_eq!(
        read(ask_framework("r1".into())),
        Some(SessionEvent::Framework {
            sdk: "loadcall".into(),
            sdk_version: env!("CARGO_PKG_VERSION").into()
        })
    );
    let Some(SessionEvent::Options { options }) = read(ask_options("r2".into())) else {
        panic!("no options");
    };
    assert_eq!(options[0], ("endpointing".into(), "Fixed(400.0)".into()));
    assert_eq!(answer(b"", &about, began), None);
    assert_eq!(answer(b"\xff\xff", &about, began), None);
}
