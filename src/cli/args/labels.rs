//! The flags that say what stands in Langfuse beside the calls' traces.

use clap::{Args, ValueEnum};

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Langfuse (each call becomes a trace when both keys are set)")]
pub(in crate::cli) struct LabelArgs {
    /// Release of the agent under test, such as a commit, on its traces.
    #[arg(
        long = "langfuse-release",
        env = "LANGFUSE_RELEASE",
        value_name = "RELEASE",
        hide_env_values = true
    )]
    pub(in crate::cli) release: Option<String>,
    /// File the run as an experiment whose name begins with NAME, with the scenario as an item of the
    /// dataset loadcall.
    #[arg(
        long = "langfuse-experiment",
        value_name = "NAME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ""
    )]
    pub(in crate::cli) experiment: Option<String>,
}

/// Not described one by one: that would make every line of the help a paragraph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Scores {
    None,
    Calls,
    // And calls.
    Turns,
}
