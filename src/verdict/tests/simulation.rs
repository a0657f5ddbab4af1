//! How often a verdict is wrong, and how often it finds what is there: simulated nights ([`super::worlds`]), written
//! down as recordings and judged as real ones are.
//!
//! A night is analysed once; baselines are drawn from a pool of nights, so that a trial costs a comparison only. All is
//! seeded, so the shares never change; what they are compared with is their nominal value with 2.6 standard errors of a
//! share of so many trials.

use super::worlds::{CALLS, Effect, World, four_questions, night};
use crate::random::SplitMix64;
use crate::scenario::Scenario;
use crate::stats::Rate;
use crate::turn::{Analysis, analyse};
use crate::verdict::testing::accepted;
use crate::verdict::{Baseline, Deciding, Judging, Mismatch, Outcome, Verdict, judge};

/// Nights of one kind, each analysed, and as a baseline of its own.
struct Pool {
    nights: Vec<(Analysis, Baseline)>,
}

impl Pool {
    fn new(of: (World, Effect), drift: f64, size: u64, scenario: &Scenario) -> Self {
        Self::sized(of, (CALLS, drift), size, scenario)
    }

    fn sized(of: (World, Effect), shape: (u32, f64), size: u64, scenario: &Scenario) -> Self {
        // The nights of each effect are others.
        let begin = match of.1 {
            Effect::All(factor) if (factor - 1.0).abs() < 1e-9 => 0,
            Effect::All(_)
            | Effect::Tail(_)
            | Effect::LastTurn(_)
            | Effect::Unanswered(_)
            | Effect::SlowCallsDropped
            | Effect::FasterAndFailing => 1_000_000,
        };
        let nights = (0..size).map(|n| {
            let run = night(&format!("n{}", begin + n), of, shape, begin + n, scenario);
            (analyse(&run, scenario), accepted(&run, scenario))
        });
        Self { nights: nights.collect() }
    }

    /// A baseline of so many nights by chance, none of which is `but`.
    fn baseline(&self, runs: usize, but: Option<usize>, random: &mut SplitMix64) -> Baseline {
        let size = u32::try_from(self.nights.len()).expect("few");
        let mut chosen: Vec<usize> = but.into_iter().collect();
        let want = runs + chosen.len();
        while chosen.len() < want {
            let at = random.below(size) as usize;
            if !chosen.contains(&at) {
                chosen.push(at);
            }
        }
        let of = |at: usize| self.nights[at].1.clone();
        let mut runs = chosen.into_iter().skip(usize::from(but.is_some())).map(of);
        let first = runs.next().expect("a run");
        runs.fold(first, |all, run| all.with(run, 30).expect("of one kind"))
    }
}

fn verdict(baseline: &Baseline, analysis: &Analysis, scenario: &Scenario) -> Verdict {
    judge(Judging {
        scenario,
        analysis,
        baseline: Some(baseline),
        mismatch: Mismatch::Refuse,
        deciding: Deciding::Once,
        seed: 7,
    })
}

/// How trials came out.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    trials: u32,
    worse: u32,
    better: u32,
    pass: u32,
    unclear: u32,
    /// The interval of the typical turn holds the truth.
    covered: u32,
}

impl Tally {
    fn add(&mut self, verdict: &Verdict, truth: f64) {
        self.trials += 1;
        match verdict.outcome {
            Outcome::Regression => self.worse += 1,
            Outcome::Improvement => self.better += 1,
            // While a baseline learns, what is neither shown nor ruled out passes.
            Outcome::Pass if verdict.reasons[0].starts_with("learning") => self.unclear += 1,
            Outcome::Pass => self.pass += 1,
            Outcome::Inconclusive => self.unclear += 1,
            Outcome::Suspected
            | Outcome::Fail
            | Outcome::NotComparable
            | Outcome::Invalid
            | Outcome::NothingMeasured
            | Outcome::Stopped => panic!("{:?}: {:?}", verdict.outcome, verdict.reasons),
        }
        let comparison = verdict.comparison.as_ref().expect("compared");
        let typical = comparison.answers.first().expect("a typical turn");
        let true_ms = typical.baseline * (truth - 1.0);
        let interval = typical.difference;
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
        let percent = |of| self.share(of) * 100.0;
        let rate = Rate { hits: self.worse.into(), n: self.trials.into() };
        let interval = rate.interval().expect("trials");
        println!(
            "| {name} | {:.1} [{:.1}\u{2013}{:.1}] | {:.1} | {:.1} | {:.1} | {:.1} |",
            percent(self.worse),
            interval.low * 100.0,
            interval.high * 100.0,
            percent(self.pass),
            percent(self.unclear),
            percent(self.better),
            percent(self.covered),
        );
    }

    fn at_most(&self, of: u32, limit: f64, what: &str) {
        let (share, limit) = (self.share(of), limit + self.slack(limit));
        assert!(share <= limit, "{what}: {share} above {limit}: {self:?}");
    }

    fn at_least(&self, of: u32, limit: f64, what: &str) {
        let (share, limit) = (self.share(of), limit - self.slack(limit));
        assert!(share >= limit, "{what}: {share} below {limit}: {self:?}");
    }
}

fn head() {
    println!("| | worse | no worse | unclear | better | interval |\n|---|---|---|---|---|---|");
}

/// Trials of one effect against baselines of so many nights. Of the same agent every night is judged once, against
/// others.
fn trials(
    usual: &Pool,
    judged: &Pool,
    runs: usize,
    of: (Effect, u32),
    scenario: &Scenario,
) -> Tally {
    let (effect, trials) = of;
    let mut random = SplitMix64::for_purpose(u64::from(trials) + runs as u64, 5);
    let truth = if let Effect::All(factor) = effect { factor } else { 1.0 };
    let mut tally = Tally::default();
    for trial in 0..trials as usize {
        let at = trial % judged.nights.len();
        let but = (effect == Effect::SAME).then_some(at);
        let baseline = usual.baseline(runs, but, &mut random);
        tally.add(&verdict(&baseline, &judged.nights[at].0, scenario), truth);
    }
    tally
}

#[test]
fn an_agent_that_did_not_change_is_seldom_called_worse() {
    let scenario = four_questions();
    head();
    for world in World::ALL {
        for drift in [0.0, 0.05] {
            let pool = Pool::new((world, Effect::SAME), drift, 200, &scenario);
            let tally = trials(&pool, &pool, 7, (Effect::SAME, 200), &scenario);
            let name = format!("{}, nights differ by {:.0} %", world.name(), drift * 100.0);
            tally.row(&name);
            tally.at_most(tally.worse, 0.05, &name);
            tally.at_most(tally.better, 0.05, &name);
            if world == World::Lognormal {
                tally.at_least(tally.covered, 0.95, &name);
                tally.at_least(tally.pass, 0.6, &name);
            }
        }
    }
}

#[test]
fn what_users_gate_on_is_found() {
    let scenario = four_questions();
    head();
    for (world, effect, found) in [
        (World::Lognormal, Effect::All(1.2), 0.75),
        (World::Tools, Effect::All(1.2), 0.9),
        (World::Lognormal, Effect::Tail(3.0), 0.9),
        (World::Unlike, Effect::LastTurn(1.5), 0.9),
        (World::Tools, Effect::LastTurn(1.5), 0.9),
    ] {
        let usual = Pool::new((world, Effect::SAME), 0.0, 120, &scenario);
        let judged = Pool::new((world, effect), 0.0, 100, &scenario);
        let tally = trials(&usual, &judged, 7, (effect, 150), &scenario);
        let name = format!("{}, {}", world.name(), effect.name());
        tally.row(&name);
        tally.at_least(tally.worse, found, &name);
        tally.at_most(tally.pass, 0.05, &name);
    }
}

#[test]
fn failing_turns_make_no_agent_better() {
    let scenario = four_questions();
    head();
    for runs in [1, 7] {
        for effect in [Effect::FasterAndFailing, Effect::SlowCallsDropped, Effect::Unanswered(0.1)]
        {
            let usual = Pool::new((World::Lognormal, Effect::SAME), 0.05, 100, &scenario);
            let judged = Pool::new((World::Lognormal, effect), 0.05, 100, &scenario);
            let tally = trials(&usual, &judged, runs, (effect, 150), &scenario);
            let name = format!("{runs} runs, {}", effect.name());
            tally.row(&name);
            tally.at_most(tally.better, 0.02, &name);
        }
    }
}

#[test]
fn few_accepted_runs_raise_no_more_alarms() {
    let scenario = four_questions();
    head();
    for (calls, runs) in [(CALLS, 1), (CALLS, 4), (200, 1)] {
        let usual = (World::Lognormal, Effect::SAME);
        let pool = Pool::sized(usual, (calls, 0.05), 100, &scenario);
        let tally = trials(&pool, &pool, runs, (Effect::SAME, 150), &scenario);
        let name = format!("{runs} runs of {calls} calls, nights differ by 5 %");
        tally.row(&name);
        tally.at_most(tally.worse, 0.05, &name);
    }
}

/// All worlds and effects: what docs/judging.md shows. `cargo test --lib the_whole_table -- --ignored --nocapture`.
#[test]
#[ignore = "takes many minutes; `make judging` runs it"]
fn the_whole_table() {
    let scenario = four_questions();
    let effects = [
        Effect::SAME,
        Effect::All(1.1),
        Effect::All(1.2),
        Effect::All(0.8),
        Effect::Tail(2.0),
        Effect::Tail(3.0),
        Effect::LastTurn(1.5),
        Effect::Unanswered(0.02),
        Effect::Unanswered(0.1),
        Effect::SlowCallsDropped,
        Effect::FasterAndFailing,
    ];
    head();
    for world in World::ALL {
        for drift in [0.0, 0.05, 0.1] {
            let usual = Pool::new((world, Effect::SAME), drift, 400, &scenario);
            for effect in effects {
                let pool = Pool::new((world, effect), drift, 80, &scenario);
                for runs in [7, 5, 1] {
                    let same = effect == Effect::SAME;
                    let judged = if same { &usual } else { &pool };
                    let of = if same && runs == 7 { 400 } else { 100 };
                    let tally = trials(&usual, judged, runs, (effect, of), &scenario);
                    let percent = drift * 100.0;
                    tally.row(&format!(
                        "{}, {percent:.0} %, {runs} runs, {}",
                        world.name(),
                        effect.name()
                    ));
                }
            }
        }
    }
}
