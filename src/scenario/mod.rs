//! Turns the text of a scenario file into a [`Scenario`] that cannot be invalid, or into all its
//! faults at once. Reads nothing from disk: whether a clip exists is found by who loads the clips,
//! and reported at the span kept in [`ClipRef`].

use std::num::{NonZeroU16, NonZeroU32};
use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::audio::Take;

mod grammar;
mod brackets;
mod syntax;
mod ambiguous;
mod overlay;
mod file;
mod field;
mod values;
mod fields;
mod keys;
mod overrides;
mod variables;
mod check;
mod path;
mod template;
mod calling;
mod dial;
mod turns;
mod limits;
mod threshold;
mod sense;
mod metric;
mod content;
mod end_state;
mod listening;
pub mod metadata;
mod duration;
mod schema;
mod diagnostics;
mod fault;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use calling::{Caller, CallerKind, HttpDispatch, Method, RoomRule, Rpc, Signals};
pub use content::{Content, MustNot, Pattern};
pub use duration::parse as parse_duration;
pub use end_state::EndState;
pub use fault::{Fault, Faults, Style};
pub use listening::{Listening, Wildcard};
pub use metric::{Definition, Kind, Metric, Source};
pub use overlay::{Lookup, Overlay, Override, SourceText};
pub use path::JsonPath;
pub use schema::schema;
pub use template::{Names, Within, fill};

/// A checked scenario: who is called, what is said, how many calls there are and what is good enough.
///
/// Only [`Scenario::parse`] makes one, so holding one means that it is valid: it has at least one
/// step, step ids are unique, every wait is bounded and no step asks for what cannot happen.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    name: String,
    agent: Agent,
    dispatch: Option<HttpDispatch>,
    room: RoomRule,
    caller: Caller,
    steps: Vec<Step>,
    max_call: Duration,
    load: Load,
    end_states: Vec<EndState>,
    thresholds: Vec<Threshold>,
    baseline: BaselineRule,
    turn_taking: TurnTaking,
}

/// The agent under test, as LiveKit dispatches it.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// Explicit dispatch name; empty means automatic dispatch.
    pub name: String,
    /// JSON text handed to the agent as job metadata; empty when the scenario gives none.
    pub metadata: String,
    /// How long a call waits for the agent to join and subscribe before it gives up.
    pub join_timeout: Duration,
    /// Whom the caller listens to.
    pub listening: Listening,
}

/// One entry of the script, in the order it is performed. Becomes one `turn` of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub id: String,
    pub act: Act,
    pub expect: Option<Expect>,
    /// What the reply has to hold; never changes when anything happens.
    pub content: Content,
    /// What the caller signals around its clip.
    pub signals: Signals,
}

/// What the caller does in a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Says nothing and waits for the agent (an agent-first turn).
    Listen,
    /// Plays a clip once `start` has come.
    Say { clip: ClipRef, start: Start },
    /// Stays silent for this long.
    Silence { length: Duration },
}

/// A clip as the scenario names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipRef {
    /// Relative to the scenario file.
    pub file: String,
    /// What is spoken in it, for reports.
    pub text: Option<String>,
    /// What of the file is said.
    pub take: Take,
    /// Where the file name stands in the scenario text (bytes), for faults found while loading it.
    pub span: Range<usize>,
}

/// When a step begins: this long after an anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    pub after: Anchor,
    pub delay: Duration,
}

/// The moments a step can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The caller is connected to the room.
    SessionStart,
    /// The agent has joined and its audio is subscribed, or it has been there for two seconds without any.
    AgentJoined,
    /// The step before is over.
    PreviousTurn,
    /// The first audible sample of an agent's speech that began in or after the previous step.
    AgentSpeechStart,
    /// The last audible sample of that speech, once the agent has finished: it has been silent for
    /// `speech_gap`, and says of itself neither that it thinks or speaks nor that a tool runs.
    AgentSpeechEnd,
}

/// What the agent has to do in a step, and by when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Speaks of its own accord within this time of the step's begin.
    Speaks { within: Duration },
    /// Begins a reply within this time of the caller's last voiced sample.
    Responds { within: Duration },
    /// Falls silent within this time of the caller's first voiced sample (a barge-in).
    Yields { within: Duration },
    /// Takes no notice of a cough, a backchannel or a noise: it does not fall silent before
    /// [`IGNORES_STOP_WINDOW`] and begins no new speech before [`IGNORES_ANSWER_WINDOW`] after the
    /// caller's last voiced sample.
    Ignores,
}

/// An agent that falls silent later than this after a noise did not do so because of it. The window of
/// τ-voice's interaction metrics for yielding.
pub const IGNORES_STOP_WINDOW: Duration = Duration::from_secs(1);
/// An agent that begins to speak later than this after a noise does not answer it. As above, for
/// responding.
pub const IGNORES_ANSWER_WINDOW: Duration = Duration::from_secs(2);

/// From when on a silence means something: awkward ones are counted from the caller's last voiced sample.
/// There is no standard: these are what is usual among testers of voice agents, and a scenario can set its
/// own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnTaking {
    pub awkward_silence: Duration,
    /// The same in a turn in which the agent ran a tool.
    pub awkward_silence_with_tools: Duration,
    /// Silence of the agent that ends its speech.
    pub speech_gap: Duration,
    /// How long an agent may stay silent and say that it is busy, until the caller goes on without it.
    pub busy_limit: Duration,
}

/// How calls are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// One call.
    Once,
    /// `calls` calls, never more than `concurrency` at a time; the next is placed when one ends.
    Repeat { calls: NonZeroU32, concurrency: NonZeroU16 },
}

impl Load {
    /// The most calls in progress at a time.
    pub fn at_a_time(self) -> u16 {
        match self {
            Self::Once => 1,
            Self::Repeat { concurrency, .. } => concurrency.get(),
        }
    }
}

/// A limit the author put on one metric, in k6's grammar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    pub metric: Metric,
    pub aggregate: Aggregate,
    pub op: Op,
    /// Milliseconds for a time, a fraction of 1 for a rate or a ratio, else a count.
    pub limit: f64,
    /// As written, for reports: `p(95)<2500ms`.
    pub text: String,
}

/// How a threshold that was written as a pass rate begins.
const PASS_RATE: &str = "pass_rate: ";

impl Threshold {
    /// The threshold that `pass_rate` is short for: the share of calls that are ok is no less.
    fn pass_rate(limit: f64) -> Self {
        let (metric, aggregate, op) = (Metric::CallsOk, Aggregate::Rate, Op::GreaterOrEqual);
        Self { metric, aggregate, op, limit, text: format!("{PASS_RATE}{limit}") }
    }

    /// Whether it was written as a pass rate. No expression begins like one.
    pub fn is_pass_rate(&self) -> bool {
        self.text.starts_with(PASS_RATE)
    }
}

/// What of a metric is compared with the limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// `p(N)`, N in percent from 0 to 100 (`med` is `p(50)`).
    Quantile(f64),
    /// `max`.
    Max,
    /// `rate`: the share of calls, or of turns, in which it was so.
    Rate,
    /// `count`: in how many turns of the run it was so.
    Count,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// How a run is compared with its baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BaselineRule {
    /// The chief latency: its stages are told apart, and its percentile decides if [`Self::primary_decides`].
    pub primary: Metric,
    /// Its quantile in percent: 50 for `.p50`.
    pub quantile: f64,
    /// A change is only called a regression when it is at least this fraction of the baseline …
    pub min_effect_rel: f64,
    /// … and at least this many milliseconds.
    pub min_effect_abs_ms: f64,
    /// The file names it, so that it decides in place of the questions of latency.
    pub primary_decides: bool,
    pub gate: Gate,
    /// How many accepted runs a baseline keeps: the newest ones.
    pub runs: u16,
}

/// What can decide whether a run got worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gated {
    CallsOk,
    TypicalTurn,
    SlowTurns,
    WorstStep,
}

impl Gated {
    pub const ALL: [Self; 4] = [Self::CallsOk, Self::TypicalTurn, Self::SlowTurns, Self::WorstStep];

    /// The name in a scenario.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CallsOk => "calls_ok",
            Self::TypicalTurn => "typical_turn",
            Self::SlowTurns => "slow_turns",
            Self::WorstStep => "worst_step",
        }
    }
}

/// What decides of it; never nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate([bool; 4]);

impl Default for Gate {
    fn default() -> Self {
        Self([true; 4])
    }
}

impl Gate {
    /// `None` of nothing.
    pub fn of(chosen: &[Gated]) -> Option<Self> {
        (!chosen.is_empty()).then(|| Self(Gated::ALL.map(|gated| chosen.contains(&gated))))
    }

    pub fn has(self, gated: Gated) -> bool {
        Gated::ALL.iter().zip(self.0).any(|(of, decides)| decides && *of == gated)
    }
}

impl BaselineRule {
    /// The line between a change of this latency that matters and one that does not, in milliseconds.
    pub fn min_effect_ms(&self, baseline_ms: f64) -> f64 {
        (self.min_effect_rel * baseline_ms.abs()).max(self.min_effect_abs_ms)
    }
}

impl Scenario {
    pub fn name(&self) -> &str {
        &self.name
    }
    pub fn agent(&self) -> &Agent {
        &self.agent
    }
    /// The start endpoint that sends the agent; `None` when LiveKit's dispatch does.
    pub fn dispatch(&self) -> Option<&HttpDispatch> {
        self.dispatch.as_ref()
    }
    /// The room of every call.
    pub fn room(&self) -> &RoomRule {
        &self.room
    }
    /// The participant that the agent sees.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
    /// Every text but the agent's metadata in which an environment variable may be named.
    pub fn referring_texts(&self) -> impl Iterator<Item = &str> {
        let start = self.dispatch.iter().flat_map(|http| {
            let headers = http.headers.iter().map(|(_, value)| value);
            [&http.url, &http.body].into_iter().chain(headers)
        });
        let attributes = self.caller.attributes.iter().map(|(_, value)| value);
        let signals = self.steps.iter().flat_map(|s| [&s.signals.before, &s.signals.after]);
        let payloads = signals.flatten().map(|rpc| &rpc.payload);
        let own = [&self.room.metadata, &self.caller.metadata];
        let checks = self.end_states.iter().flat_map(|check| {
            let headers = check.headers.iter().map(|(_, value)| value);
            std::iter::once(&check.get).chain(headers)
        });
        start.chain(checks).chain(own).chain(attributes).chain(payloads).map(String::as_str)
    }
    /// The same scenario for another agent. Metadata for an agent without a name reaches nobody: who
    /// takes a name and metadata from a user refuses that.
    #[must_use]
    pub fn calling(mut self, name: &str, metadata: &str) -> Self {
        name.clone_into(&mut self.agent.name);
        metadata.clone_into(&mut self.agent.metadata);
        self
    }
    /// The script; never empty.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
    /// Whether no step expects anything of the agent.
    pub fn expects_nothing(&self) -> bool {
        self.steps.iter().all(|step| step.expect.is_none())
    }
    /// The longest a call may last before the caller hangs up.
    pub fn max_call(&self) -> Duration {
        self.max_call
    }
    pub fn load(&self) -> Load {
        self.load
    }
    /// What every call has to leave behind.
    pub fn end_states(&self) -> &[EndState] {
        &self.end_states
    }
    pub fn thresholds(&self) -> &[Threshold] {
        &self.thresholds
    }
    pub fn baseline(&self) -> BaselineRule {
        self.baseline
    }
    pub fn turn_taking(&self) -> TurnTaking {
        self.turn_taking
    }
}
