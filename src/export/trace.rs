//! A recorded call as OpenTelemetry spans with the times of the recording. Pure: no span is opened
//! while a call is measured.
//!
//! Langfuse decides the shape: it keeps session, trace name and tags per span, so every span
//! carries them; it ignores span events and links, so there are none; and it shows as time to first
//! token of a `generation` how long it took from its start to `completion_start_time`, so the
//! agent's response starts with the caller's last voiced sample and "completes" from the first
//! audible sample: the time to first token is the latency that was heard. Plain `loadcall.*`
//! attributes say the same to other back ends, in seconds.

mod attributes;
mod checks;
mod context;
mod happenings;
mod summary;
mod turns;
#[cfg(test)]
mod tests;

use std::time::SystemTime;

use jiff::Timestamp;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::experiment::Experiment;
use crate::record::{CallId, CallRecord, Observation, ROOT, RunHead, place_id, trace_id};
use crate::scenario::Scenario;
use crate::time::Offset;
use crate::turn::{CallFacts, Lanes};
use attributes::{Attributes, Kind, Level};
use checks::Check;

pub use summary::item;
pub(super) use summary::{passed, why};

/// Spans of one call. A call of many turns stays far below; what is beyond is left out, and the root says how many.
const MOST_SPANS: usize = 1_000;

/// Why a recording has no traces.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TraceError {
    #[error(
        "the start of the recording, `{0}`, is not an RFC 3339 time, so its spans cannot be dated"
    )]
    StartedAt(String),
}

/// The spans of one call, root first; `facts` is what the recording says of it, and `experiment` the one that the
/// run is, if any.
///
/// Trace and span ids are made from the run's id, the call and the place in the call alone, so a
/// second export of a recording replaces the first instead of doubling it.
pub fn call_spans(
    head: &RunHead,
    scenario: &Scenario,
    call: &CallRecord,
    facts: &CallFacts,
    experiment: Option<&Experiment>,
) -> Result<Vec<SpanData>, TraceError> {
    let start = started_at(head)?;
    let root = span_id(head, call.id, ROOT, 0);
    let root_text = root.to_string();
    let trace = Trace {
        head,
        scenario,
        call,
        facts,
        start,
        lanes: Lanes::of(call, scenario),
        common: context::common(head, scenario, facts, experiment, &root_text),
        agent: scenario.agent().name.as_str(),
    };
    let checks = checks::of_call(call, scenario, facts);
    let mut spans = vec![trace.connect()];
    spans.extend(trace.agent_join());
    let mut shown = Vec::new();
    for turn in &facts.turns {
        if trace.turn(turn, &mut spans) {
            shown.push(turn.step);
        }
    }
    spans.extend(trace.checks(&checks, &shown));
    trace.happenings(&shown, &mut spans);
    let left_out = (spans.len() + 1).saturating_sub(MOST_SPANS);
    spans.truncate(MOST_SPANS - 1);
    spans.insert(0, trace.call(&checks, left_out, experiment.is_some()));
    Ok(spans)
}

/// The id of the observation that a turn's heard latency belongs to.
pub(super) fn response_id(head: &RunHead, call: CallId, step: u32) -> SpanId {
    span_id(head, call, turns::RESPONSE, step)
}

/// The wall clock at offset zero of a recording.
pub fn started_at(head: &RunHead) -> Result<Timestamp, TraceError> {
    head.started_at.parse().map_err(|_| TraceError::StartedAt(head.started_at.clone()))
}

/// One call on its way to spans.
struct Trace<'a> {
    head: &'a RunHead,
    scenario: &'a Scenario,
    call: &'a CallRecord,
    facts: &'a CallFacts,
    start: Timestamp,
    lanes: Lanes,
    /// What every span of the call carries.
    common: Vec<KeyValue>,
    agent: &'a str,
}

/// A span before its ids, times and common attributes are known.
struct Draft {
    name: &'static str,
    /// Where in the call it is: different for each span of a name.
    place: u32,
    parent: Option<SpanId>,
    kind: SpanKind,
    from: Offset,
    until: Offset,
    attributes: Attributes,
}

impl Trace<'_> {
    fn call(&self, checks: &[Check], left_out: usize, in_experiment: bool) -> SpanData {
        let facts = self.facts;
        let mut attributes = Attributes::new(Kind::Span);
        attributes.json("langfuse.observation.input", &summary::input(self.scenario));
        attributes.json("langfuse.observation.output", &summary::output(facts, checks));
        if in_experiment {
            let expected = summary::expected(self.scenario);
            attributes.json("langfuse.experiment.item.expected_output", &expected);
        }
        attributes.text("loadcall.outcome", facts.outcome.name());
        if let Some(passed) = passed(facts) {
            attributes.flag("loadcall.passed", passed);
        }
        if let Some(failure) = &facts.failure {
            attributes.text("loadcall.cause", failure.cause.name());
        }
        attributes.texts("loadcall.spoke", &facts.parties.spoke);
        attributes.count("loadcall.packets_received", facts.packets_received);
        attributes.count("loadcall.packets_lost", facts.packets_lost);
        attributes.seconds("loadcall.largest_gap_s", facts.largest_gap_ms);
        if left_out > 0 {
            attributes.count("loadcall.spans_left_out", left_out as u64);
        }
        match (facts.ok(), passed(facts)) {
            (Some(false), Some(_)) => attributes.failed(Level::Error, why(facts)),
            // Not known, or it says nothing about the agent.
            (Some(false), None) => attributes.failed(Level::Warning, why(facts)),
            (None, _) => attributes.failed(Level::Warning, self.how_it_ended()),
            (Some(true), _) => {}
        }
        if let Some(twins) = &facts.parties.twins {
            let text = format!("{} agents answered at once", twins.who.len());
            attributes.failed(Level::Warning, text);
        }
        self.span(Draft {
            name: ROOT,
            place: 0,
            parent: None,
            kind: SpanKind::Client,
            from: self.call.dialled,
            until: self.call.end.at,
            attributes,
        })
    }

    fn how_it_ended(&self) -> String {
        let end = &self.call.end;
        match end.detail.as_str() {
            "" => end.outcome.name().to_owned(),
            detail => format!("{}: {detail}", end.outcome.name()),
        }
    }

    fn connect(&self) -> SpanData {
        let mut attributes = Attributes::new(Kind::Span);
        attributes.some_text("server.address", host(&self.head.server_url).as_deref());
        match self.facts.connected {
            Some(at) => {
                attributes.seconds("loadcall.connect_delay_s", at.ms_since(self.call.due));
            }
            None => attributes.failed(Level::Error, self.how_it_ended()),
        }
        self.span(Draft {
            name: "loadcall.connect",
            place: 0,
            parent: Some(self.root()),
            kind: SpanKind::Client,
            from: self.call.dialled,
            until: self.facts.connected.unwrap_or(self.call.end.at),
            attributes,
        })
    }

    /// Waiting for the agent; `None` when the caller never came that far.
    fn agent_join(&self) -> Option<SpanData> {
        let CallFacts { connected, agent_joined, agent_ready, .. } = *self.facts;
        let from = connected?;
        let mut attributes = Attributes::new(Kind::Span);
        let identity = self.facts.agent_identity.as_deref();
        attributes.some_text("loadcall.agent_identity", identity);
        if let Some(joined) = agent_joined {
            attributes.seconds("loadcall.agent_join_delay_s", joined.ms_since(self.call.due));
            if let Some(ready) = agent_ready {
                attributes.seconds("loadcall.agent_ready_delay_s", ready.ms_since(joined));
            }
        }
        if agent_ready.is_none() {
            attributes.failed(Level::Error, self.how_it_ended());
        }
        Some(self.span(Draft {
            name: "loadcall.agent_join",
            place: 0,
            parent: Some(self.root()),
            kind: SpanKind::Internal,
            from,
            until: agent_ready.unwrap_or(self.call.end.at),
            attributes,
        }))
    }

    /// When what a step expects was given up.
    fn missed_at(&self, step: u32) -> Option<Offset> {
        let missed = Observation::ExpectationMissed { step };
        self.call.log.iter().find(|seen| seen.what == missed).map(|seen| seen.at)
    }

    fn missed(&self, step: u32) -> bool {
        self.missed_at(step).is_some()
    }

    /// Whether the caller gave up waiting for an agent that said it was busy.
    fn is_stuck(&self) -> bool {
        self.call.log.iter().any(|seen| matches!(seen.what, Observation::AgentStuck { .. }))
    }

    fn span(&self, draft: Draft) -> SpanData {
        let context = SpanContext::new(
            self.trace_id(),
            self.id(draft.name, draft.place),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        );
        let start_time = system(self.wall(draft.from));
        let (mut attributes, fault) = draft.attributes.finish();
        attributes.extend(self.common.iter().cloned());
        SpanData {
            span_context: context,
            parent_span_id: draft.parent.unwrap_or(SpanId::INVALID),
            parent_span_is_remote: false,
            span_kind: draft.kind,
            name: draft.name.into(),
            start_time,
            // A span that ends before it starts is refused with its whole batch.
            end_time: system(self.wall(draft.until)).max(start_time),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: match fault {
                Some((Level::Error, message)) => Status::error(message),
                Some((Level::Warning, _)) | None => Status::Unset,
            },
            instrumentation_scope: InstrumentationScope::builder("loadcall")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }

    /// The wall clock at a moment of the run.
    fn wall(&self, at: Offset) -> Timestamp {
        let since = jiff::SignedDuration::from_micros(at.micros());
        self.start.saturating_add(since).unwrap_or(self.start)
    }

    fn root(&self) -> SpanId {
        self.id(ROOT, 0)
    }

    fn trace_id(&self) -> TraceId {
        TraceId::from_bytes(trace_id(&self.head.run_id, self.call.id))
    }

    fn id(&self, name: &str, place: u32) -> SpanId {
        span_id(self.head, self.call.id, name, place)
    }
}

fn span_id(head: &RunHead, call: CallId, name: &str, place: u32) -> SpanId {
    let hash = place_id(&head.run_id, name, call, place);
    SpanId::from_bytes(std::array::from_fn(|at| hash[at]))
}

/// The server's name, without what else an address holds.
fn host(url: &str) -> Option<String> {
    reqwest::Url::parse(url).ok()?.host_str().map(str::to_owned)
}

/// A wall-clock time as OpenTelemetry has it.
fn system(at: Timestamp) -> SystemTime {
    SystemTime::try_from(at).unwrap_or(SystemTime::UNIX_EPOCH)
}
