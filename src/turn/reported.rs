//! Lays what the agent reported beside the turns it is about.
//!
//! The messages carry no turn id, and a reply's metrics come only when its playout is over: possibly
//! seconds later, when the caller has long broken in and its next utterance is committed. So messages
//! are matched by their order, our own moments of receipt, and what was heard; never by the agent's
//! clock.

use super::doubts::{self, Rejected, Told, Why};
use super::timeline::CallTimeline;
use super::transcripts::{Text, Transcripts};
use super::values::fill_in;
use super::{Reply, Turn};
use crate::record::{CallRecord, LONGEST_TEXT, Observation, ReportedMetrics, SessionEvent};
use crate::scenario::{Act, Metric, Scenario};
use crate::time::Offset;

/// Audio outruns data by no more than this: a committed utterance that reaches us so much after a
/// reply began can still be what the reply answers.
const DATA_LAG_US: i64 = 500_000;

/// A message of a speech reaches us so much before its end, as we hear it, at most.
const MESSAGE_LEAD_US: i64 = 300_000;
/// A text is opened so much before the speech it is of, at most.
const TEXT_LEAD_US: i64 = 1_000_000;

/// Fills in what the agent said about each turn. Returns for each whether its text is that of all that was heard
/// of the agent in it.
pub(super) fn join(
    call: &CallRecord,
    scenario: &Scenario,
    heard: &CallTimeline,
    turns: &mut [Turn],
) -> Vec<bool> {
    let greets = scenario.steps().first().is_some_and(|s| !matches!(s.act, Act::Say { .. }));
    let greeting = greets.then_some(0);
    let mut exchanges = Exchanges::new(heard, greeting);
    let mut spoken = Transcripts::default();
    for seen in &call.log {
        let Observation::Session(event) = &seen.what else {
            if let Observation::Transcript { speaker, segment, text, last, .. } = &seen.what {
                let text = Text { id: segment, words: text, whole: *last };
                spoken.hear(heard, seen.at, *speaker, &text);
            }
            continue;
        };
        let step = heard.last_said(seen.at);
        // What is not a message belongs to what was said last, or to the greeting.
        let Some(turn) = turns.get_mut(step.unwrap_or(0) as usize) else { continue };
        note(&mut exchanges, event, seen.at, step, turn);
    }
    let told = exchanges.fill(turns);
    let opened = spoken.fill(greeting, turns);
    let all_told = (turns.iter().zip(&told).zip(opened))
        .map(|((turn, told), opened)| is_all_told(heard, turn, told.last_of_turn, opened));
    let all_told = all_told.collect();
    absent_after_handoff(call, heard, turns);
    contradicted(heard, told, turns);
    all_told
}

/// Whether the text of a turn reaches to the end of what was heard of the agent in it: its last message came then,
/// or the last of its texts, all of them whole, was `opened` with the last speech.
fn is_all_told(
    heard: &CallTimeline,
    turn: &Turn,
    message: Option<Offset>,
    opened: Option<Offset>,
) -> bool {
    let (Some(text), Some(last)) = (&turn.reply_text, heard.last_speech(turn)) else {
        return false;
    };
    let is_cut = text.chars().count() >= LONGEST_TEXT;
    let by_message = message.is_some_and(|at| at.plus_micros(MESSAGE_LEAD_US) >= last.until);
    let by_text = opened.is_some_and(|at| at.plus_micros(TEXT_LEAD_US) >= last.from);
    !is_cut && (by_message || by_text)
}

/// Takes out of each turn what contradicts what was heard of it.
fn contradicted(heard: &CallTimeline, told: Vec<Told>, turns: &mut [Turn]) {
    for (turn, told) in turns.iter_mut().zip(told) {
        let Some(said) = turn.said else { continue };
        let end = heard.closes(said);
        doubts::contradicted(turn, told, &heard.speeches(said.from, end), end);
    }
}

/// A session that is handed to another agent may stop to report (livekit/agents#7157).
fn absent_after_handoff(call: &CallRecord, heard: &CallTimeline, turns: &mut [Turn]) {
    let is_handoff = |o: &Observation| matches!(o, Observation::Session(SessionEvent::Handoff));
    let mut steps = call.log.iter().filter(|s| is_handoff(&s.what));
    // Before the caller has said anything it is only the first agent that takes over.
    let Some(handed) = steps.find_map(|s| heard.last_said(s.at)) else { return };
    let known = |t: &Turn| t.reported.e2e_latency_ms.is_some();
    if !turns.iter().any(|t| t.step <= handed && known(t)) {
        return;
    }
    for turn in turns.iter_mut().filter(|t| t.step > handed && !known(t)) {
        if matches!(turn.reply, Reply::Heard { .. }) {
            let (metric, why) = (Metric::E2eLatency, Why::AbsentAfterHandoff);
            turn.doubts.push(Rejected { metric, ms: None, why });
        }
    }
}

fn note(
    exchanges: &mut Exchanges<'_>,
    event: &SessionEvent,
    at: Offset,
    step: Option<u32>,
    turn: &mut Turn,
) {
    match event {
        SessionEvent::UserMessage { text, metrics, .. } => exchanges.user(step, at, text, metrics),
        SessionEvent::AgentMessage { text, metrics, .. } => exchanges.agent(at, text, metrics),
        SessionEvent::FalseInterruption { .. } => turn.false_interruption = true,
        SessionEvent::Error { message } => turn.errors.push(message.clone()),
        SessionEvent::Dialect(_)
        | SessionEvent::AgentState { .. }
        | SessionEvent::UserState { .. }
        | SessionEvent::ToolsStarted { .. }
        | SessionEvent::ToolsExecuted { .. }
        | SessionEvent::ToolStarted { .. }
        | SessionEvent::ToolEnded { .. }
        | SessionEvent::Handoff
        | SessionEvent::EndOfTurnPrediction { .. }
        | SessionEvent::Usage { .. }
        | SessionEvent::Framework { .. }
        | SessionEvent::Options { .. } => {}
    }
}

/// What the caller said as the agent committed it, with the reply to it.
struct Exchange {
    /// `None` for a greeting that no step awaits.
    step: Option<u32>,
    /// When the commit reached us; `None` for the greeting, which answers nothing.
    user_at: Option<Offset>,
    user_text: Vec<String>,
    agent_text: Vec<String>,
    metrics: ReportedMetrics,
    doubts: Vec<Rejected>,
    told: Told,
    /// Its reply's message has come, or never will.
    closed: bool,
}

struct Exchanges<'a> {
    heard: &'a CallTimeline,
    /// Begins with the greeting.
    all: Vec<Exchange>,
}

impl<'a> Exchanges<'a> {
    fn new(heard: &'a CallTimeline, greeting: Option<u32>) -> Self {
        let greeting = Exchange { step: greeting, ..Exchange::to(None, None) };
        Self { heard, all: vec![greeting] }
    }

    /// A committed utterance. The agent may commit one utterance of ours in two pieces.
    fn user(&mut self, step: Option<u32>, at: Offset, text: &str, metrics: &ReportedMetrics) {
        if !self.all.last().is_some_and(|e| e.user_at.is_some() && e.step == step && !e.closed) {
            self.all.push(Exchange::to(step, Some(at)));
        }
        if let Some(exchange) = self.all.last_mut() {
            exchange.user_at = Some(at);
            exchange.told.committed.get_or_insert(at);
            exchange.user_text.push(text.to_owned());
            let metrics = doubts::in_order(*metrics, &mut exchange.doubts);
            fill_in(&mut exchange.metrics, &metrics, Option::or);
        }
    }

    /// A reply that was played (perhaps not to its end). It belongs to the oldest exchange for which a
    /// reply was heard and none has been reported, and else to the newest: that is so for the second
    /// message of a turn with tools, and for a reply we did not hear.
    fn agent(&mut self, at: Offset, text: &str, metrics: &ReportedMetrics) {
        let owed = self.all.iter().position(|e| self.is_owed(e, at, metrics));
        let place = owed.unwrap_or(self.all.len().saturating_sub(1));
        for exchange in self.all.iter_mut().take(place + 1) {
            exchange.closed = true;
        }
        if let Some(exchange) = self.all.get_mut(place) {
            exchange.agent_text.push(text.to_owned());
            exchange.told.last = Some(at);
            // A turn with tools reports its latency with its first message.
            let metrics = doubts::in_order(*metrics, &mut exchange.doubts);
            if metrics.e2e_latency_ms.is_some() {
                exchange.told.latency.get_or_insert(at);
            }
            fill_in(&mut exchange.metrics, &metrics, |new, old| old.or(new));
        }
    }

    fn is_owed(&self, exchange: &Exchange, at: Offset, metrics: &ReportedMetrics) -> bool {
        let is_greeting = exchange.user_at.is_none();
        let speech = self.heard.speech_after(if is_greeting { None } else { exchange.step });
        !exchange.closed
            && (is_greeting || exchange.step.is_some())
            && speech.is_some_and(|from| from <= at)
            // Only a reply to the caller has an end-to-end latency.
            && !(is_greeting && metrics.e2e_latency_ms.is_some())
    }

    /// Puts the exchanges into their turns. Where the agent made two exchanges of one utterance, the
    /// metrics are those of the one whose reply was heard first. Returns when each turn's came.
    fn fill(self, turns: &mut [Turn]) -> Vec<Told> {
        let mut told = vec![Told::default(); turns.len()];
        for (turn, told) in turns.iter_mut().zip(&mut told) {
            let of_turn = || self.all.iter().filter(|e| e.step == Some(turn.step));
            let reply_at = self.heard.speech_after(Some(turn.step));
            let before = |e: &&Exchange| match (e.user_at, reply_at) {
                (Some(user), Some(reply)) => user <= reply.plus_micros(DATA_LAG_US),
                (None, _) | (_, None) => true,
            };
            let Some(first) = of_turn().next() else { continue };
            let answered = of_turn().rfind(before).unwrap_or(first);
            *told = answered.told;
            // Where the agent made two of it, it took a pause for the end.
            told.committed = first.told.committed;
            told.last_of_turn = of_turn().filter_map(|exchange| exchange.told.last).max();
            turn.doubts.clone_from(&answered.doubts);
            turn.reported = doubts::plausible(answered.metrics, &mut turn.doubts);
            let text = |of: fn(&Exchange) -> &Vec<String>| {
                let all: Vec<&str> = of_turn().flat_map(of).map(String::as_str).collect();
                (!all.is_empty()).then(|| all.join(" "))
            };
            turn.heard_by_agent = text(|e| &e.user_text);
            turn.reply_text = text(|e| &e.agent_text);
        }
        told
    }
}

impl Exchange {
    fn to(step: Option<u32>, user_at: Option<Offset>) -> Self {
        let (user_text, agent_text) = (Vec::new(), Vec::new());
        let metrics = ReportedMetrics::default();
        let (doubts, told) = (Vec::new(), Told::default());
        Self { step, user_at, user_text, agent_text, metrics, doubts, told, closed: false }
    }
}

#[cfg(test)]
mod tests;
