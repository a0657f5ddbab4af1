//! The accepted runs that later ones are compared with.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::OnceLock;

use super::comparable::{Difference, NotComparable, comparable};
use super::figures::Figures;
use super::health::{Unfit, unfit};
use super::nights::{MAX_NIGHTS, Night};
use super::questions::Suspicion;
use crate::measured::{self, Fingerprint, Kind, Measured, MeasuredError, StepPrint};
use crate::record::CallId;
use crate::scenario::Scenario;
use crate::turn::{Analysis, Measures, Value};

/// The largest baseline file that is written or read: seven runs of 10,000 calls with ten turns and all stages take
/// a third of it.
pub const MAX_BYTES: usize = 32 << 20;

/// At least one accepted run, all of the same script, and what is recorded of the nights since.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// They set the level. Oldest first; never empty.
    runs: Vec<Measured>,
    /// Of these runs and of later ones, the oldest first; none of runs that were accepted before nights were recorded.
    nights: Vec<Night>,
    /// Of all runs together, with the calls numbered through, once somebody asks: it takes as much memory again.
    together: OnceLock<Measures>,
}

impl PartialEq for Baseline {
    fn eq(&self, other: &Self) -> bool {
        (&self.runs, &self.nights) == (&other.runs, &other.nights)
    }
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
        let accepted_at = Some(accepted_at.to_owned());
        let measured =
            Measured { accepted_at, ..Measured::take(analysis, scenario, true).compact() };
        let night = Night::of(&measured);
        Ok(Self::made(vec![measured], vec![night]))
    }

    /// The same with what was suspected of its newest run.
    #[must_use]
    pub fn suspecting(mut self, suspected: &[Suspicion]) -> Self {
        if let Some(night) = self.nights.last_mut() {
            night.suspected = suspected.to_vec();
        }
        self
    }

    /// A run as the baseline of another one. It has to be valid.
    pub fn from_run(run: Measured) -> Self {
        Self::made(vec![run.compact()], Vec::new())
    }

    /// Reads a baseline file.
    pub fn parse(text: &str) -> Result<Self, MeasuredError> {
        let (runs, nights) = measured::parse::<Night>(Kind::Baseline, text)?;
        let mut ids = BTreeSet::new();
        if let Some(twice) = nights.iter().find(|night| !ids.insert(&night.run)) {
            let twice = format!("night {} is there twice", twice.run);
            return Err(MeasuredError::Contradictory(twice));
        }
        Ok(Self::made(runs.into_iter().map(Measured::compact).collect(), nights))
    }

    /// Writes the file, ending in a line break. Equal baselines have equal text.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] beyond [`MAX_BYTES`].
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut out = Limited { out, left: MAX_BYTES };
        measured::write(Kind::Baseline, (&self.runs, &self.nights), &mut out)
    }

    /// The text of the file.
    #[cfg(test)]
    pub(crate) fn to_json(&self) -> String {
        measured::text(|out| self.write(out))
    }

    /// This baseline with the runs of another one. They set the level while it has fewer than `level` runs; after that
    /// a run is a night that says how much nights differ.
    pub fn with(&self, newer: Self, level: usize) -> Result<Self, CannotAccept> {
        let (old, new) = (self.newest(), newer.newest());
        comparable((&old.fingerprint, &old.steps), (&new.fingerprint, &new.steps)).map_err(
            |NotComparable { differences, .. }| {
                let all: Vec<String> = differences.iter().map(ToString::to_string).collect();
                CannotAccept::Other(all.join("; "))
            },
        )?;
        let known: BTreeSet<&str> = self.run_ids().chain(self.later_ids()).collect();
        if let Some(twice) = newer.run_ids().find(|id| known.contains(id)) {
            return Err(CannotAccept::Twice(twice.to_owned()));
        }
        let wanted = level.saturating_sub(self.runs.len());
        let mut runs = self.runs.clone();
        runs.extend(newer.runs.into_iter().take(wanted));
        let steps = runs.last().map(|run| run.steps.clone()).unwrap_or_default();
        for run in &mut runs {
            run.steps.clone_from(&steps);
        }
        let mut nights: Vec<Night> = self.nights.iter().cloned().chain(newer.nights).collect();
        nights.drain(..nights.len().saturating_sub(MAX_NIGHTS));
        Ok(Self::made(runs, nights))
    }

    /// The baseline without the run of this id; `None` when no other run was accepted.
    pub fn without(&self, run_id: &str) -> Option<Cow<'_, Self>> {
        if self.run_ids().chain(self.later_ids()).all(|id| id != run_id) {
            return Some(Cow::Borrowed(self));
        }
        let others = self.runs.iter().filter(|run| run.run_id != run_id);
        let others: Vec<Measured> = others.cloned().collect();
        let nights = self.nights.iter().filter(|night| night.run != run_id).cloned().collect();
        (!others.is_empty()).then(|| Cow::Owned(Self::made(others, nights)))
    }

    /// The figures of nights that came after the level was set, the oldest first: they say how much nights differ.
    pub fn later(&self) -> impl Iterator<Item = &Figures> {
        self.later_nights().map(|night| &night.figures)
    }

    /// How many nights came after the level was set.
    pub fn later_count(&self) -> usize {
        self.later_nights().count()
    }

    fn later_nights(&self) -> impl Iterator<Item = &Night> {
        let level: BTreeSet<&str> = self.run_ids().collect();
        self.nights.iter().filter(move |night| !level.contains(night.run.as_str()))
    }

    fn later_ids(&self) -> impl Iterator<Item = &str> {
        self.later_nights().map(|night| night.run.as_str())
    }

    /// What looked worse in the newest night, each with the night since when.
    pub fn suspicions(&self) -> Vec<Suspicion> {
        self.nights.last().map(Night::suspicions).unwrap_or_default()
    }

    /// All of it was accepted; not so a run that is compared with as if it were a baseline.
    pub fn is_accepted(&self) -> bool {
        self.runs.iter().all(|run| run.accepted_at.is_some())
    }

    fn made(runs: Vec<Measured>, nights: Vec<Night>) -> Self {
        Self { runs, nights, together: OnceLock::new() }
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

    /// The accepted runs, the oldest first.
    pub(super) fn accepted(&self) -> &[Measured] {
        &self.runs
    }

    /// What each run measured and what it was of, the oldest first.
    pub(super) fn sides(&self) -> impl Iterator<Item = (&Measures, &Fingerprint)> {
        self.runs.iter().map(|run| (&run.measures, &run.fingerprint))
    }

    /// What all runs measured together, to the microsecond, with the calls numbered through.
    pub fn measures(&self) -> &Measures {
        match self.runs.as_slice() {
            [only] => &only.measures,
            several => self.together.get_or_init(|| together(several)),
        }
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
