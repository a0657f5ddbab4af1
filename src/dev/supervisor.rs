//! `loadcall supervise`: runs a program until its parent is gone. The parent holds the other end of our
//! stdin, which the system closes however the parent ends, also by SIGKILL.

use super::process::STOP_PATIENCE;
use rustix::process::{Signal, getpgrp, getpid, kill_process_group};
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

/// Runs a program and gives its exit code, 128 and the number of the signal when one ended it. When stdin
/// is closed, the whole process group ends, this process included.
///
/// # Errors
/// This process does not lead a process group, its stdin is not a pipe, or the program cannot be started.
pub async fn supervise(program: &OsStr, args: &[impl AsRef<OsStr>]) -> io::Result<u8> {
    let group = getpgrp();
    if group != getpid() {
        return Err(io::Error::other("not the leader of a process group"));
    }
    // Whoever ends the group means the program. Handlers stay, also without a listener.
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let _ = signal(kind)?;
    }
    let lifeline = Receiver::from_owned_fd(io::stdin().as_fd().try_clone_to_owned()?)?;
    let mut program = Command::new(program).args(args).stdin(Stdio::null()).spawn()?;
    tokio::select! {
        status = program.wait() => return Ok(code(status?)),
        () = closed(lifeline) => {}
    }
    kill_process_group(group, Signal::TERM)?;
    let _ = timeout(STOP_PATIENCE, program.wait()).await;
    // What the program started and left behind as well.
    kill_process_group(group, Signal::KILL)?;
    Ok(code(program.wait().await?))
}

async fn closed(mut lifeline: Receiver) {
    let mut ignored = [0; 64];
    while let Ok(1..) = lifeline.read(&mut ignored).await {}
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
