//! Two agents that were called in turn, B against A.
//!
//! Calls with the same id are a pair: they were placed one after the other, so whatever the hour does
//! to an agent it does to both. Looked at is what changed *within* pairs, step by step of the script;
//! how much pairs differ among themselves does not blur it.
//!
//! Four questions decide, together at 5 %: calls that succeed ([`calls`]), the typical turn, the slow turns and
//! the worst single turn ([`questions`]).
//! - **Worse**: one of them is worse beyond its share of the 5 %, and by what matters.
//! - **Better**: the typical turn is faster by at least the minimum effect, beyond chance at 2.5 %.
//! - **No worse**: a slowdown of the typical turn by the minimum effect is excluded at 5 %, or one of twice the
//!   minimum effect while less than the minimum effect was measured; the verdict says which.
//!
//! Better and no worse need all other questions to be above suspicion: nobody whose calls fail, whose turns stay
//! unanswered or whose slow turns get slower is called as good. And nobody is called better who fails in more pairs at
//! all, or leaves more turns unanswered, however likely that is by chance, or who would not be better had one more call
//! gone unanswered: a failure may be rare enough to be missed.
//!
//! **A turn without a reply is never left out** ([`table`]): it counts as all the time the caller gives the
//! agent, on both sides.
//!
//! A run that goes on until it is decided is judged at the looks that were planned ([`looks`]), each at the level
//! that keeps all of them together below the error of one.

use std::collections::BTreeSet;

use super::attribution::{self, Attribution};
use super::comparable::{Difference, How, Mismatch, comparable};
use super::health::unfit;
use super::meaning::unlike_first_byte;
use super::{Outcome, values_needed};
use crate::measured::{Fingerprint, StepPrint};
use crate::record::{CallId, KeyChange, Side};
use crate::scenario::{Metric, Scenario};
use crate::stats::{DEFAULT_RESAMPLES, Resampling};
use crate::turn::Analysis;

mod calls;
mod table;
mod asked;
mod estimates;
mod questions;
mod changes;
mod looks;
mod sentences;

pub use asked::{MIN_PAIRS, Question};
pub use calls::PairedCalls;
pub use changes::PairedChange;
pub use looks::planned;
pub use questions::{Excluded, Finding};

use changes::change;
use looks::Look;
use questions::Answers;
use table::Table;

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
    /// The metric that the questions ask of.
    pub primary: Metric,
    /// A change of the typical turn counts from here on, in milliseconds.
    pub min_effect_ms: f64,
    /// The smallest slowdown of all turns that this many pairs find about nine times in ten; `None` when too
    /// little is known to say.
    pub detectable_ms: Option<f64>,
    /// Pairs of calls.
    pub pairs: usize,
    /// About how many pairs would settle what is unclear.
    pub pairs_needed: Option<u64>,
    /// The answers to the questions: the typical turn, the slow turns, then every step. Empty with too few pairs.
    pub findings: Vec<Finding>,
    /// Which slowdowns of the typical turn are excluded.
    pub excluded: Option<Excluded>,
    /// The primary metric first, then the others; each only where it has [enough](PairedChange::is_enough)
    /// pairs.
    pub changes: Vec<PairedChange>,
    /// Pairs of calls and of turns of the primary metric, where they are too few.
    pub too_few: Option<(usize, usize)>,
    pub calls: PairedCalls,
    /// Pairs with more turns unanswered by B, and with more by A.
    pub more_unanswered: [u64; 2],
    /// Where the change of the typical turn comes from; `None` when the agents report no stages.
    pub attribution: Option<Attribution>,
    /// Set for a run that was to go on until it is decided.
    pub looks: Option<Looked>,
}

/// How a run that was to go on until it is decided was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Pairs at each planned look.
    pub planned: Vec<u32>,
    /// The looks that were had, up to the one that decided.
    pub had: usize,
    /// Whether the last of them decided.
    pub decided: bool,
}

/// What the questions together say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Worse,
    Better,
    NoWorse,
    Unclear,
}

/// What a look saw.
struct Seen {
    pairs: u32,
    answers: Option<Answers>,
    calls: PairedCalls,
    more_unanswered: [u64; 2],
    /// More calls fail, beyond chance.
    failing: bool,
    standing: Standing,
}

/// Judges B against A. Asks nothing but its input.
pub fn judge(input: Pairing<'_>) -> PairedVerdict {
    let Pairing { a, b, .. } = input;
    if let Some(unfit) = unfit_sides(a, b) {
        return unfit;
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
    let (seen, had) = look_at(input, &looks_of(input));
    let comparison = compare(input, &seen, looked(input, &seen, had), unlike.is_none());
    notes.extend(unlike);
    let outcome = match seen.standing {
        Standing::Worse => Outcome::Regression,
        Standing::Unclear => Outcome::Inconclusive,
        Standing::Better => Outcome::Improvement,
        Standing::NoWorse => Outcome::Pass,
    };
    let mut reasons = sentences::reasons(&comparison, &seen);
    reasons.extend(sentences::notes(input, &comparison, &seen));
    reasons.extend(notes);
    PairedVerdict { outcome, reasons, comparison: Some(comparison) }
}

/// Whether a run that goes on until it is decided is decided by its first `pairs` pairs, at which a look was
/// planned. The recordings may have no end yet.
pub fn is_decided(input: Pairing<'_>, pairs: u32) -> bool {
    let Some(arm) = &input.a.analysis.head.arm else { return false };
    let look = looks::all(&arm.looks, input.seed).into_iter().find(|look| look.pairs == pairs);
    look.is_some_and(|look| see(input, &look).standing != Standing::Unclear)
}

fn unfit_sides(a: Recorded<'_>, b: Recorded<'_>) -> Option<PairedVerdict> {
    let unfits = [(Side::A, unfit(a.analysis)), (Side::B, unfit(b.analysis))];
    let mut unfits: Vec<_> =
        unfits.into_iter().filter_map(|(side, unfit)| Some((side, unfit?))).collect();
    // No agent reached says most, and nobody needs to hear that the other side was then cut short.
    unfits.sort_by_key(|(_, unfit)| {
        let first = [Outcome::NothingMeasured, Outcome::Stopped];
        first.iter().position(|outcome| *outcome == unfit.outcome()).unwrap_or(first.len())
    });
    let outcome = unfits.first()?.1.outcome();
    let reasons = unfits.iter().map(|(side, why)| format!("{}: {why}", side.name())).collect();
    Some(PairedVerdict { outcome, reasons, comparison: None })
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

/// The looks that were planned, or one at all pairs.
fn looks_of(input: Pairing<'_>) -> Vec<Look> {
    match &input.a.analysis.head.arm {
        Some(arm) if !arm.looks.is_empty() => looks::all(&arm.looks, input.seed),
        Some(_) | None => looks::once(placed(input), input.seed),
    }
}

/// Pairs that were placed.
fn placed(Pairing { a, b, .. }: Pairing<'_>) -> u32 {
    let last = |of: Recorded<'_>| of.analysis.calls.iter().map(|call| call.call.0 + 1).max();
    last(a).into_iter().chain(last(b)).min().unwrap_or(0)
}

/// Looks until one decides, as far as calls were placed; with how many looks there were.
fn look_at(input: Pairing<'_>, looks: &[Look]) -> (Seen, usize) {
    let placed = placed(input);
    let (latest, had) = until_decided(looks, placed, |look| see(input, look));
    let nothing = || {
        let [a, b] = [input.a, input.b].map(|side| &side.analysis.measures);
        let calls = PairedCalls::count(a, b, placed);
        let (answers, standing) = (None, Standing::Unclear);
        Seen { pairs: placed, answers, calls, more_unanswered: [0; 2], failing: false, standing }
    };
    (latest.unwrap_or_else(nothing), had)
}

/// What the last look saw, and how many there were.
fn until_decided(
    looks: &[Look],
    placed: u32,
    see: impl Fn(&Look) -> Seen,
) -> (Option<Seen>, usize) {
    let mut had = 0;
    let mut latest = None;
    for look in looks.iter().filter(|look| look.pairs <= placed) {
        let seen = see(look);
        had += 1;
        let decided = seen.standing != Standing::Unclear;
        latest = Some(seen);
        if decided {
            break;
        }
    }
    (latest, had)
}

/// How the looks of a run that was to go on until it is decided went; `None` for another.
fn looked(input: Pairing<'_>, seen: &Seen, had: usize) -> Option<Looked> {
    let planned = input.a.analysis.head.arm.as_ref()?.looks.clone();
    let decided = seen.standing != Standing::Unclear;
    (!planned.is_empty()).then_some(Looked { planned, had, decided })
}

fn see(Pairing { a, b, .. }: Pairing<'_>, look: &Look) -> Seen {
    let calls = PairedCalls::count(&a.analysis.measures, &b.analysis.measures, look.pairs);
    let table = Table::new(a.scenario.baseline().primary, a, b, look.pairs);
    weigh(calls, &table, a.scenario, look)
}

/// What the pairs of a look say.
fn weigh(calls: PairedCalls, table: &Table, scenario: &Scenario, look: &Look) -> Seen {
    let is_enough = table.cells.len() >= values_needed(50.0);
    let answers = questions::ask(table, scenario, look.asking).filter(|_| is_enough);
    let failing = calls.worse(look.asking.shares.calls);
    let [with_b, with_a] = table.more_unanswered;
    let wrong = if calls.suspicious() || calls::more_than_chance(with_b, with_a) {
        Wrong::Suspiciously
    } else if calls.only_a_ok > calls.only_b_ok || with_b > with_a {
        Wrong::More
    } else {
        Wrong::NoMore
    };
    let standing = if failing {
        Standing::Worse
    } else {
        answers.as_ref().map_or(Standing::Unclear, |of| standing(of, wrong, look.last))
    };
    let more_unanswered = table.more_unanswered;
    Seen { pairs: look.pairs, answers, calls, more_unanswered, failing, standing }
}

/// Whether more calls fail, or more turns go unanswered, with B than with A.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    NoMore,
    /// By what chance makes often: B is not called better.
    More,
    /// By what chance makes rarely: B is not called as good.
    Suspiciously,
}

/// Before the last look only what is excluded from the minimum effect on ends a run.
fn standing(answers: &Answers, wrong: Wrong, last: bool) -> Standing {
    let Answers { findings, typical } = answers;
    let is_enough = match typical.excluded {
        Some(Excluded::MinEffect) => true,
        Some(Excluded::TwiceMinEffect) => last,
        None => false,
    };
    if findings.iter().any(|finding| finding.worse) {
        Standing::Worse
    } else if wrong == Wrong::Suspiciously || findings.iter().any(Finding::suspicious) {
        Standing::Unclear
    } else if typical.surely_faster && wrong == Wrong::NoMore {
        Standing::Better
    } else if is_enough {
        Standing::NoWorse
    } else {
        Standing::Unclear
    }
}

/// `alike` says that `tts_node_ttfb` is the same measure on both sides.
fn compare(
    Pairing { a, b, seed }: Pairing<'_>,
    seen: &Seen,
    looks: Option<Looked>,
    alike: bool,
) -> PairedComparison {
    let rule = a.scenario.baseline();
    let how = Resampling { resamples: DEFAULT_RESAMPLES, seed };
    let (first, second) = (&a.analysis.measures, &b.analysis.measures);
    let of = |metric| {
        let is_like = alike || metric != Metric::TtsNodeTtfb;
        is_like.then(|| change(metric, (a, b), seen.pairs, &how)).flatten()
    };
    let measured = of(rule.primary);
    let primary = measured.filter(PairedChange::is_enough);
    let repeats = |m: Metric| [a, b].iter().all(|side| side.analysis.measures.repeats(m));
    let others =
        Metric::ALL.into_iter().filter(|m| m.is_time() && *m != rule.primary && !repeats(*m));
    let others = others.filter_map(of).filter(PairedChange::is_enough);
    let changes = primary.into_iter().chain(others).collect();
    let calls: BTreeSet<CallId> = a.analysis.calls.iter().map(|call| call.call).collect();
    let pairs = b.analysis.calls.iter().filter(|call| calls.contains(&call.call)).count();
    let findings = seen.answers.as_ref().map_or_else(Vec::new, |of| of.findings.clone());
    let typical = seen.answers.as_ref().map(|of| of.typical);
    let moved = findings.first().filter(|_| rule.primary == Metric::HeardE2eLatency);
    let moved = moved.map(|of| of.at_least_ms);
    let unclear = seen.standing == Standing::Unclear;
    PairedComparison {
        primary: rule.primary,
        min_effect_ms: findings.first().map_or(rule.min_effect_abs_ms, |of| of.min_effect_ms),
        detectable_ms: typical.map(|of| of.detectable_ms()),
        pairs,
        pairs_needed: seen.answers.as_ref().filter(|_| unclear).and_then(|of| needed(of, seen)),
        excluded: typical.and_then(|of| of.excluded),
        findings,
        changes,
        too_few: measured.filter(|p| !p.is_enough()).map(|p| (p.pairs, p.turns)),
        calls: seen.calls,
        more_unanswered: seen.more_unanswered,
        attribution: moved.and_then(|ms| attribution::explain(first, second, 50.0, ms, alike)),
        looks,
    }
}

/// About how many pairs would settle what is unclear: what is suspicious where something is, else the typical
/// turn. `None` when no number helps.
fn needed(answers: &Answers, seen: &Seen) -> Option<u64> {
    let suspicious = answers.findings.iter().filter(|finding| finding.suspicious());
    let times = suspicious.map(|finding| finding.times).reduce(f64::min);
    let times = times.unwrap_or_else(|| answers.typical.times());
    let need = (f64::from(seen.pairs) * times).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of calls"
    )]
    let need = need.is_finite().then_some(need as u64)?;
    let least = (MIN_PAIRS as u64).max(values_needed(50.0) as u64);
    Some(need.max(u64::from(seen.pairs) + 1).max(least))
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
