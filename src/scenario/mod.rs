//! Turns the text of a scenario file into a [`Scenario`] that cannot be invalid, or into all its
//! faults at once. Reads nothing from disk: whether a clip exists is found by who loads the clips,
//! and reported at the span kept in [`ClipRef`].

use std::num::{NonZeroU16, NonZeroU32};
use std::ops::Range;
use std::time::Duration;

mod file;
mod ambiguous;
mod syntax;
mod fields;
mod check;
mod turns;
mod limits;
mod threshold;
mod duration;
mod diagnostic;
#[cfg(test)]
mod tests;

pub use diagnostic::{Fault, Faults, Style};

/// A checked scenario: who is called, what is said, how many calls there are and what is good enough.
///
/// Only [`Scenario::parse`] makes one, so holding one means that it is valid: it has at least one
/// step, step ids are unique, every wait is bounded and no step asks for what cannot happen.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    pub(crate) name: String,
    pub(crate) agent: Agent,
    pub(crate) steps: Vec<Step>,
    pub(crate) max_call: Duration,
    pub(crate) load: Load,
    pub(crate) thresholds: Vec<Threshold>,
    pub(crate) baseline: BaselineRule,
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
}

/// One entry of the script, in the order it is performed. Becomes one `turn` of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub id: String,
    pub act: Act,
    pub expect: Option<Expect>,
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
    /// The agent has joined and its audio is subscribed.
    AgentJoined,
    /// The step before is over.
    PreviousTurn,
    /// The first audible sample of an agent's speech that began in or after the previous step.
    AgentSpeechStart,
    /// The last audible sample of that speech, known once the agent has been silent for 700 ms.
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
}

/// How calls are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// One call.
    Once,
    /// `calls` calls, never more than `concurrency` at a time; the next is placed when one ends.
    Repeat { calls: NonZeroU32, concurrency: NonZeroU16 },
}

/// A limit the author put on one metric, in k6's grammar.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    pub metric: Metric,
    pub aggregate: Aggregate,
    pub op: Op,
    /// Milliseconds for a latency, a fraction of 1 for a rate.
    pub limit: f64,
    /// As written, for reports: `p(95)<2500ms`.
    pub text: String,
}

/// What of a metric is compared with the limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregate {
    /// `p(N)`, N in percent from 0 to 100 (`med` is `p(50)`).
    Quantile(f64),
    /// `max`.
    Max,
    /// `rate`, of a metric that counts calls.
    Rate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// How a run is compared with its baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BaselineRule {
    /// The metric that decides (a latency).
    pub primary: Metric,
    /// Its quantile in percent: 50 for `.p50`.
    pub quantile: f64,
    /// A change is only called a regression when it is at least this fraction of the baseline …
    pub min_effect_rel: f64,
    /// … and at least this many milliseconds.
    pub min_effect_abs_ms: f64,
}

/// The metrics a scenario can name and a report contains. The names are LiveKit's where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Caller's last voiced sample → first audible sample of the reply (heard).
    HeardE2eLatency,
    /// Connected → first audible sample of the agent (heard).
    GreetingLatency,
    /// The call was placed → the caller is in the room.
    ConnectDelay,
    /// The call was placed (which dispatches the agent) → the agent joined the room.
    AgentJoinDelay,
    /// The agent joined → its audio track is subscribed.
    AgentReadyDelay,
    /// Caller's first voiced sample of a barge-in → the agent's last audible sample (heard).
    TimeToYield,
    /// Reported by the agent, as are the next six.
    TranscriptionDelay,
    EndOfTurnDelay,
    OnUserTurnCompletedDelay,
    LlmNodeTtft,
    LlmNodeTtfs,
    TtsNodeTtfb,
    E2eLatency,
    /// Heard minus reported end-to-end latency of the same turn.
    Unattributed,
    /// Share of calls whose outcome is `answered` and whose every expectation was met.
    CallsOk,
}

impl Metric {
    /// Every metric, in the order reports list them.
    pub const ALL: [Self; 15] = [
        Self::HeardE2eLatency,
        Self::GreetingLatency,
        Self::TimeToYield,
        Self::ConnectDelay,
        Self::AgentJoinDelay,
        Self::AgentReadyDelay,
        Self::EndOfTurnDelay,
        Self::TranscriptionDelay,
        Self::OnUserTurnCompletedDelay,
        Self::LlmNodeTtft,
        Self::LlmNodeTtfs,
        Self::TtsNodeTtfb,
        Self::E2eLatency,
        Self::Unattributed,
        Self::CallsOk,
    ];

    /// The name in scenarios and in `report.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HeardE2eLatency => "heard_e2e_latency",
            Self::GreetingLatency => "greeting_latency",
            Self::ConnectDelay => "connect_delay",
            Self::AgentJoinDelay => "agent_join_delay",
            Self::AgentReadyDelay => "agent_ready_delay",
            Self::TimeToYield => "time_to_yield",
            Self::TranscriptionDelay => "transcription_delay",
            Self::EndOfTurnDelay => "end_of_turn_delay",
            Self::OnUserTurnCompletedDelay => "on_user_turn_completed_delay",
            Self::LlmNodeTtft => "llm_node_ttft",
            Self::LlmNodeTtfs => "llm_node_ttfs",
            Self::TtsNodeTtfb => "tts_node_ttfb",
            Self::E2eLatency => "e2e_latency",
            Self::Unattributed => "unattributed",
            Self::CallsOk => "calls_ok",
        }
    }

    /// The metric of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }

    /// Whether it is a share of calls rather than a time.
    pub const fn is_rate(self) -> bool {
        matches!(self, Self::CallsOk)
    }
}

impl Scenario {
    pub fn name(&self) -> &str {
        &self.name
    }
    pub fn agent(&self) -> &Agent {
        &self.agent
    }
    /// The script; never empty.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
    /// The longest a call may last before the caller hangs up.
    pub fn max_call(&self) -> Duration {
        self.max_call
    }
    pub fn load(&self) -> Load {
        self.load
    }
    pub fn thresholds(&self) -> &[Threshold] {
        &self.thresholds
    }
    pub fn baseline(&self) -> BaselineRule {
        self.baseline
    }
}
