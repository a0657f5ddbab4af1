use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::langfuse::testing::{Answer, PUBLIC_KEY, SECRET_KEY, Server};
use crate::langfuse::{Client, Deadline};
use crate::record::{CallId, CallRecord, Observation, Outcome, Stamped};
use crate::report::fixture::{self, at, run, scenario};
use crate::turn::analyse;

const MINUTE: Duration = Duration::from_secs(60);

/// An answered call, with the begin of its first step.
fn call(id: u32) -> CallRecord {
    let mut call = fixture::call(id);
    let began = Observation::StepBegan { step: 0 };
    call.log.insert(1, Stamped { at: call.log[0].at, what: began });
    call
}

/// The first call was answered, the second not; the third found no agent, and the user stopped the fourth.
fn analysis() -> Analysis {
    let began = |n: i64| n * 5_000_000;
    let mut unanswered = call(1);
    unanswered.log.retain(|seen| seen.at < at(began(1) + 6_500_000));
    let missed = Observation::ExpectationMissed { step: 1 };
    unanswered.log.push(Stamped { at: at(began(1) + 14_000_000), what: missed });
    unanswered.end.at = at(began(1) + 14_000_000);
    unanswered.end.outcome = Outcome::NoAnswer;
    let mut absent = call(2);
    absent.log.truncate(1);
    absent.end.outcome = Outcome::NoAgent;
    let mut stopped: CallRecord = call(3);
    stopped.log.truncate(1);
    stopped.end.outcome = Outcome::Stopped;
    analyse(&run(vec![call(0), unanswered, absent, stopped]), &scenario())
}

fn scores(detail: Detail) -> Vec<Score> {
    of_calls(&analysis(), "loadcall", detail).unwrap().collect()
}

/// Name and value of the scores of a call or of its turns, as they go over the line.
fn of(scores: &[Score], trace: &str) -> BTreeMap<String, Json> {
    let of_trace = |score: &&Json| score["traceId"] == trace;
    let all: Vec<Json> = scores.iter().map(Score::json).collect();
    let text = |score: &Json| score["name"].as_str().unwrap().to_owned();
    all.iter().filter(of_trace).map(|score| (text(score), score["value"].clone())).collect()
}

fn many(count: usize) -> Vec<Score> {
    let one = scores(Detail::Calls).remove(0);
    (0..count).map(|n| Score { id: format!("id-{n}"), ..one.clone() }).collect()
}

async fn send_to(server: &Server, scores: Vec<Score>, within: Duration) -> Sent {
    let client = Client::new(&server.project(), Duration::from_secs(5)).unwrap();
    let sent = send(&client, scores, Deadline::after(within)).await;
    let shown = format!("{sent:?}");
    assert!(!shown.contains(SECRET_KEY) && !shown.contains(PUBLIC_KEY), "{shown}");
    sent
}

/// The scores in a request, whichever way they came.
fn arrived(server: &Server) -> Vec<(String, Vec<Json>)> {
    let requests = server.arrived();
    let scores = requests.iter().map(|request| {
        let body: Json = serde_json::from_slice(&request.body).unwrap();
        let list = if let Some(events) = body.get("batch") {
            let events = events.as_array().unwrap().iter();
            events.map(|event| event["body"].clone()).collect()
        } else if let Json::Array(list) = body {
            list
        } else {
            vec![body]
        };
        (request.path.clone(), list)
    });
    scores.collect()
}

#[test]
fn a_call_is_scored_by_what_its_caller_heard() {
    let scores = scores(Detail::Calls);
    let analysis = analysis();
    let trace = |n: u32| trace_text(&analysis.head.run_id, CallId(n));
    assert_eq!(
        json!(of(&scores, &trace(0))),
        json!({
            "loadcall.passed": 1,
            "loadcall.verdict": "pass",
            "loadcall.heard_e2e_latency_p50_s": 1.2,
            "loadcall.heard_e2e_latency_p95_s": 1.2,
            "loadcall.heard_e2e_latency_max_s": 1.2,
            "loadcall.connect_delay_s": 0.05,
            "loadcall.agent_join_delay_s": 0.3,
        })
    );
    let stopped = json!({"loadcall.verdict": "not_judged", "loadcall.cause": "stopped",
        "loadcall.connect_delay_s": 0.05});
    assert_eq!(json!(of(&scores, &trace(3))), stopped);
    let absent = of(&scores, &trace(2));
    assert_eq!(
        (&absent["loadcall.passed"], &absent["loadcall.cause"]),
        (&json!(0), &json!("dispatch"))
    );
    // How long the caller waited is the least it would have taken.
    assert_eq!(absent["loadcall.agent_join_delay_s"], json!(12.0));
}

#[test]
fn an_agent_that_does_not_answer_does_not_look_quick() {
    let scores = scores(Detail::Turns);
    let analysis = analysis();
    let trace = trace_text(&analysis.head.run_id, CallId(1));
    let of_call = of(&scores, &trace);
    for name in ["_p50_s", "_p95_s", "_max_s", "_s"] {
        let name = format!("loadcall.heard_e2e_latency{name}");
        assert_eq!(of_call[&name], json!(8.0), "{name}");
        let score = scores.iter().find(|score| score.name == name && score.id.contains(&trace));
        let json = score.unwrap().json();
        assert_eq!(json["metadata"], json!({"lower_bound": true}));
        assert!(json["comment"].as_str().unwrap().starts_with("at least: "), "{json}");
    }
    assert_eq!(of_call["loadcall.passed"], json!(0));
}

#[test]
fn a_turn_is_scored_on_the_response_that_was_exported() {
    let analysis = analysis();
    let scores = scores(Detail::Turns);
    let turn = scores.iter().find(|s| s.name == "loadcall.heard_e2e_latency_s").unwrap().json();
    let facts = &analysis.calls[0];
    let spans =
        crate::export::trace::call_spans(&analysis.head, &scenario(), &call(0), facts, None)
            .unwrap();
    let spans: Vec<_> = spans.iter().filter(|s| s.name == "loadcall.agent_response").collect();
    assert_eq!(turn["observationId"], json!(spans[1].span_context.span_id().to_string()));
    assert_eq!(turn["traceId"], json!(spans[1].span_context.trace_id().to_string()));
    assert_eq!(turn["comment"], json!("turn `hours`"));
    assert_eq!(turn["environment"], json!("loadcall"));
    assert_eq!(turn["timestamp"], json!("2026-11-24T12:00:12.00025Z"));
}

#[test]
fn ids_are_the_same_every_time_and_never_those_of_another() {
    let (once, again) = (scores(Detail::Turns), scores(Detail::Turns));
    assert_eq!(once, again);
    let ids: BTreeSet<&str> = once.iter().map(|score| score.id.as_str()).collect();
    assert_eq!(ids.len(), once.len());
    let json = once[0].json();
    let trace = json["traceId"].as_str().unwrap();
    assert_eq!(json["id"], json!(format!("loadcall-{trace}-loadcall.passed")));
}

#[test]
fn an_experiment_is_scored_as_a_whole() {
    let mut scores = of_run(&analysis(), "ci", "run-1").unwrap();
    let verdict = ("fail", "one \u{1b}[31m of four");
    scores.push(of_verdict(&analysis(), "ci", "run-1", verdict).unwrap());
    let of: BTreeMap<&str, Json> = scores.iter().map(|score| (score.name, score.json())).collect();
    assert_eq!(of["loadcall.pass_rate"]["value"], json!(1.0 / 3.0));
    assert_eq!(of["loadcall.pass_rate"]["comment"], json!("1 of 3 calls"));
    let p95 = &of["loadcall.heard_e2e_latency_p95_s"];
    assert_eq!((&p95["value"], &p95["metadata"]["lower_bound"]), (&json!(8.0), &json!(true)));
    let verdict = &of["loadcall.verdict"];
    assert_eq!((&verdict["value"], &verdict["dataType"]), (&json!("fail"), &json!("CATEGORICAL")));
    assert_eq!(verdict["comment"], json!("one \\u{1b}[31m of four"));
    assert!(
        of.values().all(|score| score["datasetRunId"] == "run-1" && score["traceId"].is_null())
    );
}

#[test]
fn the_dashboard_draws_scores_that_are_sent() {
    let text = include_str!("../../../deploy/langfuse/dashboard.json");
    let dashboard: Json = serde_json::from_str(text).unwrap();
    let sent: BTreeSet<&str> = scores(Detail::Turns).iter().map(|score| score.name).collect();
    let tiles = dashboard["widgets"].as_array().unwrap();
    let names = tiles.iter().flat_map(|tile| tile["widget"]["filters"].as_array().unwrap());
    let names = names.filter(|filter| filter["column"] == "name");
    let names: Vec<&str> =
        names.flat_map(|f| f["value"].as_array().unwrap()).map(|v| v.as_str().unwrap()).collect();
    assert_eq!(names.len(), 9);
    assert!(names.iter().all(|name| sent.contains(name)), "{names:?}, {sent:?}");
}

#[tokio::test]
async fn a_newer_server_takes_lists() {
    let server = Server::answers([Answer::new(202, r#"{"message":"ok"}"#)]);
    let sent = send_to(&server, many(1_201), MINUTE).await;
    assert_eq!(sent, Sent { accepted: 1_201, ..Sent::default() });
    let sizes: Vec<_> =
        arrived(&server).iter().map(|(path, list)| (path.clone(), list.len())).collect();
    let expected = [500, 500, 201].map(|size| ("/api/public/scores".to_owned(), size));
    assert_eq!(sizes, expected);
}

#[tokio::test]
async fn an_older_server_gets_a_batch_of_events() {
    let server = Server::start(|request| match request.path.as_str() {
        "/api/public/ingestion" => {
            Answer::new(207, r#"{"successes":[{"id":"x","status":201}],"errors":[]}"#)
        }
        _ => Answer::new(
            400,
            r#"{"message":"Invalid request data: expected object, received array"}"#,
        ),
    });
    let sent = send_to(&server, many(700), MINUTE).await;
    assert_eq!(sent, Sent { accepted: 700, ..Sent::default() });
    let arrived = arrived(&server);
    // It is asked for lists once.
    let paths: Vec<&str> = arrived.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["/api/public/scores", "/api/public/ingestion", "/api/public/ingestion"]);
    let body: Json = serde_json::from_slice(&server.arrived()[1].body).unwrap();
    let event = &body["batch"][0];
    assert_eq!((&event["type"], &event["id"]), (&json!("score-create"), &json!("id-0-event")));
    assert_eq!(event["body"]["id"], json!("id-0"));
}

#[tokio::test]
async fn a_server_with_neither_gets_them_one_at_a_time() {
    let server = Server::start(|request| {
        let one = request.body.starts_with(b"{") && request.path == "/api/public/scores";
        match request.path.as_str() {
            "/api/public/ingestion" => Answer::new(410, ""),
            _ if one && request.body.windows(6).any(|part| part == b"\"id-3\"") => {
                Answer::new(400, r#"{"message":"no such config"}"#)
            }
            _ if one => Answer::new(200, r#"{"id":"x"}"#),
            _ => Answer::new(422, ""),
        }
    });
    let sent = send_to(&server, many(130), MINUTE).await;
    assert_eq!((sent.accepted, sent.rejected, sent.left), (119, 1, 10));
    assert!(sent.reasons[0].contains("no such config"), "{sent:?}");
    assert!(sent.why.unwrap().contains("one score at a time"));
}

#[tokio::test]
async fn what_is_refused_is_counted_and_said_once_and_not_sent_again() {
    let error = r#"{"message":"bad \u001b[31m name"}"#;
    let body = format!(r#"{{"accepted":1,"rejected":2,"errors":[{error},{error}]}}"#);
    let server = Server::answers([Answer::new(207, &body)]);
    let sent = send_to(&server, many(3), MINUTE).await;
    assert_eq!((sent.accepted, sent.rejected, sent.left), (1, 2, 0));
    assert_eq!(sent.reasons, ["bad \\u{1b}[31m name"]);
    assert_eq!(server.arrived().len(), 1);
}

#[tokio::test]
async fn a_list_that_is_too_large_is_halved() {
    let server = Server::start(|request| {
        let list: Vec<Json> = serde_json::from_slice(&request.body).unwrap();
        let status = if list.len() > 60 || list[0]["id"] == "id-0" { 413 } else { 202 };
        Answer::new(status, "")
    });
    let sent = send_to(&server, many(200), MINUTE).await;
    // One that is too large alone is given up.
    assert_eq!((sent.accepted, sent.rejected, sent.left), (199, 1, 0));
    let comment = "é".repeat(400_000);
    let huge = many(9).into_iter().map(|score| Score { comment: comment.clone(), ..score });
    let server = Server::answers([Answer::new(202, "")]);
    send_to(&server, huge.collect(), MINUTE).await;
    assert!(server.arrived().iter().all(|request| request.body.len() < 1_000_000));
}

#[tokio::test]
async fn a_busy_server_is_waited_for_and_what_is_left_is_said() {
    let busy = Answer::new(429, "").with("retry-after", "1");
    let server = Server::answers([busy.clone(), Answer::new(202, "")]);
    assert_eq!(send_to(&server, many(3), MINUTE).await.accepted, 3);

    let server = Server::answers([Answer::new(202, ""), busy.with("retry-after", "3600")]);
    let sent = send_to(&server, many(1_100), Duration::from_secs(3)).await;
    assert_eq!((sent.accepted, sent.left), (500, 600));
    assert!(sent.why.unwrap().contains("429"));
}

#[tokio::test]
async fn wrong_keys_end_it_at_once() {
    for status in [401, 403] {
        let server = Server::answers([Answer::new(status, "")]);
        let sent = send_to(&server, many(1_100), MINUTE).await;
        assert_eq!((sent.accepted, sent.rejected, sent.left), (0, 0, 1_100), "{status}");
        assert_eq!(server.arrived().len(), 1);
    }
}
