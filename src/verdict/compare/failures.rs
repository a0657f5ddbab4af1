//! Whether more calls go wrong than did in the accepted runs: calls that fail, calls in which the agent cuts in (its
//! replies then enter no latency, so an agent that cuts in more must not look faster), and calls in which something
//! happens in a turn.

use super::super::figures::{EVENTS, Figures, MIN_CALLS};
use super::super::{Asked, Deciding, EventChange, FailureChange, Question};
use super::asked::{AT_ONCE, Sides, Stands, worse};
use super::{REPORTED, RUNS_FOR_DRIFT};
use crate::scenario::{BaselineRule, Gated, Metric};
use crate::stats::{Prediction, Rate, holm, more_misses, rate_difference};
use crate::text::chance;

/// A smaller drop of the share of calls that are right does not matter, however sure it is.
const MIN_DROP: f64 = 0.01;
/// More calls that go wrong by chance in at most this share of cases make no run better: one in thirty where there was
/// none in thirty is enough.
const SUSPICIOUS: f64 = 0.5;

/// The two counts that decide, and those that are reported.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    decide: [Option<Count>; 2],
    /// Whether they decide.
    gated: bool,
    events: Vec<(Metric, Count)>,
}

/// One count, with the least p it could come to.
#[derive(Debug, Clone, Copy)]
struct Count {
    change: FailureChange,
    attainable: f64,
}

/// The counts as they were decided.
#[derive(Debug, Clone)]
pub(super) struct Decided {
    pub(super) failures: Option<FailureChange>,
    pub(super) cut_ins: Option<FailureChange>,
    /// With what each says of the run, calls that fail first.
    pub(super) standings: [(Asked, Stands); 2],
}

impl Counts {
    /// Asks all.
    pub(super) fn ask(rule: &BaselineRule, sides: &Sides<'_>) -> Self {
        let nothing = Rate { hits: 0, n: 0 };
        let events = EVENTS.into_iter().filter_map(|event| {
            let rate = |of: &Figures| of.without.get(event.name()).copied().unwrap_or(nothing);
            Some((event, Count::of(sides, rate)?))
        });
        Self {
            decide: [Count::of(sides, |of| of.calls_ok), Count::of(sides, |of| of.without_cut_in)],
            gated: rule.gate.has(Gated::CallsOk),
            events: events.collect(),
        }
    }

    /// The least p of those that decide.
    pub(super) fn attainable(&self) -> [Option<f64>; 2] {
        self.decide.map(|count| count.filter(|_| self.gated).map(|count| count.attainable))
    }

    pub(super) fn decided(&self, levels: [f64; 2], deciding: Deciding<'_>) -> Decided {
        let [ok, cut_ins] = self.decide;
        let asked =
            [Question::CallsOk, Question::CutIns].map(|question| Asked { question, step: None });
        let [first, second] = asked;
        let [ok_level, cut_level] = levels;
        let (failures, of_failures) = decide(ok, ok_level, &first, deciding);
        let (cut_ins, of_cut_ins) = decide(cut_ins, cut_level, &second, deciding);
        Decided { failures, cut_ins, standings: [(first, of_failures), (second, of_cut_ins)] }
    }

    /// What happened in turns, by call, with Holm's correction.
    pub(super) fn events(&self) -> Vec<EventChange> {
        let p: Vec<f64> = self.events.iter().map(|(_, count)| count.change.p).collect();
        let adjusted = self.events.iter().zip(holm(&p));
        let change = |((event, count), p): (&(Metric, Count), f64)| EventChange {
            event: *event,
            calls: FailureChange { p, more: p <= REPORTED && drops(&count.change), ..count.change },
        };
        adjusted.map(change).collect()
    }

    /// What goes wrong more often, with so much evidence that nothing about the run is better.
    pub(super) fn suspicious(&self) -> Option<&'static str> {
        let [ok, cut_ins] = self.decide;
        let named = [(ok, "calls fail"), (cut_ins, "calls have a cut-in")];
        let events = self.events.iter().map(|(event, count)| {
            let words = [
                (Metric::UnansweredTurns, "calls have unanswered turns"),
                (Metric::AwkwardSilenceCount, "calls have awkward silences"),
                (Metric::FalseInterruptionCount, "calls have false interruptions"),
            ];
            let what = words.iter().find(|(named, _)| named == event);
            (Some(*count), what.map_or("calls have a cut-in", |(_, what)| what))
        });
        let more =
            |count: &Count| count.change.p <= SUSPICIOUS && count.change.difference.point < 0.0;
        let mut all = named.into_iter().chain(events);
        all.find_map(|(count, what)| count.filter(more).map(|_| what))
    }
}

fn drops(change: &FailureChange) -> bool {
    change.difference.point <= -MIN_DROP
}

fn decide(
    count: Option<Count>,
    level: f64,
    asked: &Asked,
    deciding: Deciding<'_>,
) -> (Option<FailureChange>, Stands) {
    let Some(count) = count else { return (None, Stands::NoWorse) };
    let is_more = |level: f64| count.change.p <= level && drops(&count.change);
    let standing = if is_more(level) {
        worse(asked, deciding, is_more(level * AT_ONCE))
    } else {
        Stands::NoWorse
    };
    let more = standing == Stands::Worse;
    (Some(FailureChange { more, ..count.change }), standing)
}

impl Count {
    /// `None` when a side says nothing about it.
    fn of(sides: &Sides<'_>, right: impl Fn(&Figures) -> Rate) -> Option<Self> {
        let rates: Vec<Rate> = sides.past.iter().map(|figures| right(figures)).collect();
        let old = rates.iter().fold(Rate { hits: 0, n: 0 }, |all, rate| Rate {
            hits: all.hits + rate.hits,
            n: all.n + rate.n,
        });
        let new = right(sides.run);
        let difference = rate_difference(old, new)?;
        let usual: Vec<f64> = rates
            .iter()
            .filter(|rate| rate.n >= MIN_CALLS as u64)
            .map(|rate| rate.stabilized_misses())
            .collect();
        let exact = more_misses(old, new);
        // By the calls alone, and by how much runs differ: the weaker evidence of the two counts.
        let between = if usual.len() >= RUNS_FOR_DRIFT {
            Prediction::of(&usual, 0.0).map_or(0.0, |usual| usual.p_above(new.stabilized_misses()))
        } else {
            0.0
        };
        let p = exact.p.max(between);
        let runs = rates.len();
        let change = FailureChange { baseline: old, run: new, runs, difference, p, more: false };
        Some(Self { change, attainable: exact.attainable })
    }
}

/// `more calls fail than in the baseline: 20 of 20 were ok → 12 of 20 (−40.0 points, …)`.
pub(super) fn sentence(change: &FailureChange) -> String {
    format!("more calls fail than in the baseline: {}", counted(change, "were ok"))
}

/// The same of calls in which the agent cut in.
pub(super) fn cut_in_sentence(change: &FailureChange) -> String {
    let counted = counted(change, "had no cut-in");
    format!("the agent cuts in on the caller in more calls than in the baseline: {counted}")
}

fn counted(change: &FailureChange, were: &str) -> String {
    let FailureChange { baseline, run, difference, .. } = change;
    let points = |share: f64| format!("{:+.1}", share * 100.0).replace('-', "\u{2212}");
    format!(
        "{} of {} {were} → {} of {} ({} points, 95 % interval {} to {}; by chance in {})",
        baseline.hits,
        baseline.n,
        run.hits,
        run.n,
        points(difference.point),
        points(difference.low),
        points(difference.high),
        chance(change.p),
    )
}
