//! OTLP traces, protobuf or JSON → spans. What was sent may be anything: it is read a span at a time, texts are cut to a
//! length, and whatever is left out is counted.

mod value;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode};
use prost::Message as _;
use prost::bytes::Bytes;
use serde::Deserialize;

use super::{AgentSpan, Value};
use crate::text::{clipped, safe};

/// The largest body that is read, unpacked, in bytes: a batch of Python's exporter has 512 spans, each of a few
/// kilobytes, some of a whole conversation.
pub const MAX_BODY: usize = 16 << 20;
/// The largest span that is read, in bytes.
const MAX_SPAN: usize = 2 << 20;
/// Spans that are read of a body.
const MAX_SPANS: usize = 50_000;
/// Attributes that are kept of a span and of its resource; SDKs send at most 128 of each.
const MAX_ATTRIBUTES: usize = 128;
/// Characters that are kept of a name and of a text.
const LONGEST_NAME: usize = 200;
const LONGEST_TEXT: usize = 2_000;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Protobuf,
    Json,
}

/// What a body held.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decoded {
    pub spans: Vec<AgentSpan>,
    /// Spans that were left out: too large, too many, without ids, or ended before they began.
    pub dropped: u64,
    /// Texts that were cut, and attributes that were left out as too many.
    pub cut: u64,
}

/// Why a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OtlpError {
    #[error("not OTLP traces in protobuf: {0}")]
    Protobuf(String),
    #[error("not OTLP traces in JSON: {0}")]
    Json(String),
    #[error("not gzip: {0}")]
    Gzip(String),
    #[error("more than {} MiB when it is unpacked", MAX_BODY >> 20)]
    TooLarge,
}

/// Unpacks a body that was sent with gzip.
///
/// # Errors
/// It is no gzip, or holds more than [`MAX_BODY`].
pub fn unpack(packed: &[u8]) -> Result<Vec<u8>, OtlpError> {
    let mut bytes = Vec::new();
    let limit = MAX_BODY as u64 + 1;
    flate2::read::MultiGzDecoder::new(packed)
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|e| OtlpError::Gzip(e.to_string()))?;
    if bytes.len() > MAX_BODY { Err(OtlpError::TooLarge) } else { Ok(bytes) }
}

/// Reads the body of a request, or what a collector wrote of one.
///
/// # Errors
/// It is not what it is said to be, or larger than [`MAX_BODY`].
pub fn decode(body: Vec<u8>, encoding: Encoding) -> Result<Decoded, OtlpError> {
    if body.len() > MAX_BODY {
        return Err(OtlpError::TooLarge);
    }
    match encoding {
        Encoding::Protobuf => from_protobuf(Bytes::from(body)),
        Encoding::Json => from_json(&body),
    }
}

/// The outer messages of OTLP, with what they hold left as bytes: an empty span is two bytes on the wire and hundreds in
/// memory, so spans are read one by one.
#[derive(Clone, PartialEq, prost::Message)]
struct Request {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    resource_spans: Vec<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct OfResource {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    scope_spans: Vec<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct OfScope {
    #[prost(bytes = "bytes", repeated, tag = "2")]
    spans: Vec<Bytes>,
}

fn from_protobuf(body: Bytes) -> Result<Decoded, OtlpError> {
    let wrong = |e: prost::DecodeError| OtlpError::Protobuf(e.to_string());
    let mut decoded = Decoded::default();
    for of_resource in Request::decode(body).map_err(wrong)?.resource_spans {
        let of_resource = OfResource::decode(of_resource).map_err(wrong)?;
        let resource = decoded.resource(of_resource.resource);
        for of_scope in of_resource.scope_spans {
            for span in OfScope::decode(of_scope).map_err(wrong)?.spans {
                if span.len() > MAX_SPAN || decoded.spans.len() >= MAX_SPANS {
                    decoded.dropped += 1;
                } else {
                    decoded.add(Span::decode(span).map_err(wrong)?, &resource);
                }
            }
        }
    }
    Ok(decoded)
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct JsonRequest {
    resource_spans: Vec<JsonOfResource>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct JsonOfResource {
    resource: Option<Resource>,
    scope_spans: Vec<JsonOfScope>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct JsonOfScope {
    spans: Vec<Span>,
}

fn from_json(body: &[u8]) -> Result<Decoded, OtlpError> {
    let wrong = |e: serde_json::Error| OtlpError::Json(safe(&e.to_string()));
    let request: JsonRequest = serde_json::from_slice(body).map_err(wrong)?;
    let mut decoded = Decoded::default();
    for of_resource in request.resource_spans {
        let resource = decoded.resource(of_resource.resource);
        for span in of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans) {
            if decoded.spans.len() >= MAX_SPANS {
                decoded.dropped += 1;
            } else {
                decoded.add(span, &resource);
            }
        }
    }
    Ok(decoded)
}

impl Decoded {
    fn resource(&mut self, resource: Option<Resource>) -> BTreeMap<String, Value> {
        self.attributes(resource.map(|resource| resource.attributes).unwrap_or_default())
    }

    fn add(&mut self, span: Span, resource: &BTreeMap<String, Value>) {
        let (Some(trace_id), Some(span_id)) = (id(&span.trace_id, 16), id(&span.span_id, 8)) else {
            self.dropped += 1;
            return;
        };
        if span.end_time_unix_nano < span.start_time_unix_nano {
            self.dropped += 1;
            return;
        }
        let error = span.status.filter(|status| status.code == StatusCode::Error as i32);
        let error = error.map(|status| self.text(&status.message, LONGEST_TEXT));
        let mut attributes = self.attributes(span.attributes);
        for (name, value) in resource {
            attributes.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let span = AgentSpan {
            trace_id,
            span_id,
            parent_id: id(&span.parent_span_id, 8),
            name: self.text(&span.name, LONGEST_NAME),
            begin_ns: span.start_time_unix_nano,
            end_ns: span.end_time_unix_nano,
            attributes,
            error,
        };
        self.spans.push(span);
    }

    fn attributes(&mut self, all: Vec<KeyValue>) -> BTreeMap<String, Value> {
        self.cut += all.len().saturating_sub(MAX_ATTRIBUTES) as u64;
        let mut kept = BTreeMap::new();
        for KeyValue { key, value, .. } in all.into_iter().take(MAX_ATTRIBUTES) {
            // An attribute without a value says nothing.
            let Some(value) = value.and_then(value::of) else { continue };
            let value = match value {
                Value::Text(text) => Value::Text(self.text(&text, LONGEST_TEXT)),
                Value::Yes(_) | Value::Whole(_) | Value::Number(_) => value,
            };
            kept.insert(self.text(&key, LONGEST_NAME), value);
        }
        kept
    }

    fn text(&mut self, text: &str, longest: usize) -> String {
        let kept = clipped(text, longest);
        self.cut += u64::from(kept.len() != text.len());
        kept
    }
}

/// An id of that many bytes in hexadecimal digits; zeros are none.
fn id(bytes: &[u8], length: usize) -> Option<String> {
    if bytes.len() != length || bytes.iter().all(|byte| *byte == 0) {
        return None;
    }
    let mut hex = String::with_capacity(2 * length);
    for byte in bytes {
        let _ = write!(hex, "{byte:02x}");
    }
    Some(hex)
}

#[cfg(test)]
mod tests;
