//! The flags of the commands for the first minutes: `init`, `completions`, `man`.

use clap::Args;
use clap_complete::Shell;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(in crate::cli) struct InitArgs {
    /// Folder to write to, best the root of your agent's repository (default: this one).
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: Option<PathBuf>,
    /// Name your agent registers with; an empty text for automatic dispatch (default: demo-agent).
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) agent: Option<String>,
    /// Ask nothing. Without a terminal nothing is asked either.
    #[arg(long, short)]
    pub(in crate::cli) yes: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CompletionsArgs {
    /// Shell to complete in.
    #[arg(value_name = "SHELL")]
    pub(in crate::cli) shell: Shell,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ManArgs {
    /// Folder for the pages, such as ~/.local/share/man/man1.
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
}
