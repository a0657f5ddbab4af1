//! Lays what the agent reported beside the turns it is about.
//!
//! The messages carry no turn id, and a reply's metrics come only when its playout is over: possibly
//! seconds later, when the caller has long broken in and its next utterance is committed. So messages
//! are matched by their order, our own moments of receipt, and what was heard; never by the agent's
//! clock.

use super::timeline::CallTimeline;
use super::{LONGEST_REPORTED_MS, Reply, Turn};
use crate::record::{CallRecord, Observation, ReportedMetrics, SessionEvent, Speaker};
use crate::scenario::{Act, Metric, Scenario};
use crate::time::Offset;

/// Audio outruns data by no more than this: a committed utterance that reaches us so much after a
/// reply began can still be what the reply answers.
const DATA_LAG_US: i64 = 500_000;

/// Something the agent reported that is not believed, or that is missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rejected {
    pub metric: Metric,
    /// As reported, in milliseconds; `None` when nothing was.
    pub ms: Option<f64>,
    pub why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    Negative,
    /// Over [`LONGEST_REPORTED_MS`], or no number.
    Absurd,
    /// The message it came with says that the speech ended before it began.
    SpeechRunsBackwards,
    /// The agent reported it until the session was handed to another agent.
    AbsentAfterHandoff,
}

impl Why {
    /// The name in `report.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Negative => "negative",
            Self::Absurd => "absurd",
            Self::SpeechRunsBackwards => "speech_runs_backwards",
            Self::AbsentAfterHandoff => "absent_after_handoff",
        }
    }
}

/// The values an agent reported, by metric, in the order of [`Metric::ALL`]. A number that is none
/// (agents are not trusted) counts as not reported.
pub fn stages(reported: &ReportedMetrics) -> Vec<(Metric, f64)> {
    // Named one by one, so that a new value cannot be forgotten here.
    let ReportedMetrics {
        transcription_delay_ms,
        end_of_turn_delay_ms,
        on_user_turn_completed_delay_ms,
        llm_node_ttft_ms,
        llm_node_ttfs_ms,
        tts_node_ttfb_ms,
        e2e_latency_ms,
        speech_ms: _,
    } = *reported;
    [
        (Metric::EndOfTurnDelay, end_of_turn_delay_ms),
        (Metric::TranscriptionDelay, transcription_delay_ms),
        (Metric::OnUserTurnCompletedDelay, on_user_turn_completed_delay_ms),
        (Metric::LlmNodeTtft, llm_node_ttft_ms),
        (Metric::LlmNodeTtfs, llm_node_ttfs_ms),
        (Metric::TtsNodeTtfb, tts_node_ttfb_ms),
        (Metric::E2eLatency, e2e_latency_ms),
    ]
    .into_iter()
    .filter_map(|(metric, ms)| Some((metric, ms.filter(|ms| ms.is_finite())?)))
    .collect()
}

/// Fills in what the agent said about each turn.
pub(super) fn join(
    call: &CallRecord,
    scenario: &Scenario,
    heard: &CallTimeline,
    turns: &mut [Turn],
) {
    let greets = scenario.steps().first().is_some_and(|s| !matches!(s.act, Act::Say { .. }));
    let mut exchanges = Exchanges::new(heard, greets.then_some(0));
    let mut spoken = Transcripts::default();
    for seen in &call.log {
        let Observation::Session(event) = &seen.what else {
            if let Observation::Transcript { speaker, segment, text, .. } = &seen.what {
                spoken.hear(heard.last_said(seen.at), *speaker, segment, text);
            }
            continue;
        };
        let step = heard.last_said(seen.at);
        // What is not a message belongs to what was said last, or to the greeting.
        let Some(turn) = turns.get_mut(step.unwrap_or(0) as usize) else { continue };
        note(&mut exchanges, event, seen.at, step, turn);
    }
    exchanges.fill(turns);
    spoken.fill(turns);
    absent_after_handoff(call, heard, turns);
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
            exchange.user_text.push(text.to_owned());
            let metrics = in_order(*metrics, &mut exchange.doubts);
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
            // A turn with tools reports its latency with its first message.
            let metrics = in_order(*metrics, &mut exchange.doubts);
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
    /// metrics are those of the one whose reply was heard first.
    fn fill(self, turns: &mut [Turn]) {
        for turn in turns {
            let of_turn = || self.all.iter().filter(|e| e.step == Some(turn.step));
            let reply_at = self.heard.speech_after(Some(turn.step));
            let before = |e: &&Exchange| match (e.user_at, reply_at) {
                (Some(user), Some(reply)) => user <= reply.plus_micros(DATA_LAG_US),
                (None, _) | (_, None) => true,
            };
            let Some(first) = of_turn().next() else { continue };
            let answered = of_turn().rfind(before).unwrap_or(first);
            turn.doubts.clone_from(&answered.doubts);
            turn.reported = plausible(answered.metrics, &mut turn.doubts);
            let text = |of: fn(&Exchange) -> &Vec<String>| {
                let all: Vec<&str> = of_turn().flat_map(of).map(String::as_str).collect();
                (!all.is_empty()).then(|| all.join(" "))
            };
            turn.heard_by_agent = text(|e| &e.user_text);
            turn.reply_text = text(|e| &e.agent_text);
        }
    }
}

impl Exchange {
    fn to(step: Option<u32>, user_at: Option<Offset>) -> Self {
        let (user_text, agent_text) = (Vec::new(), Vec::new());
        let metrics = ReportedMetrics::default();
        let doubts = Vec::new();
        Self { step, user_at, user_text, agent_text, metrics, doubts, closed: false }
    }
}

/// What `lk.transcription` says, for agents that have no session to tell it.
#[derive(Default)]
struct Transcripts {
    /// Step, speaker and segment as first seen, with the text as last seen.
    segments: Vec<(u32, Speaker, String, String)>,
}

impl Transcripts {
    fn hear(&mut self, step: Option<u32>, speaker: Speaker, segment: &str, text: &str) {
        let known = self.segments.iter_mut().find(|(_, s, id, _)| *s == speaker && id == segment);
        if let Some((.., known)) = known {
            text.clone_into(known);
        } else {
            let (segment, text) = (segment.to_owned(), text.to_owned());
            self.segments.push((step.unwrap_or(0), speaker, segment, text));
        }
    }

    fn fill(self, turns: &mut [Turn]) {
        for turn in turns {
            let text = |speaker: Speaker| {
                let of =
                    self.segments.iter().filter(|(s, who, ..)| *s == turn.step && *who == speaker);
                let all: Vec<&str> = of.map(|(.., text)| text.as_str()).collect();
                (!all.is_empty()).then(|| all.join(" "))
            };
            let said = text(Speaker::Caller).filter(|_| turn.said.is_some());
            turn.heard_by_agent = turn.heard_by_agent.take().or(said);
            turn.reply_text = turn.reply_text.take().or_else(|| text(Speaker::Agent));
        }
    }
}

type Field = fn(&mut ReportedMetrics) -> &mut Option<f64>;

/// The reported times and where they lie.
pub const REPORTED: [(Metric, Field); 7] = [
    (Metric::TranscriptionDelay, |m| &mut m.transcription_delay_ms),
    (Metric::EndOfTurnDelay, |m| &mut m.end_of_turn_delay_ms),
    (Metric::OnUserTurnCompletedDelay, |m| &mut m.on_user_turn_completed_delay_ms),
    (Metric::LlmNodeTtft, |m| &mut m.llm_node_ttft_ms),
    (Metric::LlmNodeTtfs, |m| &mut m.llm_node_ttfs_ms),
    (Metric::TtsNodeTtfb, |m| &mut m.tts_node_ttfb_ms),
    (Metric::E2eLatency, |m| &mut m.e2e_latency_ms),
];

fn fill_in(
    known: &mut ReportedMetrics,
    new: &ReportedMetrics,
    choose: fn(Option<f64>, Option<f64>) -> Option<f64>,
) {
    let mut new = *new;
    for (_, field) in REPORTED {
        *field(known) = choose(*field(&mut new), *field(known));
    }
}

/// A message that says its speech ended before it began has its times from nowhere.
fn in_order(mut metrics: ReportedMetrics, doubts: &mut Vec<Rejected>) -> ReportedMetrics {
    if metrics.speech_ms.is_none_or(|ms| ms >= 0.0) {
        return metrics;
    }
    for (metric, field) in REPORTED {
        if let Some(ms) = field(&mut metrics).take() {
            doubts.push(Rejected { metric, ms: Some(ms), why: Why::SpeechRunsBackwards });
        }
    }
    metrics
}

/// Takes out what cannot be true.
fn plausible(mut metrics: ReportedMetrics, doubts: &mut Vec<Rejected>) -> ReportedMetrics {
    for (metric, field) in REPORTED {
        if let Some(ms) = field(&mut metrics).take_if(|v| !(0.0..=LONGEST_REPORTED_MS).contains(v))
        {
            let why = if ms < 0.0 { Why::Negative } else { Why::Absurd };
            doubts.push(Rejected { metric, ms: Some(ms), why });
        }
    }
    metrics
}

#[cfg(test)]
mod tests;
