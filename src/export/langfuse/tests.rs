//! Against a real listener on loopback that takes the request apart as Langfuse would.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue as Attribute, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;

use super::*;
use crate::export::{ExportSummary, export_run};
use crate::langfuse::Given;
use crate::report::fixture::{call, run, scenario, turns};
use crate::secret::Secret;

mod server;

use server::{Arrived, Manner, Server};

const SECRET: &str = "sk-lf-the-secret-part";
const TOKEN: &str = "cGstbGYtdGVzdDpzay1sZi10aGUtc2VjcmV0LXBhcnQ=";

fn settings(base_url: &str) -> Settings {
    let given = Given {
        public_key: "pk-lf-test".to_owned(),
        secret_key: Secret::new(SECRET.to_owned()),
        base_url: Some(base_url.to_owned()),
        environment: None,
    };
    let project = Project::new(&given).unwrap();
    Settings { project, run_id: "r1".to_owned(), deadline: Duration::from_secs(5) }
}

fn spans(id: u32) -> Vec<SpanData> {
    let call = call(id);
    let turns = turns(&call);
    let head = run(vec![call.clone()]).head;
    crate::export::trace::call_spans(&head, &scenario(), &call, &turns).unwrap()
}

async fn failure(settings: &Settings) -> ExportError {
    let error = Langfuse::new(settings).unwrap().export(spans(0)).await.unwrap_err();
    assert!(!error.to_string().contains(SECRET) && !error.to_string().contains(TOKEN), "{error}");
    error
}

fn text<'a>(attributes: &'a [Attribute], key: &str) -> Option<&'a str> {
    let value = &attributes.iter().find(|attribute| attribute.key == key)?.value;
    let any_value::Value::StringValue(text) = value.as_ref()?.value.as_ref()? else {
        panic!("{key} is no text");
    };
    Some(text)
}

fn decoded(arrived: &Arrived) -> ExportTraceServiceRequest {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(arrived.body.as_slice()).read_to_end(&mut bytes).unwrap();
    ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap()
}

/// Also run by [`variables_for_other_back_ends_change_nothing`] in a process with such variables.
#[tokio::test]
async fn the_request_is_what_langfuse_takes() {
    // As it answers: JSON, not protobuf.
    let ok = Manner::Answer("200 OK", r#"{"jobs":[{"name":"otel-ingestion-job"}]}"#.to_owned());
    let mut server = Server::start(ok).await;
    let mut langfuse = Langfuse::new(&server.settings()).unwrap();
    langfuse.export(spans(0)).await.unwrap();
    let arrived = server.requests.recv().await.unwrap();

    assert_eq!(arrived.line, "POST /api/public/otel/v1/traces HTTP/1.1");
    let mut headers = arrived.headers.clone();
    for (name, value) in [
        ("authorization", format!("Basic {TOKEN}")),
        ("x-langfuse-ingestion-version", "4".to_owned()),
        ("content-type", "application/x-protobuf".to_owned()),
        ("content-encoding", "gzip".to_owned()),
        ("user-agent", format!("loadcall/{}", env!("CARGO_PKG_VERSION"))),
        ("host", server.address.to_string()),
        ("accept", "*/*".to_owned()),
        ("content-length", arrived.body.len().to_string()),
    ] {
        assert_eq!(headers.remove(name), Some(value), "{name}");
    }
    // What is meant for another back end does not come along.
    assert_eq!(headers, BTreeMap::new());

    let request = decoded(&arrived);
    let [of_resource] = request.resource_spans.as_slice() else { panic!("{request:?}") };
    let resource = &of_resource.resource.as_ref().unwrap().attributes;
    for (key, value) in [
        ("service.name", "loadcall"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("langfuse.environment", "loadcall"),
        ("loadcall.run.id", "r1"),
    ] {
        assert_eq!(text(resource, key), Some(value));
    }
    assert!(resource.iter().all(|attribute| attribute.key != "from.env"));
    let [of_scope] = of_resource.scope_spans.as_slice() else { panic!("{request:?}") };
    assert_eq!(of_scope.scope.as_ref().unwrap().name, "loadcall");
    check_spans(&of_scope.spans);
}

/// The spans on the wire are the spans of the call, with the rules Langfuse makes.
fn check_spans(received: &[Span]) {
    let expected = spans(0);
    assert_eq!(received.len(), expected.len());
    let ns = |at: std::time::SystemTime| {
        u64::try_from(at.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos()).unwrap()
    };
    for (span, expect) in received.iter().zip(&expected) {
        assert_eq!(span.name, expect.name);
        assert_eq!(span.trace_id, expect.span_context.trace_id().to_bytes());
        assert_eq!(span.span_id, expect.span_context.span_id().to_bytes());
        assert_eq!(span.start_time_unix_nano, ns(expect.start_time));
        assert_eq!(span.end_time_unix_nano, ns(expect.end_time));
        assert_eq!(text(&span.attributes, "session.id"), Some("loadcall-r1-0"));
        assert_eq!(text(&span.attributes, "langfuse.trace.name"), Some("greeting"));
        assert!(span.events.is_empty() && span.links.is_empty());
    }
    let parent_of = |span: &Span| {
        let parent = received.iter().find(|other| other.span_id == span.parent_span_id);
        parent.map_or("", |parent| parent.name.as_str())
    };
    for span in received {
        let parent = match span.name.as_str() {
            "loadcall.call" => "",
            "loadcall.caller_speech" | "loadcall.agent_response" => "loadcall.turn",
            _ => "loadcall.call",
        };
        assert_eq!(parent_of(span), parent, "{}", span.name);
    }
    let starts: Vec<Option<&str>> = received
        .iter()
        .filter(|span| span.name == "loadcall.agent_response")
        .map(|span| text(&span.attributes, "langfuse.observation.completion_start_time"))
        .collect();
    // The first audible samples, 850 and 7,200 ms after the start.
    assert_eq!(starts, [Some("2026-11-24T12:00:00.85025Z"), Some("2026-11-24T12:00:07.20025Z")]);
}

#[test]
fn variables_for_other_back_ends_change_nothing() {
    let this = std::env::current_exe().unwrap();
    let output = std::process::Command::new(this)
        .args(["--exact", "export::langfuse::tests::the_request_is_what_langfuse_takes"])
        .env(
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Basic wrong,x-langfuse-ingestion-version=9,api-key=k",
        )
        .env("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=Bearer wrong,api-key=k")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9/elsewhere")
        .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/elsewhere")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
        .env("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        .env("OTEL_SERVICE_NAME", "other")
        .env("OTEL_RESOURCE_ATTRIBUTES", "from.env=yes")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn a_large_call_goes_in_several_requests() {
    let mut server = Server::start(Manner::Answer("200 OK", "{}".to_owned())).await;
    let many: Vec<SpanData> = std::iter::repeat_with(|| spans(0)).take(21).flatten().collect();
    Langfuse::new(&server.settings()).unwrap().export(many.clone()).await.unwrap();
    server.requests.close();
    let mut sizes = Vec::new();
    while let Some(arrived) = server.requests.recv().await {
        let request = decoded(&arrived);
        sizes.push(request.resource_spans[0].scope_spans[0].spans.len());
    }
    assert_eq!(sizes, [100, 100, many.len() - 200]);
}

/// The HTTP status an error stands for.
fn status_of(error: &ExportError) -> Option<u16> {
    match error {
        ExportError::Unauthorized { .. } => Some(401),
        ExportError::Forbidden { .. } => Some(403),
        ExportError::NotFound { .. } => Some(404),
        ExportError::Redirected { status, .. } | ExportError::Status { status, .. } => {
            Some(*status)
        }
        ExportError::Unreachable { .. }
        | ExportError::Deadline { .. }
        | ExportError::NotSent(_) => None,
    }
}

#[tokio::test]
async fn each_status_says_what_to_do() {
    for (status, hint) in [
        ("401 Unauthorized", "LANGFUSE_PUBLIC_KEY"),
        ("403 Forbidden", "suspended"),
        ("404 Not Found", "LANGFUSE_BASE_URL"),
        ("308 Permanent Redirect\r\nlocation: https://elsewhere/", "https://elsewhere/"),
        ("400 Bad Request", "HTTP 400: invalid span"),
        ("500 Internal Server Error", "HTTP 500: invalid span"),
    ] {
        let body = format!("invalid span \x1b[31m{SECRET} {TOKEN} {}", "x".repeat(10_000));
        let mut server = Server::start(Manner::Answer(status, body)).await;
        let error = failure(&server.settings()).await;
        let shown = error.to_string();
        assert!(shown.contains(hint), "{status}: {shown}");
        assert!(shown.contains(&server.address.to_string()), "{shown}");
        assert!(shown.len() < 500 && !shown.contains('\x1b'), "{shown}");
        assert_eq!(
            status_of(&error).map(|code| code.to_string()),
            status.get(..3).map(str::to_owned)
        );
        assert_eq!(
            error.is_final(),
            matches!(&status[..1], "3") || matches!(&status[..3], "401" | "403" | "404")
        );
        // What another attempt cannot change is not tried again.
        server.requests.close();
        server.requests.recv().await.unwrap();
        assert!(server.requests.recv().await.is_none(), "{status}");
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_then_named() {
    let mut server = Server::start(Manner::Answer("503 Service Unavailable", String::new())).await;
    let error =
        failure(&Settings { deadline: Duration::from_millis(600), ..server.settings() }).await;
    assert_eq!(status_of(&error), Some(503), "{error}");
    assert!(!error.is_final());
    server.requests.close();
    assert!(server.requests.recv().await.is_some());
}

#[tokio::test]
async fn a_closed_port_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = failure(&Settings {
        deadline: Duration::from_millis(500),
        ..settings(&format!("http://{address}"))
    })
    .await;
    let shown = error.to_string();
    assert!(matches!(error, ExportError::Unreachable { .. }), "{shown}");
    assert!(shown.contains("refused") && shown.contains("LANGFUSE_BASE_URL"), "{shown}");
}

#[tokio::test]
async fn a_server_that_never_answers_costs_the_deadline() {
    let server = Server::start(Manner::Silence).await;
    let settings = Settings { deadline: Duration::from_millis(300), ..server.settings() };
    let error = in_time(failure(&settings)).await;
    assert!(matches!(error, ExportError::Deadline { ms: 300, .. }), "{error}");
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), what).await.expect("it has a deadline far below")
}

/// A server with a certificate of its own, which only a process that is told so trusts.
#[tokio::test]
async fn https_uses_the_certificates_of_the_machine() {
    let certificate = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let mut server = Server::start_tls(&certificate).await;
    for (trusted, test) in [(true, "https_trusted"), (false, "https_not_trusted")] {
        let pem = if trusted {
            certificate.cert.pem()
        } else {
            rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap().cert.pem()
        };
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(pem.as_bytes()).unwrap();
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child
            .args(["--ignored", "--exact", &format!("export::langfuse::tests::{test}")])
            .env_remove("SSL_CERT_DIR")
            .env("SSL_CERT_FILE", file.path())
            .env("LOADCALL_TEST_URL", format!("https://{}", server.address));
        let output = tokio::task::spawn_blocking(move || child.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }
    server.requests.close();
    assert_eq!(
        server.requests.recv().await.unwrap().headers["authorization"],
        format!("Basic {TOKEN}")
    );
    assert!(server.requests.recv().await.is_none(), "keys went to a server that is not trusted");
}

fn https_settings() -> Settings {
    settings(std::env::var_os("LOADCALL_TEST_URL").unwrap().to_str().unwrap())
}

#[tokio::test]
#[ignore = "run by https_uses_the_certificates_of_the_machine"]
async fn https_trusted() {
    Langfuse::new(&https_settings()).unwrap().export(spans(0)).await.unwrap();
}

#[tokio::test]
#[ignore = "run by https_uses_the_certificates_of_the_machine"]
async fn https_not_trusted() {
    let settings = Settings { deadline: Duration::from_millis(500), ..https_settings() };
    let error = failure(&settings).await;
    assert!(matches!(error, ExportError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn every_call_is_sent_and_counted() {
    let mut server = Server::start(Manner::Answer("200 OK", "{}".to_owned())).await;
    let langfuse = Langfuse::new(&server.settings()).unwrap();
    let calls = (0..20).map(spans);
    let summary = export_run(langfuse, calls, Duration::from_secs(20)).await;
    assert_eq!(summary, ExportSummary { sent: 20, failed: Vec::new() });
    server.requests.close();
    let mut traces = std::collections::BTreeSet::new();
    while let Some(arrived) = server.requests.recv().await {
        traces.insert(decoded(&arrived).resource_spans[0].scope_spans[0].spans[0].trace_id.clone());
    }
    assert_eq!(traces.len(), 20);
}

#[tokio::test]
async fn wrong_keys_are_tried_once_and_counted_for_all() {
    let mut server = Server::start(Manner::Answer("401 Unauthorized", String::new())).await;
    let langfuse = Langfuse::new(&server.settings()).unwrap();
    let calls = (0..5).map(spans);
    let summary = export_run(langfuse, calls, Duration::from_secs(20)).await;
    let [(reason, 5)] = summary.failed.as_slice() else { panic!("{summary:?}") };
    assert!(summary.sent == 0 && reason.contains("401"), "{summary:?}");
    server.requests.close();
    assert!(server.requests.recv().await.is_some());
    assert!(server.requests.recv().await.is_none());
}

#[tokio::test]
async fn what_a_dead_server_holds_up_is_counted_when_time_is_over() {
    let server = Server::start(Manner::Silence).await;
    let langfuse = Langfuse::new(&server.settings()).unwrap();
    let calls = (0..7).map(spans);
    let summary = in_time(export_run(langfuse, calls, Duration::from_millis(200))).await;
    let [(reason, 7)] = summary.failed.as_slice() else { panic!("{summary:?}") };
    assert!(summary.sent == 0 && reason.contains("200 ms"), "{summary:?}");
}

#[test]
fn a_path_in_front_of_langfuse_is_kept() {
    // Behind a proxy, with or without a slash at its end.
    for base in ["http://tools.example/langfuse", "http://tools.example/langfuse/"] {
        let langfuse = Langfuse::new(&settings(base)).unwrap();
        let shown = format!("{langfuse:?}");
        assert!(
            shown.contains("http://tools.example/langfuse/api/public/otel/v1/traces"),
            "{shown}"
        );
        assert!(!shown.contains(SECRET) && !shown.contains(TOKEN), "{shown}");
    }
}

#[test]
fn the_secret_is_in_no_debug_text() {
    let settings = settings("http://127.0.0.1:1");
    let shown = format!("{settings:?} {:?}", Langfuse::new(&settings).unwrap());
    assert!(!shown.contains(SECRET) && !shown.contains(TOKEN), "{shown}");
    let pair = base64::engine::general_purpose::STANDARD.decode(TOKEN).unwrap();
    assert_eq!(pair, format!("pk-lf-test:{SECRET}").into_bytes());
}
