//! The questions that are asked of pairs: the typical turn, the slow turns, the worst single turn; and which of
//! them say that B is worse.
//!
//! What they look at is in [`estimates`](super::estimates).
//!
//! # Why one more call may go unanswered before B is called better
//! An agent that leaves three turns of a hundred unanswered answers all of 120 in one run of forty, and then nothing
//! in the run tells it from one that always answers. So B is called better only if it still would be had one more call
//! to it gone unanswered from its first turn on: the call that n calls without a failure leave room for (Laplace's rule
//! of succession). With hundreds of calls one more changes nothing.
//!
//! # Why the agent's own stages sharpen nothing
//! What an agent reports of its stages would explain most of the chance in a wait. But a stage lies between the
//! agent and the wait: an agent whose LLM became slower has a slower stage, and a comparison that takes out what
//! the stage explains takes the slowdown out with it. It is unbiased only for stages that are known not to have
//! changed, and nothing in a recording says which these are. So stages explain a verdict and have no part in it.

use super::super::questions::{WIDER, WIDER_MS};
use super::asked::{Asking, MIN_PAIRS, Question, Shares};
use super::estimates::{Figure, Figures};
use super::table::{Reading, Table};
use crate::scenario::{BaselineRule, Scenario};
use crate::stats::{Estimate, down, drawn_in, up};

/// Standard errors that a normal figure exceeds in one case of ten, and in one of twenty.
const Z_POWER: f64 = 1.281_551_565_544_6;
const Z_ONE_SIDED: f64 = 1.644_853_626_951_5;
/// What chance makes of an unchanged agent in more than one case of four stands in nobody's way.
const SUSPICIOUS: f64 = 0.25;

/// The answer to a question: B minus A, in milliseconds at A's level.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub question: Question,
    /// The name of the step, where it is one.
    pub turn: Option<String>,
    /// A's figure.
    pub a_ms: f64,
    /// The difference as measured; its ends differ where waits were cut short.
    pub at_least_ms: f64,
    pub at_most_ms: f64,
    /// An interval that reaches as far as the question that was answered looked.
    pub low_ms: f64,
    pub high_ms: f64,
    /// Of the interval, in percent.
    pub confidence: f64,
    /// A slowdown counts from here on.
    pub min_effect_ms: f64,
    /// How often chance makes it as large, in one direction; over all steps for a step.
    pub p: f64,
    /// Slower beyond chance, and by what matters.
    pub worse: bool,
    /// So many times the pairs would show it in nine cases of ten, were it as large as measured.
    pub(super) times: f64,
}

impl Finding {
    /// Slower by what matters, in a way that chance makes in fewer than one case of four, but not shown.
    pub(super) fn suspicious(&self) -> bool {
        !self.worse && self.at_least_ms >= self.min_effect_ms && self.p <= SUSPICIOUS
    }
}

/// What the typical turn says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Typical {
    /// Faster beyond chance, and by what matters.
    pub(super) faster: bool,
    /// And would be, had one more call to B gone unanswered.
    pub(super) surely_faster: bool,
    /// A slowdown of so many times the minimum effect or more is excluded, and none was measured.
    pub(super) excluded: Option<Excluded>,
    /// Standard error, and the distance a slowdown has to lie above zero, on the scale.
    pub(super) error: f64,
    /// Half of the usual 95 % interval.
    pub(super) usual: f64,
    pub(super) reach: f64,
    pub(super) point: f64,
    /// A's level.
    pub(super) base: f64,
    pub(super) least: f64,
}

impl Typical {
    /// The smallest slowdown that is found in about nine cases of ten, in milliseconds.
    pub(super) fn detectable_ms(&self) -> f64 {
        let shift = self.reach.max(self.least) + Z_POWER * self.error;
        down(self.base + shift) - down(self.base)
    }

    /// So many times the pairs would settle it in about nine cases of ten, were the difference as measured.
    pub(super) fn times(&self) -> f64 {
        let error = self.error;
        let room = 2.0 * self.least - self.point;
        let shown = (self.reach + Z_POWER * error) / self.point;
        let excluded = (Z_ONE_SIDED + Z_POWER) * error / room;
        let need = match (self.point >= self.least, room > 0.0) {
            (true, _) => shown,
            (false, true) => excluded,
            (false, false) => f64::INFINITY,
        };
        need.powi(2)
    }
}

/// Which slowdowns are excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excluded {
    /// From the minimum effect on.
    MinEffect,
    /// From twice the minimum effect on, while less than it was measured.
    TwiceMinEffect,
}

/// All answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answers {
    /// The typical turn, the slow turns where there are enough, then every step.
    pub(super) findings: Vec<Finding>,
    pub(super) typical: Typical,
}

/// Asks everything of these turns; `None` when they are too few.
pub(super) fn ask(table: &Table, scenario: &Scenario, how: Asking) -> Option<Answers> {
    let rule = &scenario.baseline();
    if table.pairs < MIN_PAIRS {
        return None;
    }
    let least = Figures::of(table, Reading::Least)?;
    let known = table.cells.iter().all(|c| c.read(Reading::Least) == c.read(Reading::Most));
    let most = if known { None } else { Some(Figures::of(table, Reading::Most)?) };
    let most = most.as_ref().unwrap_or(&least);
    let shares = how.shares;
    let each = least.asked(&shares);
    let factor = if how.once { drawn_in(&each, how.seed) } else { 1.0 };
    let mut findings = Vec::new();
    for (figure, (_, share)) in least.all.iter().zip(&each) {
        let high = most.all.iter().find(|other| other.question == figure.question)?;
        let mut finding = finding(figure, &high.estimate, *share, factor, rule);
        if let Question::Step(step) = figure.question {
            finding.turn = scenario.steps().get(step as usize).map(|step| step.id.clone());
            finding.p = (finding.p * least.steps()).min(1.0);
        }
        findings.push(finding);
    }
    let first = least.all.first()?;
    let upper = &most.all.first()?.estimate;
    let reach = factor * first.estimate.reach(each.first()?.1);
    let mut typical = typical(first, upper, rule, &shares, reach);
    typical.surely_faster = typical.faster && stays_faster(table, scenario, shares.better);
    if let (Some(finding), true) = (findings.first_mut(), typical.excluded.is_some()) {
        finding.show(first.base, (&first.estimate, upper), shares.equal, 1.0);
    }
    Some(Answers { findings, typical })
}

/// The least change of a question that matters, at a level on the scale; on the scale.
fn least(question: Question, base: f64, rule: &BaselineRule) -> f64 {
    let ms = down(base);
    up(ms + min_effect_ms(question, ms, rule)) - base
}

fn min_effect_ms(question: Question, ms: f64, rule: &BaselineRule) -> f64 {
    match question {
        Question::TypicalTurn => rule.min_effect_ms(ms),
        Question::SlowTurns | Question::Step(_) => {
            (rule.min_effect_rel * WIDER * ms.abs()).max(rule.min_effect_abs_ms * WIDER_MS)
        }
    }
}

fn finding(
    figure: &Figure,
    high: &Estimate,
    share: f64,
    factor: f64,
    rule: &BaselineRule,
) -> Finding {
    let Figure { question, base, estimate: low } = figure;
    let (question, base) = (*question, *base);
    let reach = factor * low.reach(share);
    let worse = low.point > reach && low.point >= least(question, base, rule);
    let ms = down(base);
    let mut finding = Finding {
        question,
        turn: None,
        a_ms: ms,
        at_least_ms: down(base + low.point) - ms,
        at_most_ms: down(base + high.point) - ms,
        low_ms: 0.0,
        high_ms: 0.0,
        confidence: 0.0,
        min_effect_ms: min_effect_ms(question, ms, rule),
        p: low.p_above(0.0),
        worse,
        times: ((reach + Z_POWER * low.error()) / low.point).powi(2),
    };
    // Without a finding the usual interval; else the one that the finding looked at.
    let (share, factor) = if worse { (share, factor) } else { (0.025, 1.0) };
    finding.show(base, (low, high), share, factor);
    finding
}

impl Finding {
    /// Shows the interval of this one-sided level, drawn in by a factor, on both sides.
    fn show(&mut self, base: f64, (low, high): (&Estimate, &Estimate), share: f64, factor: f64) {
        let ms = down(base);
        let reach = factor * low.reach(share);
        self.low_ms = down(base + low.point - reach) - ms;
        self.high_ms = down(base + high.point + factor * high.reach(share)) - ms;
        let level = if reach > 0.0 { low.p_above(low.point - reach) } else { share };
        self.confidence = (1.0 - 2.0 * level) * 100.0;
    }
}

fn typical(
    figure: &Figure,
    upper: &Estimate,
    rule: &BaselineRule,
    shares: &Shares,
    reach: f64,
) -> Typical {
    let least = least(Question::TypicalTurn, figure.base, rule);
    let end = upper.point + upper.reach(shares.equal);
    let excluded = if end < least {
        Some(Excluded::MinEffect)
    } else if upper.point < least && end < 2.0 * least {
        Some(Excluded::TwiceMinEffect)
    } else {
        None
    };
    Typical {
        faster: is_faster(upper, least, shares.better),
        surely_faster: false,
        excluded,
        error: figure.estimate.error(),
        usual: figure.estimate.reach(0.025),
        reach,
        point: figure.estimate.point,
        base: figure.base,
        least,
    }
}

fn is_faster(estimate: &Estimate, least: f64, level: f64) -> bool {
    estimate.point + estimate.reach(level) < 0.0 && estimate.point <= -least
}

/// Whether the typical turn would still be faster beyond chance and by what matters, had one more call to B gone
/// unanswered.
fn stays_faster(table: &Table, scenario: &Scenario, level: f64) -> bool {
    // What nobody waits for cannot go unanswered.
    let Some(table) = table.with_one_unanswered(scenario) else { return true };
    let figures = Figures::of(&table, Reading::Most);
    let typical = figures.as_ref().and_then(|figures| figures.all.first());
    typical.is_some_and(|Figure { base, estimate, .. }| {
        let least = least(Question::TypicalTurn, *base, &scenario.baseline());
        is_faster(estimate, least, level)
    })
}
