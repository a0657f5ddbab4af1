//! livekit-agents 1.4: a captured conversation, and messages that are odd.

use super::*;
use crate::record::ToolResult;
use serde_json::json;

/// A call to `livekit-agents` 1.4.6: a greeting, a question, a question with a tool of 300 ms whose answer is
/// broken off.
const CAPTURE: &str = include_str!("../fixtures/livekit-agents-1.4.6.jsonl");

const REPLY: &str =
    "this is a scripted reply that goes on for a while. It has a second sentence, too. ";

#[test]
fn a_conversation_with_livekit_agents_1_4_is_read() {
    let told = play(CAPTURE, Dialect::Events);
    let said: Vec<_> =
        messages(&told).iter().map(|(_, who, what, cut)| (*who, *what, *cut)).collect();
    assert_eq!(
        said,
        [
            ("agent", "hello, how can I help you.", false),
            ("user", "user turn 1", false),
            ("agent", REPLY, false),
            ("user", "user turn 2", false),
            ("agent", "this is", true),
            ("user", "user turn 3 user turn 4", false),
        ]
    );
    assert_eq!(dialects(&told), [Dialect::Events]);
    let seen: Vec<_> = states(&told).iter().map(|(_, state)| *state).collect();
    assert_eq!(seen[..5], ["listening", "speaking", "listening", "thinking", "speaking"]);
}

#[test]
fn stages_come_with_the_messages_and_count_once() {
    let told = play(CAPTURE, Dialect::Events);
    let all = metrics(&told);
    let about = |ms: Option<f64>, expected: f64| ms.is_some_and(|ms| (ms - expected).abs() < 1.0);
    let (greeting, question, answer) = (all[0], all[1], all[2]);
    // The greeting answers nobody.
    assert_eq!((greeting.e2e_latency_ms, greeting.llm_node_ttft_ms), (None, None));
    assert!(about(question.transcription_delay_ms, 249.1), "{question:?}");
    assert!(about(question.end_of_turn_delay_ms, 550.1), "{question:?}");
    assert!(about(answer.llm_node_ttft_ms, 251.2), "{answer:?}");
    // With the wait for the first sentence, as the item has it; the provider's own is 165 ms.
    assert!(about(answer.tts_node_ttfb_ms, 419.8), "{answer:?}");
    assert!(about(answer.e2e_latency_ms, 1_223.6), "{answer:?}");
    assert!(about(answer.speech_ms, 3_501.4), "{answer:?}");
    assert_eq!(all.iter().filter(|m| m.llm_node_ttft_ms.is_some()).count(), 2);
}

#[test]
fn a_tool_runs_for_as_long_as_the_agent_says_and_ends_before_the_message_comes() {
    let told = play(CAPTURE, Dialect::Events);
    let of_tools: Vec<_> = events(&told)
        .filter(|(_, event)| {
            matches!(
                event,
                SessionEvent::ToolStarted { .. }
                    | SessionEvent::ToolEnded { .. }
                    | SessionEvent::ToolsExecuted { .. }
            )
        })
        .collect();
    let [(from, SessionEvent::ToolStarted { name, .. }), (until, _), (at, all)] = of_tools[..]
    else {
        panic!("{of_tools:?}");
    };
    assert_eq!(name, "lookup_order");
    assert!((295..=310).contains(&(until - from)), "{from} {until}");
    assert!((0..=5).contains(&(at - until)), "{until} {at}");
    let tools = vec![ToolResult { name: "lookup_order".into(), is_error: false, gave: Some(true) }];
    assert_eq!(*all, SessionEvent::ToolsExecuted { tools });
}

#[test]
fn what_single_requests_used_is_summed_up() {
    let told = play(CAPTURE, Dialect::Events);
    let (mut llm, mut tts) = ([0.0; 2], [0.0; 2]);
    for line in CAPTURE.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let m = &line["is"]["metrics"];
        let add = |sums: &mut [f64; 2], names: [&str; 2]| {
            for (sum, name) in sums.iter_mut().zip(names) {
                *sum += m[name].as_f64().expect("a number");
            }
        };
        match m["type"].as_str() {
            Some("llm_metrics") => add(&mut llm, ["prompt_tokens", "completion_tokens"]),
            Some("tts_metrics") => add(&mut tts, ["characters_count", "audio_duration"]),
            _ => {}
        }
    }
    let usage = usage(&told);
    let expected = [
        format!(
            "tts workshop/fake-tts [(\"characters_count\", {:?}), (\"audio_duration\", {:?})]",
            tts[0], tts[1]
        ),
        format!(
            "llm workshop/fake-llm [(\"input_tokens\", {:?}), (\"output_tokens\", {:?})]",
            llm[0], llm[1]
        ),
    ];
    assert!(expected.iter().all(|e| usage.contains(e)), "{usage:?}, expected {expected:?}");
    assert_eq!(usage.len(), 3, "{usage:?}");
}

#[test]
fn odd_messages_are_read_as_far_as_they_go() {
    let item =
        |item: Value| json!({"type": "conversation_item_added", "item": item, "created_at": 1.0});
    let told = say(
        Dialect::Events,
        [
            item(json!({"type": "message", "id": "1", "role": "system", "content": ["be kind"]})),
            item(json!({"role": "user", "content": ["one ", {"type": "audio_content"}, "two"]})),
            item(
                json!({"role": "assistant", "content": [], "metrics": {"playback_latency": null}}),
            ),
            json!({"type": "error", "message": "type='llm_error'", "created_at": 1.0}),
            json!({"type": "user_input_transcribed", "transcript": "one", "is_final": true}),
            json!({"type": "of_a_newer_agent", "x": []}),
            json!({"type": "metrics_collected", "metrics": {"type": "vad_metrics", "idle_time": 0.1}}),
            json!({"type": "metrics_collected", "metrics": {"type": "realtime_model_metrics", "label": "rt",
            "input_tokens": 50, "output_tokens": 20, "input_token_details": {"audio_tokens": 30,
            "cached_tokens": 10, "cached_tokens_details": null}, "metadata": null}}),
            json!({"no": "type"}),
        ],
    );
    assert_eq!(messages(&told), [(100, "user", "one two", false), (200, "agent", "", false)]);
    assert!(
        events(&told).any(|(at, event)| at == 300 && matches!(event, SessionEvent::Error { .. }))
    );
    assert_eq!(
        usage(&told),
        [
            "llm /rt [(\"input_tokens\", 50.0), (\"input_cached_tokens\", 10.0), (\"input_audio_tokens\", 30.0), (\"output_tokens\", 20.0)]"
        ]
    );
}

#[test]
fn tools_without_times_or_outputs_are_named_without_a_duration() {
    let ran = |calls: Value, outputs: Value| {
        let message = json!({"type": "function_tools_executed", "function_calls": calls,
            "function_call_outputs": outputs, "created_at": 100.0});
        let told = say(Dialect::Events, [message]);
        let timed = events(&told).filter(|(_, e)| matches!(e, SessionEvent::ToolStarted { .. }));
        let tools = events(&told).find_map(|(_, event)| match event {
            SessionEvent::ToolsExecuted { tools } => Some(tools.clone()),
            _ => None,
        });
        (timed.count(), tools.unwrap_or_default())
    };
    let told = |is_error, gave| vec![ToolResult { name: "hours".to_owned(), is_error, gave }];
    let tool = |is_error| told(is_error, None);
    let call =
        |created_at: Value| json!([{"call_id": "a", "name": "hours", "created_at": created_at}]);
    let output = json!([{"call_id": "a", "is_error": true, "created_at": 99.9}]);
    assert_eq!(ran(call(json!(99.5)), output.clone()), (1, tool(true)));
    // A tool that gave nothing back ran until the message.
    assert_eq!(ran(call(json!(99.5)), json!([null])), (1, told(false, Some(false))));
    for (output, gave) in [(json!("open"), true), (json!(""), false), (json!({}), true)] {
        let output = json!([{"call_id": "a", "output": output}]);
        assert_eq!(ran(call(json!(99.5)), output), (0, told(false, Some(gave))));
    }
    // From nowhere: after its message, an hour before, after its own end, or not at all.
    for from in [json!(101.0), json!(-4_000.0), json!(99.95), json!(1e300), Value::Null] {
        assert_eq!(ran(call(from), output.clone()), (0, tool(true)));
    }
}
