//! The flags of `export`.

use super::{EnvArgs, LangfuseArgs, RecordedRun};
use clap::Args;

#[derive(Debug, Args)]
#[command(override_usage = "loadcall export [OPTIONS] <RUN>")]
pub(in crate::cli) struct ExportArgs {
    #[command(flatten)]
    pub(in crate::cli) run: RecordedRun,
    /// Send calls again of which it is not known whether they arrived. Their ids stay the same.
    #[arg(long)]
    pub(in crate::cli) again: bool,
    /// Print only the result and what is missing.
    #[arg(long, short)]
    pub(in crate::cli) quiet: bool,
    #[command(flatten)]
    pub(in crate::cli) env: EnvArgs,
    #[command(flatten)]
    pub(in crate::cli) langfuse: LangfuseArgs,
}
