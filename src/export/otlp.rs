//! Spans over OTLP/HTTP to any backend: requests of bounded size, tried again where the backend says so or was not
//! reached, taken apart where they are too large, and for every call what became of it.
//!
//! OpenTelemetry's exporter writes a request and posts it through a client of ours (`client.rs`), which has the last word on
//! headers and sees every answer: the exporter itself only says that it failed, not whether the request had gone out.

mod batch;
mod client;
mod exporter;
mod failure;
mod retry;
mod said;
mod variables;
#[cfg(test)]
mod tests;

use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

pub use batch::{Batch, CallSpans};
pub use exporter::{Budget, Exporter, Fate};
pub use failure::{Advice, ExportError};
pub use retry::Retry;
pub use variables::{VariableError, from_variables, named_by};

/// The kinds of backends, of which each run has at most one of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Langfuse,
    Otlp,
}

/// Which backend it is, without anything secret: by this it is known again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub kind: Kind,
    /// The whole address that is posted to.
    pub endpoint: String,
    /// Where several projects are behind one address: a digest that tells them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// How requests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Protobuf,
    Json,
}

/// What goes into one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub spans: usize,
    /// As protobuf, before compression.
    pub bytes: usize,
}

impl Limits {
    /// Below what is known of backends: Langfuse complains from 16 MiB on, a collector refuses 20 MiB, AWS X-Ray 5 MB
    /// and 10,000 spans.
    pub const USUAL: Self = Self { spans: 500, bytes: 4_000_000 };
}

/// A place that takes spans.
#[derive(Debug, Clone)]
pub struct Backend {
    pub place: Place,
    /// In messages: `Langfuse`.
    pub name: &'static str,
    pub endpoint: Url,
    /// The address in messages, without anything secret.
    pub address: String,
    /// Marked as sensitive where they are.
    pub headers: HeaderMap,
    /// What must not be repeated from a server's message.
    pub hidden: Vec<Secret>,
    /// Attributes of what made the spans; the run's id comes to them.
    pub resource: Vec<(String, String)>,
    pub encoding: Encoding,
    pub gzip: bool,
    /// For one request, from its connection to the end of its answer.
    pub timeout: Duration,
    pub retry: Retry,
    pub limits: Limits,
    pub advice: Advice,
}

impl Backend {
    /// Its name with its address.
    pub fn shown(&self) -> String {
        format!("{} at {}", self.name, self.address)
    }
}
