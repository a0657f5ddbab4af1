//! Which spans are of one call.

use crate::record::{RunHead, trace_id};
use crate::spans::AgentSpan;
use crate::turn::CallFacts;

/// What a call's spans may be known by. Empty names name nothing.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The session's id, the room's name, the room's id.
    pub names: Vec<String>,
    /// 32 hexadecimal digits.
    pub traces: Vec<String>,
}

impl Wanted {
    /// Of a call that loadcall placed.
    pub fn of_call(head: &RunHead, call: &CallFacts) -> Self {
        let trace = u128::from_be_bytes(trace_id(&head.run_id, call.call));
        let names = [Some(call.room.clone()), call.room_sid.clone()];
        Self { names: names.into_iter().flatten().collect(), traces: vec![format!("{trace:032x}")] }
    }

    /// Those of some spans that are of the call.
    pub fn choose(&self, spans: &[AgentSpan]) -> Vec<AgentSpan> {
        let says: Vec<AgentSpan> = spans.iter().filter(|span| self.says(span)).cloned().collect();
        if says.is_empty() {
            return says;
        }
        let with = self.with_traces_of(&says);
        spans.iter().filter(|span| with.holds(span)).cloned().collect()
    }

    /// Whether a span says that it is of the call; loadcall's own never is.
    pub fn says(&self, span: &AgentSpan) -> bool {
        let is_name = |text: Option<&str>| {
            text.is_some_and(|text| !text.is_empty() && self.names.iter().any(|name| name == text))
        };
        !is_ours(span)
            && (self.traces.iter().any(|trace| trace.eq_ignore_ascii_case(&span.trace_id))
                || is_name(span.session())
                || is_name(span.text("gen_ai.conversation.id"))
                || is_name(span.text("lk.room_id"))
                || is_name(span.text("lk.pii.room_name"))
                || is_name(span.text("lk.room_name")))
    }

    /// The same, with the traces of the spans that say so: those of one trace that name no session are of the same one.
    #[must_use]
    pub fn with_traces_of(&self, spans: &[AgentSpan]) -> Self {
        let mut traces: Vec<String> = spans.iter().map(|span| span.trace_id.clone()).collect();
        traces.sort_unstable();
        traces.dedup();
        Self { names: self.names.clone(), traces }
    }

    /// Whether a span of these traces names no other session.
    pub fn holds(&self, span: &AgentSpan) -> bool {
        let is_nameless = span.session().is_none() && span.text("lk.room_id").is_none();
        !is_ours(span) && (self.says(span) && (is_nameless || self.named(span)))
    }

    fn named(&self, span: &AgentSpan) -> bool {
        let by_name = Self { names: self.names.clone(), traces: Vec::new() };
        self.names.is_empty() || by_name.says(span)
    }
}

fn is_ours(span: &AgentSpan) -> bool {
    span.name.starts_with("loadcall")
}
