//! A turn of a timeline, and its rows.

use serde::Serialize;

use super::exchange::Claims;
use super::path::Breakdown;
use super::stages::{Facts, What};

/// Whose word a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// By our ears and our clock.
    Heard,
    /// By the agent.
    Reported,
}

/// Something that lasted. The name is the agent's own where it is of a span or a tool.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    pub what: What,
    pub source: Source,
    pub name: String,
    /// How far inside the rows above it is.
    pub depth: u8,
    /// Milliseconds on the turn's axis.
    pub from_ms: f64,
    pub until_ms: f64,
    #[serde(flatten)]
    pub facts: Facts,
}

/// How a turn went, as it was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Went {
    Greeted,
    Heard,
    CutIn,
    Yielded,
    DidNotYield,
    Ignored,
    Disturbed,
    Unanswered,
    NotAwaited,
    NotTested,
    /// An exchange that only the agent tells of.
    Reported,
}

/// From where the moments of a turn count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// From dialling.
    Call,
    /// From the agent's first span.
    Session,
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TurnLine {
    /// Its place in the timeline, from 1.
    pub number: usize,
    /// The scenario's name for it; `None` for what only the agent tells of.
    pub id: Option<String>,
    pub axis: Axis,
    pub went: Went,
    /// How long the caller waited, or waits (`unanswered`, `did_not_yield`: at least that long); `None` where it
    /// waited for nothing, or nothing was heard.
    pub heard_ms: Option<f64>,
    /// What the agent claims of it; `None` where its side of this turn is unknown.
    pub claims: Option<Claims>,
    /// The agent was interrupted, by its own word.
    pub interrupted: bool,
    /// The caller's last voiced sample, or where nothing was heard the end of its speech as the agent noticed it.
    pub zero_ms: Option<f64>,
    pub from_ms: f64,
    pub until_ms: f64,
    pub rows: Vec<Row>,
    /// Rows beyond the most that are kept.
    pub rows_left_out: usize,
    pub breakdown: Option<Breakdown>,
}

impl TurnLine {
    /// How long the caller waited, as heard, else as the agent claims.
    pub fn wait_ms(&self) -> Option<f64> {
        self.heard_ms.or(self.claims.and_then(|claims| claims.e2e_latency_ms))
    }

    /// The row whose failed attempts took longest.
    pub fn retried(&self) -> Option<&Row> {
        let retried = self.rows.iter().filter(|row| row.facts.retries > 0);
        retried.max_by(|a, b| {
            let ms = |row: &Row| row.facts.retries_ms.unwrap_or(0.0);
            ms(a).total_cmp(&ms(b)).then(b.depth.cmp(&a.depth))
        })
    }

    /// Makes it as long as its rows.
    pub(super) fn span(&mut self) {
        let from = self.rows.iter().map(|row| row.from_ms).fold(f64::MAX, f64::min);
        let until = self.rows.iter().map(|row| row.until_ms).fold(f64::MIN, f64::max);
        if from <= until {
            (self.from_ms, self.until_ms) = (from, until);
        }
    }
}
