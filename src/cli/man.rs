//! `loadcall man`: the man pages, one a command.

use super::args::Cli;
use super::failure::Failure;
use super::terminal::print_result;
use super::{exit, files};
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use std::io;
use std::path::Path;

/// Writes the pages of all commands that people call.
pub(super) fn man(folder: &Path) -> Result<u8, Failure> {
    files::make_folder(folder)?;
    let mut cli = Cli::command().disable_help_subcommand(true);
    cli.build();
    let shown = cli.get_subcommands().filter(|command| !command.is_hide_set());
    let pages: Vec<Command> = [&cli].into_iter().chain(shown).cloned().collect();
    let count = pages.len();
    for command in pages {
        let (name, page) = page(command).map_err(Failure::internal)?;
        files::write(&folder.join(name), &page)?;
    }
    print_result(&format!("{count} man pages in {}\n", folder.display()))?;
    Ok(exit::PASS)
}

/// A page and its file name. The end of the help is kept in its lines, which clap's own page would run together.
fn page(command: Command) -> io::Result<(String, Vec<u8>)> {
    let end = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let has_subcommands = command.get_subcommands().any(|command| !command.is_hide_set());
    let version = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command).source(version);
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if has_subcommands {
        man.render_subcommands_section(&mut out)?;
    }
    let mut roff = Roff::default();
    roff.control("SH", ["NOTES"]).control("nf", []);
    for line in end.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []).to_writer(&mut out)?;
    Ok((man.get_filename(), out))
}
