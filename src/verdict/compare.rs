//! The run against its baseline. Questions decide together: a run of an agent that did not change is called worse in
//! at most 5 % of cases.
//!
//! 1. **Do more calls fail, or have a cut-in?** ([`failures`])
//! 2. **Is the typical turn slower?** The mean over the steps of the logarithm of their medians: scripts of unlike turns
//!    have no turn in the middle.
//! 3. **Are the slow turns slower?** The mean of the slowest tenth.
//! 4. **Is a single step slower?** Its median, corrected over the steps.
//!
//! A scenario takes some of them away (`gate`), or names a percentile that decides in place of the last three
//! (`primary`). [`asked`] has their shares and least effects; what the figures are says [`super::figures`].
//!
//! - *With [`RUNS_FOR_DRIFT`] accepted runs or more*: the figure of this run against the figures of those, by Student's
//!   prediction of one more of them, corrected for skewness ([`crate::stats::Skewed`]). It is **worse** when one more run
//!   of the baseline's agent is as slow by chance in no more cases than the question's share allows, *and* the change is
//!   at least its least effect.
//! - *With fewer* it is not known how much runs differ: they are taken to differ by [`ASSUMED_DRIFT`], and a
//!   change only counts when the interval that the calls give lies beyond the least effect besides.
//! - It is **no worse** when the typical turn is (its interval excludes the least effect; or chance explains it, it is
//!   smaller than that, and the comparison is not blind), and no question *leans*: is slower by what matters, and by
//!   chance in at most a quarter of cases. Anything else is **unclear**, with what would settle it.
//! - It is **better** when a figure is, by the same rules, and there is no sign that more calls or turns go wrong.
//!
//! Where another run can confirm it, what has a chance of 10 % is **suspected**, and what has 1 %, or was suspected in
//! the run before, is worse. All else that changed is reported with Holm's correction ([`reported`]).

use super::attribution;
use super::figures::{Figures, waits};
use super::meaning::unlike_first_byte;
use super::{
    Baseline, Comparison, Difference, FailureChange, Ground, Judging, Learning, Suspicion,
};
use crate::measured::Measured;
use crate::scenario::Metric;
use crate::text::count;
use asked::Questions;
use failures::Counts;

mod asked;
mod change;
mod decision;
mod failures;
mod reported;
mod sentences;
mod settle;

pub(super) use asked::{ALL, CALLS_OK, CUT_INS, LATENCIES, Sides};
pub use change::ASSUMED_DRIFT;
pub(super) use decision::Decision;

/// From this number of accepted runs on it is known how much runs differ by themselves.
pub const RUNS_FOR_DRIFT: usize = 5;
/// Significance level of changes that are reported for information.
const REPORTED: f64 = 0.05;

/// How a run stands against its baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Standing {
    NoWorse,
    Better,
    Worse,
    /// Worse, if the next run confirms it.
    Suspected,
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
            Self::Suspected => Some(Ground::Suspected),
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
    pub(super) suspected: Vec<Suspicion>,
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
    let run = Measured::take(input.analysis, input.scenario, true);
    let unlike = unlike_first_byte(baseline.sides(), (&input.analysis.measures, &run.fingerprint));
    if let (Metric::TtsNodeTtfb, Some(why)) = (rule.primary, &unlike) {
        let compared = Compared::nothing(Standing::NotComparable, why.clone());
        return Compared { differences, ..compared };
    }
    let (old, new) = (baseline.measures(), &input.analysis.measures);
    let runs = baseline.run_ids().len();
    let scripts = baseline.accepted().iter().chain([&run]).map(|run| run.steps.as_slice());
    let waits = waits(scripts);
    let past: Vec<Figures> =
        baseline.accepted().iter().map(|run| Figures::by(&waits, run)).collect();
    let past: Vec<&Figures> = past.iter().collect();
    let (later, figures): (Vec<&Figures>, _) =
        (baseline.later().collect(), Figures::by(&waits, &run));
    let held = Sides { past: &past, later: &later, run: &figures };
    // A run that is named to compare with is not on the way to more, nor is a baseline that keeps fewer.
    let of = RUNS_FOR_DRIFT.min(usize::from(rule.runs));
    let learning = (baseline.is_accepted() && runs < of).then_some(Learning { runs, of });
    let how = (input.deciding, learning);
    let decision = if rule.primary_decides {
        let questions = Questions::of_percentile(&rule, baseline, new);
        Decision::of(&questions, Counts::ask(&rule, &held), how)
    } else {
        Decision::by_figures(&rule, &waits, &held, how)
    };
    let standing = decision.standing();

    let chief = decision.answers.first();
    let moved = chief.filter(|_| has_parts(rule.primary)).map(|c| c.found.difference.point);
    let attribution =
        moved.and_then(|ms| attribution::explain(old, new, rule.quantile, ms, unlike.is_none()));
    let (changes, spread) = reported::all(&rule, baseline, new, unlike.is_none());
    let comparison = Comparison {
        baseline_run_id: baseline.run_id().to_owned(),
        baseline_runs: baseline.run_ids().map(str::to_owned).collect(),
        primary: rule.primary,
        quantile: rule.quantile,
        min_effect_ms: chief.map_or(rule.min_effect_abs_ms, |c| c.found.min_effect_ms),
        answers: decision.answers(),
        changes,
        spread,
        failures: decision.decided.failures,
        cut_ins: decision.decided.cut_ins,
        events: decision.counts.events(),
        attribution,
    };
    let sizes = sentences::Sizes::of(&rule, baseline, new);
    let suspected = decision.suspected(input.deciding);
    let words = sentences::Words {
        decision: &decision,
        standing,
        comparison: &comparison,
        sizes,
        suspected: &suspected,
        waits: &waits,
    };
    let reasons = words.reasons();
    let mut notes = words.notes();
    notes.extend(unlike);
    notes.extend(sentences::differences(&differences));
    notes.extend(sentences::baseline_note(baseline.run_id(), runs));
    let comparison = Some(comparison);
    Compared { standing, comparison, reasons, notes, learning, differences, suspected }
}

/// Whether a metric is made of the agent's stages.
fn has_parts(metric: Metric) -> bool {
    metric == Metric::HeardE2eLatency
}

#[cfg(test)]
mod tests;
