use super::*;
use crate::record::{Outcome, ReportedMetrics, Stamped, ToolResult};
use crate::turn::testing::{at, call, connected, is, joined, missed, said, two_questions, voice};

fn session(ms: i64, event: SessionEvent) -> Stamped {
    is(ms, Observation::Session(event))
}

fn span(from: i64, until: i64) -> Span {
    Span { from: at(from), until: at(until) }
}

fn lanes(logs: &[Vec<Stamped>]) -> Lanes {
    Lanes::of(&call(3, logs.concat(), 20_000, Outcome::NoAnswer), &two_questions())
}

#[test]
fn both_lanes_are_on_one_axis_and_a_clip_that_was_cut_off_ends_with_the_call() {
    let cut_off = vec![is(19_000, Observation::UtteranceBegan { step: 2 })];
    let lanes = lanes(&[
        connected(100),
        joined(300),
        voice(1_000, 2_000),
        said(1, 3_000, 4_000),
        voice(5_000, 6_500),
        cut_off,
    ]);
    let caller: Vec<_> = lanes.caller.iter().map(|u| (u.step, u.span, u.whole)).collect();
    assert_eq!(caller, [(1, span(3_000, 4_000), true), (2, span(19_000, 20_000), false)]);
    assert_eq!(lanes.agent, [span(1_000, 2_000), span(5_000, 6_500)]);
}

#[test]
fn states_last_until_the_next_and_the_attribute_outranks_the_session() {
    let state = |ms, state: &str| is(ms, Observation::AgentState(state.to_owned()));
    let told = SessionEvent::AgentState { old: String::new(), new: "told".to_owned() };
    let lanes = lanes(&[vec![
        state(1_000, "listening"),
        session(1_500, told.clone()),
        state(2_000, "thinking"),
        state(2_500, "thinking"),
        state(3_000, "speaking"),
    ]]);
    let states: Vec<_> = lanes.states.iter().map(|s| (s.what.as_str(), s.span)).collect();
    let right = [
        ("listening", span(1_000, 2_000)),
        ("thinking", span(2_000, 3_000)),
        ("speaking", span(3_000, 20_000)),
    ];
    assert_eq!(states, right);
    let only_told = super::Lanes::of(
        &call(0, vec![session(1_500, told)], 9_000, Outcome::Answered),
        &two_questions(),
    );
    assert_eq!(only_told.states, [Stretch { what: "told".to_owned(), span: span(1_500, 9_000) }]);
}

#[test]
fn tools_are_single_executions_where_they_are_told_and_requests_else() {
    let started = |ms, call: &str, name: &str| {
        session(ms, SessionEvent::ToolStarted { call: call.to_owned(), name: name.to_owned() })
    };
    let requested = SessionEvent::ToolsStarted { names: vec!["a".to_owned(), "b".to_owned()] };
    let tool = |name: &str, is_error| ToolResult { name: name.to_owned(), is_error, gave: None };
    let executed = SessionEvent::ToolsExecuted { tools: vec![tool("a", false), tool("b", true)] };
    let batch = vec![session(1_000, requested), session(1_800, executed)];
    let found = lanes(std::slice::from_ref(&batch));
    assert_eq!(found.tools, [Stretch { what: "a, b".to_owned(), span: span(1_000, 1_800) }]);
    assert_eq!(found.events.last().map(|e| e.text.as_str()), Some("tool failed: `b`"));
    // Whose ends are not told one by one have ended with the result.
    let found = lanes(&[vec![batch[0].clone(), started(1_100, "1", "a"), batch[1].clone()]]);
    assert_eq!(found.tools, [Stretch { what: "a".to_owned(), span: span(1_100, 1_800) }]);
    let ended = session(1_700, SessionEvent::ToolEnded { call: "1".to_owned() });
    let found = lanes(&[batch, vec![started(1_100, "1", "a"), started(1_200, "2", "b"), ended]]);
    let right = [
        Stretch { what: "a".to_owned(), span: span(1_100, 1_700) },
        Stretch { what: "b".to_owned(), span: span(1_200, 20_000) },
    ];
    assert_eq!(found.tools, right);
}

#[test]
fn words_are_the_last_text_of_a_segment_or_else_the_sessions_messages() {
    let heard = |ms, text: &str, last| {
        is(
            ms,
            Observation::Transcript {
                speaker: Speaker::Agent,
                segment: "s1".to_owned(),
                text: text.to_owned(),
                last,
                until: None,
            },
        )
    };
    let message = |ms, text: &str| {
        let (id, metrics) = (String::new(), ReportedMetrics::default());
        session(ms, SessionEvent::UserMessage { id, text: text.to_owned(), metrics })
    };
    let reply = SessionEvent::AgentMessage {
        id: String::new(),
        text: "told again".to_owned(),
        interrupted: false,
        metrics: ReportedMetrics::default(),
    };
    let lanes = lanes(&[vec![
        message(900, "hello"),
        heard(1_000, "Good", false),
        heard(1_000, "Good day", true),
        session(3_000, reply),
        message(4_000, "  "),
    ]]);
    let words: Vec<_> = lanes.words.iter().map(|w| (w.speaker, w.text.as_str())).collect();
    assert_eq!(words, [(Speaker::Caller, "hello"), (Speaker::Agent, "Good day")]);
}

#[test]
fn events_say_what_went_wrong_where() {
    let lanes =
        lanes(&[connected(100), missed(1, 9_000), vec![is(5_000, Observation::AgentMediaStalled)]]);
    assert!(lanes.events.iter().all(|event| !event.text.contains("took over")));
    let problems: Vec<_> = lanes.events.iter().filter(|e| e.weight == Weight::Problem).collect();
    assert_eq!(problems.iter().map(|e| e.at).collect::<Vec<_>>(), [at(5_000), at(9_000)]);
    assert!(problems[1].text.starts_with("turn `hours`: "), "{problems:?}");
}
