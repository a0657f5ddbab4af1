//! How often a verdict is wrong, and how often it finds what is there: simulated nights ([`super::worlds`]) against
//! simulated baselines ([`super::trials`]).
//!
//! All is seeded, so the shares never change; what they are compared with is their nominal value with 2.6 standard errors
//! of a share of so many trials.

use super::super::compare::Standing;
use super::trials::{Bench, Tally};
use super::worlds::{CALLS, Call, Effect, World, four_questions, night, recorded};
use crate::measured::Measured;
use crate::turn::analyse;
use crate::verdict::figures::Figures;
use crate::verdict::testing::accepted;
use crate::verdict::{Deciding, Direction, Judging, Mismatch, Outcome, Verdict, judge};

/// Prints a row, for who reads the output.
fn row(tally: &Tally, name: &str) {
    let by = tally.by.map(|n| (tally.share(n) * 1_000.0).round() / 10.0);
    println!("{} {by:?}", tally.row(name));
}

#[test]
fn the_figures_of_a_simulated_night_are_those_of_its_recording() {
    let bench = Bench::new(four_questions());
    let effects = [Effect::SAME, Effect::Unanswered(0.1), Effect::SlowCallsDropped];
    for &world in World::ALL {
        for (seed, effect) in (3..).zip(effects) {
            let night = night((world, effect), (12, 0.05), seed);
            let run = recorded("r", &night, &bench.scenario);
            let measured = Measured::take(&analyse(&run, &bench.scenario), &bench.scenario, true);
            assert_eq!(bench.figures(&night), Figures::by(&bench.waits, &measured), "{world:?}");
        }
    }
}

/// The verdict on a night against others, all of them as recordings.
fn by_recordings(bench: &Bench, usual: &[&Vec<Call>], tonight: &[Call]) -> Verdict {
    let scenario = &bench.scenario;
    let mut nights = usual.iter().enumerate().map(|(n, night)| {
        let run = recorded(&format!("n{n}"), night, scenario);
        accepted(&run, scenario)
    });
    let first = nights.next().expect("a night");
    let baseline = nights.fold(first, |all, night| all.with(night, 30).expect("of one kind"));
    judge(Judging {
        scenario,
        analysis: &analyse(&recorded("tonight", tonight, scenario), scenario),
        baseline: Some(&baseline),
        mismatch: Mismatch::Refuse,
        deciding: Deciding::Once,
        seed: 7,
    })
}

#[test]
fn a_trial_by_figures_is_the_verdict_of_recordings() {
    let bench = Bench::new(four_questions());
    let mut seen = Vec::new();
    for (n, effect) in (0..).zip([Effect::SAME, Effect::All(1.3), Effect::Unanswered(0.1)]) {
        for runs in [1, 7] {
            let of = |effect, seed| night((World::Unlike, effect), (15, 0.03), seed);
            let usual: Vec<_> =
                (0..runs).map(|seed| of(Effect::SAME, 100 + 20 * n + seed)).collect();
            let tonight = of(effect, 500 + n + runs);
            let figures: Vec<Figures> = usual.iter().map(|night| bench.figures(night)).collect();
            let past: Vec<&Figures> = figures.iter().collect();
            let by_figures = bench.judge(&past, &bench.figures(&tonight));
            let verdict = by_recordings(&bench, &usual.iter().collect::<Vec<_>>(), &tonight);
            let outcome = match by_figures.standing() {
                Standing::Worse => Outcome::Regression,
                Standing::NoWorse | Standing::Learning(_) => Outcome::Pass,
                Standing::Better => Outcome::Improvement,
                Standing::Unclear => Outcome::Inconclusive,
                other @ (Standing::Suspected | Standing::NotComparable) => panic!("{other:?}"),
            };
            assert_eq!(verdict.outcome, outcome, "{:?}", verdict.reasons);
            assert_eq!(verdict.comparison.expect("compared").answers, by_figures.answers());
            seen.push(outcome);
        }
    }
    assert!(seen.contains(&Outcome::Regression) && seen.contains(&Outcome::Pass), "{seen:?}");
}

#[test]
fn where_the_typical_turn_is_blind_the_first_sentence_says_what_answers() {
    let bench = Bench::new(four_questions());
    let of = |seed| night((World::Cache, Effect::SAME), (CALLS, 0.0), seed);
    let usual: Vec<_> = (0..7).map(of).collect();
    let figures: Vec<Figures> = usual.iter().map(|night| bench.figures(night)).collect();
    let past: Vec<&Figures> = figures.iter().collect();
    let answered = |night: &Vec<Call>| {
        let decision = bench.judge(&past, &bench.figures(night));
        let is_blind = decision.answers()[0].direction == Direction::Unclear;
        is_blind && decision.standing() == Standing::NoWorse
    };
    let tonight = (10..40).map(of).find(answered).expect("one in two");
    let verdict = by_recordings(&bench, &usual.iter().collect::<Vec<_>>(), &tonight);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.reasons);
    let first = &verdict.reasons[0];
    let begins = "no slower than the 7 accepted runs, beyond how they differ: slow turns ";
    let ends = "; nothing can be told of the typical turn, which varies too much from run to run";
    assert!(first.starts_with(begins) && first.contains(ends), "{first}");
}

#[test]
fn an_agent_that_did_not_change_is_seldom_called_worse() {
    let bench = Bench::new(four_questions());
    for &world in World::ALL {
        for drift in [0.0, 0.05] {
            let pool = bench.pool((world, Effect::SAME), (CALLS, drift), 1_000);
            let tally = bench.trials((&pool, &pool), 7, (Effect::SAME, 1_000));
            let name = format!("{}, nights differ by {:.0} %", world.name(), drift * 100.0);
            row(&tally, &name);
            tally.at_most(tally.worse, 0.05, &name);
            tally.at_most(tally.better, 0.05, &name);
            if world == World::Lognormal {
                tally.at_least(tally.covered, 0.95, &name);
                tally.at_least(tally.pass, 0.6, &name);
            }
        }
    }
}

/// Trials of a changed agent with 7 accepted runs, nights that do not differ.
fn changed(bench: &Bench, world: World, effect: Effect) -> Tally {
    const TRIALS: usize = 400;
    let usual = bench.pool((world, Effect::SAME), (CALLS, 0.0), TRIALS as u64);
    let judged = bench.pool((world, effect), (CALLS, 0.0), TRIALS as u64);
    let tally = bench.trials((&usual, &judged), 7, (effect, TRIALS));
    row(&tally, &format!("{}, {}", world.name(), effect.name()));
    tally
}

#[test]
fn what_users_gate_on_is_found() {
    let bench = Bench::new(four_questions());
    for (world, effect, found) in [
        (World::Lognormal, Effect::All(1.2), 0.7),
        (World::Tools, Effect::All(1.2), 0.9),
        (World::Lognormal, Effect::Tail(3.0), 0.9),
        (World::Unlike, Effect::LastTurn(1.5), 0.9),
        (World::Tools, Effect::LastTurn(1.5), 0.9),
    ] {
        let tally = changed(&bench, world, effect);
        let name = format!("{}, {}", world.name(), effect.name());
        tally.at_least(tally.worse, found, &name);
        tally.at_most(tally.pass, 0.05, &name);
    }
}

#[test]
fn where_half_of_the_answers_come_from_a_cache_nothing_slower_passes() {
    let bench = Bench::new(four_questions());
    for effect in [Effect::All(1.2), Effect::LastTurn(1.5), Effect::Tail(3.0)] {
        let tally = changed(&bench, World::Cache, effect);
        tally.at_most(tally.pass, 0.05, &effect.name());
    }
    // The typical turn is blind there, and the slow turns answer.
    let pool = bench.pool((World::Cache, Effect::SAME), (CALLS, 0.0), 300);
    let tally = bench.trials((&pool, &pool), 7, (Effect::SAME, 300));
    row(&tally, "cache 50:50, the same agent");
    tally.at_least(tally.pass, 0.5, "the same agent");
}

#[test]
fn failing_turns_make_no_agent_better() {
    let bench = Bench::new(four_questions());
    let usual = bench.pool((World::Lognormal, Effect::SAME), (CALLS, 0.05), 300);
    for effect in [Effect::FasterAndFailing, Effect::SlowCallsDropped, Effect::Unanswered(0.1)] {
        let judged = bench.pool((World::Lognormal, effect), (CALLS, 0.05), 300);
        for runs in [1, 7] {
            let tally = bench.trials((&usual, &judged), runs, (effect, 300));
            let name = format!("{runs} runs, {}", effect.name());
            row(&tally, &name);
            tally.at_most(tally.better, 0.02, &name);
        }
    }
}

#[test]
fn few_accepted_runs_raise_no_more_alarms() {
    let bench = Bench::new(four_questions());
    for (calls, runs) in [(CALLS, 1), (CALLS, 4), (200, 1)] {
        let pool = bench.pool((World::Lognormal, Effect::SAME), (calls, 0.05), 300);
        let tally = bench.trials((&pool, &pool), runs, (Effect::SAME, 300));
        let name = format!("{runs} runs of {calls} calls, nights differ by 5 %");
        row(&tally, &name);
        tally.at_most(tally.worse, 0.05, &name);
    }
}
