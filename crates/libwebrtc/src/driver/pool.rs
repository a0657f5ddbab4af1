//! The engine's threads.

use std::sync::OnceLock;

use super::worker::Worker;
use crate::RtcError;

/// Threads are one per core, and no more than this.
const THREADS_MAX: usize = 16;
/// Connections that a thread has before the next one gets any: about a fifth of a core. Each thread that is awake costs
/// wake-ups of its own and of the application: with a hundred calls, two took 8 % more CPU time than one.
const CONNECTIONS: usize = 128;

/// A thread for the next connection. The threads start with the first connection and live as long as the process.
pub(super) fn worker() -> Result<&'static Worker, RtcError> {
    static POOL: OnceLock<Vec<Worker>> = OnceLock::new();
    let pool = POOL.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let started = (0..cores.min(THREADS_MAX)).map(Worker::start);
        started
            .filter_map(|worker| {
                worker.map_err(|error| log::error!("cannot start an engine thread: {error}")).ok()
            })
            .collect()
    });
    let with_room = pool.iter().find(|worker| worker.connections() < CONNECTIONS);
    with_room
        .or_else(|| pool.iter().min_by_key(|worker| worker.connections()))
        .ok_or_else(|| RtcError::internal("cannot start the engine's threads"))
}
