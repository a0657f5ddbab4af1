//! `loadcall doctor` names what is wrong, with a remedy and an exit code of its class. Servers here answer as
//! livekit-server does, word for word; a real one is in the live tests.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test of files and processes"
)]

mod common;
#[path = "common/http.rs"]
#[expect(dead_code, reason = "of what tests share, these need a part")]
mod http;

use common::root;
use http::{Answer, Server};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output};

const SECRET: &str = "hunter2hunter2hunter2hunter2hunter2";
const LANGFUSE_SECRET: &str = "sk-lf-hunter3";
/// Both keys of Langfuse as they are sent.
const LANGFUSE_TOKEN: &str = "cGstbGYtMTpzay1sZi1odW50ZXIz";
const OTLP_KEY: &str = "otlp-hunter4";

fn doctor(more: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = common::loadcall();
    command.arg("doctor").args(more).current_dir(folder.path()).env("NO_COLOR", "1");
    command.envs(variables.iter().copied());
    let output = command.output().unwrap();
    for secret in [SECRET, LANGFUSE_SECRET, LANGFUSE_TOKEN, OTLP_KEY] {
        assert!(!said(&output).contains(secret), "{}", said(&output));
    }
    // What it places lies elsewhere, and is gone.
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    output
}

fn said(output: &Output) -> String {
    String::from_utf8([output.stdout.as_slice(), &output.stderr].concat()).unwrap()
}

fn asked(url: &str) -> Output {
    let keys = [("LIVEKIT_API_KEY", "APIkey"), ("LIVEKIT_API_SECRET", SECRET)];
    let keys: Vec<_> = keys.into_iter().chain([("LIVEKIT_URL", url)]).collect();
    doctor(&[], &keys)
}

/// Where nobody listens.
fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The tracing alone, with both kinds of backends at these addresses where they are given.
fn traced(langfuse: Option<&str>, otlp: Option<&str>) -> Output {
    let header = format!("api-key={OTLP_KEY}");
    let mut variables = Vec::new();
    if let Some(url) = langfuse {
        let keys = [("LANGFUSE_PUBLIC_KEY", "pk-lf-1"), ("LANGFUSE_SECRET_KEY", LANGFUSE_SECRET)];
        variables.extend(keys.into_iter().chain([("LANGFUSE_BASE_URL", url)]));
    }
    if let Some(url) = otlp {
        variables.extend([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url),
            ("OTEL_EXPORTER_OTLP_HEADERS", &header),
        ]);
    }
    doctor(&["--only", "tracing", "--wait", "3s"], &variables)
}

/// The line of a check.
fn line(output: &Output, check: &str) -> String {
    let said = said(output);
    let line = said.lines().find(|line| line.contains(&format!("  {check}  ")));
    line.unwrap_or_else(|| panic!("no {check}: {said}")).to_owned()
}

#[test]
fn settings_come_first() {
    let nothing = doctor(&[], &[]);
    assert_eq!(nothing.status.code(), Some(2), "{}", said(&nothing));
    assert!(line(&nothing, "server").starts_with("failed"), "{}", said(&nothing));
    assert!(said(&nothing).contains("LIVEKIT_URL"), "{}", said(&nothing));
    assert!(line(&nothing, "dispatch").starts_with("not tested"), "{}", said(&nothing));

    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.yaml");
    std::fs::write(&broken, "version: 1\nname: a\nturns: []\n").unwrap();
    let broken = doctor(&[broken.to_str().unwrap(), "--dev", "--dev-agent"], &[]);
    assert_eq!(broken.status.code(), Some(2), "{}", said(&broken));
    assert!(line(&broken, "scenario").starts_with("failed"), "{}", said(&broken));
    assert!(said(&broken).contains("to mend   loadcall check "), "{}", said(&broken));
}

#[test]
fn a_server_that_takes_no_calls_is_named_by_what_is_wrong_with_it() {
    let plain =
        |status, body| Answer::new(status, body).with("content-type", "text/plain; charset=utf-8");
    let early = "invalid token: x, error: token has invalid claims: token is not valid yet";
    let wrong = "invalid token: x, error: token signature is invalid: signature is invalid";
    let early = Answer::new(401, early).with("date", "Mon, 30 Nov 2020 12:00:00 GMT");
    for (answer, check, cause) in [
        (plain(401, "invalid API key: APIkey"), "key", "does not know the API key `APIkey`"),
        (plain(401, wrong), "secret", "does not belong to the API key"),
        (early, "clock", "ahead of the server's"),
        (plain(200, "<html>"), "address", "is not a LiveKit server"),
    ] {
        let output = asked(&format!("ws://{}", Server::answers([answer]).address));
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        let failed = line(&output, check);
        assert!(failed.starts_with("failed") && failed.contains(cause), "{}", said(&output));
        assert!(line(&output, "media").starts_with("not tested"), "{}", said(&output));
    }
    let output = asked(&format!("ws://{}", nowhere()));
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(line(&output, "address").contains("refused"), "{}", said(&output));
}

#[test]
fn a_clock_that_is_off_is_told_by_a_server_that_works_otherwise() {
    let answer = Answer::new(200, r#"{"rooms":[]}"#).with("content-type", "application/json");
    let answer = answer.with("date", "Mon, 30 Nov 2020 12:00:00 GMT");
    let output = asked(&format!("ws://{}", Server::answers([answer]).address));
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let clock = line(&output, "clock");
    assert!(clock.starts_with("failed") && clock.contains("ahead of the server's"), "{clock}");
}

#[test]
fn a_limit_on_open_files_is_found_before_the_calls_are() {
    let scenario = root().join("scenarios/greeting.yaml");
    let program = common::loadcall().get_program().to_owned();
    let mut command = Command::new("sh");
    let script =
        r#"ulimit -n 200 && exec "$0" doctor "$1" --only machine --calls 50 --concurrency 50"#;
    command.arg("-c").arg(script).arg(program).arg(scenario).env("NO_COLOR", "1");
    let output = command.output().unwrap();
    let files = line(&output, "open files");
    assert!(files.starts_with("failed") && files.contains("at most 200"), "{files}");
    assert!(said(&output).contains("ulimit -n "), "{}", said(&output));
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
}

#[test]
fn what_takes_no_traces_is_named_with_its_cause() {
    let refusing = |status, body| Server::answers([Answer::new(status, body)]).url();
    let down = format!("http://{}", nowhere());
    let unauthorized = refusing(401, r#"{"message":"Invalid credentials"}"#);
    let no_path = refusing(404, "");
    for (langfuse, url, cause, remedy) in [
        (true, &unauthorized, "(HTTP 401: Invalid credentials)", "LANGFUSE_SECRET_KEY"),
        (true, &no_path, "(HTTP 404)", "LANGFUSE_BASE_URL is the address"),
        (true, &down, "cannot be reached: Connection refused", "check LANGFUSE_BASE_URL"),
        (false, &unauthorized, "(HTTP 401", "the key in OTEL_EXPORTER_OTLP_HEADERS"),
        (false, &no_path, "(HTTP 404)", "to which /v1/traces is added"),
        (false, &down, "cannot be reached: Connection refused", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ] {
        let (output, check, other) = if langfuse {
            (traced(Some(url), None), "Langfuse", "OTLP")
        } else {
            (traced(None, Some(url)), "OTLP", "Langfuse")
        };
        assert_eq!(output.status.code(), Some(8), "{}", said(&output));
        let failed = line(&output, check);
        assert!(failed.starts_with("failed") && failed.contains(cause), "{failed}");
        assert!(failed.contains(remedy), "{failed}");
        assert!(line(&output, other).starts_with("not tested"), "{}", said(&output));
        if langfuse {
            assert!(line(&output, "Langfuse back").starts_with("not tested"), "{}", said(&output));
        }
    }
}

#[test]
fn a_trace_that_langfuse_takes_has_to_be_there_afterwards() {
    let langfuse = |page: &'static str| {
        Server::start(move |request| match request.method.as_str() {
            "POST" => Answer::new(200, "{}"),
            _ => Answer::new(200, page),
        })
    };
    let forgetful = langfuse(r#"{"data":[],"meta":{}}"#);
    let output = traced(Some(&forgetful.url()), None);
    assert_eq!(output.status.code(), Some(8), "{}", said(&output));
    assert!(line(&output, "Langfuse").starts_with("ok"), "{}", said(&output));
    let back = line(&output, "Langfuse back");
    let says = "accepted, but could not be read back within 3 s";
    assert!(back.starts_with("failed") && back.contains(says), "{back}");

    let keeping = langfuse(r#"{"data":[{"id":"b7ad6b7169203331"}],"meta":{}}"#);
    let sink = Server::answers([Answer::new(200, "{}")]);
    let output = traced(Some(&keeping.url()), Some(&sink.url()));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(line(&output, "Langfuse back").contains("the trace was read back"));
    let asked = keeping.arrived();
    let [sent, read] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(sent.path, "/api/public/otel/v1/traces");
    assert_eq!(read.path, "/api/public/v2/observations");
    assert_eq!(read.query["traceId"].len(), 32);
    for request in [sent, read] {
        assert_eq!(request.headers["authorization"], format!("Basic {LANGFUSE_TOKEN}"));
    }
    let [other] = sink.arrived().try_into().unwrap();
    assert_eq!((other.path.as_str(), other.headers["api-key"].as_str()), ("/v1/traces", OTLP_KEY));
}

#[test]
fn json_is_one_document() {
    let output = doctor(&["--format", "json"], &[]);
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let server = all.as_array().unwrap().iter().find(|f| f["check"] == "server").unwrap();
    assert_eq!((&server["area"], &server["result"]), (&"settings".into(), &"failed".into()));
    assert!(server["remedy"].as_str().unwrap().contains("LIVEKIT_URL"), "{server}");
}
