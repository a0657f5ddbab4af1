//! What a recording means: [`Turn`]s with their replies and reported stages, and the values of
//! every [`Metric`] made from them. Pure: the same recording always gives the same turns.
//!
//! What was heard (`timeline`) decides how a turn went; what the agent reported (`reported`) is laid
//! beside it, and its clock is never set against ours.

mod overlap;
mod timeline;
mod values;
mod doubts;
mod transcripts;
mod reported;
mod tools;
mod content;
mod stages;
mod path;
mod cause;
mod parties;
mod facts;
mod measures;
mod seen;
mod analysis;
mod lanes;

use std::collections::BTreeMap;

use crate::record::{CallId, CallRecord, ReportedMetrics};
use crate::scenario::{Metric, Scenario, Source};

use timeline::CallTimeline;

pub use crate::dialogue::{Disturbance, EARLY, Span};

pub use analysis::{Analyser, Analysis, Media, analyse, analyse_call};
pub use cause::{Cause, Failure};
pub use content::{ContentCounts, ContentResult, Found, Untold, Wanted};
pub use doubts::{Rejected, Why};
pub use facts::CallFacts;
pub use lanes::{Event, Lanes, Stretch, Utterance, Weight, Words};
pub use overlap::Overlap;
pub use parties::{Parties, Twins};
pub use path::{Detail, Known, Part, Path};
pub use seen::{Seen, Tally};
pub use values::{REPORTED, stages};

/// A reported time that is longer than this (or negative) is an error of the agent's, not a latency.
pub const LONGEST_REPORTED_MS: f64 = 60_000.0;

/// A reported time may be longer than what was heard leaves room for by this: both ends are heard bluntly.
pub const REPORTED_SLACK_MS: f64 = 250.0;

/// So many equal values are no chance.
const CONSTANT_FROM: usize = 10;

/// The turns of one call: exactly one for each step of the script, in the script's order.
pub fn turns(call: &CallRecord, scenario: &Scenario) -> Vec<Turn> {
    turns_heard(call, scenario, &CallTimeline::new(call, scenario))
}

fn turns_heard(call: &CallRecord, scenario: &Scenario, heard: &CallTimeline) -> Vec<Turn> {
    let mut turns: Vec<Turn> = (0_u32..)
        .zip(scenario.steps())
        .map(|(index, step)| Turn {
            call: call.id,
            step: index,
            id: step.id.clone(),
            said: heard.said(index),
            reply: heard.reply(index, step),
            cut_in: heard.cut_in(index),
            answer: None,
            is_late: false,
            reported: ReportedMetrics::default(),
            doubts: Vec::new(),
            heard_by_agent: None,
            reply_text: None,
            tools: Vec::new(),
            errors: Vec::new(),
            ttfa_ms: None,
            tool_ms: None,
            turn_decided_ms: None,
            false_interruption: false,
            content: Vec::new(),
        })
        .collect();
    let all_told = reported::join(call, scenario, heard, &mut turns);
    tools::join(call, heard, &mut turns);
    stages::join(call, &mut turns);
    let tells = content::Tells::of(call);
    for ((turn, step), all_told) in turns.iter_mut().zip(scenario.steps()).zip(all_told) {
        turn.is_late = heard.is_late(turn.step, step, turn.reply);
        if let (Reply::Heard { voice, .. }, Some(said)) = (turn.reply, turn.said) {
            turn.answer = Some(heard.answer(voice, said));
            turn.ttfa_ms = heard.sound(voice.from).map(|at| at.ms_since(said.until));
        }
        turn.content = content::check(&step.content, turn, tells, call.end.at, all_told);
    }
    turns
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
    /// The agent began to speak more than [`EARLY`] before the caller had ended, whatever followed.
    pub cut_in: bool,
    /// The last thing it said in reply; `None` unless that is [`Reply::Heard`].
    pub answer: Option<Answer>,
    /// The reply, or what the agent said of its own accord, began later than the step allows.
    pub is_late: bool,
    /// What the agent reported about this turn: USER and ASSISTANT metrics joined.
    pub reported: ReportedMetrics,
    /// What the agent reported about this turn and cannot be true, or should have reported; not in
    /// `reported`.
    pub doubts: Vec<Rejected>,
    /// What the agent understood, when it said so.
    pub heard_by_agent: Option<String>,
    /// What the agent answered, when it said so.
    pub reply_text: Option<String>,
    /// Names of the tools the agent ran in this turn; empty for one that it did not name.
    pub tools: Vec<String>,
    /// Errors the agent named in this turn.
    pub errors: Vec<String>,
    /// From the caller's last voiced sample to the arrival of the reply's first packet that was not
    /// silent, in milliseconds.
    pub ttfa_ms: Option<f64>,
    /// How long tools ran before the reply, by our receipt of the agent's messages.
    pub tool_ms: Option<f64>,
    /// From the caller's last voiced sample to the agent's state `thinking`, by our receipt, which splits
    /// the heard latency in two; `None` where the agent shows no state, or not this one.
    pub turn_decided_ms: Option<f64>,
    /// The agent said that it had taken something in this turn for an interruption that was none.
    pub false_interruption: bool,
    /// What became of everything the reply should hold; empty when none was heard.
    pub content: Vec<ContentResult>,
}

impl Turn {
    /// Where the time until the reply went; `None` when neither reported stages nor the agent's state say.
    pub fn path(&self) -> Option<Path> {
        let known = Known {
            reported: self.reported,
            tool_ms: self.tool_ms,
            may_have_run_tools: self.tool_ms.is_some() || !self.tools.is_empty(),
            turn_decided_ms: self.turn_decided_ms,
        };
        Path::trace(self.heard_ms()?, &known)
    }

    /// From the agent's state `thinking`, by our receipt, to the reply, in milliseconds.
    pub fn answer_prepared_ms(&self) -> Option<f64> {
        Some(self.heard_ms()? - self.turn_decided_ms?)
    }

    /// Heard minus reported latency in milliseconds; `None` unless both are known and of the same reply.
    pub fn unattributed_ms(&self) -> Option<f64> {
        let ms = self.heard_ms()? - self.reported.e2e_latency_ms?;
        (ms >= -REPORTED_SLACK_MS).then_some(ms)
    }

    /// What the reply should hold and does not, in sentences.
    pub fn wrong_content(&self) -> impl Iterator<Item = String> {
        self.content.iter().filter(|result| result.is_missed()).map(ContentResult::sentence)
    }

    fn heard_ms(&self) -> Option<f64> {
        match (self.reply, self.said) {
            (Reply::Heard { latency_ms, .. }, Some(_)) => Some(latency_ms),
            _ => None,
        }
    }
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reply {
    /// The agent spoke of its own accord; `latency_ms` counts from `Connected` for the first step,
    /// and from the step's begin for a later one.
    Greeted { voice: Span, latency_ms: f64 },
    /// The agent replied; `latency_ms` is signed (negative: it began before the caller had ended, by no
    /// more than [`EARLY`]).
    Heard { voice: Span, latency_ms: f64 },
    /// It spoke long before the caller had ended, over its end, and said nothing else: no reply is slower or
    /// faster than that, so it has no latency.
    CutIn { voice: Span, early_ms: f64 },
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
    /// The step awaited nothing.
    NotAwaited,
    /// What it awaited could not be tested: a barge-in found the agent silent.
    NotTested,
    /// The call ended before this step was decided, and not because of the agent.
    NotReached,
}

impl Reply {
    /// What the agent said to the turn, in time or too early.
    pub const fn voice(self) -> Option<Span> {
        match self {
            Self::Greeted { voice, .. } | Self::Heard { voice, .. } | Self::CutIn { voice, .. } => {
                Some(voice)
            }
            Self::Yielded { .. }
            | Self::DidNotYield { .. }
            | Self::Ignored
            | Self::Disturbed { .. }
            | Self::Unanswered { .. }
            | Self::NotAwaited
            | Self::NotTested
            | Self::NotReached => None,
        }
    }
}

/// The last thing said in reply to a turn that got one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer {
    /// Its first audible sample, this long after the caller's last voiced one; `filler` when something else
    /// had been said before.
    Heard { latency_ms: f64, filler: Option<Filler> },
    /// Something was said, and the answer had not come this long after the caller's last voiced sample, when
    /// the caller went on: a right-censored observation.
    Outstanding { waited_ms: f64 },
    /// The same, and the agent had stopped working on it, or the call had ended.
    Never { waited_ms: f64 },
    /// The agent worked after it had begun to speak and said nothing more; whether there was more to say it does
    /// not tell. No latency.
    Unknown,
}

/// What bridged the wait for an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Filler {
    /// Silence between it and the answer.
    pub gap_ms: f64,
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
/// - `connect_delay`, `agent_join_delay`, `agent_ready_delay`: once a call, the first two from when it
///   was due, so waiting for a free slot counts; the last two censored when no agent came in time.
/// - the agent's stages: every turn in which the caller said something, so not the greeting, whose
///   stages are others.
/// - `heard_ttfa`: every `responds` step that was answered and whose packets are on record.
/// - `turn_decided`, `answer_prepared`: every `responds` step that was answered and whose agent showed
///   that it was thinking.
/// - `tool_delay`: every turn in which the agent ran a tool before its reply.
/// - `unanswered_turns`, `eot_misprediction_count`: every `responds` step that was decided.
/// - `awkward_silence_count`: the same without those that ended before the silence was awkward.
/// - `false_interruption_count`: every `ignores` step that was decided.
/// - `overlap_ratio`: every call in which anybody spoke.
/// - `unattributed`: where both the heard and the reported latency of a turn are known, and the agent does
///   not report that of a later speech.
/// - `calls_ok`: 1 or 0 for every call that says something about the agent, so not for one that the
///   user stopped or the caller itself spoilt; 0 and censored where its end state could not be found out.
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

    /// Whether the values of a metric are those of another one: without a filler every answer is the reply.
    pub fn repeats(&self, metric: Metric) -> bool {
        let filled = |value: &Value| value.value > 0.5;
        metric == Metric::AnswerLatency && !self.values(Metric::FillerCount).iter().any(filled)
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
