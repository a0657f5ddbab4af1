//! How often a paired verdict is wrong, and how often it finds what is there: thousands of simulated A/B runs in the
//! worlds of [`super::worlds`], judged as real ones are.
//!
//! Everything is seeded, so the shares never change; what they are compared with is their nominal value with 2.6
//! standard errors of a share of so many trials.

use super::super::{
    Excluded, Outcome, PairedCalls, Pairing, Question, Recorded, Seen, Standing, Table, judge,
    look_at, looks, until_decided, weigh,
};
use super::worlds::{Change, TURNS, World, calls, four_questions, recordings, table};
use crate::stats::Rate;
use crate::turn::{Analysis, analyse};

/// How trials came out.
#[derive(Debug, Default)]
struct Tally {
    trials: u32,
    worse: u32,
    /// All that passes, and the part of it that is only not found to be worse.
    no_worse: u32,
    not_found: u32,
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

    fn add(&mut self, seen: &Seen, change: Change) {
        self.trials += 1;
        self.pairs += u64::from(seen.pairs);
        match seen.standing {
            Standing::Worse => self.worse += 1,
            Standing::NoWorse => self.no_worse += 1,
            Standing::Unclear => self.unclear += 1,
            Standing::Better => self.better += 1,
        }
        let Some(answers) = &seen.answers else { return };
        let typical = answers.typical;
        let weak = typical.excluded == Some(Excluded::TwiceMinEffect);
        self.not_found += u32::from(seen.standing == Standing::NoWorse && weak);
        let off = (typical.point - truth(change)).abs();
        self.covered += u32::from(off <= typical.usual);
        self.by[0] += u32::from(seen.failing);
        let mut by = [false; 4];
        for finding in answers.findings.iter().filter(|finding| finding.worse) {
            let place = match finding.question {
                Question::TypicalTurn => 1,
                Question::SlowTurns => 2,
                Question::Step(_) => 3,
            };
            by[place] = true;
        }
        for (count, is) in self.by.iter_mut().zip(by) {
            *count += u32::from(is);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    fn mean_pairs(&self) -> f64 {
        self.pairs as f64 / f64::from(self.trials)
    }

    /// In percent, with the 95 % interval.
    fn interval(&self, of: u32) -> String {
        let rate = Rate { hits: of.into(), n: self.trials.into() };
        let of = rate.interval().expect("trials");
        format!("{:.1} [{:.1}–{:.1}]", of.point * 100.0, of.low * 100.0, of.high * 100.0)
    }

    fn row(&self, name: &str) {
        let percent = |of: u32| self.share(of) * 100.0;
        println!(
            "{name:<44} {:>5} {:>16} {:>6.1} {:>6.1} {:>6.1} {:>16} {:>6.1}  {:?}",
            self.trials,
            self.interval(self.worse),
            percent(self.no_worse),
            percent(self.not_found),
            percent(self.unclear),
            self.interval(self.better),
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
        let calls = calls(world, change, pairs, seed(trial, pairs));
        let (seen, _) = until_decided(&looks, pairs, |look| {
            let (counts, table) = table(&calls, look.pairs);
            weigh(counts, &table, &scenario, look)
        });
        tally.add(&seen.expect("a look"), change);
    }
    tally
}

fn seed(trial: u64, pairs: u32) -> u64 {
    trial * 7_919 + u64::from(pairs)
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
        "{:<44} {:>5} {:>16} {:>6} {:>6} {:>6} {:>16} {:>6}  by calls, typical, slow, step",
        "", "n", "worse", "passes", "weakly", "incl.", "better", "cover"
    );
}

/// The table of docs/ab-and-noise.md, what it turns on first: `make judging`.
#[test]
#[ignore = "takes minutes; prints the table of the docs"]
fn the_whole_table() {
    head();
    let row = |world, (name, change): (&str, Change), pairs, trials| {
        judged(world, change, pairs, &[], trials).row(&format!("{world:?}, {pairs} × 4, {name}"));
    };
    for at in [0, 8, 9, 10, 3] {
        row(World::LogNormal, CHANGES[at], 30, 4_000);
    }
    for (world, pairs) in
        [(World::Tools, 30), (World::Steps, 30), (World::LogNormal, 10), (World::LogNormal, 100)]
    {
        row(world, CHANGES[0], pairs, 2_000);
    }
    row(World::LogNormal, CHANGES[3], 100, 1_000);
    for world in WORLDS {
        for change in CHANGES {
            row(world, change, 30, 400);
        }
    }
    for pairs in [10, 100] {
        for change in CHANGES {
            row(World::LogNormal, change, pairs, 400);
        }
    }
    for (name, change) in CHANGES {
        for most in [60, 100] {
            let tally = judged(World::LogNormal, change, most, &looks::planned(most), 400);
            tally.row(&format!("LogNormal, until decided, {most} × 4, {name}"));
            println!("    {:.1} pairs", tally.mean_pairs());
        }
    }
}

/// What is drawn as a table is what recordings of the same calls are read as.
#[test]
fn tables_are_those_of_recordings() {
    let scenario = four_questions();
    for (world, (name, change)) in WORLDS.into_iter().cycle().zip(CHANGES) {
        let calls = calls(world, change, 20, 3);
        let [x, y]: [Analysis; 2] = recordings(&calls, &[]).map(|run| analyse(&run, &scenario));
        let [a, b] = [&x, &y].map(|analysis| Recorded { scenario: &scenario, analysis });
        let (counts, drawn) = table(&calls, 20);
        let measures = [a, b].map(|side| &side.analysis.measures);
        assert_eq!(counts, PairedCalls::count(measures[0], measures[1], 20), "{name}");
        assert_eq!(drawn, Table::new(drawn.metric, a, b, 20), "{name}");
        let (seen, _) = look_at(Pairing { a, b, seed: 7 }, &looks::once(20, 7));
        let again = weigh(counts, &drawn, &scenario, &looks::once(20, 7)[0]);
        assert_eq!(seen.standing, again.standing, "{name}");
    }
}

/// The two kinds of a pass, in the words of real runs.
#[test]
fn a_pass_says_which_slowdown_it_rules_out() {
    let scenario = four_questions();
    let mut kinds = [0, 0];
    for trial in 0..24 {
        let calls = calls(World::LogNormal, Change::Same, 30, seed(trial, 30));
        let [x, y]: [Analysis; 2] = recordings(&calls, &[]).map(|run| analyse(&run, &scenario));
        let [a, b] = [&x, &y].map(|analysis| Recorded { scenario: &scenario, analysis });
        let verdict = judge(Pairing { a, b, seed: 7 });
        let Some(excluded) = verdict
            .comparison
            .filter(|_| verdict.outcome == Outcome::Pass)
            .and_then(|c| c.excluded)
        else {
            continue;
        };
        let first = &verdict.reasons[0];
        let (begin, end) = match excluded {
            Excluded::MinEffect => ("b is no worse than a: ", " ms or more is ruled out"),
            Excluded::TwiceMinEffect => ("b is not found to be worse than a: ", " ms is not"),
        };
        assert!(first.starts_with(begin) && first.ends_with(end), "{first}");
        kinds[usize::from(excluded == Excluded::TwiceMinEffect)] += 1;
    }
    assert!(kinds[0] > 0 && kinds[1] > 0, "{kinds:?}");
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
        let [same] = plain(world, 30, &CHANGES[..1], 400).try_into().expect("one");
        same.rarely_alarms(&format!("{world:?}"));
        let covered = same.share(same.covered);
        assert!(covered >= 0.93 - same.slack(0.95), "{world:?} covers {covered}");
        if world == World::LogNormal {
            assert!(same.share(same.no_worse) >= 0.5, "{same:?}");
        }
    }
    for pairs in [10, 100] {
        let [same] = plain(World::LogNormal, pairs, &CHANGES[..1], 300).try_into().expect("one");
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
    let of = |at: usize, pairs, trials| {
        let [tally] =
            plain(World::LogNormal, pairs, &CHANGES[at..=at], trials).try_into().expect("one");
        tally
    };
    // With 3 % of turns unanswered, none of 120 is in 2.6 % of runs, and nothing can be seen of it.
    let faster = of(8, 30, 600);
    assert!(faster.share(faster.better) <= 0.02 + faster.slack(0.02), "{faster:?}");
    of(9, 30, 400).rarely_alarms("2 % on both sides");
    let slower = of(10, 30, 120);
    let found = slower.share(slower.worse);
    assert!(found >= 0.6 - slower.slack(0.6), "{slower:?}");
    // What is not called better for want of calls passes all the same.
    let quicker = of(3, 30, 120);
    assert!(quicker.share(quicker.better) >= 0.7 - quicker.slack(0.7), "{quicker:?}");
    assert_eq!(quicker.better + quicker.no_worse, quicker.trials, "{quicker:?}");
    let of_many = of(3, 100, 60);
    assert!(of_many.share(of_many.better) >= 0.99, "{of_many:?}");
}

#[test]
fn looking_until_it_is_decided_keeps_the_error_and_ends_early() {
    head();
    let until = |change: Change, trials| {
        let tally = judged(World::LogNormal, change, 60, &looks::planned(60), trials);
        tally.row(&format!("LogNormal, until decided, at most 60 × 4, {change:?}"));
        println!("    {:.1} pairs", tally.mean_pairs());
        tally
    };
    until(Change::Same, 300).rarely_alarms("until decided");
    let slower = until(Change::Times(1.4), 40);
    assert!(slower.share(slower.worse) >= 0.95, "{slower:?}");
    assert!(slower.mean_pairs() < 45.0, "{slower:?}");
}
