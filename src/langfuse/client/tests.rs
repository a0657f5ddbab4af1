//! Against a real listener on loopback.

use super::*;
use crate::langfuse::testing::{Answer, SECRET_KEY, Server, TOKEN, project};
use serde_json::json;

const PATH: &str = "/api/public/v2/observations";

fn client(server: &Server) -> Client {
    Client::new(&server.project(), Duration::from_secs(5)).unwrap()
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

async fn failure(answer: Answer) -> ApiError {
    let server = Server::answers([answer]);
    let until = Deadline::after(Duration::from_secs(3));
    let error = client(&server).get(PATH, &[], until).await.unwrap_err();
    for text in [error.to_string(), format!("{error:?}"), format!("{:?}", client(&server))] {
        assert!(!text.contains(SECRET_KEY) && !text.contains(TOKEN), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    error
}

#[tokio::test]
async fn parameters_and_keys_arrive_as_they_are() {
    let server = Server::answers([Answer::new(200, r#"{"data":[]}"#)]);
    let query = [("sessionId", "a&b=c ü/?#"), ("limit", "1000")];
    let answer = client(&server).get(PATH, &query, soon()).await.unwrap();
    assert_eq!(answer, json!({"data": []}));
    let [request] = &server.arrived()[..] else { panic!("one request") };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", PATH));
    assert_eq!(request.query, query.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    assert_eq!(request.headers["authorization"], format!("Basic {TOKEN}"));
}

#[tokio::test]
async fn what_is_posted_arrives_and_207_is_told_apart() {
    let server = Server::answers([Answer::new(207, r#"{"errors":[1]}"#), Answer::new(202, "")]);
    let client = client(&server);
    let body = json!([{"id": "x", "value": 1}]);
    let first = client.post("/api/public/scores", &body, soon()).await.unwrap();
    assert_eq!(first, (207, json!({"errors": [1]})));
    let second = client.post("/api/public/scores", &body, soon()).await.unwrap();
    assert_eq!(second, (202, Value::Null));
    for request in server.arrived() {
        assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), body);
        assert_eq!(request.headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_says_so() {
    let busy = || Answer::new(429, "").with("Retry-After", "1").with("X-RateLimit-Limit", "600");
    let server = Server::answers([busy(), busy(), Answer::new(200, "[1]")]);
    let clock = Clock::start();
    assert_eq!(client(&server).get(PATH, &[], soon()).await.unwrap(), json!([1]));
    assert_eq!(server.arrived().len(), 3);
    assert!(clock.now().since_start() >= Duration::from_secs(2));
}

#[tokio::test]
async fn a_failing_server_is_asked_again() {
    let failing = Answer::new(502, "<html>bad gateway</html>");
    let server = Server::answers([failing, Answer::new(200, "1")]);
    assert_eq!(client(&server).get(PATH, &[], soon()).await.unwrap(), json!(1));
    assert_eq!(server.arrived().len(), 2);
}

/// A wait that ends after the deadline is not begun.
#[tokio::test]
async fn no_wait_is_longer_than_the_deadline() {
    let clock = Clock::start();
    let error = failure(Answer::new(429, "").with("retry-after", "40")).await;
    assert!(matches!(error, ApiError::Busy { status: 429, seconds: 40, .. }), "{error}");
    let error = failure(Answer::new(503, "").with("retry-after", "40")).await;
    assert!(matches!(error, ApiError::Busy { status: 503, seconds: 40, .. }), "{error}");
    assert!(clock.now().since_start() < Duration::from_secs(20));
}

#[tokio::test]
async fn each_failure_says_what_to_do() {
    let said = format!("{{\"message\":\"no {SECRET_KEY}\\u001b[31m {TOKEN}\"}}");
    let expected = [
        (401, "LANGFUSE_SECRET_KEY"),
        (403, "no …\\u{1b}[31m …"),
        (404, "it needs Langfuse 4"),
        (400, "refused the request (HTTP 400: no …"),
        (418, "HTTP 418"),
        (500, "times, at last with HTTP 500"),
    ];
    for (status, text) in expected {
        let error = failure(Answer::new(status, &said)).await;
        assert_eq!(error.status(), Some(status));
        assert!(error.to_string().contains(text), "{error}");
    }
    let moved = Answer::new(307, "").with("location", "https://eu.langfuse.com/x");
    let error = failure(moved).await;
    assert!(error.to_string().contains("https://eu.langfuse.com/x"), "{error}");
    let error = failure(Answer::new(200, "{\"a\":\u{1b}[31m<html>")).await;
    assert!(error.to_string().contains("not JSON (line 1, column 6)"), "{error}");
}

#[tokio::test]
async fn nobody_there_and_silence_are_told_apart() {
    let until = || Deadline::after(Duration::from_millis(700));
    let nobody = Client::new(&project("http://127.0.0.1:1"), Duration::from_secs(5)).unwrap();
    let error = nobody.get(PATH, &[], until()).await.unwrap_err();
    assert!(error.to_string().contains("cannot be reached: "), "{error}");
    let server = Server::start(|_| {
        std::thread::park();
        Answer::new(200, "")
    });
    let error = client(&server).get(PATH, &[], until()).await.unwrap_err();
    assert!(matches!(error, ApiError::Deadline { seconds: 1, .. }), "{error}");
}

#[test]
fn a_time_to_wait_may_be_a_date() {
    let now = Timestamp::from_second(1_796_126_400).unwrap();
    let of = |text: &str| {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(text).unwrap())]);
        limits(&headers, Some(now)).retry_after
    };
    assert_eq!(of("7"), Some(Duration::from_secs(7)));
    assert_eq!(of("Tue, 01 Dec 2026 12:00:30 GMT"), Some(Duration::from_secs(30)));
    assert_eq!(of("Tue, 01 Dec 2026 11:00:30 GMT"), Some(Duration::ZERO));
    assert_eq!(of("soon"), None);
}
