//! One view of a judged run, as plain data, from which every document is rendered. Building it and
//! rendering it are pure, so any report can be made again from a recording.

mod call_lines;
pub mod calls_json;
pub mod trace;
pub mod trace_json;
mod counts;
mod definitions;
mod notes;
mod replies;
mod summary;
pub mod paired;
mod rows;
pub mod json;
pub mod text;
mod cases;
pub mod markdown;
pub mod junit;
pub mod annotations;
pub mod openmetrics;
pub mod csv;
pub mod sessions;
pub mod html;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub use call_lines::{CallLine, Selection, Slowest, call_lines, selected, wall_time, worst_first};
pub use counts::{CauseCount, OverlapLine, Share};
pub use definitions::{Window, windows};
pub use summary::{Pacing, Summary};

use crate::record::RunTail;
use crate::scenario::{Metric, Scenario, Step};
use crate::time::Offset;
use crate::turn::{Analysis, ContentCounts, Measures, Path, Reply, Turn};
use crate::verdict::Judged;

/// A run as it is reported. Text in it is as it was recorded: each document escapes it by its own
/// rules (the terminal with [`crate::text::safe`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub judged: Judged,
    /// What was measured, in the order of [`Metric::ALL`]; a metric without values is absent.
    pub metrics: Vec<Summary>,
    /// Calls that succeeded, and how many there are; `None` when there are none.
    pub calls_ok: Option<Share>,
    /// In how many turns something happened, of those in which it could; in the order of
    /// [`Metric::ALL`].
    pub events: Vec<(Metric, Share)>,
    /// `overlap_ratio` over the calls, and all calls together.
    pub overlap: Option<OverlapLine>,
    /// Why calls failed, in the order of [`crate::turn::Cause::ALL`].
    pub causes: Vec<CauseCount>,
    /// What became of everything the replies should hold.
    pub content: ContentCounts,
    /// Where the time until the replies of each step went, where that is known.
    pub steps: Vec<StepLine>,
    pub windows: Vec<Window>,
    /// How late microphone packets left; `None` when none was sent.
    pub pacing: Option<Pacing>,
    /// What a reader of the numbers has to know, in whole sentences without a full stop.
    pub notes: Vec<String>,
}

/// Where the time until the replies of a step went, typically.
#[derive(Debug, Clone, PartialEq)]
pub struct StepLine {
    pub step: u32,
    pub id: String,
    /// Turns with a path, told apart as that of most of them is.
    pub n: usize,
    /// Turns that were never answered, which have no path: the breakdown is of the others alone.
    pub unanswered: usize,
    /// Around the median of the heard latency.
    pub path: Path,
}

impl Report {
    /// The view of a judged run.
    pub fn new(judged: Judged) -> Self {
        let Judged { scenario, analysis, .. } = &judged;
        let Analysis { calls, measures, .. } = analysis;
        let steps = steps(scenario, analysis);
        Self {
            metrics: summaries(measures),
            calls_ok: counts::calls_ok(measures),
            events: counts::events(measures),
            overlap: counts::overlap(measures, calls),
            causes: counts::causes(calls),
            content: ContentCounts::of(analysis.turns()),
            windows: windows(scenario),
            pacing: Pacing::summarize(&analysis.media),
            notes: notes::notes(analysis, &steps),
            steps,
            judged,
        }
    }

    /// What was measured of one metric.
    pub fn summary(&self, metric: Metric) -> Option<&Summary> {
        self.metrics.iter().find(|summary| summary.metric == metric)
    }

    /// Milliseconds from start to end; `None` when the run was killed.
    pub fn duration_ms(&self) -> Option<f64> {
        duration_ms(&self.judged.analysis)
    }

    /// How many calls were planned; `None` when the run was killed.
    pub fn planned(&self) -> Option<u32> {
        self.tail().map(|tail| tail.planned)
    }

    /// The user stopped the run.
    pub fn stopped(&self) -> bool {
        self.tail().is_some_and(|tail| tail.stopped)
    }

    fn tail(&self) -> Option<&RunTail> {
        self.judged.analysis.tail.as_ref()
    }
}

fn duration_ms(analysis: &Analysis) -> Option<f64> {
    analysis.tail.as_ref().map(|tail| since_start(tail.ended))
}

fn summaries(measures: &Measures) -> Vec<Summary> {
    Metric::ALL
        .into_iter()
        .filter(|metric| metric.is_time())
        .filter_map(|metric| {
            let summary = Summary::new(metric, measures.values(metric))?;
            Some(Summary { constant: measures.is_constant(metric), ..summary })
        })
        .collect()
}

fn steps(scenario: &Scenario, analysis: &Analysis) -> Vec<StepLine> {
    // One after another: the paths of all turns of a large run would be more than the rest of it.
    let line = |(index, step): (u32, &Step)| {
        let turns = || analysis.turns().filter(|turn| turn.step == index);
        let paths = Path::alike(&turns().filter_map(Turn::path).collect::<Vec<_>>());
        let unanswered = turns().filter(|turn| matches!(turn.reply, Reply::Unanswered { .. }));
        let (n, unanswered, id) = (paths.len(), unanswered.count(), step.id.clone());
        Some(StepLine { step: index, id, n, unanswered, path: Path::around(&paths, 50.0)? })
    };
    (0..).zip(scenario.steps()).filter_map(line).collect()
}

fn since_start(at: Offset) -> f64 {
    at.ms_since(Offset::default())
}
