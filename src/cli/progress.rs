//! Progress on stderr while calls are placed: a bar on a terminal, else one line per ended call.

use super::exit::tell;
use crate::record::{CallRecord, Outcome};
use crate::report::safe;
use crate::run::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::time::Duration;

/// Shows how far a run is.
pub(super) struct Shown {
    bar: Option<ProgressBar>,
    lines: bool,
    total: usize,
    under_way: usize,
    ended: usize,
    answered: usize,
}

impl Shown {
    pub(super) fn start(bars: &MultiProgress, total: usize, how: Verbosity) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = (terminal && how == Verbosity::Normal).then(|| {
            let bar = bars.add(ProgressBar::new(total as u64));
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} calls, {msg} {elapsed}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        let lines = !terminal && how == Verbosity::Normal;
        Self { bar, lines, total, under_way: 0, ended: 0, answered: 0 }
    }

    pub(super) fn on(&mut self, progress: &Progress<'_>) {
        match progress {
            Progress::Placed(_) => self.under_way += 1,
            Progress::Ended(call) => {
                self.under_way -= 1;
                self.ended += 1;
                self.answered += usize::from(call.end.outcome == Outcome::Answered);
                if self.lines {
                    tell(&self.line(call));
                }
            }
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.ended as u64);
            bar.set_message(format!("{} in progress, {} answered,", self.under_way, self.answered));
            // What went wrong stays on the screen.
            if let Progress::Ended(call) = progress
                && call.end.outcome != Outcome::Answered
            {
                bar.println(self.line(call));
            }
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, call: &CallRecord) -> String {
        let seconds = call.end.at.since(call.dialled).as_secs_f64();
        let detail = safe(&call.end.detail);
        let colon = if detail.is_empty() { "" } else { ": " };
        let outcome = call.end.outcome.name();
        let (ended, total) = (self.ended, self.total);
        format!("call {ended}/{total} {outcome} after {seconds:.1} s{colon}{detail}")
    }
}

/// How much is shown besides the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verbosity {
    Quiet,
    Normal,
}
