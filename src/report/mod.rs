//! One view of a judged run, as plain data, from which every document is rendered. Building it and
//! rendering it are pure, so any report can be made again from a recording.

pub mod json;
mod definitions;
mod notes;
pub mod paired;
mod summary;
pub mod text;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use crate::text::clipped;
pub use definitions::{Window, windows};
pub use summary::{Pacing, Summary};

use std::collections::BTreeMap;

use crate::record::{
    Calibration, CallId, CallRecord, Host, Observation, Outcome, ReportedMetrics, Run,
};
use crate::scenario::{Kind, Metric, Scenario};
use crate::stats::{Interval, Rate};
use crate::time::Offset;
use crate::turn::{Analysis, CallFacts, Cause, Failure, Measures, Overlap, Path, Reply, Turn};
use crate::verdict::Verdict;

/// A run as it is reported. Text in it is as it was recorded: each document escapes it by its own
/// rules (the terminal with [`crate::text::safe`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub run_id: String,
    /// The scenario's name.
    pub scenario: String,
    pub scenario_path: String,
    /// The name the agent is dispatched by; empty with automatic dispatch.
    pub agent_name: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    pub loadcall_version: String,
    pub server_url: String,
    pub host: Host,
    /// Milliseconds from start to end; `None` when the run was killed.
    pub duration_ms: Option<f64>,
    /// How many calls were planned; `None` when the run was killed.
    pub planned: Option<u32>,
    /// The user stopped the run.
    pub stopped: bool,
    pub verdict: Verdict,
    /// What was measured, in the order of [`Metric::ALL`]; a metric without values is absent.
    pub metrics: Vec<Summary>,
    /// Calls that count as well, and how many there are; `None` when there are none.
    pub calls_ok: Option<Share>,
    /// In how many turns something happened, of those in which it could; in the order of
    /// [`Metric::ALL`].
    pub events: Vec<(Metric, Share)>,
    /// `overlap_ratio` over the calls, and all calls together.
    pub overlap: Option<OverlapLine>,
    /// The outcomes that occurred, in the order of [`Outcome::ALL`].
    pub outcomes: Vec<OutcomeCount>,
    /// Why calls did not go as they should, in the order of [`Cause::ALL`].
    pub causes: Vec<CauseCount>,
    /// What the replies of each step were waiting for, where that is known.
    pub steps: Vec<StepLine>,
    pub windows: Vec<Window>,
    pub calls: Vec<Call>,
    pub turns: Vec<TurnLine>,
    /// How late microphone packets left; `None` when none was sent.
    pub pacing: Option<Pacing>,
    /// How far off the caller itself is; `None` when the machine was not calibrated.
    pub calibration: Option<Calibration>,
    pub received: Received,
    /// What a reader of the numbers has to know, in whole sentences without a full stop.
    pub notes: Vec<String>,
}

/// A part of a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub count: usize,
    pub of: usize,
}

impl Share {
    /// From 0 to 1; 0 of nothing is 0.
    pub fn rate(self) -> f64 {
        ratio(self.count as u64, self.of as u64)
    }

    /// The exact 95 % interval of the share; `None` of nothing.
    pub fn interval(self) -> Option<Interval> {
        Rate { hits: self.count as u64, n: self.of as u64 }.interval()
    }
}

/// How many calls ended in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeCount {
    pub outcome: Outcome,
    pub calls: usize,
    /// The first detail that was given, and the number of other, different ones.
    pub example: Option<String>,
    pub other_details: usize,
}

/// How many calls failed for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CauseCount {
    pub cause: Cause,
    pub calls: usize,
    /// Of the first such call, with its number; empty when nothing is known.
    pub example: String,
}

/// Speech of both at once.
#[derive(Debug, Clone, PartialEq)]
pub struct OverlapLine {
    pub summary: Summary,
    pub all: Overlap,
}

/// What the replies of a step were waiting for, typically.
#[derive(Debug, Clone, PartialEq)]
pub struct StepLine {
    pub step: u32,
    pub id: String,
    /// Turns with a path.
    pub n: usize,
    /// Around the median of the heard latency.
    pub path: Path,
}

/// One call in milliseconds since the run began.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub id: u32,
    pub room: String,
    pub room_sid: Option<String>,
    pub agent_identity: Option<String>,
    pub outcome: Outcome,
    pub detail: String,
    /// Whether it counts as well; `None` when that was not decided.
    pub ok: Option<bool>,
    /// Why it did not go as it should.
    pub failure: Option<Failure>,
    pub overlap: Overlap,
    pub due_ms: f64,
    pub dialled_ms: f64,
    pub connected_ms: Option<f64>,
    pub agent_joined_ms: Option<f64>,
    pub agent_ready_ms: Option<f64>,
    pub ended_ms: f64,
    pub packets_received: u64,
    pub packets_lost: u64,
    pub largest_gap_ms: f64,
}

/// A turn with what is derived from it.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnLine {
    pub turn: Turn,
    /// What the agent reported, in milliseconds, in the order of [`Metric::ALL`].
    pub stages: Vec<(Metric, f64)>,
    /// Heard minus reported; `None` unless both are known.
    pub unattributed_ms: Option<f64>,
}

impl TurnLine {
    /// Milliseconds from the caller's last voiced sample to the reply (for a greeting from when the
    /// caller was in the room), or how long was waited in vain.
    pub fn heard_ms(&self) -> Option<f64> {
        match self.turn.reply {
            Reply::Greeted { latency_ms, .. } | Reply::Heard { latency_ms, .. } => Some(latency_ms),
            Reply::Unanswered { waited_ms } => Some(waited_ms),
            Reply::Yielded { .. }
            | Reply::DidNotYield { .. }
            | Reply::Ignored
            | Reply::Disturbed { .. }
            | Reply::NotAwaited
            | Reply::NotReached => None,
        }
    }

    /// Milliseconds from the caller's barge-in to the agent's silence, or how long the agent spoke on.
    pub fn yield_ms(&self) -> Option<f64> {
        match self.turn.reply {
            Reply::Yielded { yield_ms } => Some(yield_ms),
            Reply::DidNotYield { waited_ms } => Some(waited_ms),
            Reply::Greeted { .. }
            | Reply::Heard { .. }
            | Reply::Unanswered { .. }
            | Reply::Ignored
            | Reply::Disturbed { .. }
            | Reply::NotAwaited
            | Reply::NotReached => None,
        }
    }

    /// Whether the time given is only a lower bound.
    pub fn censored(&self) -> bool {
        matches!(self.turn.reply, Reply::Unanswered { .. } | Reply::DidNotYield { .. })
    }
}

/// The agent's audio as it arrived, over all calls.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Received {
    pub packets: u64,
    pub lost: u64,
    pub largest_gap_ms: f64,
}

impl Received {
    /// Lost packets as a part of those that should have come, from 0 to 1.
    pub fn loss(self) -> f64 {
        ratio(self.lost, self.packets.saturating_add(self.lost))
    }
}

impl Report {
    /// The view of a run, with the analysis and the verdict that were made of it.
    pub fn new(run: &Run, scenario: &Scenario, analysis: &Analysis, verdict: &Verdict) -> Self {
        let Analysis { turns, calls, measures } = analysis;
        let tail = run.tail.as_ref();
        let lookup = Lookup::new(measures, calls);
        Self {
            run_id: run.head.run_id.clone(),
            scenario: scenario.name().to_owned(),
            scenario_path: run.head.scenario_path.clone(),
            agent_name: scenario.agent().name.clone(),
            started_at: run.head.started_at.clone(),
            loadcall_version: run.head.loadcall_version.clone(),
            server_url: run.head.server_url.clone(),
            host: run.head.host.clone(),
            duration_ms: tail.map(|tail| since_start(tail.ended)),
            planned: tail.map(|tail| tail.planned),
            stopped: tail.is_some_and(|tail| tail.stopped),
            verdict: verdict.clone(),
            metrics: summaries(measures),
            calls_ok: calls_ok(measures),
            events: events(measures),
            overlap: overlap(measures, calls),
            outcomes: outcomes(&run.calls),
            causes: causes(calls),
            steps: steps(scenario, turns),
            windows: windows(scenario),
            calls: run.calls.iter().map(|call| call_line(call, &lookup)).collect(),
            turns: turns.iter().map(|turn| turn_line(turn, &lookup)).collect(),
            pacing: Pacing::merged(&run.calls),
            calibration: run.head.calibration.clone(),
            received: received(&run.calls),
            notes: notes::notes(run, turns, measures),
        }
    }

    /// What was measured of one metric.
    pub fn summary(&self, metric: Metric) -> Option<&Summary> {
        self.metrics.iter().find(|summary| summary.metric == metric)
    }
}

fn summaries(measures: &Measures) -> Vec<Summary> {
    Metric::ALL
        .into_iter()
        .filter(|metric| metric.is_time())
        .filter_map(|metric| {
            let summary = Summary::new(metric, measures.values(metric))?;
            Some(Summary { constant: measures.is_constant(metric), ..summary })
        })
        .collect()
}

fn calls_ok(measures: &Measures) -> Option<Share> {
    share(measures, Metric::CallsOk)
}

fn share(measures: &Measures, metric: Metric) -> Option<Share> {
    let values = measures.values(metric);
    (!values.is_empty()).then(|| Share {
        count: values.iter().filter(|v| is_one(v.value)).count(),
        of: values.len(),
    })
}

fn events(measures: &Measures) -> Vec<(Metric, Share)> {
    let events = Metric::ALL.into_iter().filter(|metric| metric.kind() == Kind::Event);
    events.filter_map(|metric| Some((metric, share(measures, metric)?))).collect()
}

fn overlap(measures: &Measures, calls: &[CallFacts]) -> Option<OverlapLine> {
    let summary = Summary::new(Metric::OverlapRatio, measures.values(Metric::OverlapRatio))?;
    let all = calls.iter().fold(Overlap::default(), |sum, call| Overlap {
        overlap_ms: sum.overlap_ms + call.overlap.overlap_ms,
        speech_ms: sum.speech_ms + call.overlap.speech_ms,
    });
    Some(OverlapLine { summary, all })
}

fn causes(calls: &[CallFacts]) -> Vec<CauseCount> {
    let of = |cause| {
        let failed = calls.iter().filter_map(|call| Some((call.call, call.failure.as_ref()?)));
        let mut failed = failed.filter(move |(_, failure)| failure.cause == cause).peekable();
        let (first, failure) = *failed.peek()?;
        let example = match failure.detail.as_str() {
            "" => String::new(),
            detail => format!("call {}: {detail}", first.0),
        };
        Some(CauseCount { cause, calls: failed.count(), example })
    };
    Cause::ALL.into_iter().filter_map(of).collect()
}

fn steps(scenario: &Scenario, turns: &[Turn]) -> Vec<StepLine> {
    let mut by_step: BTreeMap<u32, Vec<Path>> = BTreeMap::new();
    for turn in turns {
        by_step.entry(turn.step).or_default().extend(turn.path.clone());
    }
    let line = |(step, paths): (u32, Vec<Path>)| {
        let id = scenario.steps().get(step as usize)?.id.clone();
        Some(StepLine { step, id, n: paths.len(), path: Path::around(&paths, 50.0)? })
    };
    by_step.into_iter().filter_map(line).collect()
}

fn outcomes(calls: &[CallRecord]) -> Vec<OutcomeCount> {
    Outcome::ALL
        .into_iter()
        .filter_map(|outcome| {
            let ends: Vec<&CallRecord> =
                calls.iter().filter(|call| call.end.outcome == outcome).collect();
            let details: std::collections::BTreeSet<&str> =
                ends.iter().map(|c| c.end.detail.as_str()).filter(|d| !d.is_empty()).collect();
            let example = ends
                .iter()
                .find(|call| !call.end.detail.is_empty())
                .map(|call| format!("call {}: {}", call.id.0, call.end.detail));
            (!ends.is_empty()).then(|| OutcomeCount {
                outcome,
                calls: ends.len(),
                example,
                other_details: details.len().saturating_sub(1),
            })
        })
        .collect()
}

/// Values that belong to one call or turn, by it.
struct Lookup {
    ok: BTreeMap<CallId, bool>,
    facts: BTreeMap<CallId, CallFacts>,
    unattributed: BTreeMap<(CallId, u32), f64>,
}

impl Lookup {
    fn new(measures: &Measures, calls: &[CallFacts]) -> Self {
        let of = |metric| measures.values(metric).iter();
        Self {
            ok: of(Metric::CallsOk).map(|v| (v.call, is_one(v.value))).collect(),
            facts: calls.iter().map(|facts| (facts.call, facts.clone())).collect(),
            unattributed: of(Metric::Unattributed)
                .filter(|v| v.value.is_finite())
                .map(|v| ((v.call, v.step), v.value))
                .collect(),
        }
    }
}

fn call_line(call: &CallRecord, lookup: &Lookup) -> Call {
    let facts = lookup.facts.get(&call.id);
    let mut line = Call {
        id: call.id.0,
        room: call.room.clone(),
        room_sid: None,
        agent_identity: None,
        outcome: call.end.outcome,
        detail: call.end.detail.clone(),
        ok: lookup.ok.get(&call.id).copied(),
        failure: facts.and_then(|facts| facts.failure.clone()),
        overlap: facts.map_or_else(Overlap::default, |facts| facts.overlap),
        due_ms: since_start(call.due),
        dialled_ms: since_start(call.dialled),
        connected_ms: None,
        agent_joined_ms: None,
        agent_ready_ms: None,
        ended_ms: since_start(call.end.at),
        packets_received: call.media.packets_received,
        packets_lost: call.media.packets_lost,
        largest_gap_ms: finite(call.media.largest_gap_ms),
    };
    for stamped in &call.log {
        let at = since_start(stamped.at);
        #[expect(clippy::wildcard_enum_match_arm, reason = "three facts of many are wanted")]
        match &stamped.what {
            Observation::Connected { room_sid, .. } => {
                line.connected_ms.get_or_insert(at);
                line.room_sid.get_or_insert_with(|| room_sid.clone());
            }
            Observation::AgentJoined { identity } => {
                line.agent_joined_ms.get_or_insert(at);
                line.agent_identity.get_or_insert_with(|| identity.clone());
            }
            Observation::AgentTrackSubscribed => {
                line.agent_ready_ms.get_or_insert(at);
            }
            _ => {}
        }
    }
    line
}

fn turn_line(turn: &Turn, lookup: &Lookup) -> TurnLine {
    TurnLine {
        turn: turn.clone(),
        stages: stages(&turn.reported),
        unattributed_ms: lookup.unattributed.get(&(turn.call, turn.step)).copied(),
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

fn received(calls: &[CallRecord]) -> Received {
    calls.iter().fold(Received::default(), |sum, call| Received {
        packets: sum.packets.saturating_add(call.media.packets_received),
        lost: sum.lost.saturating_add(call.media.packets_lost),
        largest_gap_ms: sum.largest_gap_ms.max(finite(call.media.largest_gap_ms)),
    })
}

fn since_start(at: Offset) -> f64 {
    at.ms_since(Offset::default())
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

/// Whether a value of a metric that counts calls says yes.
fn is_one(value: f64) -> bool {
    value >= 0.5
}

fn ratio(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of calls and packets are below 2^52")]
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
