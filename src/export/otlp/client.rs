//! One request and its answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    Compression, Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use reqwest::StatusCode;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};

use super::failure::ExportError;
use super::said::{self, Taken};
use super::{Backend, Encoding, retry};
use crate::http::{self, ClientError};
use crate::text::{clipped, safe};

/// Bytes of an answer that are read.
const ANSWER: usize = 64 * 1024;
/// Characters of a server's message that are kept.
const SAID: usize = 200;

/// What became of a request.
#[derive(Debug)]
pub(super) enum Answer {
    Taken(Taken),
    TooLarge,
    /// Nothing was taken, and it may be tried again: the reason if it is not, and how long the server asks to wait.
    Again {
        error: ExportError,
        asked: Option<Duration>,
    },
    /// Nothing was taken.
    Failed(ExportError),
    /// It went out, and may have been taken.
    Unknown(ExportError),
}

/// Sends to one backend.
#[derive(Debug)]
pub(super) struct Client {
    exporter: SpanExporter,
    line: Arc<Line>,
}

/// What is under the exporter.
#[derive(Debug)]
struct Line {
    http: reqwest::Client,
    backend: Backend,
    /// Name and address, for messages.
    place: String,
    /// What became of the latest request.
    answer: Mutex<Option<Answer>>,
}

impl Client {
    /// Sends nothing. Reads the machine's trusted certificates when the address is https.
    pub(super) fn new(backend: Backend, run_id: &str) -> Result<Self, ClientError> {
        let set_up = |error: &dyn std::fmt::Display| ClientError::SetUp(error.to_string());
        let http = http::client(backend.endpoint.scheme() == "https")?
            // Shorter than that of the whole, so that it is known which of both was over.
            .connect_timeout(backend.timeout / 2)
            .timeout(backend.timeout)
            .build()
            .map_err(|error| set_up(&error))?;
        let resource = resource(&backend, run_id);
        let place = backend.shown();
        let line = Arc::new(Line { http, backend, place, answer: Mutex::new(None) });
        let backend = &line.backend;
        let protocol = match backend.encoding {
            Encoding::Protobuf => Protocol::HttpBinary,
            Encoding::Json => Protocol::HttpJson,
        };
        // All of it is set here, so that none is taken from variables, which are of one backend alone.
        let exporter = SpanExporter::builder()
            .with_http()
            .with_shared_http_client(Arc::<Line>::clone(&line))
            .with_endpoint(backend.endpoint.as_str())
            .with_protocol(protocol)
            .with_timeout(backend.timeout)
            .with_retry_policy(RetryPolicy::default().with_max_retries(0));
        let exporter =
            if backend.gzip { exporter.with_compression(Compression::Gzip) } else { exporter };
        let mut exporter = exporter.build().map_err(|error| set_up(&error))?;
        exporter.set_resource(&resource);
        Ok(Self { exporter, line })
    }

    pub(super) fn backend(&self) -> &Backend {
        &self.line.backend
    }

    /// Name and address, for messages.
    pub(super) fn place(&self) -> &str {
        &self.line.place
    }

    pub(super) async fn post(&self, spans: Vec<SpanData>) -> Answer {
        self.line.answer().take();
        let exported = self.exporter.export(spans).await;
        let answer = self.line.answer().take();
        answer.unwrap_or_else(|| {
            let why =
                exported.err().map_or_else(|| "nothing was sent".to_owned(), |e| e.to_string());
            Answer::Failed(ExportError::NotWritten(why))
        })
    }
}

/// What made the spans. Built from nothing, so that `OTEL_RESOURCE_ATTRIBUTES` is read where it belongs.
fn resource(backend: &Backend, run_id: &str) -> Resource {
    let given = backend.resource.iter().map(|(key, value)| (key.clone(), value.clone()));
    let all = given.chain([("loadcall.run.id".to_owned(), run_id.to_owned())]);
    let all = all.map(|(key, value)| KeyValue::new(key, value));
    Resource::builder_empty().with_attributes(all).build()
}

#[async_trait]
impl HttpClient for Line {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (given, body) = request.into_parts();
        let mut request = self.http.post(self.backend.endpoint.clone()).body(body);
        // Only what describes the body is kept of the exporter's headers: the rest comes from
        // `OTEL_EXPORTER_OTLP_HEADERS`, and may be meant, like the keys in it, for another backend.
        for name in [CONTENT_TYPE, CONTENT_ENCODING] {
            if let Some(value) = given.headers.get(&name) {
                request = request.header(name, value.clone());
            }
        }
        let (status, answer) = match request.headers(self.backend.headers.clone()).send().await {
            Ok(response) => (response.status(), self.read(response).await),
            Err(error) => (StatusCode::BAD_GATEWAY, self.no_answer(&error)),
        };
        *self.answer() = Some(answer);
        // Langfuse answers with JSON where OTLP has protobuf: the exporter need not read it.
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        Ok(response)
    }
}

impl Line {
    fn answer(&self) -> MutexGuard<'_, Option<Answer>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, response: reqwest::Response) -> Answer {
        let status = response.status().as_u16();
        let content_type = header(&response, &CONTENT_TYPE).to_ascii_lowercase();
        let location = self.harmless(header(&response, &LOCATION));
        let date = header(&response, &DATE).to_owned();
        let asked = retry::asked(header(&response, &RETRY_AFTER), Some(&date));
        let body = beginning(response).await;
        let place = self.place.clone();
        if (200..300).contains(&status) {
            let taken = said::taken(&body, &content_type);
            return Answer::Taken(Taken { message: self.harmless(&taken.message), ..taken });
        }
        let said = after_colon(&self.harmless(&said::said(&body, &content_type)));
        let advice = &self.backend.advice;
        let refused = |advice| {
            Answer::Failed(ExportError::Refused {
                place: place.clone(),
                status,
                said: said.clone(),
                advice,
            })
        };
        match status {
            401 => refused(advice.unauthorized),
            403 => refused(advice.forbidden),
            404 | 405 => refused(advice.not_found),
            413 => Answer::TooLarge,
            300..=399 => Answer::Failed(ExportError::Redirected {
                place,
                status,
                to: after_colon(&location),
                advice: advice.redirected,
            }),
            // Those that OTLP names: the spans were not taken.
            429 | 502 | 503 | 504 => Answer::Again {
                error: ExportError::Busy { place, status, said, attempts: 0 },
                asked,
            },
            _ => Answer::Failed(ExportError::Status { place, status, said }),
        }
    }

    fn no_answer(&self, error: &reqwest::Error) -> Answer {
        let place = self.place.clone();
        let advice = self.backend.advice.unreachable;
        // The innermost cause says what happened ("connection refused"); the outer ones repeat the address.
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let why = self.harmless(&cause.to_string());
        if error.is_connect() || error.is_builder() {
            return Answer::Again {
                error: ExportError::Unreachable { place, why, advice },
                asked: None,
            };
        }
        if error.is_timeout() {
            let ms = self.backend.timeout.as_millis();
            return Answer::Unknown(ExportError::NoAnswer { place, ms });
        }
        Answer::Unknown(ExportError::Lost { place, why, advice })
    }

    /// A server's text on one line, short, without what must not be shown.
    fn harmless(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.backend.hidden {
            text = text.replace(secret.expose(), "…");
        }
        clipped(&safe(text.trim()), SAID)
    }
}

fn header<'a>(response: &'a reqwest::Response, name: &HeaderName) -> &'a str {
    response.headers().get(name).map(HeaderValue::to_str).and_then(Result::ok).unwrap_or_default()
}

/// What a body begins with; less when the connection is lost, as its status is known already.
async fn beginning(mut response: reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = ANSWER - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == ANSWER {
            break;
        }
    }
    body
}

/// The text behind a colon; nothing of nothing.
pub(super) fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}
