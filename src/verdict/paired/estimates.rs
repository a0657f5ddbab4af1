//! The figures that the questions look at, each with its error.
//!
//! - **Typical turn**: within each step the typical difference of the two turns of a pair (Hodges and Lehmann's
//!   estimate), then the mean over the steps. What steps, calls and the hour have in common falls out.
//! - **Slow turns**: the mean of the slowest tenth of B's turns, less that of A's.
//! - **Every step**: its typical difference.
//!
//! All are differences B minus A on the scale of latencies ([`up`](crate::stats::up)), where 0.18 is +20 %, of waits
//! that [`table`](super::table) restricts to what the caller gives an agent. Errors are those of the jackknife by
//! pair of calls. The two calls of a pair are alike in everything but the agent, so without a difference what a pair
//! adds to a figure is as often above as below zero, and Student's distribution holds for small numbers and long
//! tails, too.

use super::asked::{MIN_PAIRS, Question, Shares};
use super::table::{Cell, Reading, Table};
use crate::stats::{Estimate, jackknife, location};

/// A step with turns of fewer pairs has no part in the mean over steps.
const STEP_PAIRS: usize = 5;
/// The slowest tenth of fewer turns is one or two of them.
const SLOW_TURNS: usize = 30;
/// The share of turns that are slow.
const SLOW: f64 = 0.1;

/// One figure of both sides.
pub(super) struct Figure {
    pub(super) question: Question,
    /// A's, on the scale.
    pub(super) base: f64,
    pub(super) estimate: Estimate,
}

pub(super) struct Figures {
    pub(super) all: Vec<Figure>,
}

impl Figures {
    /// Of the turns as one of their bounds has them, with the typical turn first.
    pub(super) fn of(table: &Table, reading: Reading) -> Option<Self> {
        let steps = &table.steps(STEP_PAIRS);
        let slow = table.cells.len() >= SLOW_TURNS;
        let sorted = Sorted::new(table, steps, reading);
        let own: Vec<u32> = table.steps(MIN_PAIRS);
        let single: Vec<usize> = if steps.len() > 1 {
            (0..steps.len()).filter(|i| steps.get(*i).is_some_and(|s| own.contains(s))).collect()
        } else {
            Vec::new()
        };
        let figures = |out: &dyn Fn(usize) -> bool| {
            let each: Vec<Option<f64>> =
                sorted.by_step.iter().map(|step| shift(step, out)).collect();
            let mut figures = vec![mean(&each)];
            figures.push(if slow { sorted.slow(out) } else { None });
            figures.extend(single.iter().map(|i| each.get(*i).copied().flatten()));
            figures
        };
        let mut estimates = jackknife(table.pairs, figures)?.into_iter();
        let bases: Vec<f64> =
            steps.iter().map(|step| Sorted::base(table, *step, reading)).collect();
        let mut all = vec![Figure {
            question: Question::TypicalTurn,
            base: mean(&bases.iter().copied().map(Some).collect::<Vec<_>>())?,
            estimate: estimates.next()??,
        }];
        if let Some(estimate) = estimates.next()?.map(Estimate::rough) {
            let base = slow_mean(&sorted.of_a, &|_| false)?;
            all.push(Figure { question: Question::SlowTurns, base, estimate });
        }
        for (place, estimate) in single.iter().zip(estimates) {
            let (step, base) = (*steps.get(*place)?, *bases.get(*place)?);
            let estimate = estimate.map(Estimate::rough);
            all.extend(estimate.map(|estimate| Figure {
                question: Question::Step(step),
                base,
                estimate,
            }));
        }
        Some(Self { all })
    }

    /// Steps that are asked for by themselves; at least 1.
    #[expect(clippy::cast_precision_loss, reason = "steps of a script")]
    pub(super) fn steps(&self) -> f64 {
        let single = self.all.iter().filter(|f| matches!(f.question, Question::Step(_))).count();
        single.max(1) as f64
    }

    /// Each with its share of the level.
    pub(super) fn asked(&self, shares: &Shares) -> Vec<(&Estimate, f64)> {
        let steps = self.steps();
        let single = self.all.iter().any(|f| matches!(f.question, Question::Step(_)));
        let has_slow = self.all.iter().any(|f| f.question == Question::SlowTurns);
        // What cannot be asked leaves its share to the typical turn.
        let spare =
            if has_slow { 0.0 } else { shares.slow } + if single { 0.0 } else { shares.steps };
        let part_of = |question| match question {
            Question::TypicalTurn => shares.typical + spare,
            Question::SlowTurns => shares.slow,
            Question::Step(_) => shares.steps / steps,
        };
        self.all.iter().map(|figure| (&figure.estimate, part_of(figure.question))).collect()
    }
}

/// Differences by step and waits of both sides, each in order, with the pair they belong to.
struct Sorted {
    by_step: Vec<Vec<(f64, usize)>>,
    of_a: Vec<(f64, usize)>,
    of_b: Vec<(f64, usize)>,
}

impl Sorted {
    fn new(table: &Table, steps: &[u32], reading: Reading) -> Self {
        let in_order = |of: &dyn Fn(&Cell) -> Option<f64>| {
            let values = table.cells.iter().filter_map(|cell| Some((of(cell)?, cell.pair)));
            let mut values: Vec<(f64, usize)> = values.collect();
            values.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            values
        };
        let by_step = steps.iter().map(|step| {
            in_order(&|cell| {
                let (a, b) = cell.read(reading);
                (cell.step == *step).then_some(b - a)
            })
        });
        Self {
            by_step: by_step.collect(),
            of_a: in_order(&|cell| Some(cell.read(reading).0)),
            of_b: in_order(&|cell| Some(cell.read(reading).1)),
        }
    }

    fn slow(&self, out: &dyn Fn(usize) -> bool) -> Option<f64> {
        Some(slow_mean(&self.of_b, out)? - slow_mean(&self.of_a, out)?)
    }

    /// A's median of a step, on the scale.
    fn base(table: &Table, step: u32, reading: Reading) -> f64 {
        let of_step = table.cells.iter().filter(|cell| cell.step == step);
        let mut waits: Vec<f64> = of_step.map(|cell| cell.read(reading).0).collect();
        waits.sort_by(f64::total_cmp);
        waits.get(waits.len().saturating_sub(1) / 2).copied().unwrap_or_default()
    }
}

fn shift(sorted: &[(f64, usize)], out: &dyn Fn(usize) -> bool) -> Option<f64> {
    let kept: Vec<f64> = sorted.iter().filter(|(_, pair)| !out(*pair)).map(|(v, _)| *v).collect();
    location(&kept)
}

/// The mean of the slowest tenth, the last of it in part.
fn slow_mean(sorted: &[(f64, usize)], out: &dyn Fn(usize) -> bool) -> Option<f64> {
    let kept = || sorted.iter().rev().filter(|(_, pair)| !out(*pair));
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 turns")]
    let size = kept().count() as f64 * SLOW;
    let mut left = size;
    let mut sum = 0.0;
    for (value, _) in kept() {
        let part = left.min(1.0);
        sum += value * part;
        left -= part;
        if left <= 0.0 {
            break;
        }
    }
    (size > 0.0).then(|| sum / size)
}

fn mean(values: &[Option<f64>]) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "steps of a script")]
    let n = values.len() as f64;
    let sum = values.iter().try_fold(0.0, |sum, value| Some(sum + (*value)?))?;
    (n > 0.0).then(|| sum / n)
}
