//! The accepted run that later ones are held against, and its file.
//!
//! The file lies beside its scenario and is reviewed with it, so it is JSON with a line for each
//! thing: every field, step, column and call. Times are whole microseconds.
//!
//! Format 1: the first.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::fingerprint::{Difference, Fingerprint, NotComparable, StepPrint, comparable};
use super::health::{Unfit, unfit};
use crate::record::{CallId, Run};
use crate::scenario::{Metric, Scenario};
use crate::turn::{Analysis, Measures, Value};

mod lines;

/// The version of the file this loadcall writes, and the only one it reads.
pub const FORMAT: u32 = 1;
const KIND: &str = "loadcall baseline";

/// An accepted run: what it was of, and what it measured call by call.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    file: File,
    measures: Measures,
}

/// The file as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    kind: String,
    /// RFC 3339.
    accepted_at: String,
    /// Ids of the runs that were accepted, in order; one for now.
    runs: Vec<String>,
    fingerprint: Fingerprint,
    steps: Vec<StepPrint>,
    /// What the numbers of each call are, in order.
    columns: Vec<Column>,
    calls: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    metric: String,
    /// Index into `steps`; 0 for what belongs to the call as a whole.
    step: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    call: u32,
    /// Absent when the call says nothing about the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ok: Option<bool>,
    /// One for each column.
    us: Vec<Option<i64>>,
    /// Columns whose value is a lower bound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    at_least: Vec<u32>,
}

/// Why a run cannot become a baseline.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CannotAccept {
    #[error("this run is no measure for others: {0}")]
    Unfit(#[from] Unfit),
}

/// Why a baseline could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    #[error(
        "not a baseline (line {line}, column {column}: {why}); `loadcall accept RUN` writes one"
    )]
    NotABaseline { line: usize, column: usize, why: String },
    #[error("not a baseline (its kind is `{0}`); `loadcall accept RUN` writes one")]
    OtherKind(String),
    #[error(
        "baseline format {found} is newer than {FORMAT}, the one this loadcall reads; update loadcall"
    )]
    TooNew { found: u32 },
    #[error(
        "baseline format {found} is older than {FORMAT}, the one this loadcall reads; accept a run again"
    )]
    TooOld { found: u32 },
    #[error("the baseline contradicts itself ({0}); accept a run again")]
    Contradictory(String),
}

impl Baseline {
    /// Makes a run the measure for later ones. `accepted_at` is the time of doing so (RFC 3339).
    pub fn of(
        run: &Run,
        scenario: &Scenario,
        analysis: &Analysis,
        accepted_at: &str,
    ) -> Result<Self, CannotAccept> {
        if let Some(unfit) = unfit(run) {
            return Err(CannotAccept::Unfit(unfit));
        }
        let (columns, calls) = tabulate(run, &analysis.measures);
        let file = File {
            format: FORMAT,
            kind: KIND.to_owned(),
            accepted_at: accepted_at.to_owned(),
            runs: vec![run.head.run_id.clone()],
            fingerprint: Fingerprint::of(run, scenario),
            steps: StepPrint::all(run, scenario),
            columns,
            calls,
        };
        // From the file and not from the run, so that judging against a baseline gives the same
        // whether it was just made or read.
        let measures = file.measures();
        Ok(Self { file, measures })
    }

    /// Reads a baseline file.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let head: Head = serde_json::from_str(text).map_err(|e| not_a_baseline(&e))?;
        if head.kind != KIND {
            return Err(BaselineError::OtherKind(head.kind));
        }
        match head.format {
            found if found > FORMAT => return Err(BaselineError::TooNew { found }),
            found if found < FORMAT => return Err(BaselineError::TooOld { found }),
            _ => {}
        }
        let file: File = serde_json::from_str(text).map_err(|e| not_a_baseline(&e))?;
        if let Some(fault) = file.contradiction() {
            return Err(BaselineError::Contradictory(fault));
        }
        let measures = file.measures();
        Ok(Self { file, measures })
    }

    /// The text of the file, ending in a line break. Equal baselines have equal text.
    pub fn to_json(&self) -> String {
        lines::write(&self.file)
    }

    /// The id of the accepted run (of several, the newest).
    pub fn run_id(&self) -> &str {
        self.file.runs.last().map_or("", String::as_str)
    }

    /// When it was accepted, RFC 3339.
    pub fn accepted_at(&self) -> &str {
        &self.file.accepted_at
    }

    pub fn fingerprint(&self) -> &Fingerprint {
        &self.file.fingerprint
    }

    /// How many calls it has.
    pub fn calls(&self) -> usize {
        self.file.calls.len()
    }

    /// What it measured, to the microsecond.
    pub fn measures(&self) -> &Measures {
        &self.measures
    }

    /// Whether a run may be held against this, and what differs all the same.
    pub fn comparable(
        &self,
        run: &Run,
        scenario: &Scenario,
    ) -> Result<Vec<Difference>, NotComparable> {
        let (print, steps) = (Fingerprint::of(run, scenario), StepPrint::all(run, scenario));
        comparable((&self.file.fingerprint, &self.file.steps), (&print, &steps))
    }
}

/// What every version of the file has.
#[derive(Deserialize)]
struct Head {
    format: u32,
    kind: String,
}

fn not_a_baseline(error: &serde_json::Error) -> BaselineError {
    let (line, column) = (error.line(), error.column());
    let why = error.to_string();
    let why = why.split(" at line ").next().unwrap_or_default().to_owned();
    BaselineError::NotABaseline { line, column, why }
}

/// Values by metric as rows by call.
fn tabulate(run: &Run, measures: &Measures) -> (Vec<Column>, Vec<Row>) {
    let latencies = || measures.by_metric.iter().filter(|(metric, _)| metric.is_time());
    let wanted: BTreeSet<(Metric, u32)> =
        latencies().flat_map(|(m, values)| values.iter().map(|v| (*m, v.step))).collect();
    let place: BTreeMap<(Metric, u32), usize> = wanted.iter().copied().zip(0..).collect();
    let columns =
        wanted.iter().map(|(m, step)| Column { metric: m.name().to_owned(), step: *step });

    let mut rows: BTreeMap<CallId, Row> = run
        .calls
        .iter()
        .map(|c| {
            let us = vec![None; wanted.len()];
            (c.id, Row { call: c.id.0, ok: None, us, at_least: Vec::new() })
        })
        .collect();
    for value in measures.values(Metric::CallsOk) {
        if let Some(row) = rows.get_mut(&value.call) {
            row.ok = Some(value.value > 0.5);
        }
    }
    for (metric, values) in latencies() {
        for value in values {
            let Some(place) = place.get(&(*metric, value.step)) else { continue };
            let Some(row) = rows.get_mut(&value.call) else { continue };
            if let Some(cell) = row.us.get_mut(*place) {
                *cell = Some(micros(value.value));
            }
            if value.censored {
                row.at_least.push(u32::try_from(*place).unwrap_or(u32::MAX));
            }
        }
    }
    (columns.collect(), rows.into_values().collect())
}

#[expect(clippy::cast_possible_truncation, reason = "a latency in microseconds; `as` saturates")]
fn micros(ms: f64) -> i64 {
    (ms * 1_000.0).round() as i64
}

#[expect(clippy::cast_precision_loss, reason = "a latency in microseconds is far below 2^52")]
fn millis(us: i64) -> f64 {
    us as f64 / 1_000.0
}

impl File {
    fn measures(&self) -> Measures {
        let metrics: Vec<Option<Metric>> =
            self.columns.iter().map(|c| Metric::named(&c.metric)).collect();
        let mut measures = Measures::default();
        for row in &self.calls {
            let call = CallId(row.call);
            let mut put = |metric, step, value, censored| {
                let value = Value { call, step, value, censored };
                measures.by_metric.entry(metric).or_default().push(value);
            };
            if let Some(ok) = row.ok {
                put(Metric::CallsOk, 0, if ok { 1.0 } else { 0.0 }, false);
            }
            for ((i, us), (column, metric)) in
                (0_u32..).zip(&row.us).zip(self.columns.iter().zip(&metrics))
            {
                if let (Some(us), Some(metric)) = (us, metric) {
                    put(*metric, column.step, millis(*us), row.at_least.contains(&i));
                }
            }
        }
        measures
    }

    /// What is wrong with a file that someone may have edited.
    fn contradiction(&self) -> Option<String> {
        if self.runs.is_empty() {
            return Some("it names no run".to_owned());
        }
        for column in &self.columns {
            if !Metric::named(&column.metric).is_some_and(Metric::is_time) {
                return Some(format!("`{}` is no latency metric", column.metric));
            }
            if column.step as usize >= self.steps.len() {
                return Some(format!("column of step {} of {}", column.step, self.steps.len()));
            }
        }
        let mut seen = BTreeSet::new();
        for row in &self.calls {
            if !seen.insert(row.call) {
                return Some(format!("call {} is there twice", row.call));
            }
            if row.us.len() != self.columns.len() {
                let (has, want) = (row.us.len(), self.columns.len());
                return Some(format!("call {} has {has} of {want} values", row.call));
            }
            let known = |i: &u32| row.us.get(*i as usize).is_some_and(Option::is_some);
            if let Some(i) = row.at_least.iter().find(|i| !known(i)) {
                return Some(format!("call {} has no value in column {i}", row.call));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
