//! The machine this runs on, and threads for the calls it places.

use super::failure::Failure;
use crate::record::Host;
use crate::run::threads;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

pub(super) fn host() -> Host {
    let cpus = std::thread::available_parallelism();
    Host {
        os: std::env::consts::OS.into(),
        cpus: cpus.map_or(0, |n| u32::try_from(n.get()).unwrap_or(0)),
    }
}

/// Threads for so many calls at a time; as many as there are processors when that is not known.
pub(super) fn runtime(at_a_time: Option<usize>) -> Result<Runtime, Failure> {
    let mut runtime = Builder::new_multi_thread();
    if let Some(at_a_time) = at_a_time {
        runtime.worker_threads(threads(at_a_time));
    }
    runtime
        .enable_all()
        .build()
        .map_err(|e| Failure::internal(format!("cannot start the runtime: {e}")))
}

/// Ends a runtime; what still waits for a server that does not answer is left behind.
pub(super) fn shut_down(runtime: Runtime) {
    runtime.shutdown_timeout(Duration::from_secs(1));
}
