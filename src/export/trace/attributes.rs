//! The attributes of spans, under the names Langfuse reads and bounded in size.

use opentelemetry::{Array, KeyValue, StringValue, Value};
use serde_json::json;

use crate::record::{CallRecord, Observation, RunHead};
use crate::scenario::{Act, Scenario};
use crate::turn::{Reply, Turn};

/// Characters of one text; what is beyond is cut off, with an ellipsis.
const TEXT_LIMIT: usize = 4_000;
/// Characters of a text in a list or a summary.
const SHORT_LIMIT: usize = 200;
/// Texts in one list.
const LIST_LIMIT: usize = 20;
/// Turns in the summary of a call.
const SUMMARY_TURNS: usize = 100;

/// What Langfuse shows a span as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Span,
    Chain,
    Generation,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// Marks the span.
    pub(super) fn failed(&mut self, level: Level, message: String) {
        self.fault = Some((level, message));
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

/// What every span of a call carries: Langfuse keeps these per span, and joins the agent's own
/// traces by the session, which is the room's name on both sides.
pub(super) fn common(head: &RunHead, scenario: &Scenario, call: &CallRecord) -> Vec<KeyValue> {
    let tags = [
        "loadcall".to_owned(),
        format!("scenario:{}", scenario.name()),
        format!("run:{}", head.run_id),
    ];
    let mut list = vec![
        KeyValue::new("session.id", clipped(&call.room)),
        KeyValue::new("langfuse.trace.name", clipped(scenario.name())),
        KeyValue::new("langfuse.trace.tags", strings(tags.iter())),
        KeyValue::new("langfuse.trace.metadata.scenario", clipped(scenario.name())),
        KeyValue::new("langfuse.trace.metadata.run_id", clipped(&head.run_id)),
        KeyValue::new("langfuse.trace.metadata.call_id", call.id.0.to_string()),
        KeyValue::new("langfuse.trace.metadata.room_name", clipped(&call.room)),
        KeyValue::new("langfuse.trace.metadata.agent_name", clipped(&scenario.agent().name)),
    ];
    let sid = call.log.iter().find_map(|stamped| {
        if let Observation::Connected { room_sid, .. } = &stamped.what {
            Some(room_sid)
        } else {
            None
        }
    });
    list.extend(sid.map(|sid| KeyValue::new("langfuse.trace.metadata.room_sid", clipped(sid))));
    list
}

/// The script in short. Not the scenario's text: the metadata it hands to the agent may be secret.
pub(super) fn call_input(scenario: &Scenario) -> serde_json::Value {
    let steps: Vec<_> = scenario
        .steps()
        .iter()
        .take(SUMMARY_TURNS)
        .map(|step| {
            let says = match &step.act {
                Act::Say { clip, .. } => Some(clip.text.as_deref().unwrap_or(&clip.file)),
                Act::Listen | Act::Silence { .. } => None,
            };
            json!({"turn": short(&step.id), "says": says.map(short)})
        })
        .collect();
    json!({
        "scenario": short(scenario.name()),
        "agent": short(&scenario.agent().name),
        "turns": steps,
    })
}

/// How it went in short.
pub(super) fn call_output(call: &CallRecord, turns: &[&Turn]) -> serde_json::Value {
    let turns: Vec<_> = turns
        .iter()
        .take(SUMMARY_TURNS)
        .map(|turn| {
            let (what, ms) = match turn.reply {
                Reply::Greeted { latency_ms, .. } | Reply::Heard { latency_ms, .. } => {
                    ("heard_ms", Some(latency_ms))
                }
                Reply::Yielded { yield_ms } => ("yield_ms", Some(yield_ms)),
                Reply::Unanswered { waited_ms } => ("unanswered_for_ms", Some(waited_ms)),
                Reply::DidNotYield { waited_ms } => ("did_not_yield_for_ms", Some(waited_ms)),
                Reply::Disturbed { after_ms, .. } => ("disturbed_after_ms", Some(after_ms)),
                Reply::Ignored => ("disturbed", None),
                Reply::CutIn { early_ms, .. } => ("cut_in_ms", Some(early_ms)),
                Reply::NotAwaited => ("awaited", None),
                Reply::NotTested => ("tested", None),
                Reply::NotReached => ("reached", None),
            };
            let result = ms.map_or(json!(false), |ms| json!(ms.round()));
            json!({"turn": short(&turn.id), what: result})
        })
        .collect();
    json!({
        "outcome": call.end.outcome.name(),
        "detail": short(&call.end.detail),
        "turns": turns,
    })
}

fn short(text: &str) -> String {
    limited(text, SHORT_LIMIT)
}

/// The text within [`TEXT_LIMIT`].
pub(super) fn clipped(text: &str) -> String {
    limited(text, TEXT_LIMIT)
}

/// The text within a limit, without NUL, which databases refuse.
fn limited(text: &str, limit: usize) -> String {
    crate::text::clipped(text, limit).replace('\0', "\u{fffd}")
}

fn strings<'a>(texts: impl Iterator<Item = &'a String>) -> Value {
    Value::Array(Array::String(texts.map(|text| StringValue::from(short(text))).collect()))
}
