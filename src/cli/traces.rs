//! Each ended call becomes a trace in Langfuse, when its keys are set, and in the OTLP backend, when one is set. Nothing that
//! goes wrong here touches a call, or the exit code of a run.

use super::failure::Failure;
use super::progress::Verbosity;
use super::terminal::eprint_line;
use super::{LangfuseArgs, environment, experiment, recorded};
use crate::export::ledger::Ledger;
use crate::export::otlp::{self, Budget, Exporter};
use crate::export::{Export, ExportSummary, export_run, langfuse, trace};
use crate::langfuse::{Given, Project};
use crate::record::CallRecord;
use crate::record::store::Recording;
use crate::scenario::Scenario;
use crate::text::{count, number_of};
use crate::turn::{self, CallFacts};
use futures_util::future::join_all;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::cell::RefCell;
use std::path::Path;
use tokio::sync::watch;

/// The backends that are set.
pub(super) struct Places {
    exporters: Vec<Exporter>,
    /// Langfuse, if it is one of them.
    pub(super) project: Option<Project>,
}

/// How traces are sent.
pub(super) struct Sending<'a> {
    pub(super) folder: &'a Path,
    /// Also calls of which it is not known whether they arrived.
    pub(super) again: bool,
    pub(super) bars: &'a MultiProgress,
    pub(super) how: Verbosity,
    /// Becomes true when nothing more is to be sent.
    pub(super) stop: watch::Receiver<bool>,
}

/// What became of the traces of a run.
pub(super) struct Sent {
    /// Of every backend, with its name and address.
    pub(super) backends: Vec<(String, ExportSummary)>,
    /// Calls that the recording holds and that cannot be read.
    pub(super) unread: Option<String>,
}

impl Places {
    /// Nowhere.
    pub(super) const fn none() -> Self {
        Self { exporters: Vec::new(), project: None }
    }

    /// Settings that cannot work are found before the first call.
    pub(super) fn from_settings(args: &LangfuseArgs, run_id: &str) -> Result<Self, Failure> {
        let project = project(args)?;
        let langfuse =
            project.as_ref().map(langfuse::backend).transpose().map_err(Failure::usage)?;
        let other = otlp::from_variables(environment::variable).map_err(Failure::usage)?;
        let exporters = langfuse.into_iter().chain(other);
        let exporters = exporters.map(|backend| Exporter::new(backend, run_id));
        let exporters = exporters.collect::<Result<_, _>>().map_err(Failure::usage)?;
        Ok(Self { exporters, project })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.exporters.is_empty()
    }

    /// Sends the calls of a recording to every backend that has not acknowledged them, at the same time.
    pub(super) async fn send(self, sending: &Sending<'_>) -> Result<Sent, Failure> {
        let recording = recorded::open(sending.folder)?;
        let scenario = recorded::scenario(&recording.head)?;
        trace::started_at(&recording.head).map_err(Failure::usage)?;
        let ledger = Ledger::open(run_folder(sending.folder), &recording.head.run_id)
            .map_err(Failure::usage)?;
        let whole = facts(sending.folder, &scenario);
        let experiment = experiment::begin(self.project.as_ref(), &recording.head, &scenario).await;
        let unread = RefCell::new(None);
        let sent = self.exporters.into_iter().map(|exporter| {
            let (ledger, scenario, unread) = (&ledger, &scenario, &unread);
            let (whole, experiment) = (&whole, experiment.as_ref());
            async move {
                let place = exporter.backend().shown();
                // Each reads for itself: a slow one keeps no other waiting.
                let Recording { head, calls } = recorded::open(sending.folder)?;
                let calls = calls.filter_map(|call| {
                    call.map_err(|e| *unread.borrow_mut() = Some(e.to_string())).ok()
                });
                let spans = |call: &CallRecord| {
                    let known = whole.binary_search_by_key(&call.id, |facts| facts.call);
                    let known = known.ok().and_then(|place| whole.get(place).cloned());
                    let facts = known.unwrap_or_else(|| turn::analyse_call(call, scenario).0);
                    // A start that is no time is found before.
                    trace::call_spans(&head, scenario, call, &facts, experiment).unwrap_or_default()
                };
                let bar = sending.bar(exporter.backend().name);
                let export = Export {
                    ledger,
                    again: sending.again,
                    budget: Budget::start(Budget::BASE, Budget::A_CALL),
                    stop: sending.stop.clone(),
                    progress: &|calls| bar.set_position(calls as u64),
                };
                let summary = export_run(exporter, calls, spans, export).await;
                bar.finish_and_clear();
                Ok::<_, Failure>((place, summary))
            }
        });
        let backends = join_all(sent).await.into_iter().collect::<Result<_, _>>()?;
        Ok(Sent { backends, unread: unread.into_inner() })
    }
}

/// What the recording as a whole says of its calls, in the order of their ids: what a reply lacks is only known from all of
/// them. Nothing where it cannot be read.
fn facts(folder: &Path, scenario: &Scenario) -> Vec<CallFacts> {
    let analysis = recorded::open(folder).and_then(|recording| recorded::fold(recording, scenario));
    analysis.map_or_else(|_| Vec::new(), |analysis| analysis.calls)
}

impl Sending<'_> {
    fn bar(&self, name: &str) -> ProgressBar {
        if self.how == Verbosity::Quiet {
            return ProgressBar::hidden();
        }
        let bar = self.bars.add(ProgressBar::no_length());
        let style = ProgressStyle::with_template("{spinner} {pos} calls sent to {msg}, {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_message(name.to_owned());
        bar
    }
}

impl Sent {
    /// Whether every backend has every call.
    pub(super) fn is_complete(&self) -> bool {
        self.unread.is_none() && self.backends.iter().all(|(_, summary)| summary.is_complete())
    }

    /// Says on stderr what is missing, each reason once, and what to do.
    pub(super) fn say_what_is_missing(&self, folder: &Path) {
        if let Some(why) = &self.unread {
            eprint_line(&format!("warning: some calls were not traced: {why}"));
        }
        for (place, summary) in &self.backends {
            say_why(place, summary);
        }
        let any = |is: fn(&ExportSummary) -> bool| self.backends.iter().any(|(_, of)| is(of));
        let folder = folder.display();
        if any(|summary| !summary.left.is_empty()) {
            eprint_line(&format!("hint: `loadcall export {folder}` sends what is missing"));
        }
        if any(|summary| !summary.unknown.is_empty() || summary.still_unknown > 0) {
            eprint_line(&format!(
                "hint: look whether they are there; `loadcall export --again {folder}` sends them a \
                 second time, with the same ids"
            ));
        }
    }
}

/// Says why calls are missing, or may be, in one backend.
fn say_why(place: &str, summary: &ExportSummary) {
    for (reason, calls) in &summary.left {
        let are = if *calls == 1 { "is" } else { "are" };
        let calls = count(*calls, "call");
        eprint_line(&format!("warning: {calls} {are} not traced: {reason}"));
    }
    for (reason, calls) in &summary.unknown {
        let calls = count(*calls, "call");
        eprint_line(&format!("warning: it is not known whether {calls} arrived: {reason}"));
    }
    if summary.still_unknown > 0 {
        let calls = count(summary.still_unknown, "call");
        eprint_line(&format!(
            "warning: it is not known whether {calls} arrived at {place} in an earlier export"
        ));
    }
}

/// Sends the traces of a run that has just ended, and says what did not arrive.
pub(super) async fn send(places: Places, sending: &Sending<'_>) {
    if places.is_empty() {
        return;
    }
    let sent = match places.send(sending).await {
        Ok(sent) => sent,
        Err(e) => {
            let why = e.message().unwrap_or_default();
            return eprint_line(&format!("warning: no call was traced: {why}"));
        }
    };
    if sending.how == Verbosity::Normal {
        for (place, summary) in sent.backends.iter().filter(|(_, summary)| summary.sent > 0) {
            eprint_line(&format!("{} sent to {place}", count(summary.sent, "trace")));
        }
    }
    sent.say_what_is_missing(sending.folder);
}

/// What became of the traces of a run with one backend, as a line.
pub(super) fn line(place: &str, summary: &ExportSummary) -> String {
    let before = match summary.before {
        0 => String::new(),
        before => format!(", {} had arrived before", number_of(before)),
    };
    format!("{} sent to {place}{before}\n", count(summary.sent, "trace"))
}

pub(super) fn run_folder(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().unwrap_or(path) }
}

/// The Langfuse project that is set up, if any.
pub(super) fn project(args: &LangfuseArgs) -> Result<Option<Project>, Failure> {
    if args.public_key.is_some() != args.secret_key.is_some() {
        eprint_line(
            "note: no traces are sent to Langfuse, which needs both LANGFUSE_PUBLIC_KEY and \
             LANGFUSE_SECRET_KEY",
        );
    }
    project_of_keys(args)
}

/// The project whose keys are set; `None` where they are not.
pub(super) fn project_of_keys(args: &LangfuseArgs) -> Result<Option<Project>, Failure> {
    let (Some(public_key), Some(secret_key)) = (&args.public_key, &args.secret_key) else {
        return Ok(None);
    };
    let given = Given {
        public_key: public_key.clone(),
        secret_key: secret_key.clone(),
        base_url: args.base_url.clone(),
        environment: args.environment.clone(),
    };
    Project::new(&given).map(Some).map_err(Failure::usage)
}
