//! How much an unchanged agent differs from itself, and what can be found against that.
//!
//! The primary metric is looked at on the logarithmic scale, on which a standard deviation of 0.05 is
//! 5 %. A turn without a reply enters with what was waited for, so the noise is then at least what is
//! shown; values that are not above zero have no logarithm and are left out, and counted.

use std::collections::BTreeSet;

use super::thresholds::sample;
use crate::measured::{Fingerprint, Measured};
use crate::scenario::{BaselineRule, Metric};
use crate::stats::power::{Design, within_pairs};
use crate::stats::{Components, Logged, Quantile, components};

mod asked;

pub use asked::{Asking, LEVEL_RUNS, What};

/// Numbers of calls that are shown, besides those of the runs themselves.
const CALLS: [u32; 5] = [10, 20, 50, 100, 200];
/// Numbers of accepted runs that are shown.
pub const BASELINES: [u32; 3] = [5, 7, 14];
/// With fewer calls than this in a run nothing is said of how calls and runs vary.
const MIN_CALLS: usize = 5;
/// What Hodges and Lehmann's estimate needs more of than the mean does, for normal values.
const EFFICIENCY: f64 = 0.955;

/// Why the noise cannot be measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NoNoise {
    #[error("run {0} is not valid: `loadcall report` says why")]
    Invalid(String),
    #[error("the runs are of different scenarios or agents: {first} and {other}")]
    Mixed { first: String, other: String },
    #[error("run {0} is named twice")]
    Twice(String),
    #[error("{side} is one side of an A/B run; name runs of `loadcall run` or `noise`")]
    Arm { side: &'static str },
    #[error(
        "{metric} has too few values: at least 2 runs of {MIN_CALLS} calls each are needed, better 5 runs"
    )]
    TooFew { metric: &'static str },
}

/// The noise of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Noise {
    pub metric: Metric,
    /// In percent.
    pub quantile: f64,
    /// In the order they were given.
    pub runs: Vec<RunFigure>,
    pub turns_per_call: u32,
    /// Values that are lower bounds.
    pub censored: usize,
    /// Values that are not above zero.
    pub left_out: usize,
    /// Of the logarithm.
    pub components: Components,
    /// Standard deviation of a run's quantile at that number of calls, as a fraction.
    pub run_sd: f64,
    /// A change counts from this fraction on.
    pub min_effect: f64,
    pub table: Vec<Detectable>,
    /// What the questions of a comparison look at.
    pub asked: Vec<Asking>,
}

/// What one run measured.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFigure {
    pub run_id: String,
    pub calls: usize,
    pub figure: Quantile,
}

/// The smallest slowdown that is found nine times in ten, as a fraction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detectable {
    /// In a run, or to each side of an A/B run.
    pub calls: u32,
    /// Against each number of accepted runs in [`BASELINES`].
    pub against_runs: [f64; BASELINES.len()],
    /// Within pairs.
    pub paired: f64,
}

impl Noise {
    /// The noise of runs of one scenario with one agent, by the scenario's rule.
    pub fn measure(rule: BaselineRule, runs: &[Measured]) -> Result<Self, NoNoise> {
        check_alike(runs)?;
        let metric = rule.primary;
        let too_few = NoNoise::TooFew { metric: metric.name() };
        let mut logged = Vec::new();
        let (mut figures, mut all, mut censored) = (Vec::new(), 0, 0);
        for (run, of) in (0..).zip(runs) {
            let values = of.measures.values(metric);
            let Some(sample) = sample(values) else { continue };
            all += values.len();
            censored += values.iter().filter(|v| v.censored).count();
            logged.extend(values.iter().filter(|v| v.value > 0.0).map(|v| Logged {
                value: v.value.ln(),
                run,
                call: v.call.0,
                step: v.step,
            }));
            let figure = sample.quantile(rule.quantile);
            let run_id = of.run_id.clone();
            figures.push(RunFigure { run_id, calls: sample.clusters(), figure });
        }
        if figures.iter().any(|figure| figure.calls < MIN_CALLS) {
            return Err(too_few);
        }
        let components = components(&logged).ok_or_else(|| too_few.clone())?;
        let calls: usize = figures.iter().map(|f| f.calls).sum();
        let design = Design {
            between_run_sd: components.run.point,
            between_call_sd: components.call.point,
            within_call_sd: components.turn.map_or(0.0, |turn| turn.point),
            calls: whole(calls / figures.len().max(1)),
            turns_per_call: whole((logged.len() + calls / 2) / calls.max(1)).max(1),
            runs: 2,
        };
        let min_effect = min_effect(rule, &figures).ok_or(too_few)?;
        let mut sizes = CALLS.to_vec();
        sizes.push(design.calls);
        sizes.sort_unstable();
        sizes.dedup();
        let row = |calls| detectable(&Design { calls, ..design }, rule.quantile, min_effect);
        Ok(Self {
            metric,
            quantile: rule.quantile,
            turns_per_call: design.turns_per_call,
            censored,
            left_out: all - logged.len(),
            components,
            run_sd: design.run_sd(rule.quantile),
            min_effect,
            table: sizes.into_iter().map(row).collect(),
            asked: asked::asked(runs, min_effect),
            runs: figures,
        })
    }
}

/// That all runs are valid, different, and of one scenario and agent.
fn check_alike(runs: &[Measured]) -> Result<(), NoNoise> {
    let mut seen = BTreeSet::new();
    for run in runs {
        if !seen.insert(&run.run_id) {
            return Err(NoNoise::Twice(run.run_id.clone()));
        }
        if let Some(side) = run.side {
            return Err(NoNoise::Arm { side: side.name() });
        }
        if !run.valid {
            return Err(NoNoise::Invalid(run.run_id.clone()));
        }
    }
    let print = |run: &Measured| {
        let Fingerprint { scenario, agent, agent_metadata, .. } = &run.fingerprint;
        let agent = if agent.is_empty() { "automatic dispatch" } else { agent };
        let what = format!("`{scenario}` with {agent}");
        if agent_metadata.is_empty() { what } else { format!("{what} ({agent_metadata})") }
    };
    let Some(first) = runs.first().map(print) else { return Ok(()) };
    match runs.iter().map(print).find(|other| *other != first) {
        Some(other) => Err(NoNoise::Mixed { first, other }),
        None => Ok(()),
    }
}

/// The scenario's minimum effect as a fraction of what the runs measured.
fn min_effect(rule: BaselineRule, figures: &[RunFigure]) -> Option<f64> {
    let mut values: Vec<f64> = figures.iter().map(|f| f.figure.value).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.get(values.len() / 2).filter(|ms| **ms > 0.0)?;
    Some(rule.min_effect_ms(*middle) / middle)
}

fn detectable(design: &Design, percent: f64, min_effect: f64) -> Detectable {
    let against = |runs| Design { runs, ..*design }.smallest_effect(percent, min_effect);
    // What a run and a pair have in common falls out of the differences within pairs.
    let turns = f64::from(design.turns_per_call);
    let of_call = design.between_call_sd.powi(2) + design.within_call_sd.powi(2) / turns;
    let error = (2.0 * of_call / f64::from(design.calls.max(1)) / EFFICIENCY).sqrt();
    let paired = within_pairs(error, min_effect.ln_1p()).exp_m1();
    Detectable { calls: design.calls, against_runs: BASELINES.map(against), paired }
}

fn whole(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::analyse;
    use crate::turn::testing::two_questions;
    use crate::verdict::testing::Agent;

    fn noise_of(agents: &[Agent], calls: u32) -> Result<Noise, NoNoise> {
        let scenario = two_questions();
        let runs: Vec<_> = (0..)
            .zip(agents)
            .map(|(i, agent)| agent.run(&format!("run-{i}"), calls, i + 1, &scenario))
            .collect();
        let measured: Vec<Measured> =
            runs.iter().map(|r| Measured::take(&analyse(r, &scenario), &scenario, true)).collect();
        Noise::measure(scenario.baseline(), &measured)
    }

    /// Agents whose nights differ: as much above as below.
    fn nights(by: f64) -> Vec<Agent> {
        let night = |i: i32| Agent { ttft: 250.0 + f64::from(i) * by, ..Agent::default() };
        [-2, -1, 0, 1, 2, 0].map(night).to_vec()
    }

    #[test]
    fn what_a_comparison_asks_is_described() {
        let noise = noise_of(&nights(60.0), 20).expect("noise");
        let what: Vec<&What> = noise.asked.iter().map(|asking| &asking.what).collect();
        let step = |id: &str| What::Step(id.to_owned());
        let (hours, price) = (step("hours"), step("price"));
        assert_eq!(what, [&What::TypicalTurn, &What::SlowTurns, &hours, &price]);
        for asking in &noise.asked {
            assert_eq!(asking.runs_ms.len(), 6);
            assert!(asking.detectable > asking.run_sd, "{asking:?}");
        }
        // ±120 ms of 1,280 ms: 6 %; nights that do not differ leave what calls do.
        let typical = &noise.asked[0];
        assert!((0.05..0.08).contains(&typical.run_sd), "{typical:?}");
        let calm = noise_of(&nights(0.0), 20).expect("noise").asked[0].clone();
        assert!(calm.run_sd < 0.005 && calm.detectable < 0.12, "{calm:?}");
    }

    #[test]
    fn nights_that_differ_are_told_from_calls_that_do() {
        let calm = noise_of(&nights(0.0), 20).expect("noise");
        let wild = noise_of(&nights(60.0), 20).expect("noise");
        // ±20 ms evenly, twice, of 1,280 ms: 11.5 ms each.
        assert!((calm.components.call.point - 0.009).abs() < 0.002, "{calm:?}");
        assert!(calm.components.run.point < 0.004, "{calm:?}");
        // A standard deviation of 85 ms between nights.
        assert!((wild.components.run.point - 0.066).abs() < 0.01, "{wild:?}");
        assert!((wild.components.call.point - 0.009).abs() < 0.002, "{wild:?}");
        assert_eq!((wild.runs.len(), wild.turns_per_call, wild.censored), (6, 2, 0));
        let at = |noise: &Noise, calls| {
            *noise.table.iter().find(|row| row.calls == calls).expect("a row")
        };
        // No number of calls helps against nights that differ; pairs do not mind them.
        assert!(at(&wild, 200).against_runs[1] > 0.2, "{wild:?}");
        assert!(at(&wild, 20).paired < 0.1, "{wild:?}");
        assert!(at(&calm, 20).against_runs[1] < 0.1, "{calm:?}");
    }

    #[test]
    fn silence_is_noise() {
        let flaky = Agent { silent_every: 10, ..Agent::default() };
        let noise = noise_of(&[flaky; 5], 20).expect("noise");
        assert!(noise.censored > 0, "{noise:?}");
        let turn = noise.components.turn.expect("two turns");
        assert!(turn.point > 0.3, "{noise:?}");
    }

    #[test]
    fn what_does_not_do_is_named() {
        let say = |result: Result<Noise, NoNoise>| result.expect_err("no noise").to_string();
        let one = say(noise_of(&[Agent::default()], 20));
        assert!(one.starts_with("heard_e2e_latency has too few values: at least 2 runs"), "{one}");
        assert!(say(Noise::measure(two_questions().baseline(), &[])).contains("too few"));
        let small = say(noise_of(&[Agent::default(); 5], 4));
        assert!(small.contains("at least 2 runs of 5 calls each"), "{small}");
        noise_of(&[Agent::default(); 2], 5).expect("noise");
    }
}
