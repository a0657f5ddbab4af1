//! One request and its answer.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};

use super::failure::ExportError;
use super::wire::{self, Taken};
use super::{Backend, retry};
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
    http: reqwest::Client,
    pub(super) backend: Backend,
    /// Name and address, for messages.
    pub(super) place: String,
}

impl Client {
    /// Sends nothing. Reads the machine's trusted certificates when the address is https.
    pub(super) fn new(backend: Backend) -> Result<Self, ClientError> {
        let http = http::client(backend.endpoint.scheme() == "https")?
            // Shorter than that of the whole, so that it is known which of both was over.
            .connect_timeout(backend.timeout / 2)
            .timeout(backend.timeout)
            .build()
            .map_err(|error| ClientError::SetUp(error.to_string()))?;
        let place = backend.shown();
        Ok(Self { http, backend, place })
    }

    pub(super) async fn post(&self, body: Vec<u8>) -> Answer {
        let backend = &self.backend;
        let mut request = self.http.post(backend.endpoint.clone()).headers(backend.headers.clone());
        request = request.header(CONTENT_TYPE, backend.encoding.content_type());
        if backend.gzip {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        match request.body(body).send().await {
            Ok(response) => self.answer(response).await,
            Err(error) => self.no_answer(&error),
        }
    }

    async fn answer(&self, response: Response) -> Answer {
        let status = response.status().as_u16();
        let content_type = header(&response, &CONTENT_TYPE).to_ascii_lowercase();
        let location = self.harmless(header(&response, &LOCATION));
        let date = header(&response, &DATE).to_owned();
        let asked = retry::asked(header(&response, &RETRY_AFTER), Some(&date));
        let body = beginning(response).await;
        let place = self.place.clone();
        if (200..300).contains(&status) {
            let taken = wire::taken(&body, &content_type);
            return Answer::Taken(Taken { message: self.harmless(&taken.message), ..taken });
        }
        let said = after_colon(&self.harmless(&wire::said(&body, &content_type)));
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
    pub(super) fn harmless(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.backend.hidden {
            text = text.replace(secret.expose(), "…");
        }
        clipped(&safe(text.trim()), SAID)
    }
}

fn header<'a>(response: &'a Response, name: &HeaderName) -> &'a str {
    response.headers().get(name).map(HeaderValue::to_str).and_then(Result::ok).unwrap_or_default()
}

/// What a body begins with; less when the connection is lost, as its status is known already.
async fn beginning(mut response: Response) -> Vec<u8> {
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
