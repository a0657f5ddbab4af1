//! The accepted runs that later ones are compared with.

use std::borrow::Cow;
use std::io::{self, Write};

use super::comparable::{Difference, NotComparable, comparable};
use super::health::{Unfit, unfit};
use crate::measured::{self, Fingerprint, Kind, Measured, MeasuredError, Nothing, StepPrint};
use crate::record::CallId;
use crate::scenario::Scenario;
use crate::turn::{Analysis, Measures, Value};

/// The largest baseline file that is written or read: seven runs of 10,000 calls with ten turns and all stages take
/// half of it.
pub const MAX_BYTES: usize = 32 << 20;

/// At least one accepted run, all of the same script.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// Oldest first; never empty.
    runs: Vec<Measured>,
    /// Of all runs together, with the calls numbered through; `None` for a single run.
    together: Option<Measures>,
}

/// A writer of a file of limited size.
struct Limited<'a> {
    out: &'a mut dyn Write,
    left: usize,
}

impl Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len());
        self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        self.out.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Why a run cannot become a baseline or part of one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CannotAccept {
    #[error("this run cannot become a baseline: {0}")]
    Unfit(#[from] Unfit),
    #[error("run {0} is already in the baseline")]
    Twice(String),
    #[error("this run does not match the runs in the baseline: {0}")]
    Other(String),
}

impl Baseline {
    /// A baseline of one run that was just analysed. `accepted_at` is the time of doing so (RFC 3339).
    pub fn accept(
        analysis: &Analysis,
        scenario: &Scenario,
        accepted_at: &str,
    ) -> Result<Self, CannotAccept> {
        if let Some(unfit) = unfit(analysis) {
            return Err(CannotAccept::Unfit(unfit));
        }
        let measured = Measured::take(analysis, scenario, true);
        Ok(Self::from_run(Measured { accepted_at: Some(accepted_at.to_owned()), ..measured }))
    }

    /// A run as the baseline of another one. It has to be valid.
    pub fn from_run(run: Measured) -> Self {
        Self::made(vec![run.compact()])
    }

    /// Reads a baseline file.
    pub fn parse(text: &str) -> Result<Self, MeasuredError> {
        let (runs, _) = measured::parse::<Nothing>(Kind::Baseline, text)?;
        Ok(Self::made(runs.into_iter().map(Measured::compact).collect()))
    }

    /// Writes the file, ending in a line break. Equal baselines have equal text.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] beyond [`MAX_BYTES`].
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut out = Limited { out, left: MAX_BYTES };
        measured::write::<Nothing>(Kind::Baseline, (&self.runs, &[]), &mut out)
    }

    /// The text of the file.
    #[cfg(test)]
    pub(crate) fn to_json(&self) -> String {
        measured::text(|out| self.write(out))
    }

    /// This baseline with the runs of another at its end, of which the newest `keep` remain.
    pub fn with(&self, newer: Self, keep: usize) -> Result<Self, CannotAccept> {
        let (old, new) = (self.newest(), newer.newest());
        comparable((&old.fingerprint, &old.steps), (&new.fingerprint, &new.steps)).map_err(
            |NotComparable { differences, .. }| {
                let all: Vec<String> = differences.iter().map(ToString::to_string).collect();
                CannotAccept::Other(all.join("; "))
            },
        )?;
        let twice = newer.runs.iter().find(|n| self.runs.iter().any(|o| o.run_id == n.run_id));
        if let Some(twice) = twice {
            return Err(CannotAccept::Twice(twice.run_id.clone()));
        }
        let steps = new.steps.clone();
        let mut runs: Vec<Measured> = self.runs.iter().cloned().chain(newer.runs).collect();
        runs.drain(..runs.len().saturating_sub(keep.max(1)));
        for run in &mut runs {
            run.steps.clone_from(&steps);
        }
        Ok(Self::made(runs))
    }

    /// The accepted runs but the one with this id; `None` when there is no other.
    pub fn without(&self, run_id: &str) -> Option<Cow<'_, Self>> {
        if self.run_ids().all(|id| id != run_id) {
            return Some(Cow::Borrowed(self));
        }
        let others = self.runs.iter().filter(|run| run.run_id != run_id);
        let others: Vec<Measured> = others.cloned().collect();
        (!others.is_empty()).then(|| Cow::Owned(Self::made(others)))
    }

    /// All of it was accepted; not so a run that is compared with as if it were a baseline.
    pub fn is_accepted(&self) -> bool {
        self.runs.iter().all(|run| run.accepted_at.is_some())
    }

    fn made(runs: Vec<Measured>) -> Self {
        let together = (runs.len() > 1).then(|| together(&runs));
        Self { runs, together }
    }

    fn newest(&self) -> &Measured {
        self.runs.last().expect("a baseline has a run")
    }

    /// The id of the accepted run (of several, the newest).
    pub fn run_id(&self) -> &str {
        &self.newest().run_id
    }

    /// The ids of all accepted runs, the oldest first.
    pub fn run_ids(&self) -> impl ExactSizeIterator<Item = &str> {
        self.runs.iter().map(|run| run.run_id.as_str())
    }

    /// What each run measured, to the microsecond, the oldest first.
    pub fn runs(&self) -> impl ExactSizeIterator<Item = &Measures> {
        self.runs.iter().map(|run| &run.measures)
    }

    /// What each run measured and what it was of, the oldest first.
    pub(super) fn sides(&self) -> impl Iterator<Item = (&Measures, &Fingerprint)> {
        self.runs.iter().map(|run| (&run.measures, &run.fingerprint))
    }

    /// What all runs measured together, to the microsecond, with the calls numbered through.
    pub fn measures(&self) -> &Measures {
        self.together.as_ref().unwrap_or(&self.newest().measures)
    }

    /// Whether a run may be compared with this, and what differs from the newest accepted run all the
    /// same.
    pub fn comparable(
        &self,
        run: &Analysis,
        scenario: &Scenario,
    ) -> Result<Vec<Difference>, NotComparable> {
        let newest = self.newest();
        let (print, steps) =
            (Fingerprint::take(run, scenario), StepPrint::all(&run.head, scenario));
        comparable((&newest.fingerprint, &newest.steps), (&print, &steps))
    }
}

/// The values of all runs, with calls of different runs told apart.
fn together(runs: &[Measured]) -> Measures {
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
