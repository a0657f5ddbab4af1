//! The first nights of the documented nightly job (`deploy/ci`), simulated through the code that judges
//! recordings: each night is judged, is red by the default of `--fail-on`, and is then accepted, whatever its
//! verdict, until the baseline has as many runs as it keeps.
//!
//! The agent is that of the example: 550 ms of stages that hardly vary, and a model whose first sentence takes
//! 500 ms at the median and 1,100 ms at p95; ten calls. Nights differ by 3 %. With one question a call, as in the
//! example, a night rests on ten values; with four it rests on forty.

use crate::random::SplitMix64;
use crate::record::{CallRecord, Outcome as CallOutcome, Run};
use crate::scenario::Scenario;
use crate::turn::analyse;
use crate::turn::testing as make;
use crate::verdict::testing::accepted;
use crate::verdict::{
    Baseline, Deciding, FailOn, Ground, Judging, Mismatch, Outcome, RUNS_FOR_DRIFT, Verdict, judge,
};

const CALLS: u32 = 10;
const STAGES_MS: f64 = 550.0;
const STAGES_SD_MS: f64 = 25.0;
const MODEL_MS: f64 = 500.0;
/// ln(1,100 / 500) lies 1.645 standard deviations above the median.
const MODEL_SD: f64 = 0.479;
const NIGHTS_SD: f64 = 0.03;
pub(super) const KEPT: usize = 7;
const NIGHTS: usize = 10;

fn call(id: u32, factor: f64, random: &mut SplitMix64, turns: u32) -> CallRecord {
    let mut log = [make::connected(100), make::joined(200)].concat();
    for step in 0..turns {
        let begin = 1_000 + i64::from(step) * 30_000;
        let model = MODEL_MS * (random.normal() * MODEL_SD).exp();
        let ms = (STAGES_MS + random.normal() * STAGES_SD_MS + model) * factor;
        #[expect(clippy::cast_possible_truncation, reason = "some seconds")]
        let heard = begin + 2_000 + ms.round() as i64;
        log.extend(
            [make::began(step, begin - 500), make::said(step, begin, begin + 2_000)].concat(),
        );
        log.extend(make::voice(heard, heard + 1_500));
    }
    make::call(id, log, 150_000, CallOutcome::Answered)
}

/// A night of an agent that is slower by this factor.
fn night(id: &str, slower: f64, seed: u64, scenario: &Scenario) -> Run {
    drifting(id, (slower, NIGHTS_SD), seed, scenario)
}

/// The same where nights differ by `drift`.
pub(super) fn drifting(
    id: &str,
    (slower, drift): (f64, f64),
    seed: u64,
    scenario: &Scenario,
) -> Run {
    let mut random = SplitMix64::for_purpose(seed, 1);
    let factor = slower * (random.normal() * drift).exp();
    let turns = u32::try_from(scenario.steps().len()).expect("some steps");
    let calls = (0..CALLS).map(|id| call(id, factor, &mut random, turns)).collect();
    make::run(id, calls, scenario)
}

fn judged(baseline: Option<&Baseline>, run: &Run, scenario: &Scenario) -> Verdict {
    let (analysis, mismatch) = (analyse(run, scenario), Mismatch::Refuse);
    judge(Judging {
        scenario,
        analysis: &analysis,
        baseline,
        mismatch,
        deciding: Deciding::Once,
        seed: 7,
    })
}

fn is_red(verdict: &Verdict) -> bool {
    FailOn::default().failing(&verdict.grounds).is_some()
}

/// `loadcall accept --while-learning`.
fn learn(baseline: Option<Baseline>, run: &Run, scenario: &Scenario) -> Baseline {
    let this = accepted(run, scenario);
    match baseline {
        None => this,
        Some(full) if full.run_ids().len() >= KEPT => full,
        Some(before) => before.with(this, KEPT).expect("of one kind"),
    }
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
    const SERIES: u32 = 300;
    let scenario = questions(n);
    let mut red = [0_u32; NIGHTS];
    let (mut clean, mut clean_while_learning) = (0, 0);
    for series in 0..SERIES {
        let mut baseline = None;
        let mut reds = [false; NIGHTS];
        for (n, is) in reds.iter_mut().enumerate() {
            let seed = u64::from(series) * 100 + n as u64 + 1;
            let run = night(&format!("n{n}"), 1.0, seed, &scenario);
            let verdict = judged(baseline.as_ref(), &run, &scenario);
            *is = is_red(&verdict);
            // Chance alone makes a night red by calling it a regression, never in another way.
            assert_eq!(*is, verdict.grounds == [Ground::Regression], "{verdict:?}");
            // While it learns it says so, and it is never left without a verdict for want of runs.
            let learnt = baseline.as_ref().is_some_and(|b| b.run_ids().len() >= RUNS_FOR_DRIFT);
            assert_eq!(verdict.learning.is_some(), baseline.is_some() && !learnt);
            assert!(learnt || verdict.outcome != Outcome::Inconclusive, "{verdict:?}");
            baseline = Some(learn(baseline, &run, &scenario));
        }
        for (red, is) in red.iter_mut().zip(reds) {
            *red += u32::from(is);
        }
        clean += u32::from(!reds.contains(&true));
        clean_while_learning += u32::from(!reds[..RUNS_FOR_DRIFT].contains(&true));
    }
    let nights: Vec<String> =
        red.iter().map(|red| format!("{:.1}", share(*red, SERIES) * 100.0)).collect();
    let all = share(red.iter().sum(), SERIES * 10);
    let [clean, learning] = [clean, clean_while_learning].map(|n| share(n, SERIES));
    println!(
        "unchanged agent, {n} questions: red in {} % night by night, {:.1} % of all; no red night in ten in \
         {:.1} % of series, none in the first five in {:.1} %",
        nights.join(" "),
        all * 100.0,
        clean * 100.0,
        learning * 100.0
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
    const SERIES: u32 = 200;
    let scenario = questions(n);
    let (mut found, mut passed) = (0, 0);
    for series in 0..SERIES {
        let seed = 1_000_000 + u64::from(series) * 100;
        let mut baseline = None;
        for n in 0..runs {
            let run = night(&format!("n{n}"), 1.0, seed + n as u64 + 1, &scenario);
            baseline = Some(learn(baseline, &run, &scenario));
        }
        let verdict =
            judged(baseline.as_ref(), &night("slow", slower, seed + 50, &scenario), &scenario);
        found += u32::from(is_red(&verdict));
        passed += u32::from(verdict.outcome == Outcome::Pass);
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

#[test]
fn learning_hides_no_regression_that_a_single_run_proves() {
    let scenario = questions(1);
    let (mut red, trials) = (0, 100_u32);
    for series in 0..trials {
        let seed = 2_000_000 + u64::from(series) * 100;
        let first = learn(None, &night("n0", 1.0, seed, &scenario), &scenario);
        let verdict = judged(Some(&first), &night("slow", 2.5, seed + 1, &scenario), &scenario);
        red += u32::from(is_red(&verdict));
        // Nothing that is not red is called no worse.
        assert!(
            is_red(&verdict) || verdict.reasons[0].starts_with("learning, 1 of 5 runs"),
            "{verdict:?}"
        );
    }
    assert!(red >= 98, "two and a half times as slow: red in {red} of {trials}");
}
