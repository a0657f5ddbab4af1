//! What a whole timeline adds up to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::line::TurnLine;
use super::path::Breakdown;
use super::stages;
use super::tree::{Kind, Tree};

/// The largest part of the time that the caller waited.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bottleneck {
    pub part: &'static str,
    pub ms: f64,
    /// Of 1.
    pub share: f64,
    /// Replies it is of.
    pub turns: usize,
}

/// What the agent's spans of the whole session add up to.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Totals {
    pub spans: usize,
    pub llm_requests: usize,
    pub tts_requests: usize,
    pub tools: usize,
    /// Attempts that failed and were made again, and what they took.
    pub retries: usize,
    pub retries_ms: f64,
    /// Generations that were thrown away.
    pub discarded: usize,
    pub errors: usize,
    pub input_tokens: Option<f64>,
    pub output_tokens: Option<f64>,
    /// US dollars, of the requests whose cost is known.
    pub cost_usd: Option<f64>,
    pub requests_with_cost: usize,
}

impl Bottleneck {
    pub(super) fn of(turns: &[TurnLine]) -> Option<Self> {
        let all: Vec<&Breakdown> =
            turns.iter().filter_map(|turn| turn.breakdown.as_ref()).collect();
        let mut sums = BTreeMap::<&'static str, f64>::new();
        for share in all.iter().flat_map(|of| &of.shares) {
            *sums.entry(share.part).or_default() += share.ms;
        }
        let total: f64 = all.iter().map(|of| of.total_ms).sum();
        let (part, ms) = sums.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        (ms > 0.0 && total > 0.0).then(|| Self { part, ms, share: ms / total, turns: all.len() })
    }
}

impl Totals {
    pub(super) fn of(tree: &Tree<'_>) -> Self {
        let mut totals = Self { spans: tree.nodes.len(), ..Self::default() };
        let add = |sum: &mut Option<f64>, value: Option<f64>| {
            if let Some(value) = value.filter(|value| *value >= 0.0) {
                *sum = Some(sum.unwrap_or(0.0) + value);
            }
        };
        for (at, node) in tree.nodes.iter().enumerate() {
            let is_outer = node.request == Some(at);
            let facts = stages::facts(tree, at, node);
            match node.kind {
                Kind::LlmRequest if is_outer => totals.llm_requests += 1,
                Kind::TtsRequest if is_outer => totals.tts_requests += 1,
                Kind::Tool => totals.tools += 1,
                Kind::Llm | Kind::Tts | Kind::Hook | Kind::LlmRequest | Kind::TtsRequest => {}
                Kind::Session
                | Kind::UserTurn
                | Kind::UserSpeaking
                | Kind::EndOfTurn
                | Kind::AgentTurn
                | Kind::LlmAttempt
                | Kind::TtsAttempt
                | Kind::Speaking
                | Kind::Blocked
                | Kind::Other => continue,
            }
            add(&mut totals.input_tokens, facts.input_tokens);
            add(&mut totals.output_tokens, facts.output_tokens);
            add(&mut totals.cost_usd, facts.cost_usd);
            totals.requests_with_cost += usize::from(facts.cost_usd.is_some());
            let is_whole = is_outer || matches!(node.kind, Kind::Tool | Kind::Hook);
            totals.errors += usize::from(is_whole && facts.error.is_some());
            if is_outer {
                totals.retries += facts.retries;
                totals.retries_ms += facts.retries_ms.unwrap_or(0.0);
            }
        }
        totals
    }
}
