//! A comparison in words.

mod notes;
mod sizes;

pub(super) use notes::{baseline_note, differences};
pub(super) use sizes::Sizes;

use super::super::figures::Wait;
use super::super::{Asked, Basis, Comparison, Direction, Question, Suspicion};
use super::asked::{Answered, Stands};
use super::change::ASSUMED_DRIFT;
use super::{Decision, FailureChange, Learning, Standing, failures, has_parts, settle};
use crate::stats::Statistic;
use crate::text::{chance, number, number_of, quantile, range, signed};
use crate::turn::Part;

/// Figures that are named in one sentence.
const NAMED: usize = 4;
/// A turn that is slower by so many times the share of the typical one stands out.
const STANDS_OUT: f64 = 1.5;

/// Everything that the sentences are about.
pub(super) struct Words<'a> {
    pub(super) decision: &'a Decision,
    pub(super) standing: Standing,
    pub(super) comparison: &'a Comparison,
    pub(super) sizes: Sizes,
    pub(super) suspected: &'a [Suspicion],
    pub(super) waits: &'a [Wait],
}

/// What is said of a count.
type Sentence = fn(&FailureChange) -> String;

impl Words<'_> {
    pub(super) fn reasons(&self) -> Vec<String> {
        let decided = &self.decision.decided;
        let [failing, cut_in] = &decided.standings;
        let is = |stands| move |(_, s): &(Asked, Stands)| *s == stands;
        let mut reasons = Vec::new();
        let prefix = |stands: Stands| if stands == Stands::Suspected { "suspected: " } else { "" };
        let counts: [(_, _, Sentence); 2] = [
            (failing, decided.failures, failures::sentence),
            (cut_in, decided.cut_ins, failures::cut_in_sentence),
        ];
        for (standing, change, sentence) in counts {
            let told = is(Stands::Worse)(standing) || is(Stands::Suspected)(standing);
            if let Some(change) = change.filter(|_| told) {
                let since = self.since(standing.0.question);
                reasons.push(format!("{}{}{since}", prefix(standing.1), sentence(&change)));
            }
        }
        let latency = self.latency();
        if self.slower_ones().is_empty() || reasons.is_empty() {
            reasons.extend(latency);
        } else {
            // What the latency does matters as much when it is worse, too.
            reasons.splice(0..0, latency);
        }
        reasons
    }

    /// What the latencies say.
    fn latency(&self) -> Vec<String> {
        let worse = self.slower_ones();
        if let Some(first) = worse.first() {
            return self.worse(first, &worse);
        }
        let Some(chief) = self.decision.answers.first() else {
            return vec![self.sizes.missing()];
        };
        let what = self.sentence(chief);
        let found = &chief.found;
        let but = self.but();
        let against = baseline(&found.basis);
        match self.standing {
            Standing::Better => {
                let better: Vec<&Answered> =
                    self.decision.deciding().filter(|a| a.standing == Stands::Better).collect();
                let first = better.first().copied().unwrap_or(chief);
                let part = if is_typical(first) { self.chief_part() } else { String::new() };
                let what = self.sentence(first);
                vec![format!("better than {against}: {what}{part}{but}")]
                    .into_iter()
                    .chain(is_typical(first).then(|| self.by_part()).flatten())
                    .collect()
            }
            Standing::Learning(Learning { runs, of }) => {
                let remedy = settle::remedy(found, self.sizes.calls);
                let effect = number(found.min_effect_ms);
                vec![format!(
                    "learning, {runs} of {of} runs: {what}: a slowdown of {effect} ms or more is neither shown \
                     nor ruled out yet{but}; {remedy}"
                )]
            }
            Standing::NoWorse
            | Standing::Worse
            | Standing::Suspected
            | Standing::Unclear
            | Standing::NotComparable => {
                let said = if !chief.decides() {
                    format!("no latency decides: {what}")
                } else if let Some(answer) = self.decision.answered_by()
                    && self.standing != Standing::Unclear
                {
                    self.no_worse(answer, chief)
                } else {
                    format!("{what}: {}", self.doubt(chief))
                };
                vec![said + &but]
            }
        }
    }

    /// That the run is no slower, by the answer that says so.
    fn no_worse(&self, answer: &Answered, chief: &Answered) -> String {
        let (against, what) = (baseline(&answer.found.basis), self.sentence(answer));
        let said = if answer.found.excluded() {
            let effect = number(answer.found.min_effect_ms);
            format!(
                "no worse than {against}: {what}; a slowdown of {effect} ms or more is ruled out"
            )
        } else {
            let found = share(answer.found.detectable_ms, answer.found.baseline);
            format!(
                "no slower than {against}, beyond how they differ: {what}; about {found} would be found"
            )
        };
        if answer.asked == chief.asked {
            return said;
        }
        let name = self.name(chief);
        format!("{said}; nothing can be told of the {name}, which varies too much from run to run")
    }

    /// The answers that are worse or suspected: the typical turn, then single turns, then the slow ones.
    fn slower_ones(&self) -> Vec<&Answered> {
        let mut worse: Vec<&Answered> = (self.decision.deciding())
            .filter(|a| matches!(a.standing, Stands::Worse | Stands::Suspected))
            .collect();
        let rank = |a: &&Answered| match a.asked.question {
            Question::WorstStep => 1,
            Question::SlowTurns => 2,
            Question::CallsOk | Question::CutIns | Question::Primary | Question::TypicalTurn => 0,
        };
        worse.sort_by(|a, b| {
            (a.standing == Stands::Suspected)
                .cmp(&(b.standing == Stands::Suspected))
                .then(rank(a).cmp(&rank(b)))
                .then(b.found.difference.point.total_cmp(&a.found.difference.point))
        });
        worse
    }

    fn worse(&self, first: &Answered, all: &[&Answered]) -> Vec<String> {
        let found = &first.found;
        let word = if first.standing == Stands::Worse { "worse" } else { "suspected: slower" };
        // Where the typical turn is slower, only what stands out from it is named beside it.
        let by = |a: &Answered| a.found.difference.point / a.found.baseline;
        let stands_out = |a: &&&Answered| !is_typical(first) || by(a) > STANDS_OUT * by(first);
        let others = all.iter().skip(1).filter(stands_out).take(NAMED);
        let others: Vec<String> = others.map(|a| self.short(a)).collect();
        let others =
            if others.is_empty() { String::new() } else { format!("; also {}", others.join(", ")) };
        let typical = self.decision.answers.iter().find(|a| is_typical(a));
        let as_before = typical.filter(|typical| {
            let moved = typical.found.difference.point.abs();
            !all.iter().any(|a| a.asked == typical.asked) && moved < typical.found.min_effect_ms
        });
        let as_before = as_before.map_or("", |_| "; typical turn as before");
        let part = match first.asked.question {
            Question::TypicalTurn | Question::Primary => self.chief_part(),
            Question::WorstStep => self.part_of_step(first),
            Question::SlowTurns | Question::CallsOk | Question::CutIns => String::new(),
        };
        let since = self.since(first.asked.question);
        let mut reasons = vec![format!(
            "{word} than {}: {}{part}{others}{as_before}{since}",
            baseline(&found.basis),
            self.sentence(first)
        )];
        if !matches!(first.asked.question, Question::SlowTurns) {
            reasons.extend(self.by_part());
        }
        let chance = chance(found.p_slower);
        match &found.basis {
            Basis::Runs(of) => reasons.push(format!(
                "95 % prediction interval for a new run of the baseline's agent: {} to {} ms; a run this slow \
                 occurs by chance in {chance}",
                number(of.expected.low),
                number(of.expected.high),
            )),
            Basis::Calls => reasons.push(format!(
                "a run this slow occurs by chance in {chance}, if runs of an unchanged agent differ by {:.0} %",
                ASSUMED_DRIFT * 100.0
            )),
        }
        if first.standing == Stands::Suspected {
            reasons.push("the next run confirms it or does not".to_owned());
        }
        reasons
    }

    /// Since when something is suspected, where it is not since this run.
    fn since(&self, question: Question) -> String {
        let of = self.suspected.iter().find(|s| s.asked.question == question);
        match of.and_then(|s| s.since.as_ref()) {
            Some(since) => format!("; so since {} ({})", since.run, since.started_at),
            None => String::new(),
        }
    }

    /// What is slower by what matters and did not decide: no pass stands without it.
    fn but(&self) -> String {
        let answers = (self.decision.answers.iter())
            .filter(|a| a.found.matters() && a.found.p_slower <= super::asked::LEANING)
            .filter(|a| !matches!(a.standing, Stands::Worse | Stands::Suspected))
            .map(|a| self.short(a));
        let changes = self.comparison.changes.iter().filter(|change| {
            change.metric == self.comparison.primary
                && change.direction == Direction::Slower
                && change.difference.point >= change.min_effect_ms
        });
        let changes = changes.map(|change| {
            let by = share(change.difference.point, change.baseline);
            let ms = signed(change.difference.point);
            format!("{} {} {ms} ms ({by})", change.metric.name(), statistic(change.statistic))
        });
        let named: Vec<String> = answers.chain(changes).take(NAMED).collect();
        let refused = self.decision.counts.suspicious().filter(|_| {
            self.standing == Standing::Unclear
                && self.decision.deciding().any(|a| a.standing == Stands::Better)
        });
        let refused = refused.map_or(String::new(), |what| {
            format!("; faster, and no improvement, because more {what}")
        });
        match named.as_slice() {
            [] => refused,
            [one] => format!("; but {one}, which does not decide{refused}"),
            several => format!("; but {}, which do not decide{refused}", several.join(", ")),
        }
    }

    /// Why the comparison is unclear, and what would settle it.
    fn doubt(&self, chief: &Answered) -> String {
        let found = &chief.found;
        if found.is_bound() {
            return format!(
                "too many turns were unanswered: {} is only a lower bound",
                self.name(chief)
            );
        }
        let of = self.decision.doubtful().unwrap_or(chief);
        let remedy = settle::remedy(&of.found, self.sizes.calls);
        let is_chief = of.asked == chief.asked;
        let name = if is_chief { String::new() } else { format!("{}: ", self.name(of)) };
        let effect = number(of.found.min_effect_ms);
        match &of.found.basis {
            _ if self.decision.counts.suspicious().is_some()
                && chief.standing == Stands::Better =>
            {
                "it is not known whether it got better".to_owned()
            }
            Basis::Calls => format!(
                "{name}cannot confirm or rule out a slowdown of {effect} ms or more; {remedy}"
            ),
            Basis::Runs(_) if of.found.matters() => format!(
                "{name}slower by more than the minimum effect, but a run of the baseline's agent is this slow by \
                 chance in {}; {remedy}",
                chance(of.found.p_slower)
            ),
            Basis::Runs(_) if of.found.p_slower <= of.level => format!(
                "{name}slower than chance explains, and a slowdown of {effect} ms or more is not ruled out; \
                 {remedy}"
            ),
            Basis::Runs(_) => format!("the accepted runs vary too much for a verdict; {remedy}"),
        }
    }

    /// `typical turn`, ``turn `price` ``, `slow turns`, `heard_e2e_latency p95`.
    fn name(&self, answer: &Answered) -> String {
        match (answer.asked.question, &answer.asked.step) {
            (_, Some(step)) => format!("turn `{step}`"),
            (Question::SlowTurns, None) => "slow turns".to_owned(),
            (Question::Primary, None) => {
                format!("{} {}", self.sizes.metric.name(), quantile(self.sizes.percent))
            }
            _ => "typical turn".to_owned(),
        }
    }

    /// `typical turn 1,123 → 1,534 ms (+411 ms, +37 %; 96 % interval +390 to +431)`.
    fn sentence(&self, answer: &Answered) -> String {
        let found = &answer.found;
        let side = |value: f64, is_bound: bool| {
            let sign = if is_bound { "\u{2265}\u{a0}" } else { "" };
            format!("{sign}{}", number(value))
        };
        format!(
            "{} {} → {} ms ({} ms, {}; {} % interval {})",
            self.name(answer),
            side(found.baseline, found.baseline_is_bound),
            side(found.run, found.run_is_bound),
            signed(found.difference.point),
            share(found.difference.point, found.baseline),
            level(found.confidence()),
            range(&found.difference)
        )
    }

    /// `slow turns +1,400 ms (+40 %)`.
    fn short(&self, answer: &Answered) -> String {
        let found = &answer.found;
        format!(
            "{} {} ms ({})",
            self.name(answer),
            signed(found.difference.point),
            share(found.difference.point, found.baseline)
        )
    }

    /// `, mainly llm_node_ttft (+402 ms)`.
    fn chief_part(&self) -> String {
        let Some(attribution) = &self.comparison.attribution else { return String::new() };
        match attribution.chief() {
            Some(chief) => {
                format!(", mainly {} ({} ms)", chief.part.name(), signed(chief.change_ms))
            }
            None => ", with no stage contributing half of it".to_owned(),
        }
    }

    /// The largest contribution to the change of a step.
    fn part_of_step(&self, answer: &Answered) -> String {
        let step = self.waits.iter().find(|wait| Some(&wait.id) == answer.asked.step.as_ref());
        let attribution = self.comparison.attribution.as_ref();
        let of = step.zip(attribution).and_then(|(wait, attribution)| {
            let change = attribution.steps.iter().find(|change| change.step == wait.step)?;
            change.own.first().filter(|part| part.change_ms > 0.0)
        });
        of.map_or(String::new(), |part| {
            format!(", mainly {} ({} ms)", part.part.name(), signed(part.change_ms))
        })
    }

    /// `by stage, in ms: +268 llm_node_ttft, +31 end_of_turn_delay, +11 unattributed = +310`.
    fn by_part(&self) -> Option<String> {
        let Some(attribution) = &self.comparison.attribution else {
            return has_parts(self.sizes.metric).then(|| {
                "the stage is unknown: the agent reports no stages for these turns".to_owned()
            });
        };
        let whole = attribution.whole_ms();
        let total: i64 = whole.iter().map(|(_, ms)| ms).sum();
        let listed = whole.iter().filter(|(_, ms)| *ms != 0);
        let parts: Vec<String> = listed
            .map(|(part, ms)| format!("{} {}", signed_ms(*ms), part.map_or(REST, Part::name)))
            .collect();
        Some(format!("by stage, in ms: {} = {}", parts.join(", "), signed_ms(total)))
    }
}

fn is_typical(answer: &Answered) -> bool {
    match answer.asked.question {
        Question::TypicalTurn | Question::Primary => true,
        Question::CallsOk | Question::CutIns | Question::SlowTurns | Question::WorstStep => false,
    }
}

/// `the baseline`, `the 7 accepted runs`.
fn baseline(basis: &Basis) -> String {
    match basis {
        Basis::Calls => "the baseline".to_owned(),
        Basis::Runs(of) => format!("the {} accepted runs", number_of(of.runs)),
    }
}

fn statistic(statistic: Statistic) -> String {
    match statistic {
        Statistic::Quantile(percent) => quantile(percent),
        Statistic::Spread => "spread".to_owned(),
    }
}

/// `+37 %`; of a baseline that is not above zero `no share`.
fn share(ms: f64, baseline: f64) -> String {
    let share = ms / baseline * 100.0;
    if baseline > 0.0 && share.is_finite() {
        format!("{} %", signed(share))
    } else {
        "no share".to_owned()
    }
}

/// `96`, `99.2`.
fn level(percent: f64) -> String {
    let text = format!("{percent:.1}");
    text.trim_end_matches(".0").to_owned()
}

/// What no part of the typical turns explains.
const REST: &str = "other turns and mix";

#[expect(clippy::cast_precision_loss, reason = "a latency in milliseconds is far below 2^52")]
fn signed_ms(ms: i64) -> String {
    signed(ms as f64)
}
