//! The turns of a timeline: what was heard of each, beside the agent's stages.

use super::align::{Aligned, Edges};
use super::exchange::Exchange;
use super::join;
use super::line::{Axis, Row, Source, TurnLine, Went};
use super::path::Breakdown;
use super::stages::{self, Stage, What};
use super::tree::{Kind, Tree};

use super::ours::Ours;

/// Exchanges without a turn of ours that are shown on their own.
const MOST: usize = 2_000;

/// Every row of some turns.
pub(super) fn rows(turns: &[TurnLine]) -> impl Iterator<Item = &Row> {
    turns.iter().flat_map(|turn| &turn.rows)
}

/// The edges that the agent saw.
pub(super) fn edges(tree: &Tree<'_>) -> Edges {
    let of = |kind| tree.of(kind).map(|(_, node)| node);
    Edges {
        agent_begins: of(Kind::Speaking).map(|node| node.from).collect(),
        caller_begins: of(Kind::UserSpeaking).map(|node| node.from).collect(),
        caller_ends: of(Kind::UserSpeaking).map(|node| node.until).collect(),
    }
}

/// Both sides on our axis.
pub(super) fn joined(
    tree: &Tree<'_>,
    exchanges: &[Exchange],
    ours: Ours,
    clocks: Aligned,
) -> Vec<TurnLine> {
    let paired = join::join(&ours.heard, exchanges, Some(clocks));
    let mut turns = ours.turns;
    let mut is_taken = vec![false; exchanges.len()];
    for (turn, at) in turns.iter_mut().zip(&paired) {
        let Some((at, exchange)) = at.and_then(|at| Some((at, exchanges.get(at)?))) else {
            continue;
        };
        is_taken[at] = true;
        lay(tree, exchange, turn, clocks.offset_ms);
        claim(tree, exchange, turn);
    }
    let begins: Vec<f64> = turns.iter().map(|turn| turn.from_ms).collect();
    let mut others = Vec::new();
    let left = exchanges.iter().zip(&is_taken).filter(|(_, taken)| !**taken);
    for (exchange, _) in left.take(MOST) {
        let from = exchange.from + clocks.offset_ms;
        let home = begins.iter().rposition(|begin| *begin <= from + clocks.error_ms);
        match home {
            // A turn that the agent took for over too early, and did not reply to, is a piece of ours.
            Some(home) if exchange.spoke.is_none() => {
                lay(tree, exchange, &mut turns[home], clocks.offset_ms);
            }
            Some(_) | None => others.push(alone_line(tree, exchange, Axis::Call, clocks.offset_ms)),
        }
    }
    turns.extend(others);
    turns.iter_mut().for_each(TurnLine::span);
    turns.sort_by(|a, b| a.from_ms.total_cmp(&b.from_ms));
    turns
}

/// Both sides on an axis each, ours first. What is the same turn by its figures is told apart by the agent's stages.
pub(super) fn apart(tree: &Tree<'_>, exchanges: &[Exchange], ours: Ours) -> Vec<TurnLine> {
    let paired = join::join(&ours.heard, exchanges, None);
    let mut turns = ours.turns;
    for (turn, at) in turns.iter_mut().zip(&paired) {
        if let Some(exchange) = at.and_then(|at| exchanges.get(at)) {
            claim(tree, exchange, turn);
        }
    }
    turns.extend(alone(tree, exchanges));
    turns
}

/// The agent's side alone.
pub(super) fn alone(tree: &Tree<'_>, exchanges: &[Exchange]) -> Vec<TurnLine> {
    exchanges.iter().take(MOST).map(|of| alone_line(tree, of, Axis::Session, 0.0)).collect()
}

fn alone_line(tree: &Tree<'_>, exchange: &Exchange, axis: Axis, offset_ms: f64) -> TurnLine {
    let mut line = TurnLine {
        number: 0,
        id: None,
        axis,
        went: Went::Reported,
        heard_ms: None,
        claims: None,
        interrupted: false,
        zero_ms: exchange.said.map(|said| said.1 + offset_ms),
        from_ms: exchange.from + offset_ms,
        until_ms: exchange.until + offset_ms,
        rows: Vec::new(),
        rows_left_out: 0,
        breakdown: None,
    };
    lay(tree, exchange, &mut line, offset_ms);
    claim(tree, exchange, &mut line);
    line.span();
    line
}

/// Adds the stages of an exchange to a turn.
fn lay(tree: &Tree<'_>, exchange: &Exchange, turn: &mut TurnLine, offset_ms: f64) {
    let (stages, left_out) = stages::stages(tree, exchange);
    turn.rows_left_out += left_out;
    if stages.iter().any(|of| of.what == What::Tool) {
        // The same tools by the agent's messages in the call, which came later.
        turn.rows.retain(|row| row.what != What::Told);
    }
    let room = stages::MOST.saturating_sub(turn.rows.len());
    turn.rows_left_out += stages.len().saturating_sub(room);
    turn.rows.extend(stages.into_iter().take(room).map(|stage| row(stage, offset_ms)));
    // What the caller said stands first, what came of it below; heard beside noticed.
    let order = |row: &Row| match row.what {
        What::CallerSpeech => 0,
        What::CallerNoticed => 1,
        What::EndOfTurn
        | What::Transcription
        | What::UserTurnHook
        | What::Llm
        | What::LlmRequest
        | What::LlmAttempt
        | What::Tool
        | What::Tts
        | What::TtsRequest
        | What::TtsAttempt
        | What::Blocked
        | What::Told => 2,
        What::AgentSpeech => 3,
        What::AgentHeard => 4,
        What::BargeIn => 5,
    };
    turn.rows.sort_by_key(order);
}

fn row(stage: Stage, offset_ms: f64) -> Row {
    Row {
        what: stage.what,
        source: Source::Reported,
        name: stage.name,
        depth: stage.depth,
        from_ms: stage.from + offset_ms,
        until_ms: stage.until + offset_ms,
        facts: stage.facts,
    }
}

/// What the agent says of a turn: its figures, and with them where the time went.
fn claim(tree: &Tree<'_>, exchange: &Exchange, turn: &mut TurnLine) {
    turn.claims = Some(exchange.claims);
    turn.interrupted = exchange.interrupted;
    let (stages, _) = stages::stages(tree, exchange);
    let heard = turn.heard_ms.filter(|_| turn.went == Went::Heard);
    let by_spans = match turn.went {
        Went::Heard | Went::Reported => Breakdown::of_spans(exchange, &stages, heard),
        Went::Greeted
        | Went::CutIn
        | Went::Yielded
        | Went::DidNotYield
        | Went::Ignored
        | Went::Disturbed
        | Went::Unanswered
        | Went::NotAwaited
        | Went::NotTested => None,
    };
    let reported = turn.breakdown.take();
    let late = reported.as_ref().and_then(Breakdown::noticed_late);
    turn.breakdown = by_spans.map(|of| of.with_noticed_late(late)).or(reported);
}
