//! What a backend's answer says, protobuf or JSON.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

/// What an answer that took the spans says of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Spans that were rejected all the same.
    pub(super) rejected: u64,
    pub(super) message: String,
}

/// What the body of a 200 says. One that cannot be read says nothing: Langfuse answers with its own JSON.
pub(super) fn taken(body: &[u8], content_type: &str) -> Taken {
    if content_type.contains("json") {
        return taken_json(body).unwrap_or_default();
    }
    let response = ExportTraceServiceResponse::decode(body).ok();
    let partial = response.and_then(|response| response.partial_success).unwrap_or_default();
    Taken {
        rejected: u64::try_from(partial.rejected_spans).unwrap_or(0),
        message: partial.error_message,
    }
}

/// The same from JSON, where some write a number of 64 bits as a text, as protobuf wants it, and some do not.
fn taken_json(body: &[u8]) -> Option<Taken> {
    let response: serde_json::Value = serde_json::from_slice(body).ok()?;
    let partial = response.get("partialSuccess")?;
    let rejected = partial.get("rejectedSpans")?;
    let rejected = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok())?;
    let message = partial.get("errorMessage").and_then(serde_json::Value::as_str);
    Some(Taken { rejected, message: message.unwrap_or_default().to_owned() })
}

/// `google.rpc.Status`, which OTLP answers with where it refuses.
#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
}

/// What the body of a refusal says, in whatever form it came.
pub(super) fn said(body: &[u8], content_type: &str) -> String {
    let text = || String::from_utf8_lossy(body).into_owned();
    if content_type.contains("protobuf") {
        return Status::decode(body).map_or_else(|_| text(), |status| status.message);
    }
    let message = serde_json::from_slice::<serde_json::Value>(body).ok();
    let message = message.and_then(|json| Some(json.get("message")?.as_str()?.to_owned()));
    message.unwrap_or_else(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_in_every_form() {
        let partial = br#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}"#;
        let two = Taken { rejected: 2, message: "too old".to_owned() };
        assert_eq!(taken(partial, "application/json"), two);
        let number = br#"{"partialSuccess":{"rejectedSpans":2,"errorMessage":"too old"}}"#;
        assert_eq!(taken(number, "application/json"), two);
        let mut bytes = vec![0x0a, 11, 0x08, 2, 0x12, 7];
        bytes.extend(b"too old");
        assert_eq!(taken(&bytes, "application/x-protobuf"), two);
        for other in [&b""[..], b"{}", b"{\"jobs\":[]}", b"\xff\xff"] {
            assert_eq!(taken(other, "application/json"), Taken::default());
            assert_eq!(taken(other, "application/x-protobuf"), Taken::default());
        }
        assert_eq!(said(b"\x12\x03bad", "application/x-protobuf"), "bad");
        assert_eq!(said(br#"{"code":3,"message":"bad"}"#, "application/json"), "bad");
        assert_eq!(said(b"<html>bad", "text/html"), "<html>bad");
    }
}
