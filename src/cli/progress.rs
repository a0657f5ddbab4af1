//! Progress on stderr while calls are placed: a bar on a terminal, else one line per ended call.

use super::terminal::eprint_line;
use crate::plan::TargetId;
use crate::record::{CallRecord, Outcome};
use crate::run::event::{Event, EventKind, Sink};
use crate::text::safe;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::time::Duration;

/// Shows how far a run is.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    lines: bool,
    /// What the agents are called when there are several.
    names: Vec<&'static str>,
    total: u64,
    under_way: u64,
    ended: u64,
    answered: u64,
}

impl Progress {
    /// Of so many calls, to agents of these names; to the only one when there are none.
    pub(super) fn start(
        bars: &MultiProgress,
        total: u64,
        names: Vec<&'static str>,
        how: Verbosity,
    ) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = (terminal && how == Verbosity::Normal).then(|| {
            let bar = bars.add(ProgressBar::new(total));
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} calls, {msg} {elapsed}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        let lines = !terminal && how == Verbosity::Normal;
        Self { bar, lines, names, total, under_way: 0, ended: 0, answered: 0 }
    }

    fn ended(&mut self, target: TargetId, call: &CallRecord) {
        let answered = call.end.outcome == Outcome::Answered;
        self.under_way -= 1;
        self.ended += 1;
        self.answered += u64::from(answered);
        if self.lines {
            eprint_line(&self.line(target, call));
        }
        // What went wrong stays on the screen.
        if let Some(bar) = &self.bar
            && !answered
        {
            bar.println(self.line(target, call));
        }
    }

    fn line(&self, target: TargetId, call: &CallRecord) -> String {
        let seconds = call.end.at.since(call.dialled).as_secs_f64();
        let detail = safe(&call.end.detail);
        let colon = if detail.is_empty() { "" } else { ": " };
        let outcome = call.end.outcome.name();
        let (ended, total) = (self.ended, self.total);
        let to = self.names.get(target.index()).map_or(String::new(), |name| format!(" to {name}"));
        format!("call {ended}/{total}{to} {outcome} after {seconds:.1} s{colon}{detail}")
    }
}

impl Sink for Progress {
    fn take(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Placed(_) => self.under_way += 1,
            EventKind::Ended { target, record } => self.ended(*target, record),
            EventKind::GaveUp { .. } | EventKind::Finished { .. } => {}
        }
        let Some(bar) = &self.bar else { return };
        bar.set_position(self.ended);
        bar.set_message(format!("{} in progress, {} answered,", self.under_way, self.answered));
        if matches!(event.kind, EventKind::Finished { .. }) {
            bar.finish_and_clear();
        }
    }
}

/// How much is shown besides the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verbosity {
    Quiet,
    Normal,
}
