//! A process of the benchmark's own: one of its roles, or the official tester. It ends with this one.
#![expect(clippy::disallowed_methods, reason = "IO: reads the clock around a window")]

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child as Process, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::{
    args::Room,
    error::Error,
    measured::Measured,
    process::Usage,
    role::{BEGIN, END, Told},
};

/// How long an answer may take, and the orderly end of a role.
const ANSWER: Duration = Duration::from_secs(10);
const GOODBYE: Duration = Duration::from_secs(15);
/// How long a role may take until it is ready: so long, and so long for each call.
const READY: Duration = Duration::from_secs(20);
const READY_EACH: Duration = Duration::from_millis(500);

/// A running process and what it was called.
pub(crate) struct Child {
    pub(crate) who: &'static str,
    process: Process,
    orders: Option<ChildStdin>,
    answers: Option<Lines<BufReader<ChildStdout>>>,
}

/// What a process has used until a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    usage: Usage,
    at: Instant,
}

/// What a process used in a window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) cpu: Duration,
    pub(crate) window: Duration,
    pub(crate) rss_kib: u64,
}

impl Child {
    /// Starts a role of this program.
    pub(crate) fn role(who: &'static str, arguments: &[String]) -> Result<Self, Error> {
        let spawn_error =
            |source| Error::Spawn { program: format!("{who} (this program)"), source };
        let mut command = Command::new(std::env::current_exe().map_err(spawn_error)?);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = quiet(&mut command).spawn().map_err(spawn_error)?;
        let orders = process.stdin.take();
        let answers = process.stdout.take().map(|out| BufReader::new(out).lines());
        Ok(Self { who, process, orders, answers })
    }

    /// Starts the official tester.
    pub(crate) fn official(program: &Path, room: &Room, seconds: u64) -> Result<Self, Error> {
        let mut command = Command::new(program);
        command
            .args(["perf", "agent-load-test", "--echo-speech-delay", "1s"])
            .args(["--url", &room.url, "--api-key", &room.api_key])
            .args(["--api-secret", &room.api_secret, "--rooms", &room.calls.to_string()])
            .args(["--duration", &format!("{seconds}s")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = quiet(&mut command)
            .spawn()
            .map_err(|source| Error::Spawn { program: program.display().to_string(), source })?;
        Ok(Self { who: "lk", process, orders: None, answers: None })
    }

    pub(crate) async fn ready(&mut self, calls: u32) -> Result<(), Error> {
        let patience = READY + READY_EACH * calls;
        let who = self.who;
        let answer = timeout(patience, self.answer()).await;
        match answer.map_err(|_| Error::NotReady { who, seconds: patience.as_secs() })?? {
            Told::Ready => Ok(()),
            other @ (Told::Begun | Told::Measured(_)) => {
                Err(Error::Gone { who, reason: format!("it said {other:?}") })
            }
        }
    }

    pub(crate) async fn begin(&mut self) -> Result<(), Error> {
        self.order(BEGIN).await.map(|_| ())
    }

    pub(crate) async fn end(&mut self) -> Result<Measured, Error> {
        match self.order(END).await? {
            Told::Measured(measured) => Ok(measured),
            other @ (Told::Ready | Told::Begun) => {
                Err(Error::Gone { who: self.who, reason: format!("it said {other:?}") })
            }
        }
    }

    pub(crate) fn reading(&self) -> Result<Reading, Error> {
        Reading::of(self.who, self.process.id())
    }

    /// Lets a role end by itself, and ends whatever has not.
    pub(crate) async fn stop(mut self) {
        drop(self.orders.take());
        if self.answers.is_some() {
            let _ = timeout(GOODBYE, self.process.wait()).await;
        }
        let _ = self.process.kill().await;
    }

    async fn order(&mut self, order: &str) -> Result<Told, Error> {
        if let Some(orders) = &mut self.orders {
            // One that is gone does not answer either.
            let _ = orders.write_all(format!("{order}\n").as_bytes()).await;
        }
        let who = self.who;
        let answer = timeout(ANSWER, self.answer()).await;
        answer.map_err(|_| Error::NotReady { who, seconds: ANSWER.as_secs() })?
    }

    async fn answer(&mut self) -> Result<Told, Error> {
        let gone = |reason: String| Error::Gone { who: self.who, reason };
        let Some(answers) = &mut self.answers else { return Err(gone("it does not talk".into())) };
        let line = answers.next_line().await.map_err(|e| gone(e.to_string()))?;
        let line = line.ok_or_else(|| gone("it has ended".into()))?;
        serde_json::from_str(&line).map_err(|e| gone(format!("{e}: {line}")))
    }
}

impl Reading {
    pub(crate) fn of(who: &'static str, pid: Option<u32>) -> Result<Self, Error> {
        let usage = pid.and_then(Usage::of).ok_or(Error::NoUsage { who })?;
        Ok(Self { usage, at: Instant::now() })
    }

    pub(crate) fn until(self, end: Self) -> Spent {
        Spent {
            cpu: end.usage.cpu.saturating_sub(self.usage.cpu),
            window: end.at.saturating_duration_since(self.at),
            rss_kib: end.usage.rss_kib,
        }
    }
}

/// Away from the terminal's Ctrl-C, which is for this program to answer, and never left behind.
fn quiet(command: &mut Command) -> &mut Command {
    command.process_group(0).kill_on_drop(true)
}
