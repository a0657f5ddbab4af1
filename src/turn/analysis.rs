//! A recording folded, call by call, into what it says. Of a call only its facts, turns and values are
//! kept, never its log, so a run takes the memory of its numbers however long its recording is. Calls
//! may come in any order: the result is the same.

use crate::record::{CallId, CallRecord, Observation, Outcome, Run, RunHead, RunTail};
use crate::scenario::Scenario;
use crate::stats::Histogram;
use crate::time::Offset;

use super::seen::Seen;
use super::timeline::CallTimeline;
use super::{Failure, Measures, Overlap, Turn, cause, measures, turns_heard};

/// Everything a recording says about a run, computed once.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    pub head: RunHead,
    /// `None` when the run was killed.
    pub tail: Option<RunTail>,
    /// In the order of their ids.
    pub calls: Vec<CallFacts>,
    pub measures: Measures,
    pub seen: Seen,
    pub media: Media,
}

/// What a recording says about a call.
#[derive(Debug, Clone, PartialEq)]
pub struct CallFacts {
    pub call: CallId,
    pub room: String,
    pub room_sid: Option<String>,
    pub agent_identity: Option<String>,
    pub due: Offset,
    pub dialled: Offset,
    pub connected: Option<Offset>,
    pub agent_joined: Option<Offset>,
    /// When the agent's audio could be heard.
    pub agent_ready: Option<Offset>,
    pub ended: Offset,
    pub outcome: Outcome,
    /// What exactly happened, for people; may be empty.
    pub detail: String,
    pub overlap: Overlap,
    /// Why it failed; `None` when it succeeded.
    pub failure: Option<Failure>,
    pub packets_received: u64,
    pub packets_lost: u64,
    pub largest_gap_ms: f64,
    /// One for each step of the script, in its order.
    pub turns: Vec<Turn>,
}

impl CallFacts {
    /// Whether it succeeded; `None` for a call that says nothing about the agent, because the user
    /// stopped it or the caller itself failed.
    pub fn ok(&self) -> Option<bool> {
        match self.outcome {
            Outcome::Stopped | Outcome::OurFault => None,
            Outcome::Answered
            | Outcome::NoAgent
            | Outcome::AgentLate
            | Outcome::AgentLeft
            | Outcome::NoGreeting
            | Outcome::NoAnswer
            | Outcome::ConnectionLost
            | Outcome::Refused => Some(self.failure.is_none()),
        }
    }
}

/// The media of all calls together, as they were sent and as they arrived.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Media {
    /// How late microphone packets left, in microseconds.
    pub pacing: Histogram,
    /// Calls whose pacing cannot be read.
    pub unreadable: usize,
    /// Microphone packets that were never sent because the caller was stalled.
    pub skipped: u64,
    pub received: u64,
    pub lost: u64,
    pub largest_gap_ms: f64,
}

impl Media {
    fn add(&mut self, call: &CallRecord) {
        let media = &call.media;
        if !media.pacing.is_empty() {
            let read = Histogram::from_base64(&media.pacing).and_then(|h| self.pacing.merge(&h));
            self.unreadable += usize::from(read.is_err());
        }
        self.skipped = self.skipped.saturating_add(media.packets_skipped);
        self.received = self.received.saturating_add(media.packets_received);
        self.lost = self.lost.saturating_add(media.packets_lost);
        self.largest_gap_ms = self.largest_gap_ms.max(finite(media.largest_gap_ms));
    }
}

/// An analysis to which calls are still added.
#[derive(Debug)]
pub struct Analyser<'a> {
    scenario: &'a Scenario,
    so_far: Analysis,
}

impl Analysis {
    /// Begins the analysis of a recording; `scenario` is the one it was made with.
    pub fn begin(head: RunHead, scenario: &Scenario) -> Analyser<'_> {
        let so_far = Self {
            head,
            tail: None,
            calls: Vec::new(),
            measures: Measures::default(),
            seen: Seen::default(),
            media: Media::default(),
        };
        Analyser { scenario, so_far }
    }

    /// The turns of all calls in the order of the calls' ids, each call's in the order of the script.
    pub fn turns(&self) -> impl Iterator<Item = &Turn> {
        self.calls.iter().flat_map(|call| &call.turns)
    }
}

impl Analyser<'_> {
    /// Adds one call.
    pub fn add(&mut self, call: &CallRecord) {
        let timeline = CallTimeline::new(call, self.scenario.steps().len());
        let turns = turns_heard(call, self.scenario, &timeline);
        let (voices, said) = timeline.overlap();
        let overlap = Overlap::measure(&said, voices.spans());
        let failure = cause::find(call, &turns);
        let facts = facts(call, overlap, failure, turns);
        let so_far = &mut self.so_far;
        measures::measure(&mut so_far.measures, call, &facts, self.scenario);
        so_far.seen.add(call);
        so_far.media.add(call);
        so_far.calls.push(facts);
    }

    /// Ends the analysis; `tail` is the end of the recording, if it has one.
    pub fn finish(self, tail: Option<RunTail>) -> Analysis {
        let mut done = Analysis { tail, ..self.so_far };
        done.calls.sort_by_key(|call| call.call);
        for values in done.measures.by_metric.values_mut() {
            values.sort_by_key(|value| (value.call, value.step));
            values.shrink_to_fit();
        }
        done
    }
}

/// Analyses a run that is in memory.
pub fn analyse(run: &Run, scenario: &Scenario) -> Analysis {
    let mut analysis = Analysis::begin(run.head.clone(), scenario);
    run.calls.iter().for_each(|call| analysis.add(call));
    analysis.finish(run.tail.clone())
}

fn facts(
    call: &CallRecord,
    overlap: Overlap,
    failure: Option<Failure>,
    turns: Vec<Turn>,
) -> CallFacts {
    let mut facts = CallFacts {
        call: call.id,
        room: call.room.clone(),
        room_sid: None,
        agent_identity: None,
        due: call.due,
        dialled: call.dialled,
        connected: None,
        agent_joined: None,
        agent_ready: None,
        ended: call.end.at,
        outcome: call.end.outcome,
        detail: call.end.detail.clone(),
        overlap,
        failure,
        packets_received: call.media.packets_received,
        packets_lost: call.media.packets_lost,
        largest_gap_ms: finite(call.media.largest_gap_ms),
        turns,
    };
    for stamped in &call.log {
        #[expect(clippy::wildcard_enum_match_arm, reason = "three facts of many are wanted")]
        match &stamped.what {
            Observation::Connected { room_sid } => {
                facts.connected.get_or_insert(stamped.at);
                facts.room_sid.get_or_insert_with(|| room_sid.clone());
            }
            Observation::AgentJoined { identity } => {
                facts.agent_joined.get_or_insert(stamped.at);
                facts.agent_identity.get_or_insert_with(|| identity.clone());
            }
            Observation::AgentTrackSubscribed => {
                facts.agent_ready.get_or_insert(stamped.at);
            }
            _ => {}
        }
    }
    facts
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

#[cfg(test)]
mod tests;
