use super::*;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Status};
use proptest::prelude::*;

fn pair(key: &str, value: any_value::Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn text(text: &str) -> any_value::Value {
    any_value::Value::StringValue(text.to_owned())
}

fn span(attributes: Vec<KeyValue>) -> Span {
    Span {
        trace_id: vec![10; 16],
        span_id: vec![11; 8],
        name: "llm_node".to_owned(),
        start_time_unix_nano: 1_000,
        end_time_unix_nano: 2_000,
        attributes,
        ..Span::default()
    }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let attributes = vec![pair("service.name", text("agent")), pair("both", text("resource"))];
    let resource = Some(Resource { attributes, ..Resource::default() });
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }
}

/// What both encodings say of the same request.
fn decoded(spans: Vec<Span>) -> Decoded {
    let request = request(spans);
    let protobuf = decode(request.encode_to_vec(), Encoding::Protobuf).unwrap();
    let json = serde_json::to_vec(&request).unwrap();
    assert_eq!(decode(json, Encoding::Json).unwrap(), protobuf);
    protobuf
}

#[test]
fn both_encodings_give_the_same_span() {
    let list = any_value::Value::ArrayValue(ArrayValue {
        values: vec![AnyValue { value: Some(text("a")) }, AnyValue { value: None }],
    });
    let mut sent = span(vec![
        pair("lk.response.ttft", any_value::Value::DoubleValue(0.25)),
        pair("lk.retry_count", any_value::Value::IntValue(1)),
        pair("lk.interrupted", any_value::Value::BoolValue(true)),
        pair("both", text("span")),
        pair("list", list),
        pair("bytes", any_value::Value::BytesValue(vec![0, 255])),
        KeyValue { key: "empty".to_owned(), ..KeyValue::default() },
    ]);
    sent.parent_span_id = vec![12; 8];
    sent.status = Some(Status { code: 2, message: "timed out".to_owned() });
    let Decoded { spans, dropped, cut } = decoded(vec![sent]);
    assert_eq!((spans.len(), dropped, cut), (1, 0, 0));
    let got = &spans[0];
    assert_eq!(
        (got.trace_id.as_str(), got.span_id.as_str()),
        (&*"0a".repeat(16), &*"0b".repeat(8))
    );
    assert_eq!(got.parent_id.as_deref(), Some(&*"0c".repeat(8)));
    assert_eq!((got.begin_ns, got.end_ns, got.error.as_deref()), (1_000, 2_000, Some("timed out")));
    assert_eq!(got.number("lk.response.ttft"), Some(0.25));
    assert_eq!(got.attribute("lk.retry_count"), Some(&Value::Whole(1)));
    assert_eq!(got.attribute("lk.interrupted"), Some(&Value::Yes(true)));
    assert_eq!((got.text("both"), got.text("service.name")), (Some("span"), Some("agent")));
    assert_eq!((got.text("list"), got.text("bytes")), (Some(r#"["a",null]"#), Some("AP8=")));
    assert_eq!(got.attribute("empty"), None);
}

#[test]
fn what_makes_no_sense_is_left_out_and_counted() {
    let no_trace = Span { trace_id: vec![0; 16], ..span(Vec::new()) };
    let short_id = Span { span_id: vec![1; 4], ..span(Vec::new()) };
    let backwards = Span { end_time_unix_nano: 10, ..span(Vec::new()) };
    let root = Span { parent_span_id: vec![0; 8], ..span(Vec::new()) };
    let got = decoded(vec![no_trace, short_id, backwards, root]);
    assert_eq!((got.spans.len(), got.dropped), (1, 3));
    assert_eq!(got.spans[0].parent_id, None);
}

#[test]
fn long_texts_and_many_attributes_are_cut_and_counted() {
    let many = (0..200).map(|n| pair(&format!("k{n}"), any_value::Value::IntValue(n)));
    let attributes = std::iter::once(pair("long", text(&"x".repeat(5_000)))).chain(many).collect();
    let got = decoded(vec![span(attributes)]);
    assert_eq!(got.cut, 1 + (201 - MAX_ATTRIBUTES as u64));
    let long = got.spans[0].text("long").unwrap();
    assert!(
        long.starts_with("xxx") && long.chars().count() <= LONGEST_TEXT + 1 && long.ends_with('…')
    );
    // Those of the resource come on top.
    assert_eq!(got.spans[0].attributes.len(), MAX_ATTRIBUTES + 2);
}

#[test]
fn lists_within_lists_are_followed_to_a_depth() {
    let mut value = text("deep");
    for _ in 0..20 {
        let inner = AnyValue { value: Some(value) };
        value = any_value::Value::ArrayValue(ArrayValue { values: vec![inner] });
    }
    let got = decoded(vec![span(vec![pair("a", value)])]);
    assert_eq!(got.spans[0].text("a"), Some("[[[[[[[[null]]]]]]]]"));
}

#[test]
fn a_huge_span_costs_itself_and_no_other() {
    let huge = span(vec![pair("a", text(&"x".repeat(MAX_SPAN)))]);
    let body = request(vec![huge, span(Vec::new())]).encode_to_vec();
    let got = decode(body, Encoding::Protobuf).unwrap();
    assert_eq!((got.spans.len(), got.dropped), (1, 1));
}

#[test]
fn empty_spans_by_the_million_are_counted() {
    // Two bytes each.
    let spans = OfScope { spans: vec![Bytes::new(); 1_000_000] }.encode_to_vec();
    let of_resource = OfResource { resource: None, scope_spans: vec![Bytes::from(spans)] };
    let body = Request { resource_spans: vec![Bytes::from(of_resource.encode_to_vec())] };
    let got = decode(body.encode_to_vec(), Encoding::Protobuf).unwrap();
    assert_eq!((got.spans.len(), got.dropped), (0, 1_000_000));
}

#[test]
fn a_bomb_is_not_unpacked() {
    use std::io::Write as _;
    let packed = |bytes: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    assert_eq!(unpack(&packed(b"hello")).unwrap(), b"hello");
    let bomb = packed(&vec![0; 4 * MAX_BODY]);
    assert!(bomb.len() < 100_000);
    assert_eq!(unpack(&bomb), Err(OtlpError::TooLarge));
    assert!(matches!(unpack(b"hello"), Err(OtlpError::Gzip(_))));
    let cut = packed(b"hello");
    assert!(matches!(unpack(&cut[..cut.len() - 3]), Err(OtlpError::Gzip(_))));
}

#[test]
fn what_is_no_request_is_refused_with_a_reason() {
    let json = decode(b"{\"resourceSpans\": 1}".to_vec(), Encoding::Json).unwrap_err();
    assert!(json.to_string().starts_with("not OTLP traces in JSON: invalid type"), "{json}");
    let protobuf = decode(b"\x0a\xff".to_vec(), Encoding::Protobuf).unwrap_err();
    assert!(matches!(protobuf, OtlpError::Protobuf(_)), "{protobuf}");
    assert_eq!(decode(vec![b' '; MAX_BODY + 1], Encoding::Json), Err(OtlpError::TooLarge));
    assert_eq!(decode(Vec::new(), Encoding::Protobuf), Ok(Decoded::default()));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = unpack(&bytes);
        let _ = decode(bytes.clone(), Encoding::Protobuf);
        let _ = decode(bytes, Encoding::Json);
    }

    #[test]
    fn a_damaged_request_is_an_error_or_read(at in 0_usize..100, byte in any::<u8>()) {
        let attributes = vec![pair("lk.retry_count", any_value::Value::IntValue(1))];
        let mut body = request(vec![span(attributes)]).encode_to_vec();
        let at = at % body.len();
        body[at] = byte;
        let _ = decode(body, Encoding::Protobuf);
    }
}
