//! A product's start endpoint: asked before a call, it sends an agent to a room, and may answer with the room, a token
//! for it and the server it is on.
//!
//! Nothing of a request or an answer is recorded but what this makes of it: the address without what may be secret,
//! the status, and the beginning of what a failing endpoint says, without tokens and without the values of variables.

mod answer;
#[cfg(test)]
mod tests;

pub use answer::Answer;

use super::request::{
    LOOKED_AT, RequestError, address, after_colon, client, harmless, headers, is_loopback, read,
    redirected_to, shown, why,
};
use crate::http;
use crate::scenario::metadata::{MissingVariables, Variables, refers};
use crate::scenario::{HttpDispatch, Method, Names, Within, fill};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Request};
use serde::de::IgnoredAny;

/// The longest answer that is read.
const MAX_ANSWER: usize = 1 << 20;

/// Why an endpoint cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum StartSettingsError {
    #[error("the `url` of `dispatch` is not an http address: {0}")]
    Url(&'static str),
    #[error("header `{0}` of `dispatch` contains characters that no header can have")]
    Header(String),
    #[error(transparent)]
    Variables(#[from] MissingVariables),
    #[error(transparent)]
    Client(#[from] http::ClientError),
}

impl From<RequestError> for StartSettingsError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Url(what) => Self::Url(what),
            RequestError::Header(name) => Self::Header(name),
            RequestError::Variables(missing) => Self::Variables(missing),
        }
    }
}

/// Why no agent was started. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the start endpoint {at} cannot be reached: {why}")]
    Unreachable { at: String, why: String },
    #[error("the start endpoint {at} did not answer within {timeout}")]
    Silent { at: String, timeout: String },
    #[error("the start endpoint {at} answered HTTP {status}{said}")]
    Status { at: String, status: u16, said: String },
    #[error(
        "the start endpoint {at} redirects (HTTP {status}{to}), which is not followed: write the address it leads to"
    )]
    Redirected { at: String, status: u16, to: String },
    #[error("the answer of the start endpoint {at} {what}")]
    Answer { at: String, what: String },
    #[error("the request to the start endpoint cannot be made: {0}")]
    Request(#[from] StartSettingsError),
}

/// A start endpoint with all that a request to it needs.
#[derive(Debug)]
pub struct Start {
    http: Client,
    rule: HttpDispatch,
    variables: Variables,
}

impl Start {
    /// Checks what can be checked before the first call; asks nobody.
    pub fn new(rule: &HttpDispatch, variables: &Variables) -> Result<Self, StartSettingsError> {
        let [some, other] = ["x".to_owned(), "000".to_owned()];
        let names = Names {
            run: some.clone(),
            call: other,
            agent: some.clone(),
            room: some.clone(),
            caller: some,
        };
        let url = address(&rule.url, variables, &names)?;
        headers(&rule.headers, variables, &names)?;
        variables.fill(&rule.body)?;
        let http = client(&url)?;
        Ok(Self { http, rule: rule.clone(), variables: variables.clone() })
    }

    /// What somebody between here and the endpoint could read, if there is such a thing.
    pub fn exposed(&self) -> Option<String> {
        let names = Names { room: "x".into(), ..Names::default() };
        let url = address(&self.rule.url, &self.variables, &names).ok()?;
        if url.scheme() != "http" || is_loopback(&url) {
            return None;
        }
        let mut texts = self.rule.headers.iter().map(|(_, text)| text).chain([&self.rule.body]);
        let sends = texts.any(|text| refers(text));
        let what = match (sends, self.rule.token.is_some()) {
            (true, true) => "the secrets of the request and the caller's token",
            (true, false) => "the secrets of the request",
            (false, true) => "the caller's token",
            (false, false) => return None,
        };
        let at = shown(&self.rule.url, &url);
        Some(format!("{what} can be read on the way to {at}, which is not https"))
    }

    /// Asks for an agent, and takes from the answer what the scenario says is in it.
    pub async fn ask(&self, names: &Names) -> Result<Answer, StartError> {
        let request = self.request(names)?;
        let at = shown(&self.rule.url, request.url());
        let answered = tokio::time::timeout(self.rule.timeout, self.exchange(request, &at)).await;
        answered.unwrap_or_else(|_| {
            let timeout = format!("{:?}", self.rule.timeout);
            Err(StartError::Silent { at, timeout })
        })
    }

    fn request(&self, names: &Names) -> Result<Request, StartSettingsError> {
        let rule = &self.rule;
        let url = address(&rule.url, &self.variables, names)?;
        let method = match rule.method {
            Method::Post => reqwest::Method::POST,
            Method::Get => reqwest::Method::GET,
            Method::Put => reqwest::Method::PUT,
        };
        let mut request = Request::new(method, url);
        *request.headers_mut() = headers(&rule.headers, &self.variables, names)?;
        if !rule.body.is_empty() {
            let body = self.variables.fill(&fill(&rule.body, names, Within::Body))?;
            let json = serde_json::from_str::<IgnoredAny>(body.expose()).is_ok();
            if json && !request.headers().contains_key(CONTENT_TYPE) {
                let kind = HeaderValue::from_static("application/json");
                request.headers_mut().insert(CONTENT_TYPE, kind);
            }
            *request.body_mut() = Some(body.expose().to_owned().into());
        }
        Ok(request)
    }

    async fn exchange(&self, request: Request, at: &str) -> Result<Answer, StartError> {
        let unreachable = |e: reqwest::Error| StartError::Unreachable {
            at: at.to_owned(),
            why: why(&e, &self.variables),
        };
        let mut response = self.http.execute(request).await.map_err(unreachable)?;
        let status = response.status();
        if status.is_redirection() {
            let to = redirected_to(&response);
            return Err(StartError::Redirected {
                at: at.to_owned(),
                status: status.as_u16(),
                to: after_colon(&harmless(&to, &self.variables)),
            });
        }
        if !status.is_success() {
            let said = read(&mut response, LOOKED_AT).await.map_err(unreachable)?;
            let said = String::from_utf8_lossy(&said);
            return Err(StartError::Status {
                at: at.to_owned(),
                status: status.as_u16(),
                said: after_colon(&harmless(&said, &self.variables)),
            });
        }
        let wrong = |what: String| StartError::Answer { at: at.to_owned(), what };
        if !Answer::is_wanted(&self.rule) {
            return Ok(Answer::default());
        }
        // One byte more shows that there is more.
        let bytes = read(&mut response, MAX_ANSWER + 1).await.map_err(unreachable)?;
        if bytes.len() > MAX_ANSWER {
            return Err(wrong(format!("is longer than {} KiB", MAX_ANSWER / 1024)));
        }
        Answer::read(&bytes, &self.rule).map_err(wrong)
    }
}
