//! Spans to Langfuse: OTLP over HTTP, protobuf, gzip, in requests of bounded size, each with a
//! deadline, and failures in words that say what to do.

mod client;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{
    Compression, Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

use crate::langfuse::Project;
use client::{Client, Failure, LastFailure};

/// Spans in one request: with the bounds on their texts (at most some 110 kB a span) it stays below
/// 16 MiB, from where on Langfuse complains.
const BATCH: usize = 100;
/// Attempts after the first, when the server is busy or cannot be reached.
const RETRIES: usize = 2;

/// How to reach a Langfuse project.
#[derive(Debug, Clone)]
pub struct Settings {
    pub project: Project,
    /// Marks the spans' resource.
    pub run_id: String,
    /// For the export of one call.
    pub deadline: Duration,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingsError {
    #[error(transparent)]
    Http(#[from] crate::http::ClientError),
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

/// Why spans did not reach Langfuse. Equal failures have equal texts, and no text holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    #[error(
        "Langfuse at {url} does not know these keys (HTTP 401): check LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, and that they belong to a project at this LANGFUSE_BASE_URL"
    )]
    Unauthorized { url: String },
    #[error(
        "Langfuse at {url} takes no traces with these keys (HTTP 403{said}): check that the secret key is the project's and that its ingestion is not suspended"
    )]
    Forbidden { url: String, said: String },
    #[error(
        "Langfuse is not at {url} (HTTP 404): LANGFUSE_BASE_URL is the address of its web interface, without a path of its API; the server has to be 3.22 or newer"
    )]
    NotFound { url: String },
    #[error(
        "{url} redirects (HTTP {status}{to}), which would lose the keys: set LANGFUSE_BASE_URL to the address it leads to"
    )]
    Redirected { url: String, status: u16, to: String },
    #[error("Langfuse at {url} answered HTTP {status}{said}")]
    Status { url: String, status: u16, said: String },
    #[error(
        "Langfuse at {url} cannot be reached: {why}; check LANGFUSE_BASE_URL and that the server runs"
    )]
    Unreachable { url: String, why: String },
    #[error("Langfuse at {url} did not answer within {ms} ms")]
    Deadline { url: String, ms: u128 },
    #[error("the spans of a call could not be sent: {0}")]
    NotSent(String),
}

impl ExportError {
    /// Whether the next call would fail in the same way: what is wrong are the settings.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Redirected { .. } => true,
            Self::Status { .. }
            | Self::Unreachable { .. }
            | Self::Deadline { .. }
            | Self::NotSent(_) => false,
        }
    }
}

/// A Langfuse project that takes spans.
#[derive(Debug)]
pub struct Langfuse {
    exporter: SpanExporter,
    /// What the client saw last: the exporter itself only says that it failed.
    last: LastFailure,
    /// Scheme and host, for messages.
    url: String,
    /// The whole address of its web interface.
    address: String,
    deadline: Duration,
}

impl Langfuse {
    /// Prepares the client; sends nothing. Reads the machine's trusted
    /// certificates when the address is https.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let project = &settings.project;
        let client = Client::new(settings)?;
        let last = client.last_failure();
        let address = project.address().to_owned();
        let endpoint = format!("{address}/api/public/otel/v1/traces");
        // The endpoint, protocol, compression and timeout are all set here, so that none of them is
        // taken from the OTEL_EXPORTER_OTLP_* variables, which are for another back end.
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(endpoint)
            .with_protocol(Protocol::HttpBinary)
            .with_compression(Compression::Gzip)
            .with_timeout(settings.deadline)
            .with_retry_policy(RetryPolicy::recommended().with_max_retries(RETRIES))
            .build()
            .map_err(|error| SettingsError::Client(error.to_string()))?;
        exporter.set_resource(&resource(&settings.run_id, project.environment()));
        let url = project.url();
        Ok(Self { exporter, last, url, address, deadline: settings.deadline })
    }

    /// The address of its web interface, without credentials.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Scheme and host.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends the spans of a call, in requests of bounded size, and returns when Langfuse has taken
    /// them or the deadline is over. A second attempt replaces what the first one stored.
    pub async fn export(&mut self, mut spans: Vec<SpanData>) -> Result<(), ExportError> {
        let deadline = self.deadline;
        let all = async {
            while !spans.is_empty() {
                let rest = spans.split_off(spans.len().min(BATCH));
                self.last.clear();
                self.exporter.export(std::mem::replace(&mut spans, rest)).await?;
            }
            Ok(())
        };
        let result = tokio::time::timeout(deadline, all).await;
        match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.explain(Some(error))),
            Err(_) => Err(self.explain(None)),
        }
    }

    /// The failure that was seen on the line, or else what the exporter says; nothing of both means
    /// that there was no answer in time.
    fn explain(&self, error: Option<opentelemetry_sdk::error::OTelSdkError>) -> ExportError {
        let url = self.url.clone();
        match (self.last.take(), error) {
            (Some(Failure::Status { status, location, said }), _) => {
                let said = after_colon(&said);
                match status {
                    401 => ExportError::Unauthorized { url },
                    403 => ExportError::Forbidden { url, said },
                    404 => ExportError::NotFound { url },
                    300..=399 => {
                        ExportError::Redirected { url, status, to: after_colon(&location) }
                    }
                    _ => ExportError::Status { url, status, said },
                }
            }
            (Some(Failure::Network(why)), _) => ExportError::Unreachable { url, why },
            (Some(Failure::Timeout), _) | (None, None) => {
                ExportError::Deadline { url, ms: self.deadline.as_millis() }
            }
            (None, Some(error)) => ExportError::NotSent(error.to_string()),
        }
    }
}

fn after_colon(text: &str) -> String {
    let mut out = String::new();
    if !text.is_empty() {
        write!(out, ": {text}").expect("memory can be written");
    }
    out
}

/// What made the spans. Built from nothing, so that `OTEL_RESOURCE_ATTRIBUTES` does not change it.
fn resource(run_id: &str, environment: &str) -> Resource {
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", "loadcall"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("langfuse.environment", environment.to_owned()),
            KeyValue::new("deployment.environment.name", environment.to_owned()),
            KeyValue::new("loadcall.run.id", run_id.to_owned()),
        ])
        .build()
}
