//! The engine's threads.

use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use tokio::runtime::{Builder, Handle};

use crate::RtcError;

/// Threads are one per core, and no more than this.
const THREADS_MAX: usize = 16;

/// A thread for the next connection, in turn. The threads start with the first connection and live as long as the
/// process.
pub(crate) fn worker() -> Result<&'static Handle, RtcError> {
    static POOL: OnceLock<Vec<Handle>> = OnceLock::new();
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let pool = POOL.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        (0..cores.min(THREADS_MAX)).filter_map(start).collect()
    });
    let turn = NEXT.fetch_add(1, Ordering::Relaxed) % pool.len().max(1);
    pool.get(turn).ok_or_else(|| RtcError::internal("cannot start the engine's threads"))
}

fn start(index: usize) -> Option<Handle> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build();
    let runtime =
        runtime.map_err(|error| log::error!("cannot start an engine runtime: {error}")).ok()?;
    let handle = runtime.handle().clone();
    let thread = std::thread::Builder::new().name(format!("rtc-{index}"));
    match thread.spawn(move || runtime.block_on(std::future::pending::<()>())) {
        Ok(_) => Some(handle),
        Err(error) => {
            log::error!("cannot start an engine thread: {error}");
            None
        }
    }
}
