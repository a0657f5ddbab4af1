//! How a run that is placed and its baseline go together.

use clap::{Args, ValueEnum};

#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct NightArgs {
    /// Let the run keep its baseline by itself, as a nightly job needs it. Judged by two nights: what looks worse is
    /// suspected, and worse when the next night confirms it.
    #[arg(long, value_enum, value_name = "WHEN", default_value = "never")]
    pub(in crate::cli) update_baseline: UpdateBaseline,
    /// Place the calls again at once when the run looks worse than its baseline, and judge by both runs.
    #[arg(long)]
    pub(in crate::cli) confirm: bool,
}

impl NightArgs {
    /// Whether another run can confirm what this one suspects.
    pub(in crate::cli) fn can_confirm(self) -> bool {
        self.confirm || self.update_baseline == UpdateBaseline::Auto
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum UpdateBaseline {
    /// Add every valid run, whatever the comparison says: to the level while that has too few runs, then to the
    /// nights that say how much nights differ.
    Auto,
    /// Leave the baseline to `loadcall accept`.
    Never,
}
