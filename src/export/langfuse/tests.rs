//! Against a real listener on loopback that takes the request apart as Langfuse would.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::watch;

use crate::export::otlp::{Backend, Batch, CallSpans, Exporter, Fate};
use crate::export::testing::{
    Arrived, Manner, SECRET, Server, TOKEN, assert_harmless, budget, langfuse, recorded, spans_of,
    text,
};
use crate::record::CallId;

/// What became of call 0.
async fn sent(backend: Backend) -> Fate {
    let mut exporter = Exporter::new(backend, "r1").unwrap();
    let mut batch = Batch::default();
    let limits = exporter.limits();
    assert!(batch.add(CallSpans::new(CallId(0), spans_of(&recorded(0))), limits).is_none());
    let (_sender, mut stop) = watch::channel(false);
    exporter.send(batch, &budget(), &mut stop).await.remove(&CallId(0)).unwrap()
}

/// Also run by [`variables_for_other_back_ends_change_nothing`] in a process with such variables.
#[tokio::test]
async fn the_request_is_what_langfuse_takes() {
    // As it answers: JSON, not protobuf.
    let ok = Manner::Answer("200 OK", r#"{"jobs":[{"name":"otel-ingestion-job"}]}"#.to_owned());
    let mut server = Server::start(ok).await;
    assert_eq!(sent(langfuse(&server.url())).await, Fate::Arrived);
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
    check_resource(&arrived);
    check_spans(&arrived.spans());
}

fn check_resource(arrived: &Arrived) {
    let request = arrived.decoded();
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
}

/// The spans on the wire are the spans of the call, with the rules Langfuse makes.
fn check_spans(received: &[Span]) {
    let expected = spans_of(&recorded(0));
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
    let ids: BTreeSet<&Vec<u8>> = received.iter().map(|span| &span.span_id).collect();
    assert_eq!(ids.len(), received.len());
    let parent_of = |span: &Span| {
        let parent = received.iter().find(|other| other.span_id == span.parent_span_id);
        parent.map_or("", |parent| parent.name.as_str())
    };
    for span in received {
        let parent = match span.name.as_str() {
            "loadcall.call" => "",
            "loadcall.stage.turn_decided" | "loadcall.stage.answer_prepared" => {
                "loadcall.agent_response"
            }
            "loadcall.caller_speech"
            | "loadcall.agent_response"
            | "loadcall.barge_in"
            | "loadcall.assert" => "loadcall.turn",
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
        let Fate::Left(error) = sent(langfuse(&server.url())).await else { panic!("{status}") };
        let shown = error.to_string();
        assert!(shown.contains(hint), "{status}: {shown}");
        assert!(shown.contains(&format!("Langfuse at {}", server.url())), "{shown}");
        assert!(shown.contains(&format!("HTTP {}", &status[..3])), "{shown}");
        assert_harmless(&shown);
        assert_eq!(
            error.ends_all(),
            matches!(&status[..1], "3") || matches!(&status[..3], "401" | "403" | "404")
        );
        // What another attempt cannot change is not tried again.
        assert_eq!(server.arrived().await.len(), 1, "{status}");
    }
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
    let arrived = server.arrived().await;
    let [arrived] = arrived.as_slice() else {
        panic!("keys went to a server that is not trusted");
    };
    assert_eq!(arrived.headers["authorization"], format!("Basic {TOKEN}"));
}

fn over_https() -> Backend {
    langfuse(std::env::var_os("LOADCALL_TEST_URL").unwrap().to_str().unwrap())
}

#[tokio::test]
#[ignore = "run by https_uses_the_certificates_of_the_machine"]
async fn https_trusted() {
    assert_eq!(sent(over_https()).await, Fate::Arrived);
}

#[tokio::test]
#[ignore = "run by https_uses_the_certificates_of_the_machine"]
async fn https_not_trusted() {
    let Fate::Left(error) = sent(over_https()).await else { panic!("it is not trusted") };
    assert!(error.ends_all() && error.to_string().contains("certificate"), "{error}");
}

#[test]
fn a_path_in_front_of_langfuse_is_kept() {
    // Behind a proxy, with or without a slash at its end.
    for base in ["http://tools.example/langfuse", "http://tools.example/langfuse/"] {
        let endpoint = langfuse(base).endpoint;
        assert_eq!(endpoint.as_str(), "http://tools.example/langfuse/api/public/otel/v1/traces");
    }
}

#[test]
fn the_secret_is_in_no_debug_text() {
    let backend = langfuse("http://127.0.0.1:1");
    let shown = format!("{backend:?} {:?}", Exporter::new(backend.clone(), "r1").unwrap());
    assert!(!shown.contains(SECRET) && !shown.contains(TOKEN), "{shown}");
    let kept = serde_json::to_string(&backend.place).unwrap();
    assert!(!kept.contains("pk-lf-test") && !kept.contains(SECRET), "{kept}");
}
