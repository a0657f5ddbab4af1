//! Where a change of latency comes from: the parts of each reply's delay, before and after.
//!
//! For every turn with a heard reply and a reported end-to-end latency, the parts add up to what was
//! heard: `unattributed` is what lies between our ears and the agent's own figure, and the rest of
//! that figure is whatever its stages leave open (tools; negative where preemptive generation lets
//! stages overlap). `llm_node_ttfs` contains `llm_node_ttft`, and `end_of_turn_delay` contains
//! `transcription_delay`; nothing is counted twice.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::CallId;
use crate::scenario::Metric;
use crate::turn::Measures;

/// A part of a reply's delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    EndOfTurn,
    UserTurnHook,
    LlmFirstToken,
    /// From the first token to the first sentence that goes to speech synthesis.
    LlmFirstSentence,
    TtsFirstByte,
    /// Reported end-to-end latency that no stage accounts for.
    BetweenStages,
    /// Heard, but not in what the agent reports.
    Unattributed,
}

impl Part {
    const ALL: [Self; 7] = [
        Self::EndOfTurn,
        Self::UserTurnHook,
        Self::LlmFirstToken,
        Self::LlmFirstSentence,
        Self::TtsFirstByte,
        Self::BetweenStages,
        Self::Unattributed,
    ];

    /// For people: the metric's name where it is one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndOfTurn => Metric::EndOfTurnDelay.name(),
            Self::UserTurnHook => Metric::OnUserTurnCompletedDelay.name(),
            Self::LlmFirstToken => Metric::LlmNodeTtft.name(),
            Self::LlmFirstSentence => "llm_node_ttfs after llm_node_ttft",
            Self::TtsFirstByte => Metric::TtsNodeTtfb.name(),
            Self::BetweenStages => "between the stages",
            Self::Unattributed => Metric::Unattributed.name(),
        }
    }
}

/// How much of a change one part makes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartChange {
    pub part: Part,
    /// Run minus baseline in milliseconds: the change of the part's median within each step of the
    /// script, averaged over the steps by their number of turns.
    pub change_ms: f64,
}

type Parts = BTreeMap<Part, f64>;
/// The turns of each step by their parts.
type ByStep = BTreeMap<u32, Vec<Parts>>;

/// The change of every part that both sides have, the largest first.
pub(super) fn of(baseline: &Measures, run: &Measures) -> Vec<PartChange> {
    let (old, new) = (parts(baseline), parts(run));
    let steps: BTreeSet<u32> = old.keys().filter(|s| new.contains_key(s)).copied().collect();
    let turns = |of: &ByStep, step: &u32| of.get(step).map_or(0, Vec::len);
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 turns")]
    let weight = |step: &u32| (turns(&old, step) + turns(&new, step)) as f64;
    let all: f64 = steps.iter().map(weight).sum();

    let mut changes: Vec<PartChange> = Vec::new();
    for part in Part::ALL {
        let mut change = 0.0;
        let mut known = false;
        for step in &steps {
            let of_step = |of: &ByStep| of.get(step).and_then(|turns| median(turns, part));
            if let (Some(was), Some(is)) = (of_step(&old), of_step(&new)) {
                change += (is - was) * weight(step) / all;
                known = true;
            }
        }
        if known {
            changes.push(PartChange { part, change_ms: change });
        }
    }
    changes.sort_by(|a, b| b.change_ms.abs().total_cmp(&a.change_ms.abs()));
    changes
}

/// The part that makes most of a change of `total_ms`, if any makes at least half of it.
pub(super) fn chief(changes: &[PartChange], total_ms: f64) -> Option<PartChange> {
    let same_way = changes.iter().filter(|c| c.change_ms * total_ms > 0.0);
    let chief = same_way.max_by(|a, b| a.change_ms.abs().total_cmp(&b.change_ms.abs()))?;
    (chief.change_ms.abs() >= total_ms.abs() / 2.0).then_some(*chief)
}

fn parts(measures: &Measures) -> ByStep {
    let table = |metric| -> BTreeMap<(CallId, u32), f64> {
        let known = measures.values(metric).iter().filter(|v| !v.censored);
        known.map(|v| ((v.call, v.step), v.value)).collect()
    };
    let heard = table(Metric::HeardE2eLatency);
    let stages = [
        (Part::EndOfTurn, table(Metric::EndOfTurnDelay)),
        (Part::UserTurnHook, table(Metric::OnUserTurnCompletedDelay)),
        (Part::LlmFirstToken, table(Metric::LlmNodeTtft)),
        (Part::TtsFirstByte, table(Metric::TtsNodeTtfb)),
    ];
    let (sentence, e2e) = (table(Metric::LlmNodeTtfs), table(Metric::E2eLatency));
    let mut by_step = ByStep::new();
    for (turn, heard) in &heard {
        let mut parts: Parts =
            stages.iter().filter_map(|(part, of)| Some((*part, *of.get(turn)?))).collect();
        if let (Some(ttfs), Some(ttft)) = (sentence.get(turn), parts.get(&Part::LlmFirstToken)) {
            parts.insert(Part::LlmFirstSentence, ttfs - ttft);
        }
        if let Some(e2e) = e2e.get(turn) {
            let named: f64 = parts.values().sum();
            parts.insert(Part::BetweenStages, e2e - named);
            parts.insert(Part::Unattributed, heard - e2e);
        }
        by_step.entry(turn.1).or_default().push(parts);
    }
    by_step
}

fn median(turns: &[Parts], part: Part) -> Option<f64> {
    let mut values: Vec<f64> = turns.iter().filter_map(|t| t.get(&part).copied()).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        return values.get(middle).copied();
    }
    let (below, above) = (values.get(middle.checked_sub(1)?)?, values.get(middle)?);
    Some(f64::midpoint(*below, *above))
}
