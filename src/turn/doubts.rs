//! What of an agent's report is not believed: what no clock gives, and what contradicts what was heard.

use super::values::REPORTED;
use super::{LONGEST_REPORTED_MS, REPORTED_SLACK_MS, Reply, Turn};
use crate::record::ReportedMetrics;
use crate::scenario::Metric;
use crate::time::Offset;

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
    /// It is longer than from the caller's first voiced sample to the reply, within which it lies.
    LongerThanTheTurn,
    /// An end-to-end latency that is longer than the heard one, by more than [`REPORTED_SLACK_MS`].
    LongerThanHeard,
}

impl Why {
    /// The name in `report.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Negative => "negative",
            Self::Absurd => "absurd",
            Self::SpeechRunsBackwards => "speech_runs_backwards",
            Self::AbsentAfterHandoff => "absent_after_handoff",
            Self::LongerThanTheTurn => "longer_than_the_turn",
            Self::LongerThanHeard => "longer_than_heard",
        }
    }
}

/// A message that says its speech ended before it began has its times from nowhere.
pub(super) fn in_order(
    mut metrics: ReportedMetrics,
    doubts: &mut Vec<Rejected>,
) -> ReportedMetrics {
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

/// Takes out what cannot be true of any turn.
pub(super) fn plausible(
    mut metrics: ReportedMetrics,
    doubts: &mut Vec<Rejected>,
) -> ReportedMetrics {
    for (metric, field) in REPORTED {
        if let Some(ms) = field(&mut metrics).take_if(|v| !(0.0..=LONGEST_REPORTED_MS).contains(v))
        {
            let why = if ms < 0.0 { Why::Negative } else { Why::Absurd };
            doubts.push(Rejected { metric, ms: Some(ms), why });
        }
    }
    metrics
}

/// When the messages about a turn reached us.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    /// The first piece of the caller's utterance that the agent took for a whole one.
    pub(super) committed: Option<Offset>,
    /// The message with the end-to-end latency.
    pub(super) latency: Option<Offset>,
    /// The last message of the reply.
    pub(super) last: Option<Offset>,
    /// The last message of any reply in the turn.
    pub(super) last_of_turn: Option<Offset>,
}

/// Takes out what contradicts what was heard of a turn that ends at `end`, with the caller's next
/// utterance or with the call; `speeches`: when the agent's began since the caller did.
///
/// A reply's figures are sent when it is over, so they may be about any speech of the turn that had
/// begun by then: an agent that says something while a tool runs reports the latency of its answer.
/// Where the agent took a pause within the utterance for its end it counts from there, and nothing but
/// the caller's first sample bounds what it reports.
pub(super) fn contradicted(turn: &mut Turn, told: Told, speeches: &[Offset], end: Offset) {
    let Some(said) = turn.said else { return };
    let heard = if let Reply::Heard { voice, .. } = turn.reply { Some(voice) } else { None };
    let reply = heard.map(|voice| voice.from);
    let latest = |known: Option<Offset>| {
        let begun = speeches.iter().filter(|from| known.is_none_or(|at| **from <= at));
        begun.copied().chain(reply).max()
    };
    let counts_from_a_pause = told.committed.is_some_and(|at| at < said.until)
        || reply.is_some_and(|from| from < said.until);
    for (metric, field) in REPORTED {
        let is_latency = metric == Metric::E2eLatency;
        let speech = latest(if is_latency { told.latency } else { told.last });
        let longest = speech.unwrap_or(end).ms_since(said.from) + REPORTED_SLACK_MS;
        let heard = speech.filter(|_| is_latency && !counts_from_a_pause);
        let heard = heard.map(|from| from.ms_since(said.until) + REPORTED_SLACK_MS);
        let why = |ms: f64| match heard {
            _ if ms > longest => Some(Why::LongerThanTheTurn),
            Some(heard) if ms > heard => Some(Why::LongerThanHeard),
            Some(_) | None => None,
        };
        let place = field(&mut turn.reported);
        if let Some((ms, why)) = place.and_then(|ms| Some((ms, why(ms)?))) {
            *place = None;
            turn.doubts.push(Rejected { metric, ms: Some(ms), why });
        }
    }
}

#[cfg(test)]
mod tests;
