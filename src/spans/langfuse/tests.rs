//! Against a listener on loopback that plays the API of Langfuse 4, or of Langfuse 3.

use super::*;
use crate::langfuse::testing::{Answer, Request, Server};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A row as Langfuse 4 has it, `at` seconds into the day.
fn row(name: &str, id: u32, at: u32, attributes: &[(&str, &str)]) -> Json {
    let metadata: serde_json::Map<String, Json> = attributes
        .iter()
        .map(|(name, value)| (format!("attributes.{name}"), json!(value)))
        .collect();
    json!({
        "id": format!("{id:016x}"), "traceId": TRACE, "projectId": "p1", "name": name,
        "startTime": format!("2026-12-01T00:00:{at:02}.000Z"),
        "endTime": format!("2026-12-01T00:00:{at:02}.500Z"),
        "sessionId": "room-1", "environment": "production", "level": "DEFAULT",
        "metadata": metadata,
    })
}

fn rows() -> Vec<Json> {
    vec![
        row("agent_turn", 3, 3, &[("lk.e2e_latency", "1.25"), ("room_id", "RM_1")]),
        row("user_turn", 2, 2, &[("lk.end_of_turn_delay", "0.5")]),
        row("loadcall.call", 9, 1, &[]),
        row("agent_session", 1, 1, &[("lk.agent_name", "front-desk")]),
    ]
}

fn answer(data: &[Json], meta: &Json) -> Answer {
    Answer::new(200, &json!({"data": data, "meta": meta}).to_string())
}

/// Two rows a page; the cursor is the number of the next row.
fn v2(all: Vec<Json>) -> impl FnMut(&Request) -> Answer + Send {
    move |request| {
        assert_eq!(request.path, "/api/public/v2/observations");
        let begin: usize = request.query.get("cursor").map_or(0, |text| text.parse().unwrap());
        let page: Vec<Json> = all.iter().skip(begin).take(2).cloned().collect();
        let next = begin + 2;
        let more = next < all.len();
        answer(&page, &if more { json!({"cursor": next.to_string()}) } else { json!({}) })
    }
}

/// The same rows as Langfuse 3 gives them: one a page, with nested metadata and without the session.
fn v1(all: Vec<Json>) -> impl FnMut(&Request) -> Answer + Send {
    move |request| {
        let page = |data: &[Json], pages: usize| answer(data, &json!({"totalPages": pages}));
        match request.path.as_str() {
            "/api/public/traces" => {
                assert_eq!(request.query["sessionId"], "room-1");
                page(&[json!({"id": TRACE, "sessionId": "room-1"})], 1)
            }
            "/api/public/observations" => {
                assert_eq!(request.query["traceId"], TRACE);
                let number: usize = request.query["page"].parse().unwrap();
                let mut row = all[number - 1].clone();
                let flat = row["metadata"].as_object().unwrap();
                let nested: serde_json::Map<String, Json> = flat
                    .iter()
                    .map(|(name, value)| (name.replacen("attributes.", "", 1), value.clone()))
                    .collect();
                row["metadata"] = json!({"attributes": nested});
                row.as_object_mut().unwrap().remove("sessionId");
                page(&[row], all.len())
            }
            _ => Answer::new(404, r#"{"message":"only available in a Langfuse v4 write mode"}"#),
        }
    }
}

fn client(server: &Server) -> Client {
    Client::new(&server.project(), Duration::from_secs(5)).unwrap()
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

async fn found(server: &Server) -> SessionSpans {
    session(&client(server), "room-1", None, Wait::No, soon()).await.unwrap()
}

#[tokio::test]
async fn a_session_is_read_page_by_page_without_our_own_spans() {
    let server = Server::start(v2(rows()));
    let window =
        Window { from: "2026-12-01T00:00:00Z".to_owned(), to: "2026-12-02T00:00:00Z".to_owned() };
    let client = client(&server);
    let found = session(&client, "room-1", Some(&window), Wait::No, soon()).await.unwrap();
    let names: Vec<&str> = found.spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["agent_session", "user_turn", "agent_turn"]);
    assert!(found.ended && !found.cut);
    assert_eq!(found.ours, 1);
    let address = format!("http://{}/project/p1/sessions/room-1", server.address);
    assert_eq!(found.address, Some(address));
    let [first, second] = &server.arrived()[..] else { panic!("two pages") };
    assert_eq!(first.query["sessionId"], "room-1");
    assert_eq!(first.query["fromStartTime"], window.from);
    assert_eq!(first.query["toStartTime"], window.to);
    assert_eq!(first.query["limit"], "1000");
    assert!(first.query["expandMetadata"].contains("attributes.lk.llm_metrics"));
    assert!(!first.query["fields"].contains("io"));
    assert_eq!(second.query["cursor"], "2");
}

#[tokio::test]
async fn langfuse_3_gives_the_same_spans() {
    let (new, old) = (Server::start(v2(rows())), Server::start(v1(rows())));
    let (mut new, mut old) = (found(&new).await, found(&old).await);
    assert_ne!(new.address.take(), old.address.take());
    assert_eq!(new, old);
}

#[tokio::test]
async fn why_there_are_no_spans_is_told_apart() {
    let with = |rows: Vec<Json>| Server::start(v2(rows));
    let ask = async |server: &Server, wait| {
        let until = Deadline::after(Duration::from_secs(2));
        session(&client(server), "room\u{1b}[31m", None, wait, until).await.unwrap_err()
    };
    let error = ask(&with(Vec::new()), Wait::No).await;
    assert!(matches!(error, SessionError::Unknown { .. }), "{error}");
    assert!(error.to_string().contains("no session `room\\u{1b}[31m`"), "{error}");
    let error = ask(&with(vec![rows().remove(2)]), Wait::No).await;
    assert!(matches!(error, SessionError::OnlyOurs { .. }), "{error}");
    let error = ask(&with(Vec::new()), Wait::UntilEnded).await;
    assert!(matches!(error, SessionError::NotYet { seconds: 2, .. }), "{error}");
}

#[tokio::test]
async fn spans_that_come_late_are_waited_for() {
    let looks = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&looks);
    let mut whole = v2(rows());
    let server = Server::start(move |request| {
        let begun = request.query.contains_key("cursor");
        let look = if begun { 9 } else { seen.fetch_add(1, Ordering::SeqCst) };
        match look {
            0 => answer(&[], &json!({})),
            1 => answer(&[rows().remove(1)], &json!({})),
            _ => whole(request),
        }
    });
    let found = session(&client(&server), "room-1", None, Wait::UntilEnded, soon()).await.unwrap();
    assert!(found.ended);
    assert_eq!((looks.load(Ordering::SeqCst), found.spans.len()), (3, 3));
}

/// A session that never ends, as of an agent that was killed, is given as far as it came.
#[tokio::test]
async fn what_is_there_at_the_deadline_is_given() {
    let server = Server::start(v2(vec![rows().remove(1)]));
    let until = Deadline::after(Duration::from_secs(2));
    let found = session(&client(&server), "room-1", None, Wait::UntilEnded, until).await.unwrap();
    assert_eq!((found.ended, found.spans.len()), (false, 1));
}

#[tokio::test]
async fn the_session_of_a_room_is_found_under_every_name() {
    for key in ["attributes.room_id", "attributes.lk.room_id", "attributes.lk.room_sid"] {
        let server = Server::start(move |request| {
            let asked = request.query.get("filter").cloned().unwrap_or_default();
            let hit = asked.contains(&format!("\"key\":\"{key}\"")) && asked.contains("RM_1");
            answer(&if hit { vec![rows().remove(0)] } else { Vec::new() }, &json!({}))
        });
        let found = session_of_room(&client(&server), "RM_1", None, soon()).await.unwrap();
        assert_eq!(found.as_deref(), Some("room-1"));
    }
    let server = Server::start(|_| answer(&[], &json!({})));
    assert_eq!(session_of_room(&client(&server), "RM_1", None, soon()).await.unwrap(), None);
}

#[tokio::test]
async fn answers_that_make_no_sense_are_errors() {
    let ask = async |body: Json| {
        let server = Server::answers([Answer::new(200, &body.to_string())]);
        session(&client(&server), "room-1", None, Wait::No, soon()).await.unwrap_err().to_string()
    };
    assert!(ask(json!({"rows": []})).await.contains("it has no `data`"));
    assert!(ask(json!([1, 2])).await.contains("it has no `data`"));
    // A cursor that always leads to itself.
    let same = json!({"data": [], "meta": {"cursor": "c"}});
    assert!(ask(same).await.contains("its cursor leads nowhere"));
}
