//! What decides whether a run got worse, and how sure a judgement has to be.

use serde::{Deserialize, Serialize};

/// Slow turns and single steps vary more than a typical turn does: what they have to change by to matter is this many
/// times the share of the minimum effect (8 % become 15 %), and this many times its time (60 ms become 100).
pub(super) const WIDER: f64 = 15.0 / 8.0;
pub(super) const WIDER_MS: f64 = 100.0 / 60.0;

/// A question that decides. All that are asked of a run share one chance of a false alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Do more calls fail?
    CallsOk,
    /// Does the agent cut in on the caller in more calls?
    CutIns,
    /// Is the typical turn slower: the mean over the steps of the logarithm of their medians?
    TypicalTurn,
    /// Are the slow turns slower: the mean of the slowest tenth?
    SlowTurns,
    /// Is a single step slower?
    WorstStep,
    /// Is the percentile slower that the scenario names (`primary`) in place of the three before?
    Primary,
}

impl Question {
    /// The name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CallsOk => "calls_ok",
            Self::CutIns => "cut_ins",
            Self::TypicalTurn => "typical_turn",
            Self::SlowTurns => "slow_turns",
            Self::WorstStep => "worst_step",
            Self::Primary => "primary",
        }
    }
}

/// A question as it was asked of a run, or of one step of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Asked {
    pub question: Question,
    /// The id of the step; `None` where all steps are asked together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

/// Something looks worse, and not surely enough for a verdict by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    #[serde(flatten)]
    pub asked: Asked,
    /// The first of the runs in a row of which it was suspected; `None` where it begins with this one. What is handed
    /// over as `before` always has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Sighting>,
}

/// A run in which something was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    pub run: String,
    /// RFC 3339, UTC.
    pub started_at: String,
}

/// How sure a judgement has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deciding<'a> {
    /// By this run alone: a run of an agent that did not change is called worse in 5 % of cases.
    #[default]
    Once,
    /// By this run and the one before it. Worse is what has a chance of 1 % without a change, or of 10 % and was
    /// suspected in the run before; what has 10 % is suspected.
    Confirmed {
        /// What was suspected, or found worse, in the run before.
        before: &'a [Suspicion],
    },
}
