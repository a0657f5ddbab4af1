//! An agent beside a run.

use super::error::{AGENT_START, DevError};
use super::log_end::LogEnd;
use super::process::{Launch, Process};
use super::ready::{Ready, listens, until_listening};
use crate::secret::Secret;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::sleep;

/// How an agent is started.
#[derive(Debug, Clone)]
pub struct AgentStart<'a> {
    pub launch: &'a Launch,
    /// Where its output goes.
    pub log: &'a Path,
    /// What is known of the LiveKit server, for its environment.
    pub url: Option<&'a str>,
    pub keys: Option<(&'a str, &'a str)>,
    /// What else is set in its environment.
    pub variables: Vec<(String, Secret)>,
    /// What says that it can take calls, and how long that may take.
    pub ready: Ready,
    pub timeout: Duration,
}

/// An agent with the server's address and keys in its environment; it ends when it is dropped.
#[derive(Debug)]
pub struct DevAgent {
    process: Process,
    log: PathBuf,
    secret: String,
}

impl DevAgent {
    /// Starts `command` in a shell and waits until it has registered with the server.
    pub async fn start(
        command: &str,
        url: &str,
        keys: (&str, &str),
        launch: &Launch,
        log: &Path,
    ) -> Result<Self, DevError> {
        Self::start_with(command, AgentStart::registering(url, keys, launch, log)).await
    }

    /// Starts `command` in a shell and waits until it is ready.
    pub async fn start_with(command: &str, how: AgentStart<'_>) -> Result<Self, DevError> {
        let mut shell = how.launch.command("sh");
        shell.args(["-c", command]);
        Self::start_program(shell, command, how).await
    }

    /// Starts our own scripted agent with this name, which a scenario may crash: nobody else uses it.
    pub async fn start_scripted(
        name: &str,
        url: &str,
        keys: (&str, &str),
        launch: &Launch,
        log: &Path,
    ) -> Result<Self, DevError> {
        let program = std::env::current_exe()
            .map_err(|source| DevError::Spawn { program: "loadcall".into(), source })?;
        let shown = format!("{} agent", program.display());
        let mut command = launch.command(program);
        command.args(["agent", "--allow-crash", "--name", name]);
        let how = AgentStart::registering(url, keys, launch, log);
        Self::start_program(command, &shown, how).await
    }

    async fn start_program(
        mut program: Command,
        command: &str,
        how: AgentStart<'_>,
    ) -> Result<Self, DevError> {
        program.envs(how.variables.iter().map(|(name, value)| (name, value.expose())));
        if let Some(url) = how.url {
            program.env("LIVEKIT_URL", url);
        }
        let secret = how.keys.map_or("", |(_, secret)| secret);
        if let Some((key, secret)) = how.keys {
            program.env("LIVEKIT_API_KEY", key).env("LIVEKIT_API_SECRET", secret);
        }
        // Else whoever has the port would pass for the agent.
        if let Ready::Port(port) = how.ready
            && listens(port).await
        {
            return Err(DevError::PortInUse(port));
        }
        let marker = if let Ready::Text(text) = &how.ready { text } else { "" };
        let mut process = Process::start(program, how.log, command, marker).await?;
        let mut seen = process.seen.clone();
        let ready = async {
            match how.ready {
                Ready::Text(_) => seen.wait_for(|seen| *seen).await.is_ok(),
                Ready::Port(port) => {
                    until_listening(port).await;
                    true
                }
            }
        };
        let status = tokio::select! {
            // Else the sender is gone: the agent has closed its output, and ends.
            ready = ready => if ready { None } else { Some(process.ended().await) },
            status = process.ended() => Some(status),
            () = sleep(how.timeout) => {
                process.stop().await;
                let end = LogEnd::read(how.log, secret);
                return Err(DevError::AgentSilent { ready: how.ready, timeout: how.timeout, end });
            }
        };
        match status {
            None => Ok(Self { process, log: how.log.to_owned(), secret: secret.to_owned() }),
            Some(Ok(status)) => {
                process.stop().await;
                Err(DevError::AgentEnded { status, end: LogEnd::read(how.log, secret) })
            }
            Some(Err(source)) => Err(DevError::Spawn { program: command.into(), source }),
        }
    }

    /// How the agent ended, and the end of its log, if it has ended by itself.
    pub fn ended(&mut self) -> Option<(ExitStatus, LogEnd)> {
        let status = self.process.try_ended()?;
        Some((status, LogEnd::read(&self.log, &self.secret)))
    }

    pub async fn stop(self) {
        self.process.stop().await;
    }
}

impl<'a> AgentStart<'a> {
    /// How a worker is started that registers with a server.
    fn registering(
        url: &'a str,
        keys: (&'a str, &'a str),
        launch: &'a Launch,
        log: &'a Path,
    ) -> Self {
        let (url, keys) = (Some(url), Some(keys));
        let (variables, ready) = (Vec::new(), Ready::default());
        Self { launch, log, url, keys, variables, ready, timeout: AGENT_START }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a command that has two seconds to be ready.
    async fn started(command: &str, ready: Ready) -> Result<DevAgent, String> {
        let folder = tempfile::tempdir().unwrap();
        let how = AgentStart {
            launch: &Launch::Direct,
            log: &folder.path().join("agent.log"),
            url: Some("ws://127.0.0.1:1"),
            keys: None,
            variables: Vec::new(),
            ready,
            timeout: Duration::from_secs(2),
        };
        DevAgent::start_with(command, how).await.map_err(|e| e.to_string())
    }

    #[tokio::test]
    async fn an_agent_is_ready_when_it_says_so() {
        let text = || Ready::Text("Bot ready".into());
        let mut agent = started("echo Bot ready; exec sleep 60", text()).await.unwrap();
        assert!(agent.ended().is_none());
        agent.stop().await;
        let why = started("exec sleep 60", text()).await.unwrap_err();
        assert!(why.contains("did not print `Bot ready` within 2s"), "{why}");
        let why = started("echo no model; echo at all >&2; exit 3", text()).await.unwrap_err();
        assert!(why.contains("exit status: 3") && why.contains("\n| no model"), "{why}");
    }

    #[tokio::test]
    async fn an_agent_is_ready_when_it_listens() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let why = started("exec sleep 60", Ready::Port(port)).await.unwrap_err();
        assert!(why.contains(&format!("port {port} is in use")), "{why}");
        drop(taken);
        let (agent, _taken) = tokio::join!(started("exec sleep 60", Ready::Port(port)), async {
            sleep(Duration::from_millis(300)).await;
            std::net::TcpListener::bind(("127.0.0.1", port)).unwrap()
        });
        agent.unwrap().stop().await;
    }
}
