use super::super::testing::*;
use super::*;
use crate::record::{Outcome, Stamped};
use crate::scenario::Expect;

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
    let tool = |is_error| ToolResult { name: "hours".to_owned(), is_error };
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

#[test]
fn an_agent_without_a_session_is_quoted_from_its_transcripts() {
    let transcript = |ms, speaker, segment: &str, text: &str, last| {
        let (segment, text) = (segment.to_owned(), text.to_owned());
        vec![is(ms, Observation::Transcript { speaker, segment, text, last })]
    };
    let log = [
        connected(0),
        began(0, 0),
        said(0, 1_000, 2_000),
        transcript(1_900, Speaker::Caller, "a", "hou", false),
        transcript(2_300, Speaker::Caller, "a", "hours?", true),
        voice(3_100, 4_000),
        transcript(3_200, Speaker::Agent, "b", "nine", false),
        transcript(4_000, Speaker::Agent, "b", "nine to five", true),
    ];
    let turns = turns_of(vec![ask("hours")], &log, 5_000, Outcome::Answered);
    assert_eq!(turns[0].heard_by_agent.as_deref(), Some("hours?"));
    assert_eq!(turns[0].reply_text.as_deref(), Some("nine to five"));
    assert_eq!(turns[0].reported, ReportedMetrics::default());
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
    let log = [
        connected(0),
        began(0, 0),
        said(0, 1_000, 2_000),
        user(2_500, "hours?", 500.0),
        voice(3_100, 4_000),
        agent_with(4_100, "nine", false, metrics),
    ];
    let turns = turns_of(vec![ask("hours")], &log, 5_000, Outcome::Answered);
    let dropped: Vec<Metric> = turns[0].implausible.iter().map(|(m, _)| *m).collect();
    assert_eq!(dropped, [Metric::LlmNodeTtft, Metric::LlmNodeTtfs, Metric::TtsNodeTtfb]);
    let m = measures_of(vec![ask("hours")], &log, 5_000, Outcome::Answered);
    assert_eq!(m.dropped_reported, 3);
    assert_eq!(values(&m, Metric::LlmNodeTtft), []);
    assert_eq!(values(&m, Metric::Unattributed), [(0, 200.0, false)]);
}
