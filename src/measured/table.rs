//! The values of runs as a table: a column for each metric and step, a row for each call.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{End, Measured};
use crate::record::{CallId, Outcome};
use crate::scenario::{Kind, Metric};
use crate::turn::{Cause, Measures, Value};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Column {
    pub(super) metric: String,
    /// Index into the steps; 0 for what belongs to the call as a whole.
    pub(super) step: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    /// Index into the runs.
    pub(super) run: u32,
    pub(super) call: u32,
    /// Absent when the call says nothing about the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ok: Option<bool>,
    /// Absent for a call that is ok.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<Outcome>,
    /// Why the call failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
    /// One for each column, in thousandths of its unit; none of a call whose values were not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) us: Vec<Option<i64>>,
    /// Columns whose value is a lower bound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) at_least: Vec<u32>,
}

/// Values as they are after they were written and read, so that judging against a run gives the same
/// whether its values were just computed or read.
pub(super) fn rounded(measures: &Measures) -> Measures {
    let kept = |metric: &Metric| has_columns(*metric) || *metric == Metric::CallsOk;
    let round = |value: &Value| Value { value: units(thousandths(value.value)), ..*value };
    let by_metric = measures
        .by_metric
        .iter()
        .filter(|(metric, values)| kept(metric) && !values.is_empty())
        .map(|(metric, values)| (*metric, values.iter().map(round).collect()));
    Measures { by_metric: by_metric.collect(), dropped_reported: 0 }
}

/// Whether a metric has a column for each step: a latency, or what happens in a turn or not.
pub(super) fn has_columns(metric: Metric) -> bool {
    matches!(metric.kind(), Kind::Time | Kind::Event)
}

/// The place of the column of each metric and step.
pub(super) type Places = BTreeMap<(Metric, u32), usize>;

/// The columns of these runs.
pub(super) fn places(runs: &[Measured]) -> Places {
    let by_metric = runs.iter().flat_map(|run| &run.measures.by_metric);
    let wanted: BTreeSet<(Metric, u32)> = by_metric
        .filter(|(metric, _)| has_columns(**metric))
        .flat_map(|(metric, values)| values.iter().map(|v| (*metric, v.step)))
        .collect();
    wanted.into_iter().zip(0..).collect()
}

/// The columns in their order.
pub(super) fn columns(places: &Places) -> Vec<Column> {
    let column = |(m, step): &(Metric, u32)| Column { metric: m.name().to_owned(), step: *step };
    places.keys().map(column).collect()
}

/// The values of one run as rows by call.
pub(super) fn rows(index: u32, run: &Measured, place: &Places) -> Vec<Row> {
    let mut rows: BTreeMap<CallId, Row> = BTreeMap::new();
    let empty = |call: CallId| Row {
        run: index,
        call: call.0,
        ok: None,
        outcome: None,
        cause: None,
        us: Vec::new(),
        at_least: Vec::new(),
    };
    for value in run.measures.values(Metric::CallsOk) {
        let row = rows.entry(value.call).or_insert_with(|| empty(value.call));
        row.ok = Some(value.value > 0.5);
        row.us = vec![None; place.len()];
    }
    for end in &run.ends {
        let row = rows.entry(end.call).or_insert_with(|| empty(end.call));
        row.ok = row.ok.or(end.ok());
        let usual = end.outcome == Outcome::Answered && row.ok == Some(true);
        row.outcome = (!usual).then_some(end.outcome);
        row.cause = end.cause.map(|cause| cause.name().to_owned());
    }
    let by_column = run.measures.by_metric.iter().filter(|(metric, _)| has_columns(**metric));
    for (metric, values) in by_column {
        for value in values {
            let Some(at) = place.get(&(*metric, value.step)) else { continue };
            let row = rows.entry(value.call).or_insert_with(|| empty(value.call));
            if row.us.is_empty() {
                row.us = vec![None; place.len()];
            }
            if let Some(cell) = row.us.get_mut(*at) {
                *cell = Some(thousandths(value.value));
            }
            if value.censored {
                row.at_least.push(u32::try_from(*at).unwrap_or(u32::MAX));
            }
        }
    }
    rows.into_values().collect()
}

/// What the rows of each run say, by its index.
pub(super) fn values(columns: &[Column], rows: Vec<Row>) -> BTreeMap<u32, (Measures, Vec<End>)> {
    let metrics: Vec<Option<Metric>> = columns.iter().map(|c| Metric::named(&c.metric)).collect();
    let mut all: BTreeMap<u32, (Measures, Vec<End>)> = BTreeMap::new();
    for row in rows {
        let (measures, ends) = all.entry(row.run).or_default();
        let call = CallId(row.call);
        let mut put = |metric, step, value, censored| {
            let value = Value { call, step, value, censored };
            measures.by_metric.entry(metric).or_default().push(value);
        };
        if let Some(ok) = row.ok.filter(|_| row.us.len() == columns.len()) {
            let unknown = row.cause.as_deref() == Some(Cause::EndStateUnknown.name());
            put(Metric::CallsOk, 0, if ok { 1.0 } else { 0.0 }, unknown);
        }
        for ((i, us), (column, metric)) in (0_u32..).zip(&row.us).zip(columns.iter().zip(&metrics))
        {
            if let (Some(us), Some(metric)) = (us, metric) {
                put(*metric, column.step, units(*us), row.at_least.contains(&i));
            }
        }
        let usual = (row.ok == Some(true)).then_some(Outcome::Answered);
        if let Some(outcome) = row.outcome.or(usual) {
            let cause = row.cause.as_deref().and_then(Cause::named);
            ends.push(End { call, outcome, cause });
        }
    }
    all
}

#[expect(clippy::cast_possible_truncation, reason = "a latency in microseconds; `as` saturates")]
fn thousandths(value: f64) -> i64 {
    (value * 1_000.0).round() as i64
}

#[expect(clippy::cast_precision_loss, reason = "a latency in microseconds is far below 2^52")]
fn units(thousandths: i64) -> f64 {
    thousandths as f64 / 1_000.0
}
