//! The file of measured runs: `measured.json` of one run, or the baseline of a scenario with its newest
//! accepted runs. A baseline lies beside its scenario and is reviewed with it, so it is JSON with a line
//! for each thing: every step, column, run and call. Times are whole microseconds.
//!
//! | format | since | change |
//! |---|---|---|
//! | 1 | never released | a baseline of one run; not read any more |
//! | 2 | 0.1.0 | a baseline of several runs |
//! | 3 | 0.1.0 | `measured.json`; digests of the dispatch metadata instead of the metadata; `started_at`, `side`, `valid`; `outcome` and `cause` of calls that failed |
//! | 4 | 0.1.0 | other definitions: reported times that contradict what was heard are left out, and the columns `turn_decided` and `answer_prepared` are new; a baseline of 2 or 3 is read but not compared |
//! | 5 | 0.2.0 | columns of what happens in a turn or not (`unanswered_turns` …); in a baseline the values of at most 1,000 calls of a run, and `nights`; of a baseline of 4 what happened in a turn is unknown |

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};

use super::fingerprint::DEFINITION;
use super::table::{self, Column, Places, Row};
use super::{Fingerprint, Measured, StepPrint, lines};
use crate::record::Side;
use crate::scenario::Metric;
use crate::turn::{Cause, Measures};

/// The version of the file this loadcall writes.
const FORMAT: u32 = 5;
/// The definitions of the metrics in files of before.
const DEFINITION_BEFORE: u32 = 3;
/// The largest `measured.json` that is read.
pub const MAX_BYTES: usize = 256 << 20;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One run.
    Measured,
    /// At least one accepted run, the oldest first.
    Baseline,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Measured => "loadcall measured",
            Self::Baseline => "loadcall baseline",
        }
    }

    /// The first format that is read.
    const fn oldest(self) -> u32 {
        match self {
            // The recording beside an older one has what it lacks.
            Self::Measured => 5,
            Self::Baseline => 2,
        }
    }

    /// What the file is, for people.
    const fn noun(self) -> &'static str {
        match self {
            Self::Measured => "file of measured values",
            Self::Baseline => "baseline",
        }
    }

    /// Where such a file comes from.
    const fn origin(self) -> &'static str {
        match self {
            Self::Measured => "`loadcall run` writes one",
            Self::Baseline => "`loadcall accept RUN` writes one",
        }
    }
}

/// The file as it is read. What a baseline records of each night is for its module to know.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, bound = "N: DeserializeOwned")]
struct File<N> {
    #[serde(rename = "format")]
    _format: u32,
    #[serde(rename = "kind")]
    _kind: String,
    steps: Vec<StepPrint>,
    /// What the numbers of each call are, in order.
    columns: Vec<Column>,
    /// The oldest first.
    runs: Vec<Head>,
    #[serde(default = "Vec::new")]
    nights: Vec<N>,
    calls: Vec<Row>,
}

/// The file as it is written, run by run.
#[derive(Serialize)]
struct Written<'a, N> {
    format: u32,
    kind: &'static str,
    steps: &'a [StepPrint],
    columns: Vec<Column>,
    runs: Vec<Head>,
    #[serde(skip_serializing_if = "<[N]>::is_empty")]
    nights: &'a [N],
    calls: Rows<'a>,
}

/// A row for each call.
struct Rows<'a> {
    places: Places,
    runs: &'a [Measured],
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let of_run = |(index, run)| table::rows(index, run, &self.places);
        to.collect_seq((0..).zip(self.runs).flat_map(of_run))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    run: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    started_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accepted_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    side: Option<Side>,
    /// Absent when it is.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    valid: bool,
    fingerprint: Fingerprint,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_yes(value: &bool) -> bool {
    *value
}

/// Why a file of measured runs could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MeasuredError {
    #[error("not a {noun} (line {line}, column {column}: {why}); {origin}")]
    NotOne { noun: &'static str, line: usize, column: usize, why: String, origin: &'static str },
    #[error("not a {noun} (its kind is `{found}`); {origin}")]
    OtherKind { noun: &'static str, found: String, origin: &'static str },
    #[error(
        "{noun} format {found} is newer than {FORMAT}, the newest this loadcall reads; update loadcall"
    )]
    TooNew { noun: &'static str, found: u32 },
    #[error(
        "{noun} format {found} is older than {oldest}, the oldest this loadcall reads; accept a run again"
    )]
    TooOld { noun: &'static str, found: u32, oldest: u32 },
    #[error("the file contradicts itself ({0}); accept a run again")]
    Contradictory(String),
}

/// What every version of the file has.
#[derive(Deserialize)]
struct Version {
    format: u32,
    kind: String,
}

/// Writes runs, the oldest first, and what is recorded of nights. Equal runs have equal text.
pub(crate) fn write<N: Serialize>(
    kind: Kind,
    (runs, nights): (&[Measured], &[N]),
    out: &mut dyn Write,
) -> io::Result<()> {
    let heads = runs.iter().map(|run| Head {
        run: run.run_id.clone(),
        started_at: run.started_at.clone(),
        accepted_at: run.accepted_at.clone(),
        side: run.side,
        valid: run.valid,
        fingerprint: run.fingerprint.clone(),
    });
    // Values keep the definition they were measured by, whoever writes them.
    let is_of_before = runs.iter().any(|run| run.fingerprint.definition < DEFINITION);
    let places = table::places(runs);
    let file = Written {
        format: if is_of_before { DEFINITION_BEFORE } else { FORMAT },
        kind: kind.name(),
        steps: runs.last().map_or(&[], |run| &run.steps),
        columns: table::columns(&places),
        runs: heads.collect(),
        nights,
        calls: Rows { places, runs },
    };
    lines::write(&file, out)
}

/// Reads a file of this kind: its runs, the oldest first and at least one, and what it records of nights.
pub(crate) fn parse<N: DeserializeOwned>(
    kind: Kind,
    text: &str,
) -> Result<(Vec<Measured>, Vec<N>), MeasuredError> {
    let (noun, origin) = (kind.noun(), kind.origin());
    let not_one = |error: serde_json::Error| {
        let (line, column, why) = (error.line(), error.column(), error.to_string());
        let why = why.split(" at line ").next().unwrap_or_default().to_owned();
        MeasuredError::NotOne { noun, line, column, why, origin }
    };
    let version: Version = serde_json::from_str(text).map_err(not_one)?;
    if version.kind != kind.name() {
        return Err(MeasuredError::OtherKind { noun, found: version.kind, origin });
    }
    match version.format {
        found if found > FORMAT => return Err(MeasuredError::TooNew { noun, found }),
        found if found < kind.oldest() => {
            return Err(MeasuredError::TooOld { noun, found, oldest: kind.oldest() });
        }
        _ => {}
    }
    let mut file: File<N> = serde_json::from_str(text).map_err(not_one)?;
    for head in &mut file.runs {
        let of_today = version.format >= DEFINITION;
        head.fingerprint.definition = if of_today { DEFINITION } else { DEFINITION_BEFORE };
    }
    match file.contradiction() {
        Some(fault) => Err(MeasuredError::Contradictory(fault)),
        None => Ok(file.into_parts()),
    }
}

impl<N> File<N> {
    fn into_parts(self) -> (Vec<Measured>, Vec<N>) {
        let mut values = table::values(&self.columns, self.calls);
        let steps = self.steps;
        let runs = self.runs.into_iter().zip(0..).map(|(head, index)| {
            let (measures, ends) =
                values.remove(&index).unwrap_or((Measures::default(), Vec::new()));
            Measured {
                run_id: head.run,
                started_at: head.started_at,
                accepted_at: head.accepted_at,
                side: head.side,
                valid: head.valid,
                fingerprint: head.fingerprint,
                steps: steps.clone(),
                measures,
                ends,
            }
        });
        (runs.collect(), self.nights)
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
            if Metric::named(&column.metric).is_none_or(|metric| !table::has_columns(metric)) {
                return Some(format!("`{}` is not a metric of turns", column.metric));
            }
            if column.step as usize >= self.steps.len() {
                return Some(format!("column of step {} of {}", column.step, self.steps.len()));
            }
        }
        let mut seen = BTreeSet::new();
        for row in &self.calls {
            if row.run as usize >= self.runs.len() {
                let runs = self.runs.len();
                return Some(format!("call {} of run {} of {runs}", row.call, row.run));
            }
            if !seen.insert((row.run, row.call)) {
                return Some(format!("call {} of run {} is there twice", row.call, row.run));
            }
            if let Some(fault) = row_contradiction(row, self.columns.len()) {
                return Some(format!("call {} {fault}", row.call));
            }
        }
        None
    }
}

fn row_contradiction(row: &Row, columns: usize) -> Option<String> {
    if row.us.len() != columns && !row.us.is_empty() {
        return Some(format!("has {} of {columns} values", row.us.len()));
    }
    let known = |i: &u32| row.us.get(*i as usize).is_some_and(Option::is_some);
    if let Some(i) = row.at_least.iter().find(|i| !known(i)) {
        return Some(format!("has no value in column {i}"));
    }
    let unknown = row.cause.as_ref().filter(|cause| Cause::named(cause).is_none())?;
    Some(format!("has the unknown failure cause `{unknown}`"))
}
