//! Requests to addresses that a scenario names: their addresses and headers with names and secrets filled in, and what
//! of them, and of answers, may be shown.

use crate::http::{self, ClientError};
use crate::scenario::metadata::{MissingVariables, Variables, refers};
use crate::scenario::{Names, Within, fill};
use crate::secret::Secret;
use crate::text::{clipped, safe};
use regex::Regex;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Client, Response, Url};
use std::net::IpAddr;
use std::sync::LazyLock;

/// Bytes of a failing server's answer that are looked at, and characters of it that are shown.
pub(super) const LOOKED_AT: usize = 4_096;
const SHOWN: usize = 200;

/// Why a request cannot be made. Holds no secret.
#[derive(Debug)]
pub(super) enum RequestError {
    /// The address is none, and why.
    Url(&'static str),
    /// A header of this name cannot have its value.
    Header(String),
    Variables(MissingVariables),
}

impl From<MissingVariables> for RequestError {
    fn from(missing: MissingVariables) -> Self {
        Self::Variables(missing)
    }
}

/// A client for an address; one on this machine is not reached through a proxy.
pub(super) fn client(url: &Url) -> Result<Client, ClientError> {
    let mut http = http::client(url.scheme() == "https")?;
    if is_loopback(url) {
        http = http.no_proxy();
    }
    http.build().map_err(|e| ClientError::SetUp(e.without_url().to_string()))
}

pub(super) fn address(
    text: &str,
    variables: &Variables,
    names: &Names,
) -> Result<Url, RequestError> {
    let text = variables.fill(&fill(text, names, Within::Url))?;
    // The text is not repeated in any message: it may hold a password.
    let url =
        Url::parse(text.expose().trim()).map_err(|_| RequestError::Url("it is not a whole URL"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(RequestError::Url("it begins with neither http:// nor https://"));
    }
    Ok(url)
}

pub(super) fn headers(
    all: &[(String, String)],
    variables: &Variables,
    names: &Names,
) -> Result<HeaderMap, RequestError> {
    let mut headers = HeaderMap::new();
    for (name, value) in all {
        let wrong = || RequestError::Header(name.clone());
        let key = HeaderName::try_from(name).map_err(|_| wrong())?;
        let text: Secret = variables.fill(&fill(value, names, Within::Text))?;
        let mut value = HeaderValue::try_from(text.expose()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.append(key, value);
    }
    Ok(headers)
}

/// The address for messages: without credentials and query, and without the path where all of it is secret.
pub(super) fn shown(text: &str, url: &Url) -> String {
    let origin = url.origin().ascii_serialization();
    if refers(text) { origin } else { format!("{origin}{}", url.path()) }
}

/// Whether an address is on this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or(host == "localhost" || host.ends_with(".localhost"), |a| a.is_loopback())
}

/// Where a redirect leads, without its query.
pub(super) fn redirected_to(response: &Response) -> String {
    let to = response.headers().get(LOCATION).map_or(&b""[..], HeaderValue::as_bytes);
    let to = String::from_utf8_lossy(to);
    to.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// At most `limit` bytes of an answer.
pub(super) async fn read(response: &mut Response, limit: usize) -> Result<Vec<u8>, reqwest::Error> {
    let mut bytes = Vec::new();
    while bytes.len() < limit
        && let Some(chunk) = response.chunk().await?
    {
        let room = limit - bytes.len();
        bytes.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
    }
    Ok(bytes)
}

/// The innermost cause says what happened ("connection refused"); the outer ones repeat the address.
pub(super) fn why(error: &reqwest::Error, variables: &Variables) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    harmless(&cause.to_string(), variables)
}

/// A text of a server on one line, short, without what must not be shown.
pub(super) fn harmless(text: &str, variables: &Variables) -> String {
    let text = variables.hide(text);
    let text = TOKEN.replace_all(&text, "…");
    clipped(&safe(text.trim()), SHOWN)
}

/// A JSON Web Token.
static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"eyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*)*")
        .unwrap_or_else(|error| unreachable!("{error}"))
});

pub(super) fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}
