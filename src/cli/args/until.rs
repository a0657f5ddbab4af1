//! The flags of an A/B run that ends as soon as it is decided.

use super::whole;
use crate::scenario::Override;
use clap::Args;

/// The most calls to each agent that can be asked for.
const MOST: u32 = 100_000;

#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct UntilArgs {
    /// Stop as soon as b is found to be worse, better or no worse. Up to five looks at equal distances share the
    /// error of one, so this gives no more false alarms than all calls do.
    #[arg(long)]
    pub(in crate::cli) until_decided: bool,
    /// Most calls to each agent with --until-decided (default: those of the scenario).
    #[arg(
        long,
        value_name = "N",
        requires = "until_decided",
        conflicts_with = "calls",
        value_parser = whole(6..=MOST, "60")
    )]
    pub(in crate::cli) max_calls: Option<u32>,
}

impl UntilArgs {
    /// What it changes in the scenario.
    pub(in crate::cli) fn change(&self) -> Option<Override> {
        self.max_calls.map(|calls| Override::Calls(calls.to_string()))
    }
}
