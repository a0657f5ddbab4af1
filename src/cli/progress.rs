//! Progress on stderr while calls are placed: a bar on a terminal that can show one, else one line per ended call.

use super::terminal::eprint_line;
use crate::plan::{Plan, TargetId};
use crate::record::CallRecord;
use crate::run::event::{Event, EventKind, Sink};
use crate::scenario::Scenario;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use so_far::SoFar;
use std::sync::Arc;
use std::time::Duration;

mod so_far;

/// Fits on 60 columns with the longest of usual lines; what is too long is cut at the end.
const BAR: &str = "{bar:8} {wide_msg}";

/// Shows how far a run is.
pub(super) struct Progress {
    shown: Shown,
    so_far: SoFar,
}

enum Shown {
    Nothing,
    Lines,
    Bar(ProgressBar),
}

impl Progress {
    /// Of the calls of a plan, to agents of these names; to the only one when there are none. Agents differ in nothing
    /// that `scenario` says of turns.
    pub(super) fn start(
        bars: &MultiProgress,
        plan: Plan,
        scenario: Arc<Scenario>,
        names: Vec<&'static str>,
        how: Verbosity,
    ) -> Self {
        let shown = match how {
            Verbosity::Quiet => Shown::Nothing,
            // No terminal, or one that cannot draw (TERM is `dumb` or not set).
            Verbosity::Normal if bars.is_hidden() => Shown::Lines,
            Verbosity::Normal => Shown::Bar(bar(bars, plan.total())),
        };
        Self { shown, so_far: SoFar::new(plan, scenario, names) }
    }

    fn ended(&mut self, target: TargetId, call: &CallRecord) {
        if matches!(self.shown, Shown::Nothing) {
            return;
        }
        let facts = self.so_far.add(target, call);
        let line = || self.so_far.ended_line(target, &facts);
        match &self.shown {
            Shown::Lines => eprint_line(&line()),
            // What went wrong stays on the screen.
            Shown::Bar(bar) if facts.failure.is_some() => bar.println(line()),
            Shown::Nothing | Shown::Bar(_) => {}
        }
    }
}

fn bar(bars: &MultiProgress, total: u64) -> ProgressBar {
    let bar = bars.add(ProgressBar::new(total));
    let style = ProgressStyle::with_template(BAR);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

impl Sink for Progress {
    fn take(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Placed(_) => self.so_far.placed(),
            EventKind::Ended { target, record, .. } => self.ended(*target, record),
            EventKind::GaveUp { .. } | EventKind::Decided { .. } => {}
            EventKind::Finished { .. } => {
                if let Shown::Bar(bar) = &self.shown {
                    bar.finish_and_clear();
                }
                return;
            }
        }
        // A call that begins while others have ended changes nothing that is shown.
        let changes = matches!(event.kind, EventKind::Ended { .. }) || self.so_far.ended() == 0;
        if let Shown::Bar(bar) = &self.shown
            && changes
        {
            bar.set_position(self.so_far.ended());
            bar.set_message(self.so_far.line(event.at));
        }
    }
}

/// How much is shown besides the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verbosity {
    Quiet,
    Normal,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Schedule, Targets};
    use crate::turn::testing::{call, scenario};
    use indicatif::ProgressDrawTarget;

    fn on(bars: &MultiProgress, how: Verbosity) -> Progress {
        let scenario = scenario(vec![crate::turn::testing::listen("greeting")]);
        let schedule = Schedule::new(scenario.load());
        let plan = Plan { schedule, targets: Targets::ONE, seed: 1 };
        Progress::start(bars, plan, Arc::new(scenario), Vec::new(), how)
    }

    /// A terminal that cannot move its cursor hides bars, and would show nothing.
    #[test]
    fn a_bar_that_would_be_hidden_becomes_lines() {
        let hidden = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        assert!(matches!(on(&hidden, Verbosity::Normal).shown, Shown::Lines));
        assert!(matches!(on(&hidden, Verbosity::Quiet).shown, Shown::Nothing));
    }

    #[test]
    fn calls_are_counted_as_they_end() {
        let hidden = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let mut progress = on(&hidden, Verbosity::Normal);
        let record = Box::new(call(3, Vec::new(), 500, crate::record::Outcome::NoAgent));
        let kind = EventKind::Ended { target: TargetId::FIRST, record, tape: None };
        progress.take(&Event { at: crate::time::Offset::default(), kind });
        assert_eq!(progress.so_far.ended(), 1);
    }
}
