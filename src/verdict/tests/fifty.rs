//! Fifty nights of the documented nightly job (`loadcall run --update-baseline auto`), simulated through the code that
//! judges recordings: the first seven nights set the level, whatever their verdict, every later one says how much nights
//! differ, and what looks worse is worse when the next night confirms it. The agent is that of `nightly.rs`, with
//! four questions a call.

use std::fmt::Write as _;

use super::super::compare::Standing;
use super::nightly::{KEPT, drifting, questions, share, slack};
use super::trials::Bench;
use super::worlds::{Call, recorded};
use crate::turn::analyse;
use crate::verdict::figures::Figures;
use crate::verdict::testing::accepted;
use crate::verdict::{Baseline, Deciding, Judging, Mismatch, Outcome, Suspicion, judge};

const NIGHTS: usize = 50;

/// What became of the nights of one series.
type Series = [Standing; NIGHTS];

/// Nights one after another; `slower` is the factor of each.
fn nights(bench: &Bench, drift: f64, seed: u64, slower: impl Fn(usize) -> f64) -> Vec<Vec<Call>> {
    let of = |night| {
        let seed = seed * 1_000 + night as u64 + 1;
        drifting((slower(night), drift), seed, &bench.scenario)
    };
    (0..NIGHTS).map(of).collect()
}

/// How they stand. There is nothing to compare the first with.
fn series(bench: &Bench, nights: &[Vec<Call>]) -> Series {
    let figures: Vec<Figures> = nights.iter().map(|night| bench.figures(night)).collect();
    let mut standings = [Standing::NoWorse; NIGHTS];
    let mut before: Vec<Suspicion> = Vec::new();
    for (night, standing) in standings.iter_mut().enumerate().skip(1) {
        let earlier: Vec<&Figures> = figures[..night].iter().collect();
        let sides = earlier.split_at(KEPT.min(night));
        let deciding = Deciding::Confirmed { before: &before };
        let decision = bench.decide(sides, &figures[night], deciding);
        *standing = decision.standing();
        before = decision.suspected(deciding);
    }
    standings
}

/// The same through recordings and the file of the baseline.
fn by_recordings(bench: &Bench, nights: &[Vec<Call>]) -> Vec<Outcome> {
    let scenario = &bench.scenario;
    let mut baseline: Option<Baseline> = None;
    let mut outcomes = Vec::new();
    for (n, night) in nights.iter().enumerate() {
        let run = recorded(&format!("n{n}"), night, scenario);
        let before = baseline.as_ref().map(Baseline::suspicions).unwrap_or_default();
        let verdict = judge(Judging {
            scenario,
            analysis: &analyse(&run, scenario),
            baseline: baseline.as_ref(),
            mismatch: Mismatch::Refuse,
            deciding: Deciding::Confirmed { before: &before },
            seed: 7,
        });
        outcomes.push(verdict.outcome);
        let this = accepted(&run, scenario).suspecting(&verdict.suspected);
        baseline = Some(match baseline {
            None => this,
            Some(before) => before.with(this, KEPT).expect("of one kind"),
        });
    }
    outcomes
}

/// A slower agent from the tenth night on, so that there is something to suspect and to confirm.
#[test]
fn nights_by_their_figures_stand_as_by_their_recordings() {
    let bench = Bench::new(questions(4));
    let nights = nights(&bench, 0.03, 3, |night| if night < 10 { 1.0 } else { 1.15 });
    let outcomes = by_recordings(&bench, &nights[..16]);
    let standings = &series(&bench, &nights)[..16];
    let named = standings.iter().map(|standing| match standing {
        Standing::NoWorse | Standing::Learning(_) => Outcome::Pass,
        Standing::Better => Outcome::Improvement,
        Standing::Worse => Outcome::Regression,
        Standing::Suspected => Outcome::Suspected,
        Standing::Unclear => Outcome::Inconclusive,
        Standing::NotComparable => Outcome::NotComparable,
    });
    assert_eq!(outcomes, named.collect::<Vec<_>>());
    assert!(outcomes.contains(&Outcome::Regression), "{outcomes:?}");
}

/// How many nights came out like this, in these nights of all series.
fn counted(all: &[Series], standing: Standing, nights: std::ops::Range<usize>) -> f64 {
    let of_these = || all.iter().flat_map(|series| &series[nights.clone()]);
    let [n, of] = [of_these().filter(|s| **s == standing).count(), of_these().count()];
    share(u32::try_from(n).expect("few"), u32::try_from(of).expect("few"))
}

/// Fifty nights of an agent that does not change, as often as asked for: shares of red nights, of all and of the last 25,
/// and of amber ones.
fn unchanged(drift: f64, times: u64) -> [f64; 3] {
    let bench = Bench::new(questions(4));
    let of = |n| series(&bench, &nights(&bench, drift, 10 + n, |_| 1.0));
    let all: Vec<Series> = (0..times).map(of).collect();
    let of = |standing| counted(&all, standing, 0..NIGHTS);
    let [red, amber] = [of(Standing::Worse), of(Standing::Suspected)];
    let late = counted(&all, Standing::Worse, 25..NIGHTS);
    println!(
        "nights differ by {:.0} %: red {:.1} % ({:.1} % of the last 25), amber {:.1} %",
        drift * 100.0,
        red * 100.0,
        late * 100.0,
        amber * 100.0
    );
    [red, late, amber]
}

/// By night 20, how often it is red within two nights of the change, and on the median after how many.
fn found(drift: f64, times: u64, slower: impl Fn(usize) -> f64) -> (f64, usize) {
    let bench = Bench::new(questions(4));
    let until_red = |n| {
        let of = |night| if night < 20 { 1.0 } else { slower(night - 19) };
        let standings = series(&bench, &nights(&bench, drift, 1_000 + n, of));
        let red = standings[20..].iter().position(|standing| *standing == Standing::Worse);
        red.map_or(NIGHTS, |at| at + 1)
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
    for (drift, times) in [(0.0, 40), (0.03, 40), (0.05, 40)] {
        let [red, _, amber] = unchanged(drift, times);
        // Nights of a series share their level, so they are no independent trials: a quarter as many count.
        let nights = u32::try_from(times).expect("few") * 50 / 4;
        assert!(red <= 0.05, "{drift}: red in {red}");
        assert!(amber <= 0.10 + slack(0.10, nights), "{drift}: amber in {amber}");
    }
}

#[test]
fn a_step_is_confirmed_by_the_second_night_and_a_creep_is_not_absorbed() {
    let (within_two, median) = found(0.03, 60, |_| 1.2);
    println!(
        "+20 %, nights differ by 3 %: red within two nights in {within_two:.2}, median {median}"
    );
    assert!(within_two >= 0.6 && median <= 2, "{within_two}, {median}");
    let (_, median) =
        found(0.03, 30, |night| 1.01_f64.powf(f64::from(u32::try_from(night).expect("few"))));
    println!("+1 % a night, nights differ by 3 %: red after {median} nights in the median");
    assert!(median <= 25, "{median}");
}

/// A section of the page that `make judging` makes.
pub(super) fn table() -> String {
    let mut text = "\
## Fifty nights

The nightly job with `--update-baseline auto`: ten calls of four questions a night; the first seven nights set the level, later ones say how \
much nights differ, and two nights decide. 300 series a row, 100 of a creep; what becomes slower does so in night 20. In %.

| nights differ by | the same agent: red | red, of the last 25 | suspected | +20 %: red within two nights | median | +1 % a night: median |
|---|---|---|---|---|---|---|
"
    .to_owned();
    for drift in [0.0, 0.03, 0.05, 0.1] {
        let [red, late, amber] = unchanged(drift, 300).map(|share| share * 100.0);
        let (step, step_nights) = found(drift, 300, |_| 1.2);
        let creep = |night| 1.01_f64.powf(f64::from(u32::try_from(night).expect("few")));
        let (_, creep_nights) = found(drift, 100, creep);
        let _ = writeln!(
            text,
            "| {:.0} % | {red:.1} | {late:.1} | {amber:.1} | {:.0} | night {step_nights} | night {creep_nights} |",
            drift * 100.0,
            step * 100.0
        );
    }
    text
}
