//! Pipecat: a captured conversation, and courses it did not take.

use super::*;
use serde_json::json;

/// A call to Pipecat 1.14 with its defaults but metrics on: a greeting, a question, a question with a tool
/// whose answer is broken off.
const CAPTURE: &str = include_str!("../fixtures/pipecat-1.14.jsonl");

fn packet(kind: &str, data: Value) -> Value {
    let mut packet = edge(kind);
    packet["data"] = data;
    packet
}

fn edge(kind: &str) -> Value {
    json!({"label": "rtvi-ai", "type": kind})
}

fn ttfb(service: &str, seconds: f64) -> Value {
    packet("metrics", json!({"ttfb": [{"processor": service, "model": "m", "value": seconds}]}))
}

#[test]
fn a_conversation_with_pipecat_is_read() {
    let told = play(CAPTURE, Dialect::Rtvi);
    assert_eq!(
        messages(&told),
        [
            (2_187, "agent", "hello, how can I help you.", false),
            // Stamped when the turn was committed, which is when the LLM begins.
            (7_546, "user", "user turn 1", false),
            (
                10_862,
                "agent",
                "this is a scripted reply that goes on for a while. It has a second sentence, too.",
                false
            ),
            (16_615, "user", "user turn 2", false),
            // How far the sentence came is not told.
            (18_278, "agent", "this is a scripted reply that goes on for a while.", true),
            (19_158, "user", "user turn 3", false),
        ]
    );
    assert_eq!(dialects(&told), [Dialect::Rtvi]);
    let sdk = SessionEvent::Framework { sdk: "pipecat".into(), sdk_version: String::new() };
    assert!(events(&told).any(|(_, event)| *event == sdk));
}

#[test]
fn first_bytes_become_stages_of_their_reply() {
    let told = play(CAPTURE, Dialect::Rtvi);
    let round = |ms: Option<f64>| ms.map(f64::round);
    let all: Vec<_> = metrics(&told)
        .iter()
        .map(|m| {
            (round(m.transcription_delay_ms), round(m.llm_node_ttft_ms), round(m.tts_node_ttfb_ms))
        })
        .collect();
    assert_eq!(
        all,
        [
            // The zeros of the session's first message are no measurements.
            (None, None, Some(151.0)),
            (Some(303.0), None, None),
            (None, Some(251.0), Some(151.0)),
            (Some(302.0), None, None),
            (None, Some(251.0), Some(151.0)),
            (Some(302.0), None, None),
        ]
    );
    assert!(metrics(&told).iter().all(|m| m.e2e_latency_ms.is_none()), "RTVI knows none");
}

#[test]
fn the_agents_state_is_concluded_from_what_it_does() {
    let told = play(CAPTURE, Dialect::Rtvi);
    assert_eq!(
        states(&told),
        [
            (1_204, "thinking"),
            (1_380, "speaking"),
            (2_187, "listening"),
            (7_547, "thinking"),
            (8_256, "speaking"),
            (10_862, "listening"),
            // Through both runs of the LLM and the tool between them.
            (16_618, "thinking"),
            (17_888, "speaking"),
            (18_278, "listening"),
            (19_159, "thinking"),
        ]
    );
}

#[test]
fn a_tool_is_timed_by_our_receipt_and_nameless_unless_pipecat_names_it() {
    let told = play(CAPTURE, Dialect::Rtvi);
    let tools: Vec<_> = events(&told)
        .filter_map(|(at, event)| match event {
            SessionEvent::ToolStarted { name, .. } => Some((at, Some(name.as_str()))),
            SessionEvent::ToolEnded { .. } => Some((at, None)),
            _ => None,
        })
        .collect();
    assert_eq!(tools, [(16_887, Some("")), (17_167, None)]);
    let named = packet(
        "llm-function-call-in-progress",
        json!({"tool_call_id": "a", "function_name": "lookup_order"}),
    );
    let told = say(Dialect::Rtvi, [named]);
    let call = SessionEvent::ToolStarted { call: "a".into(), name: "lookup_order".into() };
    assert!(events(&told).any(|(_, event)| *event == call));
}

#[test]
fn usage_is_summed_up_with_the_names_of_livekit() {
    assert_eq!(
        usage(&play(CAPTURE, Dialect::Rtvi)),
        [
            "tts TTS/fake-tts [(\"characters_count\", 186.0)]",
            "stt STTService/fake-stt [(\"audio_duration\", 9.10625)]",
            "llm LLM/fake-llm [(\"input_tokens\", 144.0), (\"output_tokens\", 34.0)]",
        ]
    );
    // Anthropic's prompt tokens are without those of its cache; the total has both.
    let told = say(
        Dialect::Rtvi,
        [packet(
            "metrics",
            json!({"tokens": [{"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115,
            "cache_read_input_tokens": 100}]}),
        )],
    );
    assert_eq!(
        usage(&told),
        [
            "llm / [(\"input_tokens\", 110.0), (\"input_cached_tokens\", 100.0), (\"output_tokens\", 5.0)]"
        ]
    );
}

#[test]
fn a_filler_and_the_answer_after_the_tool_are_two_messages_with_their_own_stages() {
    let told = say(
        Dialect::Rtvi,
        [
            edge("user-started-speaking"),
            packet("user-transcription", json!({"text": "where is it", "final": true})),
            edge("user-stopped-speaking"),
            edge("bot-llm-started"),
            ttfb("OpenAILLMService#0", 0.3),
            packet("bot-llm-text", json!({"text": "One moment."})),
            edge("bot-tts-started"),
            ttfb("CartesiaTTSService#1", 0.1),
            edge("bot-started-speaking"),
            packet("llm-function-call-in-progress", json!({"tool_call_id": "a"})),
            edge("bot-llm-stopped"),
            edge("bot-tts-stopped"),
            edge("bot-stopped-speaking"),
            packet("llm-function-call-stopped", json!({"tool_call_id": "a", "cancelled": false})),
            edge("bot-llm-started"),
            ttfb("OpenAILLMService#0", 0.5),
            packet("bot-llm-text", json!({"text": "It is on its way."})),
            edge("bot-llm-stopped"),
            edge("bot-tts-started"),
            ttfb("CartesiaTTSService#1", 0.2),
            edge("bot-started-speaking"),
            edge("bot-tts-stopped"),
            ttfb("CartesiaTTSService#1", 0.9),
            edge("bot-stopped-speaking"),
        ],
    );
    assert_eq!(
        messages(&told),
        [
            (200, "user", "where is it", false),
            (1_200, "agent", "One moment.", false),
            (2_300, "agent", "It is on its way.", false),
        ]
    );
    let stages: Vec<_> =
        metrics(&told).iter().map(|m| (m.llm_node_ttft_ms, m.tts_node_ttfb_ms)).collect();
    assert_eq!(stages[1..], [(Some(300.0), Some(100.0)), (Some(500.0), Some(200.0))]);
    // Between the two it is not done: a tool runs, then the LLM, then the TTS.
    let seen: Vec<_> = states(&told).iter().map(|(_, state)| *state).collect();
    assert_eq!(seen, ["thinking", "speaking", "thinking", "speaking", "listening"]);
}

#[test]
fn a_transcript_that_comes_late_belongs_to_the_turn_that_was_committed() {
    // Speech-to-speech models tell what they understood after they have begun to answer, or never.
    let turn = |transcript: Value| {
        let told = say(
            Dialect::Rtvi,
            [
                edge("user-started-speaking"),
                edge("user-stopped-speaking"),
                edge("bot-llm-started"),
                edge("bot-started-speaking"),
                transcript,
                ttfb("STTService#0", 0.4),
                edge("bot-stopped-speaking"),
            ],
        );
        let transcribed = metrics(&told).iter().find_map(|m| m.transcription_delay_ms);
        assert_eq!(transcribed, Some(400.0));
        let all = messages(&told).into_iter();
        all.map(|(at, who, what, _)| (at, who, what.to_owned())).collect::<Vec<_>>()
    };
    let user = |what: &str| (100, "user", what.to_owned());
    let agent = || (600, "agent", String::new());
    let said = json!({"text": " hours? ", "final": true, "input_type": "transcription"});
    assert_eq!(turn(packet("user-input", said)), [user("hours?"), agent()]);
    let interim = json!({"text": "hou", "final": false, "input_type": "transcription"});
    assert_eq!(turn(packet("user-input", interim)), [user(""), agent()]);
    // Typed, not spoken.
    let typed = json!({"text": "hello", "final": true, "input_type": "text"});
    assert_eq!(turn(packet("user-input", typed)), [user(""), agent()]);
}

#[test]
fn a_cough_is_no_turn_and_an_interruption_of_silence_breaks_nothing_off() {
    let told = say(
        Dialect::Rtvi,
        [
            edge("user-started-speaking"),
            edge("bot-interrupted"),
            edge("user-stopped-speaking"),
            edge("user-started-speaking"),
            packet("user-transcription", json!({"text": "hours?", "final": true})),
            edge("user-stopped-speaking"),
            edge("bot-started-speaking"),
            edge("bot-stopped-speaking"),
            packet("error", json!({"error": "no such voice", "fatal": false})),
        ],
    );
    assert_eq!(messages(&told), [(500, "user", "hours?", false), (700, "agent", "", false)]);
    let error = SessionEvent::Error { message: "no such voice".into() };
    assert!(events(&told).any(|(at, event)| at == 800 && *event == error));
}

#[test]
fn how_much_of_a_sentence_was_spoken_is_kept_where_the_voice_tells_it() {
    let output = |status: &str, so_far: &str| {
        packet(
            "bot-output",
            json!({"text": "We open at nine.", "segment_id": 7, "will_be_spoken": true,
            "spoken_status": status, "spoken_progress": {"accumulated_text": so_far, "remaining_text": "…"}}),
        )
    };
    let aside = json!({"text": "[thinks]", "segment_id": 8, "will_be_spoken": false});
    let told = say(
        Dialect::Rtvi,
        [
            edge("bot-llm-started"),
            packet("bot-llm-text", json!({"text": "We open at nine. We close at five."})),
            edge("bot-started-speaking"),
            packet("bot-output", aside),
            output("new", ""),
            output("in-progress", "We open"),
            edge("bot-interrupted"),
            edge("bot-stopped-speaking"),
        ],
    );
    assert_eq!(messages(&told), [(700, "agent", "We open", true)]);
}
