//! Finished calls on their way out: a bounded queue and one task that empties it, so that an export
//! never waits for a server and a call never waits for an export.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry_sdk::trace::SpanData;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::langfuse::Langfuse;

/// Finished calls that can wait; those beyond are left out and counted.
const QUEUE: usize = 256;
/// Different reasons that are kept; the rest goes under a common one.
const REASONS: usize = 20;

/// Exports calls in the background.
#[derive(Debug)]
pub struct Exporter {
    queue: mpsc::Sender<Vec<SpanData>>,
    tally: SharedTally,
    task: JoinSet<()>,
}

/// What became of the calls that were to be exported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportSummary {
    /// Calls.
    pub sent: usize,
    /// Why, and how many calls, the most frequent reason first. The texts hold no secret and are
    /// safe to print.
    pub failed: Vec<(String, usize)>,
}

impl Exporter {
    /// Starts the task on the current tokio runtime.
    pub fn start(langfuse: Langfuse) -> Self {
        let (queue, calls) = mpsc::channel(QUEUE);
        let tally = SharedTally::default();
        let mut task = JoinSet::new();
        task.spawn(export_all(langfuse, calls, tally.clone()));
        Self { queue, tally, task }
    }

    /// Hands over the spans of a call. Never waits: with a full queue the call is counted as failed.
    pub fn submit(&self, spans: Vec<SpanData>) {
        self.tally.lock().submitted += 1;
        if self.queue.try_send(spans).is_err() {
            self.tally
                .lock()
                .fail(format!("{QUEUE} calls before it were still waiting to be sent"), 1);
        }
    }

    /// Waits for what is under way, at most until the deadline, and says what became of it all.
    pub async fn finish(self, deadline: Duration) -> ExportSummary {
        let Self { queue, tally, mut task } = self;
        drop(queue);
        let ended = tokio::time::timeout(deadline, task.join_next()).await;
        // What is still under way is given up before it is counted.
        task.shutdown().await;
        let mut tally = tally.lock();
        let reason = match ended {
            Ok(_) => "the export broke off".to_owned(),
            Err(_) => {
                format!("it was not sent within {} ms after the last call", deadline.as_millis())
            }
        };
        let left = tally.submitted - tally.sent - tally.failed.values().sum::<usize>();
        if left > 0 {
            tally.fail(reason, left);
        }
        tally.summary()
    }
}

async fn export_all(
    mut langfuse: Langfuse,
    mut calls: mpsc::Receiver<Vec<SpanData>>,
    tally: SharedTally,
) {
    // Wrong keys stay wrong: the other calls are not tried.
    let mut given_up: Option<String> = None;
    while let Some(spans) = calls.recv().await {
        let reason = match &given_up {
            Some(reason) => Some(reason.clone()),
            None => match langfuse.export(spans).await {
                Ok(()) => None,
                Err(error) => {
                    let reason = error.to_string();
                    if error.is_final() {
                        given_up = Some(reason.clone());
                    }
                    Some(reason)
                }
            },
        };
        let mut tally = tally.lock();
        match reason {
            None => tally.sent += 1,
            Some(reason) => tally.fail(reason, 1),
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    submitted: usize,
    sent: usize,
    failed: BTreeMap<String, usize>,
}

impl Tally {
    fn fail(&mut self, reason: String, calls: usize) {
        let known = self.failed.contains_key(&reason) || self.failed.len() < REASONS;
        let reason = if known { reason } else { "of other reasons".to_owned() };
        *self.failed.entry(reason).or_default() += calls;
    }

    fn summary(&self) -> ExportSummary {
        let mut failed: Vec<_> = self.failed.iter().map(|(why, n)| (why.clone(), *n)).collect();
        failed.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
        ExportSummary { sent: self.sent, failed }
    }
}

#[derive(Debug, Clone, Default)]
struct SharedTally(Arc<Mutex<Tally>>);

impl SharedTally {
    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
