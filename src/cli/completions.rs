//! `loadcall completions`: scripts that complete commands and flags in a shell.

use super::args::Cli;
use super::exit;
use super::failure::Failure;
use super::terminal::print_result;
use clap_complete::Shell;

/// Prints the script.
pub(super) fn completions(shell: Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::shown(), env!("CARGO_PKG_NAME"), &mut script);
    print_result(&String::from_utf8_lossy(&script))?;
    Ok(exit::PASS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::safe;
    use clap::ValueEnum as _;

    /// Everything that is printed is made harmless: a script has to come through unchanged.
    #[test]
    fn scripts_hold_nothing_that_a_terminal_would_obey() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::shown(), "loadcall", &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("dev-agent"), "{shell}");
            for line in script.lines() {
                assert_eq!(safe(line), line, "{shell}");
            }
        }
    }
}
