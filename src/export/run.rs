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
/// them. After an answer that will not change (wrong keys, wrong address) the rest is not tried.
pub async fn export_run(
    mut langfuse: Langfuse,
    calls: Vec<Vec<SpanData>>,
    deadline: Duration,
) -> ExportSummary {
    let all = calls.len();
    let mut tally = Tally::default();
    let sending = async {
        for spans in calls {
            if let Err(error) = langfuse.export(spans).await {
                let left = if error.is_final() { all - tally.counted } else { 1 };
                tally.fail(error.to_string(), left);
                if error.is_final() {
                    return;
                }
            } else {
                tally.sent();
            }
        }
    };
    if tokio::time::timeout(deadline, sending).await.is_err() {
        let reason = format!("it was not sent within {} ms", deadline.as_millis());
        tally.fail(reason, all - tally.counted);
    }
    tally.summary()
}

#[derive(Debug, Default)]
struct Tally {
    counted: usize,
    sent: usize,
    failed: BTreeMap<String, usize>,
}

impl Tally {
    fn sent(&mut self) {
        self.counted += 1;
        self.sent += 1;
    }

    fn fail(&mut self, reason: String, calls: usize) {
        let known = self.failed.contains_key(&reason) || self.failed.len() < REASONS;
        let reason = if known { reason } else { "of other reasons".to_owned() };
        *self.failed.entry(reason).or_default() += calls;
        self.counted += calls;
    }

    fn summary(self) -> ExportSummary {
        let mut failed: Vec<_> = self.failed.into_iter().collect();
        failed.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
        ExportSummary { sent: self.sent, failed }
    }
}
