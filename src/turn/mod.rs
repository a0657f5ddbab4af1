//! What a recording means: [`Turn`]s with their replies and reported stages, and the values of
//! every [`Metric`] made from them. Pure: the same recording always gives the same turns.
//!
//! What was heard (`hear`) decides how a turn went; what the agent reported (`reported`) is laid
//! beside it, and its clock is never set against ours.

mod hear;
mod reported;
mod measures;

use std::collections::BTreeMap;

use crate::record::{CallId, CallRecord, Offset, ReportedMetrics, Run};
use crate::scenario::{Metric, Scenario};

/// A reported time that is longer than this (or negative) is an error of the agent's, not a latency.
pub const LONGEST_REPORTED_MS: f64 = 60_000.0;

/// Everything a recording says about a run, computed once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Analysis {
    /// For each call in order, one turn a step.
    pub turns: Vec<Turn>,
    pub measures: Measures,
}

impl Analysis {
    pub fn of(run: &Run, scenario: &Scenario) -> Self {
        let turns: Vec<Turn> = run.calls.iter().flat_map(|call| turns(call, scenario)).collect();
        let measures = measures::of(run, scenario, &turns);
        Self { turns, measures }
    }
}

/// The turns of one call: exactly one for each step of the script, in the script's order.
pub fn turns(call: &CallRecord, scenario: &Scenario) -> Vec<Turn> {
    let heard = hear::Heard::of(call, scenario.steps().len());
    let mut turns: Vec<Turn> = (0_u32..)
        .zip(scenario.steps())
        .map(|(index, step)| Turn {
            call: call.id,
            step: index,
            id: step.id.clone(),
            said: heard.said(index),
            reply: heard.reply(index, step),
            reported: ReportedMetrics::default(),
            implausible: Vec::new(),
            heard_by_agent: None,
            reply_text: None,
            tools: Vec::new(),
            errors: Vec::new(),
        })
        .collect();
    reported::join(call, scenario, &heard, &mut turns);
    turns
}

/// The values of every metric of a run. [`Analysis::of`] gives the turns as well for the same work.
pub fn measure(run: &Run, scenario: &Scenario) -> Measures {
    Analysis::of(run, scenario).measures
}

/// One step of the script as it went in one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub call: CallId,
    /// Index of the step in the script.
    pub step: u32,
    /// The step's id.
    pub id: String,
    /// What the caller said, from the first to the last voiced sample; `None` when it said nothing
    /// or was cut off. Where a clip was cut off the turn is [`Reply::NotReached`], or unanswered
    /// because the agent left.
    pub said: Option<Span>,
    pub reply: Reply,
    /// What the agent reported about this turn: USER and ASSISTANT metrics joined.
    pub reported: ReportedMetrics,
    /// What the agent reported about this turn and cannot be true, in milliseconds; not in `reported`.
    pub implausible: Vec<(Metric, f64)>,
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
    /// The agent spoke of its own accord; `latency_ms` counts from `Connected` for the first step,
    /// and from the step's begin for a later one.
    Greeted { voice: Span, latency_ms: f64 },
    /// The agent replied; `latency_ms` is signed (negative: it began before the caller had ended).
    Heard { voice: Span, latency_ms: f64 },
    /// The agent fell silent `yield_ms` after the caller broke in.
    Yielded { yield_ms: f64 },
    /// The agent went on speaking for at least this long after the caller broke in.
    DidNotYield { waited_ms: f64 },
    /// Nothing was heard for this long: a right-censored observation.
    Unanswered { waited_ms: f64 },
    /// The step awaited nothing, or there was nothing to wait for: a barge-in that found the agent
    /// silent.
    NotAwaited,
    /// The call ended before this step was decided, and not because of the agent.
    NotReached,
}

/// One value of a metric, with the call it belongs to (turns of a call are correlated, so calls are
/// what is resampled) and the scripted step (so that like is compared with like).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    pub call: CallId,
    /// Index of the step in the script; 0 for what belongs to the call as a whole.
    pub step: u32,
    /// Milliseconds; for [`Metric::CallsOk`] 1 or 0.
    pub value: f64,
    /// The true value is at least this (an unanswered turn).
    pub censored: bool,
}

/// The values of every metric of a run, in call order. A metric without a value is absent.
///
/// - `heard_e2e_latency`: every `responds` step that was answered, or (censored) was not.
/// - `greeting_latency`: the script's first step, when that awaits the agent's own words. Later
///   `speaks` steps count from another moment and enter no metric.
/// - `time_to_yield`: every `yields` step, censored where the agent did not yield.
/// - `connect_delay`, `agent_join_delay`, `agent_ready_delay`: once a call; the last two censored
///   when the call ended for want of an agent.
/// - the agent's stages: every turn in which the caller said something, so not the greeting, whose
///   stages are others.
/// - `unattributed`: where both the heard and the reported latency of a turn are known.
/// - `calls_ok`: 1 or 0 for every call that says something about the agent, so not for one that the
///   user stopped or the caller itself spoilt.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measures {
    pub by_metric: BTreeMap<Metric, Vec<Value>>,
    /// How many reported times were left out because they cannot be true
    /// (negative, or over [`LONGEST_REPORTED_MS`]); [`Turn::implausible`] has them.
    pub dropped_reported: usize,
}

impl Measures {
    /// The values of one metric; empty when there are none.
    pub fn values(&self, metric: Metric) -> &[Value] {
        self.by_metric.get(&metric).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
