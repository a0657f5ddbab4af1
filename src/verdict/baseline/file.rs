//! The file of a baseline. It lies beside its scenario and is reviewed with it, so it is JSON with a
//! line for each thing: every step, column, run and call. Times are whole microseconds.
//!
//! Format 1 held one run; it is not read any more. Format 2: the newest few.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::super::fingerprint::{Fingerprint, StepPrint};
use super::{Accepted, Baseline, lines};
use crate::record::CallId;
use crate::scenario::Metric;
use crate::turn::{Measures, Value};

/// The version of the file this loadcall writes, and the only one it reads.
const FORMAT: u32 = 2;
const KIND: &str = "loadcall baseline";
/// The largest file that is written or read: seven runs of 10,000 calls take half of it.
pub const MAX_BYTES: usize = 32 << 20;

/// The file as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    kind: String,
    steps: Vec<StepPrint>,
    /// What the numbers of each call are, in order.
    columns: Vec<Column>,
    /// The accepted runs, the oldest first.
    runs: Vec<Head>,
    calls: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    run: String,
    accepted_at: String,
    fingerprint: Fingerprint,
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
    /// Index into `runs`.
    run: u32,
    call: u32,
    /// Absent when the call says nothing about the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ok: Option<bool>,
    /// One for each column, in thousandths of its unit.
    us: Vec<Option<i64>>,
    /// Columns whose value is a lower bound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    at_least: Vec<u32>,
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
    /// Reads a baseline file.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let version: Version = serde_json::from_str(text).map_err(|e| not_a_baseline(&e))?;
        if version.kind != KIND {
            return Err(BaselineError::OtherKind(version.kind));
        }
        match version.format {
            found if found > FORMAT => return Err(BaselineError::TooNew { found }),
            found if found < FORMAT => return Err(BaselineError::TooOld { found }),
            _ => {}
        }
        let file: File = serde_json::from_str(text).map_err(|e| not_a_baseline(&e))?;
        if let Some(fault) = file.contradiction() {
            return Err(BaselineError::Contradictory(fault));
        }
        let mut measures = file.measures();
        let runs = file.runs.into_iter().zip(0..).map(|(head, index)| Accepted {
            id: head.run,
            at: head.accepted_at,
            fingerprint: head.fingerprint,
            measures: measures.remove(&index).unwrap_or_default(),
        });
        Ok(Self::made(file.steps, runs.collect()))
    }

    /// The text of the file, ending in a line break. Equal baselines have equal text.
    pub fn to_json(&self) -> String {
        let (columns, calls) = tabulate(&self.runs);
        let heads = self.runs.iter().map(|run| Head {
            run: run.id.clone(),
            accepted_at: run.at.clone(),
            fingerprint: run.fingerprint.clone(),
        });
        lines::write(&File {
            format: FORMAT,
            kind: KIND.to_owned(),
            steps: self.steps.clone(),
            columns,
            runs: heads.collect(),
            calls,
        })
    }
}

/// What every version of the file has.
#[derive(Deserialize)]
struct Version {
    format: u32,
    kind: String,
}

fn not_a_baseline(error: &serde_json::Error) -> BaselineError {
    let (line, column) = (error.line(), error.column());
    let why = error.to_string();
    let why = why.split(" at line ").next().unwrap_or_default().to_owned();
    BaselineError::NotABaseline { line, column, why }
}

/// Values as they are after they were written and read, so that judging against a baseline gives the
/// same whether it was just made or read.
pub(super) fn rounded(measures: &Measures) -> Measures {
    let mut measures = measures.clone();
    for value in measures.by_metric.values_mut().flatten() {
        value.value = units(thousandths(value.value));
    }
    // Of the recording; the file is about what was measured.
    measures.dropped_reported = 0;
    measures.by_metric.retain(|metric, values| {
        !values.is_empty() && (metric.is_time() || *metric == Metric::CallsOk)
    });
    measures
}

/// Values by run and metric as rows by call.
fn tabulate(runs: &[Accepted]) -> (Vec<Column>, Vec<Row>) {
    let timed = |measures: &Measures| -> Vec<(Metric, Vec<Value>)> {
        let all = measures.by_metric.iter().filter(|(metric, _)| metric.is_time());
        all.map(|(metric, values)| (*metric, values.clone())).collect()
    };
    let tables: Vec<Vec<(Metric, Vec<Value>)>> = runs.iter().map(|r| timed(&r.measures)).collect();
    let wanted: BTreeSet<(Metric, u32)> = (tables.iter().flatten())
        .flat_map(|(metric, values)| values.iter().map(|v| (*metric, v.step)))
        .collect();
    let place: BTreeMap<(Metric, u32), usize> = wanted.iter().copied().zip(0..).collect();
    let columns =
        wanted.iter().map(|(m, step)| Column { metric: m.name().to_owned(), step: *step });

    let mut rows: BTreeMap<(u32, CallId), Row> = BTreeMap::new();
    let empty = |run, call: CallId| {
        let us = vec![None; place.len()];
        Row { run, call: call.0, ok: None, us, at_least: Vec::new() }
    };
    for ((index, run), table) in (0..).zip(runs).zip(&tables) {
        for value in run.measures.values(Metric::CallsOk) {
            let row = rows.entry((index, value.call)).or_insert_with(|| empty(index, value.call));
            row.ok = Some(value.value > 0.5);
        }
        for (metric, value) in table.iter().flat_map(|(m, values)| values.iter().map(|v| (*m, v))) {
            let Some(place) = place.get(&(metric, value.step)) else { continue };
            let row = rows.entry((index, value.call)).or_insert_with(|| empty(index, value.call));
            if let Some(cell) = row.us.get_mut(*place) {
                *cell = Some(thousandths(value.value));
            }
            if value.censored {
                row.at_least.push(u32::try_from(*place).unwrap_or(u32::MAX));
            }
        }
    }
    (columns.collect(), rows.into_values().collect())
}

#[expect(clippy::cast_possible_truncation, reason = "a latency in microseconds; `as` saturates")]
fn thousandths(value: f64) -> i64 {
    (value * 1_000.0).round() as i64
}

#[expect(clippy::cast_precision_loss, reason = "a latency in microseconds is far below 2^52")]
fn units(thousandths: i64) -> f64 {
    thousandths as f64 / 1_000.0
}

impl File {
    /// What each run measured, by its index.
    fn measures(&self) -> BTreeMap<u32, Measures> {
        let metrics: Vec<Option<Metric>> =
            self.columns.iter().map(|c| Metric::named(&c.metric)).collect();
        let mut all: BTreeMap<u32, Measures> = BTreeMap::new();
        for row in &self.calls {
            let measures = all.entry(row.run).or_default();
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
                    put(*metric, column.step, units(*us), row.at_least.contains(&i));
                }
            }
        }
        all
    }

    /// What is wrong with a file that someone may have edited.
    fn contradiction(&self) -> Option<String> {
        if self.runs.is_empty() {
            return Some("it names no run".to_owned());
        }
        let mut ids = BTreeSet::new();
        if let Some(twice) = self.runs.iter().find(|head| !ids.insert(&head.run)) {
            return Some(format!("run {} is there twice", twice.run));
        }
        for column in &self.columns {
            if Metric::named(&column.metric).is_none_or(|metric| !metric.is_time()) {
                return Some(format!("`{}` is no latency metric", column.metric));
            }
            if column.step as usize >= self.steps.len() {
                return Some(format!("column of step {} of {}", column.step, self.steps.len()));
            }
        }
        let mut seen = BTreeSet::new();
        for row in &self.calls {
            if row.run as usize >= self.runs.len() {
                return Some(format!(
                    "call {} of run {} of {}",
                    row.call,
                    row.run,
                    self.runs.len()
                ));
            }
            if !seen.insert((row.run, row.call)) {
                return Some(format!("call {} of run {} is there twice", row.call, row.run));
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
