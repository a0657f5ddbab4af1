//! The HTTP client under the OTLP exporter. It has the last word on headers and sees every response.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
};

use super::{Settings, SettingsError};
use crate::http;
use crate::langfuse::Project;
use crate::text::{clipped, safe};

/// Without it Langfuse queues spans for minutes and leaves attributes out.
const VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-langfuse-ingestion-version"), HeaderValue::from_static("4"));
/// Characters of a server's message that are kept.
const SAID: usize = 200;

/// Sends with Langfuse's own headers.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    project: Project,
    last: LastFailure,
}

/// Why the latest request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// `location` and `said` are harmless text, without a secret, and may be empty.
    Status {
        status: u16,
        location: String,
        said: String,
    },
    Timeout,
    Network(String),
}

/// The latest failure, shared between the client, which the exporter owns, and who reads it.
#[derive(Debug, Clone, Default)]
pub(super) struct LastFailure(Arc<Mutex<Option<Failure>>>);

impl LastFailure {
    pub(super) fn clear(&self) {
        self.take();
    }

    pub(super) fn take(&self) -> Option<Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, failure: Failure) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }
}

impl Client {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let project = settings.project.clone();
        let http = http::client(project.is_https())?
            .timeout(settings.deadline)
            .build()
            .map_err(|error| SettingsError::Client(error.to_string()))?;
        Ok(Self { http, project, last: LastFailure::default() })
    }

    pub(super) fn last_failure(&self) -> LastFailure {
        self.last.clone()
    }

    /// Only what describes the body is kept of the exporter's headers: the rest comes from
    /// `OTEL_EXPORTER_OTLP_HEADERS` and is meant, like the keys in it, for another server.
    fn headers(&self, given: &HeaderMap) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in [CONTENT_TYPE, CONTENT_ENCODING] {
            if let Some(value) = given.get(&name) {
                headers.insert(name, value.clone());
            }
        }
        headers.insert(VERSION.0, VERSION.1);
        headers.insert(AUTHORIZATION, self.project.authorization().clone());
        headers
    }

    /// A server's text on one line, short, without what must not be shown.
    fn harmless(&self, bytes: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        for secret in self.project.hidden() {
            text = text.replace(secret.expose(), "…");
        }
        clipped(&safe(text.trim()), SAID)
    }

    fn failure(&self, error: &HttpError) -> Failure {
        let Some(error) = error.downcast_ref::<reqwest::Error>() else {
            return Failure::Network(self.harmless(error.to_string().as_bytes()));
        };
        if error.is_timeout() {
            return Failure::Timeout;
        }
        // The innermost cause says what happened ("connection refused"); the outer ones repeat the
        // address.
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        Failure::Network(self.harmless(cause.to_string().as_bytes()))
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        *request.headers_mut() = self.headers(request.headers());
        let mut response = match self.http.send_bytes(request).await {
            Ok(response) => response,
            Err(error) => {
                self.last.put(self.failure(&error));
                return Err(error);
            }
        };
        if response.status().is_success() {
            // Langfuse answers with JSON where OTLP has protobuf: nothing the exporter could read.
            *response.body_mut() = Bytes::new();
            self.last.clear();
        } else {
            let location = response.headers().get(LOCATION).map_or(&b""[..], HeaderValue::as_bytes);
            self.last.put(Failure::Status {
                status: response.status().as_u16(),
                location: self.harmless(location),
                said: self.harmless(response.body()),
            });
        }
        Ok(response)
    }
}
