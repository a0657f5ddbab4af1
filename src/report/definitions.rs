//! The windows and limits that what is reported depends on, from the constants that are used.

use std::time::Duration;

use crate::scenario::{IGNORES_ANSWER_WINDOW, IGNORES_STOP_WINDOW, Scenario};
use crate::turn::{EARLY, LONGEST_REPORTED_MS, REPORTED_SLACK_MS};

/// A window by the name it has in `report.json`, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    pub name: &'static str,
    pub ms: f64,
    pub text: &'static str,
}

/// Every window and limit of a run of this scenario.
pub fn windows(scenario: &Scenario) -> Vec<Window> {
    let taking = scenario.turn_taking();
    let time = |name, of: Duration, text| Window { name, ms: of.as_secs_f64() * 1_000.0, text };
    vec![
        time("speech_gap_ms", taking.speech_gap, "silence of the agent that ends its speech"),
        time(
            "busy_limit_ms",
            taking.busy_limit,
            "an agent that is silent and says that it is busy counts as stuck after this time",
        ),
        time(
            "awkward_silence_ms",
            taking.awkward_silence,
            "a silence after the caller's turn is awkward from this length on",
        ),
        time(
            "awkward_silence_with_tools_ms",
            taking.awkward_silence_with_tools,
            "the same in a turn in which the agent ran a tool",
        ),
        time(
            "eot_early_ms",
            EARLY,
            "an agent that begins to speak more than this before the end of the caller's speech cuts in",
        ),
        time(
            "ignores_stop_window_ms",
            IGNORES_STOP_WINDOW,
            "an agent that falls silent later than this after a noise was not stopped by it",
        ),
        time(
            "ignores_answer_window_ms",
            IGNORES_ANSWER_WINDOW,
            "an agent that begins to speak later than this after a noise was not answering it",
        ),
        Window {
            name: "longest_reported_ms",
            ms: LONGEST_REPORTED_MS,
            text: "a reported time that is longer (or negative) is rejected",
        },
        Window {
            name: "reported_slack_ms",
            ms: REPORTED_SLACK_MS,
            text: "a reported time that is longer than what was heard allows by more than this is rejected",
        },
    ]
}

#[cfg(test)]
mod tests;
