//! Two agents that were called in turn, B against A.
//!
//! Calls with the same id are a pair: they were placed one after the other, so whatever the hour does
//! to an agent it does to both. Looked at is what changed *within* pairs, step by step of the script;
//! how much pairs differ among themselves does not blur it.
//!
//! **Worse**, **better** and **no worse** mean what they do against a baseline: the 95 % interval of
//! the shift lies beyond zero *and* the shift is at least the minimum effect, or the interval excludes
//! a slowdown of that size. All but the first need B to answer about as many calls as A.
//!
//! **What is not known is bounded, never left out.** A turn of B without a reply makes its difference
//! *at least* what was waited for minus what A took; one of A makes it *at most* the opposite; a pair
//! without a reply on both sides, and a turn that one side did not reach because its call failed, may
//! be anything. B is only called better for what holds with every upper bound, and only called worse
//! for what holds with every lower one. So an agent that stops answering never looks faster.

use std::collections::{BTreeMap, BTreeSet};

use super::attribution::{self, Attribution};
use super::comparable::{Difference, How, Mismatch, comparable};
use super::health::unfit;
use super::meaning::unlike_first_byte;
use super::thresholds::sample;
use super::{Outcome, values_needed};
use crate::measured::{Fingerprint, StepPrint};
use crate::record::{CallId, KeyChange, Side};
use crate::scenario::{Metric, Scenario};
use crate::stats::power::within_pairs;
use crate::stats::{
    DEFAULT_RESAMPLES, PairedDifference, Quantile, Resampling, Shift, Z_95, mcnemar, shift,
};
use crate::turn::{Analysis, Measures, Value};

mod sentences;

/// With fewer pairs every order of signs occurs by chance in more than one case of 20 (2 / 2^5).
pub const MIN_PAIRS: usize = 6;
/// Calls fail more often, beyond chance.
const SIGNIFICANT: f64 = 0.05;
/// Calls fail so much more often that nobody should call it the same, even if chance does it in one
/// case of four. One-sided; the slack is for rounding.
const SUSPICIOUS: f64 = 0.25 + 1e-9;

/// One side: a recording with what it means.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// For the agent of this side.
    pub scenario: &'a Scenario,
    pub analysis: &'a Analysis,
}

/// Everything a paired verdict is made from.
#[derive(Debug, Clone, Copy)]
pub struct Pairing<'a> {
    pub a: Recorded<'a>,
    pub b: Recorded<'a>,
    /// Of the resampling; the same input and seed always give the same verdict.
    pub seed: u64,
}

/// What B amounts to beside A.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedVerdict {
    /// `Pass` is "no worse"; thresholds decide nothing here, so never `Fail`.
    pub outcome: Outcome,
    /// Sentences for people, the decisive one first; never empty.
    pub reasons: Vec<String>,
    /// `None` when the recordings are unfit or no pair.
    pub comparison: Option<PairedComparison>,
}

/// B against A in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedComparison {
    /// The metric that decides.
    pub primary: Metric,
    /// A shift of it counts from here on, in milliseconds.
    pub min_effect_ms: f64,
    /// The smallest slowdown that this many pairs find nine times in ten; `None` when too much is
    /// unknown to say.
    pub detectable_ms: Option<f64>,
    /// Pairs of calls.
    pub pairs: usize,
    /// How many pairs would settle what is unclear.
    pub pairs_needed: Option<u64>,
    /// The primary metric first, then the others; each only where it has [enough](PairedChange::is_enough)
    /// pairs.
    pub changes: Vec<PairedChange>,
    /// Pairs of calls and of turns of the primary metric, where they are too few.
    pub too_few: Option<(usize, usize)>,
    pub calls: PairedCalls,
    /// Where the shift comes from; `None` when the agents report no stages, or nothing is known of it.
    pub attribution: Option<Attribution>,
}

/// One metric of both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedChange {
    pub metric: Metric,
    /// Medians of the turns that are in pairs, in milliseconds.
    pub a: Quantile,
    pub b: Quantile,
    /// Pairs of turns.
    pub turns: usize,
    /// Pairs of calls they come from.
    pub pairs: usize,
    /// Pairs of turns whose difference is only known within bounds.
    pub bounded: usize,
    /// B minus A within pairs, in milliseconds. Bounds may be infinite.
    pub shift: Shift,
}

/// Pairs of calls by whether each succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PairedCalls {
    pub both_ok: u64,
    pub only_a_ok: u64,
    pub only_b_ok: u64,
    pub neither_ok: u64,
}

impl PairedChange {
    /// With fewer pairs there is neither an interval nor a word for it.
    fn is_enough(&self) -> bool {
        self.pairs >= MIN_PAIRS && self.turns >= values_needed(50.0)
    }
}

impl PairedCalls {
    fn count(a: &Measures, b: &Measures) -> Self {
        let (a, b) = (well(a), well(b));
        let mut calls = Self::default();
        for (call, a_ok) in a {
            match (a_ok, b.get(&call)) {
                (true, Some(true)) => calls.both_ok += 1,
                (true, Some(false)) => calls.only_a_ok += 1,
                (false, Some(true)) => calls.only_b_ok += 1,
                (false, Some(false)) => calls.neither_ok += 1,
                (_, None) => {}
            }
        }
        calls
    }

    /// Pairs in which both calls say something about their agent.
    pub fn pairs(&self) -> u64 {
        self.both_ok + self.only_a_ok + self.only_b_ok + self.neither_ok
    }

    /// How often chance alone makes the two sides differ at least as much, in either direction.
    pub fn p(&self) -> f64 {
        mcnemar(self.only_a_ok, self.only_b_ok)
    }

    /// More calls to B fail, beyond chance.
    fn worse(&self) -> bool {
        self.only_a_ok > self.only_b_ok && self.p() < SIGNIFICANT
    }

    /// So many more calls to B fail that "the same" would be rash.
    fn suspicious(&self) -> bool {
        self.only_a_ok > self.only_b_ok + 1 && self.p() / 2.0 <= SUSPICIOUS
    }
}

/// What the shift of the primary metric says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Worse,
    Better,
    NoWorse,
    Unclear,
}

/// Judges B against A. Asks nothing but its input.
pub fn judge(input: Pairing<'_>) -> PairedVerdict {
    let Pairing { a, b, seed } = input;
    let unfits = [(Side::A, unfit(a.analysis)), (Side::B, unfit(b.analysis))];
    let mut unfits: Vec<_> =
        unfits.into_iter().filter_map(|(side, unfit)| Some((side, unfit?))).collect();
    // No agent reached says most, and nobody needs to hear that the other side was then cut short.
    unfits.sort_by_key(|(_, unfit)| {
        let first = [Outcome::NothingMeasured, Outcome::Stopped];
        first.iter().position(|outcome| *outcome == unfit.outcome()).unwrap_or(first.len())
    });
    if let Some((_, first)) = unfits.first() {
        let reasons = unfits.iter().map(|(side, why)| format!("{}: {why}", side.name())).collect();
        return PairedVerdict { outcome: first.outcome(), reasons, comparison: None };
    }
    let mut notes = match differences(a, b) {
        Ok(notes) => notes,
        Err(why) => {
            let outcome = Outcome::NotComparable;
            return PairedVerdict { outcome, reasons: vec![why], comparison: None };
        }
    };
    let prints = [a, b].map(|of| Fingerprint::take(of.analysis, of.scenario));
    let [old, new] = [(a, &prints[0]), (b, &prints[1])].map(|(of, p)| (&of.analysis.measures, p));
    let unlike = unlike_first_byte(std::iter::once(old), new);
    let (comparison, standing) = compare(a, b, unlike.is_none(), seed);
    notes.extend(unlike);
    let calls = comparison.calls;
    let outcome = match standing {
        _ if calls.worse() => Outcome::Regression,
        Standing::Worse => Outcome::Regression,
        Standing::Unclear => Outcome::Inconclusive,
        _ if calls.suspicious() => Outcome::Inconclusive,
        Standing::Better => Outcome::Improvement,
        Standing::NoWorse => Outcome::Pass,
    };
    let mut reasons = sentences::reasons(&comparison, standing);
    reasons.extend(sentences::notes(input, &comparison));
    reasons.extend(notes);
    PairedVerdict { outcome, reasons, comparison: Some(comparison) }
}

/// What tells the two agents apart, or why the recordings are no pair.
fn differences(a: Recorded<'_>, b: Recorded<'_>) -> Result<Vec<String>, String> {
    let ab = |of: Recorded<'_>, side| {
        let arm = of.analysis.head.arm.as_ref().filter(|arm| arm.side == side)?;
        Some(arm.ab.clone())
    };
    match (ab(a, Side::A), ab(b, Side::B)) {
        (Some(a), Some(b)) if a == b => {}
        _ => return Err("the two recordings are not a and b of one A/B run".to_owned()),
    }
    let print = |of: Recorded<'_>| Fingerprint::take(of.analysis, of.scenario);
    let steps = |of: Recorded<'_>| StepPrint::all(&of.analysis.head, of.scenario);
    let same_script = comparable((&print(a), &steps(a)), (&print(b), &steps(b)));
    // Being different agents is what they are there for.
    let known = same_script
        .or_else(|other| other.allowed(Mismatch::Allow))
        .map_err(|_| "a and b ran different scripts".to_owned())?;
    let mut notes: Vec<String> = known.iter().map(between).collect();
    if notes.is_empty() {
        notes.push("a and b have the same name, metadata and server".to_owned());
    }
    Ok(notes)
}

/// A difference between a and b, for people.
fn between(difference: &Difference) -> String {
    let what = &difference.what;
    match &difference.how {
        How::Values { baseline: a, run: b } => format!("{what}: {a} in a, {b} in b"),
        How::Key(KeyChange::Changed) => format!("{what} differs"),
        How::Key(KeyChange::Added) => format!("{what} is set only in b"),
        How::Key(KeyChange::Removed) => format!("{what} is set only in a"),
    }
}

/// `alike` says that `tts_node_ttfb` is the same measure on both sides.
fn compare(
    a: Recorded<'_>,
    b: Recorded<'_>,
    alike: bool,
    seed: u64,
) -> (PairedComparison, Standing) {
    let rule = a.scenario.baseline();
    let how = Resampling { resamples: DEFAULT_RESAMPLES, seed };
    let (first, second) = (&a.analysis.measures, &b.analysis.measures);
    let of = |metric| {
        let is_like = alike || metric != Metric::TtsNodeTtfb;
        is_like.then(|| change(metric, first, second, &how)).flatten()
    };
    let measured = of(rule.primary);
    let primary = measured.filter(PairedChange::is_enough);
    let min_effect_ms = primary.map_or(rule.min_effect_abs_ms, |p| rule.min_effect_ms(p.a.value));
    let standing = primary.map_or(Standing::Unclear, |p| standing(&p, min_effect_ms));
    let repeats = |m: Metric| [a, b].iter().all(|side| side.analysis.measures.repeats(m));
    let others =
        Metric::ALL.into_iter().filter(|m| m.is_time() && *m != rule.primary && !repeats(*m));
    let others = others.filter_map(of).filter(PairedChange::is_enough);
    let changes = primary.into_iter().chain(others).collect();
    let calls: BTreeSet<CallId> = a.analysis.calls.iter().map(|call| call.call).collect();
    let pairs = b.analysis.calls.iter().filter(|call| calls.contains(&call.call)).count();
    let moved = primary
        .filter(|p| p.metric == Metric::HeardE2eLatency)
        .map(|p| [p.shift.at_least, p.shift.at_most])
        .and_then(|ends| ends.into_iter().find(|ms| ms.is_finite()));
    let comparison = PairedComparison {
        primary: rule.primary,
        min_effect_ms,
        detectable_ms: primary.and_then(|p| detectable(&p.shift, min_effect_ms)),
        pairs,
        pairs_needed: primary
            .filter(|_| standing == Standing::Unclear)
            .and_then(|p| pairs_needed(&p, min_effect_ms)),
        changes,
        too_few: measured.filter(|p| !p.is_enough()).map(|p| (p.pairs, p.turns)),
        calls: PairedCalls::count(first, second),
        attribution: moved.and_then(|ms| attribution::explain(first, second, 50.0, ms, alike)),
    };
    (comparison, standing)
}

fn standing(change: &PairedChange, min_effect_ms: f64) -> Standing {
    let Shift { low, at_least, at_most, high } = change.shift;
    if low > 0.0 && at_least >= min_effect_ms {
        Standing::Worse
    } else if high < 0.0 && at_most <= -min_effect_ms {
        Standing::Better
    } else if high < min_effect_ms {
        Standing::NoWorse
    } else {
        Standing::Unclear
    }
}

/// What is found nine times in ten: the interval then lies above zero, and the shift measures at
/// least the minimum effect.
fn detectable(shift: &Shift, min_effect_ms: f64) -> Option<f64> {
    let error = shift.half_width() / Z_95;
    error.is_finite().then(|| within_pairs(error, min_effect_ms))
}

/// The width of an interval falls with the root of the number of pairs; the number is the one at
/// which the interval around the same shift would lie on one side of the line in question.
fn pairs_needed(change: &PairedChange, min_effect_ms: f64) -> Option<u64> {
    let least = (MIN_PAIRS as u64).max(values_needed(50.0) as u64);
    let half = change.shift.half_width();
    if !half.is_finite() {
        return None;
    }
    let point = f64::midpoint(change.shift.at_least, change.shift.at_most);
    let room = if point < min_effect_ms { min_effect_ms - point } else { point };
    // Close to the line no number of calls helps; then a fair one is named.
    let room = room.max(min_effect_ms / 4.0);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "numbers of calls"
    )]
    let need = (change.pairs as f64 * (half / room).powi(2)).ceil() as u64;
    Some(need.max(change.pairs as u64 + 1).max(least))
}

/// What is known of one turn.
#[derive(Debug, Clone, Copy)]
enum Known {
    Value {
        ms: f64,
        at_least: bool,
    },
    /// The call failed before.
    Nothing,
}

/// The change of one metric within pairs; `None` when no two calls have it.
fn change(metric: Metric, a: &Measures, b: &Measures, how: &Resampling) -> Option<PairedChange> {
    let (first, second) = (by_turn(a.values(metric)), by_turn(b.values(metric)));
    let (a_well, b_well) = (well(a), well(b));
    let turns: BTreeSet<&(CallId, u32)> = first.keys().chain(second.keys()).collect();
    let mut differences = Vec::new();
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for turn in turns {
        let side = |values: &BTreeMap<(CallId, u32), Value>, well: &BTreeMap<CallId, bool>| {
            match values.get(turn) {
                Some(v) => Some(Known::Value { ms: v.value, at_least: v.censored }),
                // Only what was heard of a failed call may be anything: an agent need not report.
                None if is_heard(metric) && well.get(&turn.0) == Some(&false) => {
                    Some(Known::Nothing)
                }
                None => None,
            }
        };
        let (Some(x), Some(y)) = (side(&first, &a_well), side(&second, &b_well)) else { continue };
        of_a.extend(first.get(turn));
        of_b.extend(second.get(turn));
        let (at_least, at_most) = difference(x, y);
        differences.push(PairedDifference { at_least, at_most, cluster: turn.0.0 });
    }
    let clusters: BTreeSet<u32> = differences.iter().map(|d| d.cluster).collect();
    let median = |values: Vec<&Value>| {
        let values: Vec<Value> = values.into_iter().copied().collect();
        Some(sample(&values)?.quantile(50.0))
    };
    Some(PairedChange {
        metric,
        a: median(of_a)?,
        b: median(of_b)?,
        turns: differences.len(),
        pairs: clusters.len(),
        bounded: differences.iter().filter(|d| d.at_least < d.at_most).count(),
        shift: shift(&differences, how)?,
    })
}

/// B minus A: at least and at most.
fn difference(a: Known, b: Known) -> (f64, f64) {
    let anything = (f64::NEG_INFINITY, f64::INFINITY);
    let (Known::Value { ms: x, at_least: a_bound }, Known::Value { ms: y, at_least: b_bound }) =
        (a, b)
    else {
        return anything;
    };
    match (a_bound, b_bound) {
        (false, false) => (y - x, y - x),
        (false, true) => (y - x, f64::INFINITY),
        (true, false) => (f64::NEG_INFINITY, y - x),
        (true, true) => anything,
    }
}

/// Whether a failed call lacks a value because it failed.
fn is_heard(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::HeardE2eLatency | Metric::HeardTtfa | Metric::GreetingLatency | Metric::TimeToYield
    )
}

fn by_turn(values: &[Value]) -> BTreeMap<(CallId, u32), Value> {
    values.iter().filter(|v| v.value.is_finite()).map(|v| ((v.call, v.step), *v)).collect()
}

/// Whether each call that says something about the agent succeeded, if that could be found out.
fn well(measures: &Measures) -> BTreeMap<CallId, bool> {
    let known = measures.values(Metric::CallsOk).iter().filter(|v| !v.censored);
    known.map(|v| (v.call, v.value > 0.5)).collect()
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
