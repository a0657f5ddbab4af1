//! A child process in a process group of its own, whose output goes to a log.

use super::error::DevError;
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a process may take to end by itself before it is killed.
pub(super) const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How private processes are started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Launch {
    /// By this process, which ends them when it can: a SIGKILL leaves them behind.
    Direct,
    /// By `supervise` of the loadcall at this path, which ends them as soon as this process is gone.
    Supervised(PathBuf),
}

impl Launch {
    /// Supervised by the program that is running, which has to be loadcall.
    pub fn supervised_by_this_program() -> Result<Self, DevError> {
        let program = std::env::current_exe();
        let program =
            program.map_err(|source| DevError::Spawn { program: "loadcall".into(), source })?;
        Ok(Self::Supervised(program))
    }

    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        match self {
            Self::Direct => Command::new(program),
            Self::Supervised(loadcall) => {
                let mut command = Command::new(loadcall);
                command.args(["supervise", "--"]).arg(program);
                command
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Led by the child; `None` once it was ended.
    group: Option<Pid>,
    /// Becomes true when the output contains the marker.
    pub(super) seen: watch::Receiver<bool>,
    copying: JoinSet<()>,
    /// Closed by the system when this process is gone, which the child's supervisor waits for.
    _lifeline: Option<ChildStdin>,
}

impl Process {
    /// Starts a command of [`Launch::command`]; `name` is what errors call it, `marker` what its output is watched for
    /// (empty: nothing).
    pub(super) async fn start(
        mut command: Command,
        log: &Path,
        name: &str,
        marker: &str,
    ) -> Result<Self, DevError> {
        let log_error = |source| DevError::Log { path: log.into(), source };
        let file = File::options().create(true).append(true).open(log).await.map_err(log_error)?;
        let second = file.try_clone().await.map_err(log_error)?;
        let mut child = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| DevError::Spawn { program: name.into(), source })?;
        let (found, seen) = watch::channel(false);
        let mut copying = JoinSet::new();
        if let Some(out) = child.stdout.take() {
            copying.spawn(copy_output(out, file, marker.to_owned(), found.clone()));
        }
        if let Some(err) = child.stderr.take() {
            copying.spawn(copy_output(err, second, marker.to_owned(), found));
        }
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        // `Child::wait` would close it.
        let lifeline = child.stdin.take();
        Ok(Self { child, group, seen, copying, _lifeline: lifeline })
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the child ends by itself.
    pub(super) async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// How the child ended, if it has.
    pub(super) fn try_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks the whole group to end, and kills what has not after [`STOP_PATIENCE`].
    pub(super) async fn stop(mut self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::TERM);
        }
        let _ = timeout(STOP_PATIENCE, self.child.wait()).await;
        self.kill_group();
        let _ = timeout(STOP_PATIENCE, self.child.wait()).await;
        // What the group wrote last belongs in the log.
        let drained = async { while self.copying.join_next().await.is_some() {} };
        let _ = timeout(Duration::from_millis(500), drained).await;
    }

    /// Kills the leader and whatever of the group has outlived it.
    fn kill_group(&mut self) {
        if let Some(group) = self.group.take() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_group();
    }
}

/// Copies output to the log, whatever bytes it is, and watches it for the marker.
async fn copy_output(
    mut from: impl AsyncRead + Unpin,
    mut log: File,
    marker: String,
    found: watch::Sender<bool>,
) {
    let marker = marker.as_bytes();
    let mut chunk = vec![0; 8_192];
    let mut recent: Vec<u8> = Vec::new();
    while let Ok(n @ 1..) = from.read(&mut chunk).await {
        let _ = log.write_all(&chunk[..n]).await;
        let _ = log.flush().await;
        if marker.is_empty() {
            continue;
        }
        // The marker may be cut by the end of a chunk.
        recent.extend_from_slice(&chunk[..n]);
        if recent.windows(marker.len()).any(|part| part == marker) {
            found.send_replace(true);
        }
        recent.drain(..recent.len().saturating_sub(marker.len()));
    }
}
