//! A recording folded, call by call, into what it says. Of a call only its facts, turns and values are
//! kept, never its log, so a run takes the memory of its numbers however long its recording is. Calls
//! may come in any order: the result is the same.

use crate::record::store::{Damage, Ending};
use crate::record::{CallRecord, Outcome, Run, RunHead, RunTail};
use crate::scenario::{Metric, Scenario};
use crate::stats::Histogram;

use super::content::{self, Tells};
use super::facts::{CallFacts, facts, finite};
use super::seen::Seen;
use super::timeline::CallTimeline;
use super::{Cause, Failure, Measures, Overlap, Turn, cause, measures, turns_heard};

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
    /// Lines of the recording that could not be read.
    pub damage: Option<Damage>,
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
    /// What the agent tells of its replies in any call.
    tells: Tells,
    keeps_turns: bool,
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
            damage: None,
        };
        Analyser { scenario, so_far, tells: Tells::default(), keeps_turns: true }
    }

    /// The turns of all calls in the order of the calls' ids, each call's in the order of the script.
    pub fn turns(&self) -> impl Iterator<Item = &Turn> {
        self.calls.iter().flat_map(|call| &call.turns)
    }
}

impl Analyser<'_> {
    /// Keeps the values and how calls ended, and turns only where what they should hold is not known yet: for who reads
    /// no turns of a large run.
    #[must_use]
    pub fn without_turns(self) -> Self {
        Self { keeps_turns: false, ..self }
    }

    /// Adds one call.
    pub fn add(&mut self, call: &CallRecord) {
        let mut facts = facts_of(call, self.scenario);
        self.tells = self.tells.or(Tells::of(call));
        let so_far = &mut self.so_far;
        measures::measure(&mut so_far.measures, call, &facts, self.scenario);
        so_far.seen.add(call);
        so_far.media.add(call);
        if !self.keeps_turns {
            facts.turns.retain(|turn| !turn.content.is_empty());
            facts.turns.shrink_to_fit();
        }
        so_far.calls.push(facts);
    }

    /// Ends the analysis with the end of the recording.
    pub fn finish(self, Ending { tail, damage }: Ending) -> Analysis {
        let mut done = Analysis { tail, damage, ..self.so_far };
        done.calls.sort_by_key(|call| call.call);
        // A call that is on record twice counts once.
        done.calls.dedup_by_key(|call| call.call);
        for values in done.measures.by_metric.values_mut() {
            values.sort_by_key(|value| (value.call, value.step));
            values.dedup_by_key(|value| (value.call, value.step));
            values.shrink_to_fit();
        }
        for call in &mut done.calls {
            settle(call, &mut done.measures, self.tells);
        }
        done
    }
}

/// Fails a call whose reply lacks what the agent tells in other calls.
fn settle(call: &mut CallFacts, measures: &mut Measures, tells: Tells) {
    for turn in &mut call.turns {
        if !content::settle(turn, tells) || call.failure.is_some() {
            continue;
        }
        if call.outcome == Outcome::Answered
            && let Some(wrong) = turn.wrong_content().next()
        {
            let detail = format!("turn `{}`: {wrong}", turn.id);
            call.failure = Some(Failure { cause: Cause::WrongContent, detail });
            if let Some(ok) = measures.by_metric.get_mut(&Metric::CallsOk)
                && let Ok(place) = ok.binary_search_by_key(&call.call, |value| value.call)
                && let Some(value) = ok.get_mut(place)
            {
                value.value = 0.0;
            }
        }
    }
}

/// What one call says by itself: its facts, with why it failed, and its values. What a reply lacks is only known
/// from all calls of a run ([`Analyser::finish`]), so a call may still fail for that.
pub fn analyse_call(call: &CallRecord, scenario: &Scenario) -> (CallFacts, Measures) {
    let facts = facts_of(call, scenario);
    let mut measures = Measures::default();
    measures::measure(&mut measures, call, &facts, scenario);
    (facts, measures)
}

fn facts_of(call: &CallRecord, scenario: &Scenario) -> CallFacts {
    let timeline = CallTimeline::new(call, scenario);
    let turns = turns_heard(call, scenario, &timeline);
    let (voices, said) = timeline.overlap();
    let overlap = Overlap::measure(&said, voices.into_iter());
    let failure = cause::find(call, &turns, timeline.agent_spoke(), scenario.end_states().len());
    facts(call, overlap, failure, turns)
}

/// Analyses a run that is in memory.
pub fn analyse(run: &Run, scenario: &Scenario) -> Analysis {
    let mut analysis = Analysis::begin(run.head.clone(), scenario);
    run.calls.iter().for_each(|call| analysis.add(call));
    analysis.finish(Ending { tail: run.tail.clone(), damage: None })
}

#[cfg(test)]
mod tests;
