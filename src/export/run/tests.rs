//! Whole runs to backends of both kinds, with the file that is left behind.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;

use super::*;
use crate::export::otlp::{Backend, Limits};
use crate::export::testing::{
    Arrived, KEY, Manner, SECRET, Server, TOKEN, langfuse, otlp, recorded, spans_of,
};

struct Run<'a> {
    folder: &'a Path,
    calls: u32,
    again: bool,
}

impl Run<'_> {
    async fn export(&self, backend: Backend) -> ExportSummary {
        let ledger = Ledger::open(self.folder, "r1").unwrap();
        self.export_within(&ledger, backend, crate::export::testing::budget()).await
    }

    async fn export_within(
        &self,
        ledger: &Ledger,
        backend: Backend,
        budget: Budget,
    ) -> ExportSummary {
        let (_sender, stop) = watch::channel(false);
        let how = Export { ledger, again: self.again, budget, stop, progress: &|_| {} };
        let exporter = Exporter::new(backend, "r1").unwrap();
        let sending = export_run(exporter, (0..self.calls).map(recorded), spans_of, how);
        let sent = tokio::time::timeout(Duration::from_secs(300), sending).await;
        sent.expect("it has a limit far below")
    }
}

/// The calls that arrived, each with how many of its spans, by trace id.
async fn traces(server: &mut Server) -> BTreeMap<Vec<u8>, usize> {
    let mut traces = BTreeMap::new();
    for span in server.arrived().await.iter().flat_map(Arrived::spans) {
        *traces.entry(span.trace_id).or_default() += 1;
    }
    traces
}

fn a_call() -> usize {
    spans_of(&recorded(0)).len()
}

#[tokio::test]
async fn a_thousand_calls_that_end_together_lose_nothing() {
    let mut server = Server::start(Manner::ok()).await;
    let folder = tempfile::tempdir().unwrap();
    let run = Run { folder: folder.path(), calls: 1_000, again: false };
    let ledger = Ledger::open(run.folder, "r1").unwrap();
    // Nothing is said of how long it takes.
    let ample = Budget::start(Duration::from_secs(300), Duration::ZERO);
    let summary = run.export_within(&ledger, otlp(&server.url(), &[]), ample).await;
    assert_eq!(summary, ExportSummary { sent: 1_000, ..ExportSummary::default() });
    let arrived = server.arrived().await;
    let mut traces: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for spans in arrived.iter().map(Arrived::spans) {
        assert!(spans.len() <= Limits::USUAL.spans);
        for span in spans {
            *traces.entry(span.trace_id).or_default() += 1;
        }
    }
    assert_eq!(traces.len(), 1_000);
    let whole: usize = (0..10).map(|id| spans_of(&recorded(id)).len()).sum();
    assert_eq!(traces.values().sum::<usize>(), whole * 100);
}

#[tokio::test]
async fn what_was_sent_is_not_sent_again_and_what_was_not_is() {
    let folder = tempfile::tempdir().unwrap();
    let few = Run { folder: folder.path(), calls: 4, again: false };
    let mut server = Server::start(Manner::ok()).await;
    let url = server.url();
    let summary = few.export(otlp(&url, &[])).await;
    assert_eq!((summary.sent, summary.before), (4, 0));
    // The rest, as if the first export had been stopped after four.
    let all = Run { calls: 7, ..few };
    let summary = all.export(otlp(&url, &[])).await;
    assert_eq!((summary.sent, summary.before), (3, 4));
    assert!(summary.is_complete());
    let arrived = traces(&mut server).await;
    assert_eq!(arrived.into_values().collect::<Vec<_>>(), [a_call(); 7]);
    // Another backend has none of them.
    let mut other = Server::start(Manner::ok()).await;
    assert_eq!(all.export(langfuse(&other.url())).await.sent, 7);
    assert_eq!(traces(&mut other).await.len(), 7);
}

#[tokio::test]
async fn a_refusal_counts_for_all_and_leaves_the_other_alone() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run { folder: folder.path(), calls: 50, again: false };
    let small = Limits { spans: 2 * a_call(), ..Limits::USUAL };
    let mut wrong = Server::start(Manner::Answer("401 Unauthorized", String::new())).await;
    let mut right = Server::start(Manner::ok()).await;
    let ledger = Ledger::open(folder.path(), "r1").unwrap();
    let budget = crate::export::testing::budget();
    let refused = Backend { limits: small, ..langfuse(&wrong.url()) };
    let taken = Backend { limits: small, ..otlp(&right.url(), &[]) };
    let (refused, taken) = tokio::join!(
        run.export_within(&ledger, refused, budget),
        run.export_within(&ledger, taken, budget)
    );
    let [(reason, 50)] = refused.left.as_slice() else { panic!("{refused:?}") };
    assert!(refused.sent == 0 && reason.contains("401"), "{refused:?}");
    assert_eq!(wrong.arrived().await.len(), 1);
    assert_eq!(taken, ExportSummary { sent: 50, ..ExportSummary::default() });
    let headers: Vec<_> = right.arrived().await.into_iter().map(|a| a.headers).collect();
    assert!(headers.iter().all(|headers| headers["authorization"] == format!("Bearer {KEY}")));
}

#[tokio::test]
async fn a_lost_answer_is_unknown_until_somebody_says_again() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run { folder: folder.path(), calls: 3, again: false };
    let mut server = Server::playing(vec![Manner::HangUp, Manner::ok()]).await;
    let limits = Limits { spans: a_call(), ..Limits::USUAL };
    let backend = || Backend { limits, ..otlp(&server.url(), &[]) };
    let (first, then) = (backend(), backend());
    let again = backend();
    let summary = run.export(first).await;
    let [(reason, 1)] = summary.unknown.as_slice() else { panic!("{summary:?}") };
    assert!(summary.sent == 2 && reason.contains("was lost before it answered"), "{summary:?}");
    let summary = run.export(then).await;
    assert_eq!((summary.sent, summary.before, summary.still_unknown), (0, 2, 1));
    assert!(!summary.is_complete());
    let summary = Run { again: true, ..run }.export(again).await;
    assert_eq!((summary.sent, summary.before, summary.still_unknown), (1, 2, 0));
    assert!(summary.is_complete());
    // The same ids twice, and no others.
    let mut counts: Vec<usize> = traces(&mut server).await.into_values().collect();
    counts.sort_unstable();
    assert_eq!(counts, [a_call(), a_call(), 2 * a_call()]);
}

#[tokio::test]
async fn a_second_attempt_that_fails_proves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run { folder: folder.path(), calls: 1, again: false };
    let busy = Manner::Answer("500 Error", String::new());
    let server = Server::playing(vec![Manner::HangUp, busy, Manner::ok()]).await;
    run.export(otlp(&server.url(), &[])).await;
    let again = Run { again: true, ..run };
    assert_eq!(again.export(otlp(&server.url(), &[])).await.sent, 0);
    let plain = Run { again: false, ..again };
    assert_eq!(plain.export(otlp(&server.url(), &[])).await.still_unknown, 1);
}

#[tokio::test]
async fn a_batch_counts_as_unknown_while_it_is_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run { folder: folder.path(), calls: 5, again: false };
    let server = Server::start(Manner::Silence).await;
    let backend = Backend { timeout: Duration::from_secs(30), ..otlp(&server.url(), &[]) };
    let place = backend.place.clone();
    // Broken off, as by a second Ctrl-C.
    let broken = tokio::time::timeout(Duration::from_millis(300), run.export(backend)).await;
    assert!(broken.is_err());
    let account = Ledger::open(folder.path(), "r1").unwrap().account(&place);
    assert!((0..5).all(|call| account.unknown.contains(call)));
    assert!((0..5).all(|call| !account.acknowledged.contains(call)));
}

#[tokio::test]
async fn failures_one_after_another_leave_the_rest_for_later() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run { folder: folder.path(), calls: 20, again: false };
    let mut server = Server::start(Manner::Answer("500 Error", "no".to_owned())).await;
    let limits = Limits { spans: a_call(), ..Limits::USUAL };
    let summary = run.export(Backend { limits, ..otlp(&server.url(), &[]) }).await;
    let [(reason, 20)] = summary.left.as_slice() else { panic!("{summary:?}") };
    assert!(reason.ends_with("answered HTTP 500: no"), "{reason}");
    assert_eq!(server.arrived().await.len(), 3);
}

#[tokio::test]
async fn the_time_for_all_grows_with_the_calls() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run { folder: folder.path(), calls: 6, again: false };
    let server = Server::start(Manner::ok()).await;
    let limits = Limits { spans: a_call(), ..Limits::USUAL };
    let backend = Backend { limits, ..otlp(&server.url(), &[]) };
    let ledger = Ledger::open(folder.path(), "r1").unwrap();
    let none = Budget::start(Duration::ZERO, Duration::ZERO);
    let summary = run.export_within(&ledger, backend.clone(), none).await;
    let [(reason, 6)] = summary.left.as_slice() else { panic!("{summary:?}") };
    assert!(reason.starts_with("not all were sent within"), "{reason}");
    let growing = Budget::start(Duration::ZERO, Duration::from_secs(30));
    assert_eq!(run.export_within(&ledger, backend, growing).await.sent, 6);
}

#[tokio::test]
async fn nothing_is_sent_that_could_not_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run { folder: folder.path(), calls: 3, again: false };
    let mut server = Server::start(Manner::ok()).await;
    let ledger = Ledger::open(folder.path(), "r1").unwrap();
    let in_the_way = folder.path().join(crate::export::ledger::FILE_NAME);
    std::fs::create_dir(&in_the_way).unwrap();
    std::fs::create_dir(in_the_way.join("in it")).unwrap();
    let budget = crate::export::testing::budget();
    let summary = run.export_within(&ledger, otlp(&server.url(), &[]), budget).await;
    let [(reason, 3)] = summary.left.as_slice() else { panic!("{summary:?}") };
    assert!(reason.starts_with("what has been sent cannot be kept"), "{reason}");
    assert!(server.arrived().await.is_empty());
}

#[tokio::test]
async fn no_fault_brings_a_secret_into_a_message_or_the_file() {
    let echo = format!("{KEY} {SECRET} {TOKEN}");
    for status in ["400 Bad", "401 No", "403 No", "404 No", "413 No", "429 No", "500 No", "308 Go"]
    {
        let answer = Manner::Answer(status, echo.clone());
        let server = Server::start(answer).await;
        for backend in [langfuse(&server.url()), otlp(&server.url(), &[])] {
            let folder = tempfile::tempdir().unwrap();
            let run = Run { folder: folder.path(), calls: 1, again: false };
            let summary = run.export(backend).await;
            let [(reason, 1)] = summary.left.as_slice() else { panic!("{status}: {summary:?}") };
            // What the other one's key is, this backend cannot know.
            let own = if reason.contains("Langfuse") { [SECRET, TOKEN] } else { [KEY, KEY] };
            assert!(own.iter().all(|secret| !reason.contains(secret)), "{status}: {reason}");
            let path = folder.path().join(crate::export::ledger::FILE_NAME);
            let kept = crate::files::read_text(&path, 100_000).unwrap();
            assert!(own.iter().all(|secret| !kept.contains(secret)), "{status}: {kept}");
            assert!(kept.contains("last_failure") && reason.len() < 600);
        }
    }
}
