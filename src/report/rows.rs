//! The rows that several documents show: what changed, what each turn was to do, which calls failed. Numbers are
//! texts for people here; text of others is as it was recorded.

use super::Report;
use crate::scenario::{Expect, Step};
use crate::stats::{Quantile, Statistic};
use crate::text::{number, quantile, signed};
use crate::turn::{CallFacts, Reply, Turn};
use crate::verdict::paired::{Finding, PairedChange, PairedComparison, Question as PairedQuestion};
use crate::verdict::{
    Answer, Change, Comparison, Difference, Direction, FailureChange, Outcome, Question, Verdict,
};

/// The judgement in a word.
pub(super) const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "PASS",
        Outcome::Improvement => "IMPROVEMENT",
        Outcome::Fail => "FAIL",
        Outcome::Regression => "REGRESSION",
        Outcome::Suspected => "SUSPECTED",
        Outcome::Inconclusive => "INCONCLUSIVE",
        Outcome::NotComparable => "NOT COMPARABLE",
        Outcome::Invalid => "INVALID",
        Outcome::NothingMeasured => "NOTHING MEASURED",
        Outcome::Stopped => "STOPPED",
    }
}

/// Whether the agent was judged at all.
pub(super) const fn is_judged(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Invalid | Outcome::NothingMeasured | Outcome::Stopped)
}

/// A figure that was compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// `heard_e2e_latency p50`.
    pub(super) name: String,
    /// With the unit.
    pub(super) before: String,
    pub(super) now: String,
    pub(super) difference: String,
    pub(super) interval: String,
    /// Of the interval, in percent.
    pub(super) confidence: f64,
    pub(super) direction: Direction,
    /// Takes part in the verdict; the others are shown for information.
    pub(super) decides: bool,
}

impl Row {
    /// What the comparison says, in words.
    pub(super) const fn word(&self) -> &'static str {
        match self.direction {
            Direction::Slower => "slower",
            Direction::Faster => "faster",
            Direction::Alike => "no change",
            Direction::Unclear => "uncertain",
        }
    }

    /// The row as a sentence without its name.
    pub(super) fn sentence(&self) -> String {
        let Self { before, now, difference, interval, .. } = self;
        format!(
            "{before} before, {now} now: {difference} ({} % interval {interval}), {}",
            level(self.confidence),
            self.word()
        )
    }
}

/// Every figure that was compared with the baseline, what decides first.
pub(super) fn changes(comparison: &Comparison) -> Vec<Row> {
    let answers = comparison.answers.iter().map(|answer| Row {
        name: asked(answer, comparison),
        before: ms(Quantile { value: answer.baseline, lower_bound: answer.baseline_is_bound }),
        now: ms(Quantile { value: answer.run, lower_bound: answer.run_is_bound }),
        difference: format!("{} ms", signed(answer.difference.point)),
        interval: format!("{} to {} ms", end(answer.difference.low), end(answer.difference.high)),
        confidence: answer.confidence,
        direction: answer.direction,
        decides: answer.decides,
    });
    answers.chain(comparison.changes.iter().chain(&comparison.spread).map(row_of)).collect()
}

/// What was asked: `typical turn`, `slow turns`, ``turn `price` ``, `heard_e2e_latency p95`.
pub(super) fn asked(answer: &Answer, comparison: &Comparison) -> String {
    match (answer.asked.question, &answer.asked.step) {
        (_, Some(step)) => format!("turn `{step}`"),
        (Question::Primary, None) => {
            format!("{} {}", comparison.primary.name(), quantile(comparison.quantile))
        }
        (question, None) => question.name().replace('_', " "),
    }
}

/// `96`, `99.2`.
pub(super) fn level(percent: f64) -> String {
    format!("{percent:.1}").trim_end_matches(".0").to_owned()
}

fn row_of(change: &Change) -> Row {
    let statistic = match change.statistic {
        Statistic::Quantile(percent) => quantile(percent),
        Statistic::Spread => "p90 − p50".to_owned(),
    };
    let side = |value, lower_bound| ms(Quantile { value, lower_bound });
    Row {
        name: format!("{} {statistic}", change.metric.name()),
        before: side(change.baseline, change.baseline_is_bound),
        now: side(change.run, change.run_is_bound),
        difference: format!("{} ms", signed(change.difference.point)),
        interval: format!("{} to {} ms", end(change.difference.low), end(change.difference.high)),
        confidence: 95.0,
        direction: change.direction,
        decides: false,
    }
}

/// What is counted over calls and compared: name, sentence, and whether it got worse.
pub(super) fn counted(comparison: &Comparison) -> Vec<(&'static str, String, bool)> {
    let counts =
        [("calls_ok", comparison.failures), ("calls without a cut-in", comparison.cut_ins)];
    let row = |(name, count): (&'static str, Option<FailureChange>)| {
        let FailureChange { baseline, run, difference, more, .. } = count?;
        let points = |share: f64| signed(share * 100.0);
        let text = format!(
            "{} of {} before, {} of {} now: {} points (95 % interval {} to {})",
            baseline.hits,
            baseline.n,
            run.hits,
            run.n,
            points(difference.point),
            points(difference.low),
            points(difference.high),
        );
        Some((name, text, more))
    };
    counts.into_iter().filter_map(row).collect()
}

/// Every figure of both sides of an A/B run.
pub(super) fn paired(comparison: &PairedComparison) -> Vec<Row> {
    let row = |change: &PairedChange| {
        let shift = &change.shift;
        let least = comparison.min_effect_ms;
        let direction = if shift.low > 0.0 {
            Direction::Slower
        } else if shift.high < 0.0 {
            Direction::Faster
        } else if shift.low > -least && shift.high < least {
            Direction::Alike
        } else {
            Direction::Unclear
        };
        let (at_least, at_most) = (shift.at_least, shift.at_most);
        let difference = match (at_least.is_finite(), at_most.is_finite()) {
            (true, true) if at_most - at_least < 0.5 => format!("{} ms", signed(at_least)),
            (true, _) => format!("≥ {} ms", signed(at_least)),
            (false, true) => format!("≤ {} ms", signed(at_most)),
            (false, false) => "unknown".to_owned(),
        };
        Row {
            name: format!("{} p50", change.metric.name()),
            before: ms(change.a),
            now: ms(change.b),
            difference,
            interval: format!("{} to {} ms", end(shift.low), end(shift.high)),
            confidence: 95.0,
            direction,
            decides: false,
        }
    };
    comparison.findings.iter().map(answer).chain(comparison.changes.iter().map(row)).collect()
}

/// The answer to a question that decides.
fn answer(of: &Finding) -> Row {
    let least = of.min_effect_ms;
    let direction = if of.worse {
        Direction::Slower
    } else if of.high_ms < 0.0 {
        Direction::Faster
    } else if of.low_ms > -least && of.high_ms < least {
        Direction::Alike
    } else {
        Direction::Unclear
    };
    let name = match (of.question, &of.turn) {
        (PairedQuestion::TypicalTurn, _) => "typical turn".to_owned(),
        (PairedQuestion::SlowTurns, _) => "slowest tenth of turns".to_owned(),
        (PairedQuestion::Step(_), Some(turn)) => format!("turn {turn}"),
        (PairedQuestion::Step(step), None) => format!("turn {}", step + 1),
    };
    Row {
        name,
        before: format!("{} ms", number(of.a_ms)),
        now: format!("{} ms", number(of.a_ms + of.at_least_ms)),
        difference: format!("{} ms", signed(of.at_least_ms)),
        interval: format!("{} to {} ms", signed(of.low_ms), signed(of.high_ms)),
        confidence: of.confidence,
        direction,
        decides: true,
    }
}

/// `≥ 8,201 ms`.
pub(super) fn ms(quantile: Quantile) -> String {
    format!("{} ms", bounded(quantile))
}

/// `≥ 8,201`.
pub(super) fn bounded(quantile: Quantile) -> String {
    let bound = if quantile.lower_bound { "≥ " } else { "" };
    // Nonsense of an agent would fill the line.
    match quantile.value {
        value if value.abs() >= 1e9 => format!("{bound}{value:.1e}"),
        value => format!("{bound}{}", number(value)),
    }
}

fn end(ms: f64) -> String {
    match ms {
        f64::INFINITY => "+∞".to_owned(),
        f64::NEG_INFINITY => "\u{2212}∞".to_owned(),
        ms => signed(ms),
    }
}

/// What a turn was to do, and in which calls it did not.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expectation {
    /// The id of the turn.
    pub(super) turn: String,
    /// `responds within 8s`.
    pub(super) expects: String,
    /// Calls in which it did.
    pub(super) met: usize,
    /// The call and what happened instead.
    pub(super) failed: Vec<(u32, String)>,
}

/// Every turn that is to do something, in the order of the script.
pub(super) fn expectations(report: &Report) -> Vec<Expectation> {
    let expects = |step: &Step| match step.expect {
        Some(Expect::Speaks { within }) => Some(format!("speaks within {within:?}")),
        Some(Expect::Responds { within }) => Some(format!("responds within {within:?}")),
        Some(Expect::Yields { within }) => Some(format!("yields within {within:?}")),
        Some(Expect::Ignores) => Some("ignores it".to_owned()),
        None => None,
    };
    let of_step = |(index, step): (u32, &Step)| {
        let expects = expects(step)?;
        let mut all = Expectation { turn: step.id.clone(), expects, met: 0, failed: Vec::new() };
        let calls = report.judged.analysis.calls.iter().filter(|call| call.ok().is_some());
        for call in calls {
            let Some(turn) = call.turns.iter().find(|turn| turn.step == index) else { continue };
            match instead(call, turn, step) {
                Some(what) => all.failed.push((call.call.0, what)),
                None if is_met(turn.reply) => all.met += 1,
                None => {}
            }
        }
        Some(all)
    };
    (0..).zip(report.judged.scenario.steps()).filter_map(of_step).collect()
}

/// What happened in a turn instead of what was expected; `None` where that was met or not decided.
fn instead(call: &CallFacts, turn: &Turn, step: &Step) -> Option<String> {
    // No turn of a call that succeeded was wrong; what made another one fail is known best.
    let failure = call.failure.as_ref()?;
    if let Some(why) = failure.detail.strip_prefix(&format!("turn `{}`: ", turn.id)) {
        return Some(why.to_owned());
    }
    let late = |took: f64, within: std::time::Duration| {
        let limit = within.as_secs_f64() * 1_000.0;
        (took > limit)
            .then(|| format!("after {} ms, expected within {}", number(took), number(limit)))
    };
    let found = match (turn.reply, step.expect) {
        (Reply::Unanswered { waited_ms }, _) => {
            Some(format!("nothing was heard for {} ms", number(waited_ms)))
        }
        (Reply::DidNotYield { waited_ms }, _) => {
            Some(format!("the agent spoke on for {} ms", number(waited_ms)))
        }
        (Reply::Disturbed { after_ms, .. }, _) => {
            Some(format!("the agent reacted to a noise after {} ms", number(after_ms)))
        }
        (Reply::NotTested, _) => Some("the barge-in found the agent silent".to_owned()),
        // (A greeting is expected from when the agent could be heard, which its latency does not count from.)
        (Reply::Heard { latency_ms, .. }, Some(Expect::Responds { within })) => {
            late(latency_ms, within)
        }
        (Reply::Yielded { yield_ms }, Some(Expect::Yields { within })) => late(yield_ms, within),
        _ => None,
    };
    found.or_else(|| turn.wrong_content().next())
}

const fn is_met(reply: Reply) -> bool {
    match reply {
        Reply::Greeted { .. }
        | Reply::Heard { .. }
        | Reply::CutIn { .. }
        | Reply::Yielded { .. }
        | Reply::Ignored => true,
        Reply::DidNotYield { .. }
        | Reply::Disturbed { .. }
        | Reply::Unanswered { .. }
        | Reply::NotAwaited
        | Reply::NotTested
        | Reply::NotReached => false,
    }
}

/// What differs from the baseline, where the verdict's reasons say only how much.
pub(super) fn differences(verdict: &Verdict) -> &[Difference] {
    match verdict.differences.as_slice() {
        [_] => &[],
        all => all,
    }
}

/// The calls that failed, in the order of their numbers.
pub(super) fn failing(report: &Report) -> impl Iterator<Item = &CallFacts> {
    report.judged.analysis.calls.iter().filter(|call| call.failed())
}
