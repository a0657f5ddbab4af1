//! What a simulated call costs: CPU time and memory of N callers against a real livekit-server, in turn with the least
//! that such calls can cost (the floor: their packets, a decoder and an ear) and, when one is given, with the official
//! load tester, which decodes nothing. The goal is at most three quarters of what that takes.
//!
//! The program starts itself: each role (the callers, the agents they talk to, the floor) runs in a process of its own,
//! whose CPU time and memory are read from outside.

mod args;
mod error;
// The roles.
mod measured;
mod role;
mod meter;
mod speech;
mod caller;
mod agent;
mod floor;
// The one that starts them.
mod process;
mod child;
mod round;
mod bench;
mod table;

use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;

use crate::{
    args::{Args, Role},
    error::Error,
};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    env_logger::init();
    let calls = match &args.role {
        Some(Role::Caller(room) | Role::Agent(room)) => room.calls,
        Some(Role::Floor(_)) | None => 1,
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // As loadcall has them.
    runtime.worker_threads(loadcall::run::threads(calls as usize)).enable_all();
    let runtime = match runtime.build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Error::Start(error)),
    };
    let done = match args.role {
        None => runtime.block_on(bench::run(&args.bench)),
        Some(Role::Caller(room)) => runtime.block_on(caller::run(&room)),
        Some(Role::Agent(room)) => runtime.block_on(agent::run(&room)),
        Some(Role::Floor(floor)) => runtime.block_on(floor::run(&floor)),
    };
    // What still runs in the background has nothing to tell.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &Error) -> ExitCode {
    role::say_on_stderr(&format!("error: {error}"));
    ExitCode::FAILURE
}
