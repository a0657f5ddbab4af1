//! `loadcall export` as a user runs it: a recorded run to backends inside the test, and through a real collector.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test of files and processes"
)]

mod collector;
mod common;
#[path = "common/http.rs"]
#[expect(dead_code, reason = "of what tests share, these need a part")]
mod http;

use collector::{Collector, Sink, agent, await_spans};
use common::{loadcall, root};
use http::{Answer, Request, Server};
use loadcall::spans::store;
use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// What no output may show.
const SECRETS: [&str; 3] = ["sk-lf-hunter2", "cGstbGYtMTpzay1sZi1odW50ZXIy", "otlp-hunter2"];

/// A folder with the recording of the example.
fn run_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(root().join("reports/example/run.jsonl"), folder.path().join("run.jsonl"))
        .unwrap();
    folder
}

/// The calls of that recording.
fn calls() -> usize {
    let text = std::fs::read_to_string(root().join("reports/example/run.jsonl")).unwrap();
    text.lines().filter(|line| line.starts_with("{\"call\":")).count()
}

fn export(folder: &Path, langfuse: Option<&str>, otlp: Option<&str>) -> Command {
    let mut command = loadcall();
    // Scores have tests of their own.
    command.arg("export").arg(folder).args(["--langfuse-scores", "none"]);
    if let Some(url) = langfuse {
        command
            .env("LANGFUSE_PUBLIC_KEY", "pk-lf-1")
            .env("LANGFUSE_SECRET_KEY", SECRETS[0])
            .env("LANGFUSE_BASE_URL", url);
    }
    if let Some(url) = otlp {
        command
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", url)
            .env("OTEL_EXPORTER_OTLP_HEADERS", format!("api-key={}", SECRETS[2]));
    }
    command
}

/// Stdout, stderr and the exit code, without a secret in any of them or in what was kept.
fn ran(mut command: Command, folder: &Path) -> (String, String, Option<i32>) {
    let Output { stdout, stderr, status } = command.output().unwrap();
    let kept = std::fs::read_to_string(folder.join("export.json")).unwrap_or_default();
    let (out, err) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    for secret in SECRETS {
        assert!(![&out, &err, &kept].iter().any(|text| text.contains(secret)), "{out}{err}{kept}");
    }
    (out, err, status.code())
}

fn of_traces(spans: &[Span]) -> BTreeMap<Vec<u8>, usize> {
    let mut traces = BTreeMap::new();
    for span in spans {
        *traces.entry(span.trace_id.clone()).or_default() += 1;
    }
    traces
}

#[test]
fn a_run_is_sent_to_both_backends_once() {
    let folder = run_folder();
    let (langfuse, otlp) = (Sink::start("200 OK"), Sink::start("200 OK"));
    let both = || export(folder.path(), Some(&langfuse.url()), Some(&otlp.url()));
    let (out, err, code) = ran(both(), folder.path());
    let n = calls();
    let expected = format!(
        "{n} traces sent to Langfuse at {}\n{n} traces sent to the OTLP backend at {}/v1/traces\n",
        langfuse.url(),
        otlp.url()
    );
    assert_eq!((out, err.as_str(), code), (expected, "", Some(0)));
    let ids: Vec<_> = [&langfuse, &otlp].map(|sink| of_traces(&sink.spans())).into();
    assert!(ids[0].len() == n && ids[0] == ids[1]);
    // Neither has what is the other's.
    for received in langfuse.received() {
        assert_eq!(received.path, "/api/public/otel/v1/traces");
        assert_eq!(received.headers["authorization"], format!("Basic {}", SECRETS[1]));
        assert!(!received.headers.contains_key("api-key"));
    }
    for received in otlp.received() {
        assert_eq!(received.path, "/v1/traces");
        assert_eq!(received.headers["api-key"], SECRETS[2]);
        assert!(!received.headers.contains_key("authorization"));
        assert!(!received.headers.contains_key("x-langfuse-ingestion-version"));
    }
    let requests = otlp.received().len();
    let (out, _, code) = ran(both(), folder.path());
    assert_eq!(code, Some(0));
    assert_eq!(out.matches("0 traces sent to").count(), 2, "{out}");
    assert_eq!(out.matches(&format!(", {n} had arrived before")).count(), 2, "{out}");
    assert_eq!(otlp.received().len(), requests);
}

#[test]
fn what_was_not_taken_is_said_once_and_sent_later() {
    let folder = run_folder();
    let wrong = Sink::playing(vec!["401 Unauthorized", "200 OK"]);
    let right = Sink::start("200 OK");
    let command = export(folder.path(), Some(&wrong.url()), Some(&right.url()));
    let (out, err, code) = ran(command, folder.path());
    let n = calls();
    assert_eq!(code, Some(3), "{err}");
    assert!(out.contains(&format!("{n} traces sent to the OTLP backend")), "{out}");
    assert_eq!(err.lines().count(), 2, "{err}");
    assert!(err.contains(&format!("{n} calls are not traced: Langfuse at")), "{err}");
    assert!(err.contains("check LANGFUSE_PUBLIC_KEY"), "{err}");
    let hint = format!("hint: `loadcall export {}` sends what is missing", folder.path().display());
    assert!(err.lines().any(|line| line == hint), "{err}");
    assert_eq!(wrong.received().len(), 1);
    // As the hint says, with the keys mended.
    let command = export(folder.path(), Some(&wrong.url()), Some(&right.url()));
    let before = right.received().len();
    let (_, err, code) = ran(command, folder.path());
    assert_eq!((err.as_str(), code), ("", Some(0)));
    let taken = of_traces(&right.spans());
    assert!(taken.len() == n && right.received().len() == before);
    // Once with the wrong keys, once with the right ones.
    let sent: usize = of_traces(&wrong.spans()).into_values().sum();
    assert_eq!(sent, 2 * taken.into_values().sum::<usize>());
}

#[test]
fn settings_that_cannot_work_are_named() {
    let folder = run_folder();
    let (_, err, code) = ran(export(folder.path(), None, None), folder.path());
    assert_eq!(code, Some(2));
    assert!(err.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{err}");
    let mut grpc = export(folder.path(), None, Some("http://127.0.0.1:4317"));
    grpc.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let (_, err, code) = ran(grpc, folder.path());
    assert_eq!(code, Some(2));
    assert!(err.contains("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf"), "{err}");
    let mut off = export(folder.path(), None, Some("http://127.0.0.1:9"));
    off.env("OTEL_SDK_DISABLED", "true");
    assert_eq!(ran(off, folder.path()).2, Some(2));
    assert!(!folder.path().join("export.json").exists());
}

#[test]
fn a_backend_that_is_down_takes_nothing() {
    let folder = run_folder();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let command = export(folder.path(), None, Some(&format!("http://{gone}")));
    let (out, err, code) = ran(command, folder.path());
    assert_eq!(code, Some(3));
    assert!(out.starts_with("0 traces sent to the OTLP backend"), "{out}");
    assert!(err.contains("cannot be reached") && err.contains("loadcall export"), "{err}");
}

#[test]
fn a_second_export_of_a_run_is_refused_while_one_is_under_way() {
    let folder = run_folder();
    let sink = Sink::start("200 OK");
    let held = std::fs::File::open(folder.path()).unwrap();
    held.try_lock().unwrap();
    let (_, err, code) = ran(export(folder.path(), None, Some(&sink.url())), folder.path());
    assert_eq!(code, Some(2));
    assert!(err.contains("another loadcall is sending the traces of this run"), "{err}");
    assert!(sink.received().is_empty());
}

#[test]
fn a_signal_ends_it_and_what_is_left_can_be_sent_later() {
    let folder = run_folder();
    let busy = Sink::start("503 Busy\r\nretry-after: 20");
    let mut command = export(folder.path(), None, Some(&busy.url()));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    await_spans(&busy, 1);
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("stopping; press Ctrl-C again to abort"), "{err}");
    assert!(err.contains("sending was stopped"), "{err}");
    let sink = Sink::start("200 OK");
    let (_, _, code) = ran(export(folder.path(), None, Some(&sink.url())), folder.path());
    assert_eq!((code, of_traces(&sink.spans()).len()), (Some(0), calls()));
}

/// The ids of the scores in the requests that arrived since the first so many.
fn scores(server: &Server, since: usize) -> Vec<String> {
    let arrived = server.arrived();
    let requests = arrived[since..].iter().filter(|of| of.path == "/api/public/scores");
    let lists = requests.map(|of| serde_json::from_slice::<Vec<Json>>(&of.body).unwrap());
    lists.flatten().map(|score| score["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn scores_that_were_not_sent_are_sent_later_and_once() {
    let folder = run_folder();
    let langfuse = |of_scores: Answer| {
        Server::start(move |request: &Request| match request.path.as_str() {
            "/api/public/scores" => of_scores.clone(),
            _ => Answer::new(200, r#"{"status":"OK","version":"4.16.0"}"#),
        })
    };
    let server = langfuse(Answer::new(429, "{}").with("retry-after", "600"));
    let send = |server: &Server, more: &[&str]| {
        let mut command = loadcall();
        command.arg("export").arg(folder.path()).args(["--langfuse-scores", "turns"]).args(more);
        command
            .env("LANGFUSE_PUBLIC_KEY", "pk-lf-1")
            .env("LANGFUSE_SECRET_KEY", SECRETS[0])
            .env("LANGFUSE_BASE_URL", server.url());
        ran(command, folder.path())
    };
    let kept = || {
        let text = std::fs::read_to_string(folder.path().join("export.json")).unwrap();
        serde_json::from_str::<Json>(&text).unwrap()["backends"][0].clone()
    };
    let (_, err, _) = send(&server, &[]);
    let all = scores(&server, 0);
    assert!(err.contains(&format!("warning: {} scores not sent to Langfuse", all.len())), "{err}");
    let which = json!({"turns": true, "environment": "loadcall"});
    let expected = |answered: usize, left: usize| {
        let mut of = which.clone();
        of["answered"] = answered.into();
        of["left"] = left.into();
        of
    };
    assert_eq!(kept()["scores"], expected(0, all.len()));

    // Another server at another address is another backend: the file is made to name it.
    let whole = langfuse(Answer::new(202, r#"{"message":"ok"}"#));
    let text = std::fs::read_to_string(folder.path().join("export.json")).unwrap();
    let text = text.replace(&server.url(), &whole.url());
    std::fs::write(folder.path().join("export.json"), text).unwrap();
    let (_, err, code) = send(&whole, &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains(&format!("{} scores sent to Langfuse", all.len())), "{err}");
    assert_eq!(scores(&whole, 0), all);
    assert_eq!(kept()["scores"], expected(all.len(), 0));
    let before = whole.arrived().len();
    let (_, err, code) = send(&whole, &[]);
    assert_eq!((err.as_str(), code), ("", Some(0)));
    assert!(scores(&whole, before).is_empty());
    // Asked to send all again, it does.
    let before = whole.arrived().len();
    send(&whole, &["--again"]);
    assert_eq!(scores(&whole, before), all);
}

/// With the collector of `make collector`.
#[test]
fn a_real_collector_understands_the_spans() {
    let direct = Sink::start("200 OK");
    let folder = run_folder();
    assert_eq!(ran(export(folder.path(), None, Some(&direct.url())), folder.path()).2, Some(0));
    for (protocol, compression) in
        [("http/protobuf", "gzip"), ("http/json", "gzip"), ("http/json", "none")]
    {
        let sink = Sink::start("200 OK");
        let Some(collector) = Collector::start(&sink) else { return };
        let folder = run_folder();
        let mut command = export(folder.path(), None, Some(&collector.url()));
        command
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            .env("OTEL_EXPORTER_OTLP_COMPRESSION", compression);
        let (_, err, code) = ran(command, folder.path());
        assert_eq!(code, Some(0), "{protocol} {compression}: {err}");
        let expected = direct.spans();
        await_spans(&sink, expected.len());
        let arrived = sink.spans();
        assert_eq!(arrived.len(), expected.len());
        let id = |span: &Span| span.span_id.clone();
        let by_id: BTreeMap<_, _> = arrived.iter().map(|span| (id(span), span)).collect();
        // Every id, time, parent, status and attribute as it was sent.
        for span in &expected {
            assert_eq!(by_id[&id(span)], span, "{protocol} {compression}");
        }
        let sessions: BTreeSet<&String> = arrived.iter().filter_map(session).collect();
        assert_eq!(sessions.len(), calls());
    }
}

/// With the collector of `make collector`: the agent's spans come by way of the receiver, ours directly.
#[test]
fn a_real_collector_understands_the_agents_spans() {
    let sink = Sink::start("200 OK");
    let Some(collector) = Collector::start(&sink) else { return };
    if agent::is_missing() {
        let required = std::env::var_os("LOADCALL_REQUIRE_COLLECTOR").is_some();
        assert!(!required, "there is no demo agent: `make tools` installs it");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Output { stdout, stderr, status } = agent::call(folder.path(), &collector.url());
    let said = String::from_utf8([stdout, stderr].concat()).unwrap();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("with the agent's spans passed on to"), "{said}");
    let kept = store::read(&folder.path().join("run"), |_| true).unwrap().spans;
    let names: BTreeSet<&str> = kept.iter().map(|span| span.name.as_str()).collect();
    for name in ["agent_session", "user_turn", "llm_node", "tts_node"] {
        assert!(names.contains(name), "{names:?}");
    }
    let ours = |span: &Span| span.name.starts_with("loadcall.");
    await_spans(&sink, kept.len() + 1);
    let arrived = sink.spans();
    let trace =
        |span: &Span| TraceId::from_bytes(span.trace_id.as_slice().try_into().unwrap()).to_string();
    let by_id: BTreeMap<String, &Span> = arrived
        .iter()
        .map(|span| {
            (SpanId::from_bytes(span.span_id.as_slice().try_into().unwrap()).to_string(), span)
        })
        .collect();
    // What the receiver kept is what arrived: each span with its place, its times and its room.
    for span in &kept {
        let found = by_id[&span.span_id];
        assert_eq!((&found.name, &trace(found)), (&span.name, &span.trace_id));
        assert_eq!(found.start_time_unix_nano, span.begin_ns, "{span:?}");
        assert_eq!(found.end_time_unix_nano, span.end_ns, "{span:?}");
        assert_eq!(session(found).map(String::as_str), span.session(), "{span:?}");
    }
    // Both sides are one trace, and the agent's session is below our call.
    let call = arrived.iter().find(|span| span.name == "loadcall.call").unwrap();
    let theirs = arrived.iter().find(|span| span.name == "agent_session").unwrap();
    assert_eq!((&theirs.trace_id, &theirs.parent_span_id), (&call.trace_id, &call.span_id));
    assert_eq!(session(theirs), session(call));
    assert!(arrived.iter().filter(|span| ours(span)).count() > 5, "{arrived:?}");
}

/// By what a call is found in a backend.
fn session(span: &Span) -> Option<&String> {
    let value = span.attributes.iter().find(|attribute| attribute.key == "session.id")?;
    let Value::StringValue(text) = value.value.as_ref()?.value.as_ref()? else {
        panic!("a session that is no text: {value:?}");
    };
    Some(text)
}
