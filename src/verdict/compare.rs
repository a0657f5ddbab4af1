//! The run against its baseline. Three questions are asked:
//!
//! 1. **Is the primary metric slower?** It decides, together with the second.
//!    - *With [`RUNS_FOR_DRIFT`] accepted runs or more*: the figure of this run against the figures of
//!      those, on a logarithmic scale, by Student's prediction of one more of them. It is **worse** when
//!      one more run of the baseline's agent is as slow by chance in at most 5 % of cases, *and* the
//!      change is at least the minimum effect. It is **no worse** when the 95 % interval excludes a
//!      slowdown of the minimum effect; or when chance explains the run, the change is below the minimum
//!      effect, and the comparison is not blind (see [`blind`]). What it could have found is said.
//!    - *With fewer*: all their calls together against this run's, by resampling calls. How much runs
//!      differ is then not known, so a change only counts when the whole 95 % interval lies beyond the
//!      minimum effect, and only a run whose interval excludes the minimum effect is no worse.
//!    - Anything else is **unclear**, with what would settle it.
//! 2. **Do more calls fail, or does the agent cut in in more of them?** ([`failures`]) These questions and
//!    the first together raise a false alarm in at most 5 % of runs (Bonferroni's correction as Tarone
//!    improved it for counts).
//! 3. **What else changed?** All other metrics and the spread, with Holm's correction. Reported for
//!    information, never fails a run: with a dozen metrics something always differs.
//!
//! A quantile that so many unanswered turns reach that only a bound of it is known can make a run worse,
//! but never better or no worse.

use super::attribution;
use super::meaning::unlike_first_byte;
use super::thresholds::sample;
use super::{
    Baseline, Basis, Change, Comparison, Difference, Direction, FailureChange, Ground, Judging,
    Learning,
};
use crate::measured::Fingerprint;
use crate::scenario::{BaselineRule, Metric};
use crate::stats::{Sample, Statistic, holm};
use crate::text::count;
use crate::turn::Measures;
use change::{Measured, Question};

mod change;
mod failures;
mod sentences;
mod settle;

/// From this number of accepted runs on it is known how much runs differ by themselves.
pub const RUNS_FOR_DRIFT: usize = 5;
/// Fewer calls than this on either side are not compared.
const MIN_CALLS: usize = 5;
/// Significance level of changes that are reported for information.
const REPORTED: f64 = 0.05;
/// A comparison that finds only slowdowns by more than this share says nothing when it finds none.
const BLIND: f64 = 0.5;

/// How a run stands against its baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Standing {
    NoWorse,
    Better,
    Worse,
    /// Not shown to be worse by a baseline that has too few runs to tell more.
    Learning(Learning),
    #[default]
    Unclear,
    NotComparable,
}

impl Standing {
    pub(super) fn ground(self) -> Option<Ground> {
        match self {
            Self::Worse => Some(Ground::Regression),
            Self::Unclear => Some(Ground::Inconclusive),
            Self::NotComparable => Some(Ground::NotComparable),
            Self::NoWorse | Self::Better | Self::Learning(_) => None,
        }
    }
}

/// A comparison with what follows from it; empty where there is none.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) standing: Standing,
    pub(super) comparison: Option<Comparison>,
    pub(super) reasons: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) learning: Option<Learning>,
    pub(super) differences: Vec<Difference>,
}

impl Compared {
    /// Nothing was compared, and why.
    fn nothing(standing: Standing, why: String) -> Self {
        Self { standing, reasons: vec![why], ..Self::default() }
    }
}

pub(super) fn with_baseline(input: &Judging<'_>, baseline: &Baseline) -> Compared {
    let run_id = &input.analysis.head.run_id;
    let Some(others) = baseline.without(run_id) else {
        let why = "this run is the baseline: there is no other accepted run to compare it with";
        return Compared::nothing(Standing::Unclear, why.to_owned());
    };
    let is_held = others.run_ids().len() < baseline.run_ids().len();
    let mut compared = with_others(input, &others);
    if is_held {
        let with = count(others.run_ids().len(), "other accepted run");
        compared.notes.push(format!("this run is in the baseline; it is compared with the {with}"));
    }
    compared
}

/// A run against accepted runs that it is none of.
fn with_others(input: &Judging<'_>, baseline: &Baseline) -> Compared {
    let comparable = baseline.comparable(input.analysis, input.scenario);
    let differences = match comparable.or_else(|other| other.allowed(input.mismatch)) {
        Ok(differences) => differences,
        Err(other) => {
            let compared = Compared::nothing(Standing::NotComparable, other.to_string());
            let differences = other.differences.into_iter().chain(other.slight).collect();
            return Compared { differences, ..compared };
        }
    };
    let rule = input.scenario.baseline();
    let print = Fingerprint::take(input.analysis, input.scenario);
    let unlike = unlike_first_byte(baseline.sides(), (&input.analysis.measures, &print));
    if let (Metric::TtsNodeTtfb, Some(why)) = (rule.primary, &unlike) {
        let compared = Compared::nothing(Standing::NotComparable, why.clone());
        return Compared { differences, ..compared };
    }
    let (old, new) = (baseline.measures(), &input.analysis.measures);
    let counts = failures::ask(baseline, new);
    let runs = baseline.run_ids().len();
    // A run that is named to compare with is not on the way to more, nor is a baseline that keeps fewer.
    let of = RUNS_FOR_DRIFT.min(usize::from(rule.runs));
    let learning = (baseline.is_accepted() && runs < of).then_some(Learning { runs, of });
    let primary = Primary::judge(rule, baseline, new, counts.level, input.seed);
    let primary = match learning {
        Some(learning) => primary.while_learning(learning),
        None => primary,
    };
    let moved = primary.measured.as_ref().filter(|_| primary.decidable && has_parts(rule.primary));
    let moved = moved.map(|measured| measured.change.difference.point);
    let attribution =
        moved.and_then(|ms| attribution::explain(old, new, rule.quantile, ms, unlike.is_none()));
    let (others, spread) = others(rule, baseline, new, unlike.is_none(), input.seed);
    let mut changes: Vec<Change> = primary.change().into_iter().collect();
    changes.extend(others);
    let comparison = Comparison {
        baseline_run_id: baseline.run_id().to_owned(),
        baseline_runs: baseline.run_ids().map(str::to_owned).collect(),
        primary: rule.primary,
        quantile: rule.quantile,
        min_effect_ms: primary
            .measured
            .as_ref()
            .map_or(rule.min_effect_abs_ms, |m| m.change.min_effect_ms),
        changes,
        spread,
        failures: counts.failures,
        cut_ins: counts.cut_ins,
        attribution,
    };

    let mut standing = primary.standing;
    let mut reasons = primary.reasons(&comparison);
    let more = |count: Option<FailureChange>| count.filter(|count| count.more);
    let cut_in = more(comparison.cut_ins).map(|more| failures::cut_in_sentence(&more));
    let failing = more(comparison.failures).map(|more| failures::sentence(&more));
    for reason in [cut_in, failing].into_iter().flatten() {
        // What the latency does matters less when calls go wrong.
        let place = if standing == Standing::Worse { reasons.len() } else { 0 };
        reasons.insert(place, reason);
        standing = Standing::Worse;
    }
    let mut notes = sentences::notes(&primary, &comparison);
    notes.extend(unlike);
    notes.extend(sentences::differences(&differences));
    notes.extend(sentences::baseline_note(baseline.run_id(), runs));
    let comparison = Some(comparison);
    Compared { standing, comparison, reasons, notes, learning, differences }
}

/// Whether a metric is made of the agent's stages.
fn has_parts(metric: Metric) -> bool {
    metric == Metric::HeardE2eLatency
}

/// The primary metric, which decides.
struct Primary {
    question: Question,
    standing: Standing,
    measured: Option<Measured>,
    /// A slowdown of the minimum effect is excluded.
    excluded: bool,
    /// There are enough values to decide anything.
    decidable: bool,
    /// The chance of a false alarm that is allowed for.
    level: f64,
    /// Calls with a value in the baseline (in a run of it, where it has enough runs) and in the run.
    calls: (usize, usize),
    /// The same for values.
    values: (usize, usize),
}

impl Primary {
    fn judge(
        rule: BaselineRule,
        baseline: &Baseline,
        run: &Measures,
        level: f64,
        seed: u64,
    ) -> Self {
        let statistic = Statistic::Quantile(rule.quantile);
        let question = Question { metric: rule.primary, statistic };
        let measured = question.ask(rule, baseline, run, seed);
        let (old, new) =
            (sample(baseline.measures().values(rule.primary)), sample(run.values(rule.primary)));
        let size =
            |of: fn(&Sample) -> usize| (old.as_ref().map_or(0, of), new.as_ref().map_or(0, of));
        let decidable = [&old, &new].iter().all(|s| s.as_ref().is_some_and(|s| question.enough(s)));
        let excluded = measured.as_ref().is_some_and(|m| decidable && excluded(&m.change));
        let standing = match &measured {
            Some(measured) if decidable => judge(measured, level),
            Some(_) | None => Standing::Unclear,
        };
        let (calls, values) = (size(Sample::clusters), size(Sample::len));
        Self { question, standing, measured, excluded, decidable, level, calls, values }
    }

    /// The same against a baseline that is still learnt: what is only unclear for want of runs speaks neither
    /// for nor against the run. A figure of which only a bound is known, or that rests on too few turns,
    /// stays unclear: no further run of the baseline would settle it.
    fn while_learning(self, learning: Learning) -> Self {
        let bound = |m: &Measured| m.change.run_is_bound || m.change.baseline_is_bound;
        let settles = self.decidable && self.measured.as_ref().is_some_and(|m| !bound(m));
        if settles && self.standing == Standing::Unclear {
            return Self { standing: Standing::Learning(learning), ..self };
        }
        self
    }

    /// `None` where a side has too few values to compare them.
    fn change(&self) -> Option<Change> {
        let change = &self.measured.as_ref().filter(|_| self.decidable)?.change;
        let direction = match self.standing {
            Standing::Worse => Direction::Slower,
            Standing::Better => Direction::Faster,
            Standing::NoWorse => Direction::Alike,
            Standing::Unclear | Standing::Learning(_) | Standing::NotComparable => {
                Direction::Unclear
            }
        };
        Some(Change { direction, ..*change })
    }
}

/// How a figure that has enough values stands.
fn judge(measured: &Measured, level: f64) -> Standing {
    let change = &measured.change;
    let Change { difference, min_effect_ms: least, .. } = *change;
    let (slower, faster) = match change.basis {
        Basis::Calls => (difference.low >= least, difference.high <= -least),
        Basis::Runs(_) => (
            measured.p_slower <= level && difference.point >= least,
            measured.p_faster <= level && difference.point <= -least,
        ),
    };
    // What has a bound for its quantile is slower than it shows: such a run can be found worse but not
    // better, such a baseline the other way about.
    if slower && !change.baseline_is_bound {
        return Standing::Worse;
    }
    if faster && !change.run_is_bound {
        return Standing::Better;
    }
    let bound = change.baseline_is_bound || change.run_is_bound;
    let explained = matches!(change.basis, Basis::Runs(_))
        && measured.p_slower > level
        && difference.point < least
        && !bound
        && !blind(change);
    if excluded(change) || explained { Standing::NoWorse } else { Standing::Unclear }
}

/// Whether a slowdown that matters is excluded.
fn excluded(change: &Change) -> bool {
    match (change.baseline_is_bound, change.run_is_bound) {
        (false, false) => change.difference.high < change.min_effect_ms,
        (true, false) => change.difference.point <= 0.0,
        (false | true, true) => false,
    }
}

/// A comparison that would miss a slowdown by half, and by twice what matters, is none.
fn blind(change: &Change) -> bool {
    change.detectable_ms > (BLIND * change.baseline.abs()).max(2.0 * change.min_effect_ms)
}

/// The medians of the other latencies, the slow end of the primary one, and its spread. `alike` says that
/// `tts_node_ttfb` is the same measure on both sides.
fn others(
    rule: BaselineRule,
    baseline: &Baseline,
    run: &Measures,
    alike: bool,
    seed: u64,
) -> (Vec<Change>, Option<Change>) {
    let primary = Question { metric: rule.primary, statistic: Statistic::Quantile(rule.quantile) };
    let slow = Question { metric: rule.primary, statistic: Statistic::Quantile(95.0) };
    let spread = Question { metric: rule.primary, statistic: Statistic::Spread };
    let medians = Metric::ALL
        .into_iter()
        .filter(|metric| metric.is_time() && (alike || *metric != Metric::TtsNodeTtfb))
        .filter(|metric| !(baseline.measures().repeats(*metric) && run.repeats(*metric)))
        .map(|metric| Question { metric, statistic: Statistic::Quantile(50.0) });
    let enough = |question: &Question| {
        let sides = [baseline.measures(), run].map(|of| sample(of.values(question.metric)));
        sides.iter().all(|side| side.as_ref().is_some_and(|side| question.enough(side)))
    };
    let asked = std::iter::once(slow).chain(medians).chain(std::iter::once(spread));
    let mut changes: Vec<Change> = asked
        .filter(|question| *question != primary && enough(question))
        .filter_map(|question| Some(question.ask(rule, baseline, run, seed)?.change))
        .collect();
    let adjusted = holm(&changes.iter().map(|change| change.p).collect::<Vec<f64>>());
    for (change, p) in changes.iter_mut().zip(adjusted) {
        *change = Change { p, direction: direction(change, p), ..*change };
    }
    let spread = changes.pop_if(|change| change.statistic == Statistic::Spread);
    (changes, spread)
}

/// The direction of a change by its adjusted p; whether it matters is for the verdict.
fn direction(change: &Change, p: f64) -> Direction {
    let Change { difference, min_effect_ms: least, .. } = *change;
    if p <= REPORTED && difference.point > 0.0 && !change.baseline_is_bound {
        Direction::Slower
    } else if p <= REPORTED && difference.point < 0.0 && !change.run_is_bound {
        Direction::Faster
    } else if difference.low > -least && difference.high < least && !change.run_is_bound {
        Direction::Alike
    } else {
        Direction::Unclear
    }
}

#[cfg(test)]
mod tests;
