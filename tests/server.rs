//! What a server that cannot be used is said to be, and what a run that never began leaves behind. The servers here
//! answer as livekit-server and others do, word for word.
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
use rustix::process::{Pid, Signal, kill_process};
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A run of the scenario of this project in another folder.
fn run(folder: &Path, url: &str, key: &str, secret: &str, more: &[&str]) -> Output {
    let scenario = root().join("scenarios/greeting.yaml");
    let mut command = common::loadcall();
    command.arg("run").arg(scenario).args(more).current_dir(folder).env("NO_COLOR", "1");
    command.env("LIVEKIT_URL", url).env("LIVEKIT_API_KEY", key).env("LIVEKIT_API_SECRET", secret);
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8([output.stdout.as_slice(), &output.stderr].concat()).unwrap()
}

const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJrZXkifQ.c2lnbmF0dXJlc2lnbmF0dXJl";
const SECRET: &str = "hunter2hunter2hunter2hunter2hunter2";

#[test]
fn the_servers_own_reason_is_told() {
    let invalid = |why: &str| format!("invalid token: {TOKEN}, error: {why}");
    let early = invalid("token has invalid claims: token is not valid yet");
    let plain = |status, body: &str| {
        Answer::new(status, body).with("content-type", "text/plain; charset=utf-8")
    };
    let early = Answer::new(401, &early).with("date", "Mon, 30 Nov 2020 12:00:00 GMT");
    let moved = Answer::new(308, "").with("location", "https://x.example/");
    for (answer, says) in [
        (plain(401, "invalid API key: APIkey"), "does not know the API key `APIkey`"),
        (
            plain(401, &invalid("token signature is invalid: signature is invalid")),
            "the API secret does not belong to the API key `APIkey`",
        ),
        (early, "ahead of the server's"),
        (plain(401, &invalid("another reason")), "error: another reason"),
        (plain(501, "<html>"), "is not a LiveKit server"),
        (plain(200, "<html>"), "is not a LiveKit server"),
        (plain(404, "404 page not found"), "is not a LiveKit server"),
        (plain(502, "<html>"), "no LiveKit server answers"),
        (moved, "speaks TLS: write wss://"),
        (
            plain(400, "Client sent an HTTP request to an HTTPS server.\n"),
            "speaks TLS: write wss://",
        ),
    ] {
        let folder = folder();
        let address = Server::answers([answer]).address;
        let output = run(folder.path(), &format!("ws://{address}"), "APIkey", SECRET, &[]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(text.contains(says), "{says}: {text}");
        assert!(!text.contains("hunter2") && !text.contains("eyJ"), "{text}");
    }
}

#[test]
fn tls_to_a_port_without_it_is_named() {
    let address = Server::answers([Answer::new(200, "{}")]).address;
    let folder = folder();
    let text = said(&run(folder.path(), &format!("wss://{address}"), "k", SECRET, &[]));
    let certificates = text.contains("no trusted certificates");
    assert!(certificates || text.contains("does not speak TLS: write ws://"), "{text}");
}

#[test]
fn the_last_cause_is_told_alone() {
    let folder = folder();
    let text = said(&run(folder.path(), "ws://127.0.0.1:9", "k", SECRET, &[]));
    let says =
        "error: no LiveKit server answers at ws://127.0.0.1:9: Connection refused (os error 111)\n";
    assert!(text.contains(says) || !cfg!(target_os = "linux"), "{text}");
}

#[test]
fn what_is_no_address_or_key_is_usage_and_is_not_repeated() {
    let folder = folder();
    for (url, key, secret, says) in [
        ("ws://", "k", SECRET, "`ws://` is not a LiveKit URL"),
        ("ws://h:7880/rtc", "k", SECRET, "leave out `/rtc`"),
        ("ws://h:7880/?a=hunter2", "k", SECRET, "something after `?`"),
        ("ws://user:hunter2@h:7880", "k", SECRET, "a user name or a password"),
        ("ws://h:99999", "k", SECRET, "not a LiveKit URL"),
        ("ws://h:7880", "\"k\"", SECRET, "LIVEKIT_API_KEY has quotes around it"),
        ("ws://h:7880", "k", "'hunter2'", "LIVEKIT_API_SECRET has quotes around it"),
        ("ws://h:7880", "k", "hunter2\nhunter2", "LIVEKIT_API_SECRET has blanks"),
    ] {
        let output = run(folder.path(), url, key, secret, &[]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(says) && !text.contains("hunter2"), "{says}: {text}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
}

#[test]
fn blanks_at_the_ends_of_keys_are_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut request = [0; 8_192];
        let length = stream.read(&mut request).unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let folder = folder();
    run(folder.path(), &format!(" ws://{address}/\n"), "APIkey\n", &format!(" {SECRET}\r\n"), &[]);
    let asked = asked.join().unwrap();
    assert!(asked.starts_with("POST /twirp/livekit.RoomService/ListRooms HTTP/1.1\r\n"), "{asked}");
    let claims = asked.split("eyJ").nth(2).unwrap().split('.').next().unwrap();
    // `{"iss":"APIkey",…` somewhere in the claims: the key without its line break.
    let claims = decode(&format!("eyJ{claims}"));
    assert!(claims.contains("\"iss\":\"APIkey\""), "{claims}");
}

/// Base64 of a token, as text.
fn decode(text: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = text.bytes().map(|c| DIGITS.iter().position(|d| *d == c).unwrap());
    let bits: Vec<bool> = digits.flat_map(|d| (0..6).rev().map(move |b| d >> b & 1 == 1)).collect();
    let bytes =
        bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |n, bit| n << 1 | u8::from(*bit)));
    String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
}

#[test]
fn a_run_that_never_began_leaves_nothing_and_latest_is_no_older_run() {
    let folder = folder();
    let reports = folder.path().join("reports");
    // Yesterday's.
    std::fs::create_dir_all(reports.join("20261124-090000-yesterday")).unwrap();
    std::os::unix::fs::symlink("20261124-090000-yesterday", reports.join("latest")).unwrap();
    let output = run(folder.path(), "ws://127.0.0.1:9", "k", SECRET, &[]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let left: Vec<_> =
        std::fs::read_dir(&reports).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["20261124-090000-yesterday"], "neither a folder nor the old pointer");
    // An agent that does not start leaves its log, and that is the latest.
    let agent = ["--agent-command", "echo no model; exit 3"];
    let began = Instant::now();
    let output = run(folder.path(), "ws://127.0.0.1:9", "k", SECRET, &agent);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("exit status: 3") && text.contains("| no model"), "{text}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let log = std::fs::read_to_string(reports.join("latest/agent.log")).unwrap();
    assert_eq!(log, "no model\n");
}

#[test]
fn the_first_run_keeps_reports_out_of_a_repository() {
    let folder = folder();
    run(folder.path(), "ws://127.0.0.1:9", "k", SECRET, &[]);
    let ignored = std::fs::read_to_string(folder.path().join("reports/.gitignore")).unwrap();
    assert_eq!(ignored, "*\n");
}

#[test]
fn a_folder_of_the_users_stays() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    for out in ["mine", "made"] {
        run(folder.path(), "ws://127.0.0.1:9", "k", SECRET, &["--out", out]);
    }
    assert!(folder.path().join("mine").exists());
    assert!(!folder.path().join("made").exists());
    assert!(!folder.path().join("reports").exists());
}

#[test]
fn a_recording_that_could_not_begin_blocks_nothing() {
    let rooms = Answer::new(200, r#"{"rooms":[]}"#).with("content-type", "application/json");
    let address = Server::answers([rooms]).address;
    let folder = folder();
    let scenario = root().join("scenarios/greeting.yaml");
    let loadcall = env!("CARGO_BIN_EXE_loadcall");
    // No byte can be written to a file.
    let script = format!(
        "trap '' XFSZ; ulimit -f 0; exec {loadcall} run {} --out out --url ws://{address} --api-key k \
         --api-secret {SECRET}",
        scenario.display()
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("XDG_STATE_HOME", folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("cannot write"), "{}", said(&output));
    assert!(!folder.path().join("out").exists(), "an empty recording is left");
}

#[test]
fn a_signal_does_not_wait_for_a_silent_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let folder = folder();
    let scenario = root().join("scenarios/greeting.yaml");
    let mut command = common::loadcall();
    command.arg("run").arg(scenario).args([
        "--url",
        &url,
        "--api-key",
        "k",
        "--api-secret",
        SECRET,
    ]);
    let child = command.current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().unwrap();
    let _asked = listener.accept().unwrap();
    let began = Instant::now();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn an_agent_that_is_waited_for_is_said_to_be() {
    let folder = folder();
    let agent = ["--agent-command", "exec sleep 60", "--agent-start-timeout", "11s"];
    let text = said(&run(folder.path(), "ws://127.0.0.1:9", "k", SECRET, &agent));
    assert!(
        text.contains("waiting for the agent to print `registered worker`: 1 s left"),
        "{text}"
    );
    assert!(text.contains("its log `reports/") && text.contains("--agent-ready"), "{text}");
}

#[test]
fn a_private_server_needs_an_agent_and_no_address() {
    let folder = folder();
    let text = said(&run(folder.path(), "ws://h:1", "k", SECRET, &["--dev"]));
    assert!(text.contains("--dev-agent") && text.contains("--agent-command"), "{text}");
    for flag in ["--url=ws://other", "--api-key=k", "--api-secret=hunter2"] {
        let output = run(folder.path(), "ws://h:1", "k", SECRET, &["--dev", "--dev-agent", flag]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("cannot be used with --dev") && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn log_lines_have_their_time() {
    let folder = folder();
    let text = said(&run(folder.path(), "ws://127.0.0.1:9", "k", SECRET, &["-vv"]));
    let dated = |line: &str| {
        let at = line.strip_prefix('[').and_then(|line| line.split_once(' ')).unwrap_or_default().0;
        at.len() == "2026-11-24T12:00:00.000Z".len() && at.ends_with('Z')
    };
    assert!(text.lines().any(dated), "{text}");
    assert!(!text.contains("eyJ") && !text.contains("hunter2"), "{text}");
    let quiet = said(&run(folder.path(), "ws://127.0.0.1:9", "k", SECRET, &["-q"]));
    assert!(!quiet.contains('['), "{quiet}");
}
