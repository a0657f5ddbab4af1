//! A single span, to see whether a backend takes spans.

use std::time::SystemTime;

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::otlp::CallSpans;
use crate::record::{CallId, place_id, trace_id};

/// What the span is called, and its session.
const NAME: &str = "loadcall.doctor";

/// A trace of one span, and its id: 32 hexadecimal digits. `id` makes it another one each time.
pub fn trace(id: &str, now: SystemTime) -> (String, CallSpans) {
    let call = CallId(0);
    let trace = TraceId::from_bytes(trace_id(id, call));
    let hash = place_id(id, NAME, call, 0);
    let span = SpanId::from_bytes(std::array::from_fn(|at| hash[at]));
    let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default());
    let attributes =
        [("session.id", id), ("langfuse.trace.name", NAME), ("langfuse.observation.type", "span")];
    let span = SpanData {
        span_context: context,
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Client,
        name: NAME.into(),
        start_time: now,
        end_time: now,
        attributes: attributes.map(|(key, value)| KeyValue::new(key, value.to_owned())).to_vec(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("loadcall")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    };
    (trace.to_string(), CallSpans::new(call, vec![span]))
}
