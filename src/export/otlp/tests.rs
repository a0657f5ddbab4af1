//! One batch against a backend with faults.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::*;
use crate::export::testing::{
    Arrived, KEY, Manner, Server, assert_harmless, budget, otlp, recorded, spans_of, text,
};
use crate::record::CallId;

fn batch(calls: std::ops::Range<u32>, limits: Limits) -> Batch {
    let mut batch = Batch::default();
    for id in calls {
        assert!(batch.add(CallSpans::new(CallId(id), spans_of(&recorded(id))), limits).is_none());
    }
    batch
}

async fn sent(backend: Backend, calls: std::ops::Range<u32>) -> BTreeMap<CallId, Fate> {
    let (_sender, mut stop) = watch::channel(false);
    let mut exporter = Exporter::new(backend, "r1").unwrap();
    let batch = batch(calls, exporter.limits());
    in_time(exporter.send(batch, &budget(), &mut stop)).await
}

async fn fate(backend: Backend) -> Fate {
    sent(backend, 0..1).await.remove(&CallId(0)).unwrap()
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it has a limit far below")
}

/// How many spans a call of the fixture has.
fn a_call() -> usize {
    spans_of(&recorded(0)).len()
}

#[tokio::test]
async fn the_variables_shape_the_request() {
    for (more, content_type, encoding) in [
        (&[][..], "application/x-protobuf", Some("gzip")),
        (
            &[
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
                ("OTEL_SERVICE_NAME", "callers"),
                ("OTEL_RESOURCE_ATTRIBUTES", "team=voice%2Cqa"),
            ][..],
            "application/json",
            None,
        ),
    ] {
        let mut server = Server::start(Manner::Answer("200 OK", String::new())).await;
        let url = format!("{}/otlp", server.url());
        assert_eq!(fate(otlp(&url, more)).await, Fate::Arrived);
        let arrived = server.requests.recv().await.unwrap();
        assert_eq!(arrived.line, "POST /otlp/v1/traces HTTP/1.1");
        assert_eq!(arrived.headers["content-type"], content_type);
        assert_eq!(arrived.headers.get("content-encoding").map(String::as_str), encoding);
        assert_eq!(arrived.headers["authorization"], format!("Bearer {KEY}"));
        // What is Langfuse's does not come along.
        assert!(!arrived.headers.keys().any(|name| name.contains("langfuse")));
        let request = arrived.decoded();
        let resource = &request.resource_spans[0].resource.as_ref().unwrap().attributes;
        let (name, team) =
            if more.is_empty() { ("loadcall", None) } else { ("callers", Some("voice,qa")) };
        assert_eq!(text(resource, "service.name"), Some(name));
        assert_eq!(text(resource, "team"), team);
        assert_eq!(text(resource, "loadcall.run.id"), Some("r1"));
        let ids: Vec<Vec<u8>> = arrived.spans().iter().map(|span| span.span_id.clone()).collect();
        let expected = spans_of(&recorded(0));
        let expected = expected.iter().map(|span| span.span_context.span_id().to_bytes().to_vec());
        assert_eq!(ids, expected.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_refusal_names_the_variable_to_mend() {
    for (status, hint) in [
        ("401 Unauthorized", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("403 Forbidden", "may write traces"),
        ("404 Not Found", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        ("405 Method Not Allowed", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        ("301 Moved\r\nlocation: https://elsewhere/", "https://elsewhere/"),
        ("400 Bad Request", "HTTP 400: no, …"),
    ] {
        let body = format!("{{\"message\":\"no, {KEY} \\u001b[2J\"}}");
        let mut server = Server::start(Manner::Answer(status, body)).await;
        let Fate::Left(error) = fate(otlp(&server.url(), &[])).await else { panic!("{status}") };
        let shown = error.to_string();
        assert!(shown.contains(hint) && !shown.contains("LANGFUSE"), "{status}: {shown}");
        assert_harmless(&shown);
        assert_eq!(server.arrived().await.len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_busy_backend_is_asked_again_until_it_takes_the_spans() {
    for status in ["429 Too Many", "502 Bad", "503 Busy", "504 Late\r\nretry-after: 0"] {
        let busy = Manner::Answer(status, String::new());
        let mut server = Server::playing(vec![busy.clone(), busy, Manner::ok()]).await;
        assert_eq!(fate(otlp(&server.url(), &[])).await, Fate::Arrived, "{status}");
        let arrived = server.arrived().await;
        let spans: Vec<usize> = arrived.iter().map(|arrived| arrived.spans().len()).collect();
        assert_eq!(spans, [a_call(); 3], "{status}");
    }
}

#[tokio::test]
async fn a_backend_that_stays_busy_is_left_in_peace() {
    let mut server = Server::start(Manner::Answer("503 Busy", "starting".to_owned())).await;
    let Fate::Left(error) = fate(otlp(&server.url(), &[])).await else { panic!("it is busy") };
    assert!(error.ends_all(), "{error}");
    assert!(error.to_string().ends_with("(HTTP 503: starting) after 5 attempts"), "{error}");
    assert_eq!(server.arrived().await.len(), 5);
    // One that asks for more time than there is, is not asked twice.
    let late = "429 Too Many\r\nDate: Tue, 01 Dec 2026 12:00:00 GMT\r\n\
                Retry-After: Tue, 01 Dec 2026 12:10:00 GMT";
    let mut server = Server::start(Manner::Answer(late, String::new())).await;
    let Fate::Left(error) = fate(otlp(&server.url(), &[])).await else { panic!("it is busy") };
    assert!(error.to_string().ends_with("asks to wait 600 s"), "{error}");
    assert_eq!(server.arrived().await.len(), 1);
}

#[tokio::test]
async fn what_the_server_asks_to_wait_is_waited() {
    let busy = Manner::Answer("429 Too Many\r\nretry-after: 1", String::new());
    let server = Server::playing(vec![busy, Manner::ok()]).await;
    let clock = crate::clock::Clock::start();
    assert_eq!(fate(otlp(&server.url(), &[])).await, Fate::Arrived);
    assert!(clock.now().since_start() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_closed_port_is_named_and_nothing_counts_as_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let Fate::Left(error) = fate(otlp(&format!("http://{address}"), &[])).await else {
        panic!("nothing went out")
    };
    let shown = error.to_string();
    assert!(matches!(error, ExportError::Unreachable { .. }) && error.ends_all(), "{shown}");
    assert!(shown.contains("refused") && shown.contains("port 4318"), "{shown}");
}

#[tokio::test]
async fn an_answer_that_never_came_is_unknown_and_not_asked_for_twice() {
    for manner in [Manner::HangUp, Manner::HangUpEarly, Manner::Silence] {
        let mut server = Server::start(manner).await;
        let timeout = Duration::from_millis(200);
        let backend = Backend { timeout, ..otlp(&server.url(), &[]) };
        let Fate::Unknown(error) = fate(backend).await else { panic!("it may have arrived") };
        assert!(matches!(error, ExportError::Lost { .. } | ExportError::NoAnswer { ms: 200, .. }));
        assert_eq!(server.arrived().await.len(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_slow_backend_is_waited_for() {
    let server = Server::start(Manner::Slow(Duration::from_millis(300))).await;
    assert_eq!(fate(otlp(&server.url(), &[])).await, Fate::Arrived);
}

#[tokio::test]
async fn what_is_too_large_is_halved_until_it_is_taken() {
    // A call and a half at a time.
    let most = a_call() + a_call() / 2;
    let mut server = Server::start(Manner::AtMost(most)).await;
    let fates = sent(otlp(&server.url(), &[]), 0..8).await;
    assert!(fates.len() == 8 && fates.values().all(|fate| *fate == Fate::Arrived), "{fates:?}");
    let arrived = server.arrived().await;
    let taken = arrived.iter().map(Arrived::spans).filter(|spans| spans.len() <= most);
    let mut ids: Vec<Vec<u8>> = taken.flatten().map(|span| span.span_id).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), count), (8 * a_call(), 8 * a_call()), "each once");
}

#[tokio::test]
async fn a_span_that_is_too_large_alone_is_named() {
    let mut server = Server::start(Manner::AtMost(0)).await;
    let Fate::Left(error) = fate(otlp(&server.url(), &[])).await else { panic!("none is taken") };
    let shown = error.to_string();
    assert!(shown.starts_with("the span `loadcall.call` of call 0 ("), "{shown}");
    // Every span was tried alone, each once.
    let arrived = server.arrived().await;
    assert_eq!(arrived.iter().filter(|arrived| arrived.spans().len() == 1).count(), a_call());
    // One that is too large among others: the call is there in parts.
    let refused = Manner::Answer("413 Too Large", String::new());
    let manners = std::iter::repeat_n(refused, 5).chain([Manner::ok()]).collect();
    let server = Server::playing(manners).await;
    let fate = fate(otlp(&server.url(), &[])).await;
    assert!(matches!(fate, Fate::Unknown(ExportError::TooLarge { .. })), "{fate:?}");
}

#[tokio::test]
async fn a_large_call_goes_in_several_requests() {
    let mut server = Server::start(Manner::ok()).await;
    let limits = Limits { spans: 3, ..Limits::USUAL };
    let backend = Backend { limits, ..otlp(&server.url(), &[]) };
    assert_eq!(fate(backend).await, Fate::Arrived);
    let arrived = server.arrived().await;
    let sizes: Vec<usize> = arrived.iter().map(|arrived| arrived.spans().len()).collect();
    assert!(sizes.iter().all(|size| *size <= 3), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), a_call());
}

#[tokio::test]
async fn spans_that_are_rejected_within_a_success_are_told() {
    let body = r#"{"partialSuccess":{"rejectedSpans":3,"errorMessage":"too old"}}"#;
    let status = "200 OK\r\ncontent-type: application/json";
    let server = Server::start(Manner::Answer(status, body.to_owned())).await;
    let Fate::Unknown(error) = fate(otlp(&server.url(), &[])).await else { panic!("3 are not") };
    assert!(error.to_string().ends_with("rejected 3 of the spans of a request: too old"));
}

#[tokio::test]
async fn a_wish_to_stop_is_heard_between_attempts() {
    let server = Server::start(Manner::Answer("503 Busy", String::new())).await;
    let retry = Retry { first_pause: Duration::from_secs(4), ..Retry::USUAL };
    let backend = Backend { retry, ..otlp(&server.url(), &[]) };
    let mut exporter = Exporter::new(backend, "r1").unwrap();
    let (sender, mut stop) = watch::channel(false);
    let clock = crate::clock::Clock::start();
    let (batch, budget) = (batch(0..1, exporter.limits()), budget());
    let sending = exporter.send(batch, &budget, &mut stop);
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        sender.send_replace(true);
    };
    let (fates, ()) = tokio::join!(sending, stopping);
    assert_eq!(fates[&CallId(0)], Fate::Left(ExportError::Stopped));
    assert!(clock.now().since_start() < Duration::from_secs(2));
}

#[tokio::test]
async fn time_is_over_for_all() {
    let server = Server::start(Manner::Answer("503 Busy", String::new())).await;
    let mut exporter = Exporter::new(otlp(&server.url(), &[]), "r1").unwrap();
    let (_sender, mut stop) = watch::channel(false);
    let batch = batch(0..2, exporter.limits());
    let none = Budget::start(Duration::ZERO, Duration::ZERO);
    let fates = exporter.send(batch, &none, &mut stop).await;
    let over = Fate::Left(ExportError::Deadline { limit: Duration::ZERO });
    assert!(fates.len() == 2 && fates.values().all(|fate| *fate == over), "{fates:?}");
}

#[test]
fn the_key_is_in_no_debug_text() {
    let backend = otlp("http://127.0.0.1:1", &[]);
    let shown = format!("{backend:?} {:?}", Exporter::new(backend.clone(), "r1").unwrap());
    assert!(!shown.contains(KEY), "{shown}");
}
