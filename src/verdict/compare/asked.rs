//! The questions of latency: which are asked, at which level, and how each is answered.

use std::collections::BTreeMap;

use super::super::figures::{Figure, Figures, Wait};
use super::super::questions::{WIDER, WIDER_MS};
use super::super::{Answer, Asked, Baseline, Deciding, Direction, Question};
use super::change::{Found, Held};
use super::reported::{Figured, FiguredSides};
use crate::scenario::{BaselineRule, Gated};
use crate::stats::{Statistic, power};
use crate::turn::Measures;

/// A slow end needs so many turns: then it has three.
const TURNS_FOR_SLOW: usize = 30;
/// A typical turn needs so many.
const TURNS_FOR_TYPICAL: usize = 10;

/// The parts of the 5 % that questions get where all are asked, as judged by what they find: tails and single steps
/// cost the typical turn a few points of power.
pub(in crate::verdict) const CALLS_OK: f64 = 0.6;
pub(in crate::verdict) const CUT_INS: f64 = 0.4;
const TYPICAL: f64 = 2.0;
const SLOW_TURNS: f64 = 1.5;
const STEPS: f64 = 1.5;
const PRIMARY: f64 = 5.0;
/// Of the three questions of latency together, and of everything.
pub(in crate::verdict) const LATENCIES: f64 = TYPICAL + SLOW_TURNS + STEPS;
pub(in crate::verdict) const ALL: f64 = LATENCIES + CALLS_OK + CUT_INS;

/// The level of each question: its part of the whole among those that can be answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Levels {
    /// Of the calls that are ok and those without a cut-in; 0 where they cannot prove anything.
    pub(super) counts: [f64; 2],
    /// Of a weight of one.
    pub(super) unit: f64,
}

impl Levels {
    /// `attainable`: the least p of the two counts that is possible, `None` where it is not asked. A count that can
    /// prove nothing takes no share, as Tarone has it ([`crate::stats::tarone_level`]), here with weights.
    pub(super) fn new(latencies: f64, attainable: [Option<f64>; 2], alpha: f64) -> Self {
        let weights = [CALLS_OK, CUT_INS];
        let asked = attainable.iter().zip(weights).filter(|(p, _)| p.is_some());
        let all: f64 = latencies + asked.map(|(_, weight)| weight).sum::<f64>();
        let can = |p: Option<f64>, weight: f64| p.is_some_and(|p| p <= alpha * weight / all);
        let [failures, cut_ins] = attainable;
        let kept = [can(failures, CALLS_OK), can(cut_ins, CUT_INS)];
        let counted: f64 = kept.iter().zip(weights).filter(|(k, _)| **k).map(|(_, w)| w).sum();
        let unit = alpha / (latencies + counted).max(f64::MIN_POSITIVE);
        let level = |kept: bool, weight: f64| if kept { unit * weight } else { 0.0 };
        Self { counts: [level(kept[0], CALLS_OK), level(kept[1], CUT_INS)], unit }
    }
}

/// Figures that are compared with each other.
#[derive(Debug, Clone, Copy)]
pub(in crate::verdict) struct Sides<'a> {
    /// Of the accepted runs, the oldest first.
    pub(in crate::verdict) past: &'a [&'a Figures],
    /// Of the nights since the level was set.
    pub(in crate::verdict) later: &'a [&'a Figures],
    pub(in crate::verdict) run: &'a Figures,
}

/// A question of latency with its weight and what it is asked of.
#[derive(Debug, Clone)]
struct Open {
    asked: Asked,
    weight: f64,
    past: Vec<Figure>,
    /// Of the nights since the level was set.
    later: Vec<f64>,
    run: Figure,
    least_share: f64,
    least_ms: f64,
    restricted: bool,
}

/// All questions of latency that can be asked.
#[derive(Debug, Clone)]
pub(super) struct Questions {
    open: Vec<Open>,
    /// Accepted runs.
    runs: usize,
}

/// A question with its answer.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub(super) asked: Asked,
    /// What it is allowed of false alarms; 0 for one that does not decide.
    pub(super) level: f64,
    pub(super) found: Found,
    pub(super) standing: Stands,
    /// The two sides have different shares of the steps and were weighted alike.
    pub(super) restricted: bool,
}

/// How one figure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    Worse,
    /// Worse, if the next run confirms it.
    Suspected,
    Better,
    NoWorse,
    Unclear,
}

impl Questions {
    /// The three questions of latency, as far as both sides have enough turns.
    pub(super) fn of_latencies(rule: &BaselineRule, waits: &[Wait], sides: &Sides<'_>) -> Self {
        let Sides { past, later, run } = *sides;
        let later = |figure: &dyn Fn(&Figures) -> Option<Figure>| {
            later.iter().filter_map(|night| Some(figure(night)?.value)).collect::<Vec<f64>>()
        };
        let weight = |gated, weight: f64| if rule.gate.has(gated) { weight } else { 0.0 };
        let mut open = Vec::new();
        let of = |figure: fn(&Figures) -> Option<Figure>, turns: usize| {
            let enough = |f: &Figures| figure(f).filter(|f| f.turns >= turns);
            let past: Option<Vec<Figure>> = past.iter().map(|f| enough(f)).collect();
            Some((past?, enough(run)?))
        };
        if let Some((past, run)) = of(|f| f.typical, TURNS_FOR_TYPICAL) {
            open.push(Open {
                asked: Asked { question: Question::TypicalTurn, step: None },
                weight: weight(Gated::TypicalTurn, TYPICAL),
                past,
                later: later(&|f| f.typical),
                run,
                least_share: rule.min_effect_rel,
                least_ms: rule.min_effect_abs_ms,
                restricted: false,
            });
        }
        if let Some((past, run)) = of(|f| f.slow, TURNS_FOR_SLOW) {
            open.push(Open {
                asked: Asked { question: Question::SlowTurns, step: None },
                weight: weight(Gated::SlowTurns, SLOW_TURNS),
                past,
                later: later(&|f| f.slow),
                run,
                least_share: rule.min_effect_rel * WIDER,
                least_ms: rule.min_effect_abs_ms,
                restricted: false,
            });
        }
        // Of a script with one step that is the typical turn.
        let common = common_steps(waits, past, run);
        let one = common.len() < 2;
        #[expect(clippy::cast_precision_loss, reason = "a script has few steps")]
        let each = weight(Gated::WorstStep, STEPS) / common.len().max(1) as f64;
        for (step, (past, run)) in common.into_iter().filter(|_| !one) {
            open.push(Open {
                later: later(&|night| night.steps.get(&step).copied()),
                asked: Asked { question: Question::WorstStep, step: Some(step) },
                weight: each,
                past,
                run,
                least_share: rule.min_effect_rel * WIDER,
                least_ms: rule.min_effect_abs_ms * WIDER_MS,
                restricted: false,
            });
        }
        Self { open, runs: sides.past.len() }
    }

    /// The percentile that the scenario names instead.
    pub(super) fn of_percentile(rule: &BaselineRule, baseline: &Baseline, run: &Measures) -> Self {
        let statistic = Statistic::Quantile(rule.quantile);
        let sides = Figured { metric: rule.primary, statistic }.sides(baseline, run);
        let open = sides.map(|FiguredSides { past, run, restricted }| Open {
            asked: Asked { question: Question::Primary, step: None },
            weight: PRIMARY,
            past,
            later: Vec::new(),
            run,
            least_share: rule.min_effect_rel,
            least_ms: rule.min_effect_abs_ms,
            restricted,
        });
        Self { open: open.into_iter().collect(), runs: baseline.run_ids().len() }
    }

    /// The weight of all that decide.
    pub(super) fn weight(&self) -> f64 {
        self.open.iter().map(|open| open.weight).sum()
    }

    /// The answers, with a part of the whole level for each (`unit` times its weight), what decides first.
    pub(super) fn answer(&self, unit: f64, deciding: Deciding<'_>) -> Vec<Answered> {
        let mut answers: Vec<Answered> =
            self.open.iter().filter_map(|open| self.answered(open, unit, deciding)).collect();
        answers.sort_by_key(|answer| answer.level <= 0.0);
        answers
    }

    fn answered(&self, open: &Open, unit: f64, deciding: Deciding<'_>) -> Option<Answered> {
        let level = unit * open.weight;
        // What does not decide is looked at as if it did by itself.
        let tail = if level > 0.0 { level } else { power::FALSE_ALARMS / 2.0 };
        let Open { least_share, least_ms, restricted, .. } = *open;
        let held = Held { tail, least_share, least_ms, runs: self.runs };
        let found = Found::of(&open.past, &open.later, &open.run, held)?;
        let asked = open.asked.clone();
        let standing =
            if level > 0.0 { stands(&found, level, &asked, deciding) } else { Stands::Unclear };
        Some(Answered { asked, level, found, standing, restricted })
    }
}

/// The figures of the steps that all runs have, in the script's order.
fn common_steps(
    waits: &[Wait],
    past: &[&Figures],
    run: &Figures,
) -> Vec<(String, (Vec<Figure>, Figure))> {
    let of = |step: &str, figures: &BTreeMap<String, Figure>| figures.get(step).copied();
    let steps = waits.iter().filter_map(|wait| {
        let step = wait.id.as_str();
        let past: Option<Vec<Figure>> = past.iter().map(|run| of(step, &run.steps)).collect();
        Some((step.to_owned(), (past?, of(step, &run.steps)?)))
    });
    steps.collect()
}

/// What a run that may be confirmed has to show by itself, as a part of what makes it suspected: 1 % of 10 %.
pub(super) const AT_ONCE: f64 = 0.1;

/// What looks worse at its level is worse, or suspected where the run before has to have suspected it, too; `at_once`
/// says that this run shows enough by itself.
pub(super) fn worse(asked: &Asked, deciding: Deciding<'_>, at_once: bool) -> Stands {
    match deciding {
        Deciding::Once => Stands::Worse,
        Deciding::Confirmed { before } => {
            let again = before.iter().any(|suspicion| suspicion.asked == *asked);
            if again || at_once { Stands::Worse } else { Stands::Suspected }
        }
    }
}

/// How a figure stands at a level, one-sided.
fn stands(found: &Found, level: f64, asked: &Asked, deciding: Deciding<'_>) -> Stands {
    if found.is_slower(level) {
        return worse(asked, deciding, found.is_slower(level * AT_ONCE));
    }
    // An improvement has to show at the level of an alarm that nothing confirms.
    let surely = match deciding {
        Deciding::Once => level,
        Deciding::Confirmed { .. } => level / 2.0,
    };
    if found.is_faster(surely) {
        return Stands::Better;
    }
    let explained = found.knows_drift()
        && found.p_slower > level
        && found.difference.point < found.min_effect_ms
        && !found.is_bound()
        && !blind(found);
    if found.excluded() || explained { Stands::NoWorse } else { Stands::Unclear }
}

/// A comparison that finds only slowdowns by more than this share says nothing when it finds none.
const BLIND: f64 = 0.5;

/// A comparison that would miss a slowdown by half, and by twice what matters, is none.
fn blind(found: &Found) -> bool {
    found.detectable_ms > (BLIND * found.baseline.abs()).max(2.0 * found.min_effect_ms)
}

/// What chance gives in at most so many cases is no proof, and too much to pass by.
pub(super) const LEANING: f64 = 0.25;

impl Answered {
    pub(super) fn decides(&self) -> bool {
        self.level > 0.0
    }

    /// Nothing suggests that it is slower, and it would hardly show if it were.
    pub(super) fn is_blind(&self) -> bool {
        let found = &self.found;
        found.knows_drift()
            && !found.is_bound()
            && !found.matters()
            && found.p_slower > self.level
            && blind(found)
    }

    /// Slower by what matters, and chance would be so large in at most a quarter of runs, all questions together.
    /// `alpha` is the level of all questions together.
    pub(super) fn leans(&self, alpha: f64) -> bool {
        let level = if self.decides() { self.level } else { alpha / 5.0 };
        self.found.matters() && self.found.p_slower <= level / alpha * LEANING
    }

    pub(super) fn answer(&self) -> Answer {
        let found = &self.found;
        Answer {
            asked: self.asked.clone(),
            decides: self.decides(),
            basis: found.basis,
            baseline: found.baseline,
            run: found.run,
            baseline_is_bound: found.baseline_is_bound,
            run_is_bound: found.run_is_bound,
            difference: found.difference,
            confidence: found.confidence(),
            min_effect_ms: found.min_effect_ms,
            detectable_ms: found.detectable_ms,
            p_slower: found.p_slower,
            p_faster: found.p_faster,
            direction: match self.standing {
                Stands::Worse => Direction::Slower,
                Stands::Better => Direction::Faster,
                Stands::NoWorse => Direction::Alike,
                Stands::Suspected | Stands::Unclear => Direction::Unclear,
            },
        }
    }
}

/// The chance of a false alarm that all questions share: where a second run can confirm it, that of a suspicion.
pub(super) const fn alpha(deciding: Deciding<'_>) -> f64 {
    match deciding {
        Deciding::Once => power::FALSE_ALARMS,
        Deciding::Confirmed { .. } => 0.1,
    }
}
