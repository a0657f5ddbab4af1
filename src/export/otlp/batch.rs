//! What goes into one request: whole calls up to a limit, and halves of it where that is too much. Pure.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_sdk::trace::SpanData;
use prost::Message as _;

use super::Limits;
use crate::record::CallId;

/// The spans of one call.
#[derive(Debug, Clone, PartialEq)]
pub struct CallSpans {
    pub(super) call: CallId,
    pub(super) spans: Vec<Weighed>,
}

/// A span and its size.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weighed {
    pub(super) span: SpanData,
    /// As protobuf.
    bytes: usize,
}

impl CallSpans {
    pub fn new(call: CallId, spans: Vec<SpanData>) -> Self {
        let weighed =
            |span: SpanData| Weighed { bytes: Span::from(span.clone()).encoded_len(), span };
        Self { call, spans: spans.into_iter().map(weighed).collect() }
    }

    fn bytes(&self) -> usize {
        self.spans.iter().map(|weighed| weighed.bytes).sum()
    }
}

/// Calls that are sent together. Holds at least one call, however large.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) calls: Vec<CallSpans>,
    spans: usize,
    bytes: usize,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    pub fn ids(&self) -> Vec<CallId> {
        self.calls.iter().map(|call| call.call).collect()
    }

    /// Adds a call, or gives it back when it belongs into the next batch.
    pub fn add(&mut self, call: CallSpans, limits: Limits) -> Option<CallSpans> {
        let (spans, bytes) = (self.spans + call.spans.len(), self.bytes + call.bytes());
        if !self.is_empty() && (spans > limits.spans || bytes > limits.bytes) {
            return Some(call);
        }
        (self.spans, self.bytes) = (spans, bytes);
        self.calls.push(call);
        None
    }

    /// As requests within the limits: one, unless a single call is too large for it.
    pub(super) fn requests(self, limits: Limits) -> Vec<Request> {
        if self.calls.len() > 1 {
            return vec![Request(self.calls)];
        }
        let mut waiting: Vec<Request> = vec![Request(self.calls)];
        let mut within = Vec::new();
        while let Some(request) = waiting.pop() {
            let fits = request.span_count() <= limits.spans && request.bytes() <= limits.bytes;
            match if fits { Err(request) } else { request.halves() } {
                Ok([first, second]) => waiting.extend([second, first]),
                Err(request) => within.push(request),
            }
        }
        within
    }
}

/// The spans of one request, in parts of one call each. Never empty.
#[derive(Debug)]
pub(super) struct Request(pub(super) Vec<CallSpans>);

impl Request {
    pub(super) fn span_count(&self) -> usize {
        self.0.iter().map(|call| call.spans.len()).sum()
    }

    /// As protobuf, before compression.
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(CallSpans::bytes).sum()
    }

    pub(super) fn spans(&self) -> Vec<SpanData> {
        self.0.iter().flat_map(|call| &call.spans).map(|weighed| weighed.span.clone()).collect()
    }

    /// Two requests in place of one, at the border of a call where there is one; the request itself when it holds a single
    /// span.
    pub(super) fn halves(mut self) -> Result<[Self; 2], Self> {
        if self.0.len() > 1 {
            let second = self.0.split_off(self.0.len() / 2);
            return Ok([self, Self(second)]);
        }
        match self.0.as_mut_slice() {
            [call] if call.spans.len() > 1 => {
                let spans = call.spans.split_off(call.spans.len() / 2);
                let second = Self(vec![CallSpans { call: call.call, spans }]);
                Ok([self, second])
            }
            _ => Err(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};
    use std::time::UNIX_EPOCH;

    use super::*;

    fn call(id: u32, spans: usize) -> CallSpans {
        let span = |n: usize| SpanData {
            span_context: SpanContext::empty_context(),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: format!("s{n:02}").into(),
            start_time: UNIX_EPOCH,
            end_time: UNIX_EPOCH,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: opentelemetry::InstrumentationScope::default(),
        };
        CallSpans::new(CallId(id), (0..spans).map(span).collect())
    }

    fn shape(requests: &[Request]) -> Vec<Vec<(u32, usize)>> {
        let of = |request: &Request| {
            request.0.iter().map(|call| (call.call.0, call.spans.len())).collect()
        };
        requests.iter().map(of).collect()
    }

    #[test]
    fn calls_go_together_until_one_is_too_many() {
        let limits = Limits { spans: 10, bytes: 1_000 };
        let mut batch = Batch::default();
        assert!(batch.add(call(0, 4), limits).is_none());
        assert!(batch.add(call(1, 6), limits).is_none());
        assert_eq!(batch.add(call(2, 1), limits), Some(call(2, 1)));
        assert_eq!(batch.ids(), [CallId(0), CallId(1)]);
        assert_eq!(shape(&batch.requests(limits)), [[(0, 4), (1, 6)]]);
        // Bytes count as well.
        let small = Limits { spans: 10, bytes: call(0, 2).bytes() };
        let mut batch = Batch::default();
        assert!(batch.add(call(0, 2), small).is_none());
        assert!(batch.add(call(1, 1), small).is_some());
    }

    #[test]
    fn a_call_that_is_too_large_alone_becomes_several_requests_in_order() {
        let limits = Limits { spans: 10, bytes: 1_000 };
        let mut batch = Batch::default();
        assert!(batch.add(call(7, 25), limits).is_none());
        let requests = batch.requests(limits);
        assert_eq!(shape(&requests), [[(7, 6)], [(7, 6)], [(7, 6)], [(7, 7)]]);
        let spans: Vec<SpanData> = requests.iter().flat_map(Request::spans).collect();
        assert_eq!(spans, Request(vec![call(7, 25)]).spans());
    }

    #[test]
    fn halves_end_at_one_span() {
        let request = Request(vec![call(0, 3), call(1, 1), call(2, 2)]);
        let [first, second] = request.halves().unwrap();
        assert_eq!(shape(&[first, second]), [vec![(0, 3)], vec![(1, 1), (2, 2)]]);
        let mut waiting = vec![Request(vec![call(0, 5)])];
        let mut single = 0;
        while let Some(request) = waiting.pop() {
            match request.halves() {
                Ok(halves) => waiting.extend(halves),
                Err(request) => single += request.span_count(),
            }
        }
        assert_eq!(single, 5);
    }
}
