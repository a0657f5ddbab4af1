//! Plan → calls: `queue` decides which call is placed when (no clock, no IO), [`place`] places it,
//! and all that happens goes as an [`event`] to whoever keeps or shows it, such as the [`recorder`], with which the [`keeper`]
//! keeps the audio of calls.

pub mod id;
pub mod event;
mod queue;
pub mod place;
pub mod keeper;
pub mod recorder;

pub use place::{Looks, place};

/// Calls that one thread of a runtime is for: about a fifth of a core. A second one makes them no faster, but both wake for
/// them: with a hundred calls, two took a tenth more CPU time than one.
const CALLS_PER_THREAD: usize = 128;

/// Threads that a runtime should have for so many calls at a time.
pub fn threads(calls: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    calls.div_ceil(CALLS_PER_THREAD).clamp(1, cores)
}
