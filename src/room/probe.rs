//! What a server's answer to a first request says of its address and of the keys.
//!
//! livekit-server refuses a token in plain text with the reason at its end, and repeats the token; a service of its API
//! refuses in JSON (`{"code": …, "msg": …}`, Twirp). Whatever answers in neither way is another kind of server.

use crate::text::{clipped, safe};
use serde::Deserialize;
use std::fmt;
use std::time::{Duration, SystemTime};

/// Characters that are shown of what a server says.
const SHOWN: usize = 200;
/// Characters that an API key has at most, with some to spare: a longer one may be a secret in the wrong place.
const KEY: usize = 24;
/// Clocks that differ by less are not what a token was refused for.
const SKEW: Duration = Duration::from_secs(5);

/// A server's answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// Its own time, from the header `Date`.
    pub(super) date: Option<SystemTime>,
    /// Where a redirect leads.
    pub(super) location: Option<String>,
    /// The beginning of what it says.
    pub(super) body: String,
}

/// How far this machine's clock is from a server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockDifference {
    apart: Duration,
    is_ahead: bool,
}

/// The server does not answer as a LiveKit server with these keys would.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    #[error("the server at {url} does not know the API key `{key}`")]
    UnknownKey { url: String, key: String },
    #[error("the API secret does not belong to the API key `{key}` on the server at {url}")]
    WrongSecret { url: String, key: String },
    #[error("the server at {url} refuses the token because of its time: {clock}")]
    Clock { url: String, clock: String },
    #[error("the server at {url} refuses the API key or secret: {why}")]
    Refused { url: String, why: String },
    #[error("the server at {url} is not a LiveKit server: {why}")]
    Other { url: String, why: String },
    #[error("the server at {url} speaks TLS: write {tls}")]
    NeedsTls { url: String, tls: String },
    #[error("the server at {url} does not speak TLS: write {plain}")]
    SpeaksNoTls { url: String, plain: String },
    #[error("the server at {url} redirects to {to}: write the address of the server itself")]
    Redirects { url: String, to: String },
    #[error("no LiveKit server answers at {url}: {why}")]
    NoServer { url: String, why: String },
}

#[derive(Deserialize)]
struct TwirpError {
    code: String,
    #[serde(default)]
    msg: String,
}

/// Judges the answer to a request with a token of `key`, at `now` by this machine's clock.
pub(super) fn judge(
    url: &str,
    key: &str,
    reply: &Reply,
    now: SystemTime,
) -> Result<(), ProbeError> {
    let (url, said) = (url.to_owned(), reply.body.trim());
    let twirp = serde_json::from_str::<TwirpError>(said).ok();
    let text = twirp.as_ref().map_or(said, |error| error.msg.as_str());
    match reply.status {
        200..300 if serde_json::from_str::<serde_json::Map<_, _>>(said).is_ok() => Ok(()),
        300..400 => Err(redirected(url, reply)),
        401 | 403 => Err(refused(url, key, text, reply.date, now)),
        400 if said.contains("HTTP request to an HTTPS server") => {
            Err(ProbeError::NeedsTls { tls: with_tls(&url), url })
        }
        status => Err(match twirp {
            Some(error) => {
                let why = format!("HTTP {status}: {}: {}", error.code, harmless(&error.msg));
                ProbeError::NoServer { url, why }
            }
            // What stands in front of a server that is down.
            None if matches!(status, 502..=504) => {
                ProbeError::NoServer { url, why: format!("HTTP {status}") }
            }
            None => {
                let why = format!("it answers a request for rooms with HTTP {status}");
                ProbeError::Other { url, why }
            }
        }),
    }
}

/// Why a token was refused.
fn refused(
    url: String,
    key: &str,
    said: &str,
    date: Option<SystemTime>,
    now: SystemTime,
) -> ProbeError {
    let text = said.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if has(&["invalid api key:", "unknown api key", "no such api key"]) {
        return ProbeError::UnknownKey { url, key: shown(key) };
    }
    if has(&["signature is invalid", "invalid signature", "cryptographic primitive"]) {
        return ProbeError::WrongSecret { url, key: shown(key) };
    }
    let early = has(&["not valid yet", "before issued", "issued in the future"]);
    if early || has(&["expired"]) {
        return ProbeError::Clock { url, clock: clock(early, date, now) };
    }
    // Without a word of LiveKit's it is somebody else's login.
    if text.contains('<') || text.is_empty() {
        return ProbeError::Refused { url, why: "it does not say why".to_owned() };
    }
    ProbeError::Refused { url, why: harmless(said) }
}

/// How this machine's clock differs from the server's.
fn clock(early: bool, date: Option<SystemTime>, now: SystemTime) -> String {
    let way = if early { "ahead of" } else { "behind" };
    match date.map(|date| ClockDifference::of(now, date)) {
        Some(difference) if difference.matters() => format!("this machine's clock is {difference}"),
        // Whoever answered with a date may not be who looked at the token.
        _ => format!("this machine's clock seems to be {way} the server's"),
    }
}

impl ClockDifference {
    /// Of this machine's clock, which shows `here`, to the server's, which wrote `there` of it.
    pub(super) fn of(here: SystemTime, there: SystemTime) -> Self {
        match here.duration_since(there) {
            Ok(apart) => Self { apart, is_ahead: true },
            Err(behind) => Self { apart: behind.duration(), is_ahead: false },
        }
    }

    /// It is more than a date in whole seconds and the way of the answer explain.
    pub fn matters(self) -> bool {
        self.apart >= SKEW
    }
}

impl fmt::Display for ClockDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.is_ahead { "ahead of" } else { "behind" };
        write!(f, "{} {way} the server's", length(self.apart))
    }
}

/// A length in its two largest units: `2 min 3 s`, `7 h`.
fn length(time: Duration) -> String {
    let seconds = time.as_secs();
    let parts = [
        (seconds / 86_400, "days"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .skip_while(|(number, _)| *number == 0)
        .take(2)
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| match (number, unit) {
            (1, "days") => "1 day".to_owned(),
            _ => format!("{number} {unit}"),
        })
        .collect();
    parts.join(" ")
}

fn redirected(url: String, reply: &Reply) -> ProbeError {
    let to = reply.location.as_deref().unwrap_or_default();
    let tls = with_tls(&url);
    let secure = to.starts_with("https://") && tls != url;
    if secure {
        return ProbeError::NeedsTls { url, tls };
    }
    let to = super::address::without_credentials(to);
    ProbeError::Redirects { url, to: if to.is_empty() { "nowhere".into() } else { harmless(&to) } }
}

/// Why there was no answer at all; `cause` is the innermost one.
pub(super) fn unreached(url: &str, cause: &str) -> ProbeError {
    let url = url.to_owned();
    // What rustls says of bytes that are not TLS.
    if cause.contains("InvalidContentType") || cause.contains("wrong version number") {
        return ProbeError::SpeaksNoTls { plain: without_tls(&url), url };
    }
    ProbeError::NoServer { url, why: harmless(cause) }
}

fn with_tls(url: &str) -> String {
    let secure = [("ws://", "wss://"), ("http://", "https://")];
    let other = secure.into_iter().find_map(|(plain, tls)| Some((tls, url.strip_prefix(plain)?)));
    other.map_or_else(|| url.to_owned(), |(tls, rest)| format!("{tls}{rest}"))
}

fn without_tls(url: &str) -> String {
    let plain = [("wss://", "ws://"), ("https://", "http://")];
    let other = plain.into_iter().find_map(|(tls, plain)| Some((plain, url.strip_prefix(tls)?)));
    other.map_or_else(|| url.to_owned(), |(plain, rest)| format!("{plain}{rest}"))
}

/// An API key for a message. One that cannot be a key is not shown: it may be the secret.
fn shown(key: &str) -> String {
    if key.len() <= KEY {
        safe(key)
    } else {
        format!("{}…", safe(&key.chars().take(3).collect::<String>()))
    }
}

/// What a server says on one line, short, and without the token that it repeats.
fn harmless(text: &str) -> String {
    let words = text.split_whitespace().map(|word| match word.find("eyJ") {
        Some(at) => format!("{}…", &word[..at]),
        None => word.to_owned(),
    });
    clipped(&safe(&words.collect::<Vec<_>>().join(" ")), SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "ws://livekit.example";
    const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJkZXZrZXkifQ.c2lnbmF0dXJl";

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// What is said of an answer that came at second 100,000 of this machine's clock.
    fn said(status: u16, date: Option<u64>, body: &str) -> String {
        let reply = Reply { status, date: date.map(at), body: body.into(), location: None };
        judge(URL, "APIkey", &reply, at(100_000)).map_or_else(|e| e.to_string(), |()| "ok".into())
    }

    // Bodies as livekit-server 1.13.5 sends them.
    #[test]
    fn a_server_says_what_is_wrong() {
        assert_eq!(said(200, None, r#"{"rooms":[]}"#), "ok");
        let invalid = |why: &str| format!("invalid token: {TOKEN}, error: {why}");
        let unknown = said(401, None, "invalid API key: APIkey");
        assert_eq!(
            unknown,
            "the server at ws://livekit.example does not know the API key `APIkey`"
        );
        let wrong = said(401, None, &invalid("token signature is invalid: signature is invalid"));
        assert!(
            wrong.starts_with("the API secret does not belong to the API key `APIkey`"),
            "{wrong}"
        );
        let early = invalid("token has invalid claims: token is not valid yet");
        let late = invalid("token has invalid claims: token is expired");
        for (body, date, says) in [
            (&early, Some(99_877), "clock is 2 min 3 s ahead of the server's"),
            (&late, Some(125_200), "clock is 7 h behind the server's"),
            (&late, Some(286_400), "clock is 2 days 3 h behind the server's"),
            (&early, None, "clock seems to be ahead of the server's"),
            (&late, Some(100_001), "clock seems to be behind the server's"),
        ] {
            let text = said(401, date, body);
            assert!(text.ends_with(says), "{text}");
        }
        let denied = said(401, None, r#"{"code":"unauthenticated","msg":"permissions denied"}"#);
        assert!(denied.ends_with("refuses the API key or secret: permissions denied"), "{denied}");
        let other = said(401, None, &invalid("something new"));
        assert!(other.ends_with("secret: invalid token: … error: something new"), "{other}");
        assert!(said(403, None, "<html>no</html>").ends_with("does not say why"));
    }

    #[test]
    fn who_is_not_livekit_is_named() {
        for (status, body, says) in [
            (
                501,
                "<html>Unsupported method ('POST')</html>",
                "is not a LiveKit server: it answers a request for rooms with HTTP 501",
            ),
            (200, "<html>", "is not a LiveKit server"),
            (404, "404 page not found\n", "is not a LiveKit server"),
            (
                502,
                "<html>bad gateway</html>",
                "no LiveKit server answers at ws://livekit.example: HTTP 502",
            ),
            (500, r#"{"code":"internal","msg":"redis"}"#, "HTTP 500: internal: redis"),
            (
                400,
                "Client sent an HTTP request to an HTTPS server.\n",
                "speaks TLS: write wss://livekit.example",
            ),
        ] {
            let text = said(status, None, body);
            assert!(text.contains(says), "{text}");
        }
        let redirect = |to: &str| {
            let reply = Reply { status: 308, location: Some(to.into()), ..Reply::default() };
            judge(URL, "k", &reply, at(0)).unwrap_err().to_string()
        };
        assert!(
            redirect("https://livekit.example/")
                .ends_with("speaks TLS: write wss://livekit.example")
        );
        assert!(redirect("http://u:p@other/x?y").contains("redirects to http://other/x:"));
        assert!(
            unreached("wss://h:1", "received corrupt message of type InvalidContentType")
                .to_string()
                .ends_with("does not speak TLS: write ws://h:1")
        );
        assert_eq!(
            unreached(URL, "Connection refused (os error 111)").to_string(),
            "no LiveKit server answers at ws://livekit.example: Connection refused (os error 111)"
        );
    }

    #[test]
    fn a_secret_in_the_place_of_the_key_is_not_shown() {
        let secret = "hunter2hunter2hunter2hunter2hunter2";
        let reply =
            Reply { status: 401, body: format!("invalid API key: {secret}"), ..Reply::default() };
        let text = judge(URL, secret, &reply, at(0)).unwrap_err().to_string();
        assert!(text.ends_with("does not know the API key `hun…`"), "{text}");
    }
}
