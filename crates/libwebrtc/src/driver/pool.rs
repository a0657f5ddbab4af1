//! The engine's threads.

use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use super::worker::Worker;
use crate::RtcError;

/// Threads are one per core, and no more than this.
const THREADS_MAX: usize = 16;

/// A thread for the next connection, in turn. The threads start with the first connection and live as long as the
/// process.
pub(super) fn worker() -> Result<&'static Worker, RtcError> {
    static POOL: OnceLock<Vec<Worker>> = OnceLock::new();
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let pool = POOL.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let started = (0..cores.min(THREADS_MAX)).map(Worker::start);
        started
            .filter_map(|worker| {
                worker.map_err(|error| log::error!("cannot start an engine thread: {error}")).ok()
            })
            .collect()
    });
    let turn = NEXT.fetch_add(1, Ordering::Relaxed) % pool.len().max(1);
    pool.get(turn).ok_or_else(|| RtcError::internal("cannot start the engine's threads"))
}
