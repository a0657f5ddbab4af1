//! How often a verdict is wrong, and how often it finds what is there: thousands of simulated runs,
//! written down as recordings and judged as real ones are.
//!
//! The model: latencies are lognormal, a turn varies by 35 % within its call, a call by 15 % within its
//! run, a night by `drift`; 30 calls of four questions, against seven accepted runs. Everything is
//! seeded, so the shares never change; what they are compared with is their nominal value with 2.6
//! standard errors of a share of so many trials.

use crate::random::SplitMix64;
use crate::record::{CallRecord, Outcome as CallOutcome, Run};
use crate::scenario::Scenario;
use crate::turn::analyse;
use crate::turn::testing as make;
use crate::verdict::testing::{CALLS_MAY_FAIL, accepted};
use crate::verdict::{
    Baseline, Comparison, Deciding, Direction, Judging, Mismatch, Outcome, Verdict, judge,
};

const CALLS: u32 = 30;
const TURNS: u32 = 4;
const MEDIAN_MS: f64 = 1_000.0;
const TURN_SD: f64 = 0.35;
const CALL_SD: f64 = 0.15;
const SLOWER: f64 = 1.2;

/// Turns that get no reply.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Silence {
    None,
    /// This share of them; the caller goes on.
    Turns(f64),
    /// This share of them, and the call ends there.
    Calls(f64),
}

#[derive(Debug, Clone, Copy)]
struct Night {
    /// Factor on every latency.
    slower: f64,
    silence: Silence,
}

const USUAL: Night = Night { slower: 1.0, silence: Silence::None };

fn four_questions() -> Scenario {
    let steps = ["hours", "price", "place", "bye"].map(make::ask).to_vec();
    make::scenario_with(CALLS_MAY_FAIL, steps)
}

fn call(id: u32, night: Night, run_factor: f64, random: &mut SplitMix64) -> CallRecord {
    let mut log = [make::connected(100), make::joined(200)].concat();
    let of_call = random.normal() * CALL_SD;
    let mut outcome = CallOutcome::Answered;
    for step in 0..TURNS {
        let begin = 1_000 + i64::from(step) * 30_000;
        let asked = begin + 2_000;
        let ms =
            MEDIAN_MS * run_factor * night.slower * (of_call + random.normal() * TURN_SD).exp();
        // Drawn in any case, so that an agent that falls silent is otherwise the same.
        let chance = random.unit();
        log.extend([make::began(step, begin - 500), make::said(step, begin, asked)].concat());
        match night.silence {
            Silence::Turns(share) | Silence::Calls(share) if chance < share => {
                log.extend(make::missed(step, asked + 8_000));
                outcome = CallOutcome::NoAnswer;
                if matches!(night.silence, Silence::Calls(_)) {
                    return make::call(id, log, asked + 8_100, outcome);
                }
            }
            Silence::None | Silence::Turns(_) | Silence::Calls(_) => {
                #[expect(clippy::cast_possible_truncation, reason = "some seconds")]
                let heard = asked + ms.round() as i64;
                log.extend(make::voice(heard, heard + 1_500));
            }
        }
    }
    make::call(id, log, 150_000, outcome)
}

fn run(id: &str, night: Night, drift: f64, seed: u64, scenario: &Scenario) -> Run {
    let mut random = SplitMix64::for_purpose(seed, 1);
    let factor = (random.normal() * drift).exp();
    let calls = (0..CALLS).map(|id| call(id, night, factor, &mut random)).collect();
    make::run(id, calls, scenario)
}

fn baseline(runs: u64, night: Night, drift: f64, seed: u64, scenario: &Scenario) -> Baseline {
    let one = |i: u64| accepted(&run(&format!("b{i}"), night, drift, seed + i, scenario), scenario);
    (1..runs).fold(one(0), |all, i| all.with(one(i), 30).expect("of one kind"))
}

fn judged(baseline: &Baseline, run: &Run, scenario: &Scenario) -> Verdict {
    let (analysis, mismatch) = (analyse(run, scenario), Mismatch::Refuse);
    judge(Judging {
        scenario,
        analysis: &analysis,
        baseline: Some(baseline),
        mismatch,
        deciding: Deciding::Once,
        seed: 7,
    })
}

fn comparison(verdict: &Verdict) -> &Comparison {
    verdict.comparison.as_ref().expect("compared")
}

/// How trials came out.
#[derive(Debug, Default)]
struct Tally {
    trials: u32,
    regression: u32,
    improvement: u32,
    pass: u32,
    inconclusive: u32,
    /// The 95 % interval of the primary metric holds the truth.
    covered: u32,
}

impl Tally {
    fn add(&mut self, verdict: &Verdict, truth: f64) {
        self.trials += 1;
        match verdict.outcome {
            Outcome::Regression => self.regression += 1,
            Outcome::Improvement => self.improvement += 1,
            // While a baseline learns, what is neither shown nor ruled out passes.
            Outcome::Pass if comparison(verdict).changes[0].direction == Direction::Unclear => {
                self.inconclusive += 1;
            }
            Outcome::Pass => self.pass += 1,
            Outcome::Suspected | Outcome::Inconclusive => self.inconclusive += 1,
            Outcome::Fail
            | Outcome::NotComparable
            | Outcome::Invalid
            | Outcome::NothingMeasured
            | Outcome::Stopped => panic!("{:?}: {:?}", verdict.outcome, verdict.reasons),
        }
        let change = &comparison(verdict).changes[0];
        let true_ms = change.baseline * (truth - 1.0);
        let interval = change.difference;
        self.covered += u32::from((interval.low..=interval.high).contains(&true_ms));
    }

    fn share(&self, of: u32) -> f64 {
        f64::from(of) / f64::from(self.trials)
    }

    /// 2.6 standard errors of a share: what chance does to it in 99 of 100 cases.
    fn slack(&self, nominal: f64) -> f64 {
        2.6 * (nominal * (1.0 - nominal) / f64::from(self.trials)).sqrt()
    }

    fn row(&self, name: &str) {
        println!(
            "{name:<46} {:>6} {:>10.1} % {:>6.1} % {:>10.1} % {:>8.1} % {:>7.1} %",
            self.trials,
            self.share(self.regression) * 100.0,
            self.share(self.pass) * 100.0,
            self.share(self.inconclusive) * 100.0,
            self.share(self.improvement) * 100.0,
            self.share(self.covered) * 100.0,
        );
    }

    fn rarely_alarms(&self, name: &str) {
        let (alarms, limit) = (self.share(self.regression), 0.05 + self.slack(0.05));
        assert!(alarms <= limit, "{name}: false alarms in {alarms}: {self:?}");
    }

    fn covers(&self, name: &str) {
        let (covered, slack) = (self.share(self.covered), self.slack(0.95));
        let range = 0.93 - slack..=0.97 + slack;
        assert!(range.contains(&covered), "{name}: covers {covered}: {self:?}");
    }
}

fn head() {
    println!(
        "{:<46} {:>6} {:>12} {:>8} {:>12} {:>10} {:>9}",
        "", "trials", "regression", "pass", "inconcl.", "improvem.", "covered"
    );
}

/// How often the same agent and one that is slower by [`SLOWER`] come to which verdict against `runs`
/// accepted runs; `seed` of each trial.
fn nights(runs: u64, drift: f64, seed: fn(u64) -> u64, scenario: &Scenario) -> [Tally; 2] {
    const TRIALS: u64 = 500;
    let (mut same, mut slower) = (Tally::default(), Tally::default());
    for seed in (0..TRIALS).map(seed) {
        let base = baseline(runs, USUAL, drift, seed, scenario);
        let night = |night| judged(&base, &run("r", night, drift, seed + 50, scenario), scenario);
        same.add(&night(USUAL), 1.0);
        slower.add(&night(Night { slower: SLOWER, ..USUAL }), SLOWER);
    }
    let of = |what: &str| format!("{runs} accepted, {:.0} % drift, {what}", drift * 100.0);
    same.row(&of("the same agent"));
    slower.row(&of("+20 %"));
    [same, slower]
}

#[test]
fn against_seven_accepted_runs() {
    let scenario = four_questions();
    head();
    for drift in [0.0, 0.05] {
        let [same, slower] = nights(7, drift, |trial| trial * 100 + 1, &scenario);
        same.rarely_alarms("the same agent");
        same.covers("the same agent");
        slower.covers("+20 %");
        let (found, slack) = (slower.share(slower.regression), slower.slack(0.9));
        if drift == 0.0 {
            assert!(found >= 0.9 - slack, "+20 % found in {found}");
        }
        // Most nights of an unchanged agent have a verdict.
        assert!(same.share(same.pass) > 0.6, "{same:?}");
    }
}

#[test]
fn against_one_accepted_run() {
    let scenario = four_questions();
    head();
    for drift in [0.0, 0.05] {
        let [same, slower] = nights(1, drift, |trial| 1_000_000 + trial * 100, &scenario);
        let missed = slower.share(slower.pass);
        assert!(missed <= 0.05, "+20 % was taken for no change in {missed}");
        same.rarely_alarms("the same agent");
        // It does not account for drift, and says so.
        if drift == 0.0 {
            same.covers("the same agent");
        }
    }
}

#[test]
fn an_agent_that_stops_answering_never_looks_faster() {
    const TRIALS: u64 = 200;
    let scenario = four_questions();
    head();
    for (name, silence) in [
        ("one turn in ten unanswered", Silence::Turns(0.1)),
        ("one turn in ten ends the call", Silence::Calls(0.1)),
    ] {
        for drift in [0.0, 0.05] {
            let mut tally = Tally::default();
            for trial in 0..TRIALS {
                let seed = 2_000_000 + trial * 100;
                let base = baseline(7, USUAL, drift, seed, &scenario);
                let night =
                    |night| judged(&base, &run("r", night, drift, seed + 50, &scenario), &scenario);
                let (all, some) = (night(USUAL), night(Night { silence, ..USUAL }));
                tally.add(&some, 1.0);
                if silence == Silence::Turns(0.1) {
                    // The same run, but for the replies that are missing.
                    for (with, without) in
                        comparison(&all).changes.iter().zip(&comparison(&some).changes)
                    {
                        assert_eq!(
                            (with.metric, with.statistic),
                            (without.metric, without.statistic)
                        );
                        assert!(without.run >= with.run, "{with:?} became {without:?}");
                    }
                }
            }
            tally.row(&format!("{name}, {:.0} % drift", drift * 100.0));
            assert_eq!(tally.improvement, 0, "{tally:?}");
            assert_eq!(tally.pass, 0, "a third of the calls fail: {tally:?}");
        }
    }
}

#[test]
fn calls_that_fail_now_and_then_are_no_alarm() {
    const TRIALS: u64 = 400;
    let scenario = four_questions();
    head();
    let mut tally = Tally::default();
    for trial in 0..TRIALS {
        let seed = 3_000_000 + trial * 100;
        // Between none and one in five calls fail, and nights differ in it.
        let failing = |i: u64| {
            let share = SplitMix64::for_purpose(seed + i, 2).unit() * 0.05;
            Night { silence: Silence::Calls(share), ..USUAL }
        };
        let one = |i: u64| {
            let night = run(&format!("b{i}"), failing(i), 0.05, seed + i, &scenario);
            accepted(&night, &scenario)
        };
        let base = (1..7).fold(one(0), |all, i| all.with(one(i), 30).expect("of one kind"));
        tally.add(
            &judged(&base, &run("r", failing(50), 0.05, seed + 50, &scenario), &scenario),
            1.0,
        );
    }
    tally.row("7 runs, 5 % drift, 0 to 20 % of calls fail");
    tally.rarely_alarms("failing now and then");
}
