//! The calls of a run, sent in batches once nothing is measured any more, with an account of what became of them.

use std::collections::BTreeMap;

use opentelemetry_sdk::trace::SpanData;
use tokio::sync::watch;

use super::ledger::{Account, Ids, Ledger};
use super::otlp::{Batch, Budget, CallSpans, ExportError, Exporter, Fate};
use crate::record::{CallId, CallRecord};

/// Different reasons that are kept; the rest goes under a common one.
const REASONS: usize = 20;
/// Batches that fail one after another, until the rest is left for later.
const FAILURES: u32 = 3;

/// How a run is exported.
pub struct Export<'a> {
    pub ledger: &'a Ledger,
    /// Send calls a second time of which it is not known whether they arrived.
    pub again: bool,
    pub budget: Budget,
    /// Becomes true when nothing more is to be sent.
    pub stop: watch::Receiver<bool>,
    /// Is told how many calls are through.
    pub progress: &'a dyn Fn(usize),
}

/// What became of the calls of a run with one backend. The texts hold no secret and are safe to print.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportSummary {
    /// Calls that arrived now.
    pub sent: usize,
    /// Calls that had arrived before.
    pub before: usize,
    /// Calls that are left for later: why, and how many, the most frequent reason first.
    pub left: Vec<(String, usize)>,
    /// Calls of which it is not known whether they arrived, likewise.
    pub unknown: Vec<(String, usize)>,
    /// Calls of an earlier export of which that is not known, and that were not sent again.
    pub still_unknown: usize,
}

impl ExportSummary {
    /// Whether every call is known to have arrived.
    pub fn is_complete(&self) -> bool {
        self.left.is_empty() && self.unknown.is_empty() && self.still_unknown == 0
    }
}

/// Sends the calls that a backend has not acknowledged, and says what became of them. Takes them one at a time, and holds
/// the spans of a batch. After an answer that will not change (wrong keys, wrong address, nobody there) the rest is left.
pub async fn export_run(
    exporter: Exporter,
    calls: impl Iterator<Item = CallRecord>,
    spans: impl Fn(&CallRecord) -> Vec<SpanData>,
    how: Export<'_>,
) -> ExportSummary {
    let account = how.ledger.account(&exporter.backend().place);
    let doubtful = account.unknown.clone();
    let tally = Tally::default();
    let mut sending = Sending { exporter, account, doubtful, how, tally, ended: None, failures: 0 };
    let mut batch = Batch::default();
    for call in calls {
        if !sending.wants(call.id) {
            continue;
        }
        if sending.ended.is_some() {
            sending.leave(call.id);
            continue;
        }
        let limits = sending.exporter.limits();
        if let Some(next) = batch.add(CallSpans::new(call.id, spans(&call)), limits) {
            sending.send(std::mem::take(&mut batch)).await;
            batch.add(next, limits);
        }
    }
    if !batch.is_empty() {
        sending.send(batch).await;
    }
    sending.end()
}

struct Sending<'a> {
    exporter: Exporter,
    account: Account,
    /// Calls that may have arrived before: whatever comes of a second attempt but their arrival, that stays so.
    doubtful: Ids,
    how: Export<'a>,
    tally: Tally,
    /// Why nothing more is sent.
    ended: Option<ExportError>,
    failures: u32,
}

impl Sending<'_> {
    /// Whether a call is to be sent.
    fn wants(&mut self, call: CallId) -> bool {
        if self.account.acknowledged.contains(call.0) {
            self.tally.summary.before += 1;
            return false;
        }
        if self.account.unknown.contains(call.0) && !self.how.again {
            self.tally.summary.still_unknown += 1;
            return false;
        }
        true
    }

    /// Leaves a call for later, for the reason that ended all.
    fn leave(&mut self, call: CallId) {
        let reason = self.ended.clone().unwrap_or(ExportError::Stopped);
        self.settle(call, Fate::Left(reason));
    }

    async fn send(&mut self, batch: Batch) {
        let calls = batch.ids();
        self.how.budget.grow(u32::try_from(calls.len()).unwrap_or(u32::MAX));
        self.account.begin(&calls);
        if let Err(error) = self.how.ledger.keep(&self.account) {
            self.ended.get_or_insert(ExportError::NotKept(error.to_string()));
        }
        if self.ended.is_some() {
            for call in calls {
                self.leave(call);
            }
            return;
        }
        let fates = self.exporter.send(batch, &self.how.budget, &mut self.how.stop).await;
        let all_arrived = fates.values().all(|fate| *fate == Fate::Arrived);
        self.failures = if all_arrived { 0 } else { self.failures + 1 };
        for (call, fate) in fates {
            self.judge(&fate);
            self.settle(call, fate);
        }
        if let Err(error) = self.how.ledger.keep(&self.account) {
            self.ended.get_or_insert(ExportError::NotKept(error.to_string()));
        }
        (self.how.progress)(self.tally.summary.sent);
    }

    /// Whether what became of a call ends all.
    fn judge(&mut self, fate: &Fate) {
        let (Fate::Left(error) | Fate::Unknown(error)) = fate else { return };
        if error.ends_all() || self.failures >= FAILURES {
            self.ended.get_or_insert_with(|| error.clone());
        }
    }

    fn settle(&mut self, call: CallId, fate: Fate) {
        match fate {
            Fate::Arrived => {
                self.account.acknowledge(call);
                self.tally.summary.sent += 1;
            }
            Fate::Left(error) => {
                if !self.doubtful.contains(call.0) {
                    self.account.leave(call);
                }
                add(&mut self.tally.left, error.to_string());
            }
            Fate::Unknown(error) => add(&mut self.tally.unknown, error.to_string()),
        }
    }

    fn end(mut self) -> ExportSummary {
        let summary = self.tally.summary();
        let reason = summary.left.first().or(summary.unknown.first());
        self.account.fail(reason.map(|(reason, _)| reason.as_str()));
        // What matters was kept before; that this was not is seen by the next export.
        let _ = self.how.ledger.keep(&self.account);
        summary
    }
}

#[derive(Debug, Default)]
struct Tally {
    summary: ExportSummary,
    left: BTreeMap<String, usize>,
    unknown: BTreeMap<String, usize>,
}

impl Tally {
    fn summary(self) -> ExportSummary {
        ExportSummary { left: ordered(self.left), unknown: ordered(self.unknown), ..self.summary }
    }
}

fn add(reasons: &mut BTreeMap<String, usize>, reason: String) {
    let known = reasons.contains_key(&reason) || reasons.len() < REASONS;
    let reason = if known { reason } else { "for other reasons".to_owned() };
    *reasons.entry(reason).or_default() += 1;
}

fn ordered(reasons: BTreeMap<String, usize>) -> Vec<(String, usize)> {
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
    reasons
}

#[cfg(test)]
mod tests;
