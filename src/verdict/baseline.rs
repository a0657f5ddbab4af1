//! The accepted runs that later ones are held against.

use super::fingerprint::{Difference, Fingerprint, NotComparable, StepPrint, comparable};
use super::health::{Unfit, unfit};
use crate::record::{CallId, Run};
use crate::scenario::Scenario;
use crate::turn::{Analysis, Measures, Value};

mod file;
mod lines;

pub use file::{BaselineError, MAX_BYTES};

/// At least one accepted run, all of the same script: what they were of, and what they measured call
/// by call.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    steps: Vec<StepPrint>,
    /// Oldest first; never empty.
    runs: Vec<Accepted>,
    /// Of all runs together, with the calls numbered through.
    measures: Measures,
}

/// One run of a baseline.
#[derive(Debug, Clone, PartialEq)]
struct Accepted {
    id: String,
    /// RFC 3339.
    at: String,
    fingerprint: Fingerprint,
    measures: Measures,
}

/// Why a run cannot become a baseline or part of one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CannotAccept {
    #[error("this run is no measure for others: {0}")]
    Unfit(#[from] Unfit),
    #[error("run {0} is in the baseline already")]
    Twice(String),
    #[error("this run cannot stand beside those in the baseline: {0}")]
    Other(String),
}

impl Baseline {
    /// Makes one run the measure for later ones. `accepted_at` is the time of doing so (RFC 3339).
    pub fn of(
        run: &Run,
        scenario: &Scenario,
        analysis: &Analysis,
        accepted_at: &str,
    ) -> Result<Self, CannotAccept> {
        if let Some(unfit) = unfit(run) {
            return Err(CannotAccept::Unfit(unfit));
        }
        let accepted = Accepted {
            id: run.head.run_id.clone(),
            at: accepted_at.to_owned(),
            fingerprint: Fingerprint::of(run, scenario),
            measures: file::rounded(&analysis.measures),
        };
        Ok(Self::made(StepPrint::all(run, scenario), vec![accepted]))
    }

    /// This baseline with the runs of another at its end, of which the newest `keep` remain.
    pub fn with(&self, newer: Self, keep: usize) -> Result<Self, CannotAccept> {
        let (old, new) = (self.newest(), newer.newest());
        comparable((&old.fingerprint, &self.steps), (&new.fingerprint, &newer.steps)).map_err(
            |NotComparable { differences, .. }| {
                let all: Vec<String> = differences.iter().map(ToString::to_string).collect();
                CannotAccept::Other(all.join("; "))
            },
        )?;
        if let Some(twice) = newer.runs.iter().find(|n| self.runs.iter().any(|o| o.id == n.id)) {
            return Err(CannotAccept::Twice(twice.id.clone()));
        }
        let mut runs: Vec<Accepted> = self.runs.iter().cloned().chain(newer.runs).collect();
        runs.drain(..runs.len().saturating_sub(keep.max(1)));
        Ok(Self::made(newer.steps, runs))
    }

    fn made(steps: Vec<StepPrint>, runs: Vec<Accepted>) -> Self {
        let measures = together(&runs);
        Self { steps, runs, measures }
    }

    fn newest(&self) -> &Accepted {
        self.runs.last().expect("a baseline has a run")
    }

    /// The id of the accepted run (of several, the newest).
    pub fn run_id(&self) -> &str {
        &self.newest().id
    }

    /// The ids of all accepted runs, the oldest first.
    pub fn run_ids(&self) -> impl ExactSizeIterator<Item = &str> {
        self.runs.iter().map(|run| run.id.as_str())
    }

    /// What each run measured, to the microsecond, the oldest first.
    pub fn runs(&self) -> impl ExactSizeIterator<Item = &Measures> {
        self.runs.iter().map(|run| &run.measures)
    }

    /// What all runs measured together, to the microsecond, with the calls numbered through.
    pub fn measures(&self) -> &Measures {
        &self.measures
    }

    /// Whether a run may be held against this, and what differs from the newest accepted run all the
    /// same.
    pub fn comparable(
        &self,
        run: &Run,
        scenario: &Scenario,
    ) -> Result<Vec<Difference>, NotComparable> {
        let (print, steps) = (Fingerprint::of(run, scenario), StepPrint::all(run, scenario));
        comparable((&self.newest().fingerprint, &self.steps), (&print, &steps))
    }
}

/// The values of all runs, with calls of different runs told apart.
fn together(runs: &[Accepted]) -> Measures {
    let mut all = Measures::default();
    let mut begin = 0;
    for run in runs {
        let mut end = begin;
        for (metric, values) in &run.measures.by_metric {
            let into = all.by_metric.entry(*metric).or_default();
            into.extend(values.iter().map(|value| {
                let call = value.call.0.saturating_add(begin);
                end = end.max(call.saturating_add(1));
                Value { call: CallId(call), ..*value }
            }));
        }
        begin = end;
    }
    all
}

#[cfg(test)]
mod tests;
