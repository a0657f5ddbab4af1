//! Start endpoints on loopback, and what becomes of their answers.

use super::*;
use crate::scenario::testing::parsed;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const SECRET: &str = "sk-very-secret";
/// For the room `r1`, signed by nobody.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqbyIsInZpZGVvIjp7InJvb20iOiJyMSJ9fQ.c2ln";

fn names() -> Names {
    Names {
        run: "run1".into(),
        call: "007".into(),
        agent: "bob".into(),
        room: "a \"room\"".into(),
        caller: "caller-007".into(),
    }
}

/// The rule of a scenario with this `http`, and its variables.
fn rule(http: &str) -> (HttpDispatch, Variables) {
    let text = format!(
        "version: 1\nname: a\ndispatch: {{http: {{{http}}}}}\nturns: [{{id: b, silence: 1s}}]\n"
    );
    let scenario = parsed(&text);
    let lookup = |name: &str| match name {
        "TOKEN" => Some(SECRET.to_owned()),
        "URL" => Some(format!("http://127.0.0.1:1/{SECRET}")),
        _ => None,
    };
    let variables = Variables::collect(scenario.referring_texts(), lookup).expect("variables");
    (scenario.dispatch().expect("a dispatch").clone(), variables)
}

/// What an endpoint that gives this answer gets, and what becomes of it.
async fn asked(http: &str, answer: &str) -> (String, Result<Answer, StartError>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (rule, variables) = rule(&http.replace("PORT", &port.to_string()));
    let start = Start::new(&rule, &variables).unwrap();
    let served = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut got = Vec::new();
        let whole = |got: &[u8]| {
            let text = String::from_utf8_lossy(got).into_owned();
            let (head, body) = text.split_once("\r\n\r\n")?;
            let length = head.lines().find_map(|l| l.strip_prefix("content-length: "));
            (body.len() >= length.map_or(0, |l| l.parse().unwrap())).then_some(text)
        };
        let text = loop {
            let n = stream.read_buf(&mut got).await.unwrap();
            assert!(n > 0, "the request ended early");
            if let Some(text) = whole(&got) {
                break text;
            }
        };
        let _ = stream.write_all(answer.as_bytes()).await;
        text
    };
    let names = names();
    tokio::join!(served, start.ask(&names))
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// The text of the error for an answer to a request that wants a token.
async fn fault(answer: String) -> String {
    let http = "url: \"http://127.0.0.1:PORT/start?key=1\", token: $.token, timeout: 2s, headers: {X: {$env: TOKEN}}";
    let text = asked(http, &answer).await.1.unwrap_err().to_string();
    assert!(!text.contains(SECRET) && !text.contains("eyJ") && !text.contains("key=1"), "{text}");
    text
}

#[tokio::test]
async fn a_request_has_names_and_secrets_in_it() {
    let http = "url: \"http://127.0.0.1:PORT/start/{{call}}?room={{room}}\", \
                headers: {Authorization: {$env: TOKEN}, X-Run: \"{{run}}\"}, \
                body: {room: \"{{room}}\", who: [\"{{caller}}\", {$env: TOKEN}], agent: \"{{agent}}\"}, \
                token: $.token, server: $.url";
    let body = format!(r#"{{"url": "wss://h.example", "token": "{TOKEN}", "sessionId": "s"}}"#);
    let (got, answer) = asked(http, &answer("200 OK", &body)).await;
    let (head, body) = got.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /start/007?room=a%20%22room%22 HTTP/1.1\r\n"), "{head}");
    for line in
        [&format!("authorization: {SECRET}"), "x-run: run1", "content-type: application/json"]
    {
        assert!(head.lines().any(|l| l.eq_ignore_ascii_case(line)), "{line}: {head}");
    }
    let sent: serde_json::Value = serde_json::from_str(body).unwrap();
    let want =
        serde_json::json!({"room": "a \"room\"", "who": ["caller-007", SECRET], "agent": "bob"});
    assert_eq!(sent, want);
    let answer = answer.unwrap();
    assert_eq!(answer.room.as_deref(), Some("r1"), "the token says it");
    assert_eq!(answer.token.map(|t| t.expose().to_owned()).as_deref(), Some(TOKEN));
    assert_eq!(answer.server.as_deref(), Some("wss://h.example"));
}

#[tokio::test]
async fn only_what_is_wanted_is_read() {
    let http = "url: \"http://127.0.0.1:PORT/start\", method: GET, room: \"$.rooms[0]['name']\"";
    let body = r#"{"rooms": [{"name": "lobby-1"}], "token": 5}"#;
    let (got, answered) = asked(http, &answer("201 Created", body)).await;
    assert!(got.starts_with("GET /start HTTP/1.1\r\n"), "{got}");
    let lobby = Answer { room: Some("lobby-1".into()), ..Answer::default() };
    assert_eq!(answered.unwrap(), lobby);
    let http = "url: \"http://127.0.0.1:PORT/start\", body: \"room={{room}}\"";
    let (got, answered) = asked(http, &answer("204 No Content", "")).await;
    assert!(got.ends_with("\r\n\r\nroom=a \"room\"") && !got.contains("json"), "{got}");
    assert_eq!(answered.unwrap(), Answer::default());
}

#[tokio::test]
async fn what_an_endpoint_does_wrong_is_named() {
    let said = format!("no capacity \u{1b}[31m for {SECRET} {TOKEN}\nnow {}", "x".repeat(9_000));
    let text = fault(answer("503 Service Unavailable", &said)).await;
    let want = "/start answered HTTP 503: no capacity \\u{1b}[31m for … … now xxx";
    assert!(text.contains(want) && text.chars().count() < 320, "{text}");
    for (answer, says) in [
        (answer("401 Unauthorized", ""), "answered HTTP 401"),
        (answer("200 OK", ""), "is not JSON"),
        (answer("200 OK", "<html>"), "is not JSON"),
        (
            answer("200 OK", "[]"),
            "has nothing at `$.token`, where the token should be (it is not an object)",
        ),
        (
            answer("200 OK", r#"{"accessToken": "x", "url": "y"}"#),
            "(its keys are `accessToken`, `url`)",
        ),
        (answer("200 OK", r#"{"token": 5}"#), "has something else than a text at `$.token`"),
        (answer("200 OK", r#"{"token": " "}"#), "has an empty text at `$.token`"),
        (answer("200 OK", r#"{"token": "abc"}"#), "has no access token for a LiveKit room"),
        (
            "HTTP/1.1 302 Found\r\nLocation: https://h/login?to=x\r\nContent-Length: 0\r\n\r\n"
                .into(),
            "redirects (HTTP 302: https://h/login), which",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}".into(), "cannot be reached"),
        (answer("200 OK", &" ".repeat(MAX_ANSWER + 1)), "is longer than 1024 KiB"),
    ] {
        let text = fault(answer).await;
        assert!(text.contains(says), "{says}: {text}");
    }
}

#[tokio::test]
async fn a_room_is_not_named_twice() {
    let http = "url: \"http://127.0.0.1:PORT/\", token: $.t, room: $.r, server: $.s";
    for (body, says) in [
        (
            format!(r#"{{"t": "{TOKEN}", "r": "r2", "s": "ws://h"}}"#),
            "names the room `r2`, but its token is for `r1`",
        ),
        (
            format!(r#"{{"t": "{TOKEN}", "r": "r1", "s": "h:7880"}}"#),
            "`h:7880` is not a LiveKit URL",
        ),
        (
            format!(r#"{{"t": "{TOKEN}", "r": "{}", "s": "ws://h"}}"#, "r".repeat(3_000)),
            "more than 2048 bytes",
        ),
    ] {
        let text = asked(http, &answer("200 OK", &body)).await.1.unwrap_err().to_string();
        assert!(text.contains(says), "{says}: {text}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_or_says_nothing_is_named() {
    let (rule, variables) = rule("url: {$env: URL}, token: $.token");
    let text = Start::new(&rule, &variables).unwrap().ask(&names()).await.unwrap_err().to_string();
    let want = "the start endpoint http://127.0.0.1:1 cannot be reached: Connection refused";
    assert!(text.starts_with(want) && !text.contains(SECRET), "{text}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (mut rule, variables) =
        self::rule(&format!("url: \"http://127.0.0.1:{port}/\", token: $.t"));
    rule.timeout = Duration::from_millis(50);
    let text = Start::new(&rule, &variables).unwrap().ask(&names()).await.unwrap_err().to_string();
    assert!(text.contains("did not answer within 50ms"), "{text}");
}

#[test]
fn what_can_be_read_on_the_way_is_said() {
    let exposed = |http: &str| {
        let (rule, variables) = rule(http);
        Start::new(&rule, &variables).unwrap().exposed()
    };
    let secret = "headers: {Authorization: {$env: TOKEN}}, body: \"{{room}}\"";
    for url in ["http://localhost:1/x", "http://127.1.2.3/", "http://[::1]:9/"] {
        assert_eq!(exposed(&format!("url: \"{url}\", {secret}, token: $.t")), None, "{url}");
    }
    let far = "url: \"http://10.0.0.1/start?x\"";
    assert_eq!(exposed(&format!("{far}, body: \"{{{{room}}}}\"")), None);
    let said = exposed(&format!("{far}, {secret}")).unwrap();
    let want = "the secrets of the request can be read on the way to http://10.0.0.1/start, which is not https";
    assert_eq!(said, want);
    let said = exposed(&format!("{far}, token: $.t")).unwrap();
    assert!(said.starts_with("the caller's token can"), "{said}");
}
