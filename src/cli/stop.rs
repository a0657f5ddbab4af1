//! The signals that stop a run: from a terminal, a supervisor, or a terminal that is closed.

use super::failure::Failure;
use super::terminal::eprint_line;
use crate::files;
use futures_util::future::OptionFuture;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Becomes true with the first signal (hang up all calls and report), and with the second (stop at once).
#[derive(Clone)]
pub(super) struct Stop {
    pub(super) first: watch::Receiver<bool>,
    pub(super) second: watch::Receiver<bool>,
}

/// The signals of this process, from the first time that this is called: one that comes between two runs
/// stops the second.
pub(super) fn signals() -> Result<Stop, Failure> {
    signals_saying("hanging up; press Ctrl-C again to abort")
}

/// The same; `words` is what is said after the first, for a command that has no calls to hang up.
pub(super) fn signals_saying(words: &'static str) -> Result<Stop, Failure> {
    static WATCHED: Mutex<Option<Stop>> = Mutex::new(None);
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(stop) = &*watched {
        return Ok(stop.clone());
    }
    let stop = watch(words)?;
    *watched = Some(stop.clone());
    Ok(stop)
}

/// Watches for signals on a thread of its own, which ends with the process.
fn watch(words: &'static str) -> Result<Stop, Failure> {
    let failed = |e| Failure::internal(format!("cannot watch for signals: {e}"));
    let runtime = Builder::new_current_thread().enable_io().build().map_err(failed)?;
    let within = runtime.enter();
    let watched = |kind| signal(kind).map_err(failed);
    let mut interrupt = watched(SignalKind::interrupt())?;
    let mut terminate = watched(SignalKind::terminate())?;
    let mut hangup = if ignores_hangups() { None } else { Some(watched(SignalKind::hangup())?) };
    let (first_out, first) = watch::channel(false);
    let (second_out, second) = watch::channel(false);
    drop(within);
    let watching = async move {
        for (n, out) in [first_out, second_out].iter().enumerate() {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                // A closed terminal may send it twice.
                Some(Some(())) = OptionFuture::from(hangup.as_mut().map(Signal::recv)), if n == 0 => {}
            }
            if n == 0 {
                eprint_line(words);
            }
            out.send_replace(true);
        }
        std::future::pending::<()>().await;
    };
    let thread = std::thread::Builder::new().name("signals".to_owned());
    thread.spawn(move || runtime.block_on(watching)).map_err(failed)?;
    Ok(Stop { first, second })
}

/// Whether whoever started this process had it ignore SIGHUP, as `nohup` does: then it is to outlive its
/// terminal, and a handler would undo that. Only Linux says so.
fn ignores_hangups() -> bool {
    const STATUS_LIMIT: u64 = 64 * 1024;
    let status = files::read_text(Path::new("/proc/self/status"), STATUS_LIMIT);
    status.is_ok_and(|status| ignored_signals(&status) & 1 != 0)
}

/// The mask of ignored signals in the text of `/proc/PID/status`; signal 1 is the lowest bit.
fn ignored_signals(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::ignored_signals;

    #[test]
    fn ignored_signals_are_read() {
        let status = "Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\n";
        assert_eq!(ignored_signals(status), 0x1001);
        assert_eq!(ignored_signals(""), 0);
    }
}
