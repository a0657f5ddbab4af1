//! What a recording means: [`Turn`]s with their replies and reported stages, and the values of
//! every [`Metric`] made from them. Pure: the same recording always gives the same turns.
//!
//! What was heard (`hear`) decides how a turn went; what the agent reported (`reported`) is laid
//! beside it, and its clock is never set against ours.

mod voices;
mod overlap;
mod hear;
mod reported;
mod tools;
mod path;
mod cause;
mod measures;

use std::collections::BTreeMap;

use crate::record::{CallId, CallRecord, ReportedMetrics, Run};
use crate::scenario::{Content, Metric, Scenario, Source};
use crate::time::Offset;

pub use cause::{Cause, Failure};
pub use overlap::Overlap;
pub use path::{Part, Path};
pub use reported::{Doubt, REPORTED, Why};

/// A reported time that is longer than this (or negative) is an error of the agent's, not a latency.
pub const LONGEST_REPORTED_MS: f64 = 60_000.0;

/// A reply that began more than this before the caller's last voiced sample was a mistake about the end
/// of its turn. Closer to it, both ears and edges are too blunt to say so.
pub const EOT_EARLY_MS: f64 = 200.0;

/// So many equal values are no chance.
const CONSTANT_FROM: usize = 10;

/// Everything a recording says about a run, computed once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Analysis {
    /// For each call in order, one turn a step.
    pub turns: Vec<Turn>,
    /// One for each call in order.
    pub calls: Vec<CallFacts>,
    pub measures: Measures,
}

/// What a recording says about a call as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct CallFacts {
    pub call: CallId,
    pub overlap: Overlap,
    /// Why it did not go as it should; `None` when it did.
    pub failure: Option<Failure>,
}

impl Analysis {
    pub fn of(run: &Run, scenario: &Scenario) -> Self {
        let steps = scenario.steps().len();
        let mut turns = Vec::with_capacity(run.calls.len() * steps);
        let mut calls = Vec::with_capacity(run.calls.len());
        for call in &run.calls {
            let heard = hear::Heard::of(call, steps);
            let of_call = turns_heard(call, scenario, &heard);
            let (voices, said) = heard.overlap();
            let overlap = Overlap::of(&said, voices.spans());
            let failure = cause::of(call, &of_call);
            calls.push(CallFacts { call: call.id, overlap, failure });
            turns.extend(of_call);
        }
        let measures = measures::of(run, scenario, &turns, &calls);
        Self { turns, calls, measures }
    }
}

/// The turns of one call: exactly one for each step of the script, in the script's order.
pub fn turns(call: &CallRecord, scenario: &Scenario) -> Vec<Turn> {
    turns_heard(call, scenario, &hear::Heard::of(call, scenario.steps().len()))
}

fn turns_heard(call: &CallRecord, scenario: &Scenario, heard: &hear::Heard) -> Vec<Turn> {
    let mut turns: Vec<Turn> = (0_u32..)
        .zip(scenario.steps())
        .map(|(index, step)| Turn {
            call: call.id,
            step: index,
            id: step.id.clone(),
            said: heard.said(index),
            reply: heard.reply(index, step),
            reported: ReportedMetrics::default(),
            doubts: Vec::new(),
            heard_by_agent: None,
            reply_text: None,
            tools: Vec::new(),
            errors: Vec::new(),
            ttfa_ms: None,
            tool_ms: None,
            path: None,
            false_interruption: false,
            wrong_content: Vec::new(),
        })
        .collect();
    reported::join(call, scenario, heard, &mut turns);
    tools::join(call, heard, &mut turns);
    for (turn, step) in turns.iter_mut().zip(scenario.steps()) {
        if let (Reply::Heard { voice, latency_ms }, Some(said)) = (turn.reply, turn.said) {
            turn.ttfa_ms = heard.sound(voice.from).map(|at| at.ms_since(said.until));
            turn.path = Path::of(latency_ms, &turn.reported, turn.tool_ms);
        }
        if matches!(turn.reply, Reply::Heard { .. } | Reply::Greeted { .. }) {
            turn.wrong_content = wrong_content(&step.content, turn);
        }
    }
    turns
}

/// What a reply should have held and does not. What cannot be known is not taken for granted.
fn wrong_content(content: &Content, turn: &Turn) -> Vec<String> {
    let mut wrong = Vec::new();
    match &turn.reply_text {
        None if content.needs_text() => {
            wrong.push("the agent sent no text of its reply that could be checked".to_owned());
        }
        None => {}
        Some(text) => {
            let folded = text.to_lowercase();
            let missing = content.contains.iter().filter(|w| !folded.contains(&w.to_lowercase()));
            wrong.extend(missing.map(|word| format!("the reply does not contain `{word}`")));
            if let Some(pattern) = content.matches.as_ref().filter(|p| !p.is_match(text)) {
                wrong.push(format!("the reply does not match `{}`", pattern.as_str()));
            }
        }
    }
    let missing = content.tools.iter().filter(|tool| !turn.tools.contains(tool));
    wrong.extend(missing.map(|tool| format!("the agent did not run the tool `{tool}`")));
    wrong
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
    /// What the agent reported about this turn and cannot be true, or should have reported; not in
    /// `reported`.
    pub doubts: Vec<Doubt>,
    /// What the agent understood, when it said so.
    pub heard_by_agent: Option<String>,
    /// What the agent answered, when it said so.
    pub reply_text: Option<String>,
    /// Names of the tools the agent ran in this turn.
    pub tools: Vec<String>,
    /// Errors the agent named in this turn.
    pub errors: Vec<String>,
    /// From the caller's last voiced sample to the arrival of the reply's first packet that was not
    /// silent, in milliseconds.
    pub ttfa_ms: Option<f64>,
    /// How long tools ran before the reply, by our receipt of the agent's messages.
    pub tool_ms: Option<f64>,
    /// What the reply was waiting for; `None` without a heard and a reported latency.
    pub path: Option<Path>,
    /// The agent said that it had taken something in this turn for an interruption that was none.
    pub false_interruption: bool,
    /// What the reply should have held and does not, in sentences.
    pub wrong_content: Vec<String>,
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
    /// The agent took no notice of a noise.
    Ignored,
    /// It did, this long after the noise began.
    Disturbed { by: Disturbance, after_ms: f64 },
    /// Nothing was heard for this long: a right-censored observation.
    Unanswered { waited_ms: f64 },
    /// The step awaited nothing, or there was nothing to wait for: a barge-in that found the agent
    /// silent, a noise during which it finished what it had to say.
    NotAwaited,
    /// The call ended before this step was decided, and not because of the agent.
    NotReached,
}

/// How an agent takes notice of what it should ignore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// It fell silent.
    Stopped,
    /// It was silent, and spoke.
    Answered,
}

/// One value of a metric, with the call it belongs to (turns of a call are correlated, so calls are
/// what is resampled) and the scripted step (so that like is compared with like).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    pub call: CallId,
    /// Index of the step in the script; 0 for what belongs to the call as a whole.
    pub step: u32,
    /// Milliseconds, or as the metric's kind has it: 1 for yes and 0 for no, or a fraction of 1.
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
/// - `heard_ttfa`: every `responds` step that was answered and whose packets are on record.
/// - `tool_delay`: every turn in which the agent ran a tool before its reply.
/// - `unanswered_turns`, `eot_misprediction_count`: every `responds` step that was decided.
/// - `awkward_silence_count`: the same without those that ended before the silence was awkward.
/// - `false_interruption_count`: every `ignores` step that was decided.
/// - `overlap_ratio`: every call in which anybody spoke.
/// - `unattributed`: where both the heard and the reported latency of a turn are known.
/// - `calls_ok`: 1 or 0 for every call that says something about the agent, so not for one that the
///   user stopped or the caller itself spoilt.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measures {
    pub by_metric: BTreeMap<Metric, Vec<Value>>,
    /// How many reported times were left out because they cannot be true
    /// (negative, over [`LONGEST_REPORTED_MS`] …); [`Turn::doubts`] has them.
    pub dropped_reported: usize,
}

impl Measures {
    /// The values of one metric; empty when there are none.
    pub fn values(&self, metric: Metric) -> &[Value] {
        self.by_metric.get(&metric).map_or(&[], Vec::as_slice)
    }

    /// Whether an agent's figure is always the same to the microsecond, which no clock gives: then it is
    /// made from a setting and measures nothing.
    pub fn is_constant(&self, metric: Metric) -> bool {
        let values = self.values(metric);
        let Some(first) = values.first().filter(|v| v.value.abs() > f64::EPSILON) else {
            return false;
        };
        metric.definition().source == Source::Reported
            && values.len() >= CONSTANT_FROM
            && values.iter().all(|v| (v.value - first.value).abs() < 0.000_5)
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
