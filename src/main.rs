//! The loadcall program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    loadcall::cli::main()
}
