use super::super::testing::*;
use super::*;
use crate::record::{Outcome, Stamped, ToolResult};
use crate::scenario::Expect;
use crate::turn::Part;

/// A barge-in into the reply to a first question, with the messages in the given order.
fn interrupted_reply(messages: &[Vec<Stamped>; 3]) -> Vec<Turn> {
    let steps = vec![ask("hours"), say("wait", Some(Expect::Yields { within: YIELD_WITHIN }))];
    let heard = [
        connected(0),
        began(0, 0),
        said(0, 1_000, 2_000),
        user(2_600, "hours?", 500.0),
        voice(3_100, 4_600),
        began(1, 3_100),
        said(1, 4_000, 5_000),
        voice(6_500, 8_000),
    ];
    turns_of(steps, &[&heard[..], messages].concat(), 9_000, Outcome::Answered)
}

#[test]
fn an_interrupted_reply_is_reported_late() {
    let cut = agent(7_000, "nine to", true, 250.0);
    let next = user(5_700, "wait", 510.0);
    let last = agent(8_100, "yes?", false, 300.0);
    for messages in [[next.clone(), cut.clone(), last.clone()], [cut, next, last]] {
        let turns = interrupted_reply(&messages);
        assert_eq!(turns[0].reported.llm_node_ttft_ms, Some(250.0));
        assert_eq!(turns[0].reply_text.as_deref(), Some("nine to"));
        assert_eq!(turns[1].reported.llm_node_ttft_ms, Some(300.0));
        assert_eq!(turns[1].reported.end_of_turn_delay_ms, Some(510.0));
        assert_eq!(turns[1].reply_text.as_deref(), Some("yes?"));
    }
}

#[test]
fn a_question_that_failed_does_not_take_the_next_reply() {
    let log = [
        connected(0),
        began(0, 0),
        said(0, 1_000, 2_000),
        session(2_500, SessionEvent::Error { message: "llm_error".to_owned() }),
        user(2_600, "hours?", 500.0),
        missed(0, 10_000),
        began(1, 10_000),
        said(1, 10_400, 11_000),
        user(11_600, "price?", 505.0),
        voice(12_100, 13_000),
        agent(13_100, "ten euros", false, 250.0),
    ];
    let turns = turns_of(vec![ask("hours"), ask("price")], &log, 14_000, Outcome::NoAnswer);
    assert_eq!(turns[0].errors, ["llm_error"]);
    assert_eq!(turns[0].heard_by_agent.as_deref(), Some("hours?"));
    assert_eq!((turns[0].reported.llm_node_ttft_ms, turns[0].reply_text.as_ref()), (None, None));
    assert_eq!(turns[1].reported.llm_node_ttft_ms, Some(250.0));
    assert_eq!(turns[1].errors, [""; 0]);
}

#[test]
fn an_utterance_committed_in_two_pieces_is_one_turn() {
    let log = [
        connected(0),
        began(0, 0),
        said(0, 1_000, 5_000),
        user(2_600, "what are", 500.0),
        user(5_600, "the hours?", 600.0),
        voice(6_100, 7_000),
        agent(7_100, "nine to five", false, 250.0),
    ];
    let turns = turns_of(vec![ask("hours")], &log, 8_000, Outcome::Answered);
    assert_eq!(turns[0].heard_by_agent.as_deref(), Some("what are the hours?"));
    assert_eq!(turns[0].reported.end_of_turn_delay_ms, Some(600.0));
    assert_eq!(turns[0].reported.llm_node_ttft_ms, Some(250.0));
}

#[test]
fn a_turn_with_tools_has_two_messages() {
    let tool = |is_error| ToolResult { name: "hours".to_owned(), is_error, gave: None };
    let second = ReportedMetrics {
        llm_node_ttft_ms: Some(900.0),
        tts_node_ttfb_ms: Some(150.0),
        ..ReportedMetrics::default()
    };
    let log = [
        connected(0),
        began(0, 0),
        said(0, 1_000, 2_000),
        user(2_600, "hours?", 500.0),
        voice(3_000, 3_900),
        session(3_100, SessionEvent::ToolsStarted { names: vec!["hours".to_owned()] }),
        session(3_800, SessionEvent::ToolsExecuted { tools: vec![tool(false), tool(true)] }),
        agent(4_000, "let me look", false, 250.0),
        voice(5_000, 6_000),
        agent_with(6_100, "nine to five", false, second),
    ];
    let turns = turns_of(vec![ask("hours")], &log, 7_000, Outcome::Answered);
    assert_eq!(turns[0].reply_text.as_deref(), Some("let me look nine to five"));
    assert_eq!(turns[0].tools, ["hours", "hours"]);
    assert_eq!(turns[0].errors, ["tool `hours` failed"]);
    assert_eq!(turns[0].reported.llm_node_ttft_ms, Some(250.0));
    assert_eq!(turns[0].reported.tts_node_ttfb_ms, Some(150.0));
}

#[test]
fn a_late_greeting_message_is_not_the_first_reply() {
    let log = [
        connected(0),
        began(0, 0),
        voice(500, 1_600),
        began(1, 600),
        said(1, 1_000, 2_000),
        user(2_600, "hours?", 500.0),
        agent_with(2_700, "Hello and", true, ReportedMetrics::default()),
        voice(3_100, 4_000),
        agent(4_100, "nine to five", false, 250.0),
    ];
    let turns = turns_of(vec![listen("greeting"), ask("hours")], &log, 5_000, Outcome::Answered);
    assert_eq!(turns[0].reply_text.as_deref(), Some("Hello and"));
    assert_eq!(turns[1].reply_text.as_deref(), Some("nine to five"));
    // Nor does the first reply become the greeting's when that is never reported.
    let log: Vec<_> =
        log.into_iter().enumerate().filter(|(i, _)| *i != 6).map(|(_, s)| s).collect();
    let turns = turns_of(vec![listen("greeting"), ask("hours")], &log, 5_000, Outcome::Answered);
    assert_eq!(turns[0].reply_text, None);
    assert_eq!(turns[1].reply_text.as_deref(), Some("nine to five"));
}

/// A question and its answer, 1,100 ms after it, of which the agent reports `metrics`.
fn answered_with(metrics: ReportedMetrics) -> [Vec<Stamped>; 6] {
    [
        connected(0),
        began(0, 0),
        said(0, 1_000, 2_000),
        user(2_500, "hours?", 500.0),
        voice(3_100, 4_000),
        agent_with(4_100, "nine", false, metrics),
    ]
}

#[test]
fn what_cannot_be_true_is_left_out_and_counted() {
    let metrics = ReportedMetrics {
        llm_node_ttft_ms: Some(-5.0),
        tts_node_ttfb_ms: Some(60_001.0),
        llm_node_ttfs_ms: Some(f64::NAN),
        e2e_latency_ms: Some(900.0),
        ..ReportedMetrics::default()
    };
    let log = answered_with(metrics);
    let turns = turns_of(vec![ask("hours")], &log, 5_000, Outcome::Answered);
    let dropped: Vec<(Metric, Why)> = turns[0].doubts.iter().map(|d| (d.metric, d.why)).collect();
    let expected = [
        (Metric::LlmNodeTtft, Why::Negative),
        (Metric::LlmNodeTtfs, Why::Absurd),
        (Metric::TtsNodeTtfb, Why::Absurd),
    ];
    assert_eq!(dropped, expected);
    let m = measures_of(vec![ask("hours")], &log, 5_000, Outcome::Answered);
    assert_eq!(m.dropped_reported, 3);
    assert_eq!(values(&m, Metric::LlmNodeTtft), []);
    assert_eq!(values(&m, Metric::Unattributed), [(0, 200.0, false)]);
}

#[test]
fn a_speech_that_runs_backwards_takes_its_message_with_it() {
    let metrics = ReportedMetrics {
        llm_node_ttft_ms: Some(250.0),
        e2e_latency_ms: Some(900.0),
        speech_ms: Some(-4_000.0),
        ..ReportedMetrics::default()
    };
    let log = answered_with(metrics);
    let turns = turns_of(vec![ask("hours")], &log, 5_000, Outcome::Answered);
    let why: Vec<Why> = turns[0].doubts.iter().map(|d| d.why).collect();
    assert_eq!(why, [Why::SpeechRunsBackwards; 2]);
    assert_eq!(turns[0].reported.end_of_turn_delay_ms, Some(500.0));
    assert_eq!((turns[0].reported.llm_node_ttft_ms, turns[0].path()), (None, None));
}

#[test]
fn what_an_agent_no_longer_reports_after_a_handoff_is_missed() {
    let turn = |step: u32, ms: i64, reports: bool| {
        let message = if reports { agent(ms + 3_100, "yes", false, 250.0) } else { Vec::new() };
        let turn = [
            began(step, ms),
            said(step, ms, ms + 1_000),
            user(ms + 1_500, "?", 500.0),
            voice(ms + 2_000, ms + 3_000),
            message,
        ];
        turn.concat()
    };
    let handoff = |ms| session(ms, SessionEvent::Handoff);
    let steps = || vec![ask("a"), ask("b")];
    // The first one is the agent that answers the call.
    let log = [connected(0), handoff(100), turn(0, 1_000, true), turn(1, 6_000, false)];
    let turns = turns_of(steps(), &log, 12_000, Outcome::Answered);
    assert!(turns.iter().all(|t| t.doubts.is_empty()), "{turns:?}");
    let log = [connected(0), turn(0, 1_000, true), handoff(4_500), turn(1, 6_000, false)];
    let turns = turns_of(steps(), &log, 12_000, Outcome::Answered);
    let doubt = Rejected { metric: Metric::E2eLatency, ms: None, why: Why::AbsentAfterHandoff };
    assert_eq!(turns[1].doubts, [doubt]);
    let m = measures_of(steps(), &log, 12_000, Outcome::Answered);
    assert_eq!(m.dropped_reported, 0);
}

#[test]
fn the_time_of_tools_is_counted_once_and_until_the_reply() {
    let started = |ms, call: &str| {
        let (call, name) = (call.to_owned(), "hours".to_owned());
        session(ms, SessionEvent::ToolStarted { call, name })
    };
    let ended = |ms, call: &str| session(ms, SessionEvent::ToolEnded { call: call.to_owned() });
    let tool = ToolResult { name: "hours".to_owned(), is_error: false, gave: None };
    let executed =
        |ms, n| session(ms, SessionEvent::ToolsExecuted { tools: vec![tool.clone(); n] });
    let turn = |tools: Vec<Stamped>| {
        let log = [
            connected(0),
            began(0, 0),
            said(0, 1_000, 2_000),
            user(2_500, "hours?", 500.0),
            tools,
            voice(4_000, 5_000),
            agent(5_100, "nine", false, 250.0),
        ];
        turns_of(vec![ask("hours")], &log, 6_000, Outcome::Answered).remove(0)
    };
    let parallel = [
        started(2_700, "a"),
        started(2_900, "b"),
        ended(3_100, "a"),
        ended(3_400, "b"),
        executed(3_410, 2),
    ];
    let of = turn(parallel.concat());
    assert_eq!((of.tool_ms, of.tools.len()), (Some(700.0), 2));
    assert_eq!(of.path().and_then(|p| p.parts.get(&Part::Tool).copied()), Some(450.0));
    // A tool that goes on while the agent speaks delays nothing from there on.
    let long = turn([started(3_700, "a"), ended(4_900, "a")].concat());
    assert_eq!(long.tool_ms, Some(300.0));
    // Agents that tell only of requests and results.
    let batch = [
        session(2_700, SessionEvent::ToolsStarted { names: vec!["hours".to_owned()] }),
        executed(3_300, 1),
    ];
    let of = turn(batch.concat());
    assert_eq!((of.tool_ms, of.tools.len()), (Some(600.0), 1));
    assert_eq!(turn(Vec::new()).tool_ms, None);
}
