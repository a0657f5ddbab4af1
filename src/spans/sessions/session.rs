//! What is kept of one session.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::scenario::Metric;
use crate::spans::{AgentSpan, Value};
use crate::turn::LONGEST_REPORTED_MS;

/// Values of one stage that are kept of a session, and agents that it can have.
const VALUES: usize = 5_000;
const AGENTS: usize = 8;

/// The spans that sessions are made of, by the names that livekit-agents gives them. What lies between costs
/// pages and tells nothing here. The last is loadcall's own, by which a simulated call is known.
pub const NAMES: [&str; 10] = [
    "agent_session",
    "user_turn",
    "agent_turn",
    "llm_node",
    "llm_request",
    "llm_request_run",
    "realtime_inference",
    "tts_node",
    "function_tool",
    "loadcall.call",
];

/// Each stage, the span that says it, and the attribute, in seconds.
const STAGES: [(Metric, &str, &str); 6] = [
    (Metric::EndOfTurnDelay, "user_turn", "lk.end_of_turn_delay"),
    (Metric::TranscriptionDelay, "user_turn", "lk.transcription_delay"),
    (Metric::OnUserTurnCompletedDelay, "agent_turn", "lk.on_user_turn_completed_delay"),
    (Metric::LlmNodeTtft, "llm_node", "lk.response.ttft"),
    (Metric::TtsNodeTtfb, "tts_node", "lk.response.ttfb"),
    (Metric::E2eLatency, "agent_turn", "lk.e2e_latency"),
];

/// The stages in the order of a turn.
pub fn stages() -> impl Iterator<Item = Metric> {
    STAGES.into_iter().map(|(metric, _, _)| metric)
}

/// What can go wrong in a session, by the span that says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The LLM gave no answer.
    Llm,
    /// A request to the LLM failed and was made again.
    LlmRetry,
    Tts,
    Tool,
    /// The session as a whole.
    Session,
    /// Another span.
    Other,
}

impl Trouble {
    pub const ALL: [Self; 6] =
        [Self::Llm, Self::LlmRetry, Self::Tts, Self::Tool, Self::Session, Self::Other];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Llm => "llm",
            Self::LlmRetry => "llm_retry",
            Self::Tts => "tts",
            Self::Tool => "tool",
            Self::Session => "session",
            Self::Other => "other",
        }
    }
}

/// A session as numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Of each stage, in microseconds, in the order of reading: the latest first.
    pub values: BTreeMap<Metric, Vec<u32>>,
    /// Turns of the agent, and those that were interrupted.
    pub turns: u32,
    pub interrupted: u32,
    /// How often each trouble was met.
    pub troubles: BTreeMap<Trouble, u32>,
    /// Requests to the LLM with a count of tokens, and those of them whose cost is known.
    pub counted: u32,
    pub priced: u32,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// US dollars for the requests whose cost is known.
    pub cost: f64,
    /// Nanoseconds since 1970, by the agent's clock; of the spans that were read.
    pub begin_ns: u64,
    pub end_ns: u64,
    /// Names of the agents that its spans tell.
    pub agents: BTreeSet<String>,
    pub project: Option<String>,
    /// All of it was read: it began within the time that was asked for, and has ended.
    pub whole: bool,
    /// loadcall placed it.
    pub ours: bool,
    /// Values that cannot be true, or were too many.
    pub dropped: u32,
}

impl Session {
    /// Takes a span of the agent.
    pub(super) fn add(&mut self, span: &AgentSpan, cost: Option<f64>, project: Option<&str>) {
        let is_first = self.end_ns == 0;
        self.begin_ns = if is_first { span.begin_ns } else { self.begin_ns.min(span.begin_ns) };
        self.end_ns = self.end_ns.max(span.end_ns);
        if self.project.is_none() {
            self.project = project.map(str::to_owned);
        }
        if let Some(agent) = agent(span).filter(|_| self.agents.len() < AGENTS) {
            self.agents.insert(agent.to_owned());
        }
        for (metric, _, attribute) in STAGES.into_iter().filter(|(_, name, _)| *name == span.name) {
            if let Some(seconds) = span.number(attribute) {
                self.value(metric, seconds);
            }
        }
        match span.name.as_str() {
            "agent_session" => self.whole = true,
            "agent_turn" => {
                self.turns += 1;
                let interrupted = span.attribute("lk.interrupted") == Some(&Value::Yes(true));
                self.interrupted += u32::from(interrupted);
            }
            "llm_request" | "realtime_inference" => self.request(span, cost),
            _ => {}
        }
        if let Some(trouble) = trouble(span) {
            *self.troubles.entry(trouble).or_default() += 1;
        }
    }

    fn value(&mut self, metric: Metric, seconds: f64) {
        let values = self.values.entry(metric).or_default();
        let possible = (0.0..=LONGEST_REPORTED_MS / 1e3).contains(&seconds);
        if !possible || values.len() >= VALUES {
            self.dropped += 1;
            return;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most a minute, and not negative"
        )]
        values.push((seconds * 1e6).round() as u32);
    }

    fn request(&mut self, span: &AgentSpan, cost: Option<f64>) {
        let count = |name| span.number(name).filter(|n| *n >= 0.0);
        let (input, output) =
            (count("gen_ai.usage.input_tokens"), count("gen_ai.usage.output_tokens"));
        if input.is_none() && output.is_none() {
            return;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count; what no u64 holds becomes the largest one"
        )]
        let whole = |n: Option<f64>| n.unwrap_or_default() as u64;
        self.counted += 1;
        self.input_tokens = self.input_tokens.saturating_add(whole(input));
        self.output_tokens = self.output_tokens.saturating_add(whole(output));
        if let Some(cost) = cost {
            self.priced += 1;
            self.cost += cost;
        }
    }

    /// What its requests to the LLM cost together, in US dollars; `None` unless the cost of each is known.
    pub fn whole_cost(&self) -> Option<f64> {
        (self.whole && self.counted > 0 && self.priced == self.counted).then_some(self.cost)
    }

    /// The middle value of a stage, in milliseconds; of two the smaller.
    pub fn median(&self, metric: Metric) -> Option<f64> {
        let mut values = self.values.get(&metric)?.clone();
        values.sort_unstable();
        let middle = values.get(values.len().checked_sub(1)? / 2)?;
        Some(f64::from(*middle) / 1e3)
    }

    /// The slowest value of a stage, in milliseconds.
    pub fn worst(&self, metric: Metric) -> Option<f64> {
        let slowest = self.values.get(&metric)?.iter().max()?;
        Some(f64::from(*slowest) / 1e3)
    }
}

/// The name under which an agent is dispatched; else that of the class that speaks.
fn agent(span: &AgentSpan) -> Option<&str> {
    let names = ["lk.agent_name", "gen_ai.agent.name"];
    names.iter().find_map(|name| span.text(name)).filter(|name| !name.is_empty())
}

fn trouble(span: &AgentSpan) -> Option<Trouble> {
    let failed = span.error.is_some();
    let says = |name| span.attribute(name) == Some(&Value::Yes(true));
    let (trouble, is_met) = match span.name.as_str() {
        "llm_node" | "llm_request" | "realtime_inference" => (Trouble::Llm, failed),
        // The first attempt has number 0. A failed attempt is the reason for the next one, which is counted.
        "llm_request_run" => {
            let again = span.number("lk.retry_count").is_some_and(|n| n > 0.0);
            (Trouble::LlmRetry, again)
        }
        "tts_node" => (Trouble::Tts, failed),
        "function_tool" => (Trouble::Tool, failed || says("lk.function_tool.is_error")),
        "agent_session" => {
            let closed = span.text("lk.close_reason") == Some("error");
            (Trouble::Session, failed || closed)
        }
        _ => (Trouble::Other, failed),
    };
    is_met.then_some(trouble)
}
