//! The engine's threads.

use std::sync::OnceLock;

use super::reactor::Worker;
use crate::types::RtcError;

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
    place(pool.iter().map(Worker::connections))
        .and_then(|place| pool.get(place))
        .ok_or_else(|| RtcError::internal("cannot start the engine's threads"))
}

/// Which of the threads with so many connections gets the next one.
fn place(connections: impl Iterator<Item = usize> + Clone) -> Option<usize> {
    let with_room = connections.clone().position(|count| count < CONNECTIONS);
    with_room.or_else(|| connections.enumerate().min_by_key(|(_, count)| *count).map(|(i, _)| i))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_full_before_the_next_one_gets_any() {
        let place = |counts: &[usize]| place(counts.iter().copied());
        assert_eq!(place(&[0, 0]), Some(0));
        assert_eq!(place(&[127, 0, 5]), Some(0));
        assert_eq!(place(&[128, 3, 0]), Some(1));
        assert_eq!(place(&[130, 129, 129]), Some(1), "when all are full, the one with the fewest");
        assert_eq!(place(&[]), None);
    }
}
