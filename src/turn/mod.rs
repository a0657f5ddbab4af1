//! What a recording means: [`Turn`]s with their replies and reported stages, and the samples of
//! every [`Metric`] made from them. Pure: the same recording always gives the same turns.

use crate::record::{CallId, Offset, ReportedMetrics};
use crate::scenario::Metric;

/// One step of the script as it went in one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub call: CallId,
    /// Index of the step in the script.
    pub step: u32,
    /// The step's id.
    pub id: String,
    /// What the caller said, from the first to the last voiced sample; `None` when it said nothing.
    pub said: Option<Span>,
    pub reply: Reply,
    /// What the agent reported about this turn: USER and ASSISTANT metrics joined.
    pub reported: ReportedMetrics,
    /// What the agent understood, when it said so.
    pub heard_by_agent: Option<String>,
    /// What the agent answered, when it said so.
    pub reply_text: Option<String>,
    /// Names of the tools the agent ran in this turn.
    pub tools: Vec<String>,
    /// Errors the agent named in this turn.
    pub errors: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Offset,
    pub until: Offset,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reply {
    /// The agent spoke of its own accord; `latency_ms` counts from `Connected` for the first step.
    Greeted { voice: Span, latency_ms: f64 },
    /// The agent replied; `latency_ms` is signed (negative: it began before the caller had ended).
    Heard { voice: Span, latency_ms: f64 },
    /// The agent fell silent `yield_ms` after the caller broke in.
    Yielded { yield_ms: f64 },
    /// The agent went on speaking for at least this long after the caller broke in.
    DidNotYield { waited_ms: f64 },
    /// Nothing was heard for this long: a right-censored observation.
    Unanswered { waited_ms: f64 },
    /// The step awaited nothing.
    NotAwaited,
    /// The call ended before this step was decided.
    NotReached,
}

/// One value of a metric, with the call it belongs to (turns of a call are correlated, so calls are
/// what is resampled) and the scripted step (so that like is compared with like).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    pub call: CallId,
    pub step: u32,
    /// Milliseconds; for [`Metric::CallsOk`] 1 or 0.
    pub value: f64,
    /// The true value is at least this (an unanswered turn).
    pub censored: bool,
}

/// The values of every metric of a run, in call order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measures {
    pub by_metric: std::collections::BTreeMap<Metric, Vec<Value>>,
}
