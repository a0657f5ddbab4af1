//! `loadcall doctor` names what is wrong, with a remedy and an exit code of its class. Servers here answer as
//! livekit-server does, word for word; a real one is in the live tests.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test of files and processes"
)]

mod common;

use common::root;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output};

const SECRET: &str = "hunter2hunter2hunter2hunter2hunter2";

/// Whoever answers every request with this, on loopback; its address without a scheme.
fn server(status: &str, headers: &str, body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 8_192]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

fn doctor(more: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = common::loadcall();
    command.arg("doctor").args(more).current_dir(folder.path()).env("NO_COLOR", "1");
    command.envs(variables.iter().copied());
    let output = command.output().unwrap();
    assert!(!said(&output).contains(SECRET), "{}", said(&output));
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
    let plain = "content-type: text/plain; charset=utf-8\r\n";
    let early = "invalid token: x, error: token has invalid claims: token is not valid yet";
    let wrong = "invalid token: x, error: token signature is invalid: signature is invalid";
    for (status, headers, body, check) in [
        ("401 Unauthorized", plain, "invalid API key: APIkey", "key"),
        ("401 Unauthorized", plain, wrong, "secret"),
        ("401 Unauthorized", "date: Mon, 30 Nov 2020 12:00:00 GMT\r\n", early, "clock"),
        ("200 OK", plain, "<html>", "address"),
    ] {
        let output = asked(&format!("ws://{}", server(status, headers, body)));
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(line(&output, check).starts_with("failed"), "{}", said(&output));
        assert!(line(&output, "media").starts_with("not tested"), "{}", said(&output));
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = asked(&format!("ws://{nobody}"));
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(line(&output, "address").contains("refused"), "{}", said(&output));
}

#[test]
fn a_clock_that_is_off_is_told_by_a_server_that_works_otherwise() {
    let date = "content-type: application/json\r\ndate: Mon, 30 Nov 2020 12:00:00 GMT\r\n";
    let output = asked(&format!("ws://{}", server("200 OK", date, r#"{"rooms":[]}"#)));
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let clock = line(&output, "clock");
    assert!(clock.starts_with("failed") && clock.contains("ahead of the server's"), "{clock}");
}

#[test]
fn a_limit_on_open_files_is_found_before_the_calls_are() {
    let scenario = root().join("scenarios/greeting.yaml");
    let program = common::loadcall().get_program().to_owned();
    let mut command = Command::new("sh");
    let script = r#"ulimit -n 200 && exec "$0" doctor "$1" --calls 50 --concurrency 50"#;
    command.arg("-c").arg(script).arg(program).arg(scenario).env("NO_COLOR", "1");
    for name in ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let files = line(&output, "open files");
    assert!(files.starts_with("failed") && files.contains("at most 200"), "{files}");
    assert!(said(&output).contains("ulimit -n "), "{}", said(&output));
    // The settings come first.
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}

#[test]
fn json_is_one_document() {
    let output = doctor(&["--format", "json"], &[]);
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let server = all.as_array().unwrap().iter().find(|f| f["check"] == "server").unwrap();
    assert_eq!((&server["area"], &server["result"]), (&"settings".into(), &"failed".into()));
    assert!(server["remedy"].as_str().unwrap().contains("LIVEKIT_URL"), "{server}");
}
