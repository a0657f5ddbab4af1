//! How often a paired verdict is wrong, and how often it finds what is there: thousands of simulated A/B runs,
//! written down as recordings and judged as real ones are.
//!
//! Unless said otherwise a call asks four questions, waits are log-normal, a turn varies by 35 % within its call and
//! a call by 15 %; both calls of a pair share a random walk of 3 % a pair. Everything is seeded, so the shares never
//! change; what they are compared with is their nominal value with 2.6 standard errors of a share of so many
//! trials.

use super::super::{Pairing, Recorded, Standing, look_at, looks};
use crate::random::SplitMix64;
use crate::record::{Arm, CallRecord, MetadataDigest, Outcome as CallOutcome, Run, Side};
use crate::scenario::Scenario;
use crate::turn::testing as make;
use crate::turn::{Analysis, analyse};
use crate::verdict::testing::CALLS_MAY_FAIL;

const TURN_SD: f64 = 0.35;
const CALL_SD: f64 = 0.15;
const WALK_SD: f64 = 0.03;
const TURNS: u32 = 4;

/// How waits are distributed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum World {
    LogNormal,
    /// Of exponent 1.3: no variance, waits of minutes.
    Pareto,
    /// Every other turn is answered from a cache, in a quarter of the time.
    Cache,
    /// Two of the four turns run a tool: 700 and 2,200 ms.
    Tools,
    /// Four unlike turns, 600 to 2,500 ms.
    Steps,
    /// Calls that follow each other are alike, whichever agent they are to.
    Autocorrelated,
}

/// What B does differently.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    Same,
    Times(f64),
    /// The slowest tenth of turns takes so many times as long.
    Tail(f64),
    /// The last of the steps takes so many times as long.
    Step(f64),
    /// So many calls end in a turn drawn at random.
    Leaves(f64),
    /// So many turns go unanswered, in calls that go on.
    Unanswered(f64),
    /// Times a factor, with so many turns unanswered, which ends the call.
    FasterButFailing(f64, f64),
    /// Times a factor, while both sides leave so many turns unanswered, which ends the call.
    BothUnanswered(f64, f64),
}

fn four_questions() -> Scenario {
    let steps = ["hours", "price", "place", "bye"].map(make::ask).to_vec();
    make::scenario_with(CALLS_MAY_FAIL, steps)
}

/// What becomes of a turn.
enum Turn {
    Heard(f64),
    Silent,
    /// The call ends here.
    Gone,
}

struct Caller<'a> {
    world: World,
    change: Change,
    is_b: bool,
    random: &'a mut SplitMix64,
    /// What calls that follow each other have in common.
    state: &'a mut f64,
}

impl Caller<'_> {
    fn call(&mut self, id: u32, hour: f64) -> CallRecord {
        let mut log = [make::connected(100), make::joined(200)].concat();
        *self.state = 0.8 * *self.state + 0.6 * self.random.normal();
        let own = match self.world {
            World::Autocorrelated => *self.state,
            World::LogNormal | World::Pareto | World::Cache | World::Tools | World::Steps => {
                self.random.normal()
            }
        };
        let of_call = own * CALL_SD + hour;
        let mut outcome = CallOutcome::Answered;
        let leaves_at = self.random.below(TURNS);
        let leaves = self.random.unit();
        for step in 0..TURNS {
            let begin = 1_000 + i64::from(step) * 30_000;
            let asked = begin + 2_000;
            log.extend([make::began(step, begin - 500), make::said(step, begin, asked)].concat());
            match self.turn(step, of_call, (leaves, leaves_at)) {
                Turn::Heard(ms) if ms < 8_000.0 => {
                    #[expect(clippy::cast_possible_truncation, reason = "some seconds")]
                    let heard = asked + ms.round() as i64;
                    log.extend(make::voice(heard, heard + 1_500));
                }
                Turn::Heard(_) | Turn::Silent => {
                    log.extend(make::missed(step, asked + 8_000));
                    outcome = CallOutcome::NoAnswer;
                }
                Turn::Gone => {
                    log.extend(make::missed(step, asked + 8_000));
                    return make::call(id, log, asked + 8_100, CallOutcome::NoAnswer);
                }
            }
        }
        make::call(id, log, 150_000, outcome)
    }

    fn turn(&mut self, step: u32, of_call: f64, (leaves, leaves_at): (f64, u32)) -> Turn {
        let median = match (self.world, step) {
            (World::Tools, 0 | 2) => 700.0,
            (World::Tools, _) => 2_200.0,
            (World::Steps, 0) | (World::Pareto, _) => 600.0,
            (World::Steps, 2) => 1_400.0,
            (World::Steps, 3) => 2_500.0,
            _ => 1_000.0,
        };
        let chance = self.random.unit();
        let (hit, normal, tail) = (self.random.unit(), self.random.normal(), self.random.unit());
        let varied = match self.world {
            World::Pareto => -(1.0 - tail).ln() / 1.3,
            World::Cache if hit < 0.5 => normal * TURN_SD - 4.0_f64.ln(),
            World::LogNormal
            | World::Cache
            | World::Tools
            | World::Steps
            | World::Autocorrelated => normal * TURN_SD,
        };
        let ms = median * (of_call + varied).exp();
        let slow = ms > median * 1.63;
        match (self.change, self.is_b) {
            (Change::BothUnanswered(_, share), _) if chance < share => Turn::Gone,
            (Change::FasterButFailing(_, share), true) if chance < share => Turn::Gone,
            (Change::Unanswered(share), true) if chance < share => Turn::Silent,
            (Change::Leaves(share), true) if leaves < share && step == leaves_at => Turn::Gone,
            (
                Change::Times(factor)
                | Change::FasterButFailing(factor, _)
                | Change::BothUnanswered(factor, _),
                true,
            ) => Turn::Heard(ms * factor),
            (Change::Tail(factor), true) if slow => Turn::Heard(ms * factor),
            (Change::Step(factor), true) if step + 1 == TURNS => Turn::Heard(ms * factor),
            _ => Turn::Heard(ms),
        }
    }
}

/// Both sides of an A/B run.
fn ab(world: World, change: Change, pairs: u32, planned: &[u32], seed: u64) -> [Run; 2] {
    let scenario = four_questions();
    let mut random = SplitMix64::for_purpose(seed, 1);
    let mut hour = 0.0;
    let mut state = 0.0;
    let mut calls = [Vec::new(), Vec::new()];
    for id in 0..pairs {
        hour += random.normal() * WALK_SD;
        for (is_b, calls) in [false, true].into_iter().zip(&mut calls) {
            let mut caller = Caller { world, change, is_b, random: &mut random, state: &mut state };
            calls.push(caller.call(id, hour));
        }
    }
    let mut sides = [Side::A, Side::B].into_iter();
    calls.map(|calls| {
        let side = sides.next().expect("two");
        let mut run = make::run(side.name(), calls, &scenario);
        run.head.arm = Some(Arm {
            ab: "ab".to_owned(),
            side,
            agent_name: "demo-agent".to_owned(),
            agent_metadata: MetadataDigest::default(),
            looks: planned.to_vec(),
        });
        run
    })
}

/// How trials came out.
#[derive(Debug, Default)]
struct Tally {
    trials: u32,
    worse: u32,
    no_worse: u32,
    unclear: u32,
    better: u32,
    /// The 95 % interval of the typical turn, where it is one, holds the truth.
    covered: u32,
    pairs: u64,
    /// By which question it was worse.
    by: [u32; 4],
}

impl Tally {
    fn share(&self, of: u32) -> f64 {
        f64::from(of) / f64::from(self.trials)
    }

    /// 2.6 standard errors of a share: what chance does to it in 99 of 100 cases.
    fn slack(&self, nominal: f64) -> f64 {
        2.6 * (nominal * (1.0 - nominal) / f64::from(self.trials)).sqrt()
    }

    fn row(&self, name: &str) {
        let percent = |of: u32| self.share(of) * 100.0;
        println!(
            "{name:<44} {:>5} {:>6.1} {:>6.1} {:>6.1} {:>6.1} {:>6.1}  {:?}",
            self.trials,
            percent(self.worse),
            percent(self.no_worse),
            percent(self.unclear),
            percent(self.better),
            percent(self.covered),
            self.by,
        );
    }

    fn rarely_alarms(&self, name: &str) {
        let (alarms, limit) = (self.share(self.worse), 0.05 + self.slack(0.05));
        assert!(alarms <= limit, "{name}: false alarms in {alarms}: {self:?}");
        let (better, limit) = (self.share(self.better), 0.025 + self.slack(0.025));
        assert!(better <= limit, "{name}: better in {better}: {self:?}");
    }
}

/// The true typical difference on the scale, where there is one.
fn truth(change: Change) -> f64 {
    match change {
        Change::Times(factor) => factor.ln(),
        Change::Step(factor) => factor.ln() / f64::from(TURNS),
        Change::Same
        | Change::Tail(_)
        | Change::Leaves(_)
        | Change::Unanswered(_)
        | Change::FasterButFailing(..)
        | Change::BothUnanswered(..) => 0.0,
    }
}

fn judged(world: World, change: Change, pairs: u32, planned: &[u32], trials: u64) -> Tally {
    let scenario = four_questions();
    let mut tally = Tally::default();
    let looks = if planned.is_empty() { looks::once(pairs, 7) } else { looks::all(planned, 7) };
    for trial in 0..trials {
        let seed = trial * 7_919 + u64::from(pairs);
        let [a, b] = ab(world, change, pairs, planned, seed);
        let (x, y): (Analysis, Analysis) = (analyse(&a, &scenario), analyse(&b, &scenario));
        let side = |analysis| Recorded { scenario: &scenario, analysis };
        let (look, _) = look_at(Pairing { a: side(&x), b: side(&y), seed: 7 }, &looks);
        tally.trials += 1;
        tally.pairs += u64::from(look.pairs);
        match look.standing {
            Standing::Worse => tally.worse += 1,
            Standing::NoWorse => tally.no_worse += 1,
            Standing::Unclear => tally.unclear += 1,
            Standing::Better => tally.better += 1,
        }
        let Some(answers) = &look.answers else { continue };
        let typical = answers.typical;
        let off = (typical.point - truth(change)).abs();
        tally.covered += u32::from(off <= typical.usual);
        tally.by[0] += u32::from(look.failing);
        for finding in answers.findings.iter().filter(|finding| finding.worse) {
            let place = match finding.question {
                super::super::Question::TypicalTurn => 1,
                super::super::Question::SlowTurns => 2,
                super::super::Question::Step(_) => 3,
            };
            tally.by[place] += 1;
        }
    }
    tally
}

const CHANGES: [(&str, Change); 11] = [
    ("same", Change::Same),
    ("+10 %", Change::Times(1.1)),
    ("+20 %", Change::Times(1.2)),
    ("−20 %", Change::Times(0.8)),
    ("tail × 2", Change::Tail(2.0)),
    ("one turn × 1.5", Change::Step(1.5)),
    ("leaves in 10 % of calls", Change::Leaves(0.1)),
    ("10 % unanswered", Change::Unanswered(0.1)),
    ("−20 % and 3 % unanswered", Change::FasterButFailing(0.8, 0.03)),
    ("2 % unanswered on both sides", Change::BothUnanswered(1.0, 0.02)),
    ("2 % on both sides, +20 %", Change::BothUnanswered(1.2, 0.02)),
];

const WORLDS: [World; 6] = [
    World::LogNormal,
    World::Pareto,
    World::Cache,
    World::Tools,
    World::Steps,
    World::Autocorrelated,
];

fn head() {
    println!(
        "{:<44} {:>5} {:>6} {:>6} {:>6} {:>6} {:>6}",
        "", "n", "worse", "no w.", "incl.", "better", "cover"
    );
}

/// The table of docs/ab-and-noise.md: `cargo test --lib --release paired -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes; prints the table of the docs"]
fn the_whole_table() {
    head();
    for world in WORLDS {
        for (name, change) in CHANGES {
            judged(world, change, 30, &[], 400).row(&format!("{world:?}, 30 × 4, {name}"));
        }
    }
    for pairs in [10, 100] {
        for (name, change) in CHANGES {
            judged(World::LogNormal, change, pairs, &[], 400)
                .row(&format!("LogNormal, {pairs} × 4, {name}"));
        }
    }
    for (name, change) in CHANGES {
        for most in [60, 100] {
            let tally = judged(World::LogNormal, change, most, &looks::planned(most), 400);
            tally.row(&format!("LogNormal, until decided, {most} × 4, {name}"));
            #[expect(clippy::cast_precision_loss, reason = "thousands")]
            let mean = tally.pairs as f64 / f64::from(tally.trials);
            println!("    {mean:.1} pairs");
        }
    }
}

fn plain(world: World, pairs: u32, changes: &[(&str, Change)], trials: u64) -> Vec<Tally> {
    let each = changes.iter().map(|(name, change)| {
        let tally = judged(world, *change, pairs, &[], trials);
        tally.row(&format!("{world:?}, {pairs} × 4, {name}"));
        tally
    });
    each.collect()
}

#[test]
fn an_unchanged_agent_is_rarely_worse_and_mostly_no_worse() {
    head();
    for world in WORLDS {
        let [same] = plain(world, 30, &CHANGES[..1], 150).try_into().expect("one");
        same.rarely_alarms(&format!("{world:?}"));
        let covered = same.share(same.covered);
        assert!(covered >= 0.93 - same.slack(0.95), "{world:?} covers {covered}");
        if world == World::LogNormal {
            assert!(same.share(same.no_worse) >= 0.5, "{same:?}");
        }
    }
    for pairs in [10, 100] {
        let [same] = plain(World::LogNormal, pairs, &CHANGES[..1], 100).try_into().expect("one");
        same.rarely_alarms(&format!("{pairs} pairs"));
    }
}

#[test]
fn slowdowns_tails_and_single_turns_are_found() {
    head();
    let at_least = |tally: &Tally, share: f64, what: &str| {
        let (found, slack) = (tally.share(tally.worse), tally.slack(share));
        assert!(found >= share - slack, "{what}: found in {found}: {tally:?}");
        let passed = tally.share(tally.no_worse + tally.better);
        assert!(passed <= 0.06 + tally.slack(0.06), "{what}: passed in {passed}: {tally:?}");
    };
    for (change, share) in [(2, 0.8), (4, 0.65), (5, 0.85), (7, 0.9)] {
        let [tally] =
            plain(World::LogNormal, 30, &CHANGES[change..=change], 100).try_into().expect("one");
        at_least(&tally, share, CHANGES[change].0);
    }
    for world in [World::Tools, World::Steps] {
        let [tally] = plain(world, 30, &CHANGES[2..=2], 60).try_into().expect("one");
        at_least(&tally, 0.8, "+20 %");
    }
}

#[test]
fn faster_is_no_improvement_while_more_fails_and_some_failures_on_both_sides_blind_nobody() {
    head();
    let failing = &CHANGES[8..];
    let [faster, both, slower] =
        plain(World::LogNormal, 30, failing, 120).try_into().expect("three");
    // With 3 % of turns, none of 120 is unanswered in 2.6 % of runs, and nothing can be seen of it.
    assert!(faster.share(faster.better) <= 0.026 + faster.slack(0.026), "{faster:?}");
    both.rarely_alarms("2 % on both sides");
    let found = slower.share(slower.worse);
    assert!(found >= 0.6 - slower.slack(0.6), "{slower:?}");
    let [quicker] = plain(World::LogNormal, 30, &CHANGES[3..=3], 60).try_into().expect("one");
    assert!(quicker.share(quicker.better) >= 0.9 - quicker.slack(0.9), "{quicker:?}");
}

#[test]
fn looking_until_it_is_decided_keeps_the_error_and_ends_early() {
    head();
    let until = |change: Change, trials| {
        let tally = judged(World::LogNormal, change, 60, &looks::planned(60), trials);
        tally.row(&format!("LogNormal, until decided, at most 60 × 4, {change:?}"));
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let mean = tally.pairs as f64 / f64::from(tally.trials);
        println!("    {mean:.1} pairs");
        (tally, mean)
    };
    let (same, _) = until(Change::Same, 80);
    same.rarely_alarms("until decided");
    let (slower, pairs) = until(Change::Times(1.4), 40);
    assert!(slower.share(slower.worse) >= 0.95, "{slower:?}");
    assert!(pairs < 45.0, "{pairs} pairs of 60");
}
