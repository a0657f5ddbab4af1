//! What the two callers of a pair waited, turn by turn.
//!
//! A caller waits for a reply as long as the step says (`within`), so what is compared is the wait up to that
//! time, the same on both sides: a turn without a reply counts as all of it, and so does a turn that a failed
//! call did not reach. (A restricted time: Royston and Parmar, "Restricted Mean Survival Time", BMC Medical
//! Research Methodology 13, 2013, 152.) So nothing that was never answered can look fast, and one such turn does
//! not leave the whole comparison open. Where a wait was cut short for another reason it lies between two bounds.

use std::collections::{BTreeMap, BTreeSet};

use super::Recorded;
use super::calls::well;
use crate::record::CallId;
use crate::scenario::{Expect, Metric, Scenario};
use crate::stats::up;
use crate::turn::{Measures, Value};

/// A wait on the scale of latencies ([`up`]), between two bounds that are mostly equal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wait {
    pub(super) at_least: f64,
    pub(super) at_most: f64,
}

/// One turn of both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cell {
    /// Place of its pair among all.
    pub(super) pair: usize,
    pub(super) step: u32,
    pub(super) a: Wait,
    pub(super) b: Wait,
}

/// All turns that both sides say something about, in the order of their pairs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    pub(super) metric: Metric,
    pub(super) cells: Vec<Cell>,
    /// Pairs with at least one turn.
    pub(super) pairs: usize,
    /// Pairs with more turns unanswered by B, and with more by A.
    pub(super) more_unanswered: [u64; 2],
    /// Turns that count as all of the wait, or are only known between bounds, on either side.
    pub(super) unanswered: usize,
}

/// Which bound of the waits is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// The smallest slowdown that the waits allow.
    Least,
    /// The largest one.
    Most,
}

impl Cell {
    /// The waits of A and B that give this reading of their difference.
    pub(super) const fn read(&self, reading: Reading) -> (f64, f64) {
        match reading {
            Reading::Least => (self.a.at_most, self.b.at_least),
            Reading::Most => (self.a.at_least, self.b.at_most),
        }
    }
}

impl Table {
    /// The turns of a metric in the pairs before `pairs`.
    pub(super) fn new(metric: Metric, a: Recorded<'_>, b: Recorded<'_>, pairs: u32) -> Self {
        let [first, second] = [a, b].map(|side| waits(metric, side, pairs));
        let both = |(turn, a): (&(CallId, u32), &Known)| Some((*turn, *a, *second.get(turn)?));
        let turns: Vec<((CallId, u32), Known, Known)> = first.iter().filter_map(both).collect();
        let compared: BTreeSet<CallId> = turns.iter().map(|((call, _), _, _)| *call).collect();
        let place: BTreeMap<CallId, usize> = compared.into_iter().zip(0..).collect();
        let mut silent = vec![[0_u32; 2]; place.len()];
        let mut cells = Vec::new();
        let mut unanswered = 0;
        for ((call, step), a, b) in turns {
            let pair = place.get(&call).copied().unwrap_or_default();
            if let Some(counts) = silent.get_mut(pair) {
                counts[0] += u32::from(a.silent);
                counts[1] += u32::from(b.silent);
            }
            unanswered += usize::from(a.silent || b.silent);
            cells.push(Cell { pair, step, a: a.wait, b: b.wait });
        }
        let count = |more: fn(&[u32; 2]) -> bool| silent.iter().filter(|c| more(c)).count() as u64;
        let more_unanswered = [count(|[a, b]| b > a), count(|[a, b]| a > b)];
        Self { metric, cells, pairs: place.len(), more_unanswered, unanswered }
    }

    /// The same with one pair more, in which B answers nothing and A answers as it typically does; `None` where nobody
    /// waits for what the metric is the time of.
    pub(super) fn with_one_unanswered(&self, scenario: &Scenario) -> Option<Self> {
        let unanswered = |step: u32| {
            let limit = limit_ms(self.metric, step, scenario)?;
            let mut waits: Vec<Wait> =
                self.cells.iter().filter(|cell| cell.step == step).map(|cell| cell.a).collect();
            waits.sort_by(|a, b| a.at_least.total_cmp(&b.at_least));
            let a = *waits.get(waits.len() / 2)?;
            Some(Cell { pair: self.pairs, step, a, b: Known::all_of(limit).wait })
        };
        let more: Vec<Cell> = self.steps(1).into_iter().filter_map(unanswered).collect();
        let cells = [self.cells.as_slice(), more.as_slice()].concat();
        (!more.is_empty()).then(|| Self { cells, pairs: self.pairs + 1, ..self.clone() })
    }

    /// The steps with turns of at least so many pairs, in the order of the script.
    pub(super) fn steps(&self, least: usize) -> Vec<u32> {
        let mut turns: BTreeMap<u32, usize> = BTreeMap::new();
        for cell in &self.cells {
            *turns.entry(cell.step).or_default() += 1;
        }
        turns.into_iter().filter(|(_, n)| *n >= least).map(|(step, _)| step).collect()
    }
}

/// A wait, and whether there was no reply.
#[derive(Debug, Clone, Copy)]
struct Known {
    wait: Wait,
    silent: bool,
}

fn waits(metric: Metric, of: Recorded<'_>, pairs: u32) -> BTreeMap<(CallId, u32), Known> {
    let (measures, scenario) = (&of.analysis.measures, of.scenario);
    let within = |call: CallId| call.0 < pairs;
    let values = measures.values(metric).iter().filter(|v| within(v.call) && v.value.is_finite());
    let mut known: BTreeMap<(CallId, u32), Known> =
        values.map(|v| ((v.call, v.step), of_value(v, metric, scenario))).collect();
    let answered = answers(measures);
    let failed = well(measures).into_iter().filter(|(call, well)| !well && within(*call));
    let failed: BTreeSet<CallId> = failed.map(|(call, _)| call).collect();
    for step in 0..u32::try_from(scenario.steps().len()).unwrap_or(u32::MAX) {
        let Some(limit) = limit_ms(metric, step, scenario) else { continue };
        let all = of.analysis.calls.iter().map(|call| call.call).filter(|call| within(*call));
        for call in all {
            let is_silent = match answered.get(&(call, step)) {
                Some(answered) if responds(step, scenario) => !answered,
                Some(_) | None => failed.contains(&call),
            };
            if is_silent {
                known.entry((call, step)).or_insert_with(|| Known::all_of(limit));
            }
        }
    }
    known
}

impl Known {
    fn all_of(limit_ms: f64) -> Self {
        let whole = up(limit_ms);
        Self { wait: Wait { at_least: whole, at_most: whole }, silent: true }
    }
}

fn of_value(value: &Value, metric: Metric, scenario: &Scenario) -> Known {
    let most = scenario.max_call().as_secs_f64() * 1_000.0;
    let limit = limit_ms(metric, value.step, scenario).unwrap_or_else(|| most.max(value.value));
    let at_least = up(value.value.min(limit));
    let at_most = if value.censored { up(limit) } else { at_least };
    Known { wait: Wait { at_least, at_most }, silent: value.censored }
}

/// How long the caller waits for what the metric is the time of; `None` for what is not awaited, such as what
/// an agent reports.
fn limit_ms(metric: Metric, step: u32, scenario: &Scenario) -> Option<f64> {
    let within = match (metric, scenario.steps().get(step as usize)?.expect?) {
        (
            Metric::HeardE2eLatency | Metric::HeardTtfa | Metric::AnswerLatency,
            Expect::Responds { within },
        )
        | (Metric::TimeToYield, Expect::Yields { within }) => within,
        (Metric::GreetingLatency, Expect::Speaks { within }) if step == 0 => within,
        _ => return None,
    };
    Some(within.as_secs_f64() * 1_000.0)
}

fn responds(step: u32, scenario: &Scenario) -> bool {
    let step = scenario.steps().get(step as usize);
    step.is_some_and(|step| matches!(step.expect, Some(Expect::Responds { .. })))
}

/// Whether each turn that awaits a reply and was reached got one.
fn answers(measures: &Measures) -> BTreeMap<(CallId, u32), bool> {
    let turns = measures.values(Metric::UnansweredTurns).iter();
    turns.map(|v| ((v.call, v.step), v.value < 0.5)).collect()
}
