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

use crate::record::{CallRecord, Observation, Outcome, ROOT, RunHead, place_id, trace_id};
use crate::scenario::Scenario;
use crate::time::Offset;
use crate::turn::Turn;
use attributes::{Attributes, Kind, Level};

/// Why a recording has no traces.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TraceError {
    #[error(
        "the start of the recording, `{0}`, is not an RFC 3339 time, so its spans cannot be dated"
    )]
    StartedAt(String),
}

/// The spans of one call, root first; `turns` may be those of the whole run.
///
/// Trace and span ids are made from the run's id, the call and the place in the call alone, so a
/// second export of a recording replaces the first instead of doubling it.
pub fn call_spans(
    head: &RunHead,
    scenario: &Scenario,
    call: &CallRecord,
    turns: &[Turn],
) -> Result<Vec<SpanData>, TraceError> {
    let start = started_at(head)?;
    let trace = Trace {
        head,
        call,
        start,
        moments: Moments::of(call),
        common: attributes::common(head, scenario, call),
        agent: scenario.agent().name.as_str(),
    };
    let turns: Vec<&Turn> = turns.iter().filter(|turn| turn.call == call.id).collect();
    let mut spans = vec![trace.call(scenario, &turns), trace.connect()];
    spans.extend(trace.agent_join());
    for turn in turns {
        trace.turn(turn, &mut spans);
    }
    Ok(spans)
}

/// The wall clock at offset zero of a recording.
pub fn started_at(head: &RunHead) -> Result<Timestamp, TraceError> {
    head.started_at.parse().map_err(|_| TraceError::StartedAt(head.started_at.clone()))
}

/// The moments of a call that spans begin and end at.
#[derive(Default)]
struct Moments<'a> {
    connected: Option<Offset>,
    agent: Option<(Offset, &'a str)>,
    ready: Option<Offset>,
    /// Steps whose expectation was missed.
    missed: Vec<u32>,
}

impl<'a> Moments<'a> {
    fn of(call: &'a CallRecord) -> Self {
        let mut moments = Self::default();
        for stamped in &call.log {
            #[expect(clippy::wildcard_enum_match_arm, reason = "four facts of many are wanted")]
            match &stamped.what {
                Observation::Connected { .. } => {
                    moments.connected.get_or_insert(stamped.at);
                }
                Observation::AgentJoined { identity } => {
                    moments.agent.get_or_insert((stamped.at, identity));
                }
                Observation::AgentTrackSubscribed => {
                    moments.ready.get_or_insert(stamped.at);
                }
                Observation::ExpectationMissed { step } => moments.missed.push(*step),
                _ => {}
            }
        }
        moments
    }
}

/// One call on its way to spans.
struct Trace<'a> {
    head: &'a RunHead,
    call: &'a CallRecord,
    start: Timestamp,
    moments: Moments<'a>,
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
    fn call(&self, scenario: &Scenario, turns: &[&Turn]) -> SpanData {
        let end = &self.call.end;
        let mut attributes = Attributes::new(Kind::Span);
        attributes.json("langfuse.observation.input", &attributes::call_input(scenario));
        attributes.json("langfuse.observation.output", &attributes::call_output(self.call, turns));
        attributes.text("loadcall.outcome", end.outcome.name());
        attributes.count("loadcall.packets_received", self.call.media.packets_received);
        attributes.count("loadcall.packets_lost", self.call.media.packets_lost);
        let level = match end.outcome {
            Outcome::Answered => None,
            // Says nothing about the agent.
            Outcome::Stopped => Some(Level::Warning),
            Outcome::NoAgent
            | Outcome::AgentLate
            | Outcome::AgentLeft
            | Outcome::NoGreeting
            | Outcome::NoAnswer
            | Outcome::ConnectionLost
            | Outcome::Refused
            | Outcome::OurFault => Some(Level::Error),
        };
        if let Some(level) = level {
            attributes.failed(level, self.how_it_ended());
        }
        self.span(Draft {
            name: ROOT,
            place: 0,
            parent: None,
            kind: SpanKind::Client,
            from: self.call.dialled,
            until: end.at,
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
        attributes.text("server.address", &self.head.server_url);
        match self.moments.connected {
            Some(at) => {
                attributes.seconds("loadcall.connect_delay_s", at.ms_since(self.call.dialled));
            }
            None => attributes.failed(Level::Error, self.how_it_ended()),
        }
        self.span(Draft {
            name: "loadcall.connect",
            place: 0,
            parent: Some(self.root()),
            kind: SpanKind::Client,
            from: self.call.dialled,
            until: self.moments.connected.unwrap_or(self.call.end.at),
            attributes,
        })
    }

    /// Waiting for the agent; `None` when the caller never came that far.
    fn agent_join(&self) -> Option<SpanData> {
        let from = self.moments.connected?;
        let mut attributes = Attributes::new(Kind::Span);
        if let Some((joined, identity)) = self.moments.agent {
            attributes.text("loadcall.agent_identity", identity);
            attributes.seconds("loadcall.agent_join_delay_s", joined.ms_since(self.call.dialled));
            if let Some(ready) = self.moments.ready {
                attributes.seconds("loadcall.agent_ready_delay_s", ready.ms_since(joined));
            }
        }
        if self.moments.ready.is_none() {
            attributes.failed(Level::Error, self.how_it_ended());
        }
        Some(self.span(Draft {
            name: "loadcall.agent_join",
            place: 0,
            parent: Some(self.root()),
            kind: SpanKind::Internal,
            from,
            until: self.moments.ready.unwrap_or(self.call.end.at),
            attributes,
        }))
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
        let hash = place_id(&self.head.run_id, name, self.call.id, place);
        SpanId::from_bytes(std::array::from_fn(|at| hash[at]))
    }
}

/// A wall-clock time as OpenTelemetry has it.
fn system(at: Timestamp) -> SystemTime {
    SystemTime::try_from(at).unwrap_or(SystemTime::UNIX_EPOCH)
}
