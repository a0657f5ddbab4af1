//! `loadcall supervise`, which loadcall itself starts.

use super::failure::Failure;
use crate::dev;
use std::ffi::OsString;

pub(super) fn supervise(program: &[OsString]) -> Result<u8, Failure> {
    let Some((program, args)) = program.split_first() else {
        return Err(Failure::usage("no program to run"));
    };
    let cannot = |e: std::io::Error| {
        Failure::internal(format!("cannot run `{}`: {e}", program.to_string_lossy()))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(cannot)?.block_on(dev::supervise(program, args)).map_err(cannot)
}
