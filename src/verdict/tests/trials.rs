//! Trials of the judge: nights of simulated worlds, held against each other.
//!
//! A night becomes the figures that decide once; baselines are drawn from a pool of nights. So a trial costs a comparison
//! and nothing else. That recordings of the same nights give the same is a test of its own.

use super::super::compare::{Decision, RUNS_FOR_DRIFT, Sides, Standing};
use super::worlds::{Call, Effect, World, measured, night, recorded};
use crate::measured::Measured;
use crate::random::SplitMix64;
use crate::scenario::Scenario;
use crate::stats::Rate;
use crate::turn::analyse;
use crate::verdict::figures::{Figures, Wait, waits};
use crate::verdict::{Deciding, Direction, Learning, Question};

/// The seed of the first night of an agent that was changed: none of its nights is one of before.
const CHANGED: u64 = 1_000_000;

/// What all trials have in common.
pub(super) struct Bench {
    pub(super) scenario: Scenario,
    pub(super) waits: Vec<Wait>,
    like: Measured,
}

impl Bench {
    pub(super) fn new(scenario: Scenario) -> Self {
        let run = recorded("r", &[], &scenario);
        let like = Measured::take(&analyse(&run, &scenario), &scenario, true);
        let waits = waits([like.steps.as_slice()]);
        Self { scenario, waits, like }
    }

    pub(super) fn figures(&self, night: &[Call]) -> Figures {
        Figures::by(&self.waits, &measured(night, &self.like))
    }

    /// So many nights of one kind: of so many calls, and differing by this.
    pub(super) fn pool(&self, of: (World, Effect), shape: (u32, f64), size: u64) -> Vec<Figures> {
        let begin = if of.1 == Effect::SAME { 0 } else { CHANGED };
        (0..size).map(|n| self.figures(&night(of, shape, begin + n))).collect()
    }

    /// How a night stands against accepted ones, and those that came later.
    pub(super) fn decide(
        &self,
        (past, later): (&[&Figures], &[&Figures]),
        run: &Figures,
        deciding: Deciding<'_>,
    ) -> Decision {
        let (runs, of) = (past.len(), RUNS_FOR_DRIFT);
        let learning = (runs < of).then_some(Learning { runs, of });
        let sides = Sides { past, later, run };
        let rule = self.scenario.baseline();
        Decision::by_figures(&rule, &self.waits, &sides, (deciding, learning))
    }

    /// The same by this night alone.
    pub(super) fn judge(&self, past: &[&Figures], run: &Figures) -> Decision {
        self.decide((past, &[]), run, Deciding::Once)
    }

    /// Trials against baselines of so many nights. Of the same agent every night is judged once, against others.
    pub(super) fn trials(
        &self,
        (usual, judged): (&[Figures], &[Figures]),
        runs: usize,
        (effect, trials): (Effect, usize),
    ) -> Tally {
        let mut random = SplitMix64::for_purpose(trials as u64 + runs as u64, 5);
        let truth = if let Effect::All(factor) = effect { factor } else { 1.0 };
        let mut tally = Tally::default();
        for trial in 0..trials {
            let at = trial % judged.len();
            let but = (effect == Effect::SAME).then_some(at);
            let past = baseline(usual, runs, but, &mut random);
            tally.add(&self.judge(&past, &judged[at]), truth);
        }
        tally
    }
}

/// So many nights by chance, none of which is `but`.
pub(super) fn baseline<'a>(
    pool: &'a [Figures],
    runs: usize,
    but: Option<usize>,
    random: &mut SplitMix64,
) -> Vec<&'a Figures> {
    let size = u32::try_from(pool.len()).expect("few");
    let mut chosen: Vec<usize> = but.into_iter().collect();
    let want = runs + chosen.len();
    while chosen.len() < want {
        let at = random.below(size) as usize;
        if !chosen.contains(&at) {
            chosen.push(at);
        }
    }
    chosen.into_iter().skip(want - runs).map(|at| &pool[at]).collect()
}

/// How trials came out.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    pub(super) trials: u32,
    pub(super) worse: u32,
    pub(super) better: u32,
    pub(super) pass: u32,
    /// Inconclusive, or neither shown nor ruled out while the baseline learns.
    pub(super) unclear: u32,
    /// The interval of the typical turn holds the truth.
    pub(super) covered: u32,
    /// Worse by calls, by the typical turn, by the slow ones, by a single one.
    pub(super) by: [u32; 4],
}

impl Tally {
    fn add(&mut self, decision: &Decision, truth: f64) {
        self.trials += 1;
        match decision.standing() {
            Standing::Worse => self.worse += 1,
            Standing::Better => self.better += 1,
            Standing::NoWorse => self.pass += 1,
            Standing::Unclear | Standing::Learning(_) => self.unclear += 1,
            other @ (Standing::Suspected | Standing::NotComparable) => panic!("{other:?}"),
        }
        let answers = decision.answers();
        let typical = answers.first().expect("a typical turn");
        let true_ms = typical.baseline * (truth - 1.0);
        let interval = typical.difference;
        self.covered += u32::from((interval.low..=interval.high).contains(&true_ms));
        let worse = |question| {
            let mut of = answers.iter().filter(|a| a.decides && a.asked.question == question);
            of.any(|a| a.direction == Direction::Slower)
        };
        let by = [Question::TypicalTurn, Question::SlowTurns, Question::WorstStep].map(worse);
        self.by[0] += u32::from(decision.standing() == Standing::Worse && !by.contains(&true));
        for (count, is) in self.by[1..].iter_mut().zip(by) {
            *count += u32::from(is);
        }
    }

    pub(super) fn share(&self, of: u32) -> f64 {
        f64::from(of) / f64::from(self.trials)
    }

    /// The share that is called worse, with its exact 95 % interval, in percent.
    pub(super) fn worse(&self) -> [f64; 3] {
        let rate = Rate { hits: self.worse.into(), n: self.trials.into() };
        let interval = rate.interval().expect("trials");
        [self.share(self.worse), interval.low, interval.high].map(|share| share * 100.0)
    }

    /// A row of a table in percent.
    pub(super) fn row(&self, name: &str) -> String {
        let percent = |of| self.share(of) * 100.0;
        let [worse, low, high] = self.worse();
        format!(
            "| {name} | {worse:.1} [{low:.1}\u{2013}{high:.1}] | {:.1} | {:.1} | {:.1} | {:.1} |",
            percent(self.pass),
            percent(self.unclear),
            percent(self.better),
            percent(self.covered),
        )
    }

    /// 2.6 standard errors of a share: what chance does to it in 99 of 100 cases.
    pub(super) fn slack(&self, nominal: f64) -> f64 {
        2.6 * (nominal * (1.0 - nominal) / f64::from(self.trials)).sqrt()
    }

    pub(super) fn at_most(&self, of: u32, limit: f64, what: &str) {
        let (share, limit) = (self.share(of), limit + self.slack(limit));
        assert!(share <= limit, "{what}: {share} above {limit}: {self:?}");
    }

    pub(super) fn at_least(&self, of: u32, limit: f64, what: &str) {
        let (share, limit) = (self.share(of), limit - self.slack(limit));
        assert!(share >= limit, "{what}: {share} below {limit}: {self:?}");
    }
}
