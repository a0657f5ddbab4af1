//! The first nights of the documented nightly job (`deploy/ci`), simulated through the code that judges
//! recordings: each night is judged, is red by the default of `--fail-on`, and is then accepted, whatever its
//! verdict, until the baseline has as many runs as it keeps.
//!
//! The agent is that of the example: 550 ms of stages that hardly vary, and a model whose first sentence takes
//! 500 ms at the median and 1,100 ms at p95; ten calls. Nights differ by 3 %. With one question a call, as in the
//! example, a night rests on ten values; with four it rests on forty.

use super::super::compare::Standing;
use super::trials::Bench;
use super::worlds::{Call, recorded};
use crate::random::SplitMix64;
use crate::scenario::Scenario;
use crate::turn::analyse;
use crate::turn::testing as make;
use crate::verdict::figures::Figures;
use crate::verdict::testing::accepted;
use crate::verdict::{Deciding, FailOn, Ground, Judging, Mismatch, RUNS_FOR_DRIFT, judge};

const CALLS: u32 = 10;
const STAGES_MS: f64 = 550.0;
const STAGES_SD_MS: f64 = 25.0;
const MODEL_MS: f64 = 500.0;
/// ln(1,100 / 500) lies 1.645 standard deviations above the median.
const MODEL_SD: f64 = 0.479;
const NIGHTS_SD: f64 = 0.03;
pub(super) const KEPT: usize = 7;
const NIGHTS: usize = 10;

fn call(factor: f64, random: &mut SplitMix64, turns: usize) -> Call {
    let turn = |_| {
        let model = MODEL_MS * (random.normal() * MODEL_SD).exp();
        let ms = (STAGES_MS + random.normal() * STAGES_SD_MS + model) * factor;
        #[expect(clippy::cast_possible_truncation, reason = "some seconds")]
        Some(ms.round() as i64)
    };
    (0..turns).map(turn).collect()
}

/// A night of an agent that is slower by a factor, where nights differ by `drift`.
pub(super) fn drifting((slower, drift): (f64, f64), seed: u64, scenario: &Scenario) -> Vec<Call> {
    let mut random = SplitMix64::for_purpose(seed, 1);
    let factor = slower * (random.normal() * drift).exp();
    (0..CALLS).map(|_| call(factor, &mut random, scenario.steps().len())).collect()
}

fn night(slower: f64, seed: u64, scenario: &Scenario) -> Vec<Call> {
    drifting((slower, NIGHTS_SD), seed, scenario)
}

/// The accepted nights, as many as a baseline keeps.
fn level(nights: &[Figures]) -> Vec<&Figures> {
    nights.iter().take(KEPT).collect()
}

pub(super) fn questions(n: usize) -> Scenario {
    let steps = ["hours", "price", "place", "bye"].into_iter().take(n).map(make::ask);
    make::scenario_with("", steps.collect())
}

pub(super) fn share(n: u32, of: u32) -> f64 {
    f64::from(n) / f64::from(of)
}

/// 2.6 standard errors of a share: what chance does to it in 99 of 100 cases.
pub(super) fn slack(nominal: f64, trials: u32) -> f64 {
    2.6 * (nominal * (1.0 - nominal) / f64::from(trials)).sqrt()
}

/// How ten nights of an unchanged agent come out, with so many questions a call.
fn first_nights(n: usize) {
    const SERIES: u32 = 600;
    let bench = Bench::new(questions(n));
    let mut red = [0_u32; NIGHTS];
    let (mut clean, mut clean_while_learning) = (0, 0);
    for series in 0..SERIES {
        let seed = u64::from(series) * 100 + 1;
        let nights: Vec<Figures> = (seed..seed + NIGHTS as u64)
            .map(|seed| bench.figures(&night(1.0, seed, &bench.scenario)))
            .collect();
        let mut reds = [false; NIGHTS];
        for (n, is) in reds.iter_mut().enumerate().skip(1) {
            let standing = bench.judge(&level(&nights[..n]), &nights[n]).standing();
            *is = standing == Standing::Worse;
            // While it learns it is never left without a verdict for want of runs.
            assert!(n >= RUNS_FOR_DRIFT || standing != Standing::Unclear, "{standing:?}");
        }
        for (red, is) in red.iter_mut().zip(reds) {
            *red += u32::from(is);
        }
        clean += u32::from(!reds.contains(&true));
        clean_while_learning += u32::from(!reds[..RUNS_FOR_DRIFT].contains(&true));
    }
    let of = |nights: &[u32]| {
        let nights_of_all = SERIES * u32::try_from(nights.len()).expect("ten at most");
        share(nights.iter().sum(), nights_of_all)
    };
    let [all, learning_red, later_red] = [&red[..], &red[..5], &red[5..]].map(of);
    let [clean, learning] = [clean, clean_while_learning].map(|n| share(n, SERIES));
    println!(
        "unchanged agent, {n} questions: red in {:.1} % of nights 1 to 5, in {:.1} % of nights 6 to 10; no red night \
         in ten in {:.1} % of series",
        learning_red * 100.0,
        later_red * 100.0,
        clean * 100.0,
    );
    // Each night by itself keeps the 5 %, and all together do.
    for (n, red) in red.iter().enumerate() {
        let (red, limit) = (share(*red, SERIES), 0.05 + slack(0.05, SERIES));
        assert!(red <= limit, "night {}: red in {red}", n + 1);
    }
    assert!(all <= 0.05, "red in {all} of nights");
    // The proof that few runs allow is strict.
    assert!(learning >= 0.95, "the first five nights are green in {learning} of series");
    assert!(clean >= 0.75, "all ten nights are green in {clean} of series");
}

#[test]
fn an_unchanged_agent_is_green_in_its_first_nights() {
    first_nights(1);
    first_nights(4);
}

/// How often an agent is red on the night on which it becomes slower, and how often it is called no slower.
fn found(n: usize, runs: usize, slower: f64) -> [f64; 2] {
    const SERIES: u32 = 400;
    let bench = Bench::new(questions(n));
    let (mut found, mut passed) = (0, 0);
    for series in 0..SERIES {
        let seed = 1_000_000 + u64::from(series) * 100;
        let figures = |slower, n: u64| bench.figures(&night(slower, seed + n, &bench.scenario));
        let nights: Vec<Figures> = (1..=runs as u64).map(|n| figures(1.0, n)).collect();
        let standing = bench.judge(&level(&nights), &figures(slower, 50)).standing();
        found += u32::from(standing == Standing::Worse);
        passed += u32::from(standing == Standing::NoWorse);
    }
    let of = [found, passed].map(|n| share(n, SERIES));
    let [found, passed] = of.map(|share| share * 100.0);
    let by = (slower - 1.0) * 100.0;
    println!("+{by:.0} %, {n} questions, {runs} runs: red in {found:.1} %, PASS in {passed:.1} %");
    of
}

#[test]
fn a_slower_agent_is_red_on_the_night_it_comes() {
    for (questions, runs, slower, least) in [
        (4, RUNS_FOR_DRIFT, 1.3, 0.9),
        (4, KEPT, 1.3, 0.95),
        // Ten values are few: two times in three.
        (1, RUNS_FOR_DRIFT, 1.3, 0.6),
        (1, KEPT, 1.3, 0.7),
        (1, KEPT, 1.5, 0.95),
    ] {
        let [red, passed] = found(questions, runs, slower);
        assert!(red >= least, "+{slower}, {questions} questions, {runs} runs: red in {red}");
        assert!(passed <= 0.06, "+{slower}, {questions} questions, {runs} runs: PASS in {passed}");
    }
}

/// Through recordings: an outcome, its grounds and its sentences.
#[test]
fn learning_hides_no_regression_that_a_single_run_proves() {
    let scenario = questions(1);
    let (mut red, trials) = (0, 40_u32);
    for series in 0..trials {
        let seed = 2_000_000 + u64::from(series) * 100;
        let first = accepted(&recorded("n0", &night(1.0, seed, &scenario), &scenario), &scenario);
        let slow = recorded("slow", &night(2.5, seed + 1, &scenario), &scenario);
        let verdict = judge(Judging {
            scenario: &scenario,
            analysis: &analyse(&slow, &scenario),
            baseline: Some(&first),
            mismatch: Mismatch::Refuse,
            deciding: Deciding::Once,
            seed: 7,
        });
        let is_red = FailOn::default().failing(&verdict.grounds).is_some();
        assert_eq!(is_red, verdict.grounds.contains(&Ground::Regression), "{verdict:?}");
        // Nothing that is not red is called no worse.
        let learning = verdict.reasons[0].starts_with("learning, 1 of 5 runs");
        assert!(verdict.learning.is_some() && (is_red || learning), "{verdict:?}");
        red += u32::from(is_red);
    }
    assert!(red >= 39, "two and a half times as slow: red in {red} of {trials}");
}
