//! What is said beside the verdict of a comparison, whatever that is.

use super::super::super::{Basis, Change, Difference, Direction};
use super::super::asked::Answered;
use super::super::change::ASSUMED_DRIFT;
use super::super::{FailureChange, RUNS_FOR_DRIFT, Standing};
use super::{NAMED, Words, share, statistic};
use crate::text::{number, number_of, signed};

impl Words<'_> {
    /// Notes on the comparison, whatever its result.
    pub(in super::super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.decision.answers.iter().any(|answer| answer.restricted) {
            notes.push(format!(
                "{} is compared step by step: run and baseline have different shares of the steps",
                self.sizes.metric.name()
            ));
        }
        notes.extend(self.detectable());
        if let Some(Basis::Runs(of)) = self.decision.answers.first().map(|a| &a.found.basis) {
            notes.push(format!(
                "run-to-run standard deviation of the accepted runs: {} ms, of which {} ms come from their calls",
                number(of.between_runs_ms),
                number(of.sampling_ms)
            ));
        }
        notes.extend(self.others());
        if let Some(spread) = self.comparison.spread.as_ref().filter(|s| s.direction.differs()) {
            notes.push(format!(
                "spread changed: {} p90 minus p50 {} → {} ms",
                spread.metric.name(),
                number(spread.baseline),
                number(spread.run)
            ));
        }
        for event in self.comparison.events.iter().filter(|event| event.calls.more) {
            let FailureChange { baseline: was, run, .. } = event.calls;
            notes.push(format!(
                "more calls with {}: {} of {} → {} of {}",
                event.event.name(),
                number_of(usize::try_from(was.misses()).unwrap_or(usize::MAX)),
                number_of(usize::try_from(was.n).unwrap_or(usize::MAX)),
                number_of(usize::try_from(run.misses()).unwrap_or(usize::MAX)),
                number_of(usize::try_from(run.n).unwrap_or(usize::MAX)),
            ));
        }
        notes
    }

    /// `detects in about 90 % of cases slowdowns of: typical turn 190 ms (+17 %), slow turns 900 ms (+35 %)`.
    fn detectable(&self) -> Option<String> {
        let known = self.decision.deciding().filter(|answer| !answer.found.is_bound());
        let (steps, others): (Vec<&Answered>, Vec<&Answered>) =
            known.partition(|answer| answer.asked.step.is_some());
        let of = |a: &Answered| a.found.detectable_ms / a.found.baseline;
        let widest = steps.into_iter().max_by(|a, b| of(a).total_cmp(&of(b)));
        let each = others.into_iter().map(|a| (self.name(a), a));
        let each = each.chain(widest.map(|a| ("a single turn".to_owned(), a)));
        let each: Vec<String> = each
            .map(|(name, a)| {
                let (ms, of) = (a.found.detectable_ms, a.found.baseline);
                format!("{name} {} ms ({})", number(ms), share(ms, of))
            })
            .collect();
        (!each.is_empty()).then(|| {
            format!(
                "this comparison finds slowdowns from about these on, in 90 % of cases: {}",
                each.join(", ")
            )
        })
    }

    /// The other metrics that changed beyond chance and by an amount that matters. They never fail a run.
    fn others(&self) -> Vec<String> {
        let chance = match self.decision.answers.first().map(|a| &a.found.basis) {
            Some(Basis::Runs(_)) => "significantly".to_owned(),
            _ => format!("(if runs differ by {:.0} %) significantly", ASSUMED_DRIFT * 100.0),
        };
        let mut notes = Vec::new();
        for (direction, word) in [(Direction::Slower, "slower"), (Direction::Faster, "faster")] {
            let changed: Vec<String> = (self.comparison.changes.iter())
                .filter(|c| c.direction == direction)
                .filter(|c| c.difference.point.abs() >= c.min_effect_ms)
                .filter(|c| !self.is_said(c))
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
                notes.push(format!("also {chance} {word}: {named}{more}"));
            }
        }
        notes
    }

    /// What the verdict says of the chief latency is not said again.
    fn is_said(&self, change: &Change) -> bool {
        let is_chief = change.metric == self.comparison.primary;
        match change.direction {
            Direction::Slower => is_chief,
            Direction::Faster => is_chief && self.standing == Standing::Better,
            Direction::Alike | Direction::Unclear => false,
        }
    }
}

/// How the size of the baseline limits the comparison.
pub(in super::super) fn baseline_note(newest: &str, runs: usize) -> Option<String> {
    let taken = format!(
        "intervals are of the calls alone, and a change counts only beyond what a run-to-run deviation of {:.0} % explains \
         (it is known from {RUNS_FOR_DRIFT} accepted runs on)",
        ASSUMED_DRIFT * 100.0
    );
    match runs {
        1 => Some(format!("the baseline is a single run ({newest}): {taken}")),
        runs if runs < RUNS_FOR_DRIFT => Some(format!("the baseline has {runs} runs: {taken}")),
        _ => None,
    }
}

/// What differs from the baseline without forbidding the comparison: how much, in one line. A single
/// difference is named.
pub(in super::super) fn differences(all: &[Difference]) -> Option<String> {
    match all {
        [] => None,
        [one] => Some(format!("differs from the baseline: {one}")),
        all => Some(format!("{} settings differ from the baseline, listed below", all.len())),
    }
}
