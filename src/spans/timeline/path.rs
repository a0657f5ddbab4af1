//! Where the time until a reply went, by the agent's spans: the chain of stages that the reply waited for, found from
//! its end. Before the agent's voice came the stage that ended last before it, before that one the stage that ended
//! last before its begin, and so on: what ran beside them was waited for by nobody. What lies between two of them, no
//! stage claims.
//!
//! Only durations of one clock are used, so it needs no clocks to be aligned: the agent's own figure is told apart into
//! stages, and what we heard beyond it is `unattributed`, as everywhere.

use serde::Serialize;

use super::exchange::Exchange;
use super::stages::{Stage, What};
use crate::turn::{Part, REPORTED_SLACK_MS, Turn};

/// Stages follow each other with gaps and overlaps of this, which are the program's own. Milliseconds.
const JOINT: f64 = 12.0;

/// A part of the time until a reply.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    pub part: &'static str,
    pub ms: f64,
    /// Some stage claims it.
    pub claimed: bool,
}

/// Lost to requests that failed and were made again.
pub(super) const LLM_RETRIES: &str = "llm_retries";
pub(super) const TTS_RETRIES: &str = "tts_retries";
/// The model's request that asked for a tool.
const TOOL_CALL: &str = "llm_tool_call";

/// The time until a reply in parts that add up to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Breakdown {
    pub total_ms: f64,
    /// We heard it; else it is the agent's own figure.
    pub heard: bool,
    /// In the order of time.
    pub shares: Vec<Share>,
}

impl Breakdown {
    /// The largest part.
    pub fn bottleneck(&self) -> Option<Share> {
        let claimed = self.shares.iter().filter(|share| share.ms > 0.0);
        claimed.max_by(|a, b| a.ms.total_cmp(&b.ms)).copied()
    }

    /// What no stage claims.
    pub fn unclaimed_ms(&self) -> f64 {
        self.shares.iter().filter(|share| !share.claimed).map(|share| share.ms).sum()
    }

    /// By the agent's spans; `heard_ms` is what we waited. `None` where the spans do not say how long the agent took,
    /// or contradict what was heard.
    pub(super) fn of_spans(
        exchange: &Exchange,
        stages: &[Stage],
        heard_ms: Option<f64>,
    ) -> Option<Self> {
        let end = exchange.spoke?.0;
        let begin = match (exchange.claims.e2e_latency_ms, exchange.said) {
            (Some(e2e), _) => end - e2e,
            (None, Some(said)) => said.1,
            (None, None) => return None,
        };
        let claimed_ms = end - begin;
        let beyond = heard_ms.map(|heard| heard - claimed_ms);
        if claimed_ms < 0.0 || beyond.is_some_and(|ms| ms < -REPORTED_SLACK_MS) {
            return None;
        }
        let mut shares = chain(&links(exchange, stages, begin, end), begin, end);
        if let Some(ms) = beyond {
            shares.push(Share { part: Part::Unattributed.name(), ms, claimed: false });
        }
        let total_ms = heard_ms.unwrap_or(claimed_ms);
        Some(Self { total_ms, heard: heard_ms.is_some(), shares })
    }

    /// How much later than we the agent took the caller's speech for ended, where its state tells that.
    pub(super) fn noticed_late(&self) -> Option<f64> {
        let late = Part::EndNoticedLate.name();
        self.shares.iter().find(|share| share.part == late).map(|share| share.ms)
    }

    /// With that told apart from what is unattributed.
    #[must_use]
    pub(super) fn with_noticed_late(mut self, late_ms: Option<f64>) -> Self {
        let unattributed = Part::Unattributed.name();
        let place = self.shares.iter().position(|share| share.part == unattributed);
        if let (Some(ms), Some(at)) = (late_ms, place) {
            self.shares[at].ms -= ms;
            let late = Share { part: Part::EndNoticedLate.name(), ms, claimed: true };
            self.shares.insert(0, late);
        }
        self
    }

    /// By what the agent reported in the call, without spans.
    pub(super) fn of_turn(turn: &Turn) -> Option<Self> {
        let path = turn.path()?;
        let share = |(part, ms): (&Part, &f64)| Share {
            part: part.name(),
            ms: *ms,
            claimed: !matches!(part, Part::BetweenStages | Part::Unattributed),
        };
        let shares = path.parts.iter().map(share).collect();
        Some(Self { total_ms: path.total_ms(), heard: true, shares })
    }
}

/// Something a reply may have waited for.
#[derive(Debug, Clone, Copy)]
struct Link {
    part: &'static str,
    from: f64,
    until: f64,
}

fn links(exchange: &Exchange, stages: &[Stage], begin: f64, end: f64) -> Vec<Link> {
    let mut links = Vec::new();
    let mut push = |part, from: f64, until: f64| {
        if until > from {
            links.push(Link { part, from, until });
        }
    };
    let claims = exchange.claims;
    if let Some(ms) = claims.end_of_turn_delay_ms {
        push(Part::EndOfTurn.name(), begin, begin + ms);
    }
    if let Some(ms) = claims.transcription_delay_ms {
        push(Part::Transcription.name(), begin, begin + ms);
    }
    let voice = voice(stages, end);
    // When the first text went there.
    let text = voice.and_then(|of| {
        let lost = of.facts.retries_ms.unwrap_or(0.0);
        Some((end - of.facts.first_ms? - lost).max(of.from))
    });
    let commit = begin
        + claims.end_of_turn_delay_ms.unwrap_or(0.0)
        + claims.on_user_turn_completed_delay_ms.unwrap_or(0.0);
    for of in stages.iter().filter(|of| of.from < end && !of.facts.discarded) {
        match of.what {
            What::EndOfTurn if claims.end_of_turn_delay_ms.is_none() => {
                push(Part::EndOfTurn.name(), of.from, of.until);
            }
            What::UserTurnHook => push(Part::UserTurnHook.name(), of.from, of.until),
            What::Tool => push(Part::Tool.name(), of.from, of.until),
            What::Llm => model(of, stages, text, (commit, end), &mut push),
            What::EndOfTurn
            | What::CallerSpeech
            | What::AgentHeard
            | What::BargeIn
            | What::CallerNoticed
            | What::Transcription
            | What::LlmRequest
            | What::LlmAttempt
            | What::Tts
            | What::TtsRequest
            | What::TtsAttempt
            | What::AgentSpeech
            | What::Blocked
            | What::Told => {}
        }
    }
    if let Some(from) = text {
        let lost = voice.and_then(|of| of.facts.retries_ms).unwrap_or(0.0).min(end - from);
        push(TTS_RETRIES, from, from + lost);
        push(Part::TtsFirstByte.name(), from + lost, end);
    }
    links
}

/// The stages of a model's request.
fn model(
    of: &Stage,
    stages: &[Stage],
    text: Option<f64>,
    (commit, end): (f64, f64),
    push: &mut impl FnMut(&'static str, f64, f64),
) {
    let lost = of.facts.retries_ms.unwrap_or(0.0);
    let answered = of.from + lost;
    push(LLM_RETRIES, of.from, answered);
    let mut tools = stages.iter().filter(|tool| tool.what == What::Tool);
    let asked = tools.find(|tool| tool.from >= of.from && tool.from <= of.until + JOINT);
    if let Some(tool) = asked {
        // A tool runs as soon as the model has named it, while its request still ends.
        push(TOOL_CALL, answered, of.until.min(tool.from));
        return;
    }
    let token = of.facts.first_ms.map_or(of.until.min(end), |ms| of.from + ms);
    push(Part::LlmFirstToken.name(), answered, token.max(answered));
    // It goes on until there is a sentence to speak, unless that waited for the turn to be decided.
    let is_held = |text: f64| token <= commit && (text - commit).abs() <= JOINT;
    if let Some(text) = text.filter(|text| !is_held(*text)) {
        push(Part::LlmFirstSentence.name(), token, text.min(of.until));
    }
}

/// The speech synthesis whose first audio is what begins to be spoken.
fn voice(stages: &[Stage], end: f64) -> Option<&Stage> {
    let is_voice =
        |of: &&Stage| of.what == What::Tts && of.from < end && of.facts.first_ms.is_some();
    stages.iter().rev().find(is_voice)
}

/// The chain from the end back to the begin, in the order of time.
fn chain(links: &[Link], begin: f64, end: f64) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    let unclaimed = Part::BetweenStages.name();
    let mut put = |part: &'static str, ms: f64| {
        let claimed = part != unclaimed;
        match shares.iter_mut().find(|share| share.part == part) {
            Some(share) => share.ms += ms,
            None => shares.push(Share { part, ms, claimed }),
        }
    };
    let mut at = end;
    let mut gap = 0.0;
    // Each step goes back in time, so there are no more of them than links.
    for _ in 0..=links.len() {
        let before =
            |link: &&Link| link.from < at && link.until <= at + JOINT && link.until > begin;
        let last = links
            .iter()
            .filter(before)
            .max_by(|a, b| a.until.total_cmp(&b.until).then(b.from.total_cmp(&a.from)));
        let Some(link) = last.filter(|_| at > begin) else { break };
        let until = link.until.min(at);
        let from = link.from.max(begin);
        gap += at - until;
        put(link.part, until - from);
        at = from;
    }
    gap += (at - begin).max(0.0);
    put(unclaimed, gap);
    shares.reverse();
    // What nobody claims stands last, wherever it was.
    shares.sort_by_key(|share| !share.claimed);
    shares
}

#[cfg(test)]
mod tests;
