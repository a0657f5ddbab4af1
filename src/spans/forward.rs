//! Passes on what the receiver took to where the agent's owner keeps traces: byte for byte, when the calls are over.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use tokio::time::sleep;

use super::otlp::Encoding;
use super::receiver::{Receiver, Sent};
use crate::http;
use crate::secret::Secret;
use crate::text::{clipped, safe};

/// How long one request may take, and how often it is tried again.
const REQUEST: Duration = Duration::from_secs(10);
const RETRIES: u32 = 2;
/// The longest pause that a server's `Retry-After` is given.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Different reasons that are kept apart, and characters of what a server says.
const REASONS: usize = 5;
const SAID: usize = 200;
const SAID_BYTES: usize = 64 << 10;

/// Where spans are passed on to: a backend of OTLP over HTTP.
#[derive(Debug, Clone)]
pub struct Place {
    /// What is posted to.
    pub url: Url,
    /// Marked as sensitive where they are.
    pub headers: HeaderMap,
    /// What must not be repeated from a server's message.
    pub hidden: Vec<Secret>,
}

/// What became of the requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forwarded {
    pub sent: usize,
    /// Reasons, and how many requests were not passed on for each.
    pub failed: BTreeMap<String, usize>,
}

impl Place {
    /// Scheme and host.
    pub fn shown(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

/// Why a request was not passed on, and whether it is of use to try the next.
struct Failed {
    why: String,
    goes_on: bool,
}

/// Passes on all that a receiver has, one request after another. What is not through when `deadline` is over is counted.
///
/// # Errors
/// There is no HTTP client.
pub async fn forward(
    receiver: &Receiver,
    place: &Place,
    deadline: Duration,
) -> Result<Forwarded, http::ClientError> {
    let client = http::client(place.url.scheme() == "https")?.timeout(REQUEST).build();
    let client = client.map_err(|e| http::ClientError::SetUp(e.to_string()))?;
    let mut done = Forwarded::default();
    let all = receiver.len();
    let passing_on = async {
        for n in 0..all {
            let Some(sent) = receiver.sent(n) else { return };
            let passed = match sent {
                Ok(sent) => pass_on(&client, place, sent).await,
                Err(e) => Err(Failed { why: e.to_string(), goes_on: false }),
            };
            match passed {
                Ok(()) => done.sent += 1,
                Err(Failed { why, goes_on: true }) => done.fail(why, 1),
                Err(Failed { why, .. }) => return done.fail(why, all - n),
            }
        }
    };
    if tokio::time::timeout(deadline, passing_on).await.is_err() {
        let through = done.sent + done.failed.values().sum::<usize>();
        done.fail(format!("not passed on within {} s", deadline.as_secs()), all - through);
    }
    Ok(done)
}

impl Forwarded {
    fn fail(&mut self, why: String, requests: usize) {
        let known = self.failed.contains_key(&why) || self.failed.len() < REASONS;
        let why = if known { why } else { "for other reasons".to_owned() };
        *self.failed.entry(why).or_default() += requests;
    }
}

async fn pass_on(client: &reqwest::Client, place: &Place, sent: Sent) -> Result<(), Failed> {
    let body = prost::bytes::Bytes::from(sent.body);
    let media = match sent.encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    };
    let mut tried = 0;
    loop {
        let mut request = client.post(place.url.clone()).headers(place.headers.clone());
        request = request.header(CONTENT_TYPE, media).body(body.clone());
        if sent.gzip {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        let (failed, pause) = match request.send().await {
            Ok(response) if response.status().is_success() => return Ok(()),
            Ok(response) => {
                let pause = pause(&response, tried);
                (refused(response, place).await, pause)
            }
            Err(e) => (unreached(&e), Some(Duration::from_secs(1 << tried))),
        };
        match pause.filter(|_| tried < RETRIES) {
            Some(pause) => sleep(pause).await,
            None => return Err(failed),
        }
        tried += 1;
    }
}

/// How long to wait before the same request may be taken; `None` when it never will be.
fn pause(response: &Response, tried: u32) -> Option<Duration> {
    if !matches!(response.status().as_u16(), 429 | 502 | 503 | 504) {
        return None;
    }
    let given =
        response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Some(Duration::from_secs(given.unwrap_or(1 << tried)).min(LONGEST_PAUSE))
}

async fn refused(mut response: Response, place: &Place) -> Failed {
    let status = response.status();
    let mut said = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        said.extend_from_slice(&piece);
        if said.len() >= SAID_BYTES {
            break;
        }
    }
    let mut said = String::from_utf8_lossy(&said).into_owned();
    // A server may repeat what it was sent.
    for secret in &place.hidden {
        said = said.replace(secret.expose(), "…");
    }
    let said = clipped(&safe(said.trim()), SAID);
    let after = if said.is_empty() { "" } else { ": " };
    let goes_on =
        !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
            && !status.is_redirection();
    Failed { why: format!("HTTP {}{after}{said}", status.as_u16()), goes_on }
}

fn unreached(error: &reqwest::Error) -> Failed {
    if error.is_timeout() {
        let why = format!("no answer within {} s", REQUEST.as_secs());
        return Failed { why, goes_on: true };
    }
    // The innermost cause says what happened; the outer ones repeat the address.
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    Failed { why: clipped(&safe(&cause.to_string()), SAID), goes_on: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// What a server that gives these answers, one a connection, was sent, and what became of `requests`.
    async fn passed(answers: &[&str], requests: usize) -> (Vec<String>, Forwarded) {
        let folder = tempfile::tempdir().unwrap();
        let receiver = Receiver::start("127.0.0.1:0".parse().unwrap(), folder.path()).unwrap();
        let client = http::client(false).unwrap().build().unwrap();
        for n in 0..requests {
            let url = format!("http://{}/v1/traces", receiver.address());
            let post = client.post(url).header(CONTENT_TYPE, "application/json");
            post.body(format!("body {n}")).send().await.unwrap();
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let place = Place {
            url: url.parse().unwrap(),
            headers: HeaderMap::from_iter([("x-key".parse().unwrap(), "sk-1234".parse().unwrap())]),
            hidden: vec![Secret::new("sk-1234".to_owned())],
        };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let server = async {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut bytes = vec![0; 4_096];
                let mut read = 0;
                while !String::from_utf8_lossy(&bytes[..read]).contains("body ") {
                    read += stream.read(&mut bytes[read..]).await.unwrap();
                }
                seen.lock().unwrap().push(String::from_utf8_lossy(&bytes[..read]).into_owned());
                let answer = format!("HTTP/1.1 {answer}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            drop(listener);
            std::future::pending::<()>().await;
        };
        let done = tokio::select! {
            done = forward(&receiver, &place, Duration::from_secs(30)) => done.unwrap(),
            () = server => unreachable!(),
        };
        let seen = seen.lock().unwrap().clone();
        (seen, done)
    }

    const OK: &str = "200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

    #[tokio::test]
    async fn what_came_is_passed_on_with_the_headers_of_its_place() {
        let (seen, done) = passed(&[OK, OK], 2).await;
        assert_eq!(done, Forwarded { sent: 2, failed: BTreeMap::new() });
        assert!(seen[0].starts_with("POST /v1/traces ") && seen[0].ends_with("body 0"), "{seen:?}");
        assert!(seen[1].contains("x-key: sk-1234") && seen[1].ends_with("body 1"), "{seen:?}");
    }

    #[tokio::test]
    async fn a_server_that_is_busy_is_asked_again() {
        let busy = "503 Busy\r\nretry-after: 0\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let (seen, done) = passed(&[busy, OK], 1).await;
        assert_eq!((seen.len(), done.sent, done.failed.len()), (2, 1, 0));
    }

    #[tokio::test]
    async fn what_is_not_passed_on_is_counted_by_reason_without_a_secret() {
        let no = "401 No\r\nconnection: close\r\ncontent-length: 14\r\n\r\nnot sk-1234 \x1b[";
        let (seen, done) = passed(&[no], 3).await;
        assert_eq!((seen.len(), done.sent), (1, 0));
        let (why, requests) = done.failed.first_key_value().unwrap();
        assert!(why.starts_with("HTTP 401: not …"), "{why}");
        assert!(!why.contains("sk-1234") && !why.contains('\x1b'), "{why}");
        assert_eq!(*requests, 3);
    }
}
