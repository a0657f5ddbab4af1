//! The calls of a run, sent one after another once nothing is measured any more, with an account of
//! what became of them.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_sdk::trace::SpanData;

use super::langfuse::Langfuse;

/// Different reasons that are kept; the rest goes under a common one.
const REASONS: usize = 20;

/// What became of the calls that were to be exported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportSummary {
    /// Calls.
    pub sent: usize,
    /// Why, and how many calls, the most frequent reason first. The texts hold no secret and are
    /// safe to print.
    pub failed: Vec<(String, usize)>,
}

/// Sends the spans of each call, at most until the deadline for all of them, and says what became of
/// them. Calls are taken one at a time, so that only one call's spans are held. After an answer that
/// will not change (wrong keys, wrong address) the rest is not tried.
pub async fn export_run(
    mut langfuse: Langfuse,
    calls: impl IntoIterator<Item = Vec<SpanData>>,
    deadline: Duration,
) -> ExportSummary {
    let mut calls = calls.into_iter();
    let mut tally = Tally::default();
    let mut under_way = 0;
    let sending = async {
        while let Some(spans) = calls.next() {
            under_way = 1;
            if let Err(error) = langfuse.export(spans).await {
                let left = if error.is_final() { calls.by_ref().count() } else { 0 };
                tally.fail(error.to_string(), 1 + left);
            } else {
                tally.sent += 1;
            }
            under_way = 0;
        }
    };
    if tokio::time::timeout(deadline, sending).await.is_err() {
        let reason = format!("not sent within {} ms", deadline.as_millis());
        tally.fail(reason, under_way + calls.count());
    }
    tally.summary()
}

#[derive(Debug, Default)]
struct Tally {
    sent: usize,
    failed: BTreeMap<String, usize>,
}

impl Tally {
    fn fail(&mut self, reason: String, calls: usize) {
        let known = self.failed.contains_key(&reason) || self.failed.len() < REASONS;
        let reason = if known { reason } else { "for other reasons".to_owned() };
        *self.failed.entry(reason).or_default() += calls;
    }

    fn summary(self) -> ExportSummary {
        let mut failed: Vec<_> = self.failed.into_iter().collect();
        failed.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
        ExportSummary { sent: self.sent, failed }
    }
}
