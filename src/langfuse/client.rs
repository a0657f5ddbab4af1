//! The JSON API of a project: requests with a deadline, at the pace that the server allows.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Method, Response, Url};
use serde_json::Value;

use super::deadline::Deadline;
use super::error::{ApiError, needs, seconds};
use super::pace::{Limits, Pace, backoff};
use super::project::Project;
use crate::clock::{Clock, wall_now};
use crate::http::{self, ClientError};
use crate::text::{clipped, safe};

/// Bytes of an answer that are read: a page of a thousand observations with cut metadata is a few million.
const BODY_LIMIT: usize = 64_000_000;
/// Bytes of a failing server's answer that are looked at, and characters of it that are shown.
const LOOKED_AT: usize = 4_096;
const SAID: usize = 200;
/// Attempts at a server that fails or cannot be reached. One that is only busy is asked until the deadline.
const ATTEMPTS: u32 = 5;

/// From where on a wait is told of.
const NOTICED: Duration = Duration::from_secs(3);

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");

/// Asks a project. Requests of one client share its pace.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    project: Project,
    /// What the pace counts from.
    clock: Clock,
    pace: Mutex<Pace>,
    notice: Option<fn(Duration)>,
}

/// A request, without what is the same in all of them.
struct Asked<'a> {
    method: Method,
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    body: Option<String>,
}

/// What became of one attempt.
enum Attempt {
    Answered(u16, Value),
    /// The server takes no more requests for now, by this status; the pace knows for how long.
    Busy(u16),
    /// It may work another time.
    Failed(ApiError),
    /// It will not.
    Refused(ApiError),
}

impl Client {
    /// Prepares the client; asks nobody. Reads the machine's trusted certificates when the address is https.
    /// `request_timeout` bounds each single attempt.
    pub fn new(project: &Project, request_timeout: Duration) -> Result<Self, ApiError> {
        let http = http::client(project.is_https())?
            .timeout(request_timeout)
            .build()
            .map_err(|error| ClientError::SetUp(error.without_url().to_string()))?;
        let pace = Mutex::new(Pace::default());
        Ok(Self { http, project: project.clone(), clock: Clock::start(), pace, notice: None })
    }

    /// Tells of every wait that the server asks for and that people would notice.
    #[must_use]
    pub fn with_notice(self, notice: fn(Duration)) -> Self {
        Self { notice: Some(notice), ..self }
    }

    pub fn project(&self) -> &Project {
        &self.project
    }

    /// The JSON at a path such as `/api/public/v2/observations`, asked with these parameters.
    pub async fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
        until: Deadline,
    ) -> Result<Value, ApiError> {
        let asked = Asked { method: Method::GET, path, query, body: None };
        self.ask(&asked, until).await.map(|(_, value)| value)
    }

    /// Sends JSON to a path. The status is 200 to 299, of which 207 means that parts were refused; the value
    /// is `null` when the answer is empty. A failed attempt is repeated, so what is sent needs an id by which
    /// the server knows it again.
    pub async fn post(
        &self,
        path: &str,
        body: &Value,
        until: Deadline,
    ) -> Result<(u16, Value), ApiError> {
        let asked = Asked { method: Method::POST, path, query: &[], body: Some(body.to_string()) };
        self.ask(&asked, until).await
    }

    async fn ask(&self, asked: &Asked<'_>, until: Deadline) -> Result<(u16, Value), ApiError> {
        // Failures in a row, refusals in a row, and the status of the last refusal.
        let (mut failures, mut refusals, mut status) = (0, 0, 429);
        loop {
            let wait = self.pace().take(self.now());
            self.pause(wait, status, until).await?;
            let attempt = self.attempt(asked, failures, refusals);
            match tokio::time::timeout(until.left(), attempt).await {
                Err(_) => return Err(self.over(until)),
                Ok(Attempt::Answered(status, value)) => return Ok((status, value)),
                Ok(Attempt::Refused(error)) => return Err(error),
                // The next turn of the loop waits, or says that there is no time for it.
                Ok(Attempt::Busy(code)) => (status, refusals) = (code, refusals + 1),
                Ok(Attempt::Failed(error)) => {
                    let wait = backoff(failures);
                    failures += 1;
                    if failures >= ATTEMPTS || wait >= until.left() {
                        return Err(error);
                    }
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Waits for the pace, unless that would be longer than is left.
    async fn pause(&self, wait: Duration, status: u16, until: Deadline) -> Result<(), ApiError> {
        if until.is_over() {
            return Err(self.over(until));
        }
        if wait >= until.left() {
            return Err(ApiError::Busy { url: self.url(), status, seconds: seconds(wait) });
        }
        if let Some(notice) = self.notice.filter(|_| wait >= NOTICED) {
            notice(wait);
        }
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    async fn attempt(&self, asked: &Asked<'_>, failures: u32, refusals: u32) -> Attempt {
        let url = match self.address(asked) {
            Ok(url) => url,
            Err(error) => return Attempt::Refused(error),
        };
        let mut request = self
            .http
            .request(asked.method.clone(), url)
            .header(AUTHORIZATION, self.project.authorization().clone());
        if let Some(body) = &asked.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Attempt::Failed(self.network(&error)),
        };
        let status = response.status().as_u16();
        let limits = limits(response.headers(), Timestamp::try_from(wall_now()).ok());
        match status {
            200..=299 => {
                self.pace().answered(limits, self.now());
                self.read(response, asked.path).await
            }
            429 | 503 if status == 429 || limits.retry_after.is_some() => {
                self.pace().refused(limits, refusals, self.now());
                Attempt::Busy(status)
            }
            500..=599 | 408 => Attempt::Failed(self.explain(response, asked.path, failures).await),
            _ => Attempt::Refused(self.explain(response, asked.path, failures).await),
        }
    }

    fn address(&self, asked: &Asked<'_>) -> Result<Url, ApiError> {
        let whole = format!("{}{}", self.project.address(), asked.path);
        let mut url =
            Url::parse(&whole).map_err(|_| self.unusable(asked.path, "its address is no URL"))?;
        if !asked.query.is_empty() {
            url.query_pairs_mut().extend_pairs(asked.query);
        }
        Ok(url)
    }

    async fn read(&self, mut response: Response, path: &str) -> Attempt {
        let status = response.status().as_u16();
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > BODY_LIMIT => {
                    let (url, path) = (self.url(), self.harmless(path.as_bytes()));
                    return Attempt::Refused(ApiError::TooLarge { url, path, limit: BODY_LIMIT });
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return Attempt::Failed(self.network(&error)),
            }
        }
        if body.iter().all(u8::is_ascii_whitespace) {
            return Attempt::Answered(status, Value::Null);
        }
        match serde_json::from_slice(&body) {
            Ok(value) => Attempt::Answered(status, value),
            // The place, not the text: a page of a proxy says nothing of Langfuse.
            Err(e) => {
                let why = format!(
                    "it is not JSON (line {}, column {}); check that LANGFUSE_BASE_URL leads to Langfuse itself",
                    e.line(),
                    e.column()
                );
                Attempt::Refused(self.unusable(path, &why))
            }
        }
    }

    /// The error that an answer other than 2xx is.
    async fn explain(&self, mut response: Response, path: &str, failures: u32) -> ApiError {
        let url = self.url();
        let status = response.status().as_u16();
        let location = response.headers().get(LOCATION).map_or(&b""[..], HeaderValue::as_bytes);
        let to = after_colon(&self.harmless(location));
        let mut body = Vec::new();
        while body.len() < LOOKED_AT
            && let Ok(Some(chunk)) = response.chunk().await
        {
            body.extend_from_slice(&chunk[..chunk.len().min(LOOKED_AT - body.len())]);
        }
        let said = after_colon(&self.said(&body));
        match status {
            401 => ApiError::Unauthorized { url },
            403 => ApiError::Forbidden { url, said },
            404 => {
                let path_shown = self.harmless(path.as_bytes());
                ApiError::NotFound { url, path: path_shown, needs: needs(path), said }
            }
            300..=399 => ApiError::Redirected { url, status, to },
            500..=599 => ApiError::Failing { url, status, attempts: failures + 1, said },
            _ => ApiError::Refused { url, status, said },
        }
    }

    /// What a failing server says: the `message` of its JSON, or its text when that is short and no page.
    fn said(&self, body: &[u8]) -> String {
        let message = serde_json::from_slice::<Value>(body).ok().and_then(|value| {
            ["message", "error"]
                .iter()
                .find_map(|name| value.get(name)?.as_str().map(str::to_owned))
        });
        match message {
            Some(message) => self.harmless(message.as_bytes()),
            None if body.starts_with(b"<") => String::new(),
            None => self.harmless(body),
        }
    }

    /// A server's text on one line, short, without what must not be shown.
    fn harmless(&self, bytes: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        for secret in self.project.hidden() {
            text = text.replace(secret.expose(), "…");
        }
        clipped(&safe(text.trim()), SAID)
    }

    fn network(&self, error: &reqwest::Error) -> ApiError {
        let url = self.url();
        if error.is_timeout() {
            return ApiError::Unreachable { url, why: "it does not answer".to_owned() };
        }
        // The innermost cause says what happened ("connection refused"); the outer ones repeat the address.
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        ApiError::Unreachable { url, why: self.harmless(cause.to_string().as_bytes()) }
    }

    /// The error that an answer is which is JSON and not what was asked for.
    pub fn unusable(&self, path: &str, why: &str) -> ApiError {
        let (url, path) = (self.url(), self.harmless(path.as_bytes()));
        ApiError::Unusable { url, path, why: why.to_owned() }
    }

    fn over(&self, until: Deadline) -> ApiError {
        ApiError::Deadline { url: self.url(), seconds: seconds(until.within()) }
    }

    fn url(&self) -> String {
        self.project.url()
    }

    fn now(&self) -> Duration {
        self.clock.now().since_start()
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the headers of an answer say of limits. `Retry-After` is in seconds, or a date as HTTP writes it.
fn limits(headers: &HeaderMap, now: Option<Timestamp>) -> Limits {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let retry_after = text(&RETRY_AFTER).map(str::trim).and_then(|text| {
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        Some(Duration::try_from(date.duration_since(now?)).unwrap_or(Duration::ZERO))
    });
    Limits {
        in_a_window: text(&LIMIT).and_then(|text| text.trim().parse().ok()),
        remaining: text(&REMAINING).and_then(|text| text.trim().parse().ok()),
        retry_after,
    }
}

fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

#[cfg(test)]
mod tests;
