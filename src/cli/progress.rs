//! Progress on stderr while calls are placed: a bar on a terminal, else one line per ended call.

use super::exit::tell;
use crate::plan::Plan;
use crate::record::{CallRecord, Outcome, Side};
use crate::run::Progress;
use crate::text::safe;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::time::Duration;

/// Shows how far a run is.
pub(super) struct Shown {
    bar: Option<ProgressBar>,
    lines: bool,
    /// Two agents are called, and it is said which.
    two: bool,
    total: usize,
    under_way: usize,
    ended: usize,
    answered: usize,
}

impl Shown {
    pub(super) fn start(bars: &MultiProgress, plan: &Plan, how: Verbosity) -> Self {
        let total = plan.calls.len();
        let two = plan.calls.iter().any(|call| call.side == Side::B);
        let terminal = std::io::stderr().is_terminal();
        let bar = (terminal && how == Verbosity::Normal).then(|| {
            let bar = bars.add(ProgressBar::new(total as u64));
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} calls, {msg} {elapsed}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        let lines = !terminal && how == Verbosity::Normal;
        Self { bar, lines, two, total, under_way: 0, ended: 0, answered: 0 }
    }

    pub(super) fn on(&mut self, progress: &Progress<'_>) {
        match progress {
            Progress::Placed(_) => self.under_way += 1,
            Progress::Ended(planned, call) => {
                self.under_way -= 1;
                self.ended += 1;
                self.answered += usize::from(call.end.outcome == Outcome::Answered);
                if self.lines {
                    tell(&self.line(planned.side, call));
                }
            }
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.ended as u64);
            bar.set_message(format!("{} in progress, {} answered,", self.under_way, self.answered));
            // What went wrong stays on the screen.
            if let Progress::Ended(planned, call) = progress
                && call.end.outcome != Outcome::Answered
            {
                bar.println(self.line(planned.side, call));
            }
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, side: Side, call: &CallRecord) -> String {
        let seconds = call.end.at.since(call.dialled).as_secs_f64();
        let detail = safe(&call.end.detail);
        let colon = if detail.is_empty() { "" } else { ": " };
        let outcome = call.end.outcome.name();
        let (ended, total) = (self.ended, self.total);
        let to = if self.two { format!(" to {}", side.name()) } else { String::new() };
        format!("call {ended}/{total}{to} {outcome} after {seconds:.1} s{colon}{detail}")
    }
}

/// How much is shown besides the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verbosity {
    Quiet,
    Normal,
}
