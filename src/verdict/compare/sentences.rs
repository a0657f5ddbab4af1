//! A comparison in words.

use super::super::{Basis, Change, Comparison, Difference, Direction, Learning};
use super::change::{Measured, Question};
use super::{MIN_CALLS, Primary, RUNS_FOR_DRIFT, Standing, has_parts, settle};
use crate::stats::Statistic;
use crate::text::{chance, number, number_of, quantile, range, signed};
use crate::turn::Part;

/// Metrics that are named in one sentence.
const NAMED: usize = 4;

impl Primary {
    pub(super) fn reasons(&self, comparison: &Comparison) -> Vec<String> {
        let Some(measured) = &self.measured else {
            let name = self.question.metric.name();
            let why = match self.values {
                (0, _) => "the baseline has no values",
                (_, 0) => "the run has no values",
                _ => "no step has values in both the baseline and the run",
            };
            return vec![format!("{name} cannot be compared: {why}")];
        };
        let change = &measured.change;
        if !self.decidable {
            return vec![format!("{}: {}", figures(change), self.too_few())];
        }
        let what = sentence(change);
        let effect = number(change.min_effect_ms);
        match self.standing {
            Standing::Worse | Standing::Better => {
                let (word, p) = if self.standing == Standing::Worse {
                    ("worse", measured.p_slower)
                } else {
                    ("better", measured.p_faster)
                };
                let chief = chief_part(comparison);
                let mut reasons = vec![format!("{word} than {}: {what}{chief}", baseline(change))];
                if has_parts(self.question.metric) {
                    reasons.push(by_part(comparison));
                }
                if let Basis::Runs(of) = &change.basis {
                    let slow = if self.standing == Standing::Worse { "slow" } else { "fast" };
                    reasons.push(format!(
                        "95 % prediction interval for a new run of the baseline's agent: {} to {} ms; \
                         a run this {slow} occurs by chance in {}",
                        number(of.expected.low),
                        number(of.expected.high),
                        chance(p)
                    ));
                }
                reasons
            }
            Standing::NoWorse if self.excluded => vec![format!(
                "no worse than {}: {what}; a slowdown of {effect} ms or more is ruled out",
                baseline(change)
            )],
            Standing::NoWorse => {
                let within = match &change.basis {
                    Basis::Runs(of) => format!(
                        "; 95 % prediction interval for a new run: {} to {} ms",
                        number(of.expected.low),
                        number(of.expected.high)
                    ),
                    Basis::Calls => String::new(),
                };
                vec![format!("no slower than {}: {what}{within}", baseline(change))]
            }
            Standing::Learning(Learning { runs, of }) => {
                let remedy = settle::remedy(change, &measured.errors, self.calls);
                vec![format!(
                    "learning, {runs} of {of} runs: {what}: a slowdown of {effect} ms or more is \
                     neither shown nor ruled out yet; {remedy}"
                )]
            }
            Standing::Unclear | Standing::NotComparable => {
                vec![format!("{what}: {}", self.doubt(measured))]
            }
        }
    }

    /// What is missing for a comparison.
    fn too_few(&self) -> String {
        let need = self.question.values_needed();
        let q = statistic(self.question.statistic);
        if self.calls.0.min(self.calls.1) < MIN_CALLS {
            return format!(
                "too few calls to compare ({} in the baseline, {} in the run); at least {MIN_CALLS} are needed",
                self.calls.0, self.calls.1
            );
        }
        format!(
            "too few turns to compare {q} ({} in the baseline, {} in the run); at least {need} are needed",
            self.values.0, self.values.1
        )
    }

    /// Why the comparison is unclear, and what would settle it.
    fn doubt(&self, measured: &Measured) -> String {
        let q = statistic(self.question.statistic);
        let change = &measured.change;
        if change.baseline_is_bound || change.run_is_bound {
            return format!("too many turns were unanswered: {q} is only a lower bound");
        }
        let effect = number(change.min_effect_ms);
        let remedy = settle::remedy(change, &measured.errors, self.calls);
        match &change.basis {
            Basis::Calls => {
                format!("cannot confirm or rule out a slowdown of {effect} ms or more; {remedy}")
            }
            Basis::Runs(_) if change.difference.point >= change.min_effect_ms => format!(
                "slower by more than the minimum effect, but a run of the baseline's agent is this slow \
                 by chance in {}; {remedy}",
                chance(measured.p_slower)
            ),
            Basis::Runs(_) if measured.p_slower <= self.level => format!(
                "slower than chance explains, and a slowdown of {effect} ms or more is not ruled out; \
                 {remedy}"
            ),
            Basis::Runs(_) => {
                format!("the accepted runs vary too much for a verdict; {remedy}")
            }
        }
    }
}

/// `the baseline`, `the 7 accepted runs`.
fn baseline(change: &Change) -> String {
    match &change.basis {
        Basis::Calls => "the baseline".to_owned(),
        Basis::Runs(of) => format!("the {} accepted runs", number_of(of.runs)),
    }
}

/// Notes on the comparison, whatever its result.
pub(super) fn notes(primary: &Primary, comparison: &Comparison) -> Vec<String> {
    let mut notes = Vec::new();
    let name = primary.question.metric.name();
    if let Some(measured) = &primary.measured {
        if measured.restricted {
            notes.push(format!(
                "{name} is compared step by step: run and baseline have different shares of the steps"
            ));
        }
        if primary.decidable {
            notes.push(settle::detectable(&measured.change));
        }
        if let Basis::Runs(of) = &measured.change.basis {
            notes.push(format!(
                "run-to-run standard deviation of the accepted runs: {} ms, of which {} ms come from \
                 their calls",
                number(of.between_runs_ms),
                number(of.sampling_ms)
            ));
        }
    }
    notes.extend(others(primary, comparison));
    if let Some(spread) = comparison.spread.as_ref().filter(|s| s.direction.differs()) {
        notes.push(format!(
            "spread changed: {name} p90 minus p50 {} → {} ms",
            number(spread.baseline),
            number(spread.run)
        ));
    }
    notes
}

/// The other metrics that changed beyond chance and by an amount that matters. They never fail a run.
fn others(primary: &Primary, comparison: &Comparison) -> Vec<String> {
    let mut notes = Vec::new();
    for (direction, word) in [(Direction::Slower, "slower"), (Direction::Faster, "faster")] {
        // What the verdict says already is not said again.
        let said = [(Standing::Worse, Direction::Slower), (Standing::Better, Direction::Faster)];
        if said.contains(&(primary.standing, direction)) {
            continue;
        }
        let is_primary =
            |c: &Change| Question { metric: c.metric, statistic: c.statistic } == primary.question;
        let changed: Vec<String> = (comparison.changes.iter())
            .filter(|c| c.direction == direction && !is_primary(c))
            .filter(|c| c.difference.point.abs() >= c.min_effect_ms)
            .map(|c| {
                let name = c.metric.name();
                format!("{name} {} ({} ms)", statistic(c.statistic), signed(c.difference.point))
            })
            .collect();
        let more = match changed.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        if !changed.is_empty() {
            let named = changed.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            notes.push(format!("also significantly {word}: {named}{more}"));
        }
    }
    notes
}

/// How the size of the baseline limits the comparison.
pub(super) fn baseline_note(newest: &str, runs: usize) -> Option<String> {
    match runs {
        1 => Some(format!(
            "the baseline is a single run ({newest}): run-to-run variation is not included (needs \
             {RUNS_FOR_DRIFT} accepted runs)"
        )),
        runs if runs < RUNS_FOR_DRIFT => Some(format!(
            "the baseline has {runs} runs: run-to-run variation is not included (needs \
             {RUNS_FOR_DRIFT} accepted runs)"
        )),
        _ => None,
    }
}

/// What differs from the baseline without forbidding the comparison: how much, in one line. A single
/// difference is named.
pub(super) fn differences(all: &[Difference]) -> Option<String> {
    match all {
        [] => None,
        [one] => Some(format!("differs from the baseline: {one}")),
        all => Some(format!("{} settings differ from the baseline, listed below", all.len())),
    }
}

/// `heard_e2e_latency p50 1,123 → 1,534 ms (+411 ms, 95 % interval +390 to +431)`.
fn sentence(change: &Change) -> String {
    format!(
        "{} ({} ms, 95 % interval {})",
        figures(change),
        signed(change.difference.point),
        range(&change.difference)
    )
}

/// `heard_e2e_latency p50 1,123 → 1,534 ms`.
fn figures(change: &Change) -> String {
    let side = |value: f64, is_bound: bool| {
        let sign = if is_bound { "\u{2265}\u{a0}" } else { "" };
        format!("{sign}{}", number(value))
    };
    format!(
        "{} {} {} → {} ms",
        change.metric.name(),
        statistic(change.statistic),
        side(change.baseline, change.baseline_is_bound),
        side(change.run, change.run_is_bound)
    )
}

fn statistic(statistic: Statistic) -> String {
    match statistic {
        Statistic::Quantile(percent) => quantile(percent),
        Statistic::Spread => "spread".to_owned(),
    }
}

/// `, mainly llm_node_ttft (+402 ms)`.
fn chief_part(comparison: &Comparison) -> String {
    let Some(attribution) = &comparison.attribution else { return String::new() };
    match attribution.chief() {
        Some(chief) => {
            format!(", mainly {} ({} ms)", chief.part.name(), signed(chief.change_ms))
        }
        None => ", with no stage contributing half of it".to_owned(),
    }
}

/// `by stage, in ms: +268 llm_node_ttft, +31 end_of_turn_delay, +11 unattributed = +310`.
fn by_part(comparison: &Comparison) -> String {
    let Some(attribution) = &comparison.attribution else {
        return "the stage is unknown: the agent reports no stages for these turns".to_owned();
    };
    let whole = attribution.whole_ms();
    let total: i64 = whole.iter().map(|(_, ms)| ms).sum();
    let listed = whole.iter().filter(|(_, ms)| *ms != 0);
    let parts: Vec<String> = listed
        .map(|(part, ms)| format!("{} {}", signed_ms(*ms), part.map_or(REST, Part::name)))
        .collect();
    format!("by stage, in ms: {} = {}", parts.join(", "), signed_ms(total))
}

/// What no part of the typical turns explains.
const REST: &str = "other turns and mix";

#[expect(clippy::cast_precision_loss, reason = "a latency in milliseconds is far below 2^52")]
fn signed_ms(ms: i64) -> String {
    signed(ms as f64)
}
