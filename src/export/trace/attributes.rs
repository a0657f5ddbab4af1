//! The attributes of spans, under the names Langfuse reads and bounded in size.

use opentelemetry::{Array, KeyValue, StringValue, Value};

use crate::text::safe;

/// Characters of one text; what is beyond is cut off, with an ellipsis.
const TEXT_LIMIT: usize = 4_000;
/// Characters of a text in a list or a summary.
const SHORT_LIMIT: usize = 200;
/// Texts in one list.
const LIST_LIMIT: usize = 20;

/// What Langfuse shows a span as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Span,
    Chain,
    Generation,
    Tool,
    /// A moment.
    Event,
    /// A check of something that was expected.
    Evaluator,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Warning,
    Error,
}

/// The attributes of one span.
pub(super) struct Attributes {
    list: Vec<KeyValue>,
    fault: Option<(Level, String)>,
}

impl Attributes {
    pub(super) fn new(kind: Kind) -> Self {
        let kind = match kind {
            Kind::Span => "span",
            Kind::Chain => "chain",
            Kind::Generation => "generation",
            Kind::Tool => "tool",
            Kind::Event => "event",
            Kind::Evaluator => "evaluator",
        };
        Self { list: vec![KeyValue::new("langfuse.observation.type", kind)], fault: None }
    }

    pub(super) fn text(&mut self, key: &'static str, text: &str) {
        self.list.push(KeyValue::new(key, clipped(text)));
    }

    /// A document, whole: cut off it would be none. Its maker bounds it.
    pub(super) fn json(&mut self, key: &'static str, document: &serde_json::Value) {
        self.list.push(KeyValue::new(key, document.to_string()));
    }

    pub(super) fn some_text(&mut self, key: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    pub(super) fn flag(&mut self, key: &'static str, flag: bool) {
        self.list.push(KeyValue::new(key, flag));
    }

    /// A list; nothing when it is empty.
    pub(super) fn texts(&mut self, key: &'static str, texts: &[String]) {
        if !texts.is_empty() {
            self.list.push(KeyValue::new(key, strings(texts.iter().take(LIST_LIMIT))));
        }
    }

    pub(super) fn count(&mut self, key: &'static str, count: u64) {
        self.list.push(KeyValue::new(key, i64::try_from(count).unwrap_or(i64::MAX)));
    }

    /// Milliseconds as seconds, OpenTelemetry's unit of time.
    pub(super) fn seconds(&mut self, key: &str, ms: f64) {
        self.list.push(KeyValue::new(key.to_owned(), ms / 1_000.0));
    }

    /// Marks the span. A graver mark stays.
    pub(super) fn failed(&mut self, level: Level, message: String) {
        if self.fault.as_ref().is_none_or(|(known, _)| *known < level) {
            self.fault = Some((level, message));
        }
    }

    pub(super) fn finish(mut self) -> (Vec<KeyValue>, Option<(Level, String)>) {
        let fault = self.fault.map(|(level, message)| (level, clipped(&message)));
        if let Some((level, message)) = &fault {
            let level = match level {
                Level::Warning => "WARNING",
                Level::Error => "ERROR",
            };
            self.list.push(KeyValue::new("langfuse.observation.level", level));
            self.list.push(KeyValue::new("langfuse.observation.status_message", message.clone()));
        }
        (self.list, fault)
    }
}

pub(super) fn short(text: &str) -> String {
    limited(text, SHORT_LIMIT)
}

/// The text within [`TEXT_LIMIT`].
pub(super) fn clipped(text: &str) -> String {
    limited(text, TEXT_LIMIT)
}

/// The text on one line, within a limit, and without NUL, which databases refuse.
fn limited(text: &str, limit: usize) -> String {
    let harmless = safe(&crate::text::clipped(text, limit).replace('\0', "\u{fffd}"));
    crate::text::clipped(&harmless, limit)
}

/// Texts as one value.
pub(super) fn strings<'a>(texts: impl Iterator<Item = &'a String>) -> Value {
    Value::Array(Array::String(texts.map(|text| StringValue::from(short(text))).collect()))
}
