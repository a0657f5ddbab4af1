//! The standard variables of an OTLP exporter as a backend
//! (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>). Pure: the values come in.
//!
//! What a variable for traces says goes before what one for all signals says. No message repeats a value that may be secret.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{Advice, Backend, Encoding, Kind, Limits, Place, Retry};
use crate::secret::Secret;
use crate::text::{clipped, safe};

/// For one request, when nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_TIMEOUT_MS: u64 = 600_000;
/// Bytes of all names and values of a resource: AWS X-Ray takes 16 KB.
const RESOURCE: usize = 16_000;
/// What a request says itself.
const OWN_HEADERS: [&str; 5] =
    ["content-type", "content-encoding", "content-length", "host", "transfer-encoding"];

/// Why variables cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    #[error("{name} is not usable: {why}; write it like `{example}`")]
    Endpoint { name: &'static str, why: String, example: &'static str },
    #[error(
        "{0} is grpc, which loadcall does not send: set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf and OTEL_EXPORTER_OTLP_TRACES_ENDPOINT to the backend's address for OTLP over HTTP, such as http://localhost:4318/v1/traces; or set OTEL_TRACES_EXPORTER=none, and no traces go there"
    )]
    Grpc(&'static str),
    #[error("{name} is `{value}`: write http/protobuf or http/json")]
    Protocol { name: &'static str, value: String },
    #[error("{name} is `{value}`: write gzip or none")]
    Compression { name: &'static str, value: String },
    #[error(
        "{name} is `{value}`: write milliseconds from 1 to {LONGEST_TIMEOUT_MS}, such as 10000"
    )]
    Timeout { name: &'static str, value: String },
    #[error(
        "{name} is not usable: entry {entry} {why}; write it like `api-key=KEY,other=VALUE`, with %20 for a blank"
    )]
    Headers { name: &'static str, entry: usize, why: &'static str },
    #[error(
        "{0} is not read: loadcall trusts the certificates of this machine, and those of the file that SSL_CERT_FILE names in their place; set that, and {0} to nothing"
    )]
    Certificate(&'static str),
    #[error(
        "{0} is not read, and loadcall has no certificate of its own to show: send to a collector that has one, and set {0} to nothing; or set OTEL_TRACES_EXPORTER=none, and no traces go there"
    )]
    ClientCertificate(&'static str),
    #[error(
        "OTEL_RESOURCE_ATTRIBUTES is not usable: entry {entry} {why}; write it like `service.namespace=voice,team=a`, with %2C for a comma"
    )]
    Resource { entry: usize, why: &'static str },
    #[error(
        "OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME are too long: all names and values together may have {RESOURCE} bytes"
    )]
    ResourceTooLong,
}

const ADVICE: Advice = Advice {
    unauthorized: "check the key in OTEL_EXPORTER_OTLP_HEADERS, such as Authorization=Bearer%20KEY",
    forbidden: "check that the key in OTEL_EXPORTER_OTLP_HEADERS may write traces",
    not_found: "OTEL_EXPORTER_OTLP_ENDPOINT is the address to which /v1/traces is added, \
                OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is used as it is",
    redirected: "set the endpoint to the address it leads to",
    unreachable: "check OTEL_EXPORTER_OTLP_ENDPOINT and that it runs; OTLP over HTTP is usually on port 4318",
};

/// The backend that loadcall's traces go to; `None` when the variables name none, or switch traces off.
pub fn from_variables(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Backend>, VariableError> {
    let variable = &|name: &str| variable(name).map(|value| value.trim().to_owned());
    let is_off = variable("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    let exporters = variable("OTEL_TRACES_EXPORTER").unwrap_or_else(|| "otlp".to_owned());
    if is_off || !exporters.split(',').any(|exporter| exporter.trim() == "otlp") {
        return Ok(None);
    }
    named_by(variable)
}

/// The backend that the variables name, whether loadcall's traces are switched off or not; `None` when they name none.
pub fn named_by(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Backend>, VariableError> {
    let variable = &|name: &str| variable(name).map(|value| value.trim().to_owned());
    let Some(endpoint) = endpoint(variable)? else { return Ok(None) };
    if endpoint.scheme() == "https" {
        certificates(variable)?;
    }
    let encoding = encoding(variable)?;
    let (headers, hidden) = headers(variable)?;
    let address = endpoint.to_string();
    Ok(Some(Backend {
        place: Place { kind: Kind::Otlp, endpoint: address.clone(), project: None },
        name: "the OTLP backend",
        endpoint,
        address,
        headers,
        hidden,
        resource: resource(variable)?,
        encoding,
        gzip: gzip(variable)?,
        timeout: timeout(variable)?,
        retry: Retry::USUAL,
        limits: Limits::USUAL,
        advice: ADVICE,
    }))
}

type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What is said for traces, else for all signals, with the name of the variable that says it.
fn first(variable: Variable<'_>, names: [&'static str; 2]) -> Option<(&'static str, String)> {
    names.into_iter().find_map(|name| Some((name, variable(name).filter(|v| !v.is_empty())?)))
}

fn endpoint(variable: Variable<'_>) -> Result<Option<Url>, VariableError> {
    const TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    let names = [TRACES, "OTEL_EXPORTER_OTLP_ENDPOINT"];
    let Some((name, text)) = first(variable, names) else { return Ok(None) };
    let is_whole = name == TRACES;
    let example =
        if is_whole { "http://localhost:4318/v1/traces" } else { "http://localhost:4318" };
    let bad = |why: &str| VariableError::Endpoint { name, why: why.to_owned(), example };
    // The text is not repeated: it may hold a password.
    let mut url = Url::parse(&text).map_err(|error| bad(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad("it is not an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it holds credentials, which belong into OTEL_EXPORTER_OTLP_HEADERS"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it has a `?` or `#` part; keys belong into OTEL_EXPORTER_OTLP_HEADERS"));
    }
    if !is_whole {
        let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    Ok(Some(url))
}

/// Certificates that only these variables name are not used, and a backend that needs them cannot be reached without.
fn certificates(variable: Variable<'_>) -> Result<(), VariableError> {
    let trusted = ["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"];
    if let Some((name, _)) = first(variable, trusted) {
        return Err(VariableError::Certificate(name));
    }
    let own = [
        ["OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"],
        ["OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"],
    ];
    match own.into_iter().find_map(|names| first(variable, names)) {
        Some((name, _)) => Err(VariableError::ClientCertificate(name)),
        None => Ok(()),
    }
}

fn encoding(variable: Variable<'_>) -> Result<Encoding, VariableError> {
    let names = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
    let Some((name, value)) = first(variable, names) else { return Ok(Encoding::Protobuf) };
    match value.as_str() {
        "http/protobuf" => Ok(Encoding::Protobuf),
        "http/json" => Ok(Encoding::Json),
        "grpc" => Err(VariableError::Grpc(name)),
        _ => Err(VariableError::Protocol { name, value: short(&value) }),
    }
}

fn gzip(variable: Variable<'_>) -> Result<bool, VariableError> {
    let names = ["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"];
    // Every server of OTLP has to understand it.
    let Some((name, value)) = first(variable, names) else { return Ok(true) };
    match value.as_str() {
        "gzip" => Ok(true),
        "none" => Ok(false),
        _ => Err(VariableError::Compression { name, value: short(&value) }),
    }
}

fn timeout(variable: Variable<'_>) -> Result<Duration, VariableError> {
    let names = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
    let Some((name, value)) = first(variable, names) else { return Ok(TIMEOUT) };
    let ms = value.parse().ok().filter(|ms| (1..=LONGEST_TIMEOUT_MS).contains(ms));
    ms.map(Duration::from_millis).ok_or(VariableError::Timeout { name, value: short(&value) })
}

fn headers(variable: Variable<'_>) -> Result<(HeaderMap, Vec<Secret>), VariableError> {
    let names = ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];
    let (mut map, mut hidden) = (HeaderMap::new(), Vec::new());
    let Some((name, text)) = first(variable, names) else { return Ok((map, hidden)) };
    for (entry, (key, value)) in pairs(&text) {
        let bad = |why| VariableError::Headers { name, entry, why };
        let value = value.map_err(bad)?;
        let key = HeaderName::try_from(key).map_err(|_| bad("has no name of a header"))?;
        if OWN_HEADERS.contains(&key.as_str()) {
            return Err(bad("is a header that the request sets itself"));
        }
        let mut header = HeaderValue::try_from(&value)
            .map_err(|_| bad("has a value that no header can have"))?;
        header.set_sensitive(true);
        map.insert(key, header);
        // The key alone, too: `Bearer KEY`.
        let parts = value.split_whitespace().chain([value.as_str()]);
        hidden.extend(parts.filter(|part| part.len() > 5).map(|part| Secret::new(part.to_owned())));
    }
    // The longest first, so that no rest of one is left.
    hidden.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
    Ok((map, hidden))
}

/// The attributes of the resource: loadcall's own, with what the variables say in their place or beside them.
fn resource(variable: Variable<'_>) -> Result<Vec<(String, String)>, VariableError> {
    let mut list = vec![
        ("service.name".to_owned(), "loadcall".to_owned()),
        ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let text = variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let mut set = |key: &str, value: String| {
        list.retain(|(known, _)| known != key);
        list.push((key.to_owned(), value));
    };
    for (entry, (key, value)) in pairs(&text) {
        let bad = |why| VariableError::Resource { entry, why };
        let value = value.map_err(bad)?;
        if key.is_empty() {
            return Err(bad("has no name"));
        }
        set(key, value);
    }
    if let Some(name) = variable("OTEL_SERVICE_NAME").filter(|name| !name.is_empty()) {
        set("service.name", name);
    }
    let bytes: usize = list.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > RESOURCE { Err(VariableError::ResourceTooLong) } else { Ok(list) }
}

/// The entries of `name=value,name=value`, each with its number from 1 on; values are percent-decoded.
fn pairs(text: &str) -> impl Iterator<Item = (usize, (&str, Result<String, &'static str>))> {
    let entries = text.split(',').enumerate().filter(|(_, entry)| !entry.trim().is_empty());
    entries.map(|(n, entry)| {
        let pair = match entry.split_once('=') {
            Some((key, value)) => (key.trim(), decoded(value.trim())),
            None => ("", Err("has no `=`")),
        };
        (n + 1, pair)
    })
}

/// `%20` → a blank. A `%` without two digits of a hexadecimal number stands for itself.
fn decoded(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        rest = after;
        match (first, after) {
            (b'%', [high, low, behind @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high * 16 + low);
                    rest = behind;
                }
                _ => bytes.push(b'%'),
            },
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).map_err(|_| "has a value that is not UTF-8")
}

fn short(value: &str) -> String {
    clipped(&safe(value), 40)
}

#[cfg(test)]
mod tests;
