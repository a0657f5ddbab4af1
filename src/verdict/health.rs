//! Whether a run can be judged at all: it went to its end, reached an agent, and the caller itself
//! was not the problem.

use std::collections::BTreeMap;

use super::{Judging, Outcome};
use crate::record::Outcome as CallOutcome;
use crate::record::store::Damage;
use crate::stats::Histogram;
use crate::text::{count, number, number_of};
use crate::turn::{Analysis, CallFacts, ContentCounts, Media};

/// A caller whose microphone packets are later than this at the 99th percentile disturbs the agent's
/// end-of-turn detection and measures itself. Milliseconds.
pub const MAX_PACING_P99_MS: f64 = 20.0;

/// A caller that never sent more than this share of its microphone packets was stalled.
pub const MAX_SKIPPED_SHARE: f64 = 0.01;

/// More calls than this spoilt by the caller itself, and the rest are not judged.
pub const MAX_OUR_FAULT_SHARE: f64 = 0.1;

/// How late the microphone packets of all calls left, in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Pacing {
    pub packets: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    /// Packets that were never sent because the caller was stalled for more than half a second.
    pub skipped: u64,
    /// Calls whose pacing cannot be read.
    pub unreadable: usize,
    /// Of all calls together.
    pub histogram: Histogram,
}

/// The pacing of a run; `None` when no call has any that can be read.
pub fn pacing(media: &Media) -> Option<Pacing> {
    let all = &media.pacing;
    Some(Pacing {
        packets: all.count(),
        p50_ms: all.percentile_ms(50.0)?,
        p99_ms: all.percentile_ms(99.0)?,
        max_ms: all.max_ms()?,
        skipped: media.skipped,
        unreadable: media.unreadable,
        histogram: all.clone(),
    })
}

/// Why a run is not judged.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unfit {
    #[error(
        "the run was stopped when {done} of {planned} calls had ended; its values are reported, not judged"
    )]
    Stopped { done: usize, planned: u32 },
    #[error(
        "the recording has no end: the run was killed after {}, or is still running",
        count(*done, "recorded call")
    )]
    Killed { done: usize },
    #[error(
        "the recording is damaged: {} cannot be read ({first}), and what {} held is lost; the other calls are \
         reported, not judged",
        count(*lines, "line"), if *lines == 1 { "it" } else { "they" }
    )]
    Damaged { lines: usize, first: String },
    #[error("only {done} of {planned} planned calls were recorded; run the scenario again")]
    Unfinished { done: usize, planned: u32 },
    #[error("no call reached an agent: {why}")]
    NothingMeasured { why: String },
    #[error(
        "{faults} of {} failed on the caller's side{detail}; \
         lower the concurrency or use a larger machine",
        count(*calls, "call")
    )]
    OurFaults { faults: usize, calls: usize, detail: String },
    #[error(
        "the load generator was overloaded: its audio packets left {} ms late at p99, and more than {} ms \
         distorts the measurement; lower the concurrency or use a larger machine",
        number(*p99_ms), number(MAX_PACING_P99_MS)
    )]
    LatePacing { p99_ms: f64 },
    #[error(
        "the load generator was overloaded: {} of its {} audio packets were never sent; \
         lower the concurrency or use a larger machine",
        number_of(usize::try_from(*skipped).unwrap_or(usize::MAX)),
        number_of(usize::try_from(*packets).unwrap_or(usize::MAX))
    )]
    Stalled { skipped: u64, packets: u64 },
}

impl Unfit {
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Stopped { .. } => Outcome::Stopped,
            Self::NothingMeasured { .. } => Outcome::NothingMeasured,
            Self::Damaged { .. }
            | Self::Killed { .. }
            | Self::Unfinished { .. }
            | Self::OurFaults { .. }
            | Self::LatePacing { .. }
            | Self::Stalled { .. } => Outcome::Invalid,
        }
    }
}

impl From<Damage> for Unfit {
    fn from(Damage { lines, first }: Damage) -> Self {
        Self::Damaged { lines, first }
    }
}

/// Why a run is not judged; `None` for one that is.
pub fn unfit(run: &Analysis) -> Option<Unfit> {
    let calls = run.calls.len();
    let done = run.calls.iter().filter(|c| c.outcome != CallOutcome::Stopped).count();
    if let Some(damage) = run.damage.clone() {
        return Some(damage.into());
    }
    match &run.tail {
        Some(tail) if tail.stopped => return Some(Unfit::Stopped { done, planned: tail.planned }),
        Some(_) => {}
        None => return Some(Unfit::Killed { done: calls }),
    }
    let ours: Vec<&CallFacts> =
        run.calls.iter().filter(|c| c.outcome == CallOutcome::OurFault).collect();
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 calls")]
    if ours.len() as f64 > calls as f64 * MAX_OUR_FAULT_SHARE {
        let detail = first_detail(&ours);
        return Some(Unfit::OurFaults { faults: ours.len(), calls, detail });
    }
    if !run.calls.iter().any(|call| call.agent_joined.is_some()) {
        return Some(Unfit::NothingMeasured { why: why_nothing(run) });
    }
    if let Some(Pacing { packets, p99_ms, skipped, .. }) = pacing(&run.media) {
        if p99_ms > MAX_PACING_P99_MS {
            return Some(Unfit::LatePacing { p99_ms });
        }
        let packets = packets + skipped;
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 packets")]
        if skipped as f64 > packets as f64 * MAX_SKIPPED_SHARE {
            return Some(Unfit::Stalled { skipped, packets });
        }
    }
    let planned = run.tail.as_ref().map_or(0, |t| t.planned);
    (done < planned as usize).then_some(Unfit::Unfinished { done, planned })
}

/// What does not spoil the run but should be known.
pub(super) fn notes(input: &Judging<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let run = input.analysis;
    let ours = run.calls.iter().filter(|c| c.outcome == CallOutcome::OurFault).count();
    if ours > 0 {
        let of = number_of(run.calls.len());
        notes.push(format!("{ours} of {of} calls failed on the caller's side and were left out"));
    }
    let dropped = run.measures.dropped_reported;
    if dropped > 0 {
        let times = count(dropped, "time");
        notes.push(format!("{times} reported by the agent are impossible and were left out"));
    }
    notes.extend(unchecked(run));
    if let Some(Pacing { skipped, unreadable, .. }) = pacing(&run.media) {
        if skipped > 0 {
            notes.push(format!(
                "the load generator stalled: {skipped} audio packets were never sent"
            ));
        }
        if unreadable > 0 {
            notes.push(format!("the pacing of {} cannot be read", count(unreadable, "call")));
        }
    }
    notes
}

/// What the replies should hold and the agent does not tell: neither met nor missed.
fn unchecked(run: &Analysis) -> Option<String> {
    let counts = ContentCounts::of(run.turns());
    let (unknown, all) = (number_of(counts.cannot_tell), number_of(counts.all()));
    (counts.cannot_tell > 0).then(|| {
        format!(
            "{unknown} of {all} expected texts and tools could not be checked; the notes say why"
        )
    })
}

fn why_nothing(run: &Analysis) -> String {
    let mut by_outcome: BTreeMap<CallOutcome, Vec<&CallFacts>> = BTreeMap::new();
    for call in &run.calls {
        by_outcome.entry(call.outcome).or_default().push(call);
    }
    let Some((outcome, calls)) = by_outcome.iter().max_by_key(|(_, calls)| calls.len()) else {
        return "no call was placed".to_owned();
    };
    let remedy = match outcome {
        CallOutcome::AgentLate => {
            "; check that the agent publishes its audio, and its own log for why it does not"
        }
        CallOutcome::NoAgent => {
            "; check that the agent is running, registered with this server, and named as in the scenario (one that \
             names no agent reaches only an agent without a name); whether its job began and failed only its own log \
             says, as the server lists a dispatch alike in both cases"
        }
        CallOutcome::Refused => {
            "; check LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET against the server's"
        }
        CallOutcome::ConnectionLost => "; check that the server is running and reachable",
        CallOutcome::Answered
        | CallOutcome::AgentLeft
        | CallOutcome::NoGreeting
        | CallOutcome::NoAnswer
        | CallOutcome::Stopped
        | CallOutcome::OurFault => "",
    };
    let (name, all) = (outcome.name(), count(run.calls.len(), "call"));
    format!("{} of {all} ended as `{name}`{}{remedy}", calls.len(), first_detail(calls))
}

fn first_detail(calls: &[&CallFacts]) -> String {
    let detail = calls.iter().map(|c| c.detail.as_str()).find(|d| !d.is_empty());
    detail.map(|d| format!(" ({d})")).unwrap_or_default()
}
