use super::*;
use crate::scenario::Metric;
use crate::spans::{AgentSpan, Value};
use crate::stats::Resampling;

const HOW: Resampling = Resampling { resamples: 400, seed: 1 };
const ALL: Filter<'static> = Filter { agent: None, slowest: 3 };

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn observation(session: &str, name: &str, attributes: &[(&str, Value)]) -> Observation {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let id = ("session.id".to_owned(), text(session));
    let span = AgentSpan {
        trace_id: "t".to_owned(),
        span_id: "s".to_owned(),
        parent_id: None,
        name: name.to_owned(),
        begin_ns: 1_000,
        end_ns: 2_000,
        attributes: attributes.chain([id]).collect(),
        error: None,
    };
    Observation { span, environment: None, project: Some("p".to_owned()), ours: false, cost: None }
}

fn failed(observation: Observation) -> Observation {
    let span = AgentSpan { error: Some(String::new()), ..observation.span };
    Observation { span, ..observation }
}

fn gathered(all: impl IntoIterator<Item = Observation>) -> Gathered {
    let mut gathered = Gathered::default();
    for observation in all {
        gathered.add(&observation, Ours { environment: "loadcall" });
    }
    gathered
}

#[test]
fn each_stage_comes_from_the_span_that_says_it() {
    let seconds = |s: f64| Value::Number(s);
    let all = [
        observation(
            "a",
            "user_turn",
            &[("lk.end_of_turn_delay", seconds(0.5)), ("lk.transcription_delay", text("0.2"))],
        ),
        // The same delays again, for the turn that follows: counted once.
        observation(
            "a",
            "agent_turn",
            &[
                ("lk.end_of_turn_delay", seconds(0.5)),
                ("lk.on_user_turn_completed_delay", seconds(0.01)),
                ("lk.e2e_latency", seconds(1.25)),
                ("lk.interrupted", Value::Yes(true)),
            ],
        ),
        observation("a", "llm_node", &[("lk.response.ttft", seconds(0.4))]),
        observation("a", "tts_node", &[("lk.response.ttfb", seconds(0.15))]),
        observation("a", "agent_turn", &[("lk.e2e_latency", seconds(-1.0))]),
        observation("a", "agent_session", &[("lk.agent_name", text("front-desk"))]),
    ];
    let gathered = gathered(all);
    let summary = gathered.summary(ALL, None, &HOW);
    let rows: Vec<(Metric, usize, f64)> =
        summary.stages.iter().map(|row| (row.metric, row.n, row.p50)).collect();
    assert_eq!(
        rows,
        [
            (Metric::EndOfTurnDelay, 1, 500.0),
            (Metric::TranscriptionDelay, 1, 200.0),
            (Metric::OnUserTurnCompletedDelay, 1, 10.0),
            (Metric::LlmNodeTtft, 1, 400.0),
            (Metric::TtsNodeTtfb, 1, 150.0),
            (Metric::E2eLatency, 1, 1250.0),
        ]
    );
    assert_eq!((summary.turns, summary.interrupted, summary.dropped), (2, 1, 1));
    assert_eq!((summary.sessions, summary.whole, summary.interrupted_sessions), (1, 1, 1));
    assert_eq!(summary.agents, [("front-desk", 1)].into());
    // One value has neither an interval nor a 95th percentile.
    assert!(summary.stages.iter().all(|row| row.p50_interval.is_none() && row.p95.is_none()));
}

#[test]
fn sessions_of_loadcall_are_left_out_however_they_are_known() {
    let turn = |session: &str| {
        observation(session, "agent_turn", &[("lk.e2e_latency", Value::Number(1.0))])
    };
    let ours = |session: &str, room: &str| {
        let call = observation(session, "loadcall.call", &[("lk.room_id", text(room))]);
        Observation { ours: true, ..call }
    };
    let of_environment = Observation { environment: Some("loadcall".to_owned()), ..turn("e") };
    let of_room = observation("job", "agent_turn", &[("room_id", text("RM_2"))]);
    let all = [
        turn("theirs"),
        // By our own span in the session, before it or after it.
        turn("room-1"),
        ours("room-1", "RM_1"),
        turn("room-1"),
        // By the room, where the agent's session is named after its id.
        turn("RM_1"),
        ours("room-2", "RM_2"),
        of_room,
        of_environment,
        turn("loadcall-r1-0"),
    ];
    let gathered = gathered(all);
    let summary = gathered.summary(ALL, None, &HOW);
    assert_eq!((summary.sessions, summary.ours, summary.turns), (1, 6, 1));
    assert_eq!(gathered.count(), 1);
}

#[test]
fn troubles_are_counted_by_session() {
    let all = [
        failed(observation("a", "llm_request", &[])),
        failed(observation("a", "llm_node", &[])),
        observation("b", "llm_request_run", &[("lk.retry_count", text("1"))]),
        observation("c", "llm_request_run", &[("lk.retry_count", text("0"))]),
        failed(observation("c", "llm_request_run", &[("lk.retry_count", text("0"))])),
        observation("d", "function_tool", &[("lk.function_tool.is_error", Value::Yes(true))]),
        failed(observation("e", "tts_node", &[])),
        observation("f", "agent_session", &[("lk.close_reason", text("error"))]),
        failed(observation("f", "user_turn", &[])),
    ];
    let gathered = gathered(all);
    let summary = gathered.summary(ALL, None, &HOW);
    let expected = [
        (Trouble::Llm, 1),
        (Trouble::LlmRetry, 1),
        (Trouble::Tts, 1),
        (Trouble::Tool, 1),
        (Trouble::Session, 1),
        (Trouble::Other, 1),
    ];
    assert_eq!(summary.troubles, expected);
    assert_eq!(summary.share(1).share(), Some(1.0 / 6.0));
}

#[test]
fn a_cost_that_is_not_known_is_not_nothing() {
    let request = |session: &str, cost: Option<f64>| {
        let tokens = [
            ("gen_ai.usage.input_tokens", Value::Whole(100)),
            ("gen_ai.usage.output_tokens", text("20")),
        ];
        Observation { cost, ..observation(session, "llm_request", &tokens) }
    };
    let end = |session: &str| observation(session, "agent_session", &[]);
    let all = [
        request("known", Some(0.5)),
        request("known", Some(0.25)),
        end("known"),
        request("partly", Some(0.5)),
        request("partly", None),
        end("partly"),
        request("unknown", None),
        end("unknown"),
        // Begun before the time that is read: what it cost before is not known.
        request("cut", Some(9.0)),
        end("silent"),
    ];
    let gathered = gathered(all);
    let summary = gathered.summary(ALL, None, &HOW);
    let costs = summary.costs.unwrap();
    assert_eq!((costs.known, costs.of, costs.p50, costs.p95), (1, 3, Some(0.75), None));
    let tokens = summary.tokens.unwrap();
    assert_eq!((tokens.sessions, tokens.input_p50, tokens.output_p50), (3, 200.0, 40.0));
}

#[test]
fn an_agent_is_chosen_by_its_name_and_the_slowest_come_first() {
    let turn = |session: &str, agent: &str, seconds: f64| {
        let attributes =
            [("lk.e2e_latency", Value::Number(seconds)), ("lk.agent_name", text(agent))];
        observation(session, "agent_turn", &attributes)
    };
    let all = [
        turn("a", "front-desk", 1.0),
        turn("b", "front-desk", 3.0),
        turn("b", "front-desk", 0.5),
        turn("c", "other", 9.0),
        turn("d", "front-desk", 2.0),
    ];
    let gathered = gathered(all);
    let filter = Filter { agent: Some("front-desk"), slowest: 2 };
    let summary = gathered.summary(filter, None, &HOW);
    assert_eq!((summary.sessions, summary.of_others), (3, 1));
    let slowest: Vec<(&str, f64)> =
        summary.slowest.iter().map(|slow| (slow.id, slow.worst_ms)).collect();
    assert_eq!(slowest, [("b", 3_000.0), ("d", 2_000.0)]);
    assert_eq!(summary.slowest[0].session.median(Metric::E2eLatency), Some(500.0));
}

/// Sessions of three requests to the LLM around `ms`.
fn around(ms: u32, sessions: u32) -> Gathered {
    gathered((0..sessions * 3).map(|n| {
        let ttft = f64::from(ms + (n * 37) % 41) / 1e3;
        let session = format!("s{}", n / 3);
        observation(&session, "llm_node", &[("lk.response.ttft", Value::Number(ttft))])
    }))
}

fn simulated(ms: u32, calls: u32) -> Synthetic {
    let values = (0..calls * 2).map(|n| (n / 2, f64::from(ms + (n * 29) % 41)));
    let values = [(Metric::LlmNodeTtft, values.collect())].into();
    Synthetic { values, name: "x".to_owned() }
}

fn judged(production: &Gathered, synthetic: &Synthetic) -> (Representative, String) {
    let summary = production.summary(ALL, Some(synthetic), &HOW);
    let against = summary.stages[0].against.unwrap();
    (against.representative, against.sentence(summary.stages[0].p50))
}

#[test]
fn a_scenario_is_not_representative_only_beyond_chance_and_where_it_matters() {
    let (word, text) = judged(&around(400, 60), &simulated(230, 30));
    assert_eq!(word, Representative::No);
    assert!(text.contains("simulated 250 ms (+1"), "{text}");
    assert!(text.ends_with("the scenario is not representative"), "{text}");
    assert_eq!(judged(&around(230, 60), &simulated(400, 30)).0, Representative::No);
    // 5 ms are beyond chance, and matter to nobody.
    assert_eq!(judged(&around(405, 60), &simulated(400, 60)).0, Representative::Yes);
    assert_eq!(judged(&around(400, 4), &simulated(230, 30)).0, Representative::TooFew);
    assert_eq!(judged(&around(400, 60), &simulated(230, 4)).0, Representative::TooFew);
    // A stage that nobody simulated is beside nothing.
    let production = around(400, 60);
    let summary = production.summary(ALL, Some(&Synthetic::default()), &HOW);
    assert_eq!(summary.stages[0].against, None);
}

#[test]
fn what_is_kept_in_a_file_is_the_same() {
    let gathered = around(400, 10);
    let text = serde_json::to_string(&gathered).unwrap();
    assert_eq!(serde_json::from_str::<Gathered>(&text).unwrap(), gathered);
}
