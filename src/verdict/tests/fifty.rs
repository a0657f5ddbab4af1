//! Fifty nights of the documented nightly job (`loadcall run --update-baseline auto`), simulated through the code that
//! judges recordings: the first seven nights set the level, whatever their verdict, every later one says how much nights
//! differ, and what looks worse is worse when the next night confirms it. The agent is that of `nightly.rs`, with
//! four questions a call.

use super::nightly::{KEPT, drifting, questions, share, slack};
use crate::scenario::Scenario;
use crate::turn::analyse;
use crate::verdict::testing::accepted;
use crate::verdict::{Baseline, Deciding, Judging, Mismatch, Outcome, judge};

const NIGHTS: usize = 50;

/// What became of the nights of one series.
type Series = [Outcome; NIGHTS];

/// A series of nights; `slower` is the factor of each.
fn series(drift: f64, seed: u64, scenario: &Scenario, slower: impl Fn(usize) -> f64) -> Series {
    let mut baseline: Option<Baseline> = None;
    let mut outcomes = [Outcome::Pass; NIGHTS];
    for (night, outcome) in outcomes.iter_mut().enumerate() {
        let seed = seed * 1_000 + night as u64 + 1;
        let run = drifting(&format!("n{night}"), (slower(night), drift), seed, scenario);
        let before = baseline.as_ref().map(Baseline::suspicions).unwrap_or_default();
        let verdict = judge(Judging {
            scenario,
            analysis: &analyse(&run, scenario),
            baseline: baseline.as_ref(),
            mismatch: Mismatch::Refuse,
            deciding: Deciding::Confirmed { before: &before },
            seed: 7,
        });
        *outcome = verdict.outcome;
        let this = accepted(&run, scenario).suspecting(&verdict.suspected);
        baseline = Some(match baseline {
            None => this,
            Some(before) => before.with(this, KEPT).expect("of one kind"),
        });
    }
    outcomes
}

/// How many nights came out like this, in these nights of all series.
fn counted(all: &[Series], outcome: Outcome, nights: std::ops::Range<usize>) -> f64 {
    let of_these = || all.iter().flat_map(|series| &series[nights.clone()]);
    let [n, of] = [of_these().filter(|o| **o == outcome).count(), of_these().count()];
    share(u32::try_from(n).expect("few"), u32::try_from(of).expect("few"))
}

/// Fifty nights of an agent that does not change, as often as asked for: shares of red and amber nights.
fn unchanged(drift: f64, times: u64) -> [f64; 2] {
    let scenario = questions(4);
    let all: Vec<Series> = (0..times).map(|n| series(drift, 10 + n, &scenario, |_| 1.0)).collect();
    let of = |outcome| counted(&all, outcome, 0..NIGHTS);
    let [red, amber] = [of(Outcome::Regression), of(Outcome::Suspected)];
    let late = counted(&all, Outcome::Regression, 25..NIGHTS);
    println!(
        "nights differ by {:.0} %: red {:.1} % ({:.1} % of the last 25), amber {:.1} %",
        drift * 100.0,
        red * 100.0,
        late * 100.0,
        amber * 100.0
    );
    [red, amber]
}

/// By night 20, how often it is red within two nights of the change, and on the median after how many.
fn found(drift: f64, times: u64, slower: impl Fn(usize) -> f64) -> (f64, usize) {
    let scenario = questions(4);
    let until_red =
        |n| {
            let outcomes = series(drift, 1_000 + n, &scenario, |night| {
                if night < 20 { 1.0 } else { slower(night - 19) }
            });
            outcomes[20..]
                .iter()
                .position(|o| *o == Outcome::Regression)
                .map_or(NIGHTS, |at| at + 1)
        };
    let mut nights: Vec<usize> = (0..times).map(until_red).collect();
    nights.sort_unstable();
    let within_two = nights.iter().filter(|nights| **nights <= 2).count();
    let within_two =
        share(u32::try_from(within_two).expect("few"), u32::try_from(times).expect("few"));
    (within_two, nights[nights.len() / 2])
}

#[test]
fn fifty_nights_of_an_unchanged_agent_keep_their_false_alarms() {
    for (drift, times) in [(0.0, 12), (0.03, 12), (0.05, 12)] {
        let [red, amber] = unchanged(drift, times);
        // Nights of a series share their level, so they are no independent trials: a quarter as many count.
        let nights = u32::try_from(times).expect("few") * 50 / 4;
        assert!(red <= 0.05, "{drift}: red in {red}");
        assert!(amber <= 0.10 + slack(0.10, nights), "{drift}: amber in {amber}");
    }
}

#[test]
fn a_step_is_confirmed_by_the_second_night_and_a_creep_is_not_absorbed() {
    let (within_two, median) = found(0.03, 15, |_| 1.2);
    println!(
        "+20 %, nights differ by 3 %: red within two nights in {within_two:.2}, median {median}"
    );
    assert!(within_two >= 0.6 && median <= 2, "{within_two}, {median}");
    let (_, median) =
        found(0.03, 9, |night| 1.01_f64.powf(f64::from(u32::try_from(night).expect("few"))));
    println!("+1 % a night, nights differ by 3 %: red after {median} nights in the median");
    assert!(median <= 25, "{median}");
}

/// The table of docs/ci.md: `cargo test --lib fifty -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes"]
fn the_table_of_fifty_nights() {
    for drift in [0.0, 0.03, 0.05, 0.1] {
        unchanged(drift, 100);
        let (step, step_nights) = found(drift, 100, |_| 1.2);
        let creep = |night| 1.01_f64.powf(f64::from(u32::try_from(night).expect("few")));
        let (_, creep_nights) = found(drift, 40, creep);
        println!(
            "  +20 %: red within two nights in {:.0} %, median {step_nights}; +1 % a night: median {creep_nights}",
            step * 100.0
        );
    }
}
