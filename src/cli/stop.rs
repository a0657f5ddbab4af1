//! The user's wish to stop, from the signals of a terminal or a supervisor.

use super::exit::{Failure, tell};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// The user's wish to stop: first in order, then at once.
pub(super) struct Stop {
    pub(super) first: watch::Receiver<bool>,
    pub(super) second: watch::Receiver<bool>,
}

#[expect(clippy::disallowed_methods, reason = "a watcher that ends with the process")]
pub(super) fn signals() -> Result<Stop, Failure> {
    let cannot = |e| Failure::internal(format!("cannot watch for signals: {e}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let (first_out, first) = watch::channel(false);
    let (second_out, second) = watch::channel(false);
    tokio::spawn(async move {
        for (n, out) in [first_out, second_out].iter().enumerate() {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if n == 0 {
                tell("stopping: hanging up in order; once more to stop at once");
            }
            out.send_replace(true);
        }
        std::future::pending::<()>().await;
    });
    Ok(Stop { first, second })
}
