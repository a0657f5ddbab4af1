//! What is asked of pairs, and at which levels.

/// With fewer pairs every order of signs occurs by chance in more than one case of 20 (2 / 2^5).
pub const MIN_PAIRS: usize = 6;
/// One-sided. Their sum is less than 5 %: errors that are estimated from some 30 pairs let the three questions of
/// latency err a quarter more often than their shares say, and with these all four err in 5 % together (`simulation.rs`).
pub(super) const SHARES: Shares =
    Shares { calls: 0.01, typical: 0.014, slow: 0.01, steps: 0.01, better: 0.025, equal: 0.05 };

/// One-sided levels of what is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shares {
    pub(super) calls: f64,
    pub(super) typical: f64,
    pub(super) slow: f64,
    /// Of all steps together.
    pub(super) steps: f64,
    /// That the typical turn is faster.
    pub(super) better: f64,
    /// That a slowdown is excluded.
    pub(super) equal: f64,
}

/// How the questions are asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Asking {
    pub(super) shares: Shares,
    /// Whether what questions have in common may sharpen them: once, at the end.
    pub(super) once: bool,
    pub(super) seed: u64,
}

/// What is asked of latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    TypicalTurn,
    SlowTurns,
    /// A step of the script, by its place.
    Step(u32),
}

impl Question {
    pub const fn name(self) -> &'static str {
        match self {
            Self::TypicalTurn => "typical_turn",
            Self::SlowTurns => "slow_turns",
            Self::Step(_) => "step",
        }
    }
}
