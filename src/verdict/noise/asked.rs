//! What the questions of a comparison look at: how much each figure differs from run to run, and what can be found.

use super::super::figures::{Figure, Figures};
use crate::measured::Measured;
use crate::stats::{deviation, power};

/// The chance of a false alarm of each question where all are asked ([`super::super::Question`]).
const TYPICAL: f64 = 0.02;
const SLOW: f64 = 0.015;
const STEPS: f64 = 0.015;
/// Accepted runs that a comparison is described with: the level of a baseline.
pub const LEVEL_RUNS: u32 = 7;

/// One figure in several runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Asking {
    pub what: What,
    /// Of each run, in milliseconds, in the order they were given.
    pub runs_ms: Vec<f64>,
    /// Standard deviation between runs, as a fraction: from the runs, and at least from their calls.
    pub run_sd: f64,
    /// The smallest slowdown that is found nine times in ten against [`LEVEL_RUNS`] accepted runs, as a fraction.
    pub detectable: f64,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    TypicalTurn,
    SlowTurns,
    /// The step of this id.
    Step(String),
}

/// Every figure that all runs have; `min_effect` is a fraction.
pub(super) fn asked(runs: &[Measured], min_effect: f64) -> Vec<Asking> {
    let all: Vec<Figures> = runs.iter().map(Figures::of).collect();
    let of = |what, level, figure: &dyn Fn(&Figures) -> Option<Figure>| {
        let figures: Option<Vec<Figure>> = all.iter().map(figure).collect();
        asking(what, &figures?, level, min_effect)
    };
    let typical = of(What::TypicalTurn, TYPICAL, &|f| f.typical);
    let slow = of(What::SlowTurns, SLOW, &|f| f.slow);
    let ids: Vec<String> = all.first().map_or(Vec::new(), |f| f.steps.keys().cloned().collect());
    let level = STEPS / f64::from(u32::try_from(ids.len().max(1)).unwrap_or(u32::MAX));
    // The only step is the typical turn.
    let several = ids.len() > 1;
    let steps = ids
        .into_iter()
        .filter(|_| several)
        .filter_map(|id| of(What::Step(id.clone()), level, &|f| f.steps.get(&id).copied()));
    typical.into_iter().chain(slow).chain(steps).collect()
}

fn asking(what: What, figures: &[Figure], level: f64, min_effect: f64) -> Option<Asking> {
    if figures.len() < 2 {
        return None;
    }
    let values: Vec<f64> = figures.iter().map(|f| f.value).collect();
    let n = f64::from(u32::try_from(figures.len()).unwrap_or(u32::MAX));
    let sampling = (figures.iter().map(|f| f.variance).sum::<f64>() / n).sqrt();
    let run_sd = deviation(&values).max(sampling);
    let error = run_sd * (1.0 + 1.0 / f64::from(LEVEL_RUNS)).sqrt();
    let least = min_effect.ln_1p();
    let detectable = power::against_runs(error, LEVEL_RUNS, level, least).exp_m1();
    Some(Asking { what, runs_ms: figures.iter().map(Figure::ms).collect(), run_sd, detectable })
}
