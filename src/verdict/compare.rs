//! The run against its baseline.
//!
//! A change is called **worse** when its 95 % interval lies above zero *and* the change itself is at
//! least the minimum effect (relative and absolute); **better** is the mirror image. It is **no
//! worse** when the interval excludes a slowdown of the minimum effect. Anything else is **unclear**.
//! Both halves are needed: with enough calls every change is beyond chance, however small, and with
//! few calls every change is large.
//!
//! One baseline run cannot tell how much runs differ by themselves; that is said with every verdict.

use super::attribution;
use super::thresholds::{rate_of, sample};
use super::words::{number, number_of, quantile, range, signed};
use super::{Baseline, Change, Comparison, Judging, values_needed};
use crate::scenario::{BaselineRule, Metric};
use crate::stats::{
    DEFAULT_RESAMPLES, Resampling, Sample, alike, difference_interval, rate_difference,
};
use crate::turn::{Measures, Part};

/// Fewer calls than this on either side are not compared.
const MIN_CALLS: usize = 5;
/// A number of calls above this is not recommended but called very many.
const MANY_CALLS: f64 = 10_000.0;

/// How a run stands against its baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    NoWorse,
    Better,
    Worse,
    Unclear,
    NotComparable,
}

pub(super) struct Compared {
    pub(super) standing: Standing,
    pub(super) comparison: Option<Comparison>,
    pub(super) reasons: Vec<String>,
    pub(super) notes: Vec<String>,
}

pub(super) fn with_baseline(input: &Judging<'_>, baseline: &Baseline) -> Compared {
    let comparable = baseline.comparable(input.run, input.scenario);
    let differences = match comparable.or_else(|other| other.allowed(input.different)) {
        Ok(differences) => differences,
        Err(other) => {
            let (standing, reasons) = (Standing::NotComparable, vec![other.to_string()]);
            return Compared { standing, comparison: None, reasons, notes: Vec::new() };
        }
    };
    let rule = input.scenario.baseline();
    let (old, new) = (baseline.measures(), &input.analysis.measures);
    let primary = Primary::of(rule, old, new, input.seed);
    let moved = primary.change.filter(|_| has_parts(rule.primary)).map(|c| c.difference.point);
    let attribution = moved.and_then(|ms| attribution::of(old, new, rule.quantile, ms));
    let mut changes: Vec<Change> = primary.change.into_iter().collect();
    changes.extend(other_changes(rule, old, new, input.seed));
    let comparison = Comparison {
        baseline_run_id: baseline.run_id().to_owned(),
        primary: rule.primary,
        quantile: rule.quantile,
        min_effect_ms: primary.min_effect_ms,
        changes,
        attribution,
    };

    let mut standing = primary.standing;
    let mut reasons = primary.reasons(&comparison);
    if let Some(fewer) = fewer_calls_ok(old, new) {
        // What the latency does matters less when calls fail.
        reasons.insert(if standing == Standing::Worse { reasons.len() } else { 0 }, fewer);
        standing = Standing::Worse;
    }
    let mut notes: Vec<String> = Vec::new();
    if primary.restricted {
        let name = rule.primary.name();
        notes.push(format!(
            "{name} is compared by steps: the run and the baseline do not have the same share of each"
        ));
    }
    notes.extend(differences.iter().map(|d| format!("differs from the baseline: {d}")));
    notes.push(format!(
        "the baseline is one run ({}): how much runs differ by themselves is not accounted for",
        baseline.run_id()
    ));
    Compared { standing, comparison: Some(comparison), reasons, notes }
}

/// Whether a metric is made of the agent's stages.
fn has_parts(metric: Metric) -> bool {
    metric == Metric::HeardE2eLatency
}

/// The metric that decides.
struct Primary {
    rule: BaselineRule,
    standing: Standing,
    change: Option<Change>,
    min_effect_ms: f64,
    /// Calls with a value in the baseline and in the run.
    calls: (usize, usize),
    /// The same for values.
    values: (usize, usize),
    /// The two have different shares of the steps.
    restricted: bool,
}

impl Primary {
    fn of(rule: BaselineRule, old: &Measures, new: &Measures, seed: u64) -> Self {
        let (old, new) = (sample(old.values(rule.primary)), sample(new.values(rule.primary)));
        let size =
            |of: fn(&Sample) -> usize| (old.as_ref().map_or(0, of), new.as_ref().map_or(0, of));
        let (calls, values) = (size(Sample::clusters), size(Sample::len));
        let alike = old.as_ref().zip(new.as_ref()).and_then(|(old, new)| alike(old, new));
        let restricted = alike.as_ref().is_some_and(|(a, _)| Some(a) != old.as_ref());
        let change = alike.map(|(old, new)| change(rule.primary, rule.quantile, &old, &new, seed));
        let min_effect_ms = change.map_or(rule.min_effect_abs_ms, |c| min_effect(rule, &c));
        let enough = calls.0.min(calls.1) >= MIN_CALLS
            && values.0.min(values.1) >= values_needed(rule.quantile);
        let standing = match change {
            Some(change) if enough => judge(&change, min_effect_ms),
            Some(_) | None => Standing::Unclear,
        };
        Self { rule, standing, change, min_effect_ms, calls, values, restricted }
    }

    fn reasons(&self, comparison: &Comparison) -> Vec<String> {
        let Some(change) = &self.change else {
            let name = self.rule.primary.name();
            let why = match self.values {
                (0, _) => "the baseline has no value of it",
                (_, 0) => "the run has no value of it",
                _ => "no step has values of it in both the baseline and the run",
            };
            return vec![format!("{name} cannot be compared: {why}")];
        };
        let what = sentence(change);
        let effect = number(self.min_effect_ms);
        match self.standing {
            Standing::Worse | Standing::Better => {
                let word = if self.standing == Standing::Worse { "worse" } else { "better" };
                let chief = chief_part(comparison);
                let mut reasons = vec![format!("{word} than the baseline: {what}{chief}")];
                if has_parts(self.rule.primary) {
                    reasons.push(by_part(comparison));
                }
                reasons
            }
            Standing::NoWorse => vec![format!(
                "no worse than the baseline: {what}; a slowdown of {effect} ms or more is excluded"
            )],
            Standing::Unclear | Standing::NotComparable => {
                vec![format!("{what}: {}", self.doubt(change))]
            }
        }
    }

    /// Why the comparison is unclear, and what would settle it.
    fn doubt(&self, change: &Change) -> String {
        let need = values_needed(self.rule.quantile);
        let q = quantile(self.rule.quantile);
        if self.calls.0.min(self.calls.1) < MIN_CALLS {
            return format!(
                "too few calls to compare ({} in the baseline, {} in the run); {MIN_CALLS} are the least",
                self.calls.0, self.calls.1
            );
        }
        if self.values.0.min(self.values.1) < need {
            return format!(
                "too few turns to compare {q} ({} in the baseline, {} in the run); {need} are the least",
                self.values.0, self.values.1
            );
        }
        if change.baseline_is_bound || change.run_is_bound {
            return format!("so many turns had no reply that {q} is only known to be larger");
        }
        format!(
            "a slowdown of {} ms or more can be neither shown nor excluded; {}",
            number(self.min_effect_ms),
            self.calls_needed(change)
        )
    }

    /// The width of an interval falls with the root of the number of calls; the number is the one at
    /// which the interval around the same change would lie on one side of the line in question.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 calls")]
    fn calls_needed(&self, change: &Change) -> String {
        let point = change.difference.point;
        let room = if point < self.min_effect_ms { self.min_effect_ms - point } else { point };
        // Close to the line no number of calls helps; then a fair one is named.
        let room = room.max(self.min_effect_ms / 4.0);
        let (old, new) = (self.calls.0 as f64, self.calls.1 as f64);
        let harmonic = 2.0 / (1.0 / old + 1.0 / new);
        let need = (harmonic * (change.difference.half_width() / room).powi(2)).ceil();
        // An interval need not lie evenly around its point.
        let need = need.max(old.min(new) + 1.0);
        let now = format!("now {} and {}", number_of(self.calls.0), number_of(self.calls.1));
        if need > MANY_CALLS {
            return format!("it would take very many calls ({now}), so allow for a larger effect");
        }
        format!(
            "about {} calls in the baseline and in the run would settle it ({now})",
            number(need)
        )
    }
}

/// The line between a change that matters and one that does not, in milliseconds.
fn min_effect(rule: BaselineRule, change: &Change) -> f64 {
    (rule.min_effect_rel * change.baseline.abs()).max(rule.min_effect_abs_ms)
}

fn judge(change: &Change, min_effect_ms: f64) -> Standing {
    let Change { difference, baseline_is_bound, run_is_bound, .. } = change;
    let worse = difference.low > 0.0 && difference.point >= min_effect_ms;
    let better = difference.high < 0.0 && difference.point <= -min_effect_ms;
    // What has a bound for its quantile is slower than it shows: such a run can be found worse but not
    // better, such a baseline the other way about.
    if worse && !baseline_is_bound {
        return Standing::Worse;
    }
    if better && !run_is_bound {
        return Standing::Better;
    }
    let excluded = match (baseline_is_bound, run_is_bound) {
        (false, false) => difference.high < min_effect_ms,
        (true, false) => difference.point <= 0.0,
        (false | true, true) => false,
    };
    if excluded { Standing::NoWorse } else { Standing::Unclear }
}

fn change(metric: Metric, percent: f64, old: &Sample, new: &Sample, seed: u64) -> Change {
    let (was, is) = (old.quantile(percent), new.quantile(percent));
    let how = Resampling { resamples: DEFAULT_RESAMPLES, seed };
    Change {
        metric,
        quantile: percent,
        baseline: was.value,
        run: is.value,
        baseline_is_bound: was.lower_bound,
        run_is_bound: is.lower_bound,
        difference: difference_interval(old, new, percent, &how),
    }
}

/// The medians of the other latencies, to be looked at; they decide nothing.
fn other_changes(rule: BaselineRule, old: &Measures, new: &Measures, seed: u64) -> Vec<Change> {
    let is_primary = |m: Metric| m == rule.primary && (rule.quantile - 50.0).abs() < 1e-9;
    let others = Metric::ALL.into_iter().filter(|m| m.is_time() && !is_primary(*m));
    others
        .filter_map(|metric| {
            let (old, new) = (sample(old.values(metric))?, sample(new.values(metric))?);
            if old.clusters().min(new.clusters()) < MIN_CALLS {
                return None;
            }
            let (old, new) = alike(&old, &new)?;
            Some(change(metric, 50.0, &old, &new, seed))
        })
        .collect()
}

/// That more calls fail than in the baseline, beyond chance.
fn fewer_calls_ok(old: &Measures, new: &Measures) -> Option<String> {
    let (old, new) = (rate_of(old.values(Metric::CallsOk)), rate_of(new.values(Metric::CallsOk)));
    let difference = rate_difference(old, new)?;
    (difference.high < 0.0).then(|| {
        format!(
            "more calls fail than in the baseline: {} of {} were ok → {} of {} \
             ({:+.1} points, 95 % interval {:+.1} to {:+.1})",
            old.hits,
            old.n,
            new.hits,
            new.n,
            difference.point * 100.0,
            difference.low * 100.0,
            difference.high * 100.0
        )
    })
}

/// `heard_e2e_latency p50 1,123 → 1,534 ms (+411 ms, 95 % interval +390 to +431)`.
fn sentence(change: &Change) -> String {
    let side = |value: f64, is_bound: bool| {
        let sign = if is_bound { "\u{2265}\u{a0}" } else { "" };
        format!("{sign}{}", number(value))
    };
    format!(
        "{} {} {} → {} ms ({} ms, 95 % interval {})",
        change.metric.name(),
        quantile(change.quantile),
        side(change.baseline, change.baseline_is_bound),
        side(change.run, change.run_is_bound),
        signed(change.difference.point),
        range(&change.difference)
    )
}

/// `, chiefly llm_node_ttft (+402 ms)`.
fn chief_part(comparison: &Comparison) -> String {
    let Some(attribution) = &comparison.attribution else { return String::new() };
    match attribution.chief() {
        Some(chief) => {
            format!(", chiefly {} ({} ms)", chief.part.name(), signed(chief.change_ms))
        }
        None => ", with no part that makes half of it".to_owned(),
    }
}

/// `by part, in ms: +268 llm_node_ttft, +31 end_of_turn_delay, +11 unattributed = +310`.
fn by_part(comparison: &Comparison) -> String {
    let Some(attribution) = &comparison.attribution else {
        return "where it comes from is not known: the agent reports no stages for these turns"
            .to_owned();
    };
    let whole = attribution.whole_ms();
    let total: i64 = whole.iter().map(|(_, ms)| ms).sum();
    let listed = whole.iter().filter(|(_, ms)| *ms != 0);
    let parts: Vec<String> = listed
        .map(|(part, ms)| format!("{} {}", signed_ms(*ms), part.map_or(REST, Part::name)))
        .collect();
    format!("by part, in ms: {} = {}", parts.join(", "), signed_ms(total))
}

/// What no part of the typical turns explains.
const REST: &str = "other turns and mix";

#[expect(clippy::cast_precision_loss, reason = "a latency in milliseconds is far below 2^52")]
fn signed_ms(ms: i64) -> String {
    signed(ms as f64)
}

#[cfg(test)]
mod tests;
