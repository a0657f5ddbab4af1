//! The windows and limits that what is reported depends on, from the constants that are used.

use std::time::Duration;

use crate::record::SPEECH_GAP;
use crate::scenario::{IGNORES_ANSWER_WINDOW, IGNORES_STOP_WINDOW, Scenario};
use crate::turn::{EOT_EARLY_MS, LONGEST_REPORTED_MS};

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
        time("speech_gap_ms", SPEECH_GAP, "silence of the agent that ends its speech"),
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
        Window {
            name: "eot_early_ms",
            ms: EOT_EARLY_MS,
            text: "a reply that begins more than this before the end of the caller's speech is an end-of-turn misprediction",
        },
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
    ]
}

#[cfg(test)]
mod tests;
