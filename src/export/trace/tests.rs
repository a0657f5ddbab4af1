use std::collections::BTreeSet;

use opentelemetry::Value;

use super::*;
use crate::record::{
    Labels, Observation, Outcome, ReportedMetrics, SessionEvent, Stamped, ToolResult,
};
use crate::report::fixture::{at, run, scenario, turns};
use crate::turn::{Answer, Cause, Failure, Reply, Turn, analyse_call};

mod recordings;
mod rules;

use recordings::call;

const START: &str = "2026-11-24T12:00:00.00025Z";

fn spans_of(call: &CallRecord, turns: &[Turn]) -> Vec<SpanData> {
    spans_of_facts(call, &facts(call, turns))
}

fn spans_of_facts(call: &CallRecord, facts: &CallFacts) -> Vec<SpanData> {
    call_spans(&run(vec![call.clone()]).head, &scenario(), call, facts, None).unwrap()
}

/// What the recording says of a call, with these turns.
fn facts(call: &CallRecord, turns: &[Turn]) -> CallFacts {
    CallFacts { turns: turns.to_vec(), ..analyse_call(call, &scenario()).0 }
}

fn answered() -> Vec<SpanData> {
    spans_of(&call(0), &turns(&call(0)))
}

fn named<'a>(spans: &'a [SpanData], name: &str) -> Vec<&'a SpanData> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn attribute(span: &SpanData, key: &str) -> Option<Value> {
    let mut found = span.attributes.iter().filter(|kv| kv.key.as_str() == key);
    let value = found.next().map(|kv| kv.value.clone());
    assert_eq!(found.next(), None, "{key} is there twice");
    value
}

fn text(span: &SpanData, key: &str) -> String {
    attribute(span, key).map_or(String::new(), |value| value.as_str().into_owned())
}

/// Milliseconds since the run began.
fn times(span: &SpanData) -> (i128, i128) {
    let start = system(START.parse().unwrap());
    let since = |at: SystemTime| at.duration_since(start).unwrap().as_millis().cast_signed();
    (since(span.start_time), since(span.end_time))
}

#[test]
fn an_answered_call_is_one_trace_with_the_times_of_the_recording() {
    let spans = answered();
    let got: Vec<(String, i128, i128)> = spans
        .iter()
        .map(|span| {
            let (from, until) = times(span);
            (span.name.to_string(), from, until)
        })
        .collect();
    let expect = [
        ("loadcall.call", 1, 12_000),
        ("loadcall.connect", 1, 50),
        ("loadcall.agent_join", 50, 420),
        ("loadcall.turn", 50, 2_850),
        ("loadcall.agent_response", 50, 2_850),
        ("loadcall.turn", 4_500, 10_350),
        ("loadcall.caller_speech", 4_500, 6_000),
        ("loadcall.agent_response", 6_000, 10_350),
        ("loadcall.stage.turn_decided", 6_000, 6_620),
        ("loadcall.stage.answer_prepared", 6_620, 7_200),
        ("loadcall.turn", 10_000, 10_800),
        ("loadcall.caller_speech", 10_000, 10_800),
        ("loadcall.barge_in", 10_000, 10_000),
        ("loadcall.assert", 850, 850),
        ("loadcall.assert", 7_200, 7_200),
        ("loadcall.assert", 7_200, 7_200),
        ("loadcall.assert", 7_200, 7_200),
        ("loadcall.assert", 10_350, 10_350),
    ];
    let expect: Vec<_> =
        expect.into_iter().map(|(name, from, until)| (name.to_owned(), from, until)).collect();
    assert_eq!(got, expect);
    let trace_ids: BTreeSet<String> =
        spans.iter().map(|span| span.span_context.trace_id().to_string()).collect();
    assert_eq!(trace_ids.len(), 1);
    assert!(spans.iter().all(|span| span.status == Status::Unset));
    assert!(
        spans.iter().all(|span| span.span_context.is_valid() && span.span_context.is_sampled())
    );
}

#[test]
fn turns_lie_in_the_call_and_speech_in_its_turn() {
    let spans = answered();
    let root = &spans[0];
    assert_eq!(root.parent_span_id, SpanId::INVALID);
    // An agent that takes part in the trace is a child of the call.
    let head = run(vec![call(0)]).head;
    let (trace, span) = (root.span_context.trace_id(), root.span_context.span_id());
    let told = crate::record::traceparent(&head.run_id, call(0).id);
    assert_eq!(told, format!("00-{trace}-{span}-01"));
    for name in ["loadcall.connect", "loadcall.agent_join", "loadcall.turn"] {
        for span in named(&spans, name) {
            assert_eq!(span.parent_span_id, root.span_context.span_id(), "{name}");
        }
    }
    let turns = named(&spans, "loadcall.turn");
    let parents = |name| -> Vec<SpanId> {
        named(&spans, name).iter().map(|span| span.parent_span_id).collect()
    };
    let ids: Vec<SpanId> = turns.iter().map(|turn| turn.span_context.span_id()).collect();
    assert_eq!(parents("loadcall.caller_speech"), ids[1..]);
    assert_eq!(parents("loadcall.agent_response"), ids[..2]);
}

#[test]
fn every_span_carries_session_name_tags_and_metadata() {
    for span in answered() {
        assert_eq!(text(&span, "session.id"), "loadcall-r1-0");
        assert_eq!(text(&span, "user.id"), "caller-000");
        assert_eq!(text(&span, "langfuse.trace.name"), "greeting");
        assert_eq!(
            text(&span, "langfuse.trace.tags"),
            r#"["loadcall","scenario:greeting","run:20261124-120000-greeting"]"#
        );
        for (key, value) in [
            ("scenario", "greeting"),
            ("run_id", "20261124-120000-greeting"),
            ("call_id", "0"),
            ("room_name", "loadcall-r1-0"),
            ("room_sid", "RM_0"),
            ("agent_name", "demo-agent"),
        ] {
            assert_eq!(text(&span, &format!("langfuse.trace.metadata.{key}")), value);
        }
        assert!(!text(&span, "langfuse.observation.type").is_empty());
    }
}

#[test]
fn a_response_shows_the_heard_latency_as_time_to_first_token() {
    let spans = answered();
    let response = named(&spans, "loadcall.agent_response")[1];
    assert_eq!(text(response, "langfuse.observation.type"), "generation");
    assert_eq!(
        text(response, "langfuse.observation.completion_start_time"),
        "2026-11-24T12:00:07.20025Z"
    );
    assert_eq!(attribute(response, "loadcall.response_latency_s"), Some(Value::F64(1.2)));
    assert_eq!(attribute(response, "loadcall.reported.llm_node_ttft_s"), Some(Value::F64(0.3)));
    assert_eq!(attribute(response, "loadcall.reported.llm_node_ttfs_s"), None);
    assert_eq!(text(response, "langfuse.observation.model.name"), "livekit-agent/demo-agent");
    assert_eq!(text(response, "langfuse.observation.input"), "What are your opening hours?");
    assert_eq!(text(response, "langfuse.observation.output"), "We are open from nine to six.");
    assert_eq!(text(response, "loadcall.tools"), r#"["opening_hours"]"#);
    // Durations in usage would be counted as tokens.
    assert!(response.attributes.iter().all(|kv| !kv.key.as_str().contains("usage")));
}

#[test]
fn an_agent_that_began_before_the_caller_ended_took_no_time() {
    let call = call(0);
    let mut turns = turns(&call);
    let voice = crate::turn::Span { from: at(5_900_000), until: at(8_000_000) };
    turns[1].reply = Reply::Heard { voice, latency_ms: -100.0 };
    let spans = spans_of(&call, &turns);
    let response = named(&spans, "loadcall.agent_response")[1];
    assert_eq!(times(response), (5_900, 8_000));
    assert_eq!(attribute(response, "loadcall.response_latency_s"), Some(Value::F64(-0.1)));
}

#[test]
fn what_failed_has_a_level_and_a_message() {
    let mut call = call(0);
    call.end.outcome = Outcome::NoAnswer;
    call.end.detail = "turn `hours`".to_owned();
    call.log.push(Stamped { at: at(2_850_000), what: Observation::ExpectationMissed { step: 0 } });
    let mut turns = turns(&call);
    turns[0].is_late = true;
    turns[1].reply = Reply::Unanswered { waited_ms: 8_000.0 };
    turns[1].reported = ReportedMetrics::default();
    turns[2].reply = Reply::DidNotYield { waited_ms: 2_000.0 };
    let failure = Failure { cause: Cause::Silence, detail: "turn `hours`".to_owned() };
    let spans =
        spans_of_facts(&call, &CallFacts { failure: Some(failure), ..facts(&call, &turns) });
    let fault = |span: &SpanData| {
        (
            text(span, "langfuse.observation.level"),
            text(span, "langfuse.observation.status_message"),
            matches!(span.status, Status::Error { .. }),
        )
    };
    let is = |level: &str, message: &str, error| (level.to_owned(), message.to_owned(), error);
    assert_eq!(fault(&spans[0]), is("ERROR", "no_reply: turn `hours`", true));
    let turn = named(&spans, "loadcall.turn");
    let late = "the reply after 800 ms is later than the scenario allows";
    assert_eq!(fault(turn[0]), is("WARNING", late, false));
    assert_eq!(fault(turn[1]), is("ERROR", "no reply within 8000 ms", true));
    let spoke_on = "the agent kept speaking for 2000 ms after the barge-in";
    assert_eq!(fault(turn[2]), is("WARNING", spoke_on, false));
    assert_eq!(times(turn[2]), (10_000, 12_000));
    let response = named(&spans, "loadcall.agent_response")[1];
    assert_eq!(fault(response), fault(turn[1]));
    assert_eq!(times(response), (6_000, 14_000));
    assert_eq!(attribute(response, "langfuse.observation.completion_start_time"), None);
    assert_eq!(attribute(response, "loadcall.unanswered_for_s"), Some(Value::F64(8.0)));
    let asserts = named(&spans, "loadcall.assert");
    let results: Vec<String> =
        asserts.iter().map(|span| text(span, "langfuse.observation.output")).collect();
    // The greeting, the question and the two things its reply should hold, the barge-in.
    assert_eq!(results, ["missed", "missed", "met", "cannot_tell", "missed"]);
    let rule = "the agent responds within 8s";
    assert_eq!(text(asserts[1], "langfuse.observation.input"), rule);
    let silent = "turn `hours`: the agent responds within 8s: nothing was heard for 8000 ms";
    assert_eq!(fault(asserts[1]), is("ERROR", silent, true));
    assert_eq!(fault(named(&spans, "loadcall.barge_in")[0]), fault(turn[2]));
}

#[test]
fn an_answer_that_never_came_is_an_error() {
    let call = call(0);
    let mut turns = turns(&call);
    turns[1].answer = Some(Answer::Never { waited_ms: 9_000.0 });
    let spans = spans_of(&call, &turns);
    let message = text(named(&spans, "loadcall.turn")[1], "langfuse.observation.status_message");
    assert_eq!(message, "the agent said something, and its answer never came");
}

#[test]
fn a_greeting_that_never_came_is_shown_until_it_was_given_up() {
    let mut call = call(0);
    call.log.push(Stamped { at: at(5_420_000), what: Observation::ExpectationMissed { step: 0 } });
    let mut turns = turns(&call);
    turns[0].reply = Reply::Unanswered { waited_ms: 5_000.0 };
    let spans = spans_of(&call, &turns);
    let response = named(&spans, "loadcall.agent_response")[0];
    assert_eq!(times(response), (420, 5_420));
    let message = text(response, "langfuse.observation.status_message");
    assert_eq!(message, "no reply within 5000 ms");
}

#[test]
fn tools_are_spans_of_the_turn_they_ran_in_and_say_when_they_failed() {
    let mut call = call(0);
    let mut tell = |us, event| {
        call.log.push(Stamped { at: at(us), what: Observation::Session(event) });
    };
    for (id, from, until) in [("a", 6_500_000, 6_600_000), ("b", 6_700_000, 7_000_000)] {
        let name = format!("tool_{id}");
        tell(from, SessionEvent::ToolStarted { call: id.to_owned(), name });
        tell(until, SessionEvent::ToolEnded { call: id.to_owned() });
    }
    let result =
        |name: &str, is_error| ToolResult { name: name.to_owned(), is_error, gave: Some(true) };
    let tools = vec![result("tool_a", true), result("tool_b", false)];
    tell(7_010_000, SessionEvent::ToolsExecuted { tools });
    let spans = spans_of(&call, &turns(&call));
    let tools = named(&spans, "loadcall.tool");
    assert_eq!([times(tools[0]), times(tools[1])], [(6_500, 6_600), (6_700, 7_000)]);
    let levels = tools.iter().map(|tool| text(tool, "langfuse.observation.level"));
    assert_eq!(levels.collect::<Vec<_>>(), ["WARNING", ""]);
    let turn = named(&spans, "loadcall.turn")[1].span_context.span_id();
    assert!(tools.iter().all(|tool| tool.parent_span_id == turn));
}

#[test]
fn an_experiment_and_a_release_are_on_every_span() {
    let mut head = run(vec![call(0)]).head;
    head.labels =
        Labels { release: Some("agent-1.4.2".to_owned()), experiment: Some("nightly".to_owned()) };
    let experiment = Experiment::of(&head, &scenario()).unwrap();
    let (call, facts) = (call(0), facts(&call(0), &turns(&call(0))));
    let spans = call_spans(&head, &scenario(), &call, &facts, Some(&experiment)).unwrap();
    let root = spans[0].span_context.span_id().to_string();
    for span in &spans {
        for (key, value) in [
            ("langfuse.release", "agent-1.4.2"),
            ("langfuse.experiment.id", "20261124-120000-greeting"),
            ("langfuse.experiment.name", "nightly 20261124-120000-greeting"),
            ("langfuse.experiment.item.id", "loadcall-greeting"),
            ("langfuse.experiment.item.root_observation_id", &root),
        ] {
            assert_eq!(text(span, key), value, "{}", span.name);
        }
    }
    let expected = text(&spans[0], "langfuse.experiment.item.expected_output");
    let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
    assert_eq!(expected["turns"][1]["expects"], "the agent responds within 8s");
    assert!(
        spans[1..]
            .iter()
            .all(|span| { attribute(span, "langfuse.experiment.item.expected_output").is_none() })
    );
}

#[test]
fn a_call_that_found_no_agent_ends_with_the_wait_for_it() {
    let mut one = call(0);
    one.log.truncate(1);
    one.end.outcome = Outcome::NoAgent;
    let spans = spans_of(&one, &[]);
    let names: Vec<&str> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["loadcall.call", "loadcall.connect", "loadcall.agent_join"]);
    assert_eq!(text(&spans[0], "langfuse.observation.status_message"), "dispatch");
    assert_eq!(times(&spans[2]), (50, 12_000));
    assert_eq!(text(&spans[1], "langfuse.observation.level"), "");
    assert_eq!(text(&spans[2], "langfuse.observation.status_message"), "no_agent");

    one.log.clear();
    one.end.outcome = Outcome::Refused;
    one.end.detail = "HTTP 401".to_owned();
    let spans = spans_of(&one, &[]);
    assert_eq!(spans.len(), 2);
    assert_eq!(text(&spans[1], "langfuse.observation.status_message"), "refused: HTTP 401");
}

#[test]
fn ids_depend_on_run_call_and_place_alone() {
    let again = answered();
    assert_eq!(answered(), again);
    let run = run((0..50).map(call).collect());
    let mut trace_ids = BTreeSet::new();
    let mut span_ids = BTreeSet::new();
    let mut count = 0;
    for call in &run.calls {
        let facts = facts(call, &turns(call));
        for span in call_spans(&run.head, &scenario(), call, &facts, None).unwrap() {
            trace_ids.insert(span.span_context.trace_id().to_string());
            span_ids.insert(span.span_context.span_id().to_string());
            count += 1;
        }
    }
    assert_eq!((trace_ids.len(), span_ids.len()), (50, count));
    let mut other = run.head.clone();
    other.run_id.push('x');
    let first = &run.calls[0];
    let spans = call_spans(&other, &scenario(), first, &facts(first, &[]), None).unwrap();
    assert!(!trace_ids.contains(&spans[0].span_context.trace_id().to_string()));
}

#[test]
fn texts_are_bounded_and_the_agents_metadata_stays_here() {
    let call = call(0);
    let mut turns = turns(&call);
    turns[1].reply_text = Some(format!("nul \0 {}", "ß".repeat(100_000)));
    turns[1].errors = vec!["e".repeat(10_000); 1_000];
    turns[1].id = "\0\"".repeat(1_000);
    let spans = spans_of(&call, &turns);
    let shown = format!("{spans:?}");
    assert!(!shown.contains("in-the-metadata"));
    assert!(!shown.contains("\\0") && !shown.contains("\\u{0}"));
    assert!(shown.len() < 200_000, "{}", shown.len());
    let output = text(&spans[0], "langfuse.observation.output");
    assert!(serde_json::from_str::<serde_json::Value>(&output).unwrap().is_object());
}

#[test]
fn a_start_that_is_no_time_is_an_error() {
    let mut head = run(vec![call(0)]).head;
    head.started_at = "yesterday".to_owned();
    assert_eq!(
        call_spans(&head, &scenario(), &call(0), &facts(&call(0), &[]), None),
        Err(TraceError::StartedAt("yesterday".to_owned()))
    );
}
