//! The stages of an exchange, as rows: each with its place, what it cost, and how often it was tried.

use std::collections::BTreeMap;

use serde::Serialize;

use super::exchange::{Exchange, milliseconds};
use super::tree::{Kind, Node, Tree};
use crate::spans::AgentSpan;

/// Rows of an exchange that are kept.
pub(super) const MOST: usize = 200;

/// What a row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Heard by our ears: said by the caller, and what came back.
    CallerSpeech,
    AgentHeard,
    BargeIn,
    /// By the agent.
    CallerNoticed,
    EndOfTurn,
    Transcription,
    UserTurnHook,
    Llm,
    LlmRequest,
    LlmAttempt,
    Tool,
    Tts,
    TtsRequest,
    TtsAttempt,
    AgentSpeech,
    Blocked,
    /// A tool or a state by the agent's messages, by our receipt.
    Told,
}

/// What is known of a stage beside its place. Texts are the agent's own.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Facts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<f64>,
    /// US dollars, as the backend that held the spans computed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Until its first token, or first audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<f64>,
    /// Attempts that failed and were made again.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: usize,
    /// What those and the pauses after them took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Made for a reply that was never given: the model had been asked too early.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub discarded: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// A stage of the agent, milliseconds of its clock.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stage {
    pub(super) what: What,
    pub(super) name: String,
    /// How far inside other stages it is.
    pub(super) depth: u8,
    pub(super) from: f64,
    pub(super) until: f64,
    pub(super) facts: Facts,
}

/// The stages of an exchange in the order of time, inner ones after the one they are in; and how many more there are.
pub(super) fn stages(tree: &Tree<'_>, exchange: &Exchange) -> (Vec<Stage>, usize) {
    let mut stages = Vec::new();
    for (at, node) in nodes(tree, exchange) {
        if let Some((what, depth)) = row_of(node) {
            stages.push(stage(tree, at, node, what, depth));
        }
    }
    if let (Some(said), Some(ms)) = (exchange.said, exchange.claims.transcription_delay_ms)
        && ms > 0.0
    {
        stages.push(Stage {
            what: What::Transcription,
            name: "transcript".to_owned(),
            depth: 0,
            from: said.1,
            until: said.1 + ms,
            facts: Facts::default(),
        });
    }
    mark_discarded(&mut stages);
    let left_out = stages.len().saturating_sub(MOST);
    stages.truncate(MOST);
    stages.sort_by(|a, b| {
        a.from.total_cmp(&b.from).then(a.depth.cmp(&b.depth)).then(b.until.total_cmp(&a.until))
    });
    (grouped(stages), left_out)
}

fn nodes<'t, 'a>(
    tree: &'t Tree<'a>,
    exchange: &Exchange,
) -> impl Iterator<Item = (usize, &'t Node<'a>)> {
    let turns = exchange.user.into_iter().chain(exchange.agent);
    let inside = turns.flat_map(|turn| tree.in_turn(Some(turn)));
    let (from, until) = (exchange.from, exchange.until);
    // What stands under the session alone belongs to when it happened.
    let loose = tree.in_turn(None).filter(move |(_, node)| {
        let kinds = [Kind::Blocked, Kind::Hook, Kind::Tool, Kind::UserSpeaking, Kind::Speaking];
        kinds.contains(&node.kind) && node.from >= from && node.from <= until
    });
    inside.chain(loose)
}

const fn row_of(node: &Node<'_>) -> Option<(What, u8)> {
    Some(match node.kind {
        Kind::UserSpeaking => (What::CallerNoticed, 0),
        Kind::EndOfTurn => (What::EndOfTurn, 0),
        Kind::Hook => (What::UserTurnHook, 0),
        Kind::Llm => (What::Llm, 0),
        Kind::LlmRequest => (What::LlmRequest, 1),
        Kind::LlmAttempt => (What::LlmAttempt, 2),
        Kind::Tool => (What::Tool, 0),
        Kind::Tts => (What::Tts, 0),
        Kind::TtsRequest => (What::TtsRequest, 1),
        Kind::TtsAttempt => (What::TtsAttempt, 2),
        Kind::Speaking => (What::AgentSpeech, 0),
        Kind::Blocked => (What::Blocked, 0),
        Kind::Session | Kind::UserTurn | Kind::AgentTurn | Kind::Other => return None,
    })
}

fn stage(tree: &Tree<'_>, at: usize, node: &Node<'_>, what: What, depth: u8) -> Stage {
    let span = node.span;
    let tool =
        ["lk.function_tool.name", "gen_ai.tool.name"].iter().find_map(|name| span.text(name));
    let name = tool.filter(|_| what == What::Tool);
    Stage {
        what,
        name: name.unwrap_or(&span.name).to_owned(),
        depth,
        from: node.from,
        until: node.until,
        facts: facts(tree, at, node),
    }
}

/// What a span says beside its place.
pub(super) fn facts(tree: &Tree<'_>, at: usize, node: &Node<'_>) -> Facts {
    let span = node.span;
    let first_of = ["lk.response.ttft", "lk.response.ttfb", "gen_ai.response.time_to_first_chunk"];
    let models = ["gen_ai.response.model", "gen_ai.request.model"];
    let retries = Retries::of(tree, at);
    Facts {
        model: models.iter().find_map(|name| span.text(name)).map(str::to_owned),
        input_tokens: span.number("gen_ai.usage.input_tokens"),
        output_tokens: span.number("gen_ai.usage.output_tokens"),
        cost_usd: span.number("gen_ai.usage.cost"),
        first_ms: first_of.iter().find_map(|name| milliseconds(node, name)),
        retries: retries.number,
        retries_ms: (retries.number > 0).then_some(retries.lost_ms),
        error: failure(span),
        discarded: false,
    }
}

/// What went wrong by the span's own word; a failed tool does not fail its span.
fn failure(span: &AgentSpan) -> Option<String> {
    let type_of = span.text("error.type");
    match span.error.as_deref() {
        Some("") => Some(type_of.unwrap_or("failed").to_owned()),
        Some(message) => Some(message.to_owned()),
        None if span.truth("lk.function_tool.is_error") => {
            Some(type_of.unwrap_or("the tool gave an error").to_owned())
        }
        None => None,
    }
}

/// How often what a stage waited for was tried again.
#[derive(Default)]
struct Retries {
    number: usize,
    lost_ms: f64,
}

impl Retries {
    fn of(tree: &Tree<'_>, at: usize) -> Self {
        let mut retries = Self::default();
        let mut last: BTreeMap<Option<usize>, &Node<'_>> = BTreeMap::new();
        for of in tree.attempts(at) {
            // Several requests of one stage are no retries: a reply goes to speech synthesis in pieces.
            if let Some(before) = last.insert(of.request, of)
                && (before.span.error.is_some() || is_retry(of))
            {
                retries.number += 1;
                retries.lost_ms += of.from - before.from;
            }
        }
        retries
    }
}

fn is_retry(attempt: &Node<'_>) -> bool {
    attempt.span.number("lk.retry_count").is_some_and(|n| n > 0.0)
}

/// A generation that another one of the same turn follows, without a tool that it asked for, was thrown away.
fn mark_discarded(stages: &mut [Stage]) {
    let mut order: Vec<usize> =
        (0..stages.len()).filter(|at| stages[*at].what == What::Llm).collect();
    order.sort_by(|a, b| stages[*a].from.total_cmp(&stages[*b].from));
    for pair in order.windows(2) {
        let (from, next) = (stages[pair[0]].from, stages[pair[1]].from);
        let asked =
            stages.iter().any(|of| of.what == What::Tool && of.from >= from && of.from <= next);
        stages[pair[0]].facts.discarded = !asked;
    }
}

/// Inner stages after the one they began in.
fn grouped(stages: Vec<Stage>) -> Vec<Stage> {
    let (outer, inner): (Vec<Stage>, Vec<Stage>) = stages.into_iter().partition(|of| of.depth == 0);
    let home = |of: &Stage| {
        let fits = |out: &Stage| is_llm(out.what) == is_llm(of.what) && has_inner(out.what);
        let inside = |out: &Stage| fits(out) && out.from <= of.from && of.from <= out.until;
        outer.iter().rposition(inside)
    };
    let homes: Vec<Option<usize>> = inner.iter().map(home).collect();
    let mut all = Vec::with_capacity(outer.len() + inner.len());
    for (at, out) in outer.iter().enumerate() {
        all.push(out.clone());
        let of = inner.iter().zip(&homes).filter(|(_, home)| **home == Some(at));
        all.extend(of.map(|(stage, _)| stage.clone()));
    }
    let lost = inner.iter().zip(&homes).filter(|(_, home)| home.is_none());
    all.extend(lost.map(|(stage, _)| stage.clone()));
    all
}

const fn is_llm(what: What) -> bool {
    matches!(what, What::Llm | What::LlmRequest | What::LlmAttempt)
}

const fn has_inner(what: What) -> bool {
    matches!(what, What::Llm | What::Tts)
}
