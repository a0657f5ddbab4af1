//! End states on loopback.

use super::*;
use crate::scenario::testing::parsed;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

const SECRET: &str = "sk-very-secret";

fn names() -> Names {
    Names { call: "007".into(), room: "a \"room\"".into(), ..Names::default() }
}

/// The checks of a scenario, and its variables.
fn states(checks: &str) -> EndStates {
    let text =
        format!("version: 1\nname: a\nturns: [{{id: b, silence: 1s}}]\nend_state: [{checks}]\n");
    let scenario = parsed(&text);
    let lookup = |name: &str| (name == "TOKEN").then(|| SECRET.to_owned());
    let variables = Variables::collect(scenario.referring_texts(), lookup).expect("variables");
    EndStates::new(scenario.end_states(), &variables).expect("checks")
}

/// Answers the nth request with `answers[n]`, then with the last; keeps the requests.
fn server(answers: Vec<String>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&requests);
    // Ends with the tests.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut got, mut chunk) = (Vec::new(), [0; 4_096]);
            while !got.ends_with(b"\r\n\r\n") {
                let n = stream.read(&mut chunk).unwrap();
                assert!(n > 0, "the request ended early");
                got.extend_from_slice(&chunk[..n]);
            }
            let n = {
                let mut all = kept.lock().unwrap();
                all.push(String::from_utf8_lossy(&got).into_owned());
                all.len() - 1
            };
            let answer = answers.get(n).or(answers.last()).unwrap();
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (port, requests)
}

fn http(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn never() -> watch::Receiver<bool> {
    // A channel without a sender is not waited for any more.
    let (sender, receiver) = watch::channel(false);
    std::mem::forget(sender);
    receiver
}

/// What the only check comes to with these answers, `within` 600 ms, and how often it was asked for.
async fn found(answers: &[String]) -> (StateFound, String, usize) {
    let (port, requests) = server(answers.to_vec());
    let states = states(&format!(
        "{{get: \"http://127.0.0.1:{port}/b/{{{{room}}}}?key=1\", within: 600ms, \
         headers: {{Authorization: {{$env: TOKEN}}}}, equals: {{status: booked, room: \"{{{{room}}}}\"}}}}"
    ));
    let clock = Clock::start();
    let seen = states.after(&names(), &[StateFound::Different], clock, clock.now(), never()).await;
    let [Stamped { what: Observation::EndState { check: 0, found, detail }, .. }] = &seen[..]
    else {
        panic!("{seen:?}");
    };
    let requests = requests.lock().unwrap();
    for request in &*requests {
        assert!(request.starts_with("GET /b/a%20%22room%22?key=1 "), "{request}");
        assert!(request.contains(&format!("authorization: {SECRET}")), "{request}");
    }
    let detail = detail.replace(&format!("127.0.0.1:{port}"), "HOST");
    (*found, detail, requests.len())
}

const BOOKED: &str = r#"{"status": "booked", "room": "a \"room\"", "seats": 2}"#;

#[tokio::test]
async fn a_state_is_waited_for() {
    let [booked, open] = [BOOKED, r#"{"status": "open"}"#].map(|body| http("200 OK", body));
    assert_eq!(
        found(std::slice::from_ref(&booked)).await,
        (StateFound::AsWanted, String::new(), 1)
    );
    let late = found(&[http("404 Not Found", ""), open.clone(), booked]).await;
    assert_eq!(late, (StateFound::AsWanted, String::new(), 3));
    let (is, detail, asked) = found(&[open]).await;
    assert_eq!(is, StateFound::Different);
    assert_eq!(detail, "http://HOST/b/a%20%22room%22: `$.room` is missing");
    // At once, after 500 ms, and when the time was over.
    assert_eq!(asked, 3);
    let (is, detail, _) = found(&[http("404 Not Found", "no")]).await;
    assert_eq!(is, StateFound::Different);
    assert!(detail.ends_with("there is nothing (HTTP 404)"), "{detail}");
}

#[tokio::test]
async fn what_a_server_does_not_say_is_unknown() {
    let redirect = "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: http://127.0.0.1:1/x?t=1\r\nContent-Length: 0\r\n\r\n";
    let repeats = format!("no key {SECRET} \u{1b}[31m {}", "x".repeat(5_000));
    for (answer, says) in [
        (http("500 Oops", &repeats), "HTTP 500: no key … "),
        (http("401 No", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"), "HTTP 401: …"),
        (redirect.to_owned(), "redirects (HTTP 302: http://127.0.0.1:1/x), which is not followed"),
        (http("200 OK", "<html>"), "the answer is not JSON"),
        (http("204 None", ""), "the answer is not JSON"),
        (http("200 OK", &format!("\"{}\"", "x".repeat(300_000))), "longer than 256 KiB"),
        (String::new(), "cannot be reached: "),
    ] {
        let (is, detail, _) = found(&[answer]).await;
        assert_eq!(is, StateFound::Unknown, "{detail}");
        assert!(detail.contains(says), "{detail}");
        assert!(!detail.contains(SECRET) && !detail.contains('\u{1b}'), "{detail}");
        assert!(detail.chars().count() <= 201, "{detail}");
    }
}

#[tokio::test]
async fn what_was_so_before_a_call_proves_nothing() {
    let (port, _) = server(vec![http("200 OK", "{\"a\": 1}")]);
    let get = format!("get: \"http://127.0.0.1:{port}/\", within: 1ms");
    let states = states(&format!("{{{get}, equals: {{a: 1}}}}, {{{get}, equals: {{a: 2}}}}"));
    let before = states.before(&names()).await;
    assert_eq!(before, [StateFound::AsWanted, StateFound::Different]);
    let clock = Clock::start();
    let seen = states.after(&names(), &before, clock, clock.now(), never()).await;
    let found = |seen: &Stamped| {
        let Observation::EndState { found, .. } = &seen.what else { panic!("{seen:?}") };
        *found
    };
    let first: Vec<_> = seen.iter().map(found).collect();
    assert_eq!(first, [StateFound::Unknown, StateFound::Different]);
    // Nobody knows what was there before: that it is there afterwards proves nothing either.
    let unread = [StateFound::Unknown, StateFound::Unknown];
    let seen = states.after(&names(), &unread, clock, clock.now(), never()).await;
    let found: Vec<_> = seen.iter().map(found).collect();
    assert_eq!(found, [StateFound::Unknown, StateFound::Different]);
    // A run that is stopped waits for nothing.
    let (sender, stop) = watch::channel(true);
    let seen = states.after(&names(), &[StateFound::Different; 2], clock, clock.now(), stop).await;
    assert_eq!(seen.len(), 2);
    drop(sender);
}
