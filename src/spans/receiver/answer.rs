//! What a request is answered with, in the encoding that it came in.

use std::convert::Infallible;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use prost::Message as _;
use tokio::time::timeout;

use super::Shared;
use super::inbox::{MAX_BYTES, NotKept};
use crate::spans::otlp::{Encoding, MAX_BODY};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// How much of a body that is too large is read.
const MAX_DRAINED: usize = 4 * MAX_BODY;

/// `google.rpc.Status`, which OTLP gives reasons in.
#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
struct Reason {
    #[prost(string, tag = "2")]
    message: String,
}

/// A request that is not taken.
struct Refusal {
    status: StatusCode,
    why: String,
}

impl Refusal {
    fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, why: why.into() }
    }
}

pub(super) async fn answer(
    request: Request<Incoming>,
    shared: &Shared,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let encoding = encoding(request.headers());
    let taken = match (request.uri().path(), request.method()) {
        ("/v1/traces", &Method::POST) => match encoding {
            Some(encoding) => traces(request, encoding, shared).await,
            None => Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("spans are taken as {PROTOBUF} or {JSON}"),
            )),
        },
        ("/v1/metrics" | "/v1/logs", &Method::POST) => others(request, shared).await,
        ("/v1/traces" | "/v1/metrics" | "/v1/logs", _) => {
            Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "OTLP is sent with POST"))
        }
        _ => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "spans are taken at /v1/traces: OTEL_EXPORTER_OTLP_ENDPOINT is the address without a path, \
             OTEL_EXPORTER_OTLP_TRACES_ENDPOINT the one with it",
        )),
    };
    let encoding = encoding.unwrap_or(Encoding::Json);
    Ok(match taken {
        Ok(()) => response(StatusCode::OK, encoding, success(encoding)),
        Err(refusal) => {
            log::debug!("spans refused: {} {}", refusal.status, refusal.why);
            let status = refusal.status;
            let mut response = response(status, encoding, reason(encoding, refusal.why));
            let headers = response.headers_mut();
            if status == StatusCode::METHOD_NOT_ALLOWED {
                headers.insert(ALLOW, HeaderValue::from_static("POST"));
            }
            if status == StatusCode::SERVICE_UNAVAILABLE {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            response
        }
    })
}

/// Keeps the body of a request.
async fn traces(
    request: Request<Incoming>,
    encoding: Encoding,
    shared: &Shared,
) -> Result<(), Refusal> {
    let taken = match gzip(request.headers()) {
        Ok(gzip) => body(request, shared).await.map(|body| (body, gzip)),
        Err(refusal) => Err(refusal),
    };
    let (body, gzip) = taken.inspect_err(|_| shared.inbox().count(|tally| tally.refused += 1))?;
    // The mutex is held for the time of a write to the page cache; this thread is ours alone.
    shared.inbox().put(&body, encoding, gzip).map_err(|why| match why {
        NotKept::Full => {
            let limit = MAX_BYTES >> 20;
            let why = format!("{limit} MiB of spans are kept of a run, and these are over it");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, why)
        }
        NotKept::Disk => {
            Refusal::new(StatusCode::INSUFFICIENT_STORAGE, "the disk takes no more spans")
        }
    })
}

async fn body(request: Request<Incoming>, shared: &Shared) -> Result<Vec<u8>, Refusal> {
    let too_large = || {
        let limit = MAX_BODY >> 20;
        let why = format!("a request may have {limit} MiB: let the exporter send smaller batches");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, why)
    };
    let deadline = shared.limits.body;
    let busy = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests at a time");
    let slot = timeout(deadline, shared.bodies.acquire()).await;
    let _slot = slot.map_err(|_| busy())?.map_err(|_| busy())?;
    match timeout(deadline, read(request.into_body())).await {
        Ok(Ok(Some(body))) => Ok(body),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(e)) => Err(Refusal::new(StatusCode::BAD_REQUEST, format!("no whole body: {e}"))),
        Err(_) => {
            let why = format!("the body did not come within {} s", deadline.as_secs_f64());
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, why))
        }
    }
}

/// The whole body, or `None` when it is too large. Such a body is read on for a while: a client that is still sending
/// when the connection ends does not see why.
async fn read(mut body: Incoming) -> Result<Option<Vec<u8>>, hyper::Error> {
    let (mut bytes, mut all) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        all += data.len();
        if all <= MAX_BODY {
            bytes.extend_from_slice(&data);
        } else if all <= MAX_DRAINED {
            bytes = Vec::new();
        } else {
            break;
        }
    }
    Ok((all <= MAX_BODY).then_some(bytes))
}

/// Metrics and logs: read to their end, so that the connection can go on, and forgotten.
async fn others(request: Request<Incoming>, shared: &Shared) -> Result<(), Refusal> {
    shared.inbox().count(|tally| tally.others += 1);
    let mut body = Limited::new(request.into_body(), MAX_BODY);
    let forget = async { while body.frame().await.is_some_and(|frame| frame.is_ok()) {} };
    let slow = Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly");
    timeout(shared.limits.body, forget).await.map_err(|_| slow)
}

fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let media = value.split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case(PROTOBUF) {
        return Some(Encoding::Protobuf);
    }
    media.eq_ignore_ascii_case(JSON).then_some(Encoding::Json)
}

/// Whether the body is packed.
fn gzip(headers: &HeaderMap) -> Result<bool, Refusal> {
    let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(false) };
    match value.to_str().unwrap_or_default().trim() {
        "" | "identity" => Ok(false),
        "gzip" => Ok(true),
        _ => {
            let why = "bodies are taken with gzip or unpacked: OTEL_EXPORTER_OTLP_COMPRESSION is gzip or none";
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why))
        }
    }
}

/// `ExportTraceServiceResponse` and its brothers without a word: everything was taken.
fn success(encoding: Encoding) -> Bytes {
    match encoding {
        Encoding::Protobuf => Bytes::new(),
        Encoding::Json => Bytes::from_static(b"{}"),
    }
}

fn reason(encoding: Encoding, message: String) -> Bytes {
    let reason = Reason { message };
    match encoding {
        Encoding::Protobuf => reason.encode_to_vec().into(),
        Encoding::Json => serde_json::to_vec(&reason).unwrap_or_default().into(),
    }
}

fn response(status: StatusCode, encoding: Encoding, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let media = match encoding {
        Encoding::Protobuf => PROTOBUF,
        Encoding::Json => JSON,
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}
