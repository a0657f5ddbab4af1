//! What is counted over the calls of a run: how many succeeded, why others failed, in how many turns
//! something happened, how much both spoke at once.

use std::collections::BTreeSet;

use super::Summary;
use crate::scenario::{Kind, Metric};
use crate::stats::{Interval, Rate};
use crate::turn::{CallFacts, Cause, Failure, Measures, Media, Overlap};

/// A part of a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub count: usize,
    pub of: usize,
}

impl Share {
    /// From 0 to 1; 0 of nothing is 0.
    pub fn rate(self) -> f64 {
        ratio(self.count as u64, self.of as u64)
    }

    /// The exact 95 % interval of the share; `None` of nothing.
    pub fn interval(self) -> Option<Interval> {
        Rate { hits: self.count as u64, n: self.of as u64 }.interval()
    }
}

/// How many calls failed for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CauseCount {
    pub cause: Cause,
    pub calls: usize,
    /// Of the first such call that has a detail, with its number; `None` when nothing is known.
    pub example: Option<String>,
    /// Other, different details.
    pub other_details: usize,
}

/// Speech of both at once.
#[derive(Debug, Clone, PartialEq)]
pub struct OverlapLine {
    pub summary: Summary,
    pub all: Overlap,
}

pub(super) fn calls_ok(measures: &Measures) -> Option<Share> {
    share(measures, Metric::CallsOk)
}

pub(super) fn events(measures: &Measures) -> Vec<(Metric, Share)> {
    let events = Metric::ALL.into_iter().filter(|metric| metric.kind() == Kind::Event);
    events.filter_map(|metric| Some((metric, share(measures, metric)?))).collect()
}

fn share(measures: &Measures, metric: Metric) -> Option<Share> {
    let values = measures.values(metric);
    let count = values.iter().filter(|v| v.value >= 0.5).count();
    (!values.is_empty()).then_some(Share { count, of: values.len() })
}

pub(super) fn overlap(measures: &Measures, calls: &[CallFacts]) -> Option<OverlapLine> {
    let summary = Summary::new(Metric::OverlapRatio, measures.values(Metric::OverlapRatio))?;
    let all = calls.iter().fold(Overlap::default(), |sum, call| Overlap {
        overlap_ms: sum.overlap_ms + call.overlap.overlap_ms,
        speech_ms: sum.speech_ms + call.overlap.speech_ms,
    });
    Some(OverlapLine { summary, all })
}

pub(super) fn causes(calls: &[CallFacts]) -> Vec<CauseCount> {
    let failed: Vec<(u32, &Failure)> =
        calls.iter().filter_map(|call| Some((call.call.0, call.failure.as_ref()?))).collect();
    let count = |cause| {
        let of: Vec<_> = failed.iter().filter(|(_, failure)| failure.cause == cause).collect();
        let with_detail = || of.iter().filter(|(_, failure)| !failure.detail.is_empty());
        let details: BTreeSet<&str> = with_detail().map(|(_, f)| f.detail.as_str()).collect();
        let example = with_detail().next();
        (!of.is_empty()).then(|| CauseCount {
            cause,
            calls: of.len(),
            example: example.map(|(call, failure)| format!("call {call}: {}", failure.detail)),
            other_details: details.len().saturating_sub(1),
        })
    };
    Cause::ALL.into_iter().filter_map(count).collect()
}

/// Lost packets of the agent's audio as a part of those that should have come, from 0 to 1.
pub(super) fn loss(media: &Media) -> f64 {
    ratio(media.lost, media.received.saturating_add(media.lost))
}

fn ratio(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of calls and packets are below 2^52")]
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
