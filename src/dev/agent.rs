//! An agent worker beside a run.

use super::error::{AGENT_START, DevError};
use super::process::{Launch, Process};
use std::path::Path;
use tokio::process::Command;
use tokio::time::sleep;

/// An agent worker with the server's address and keys in its environment; it ends when it is dropped.
#[derive(Debug)]
pub struct DevAgent {
    process: Process,
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
        let mut shell = launch.command("sh");
        shell.args(["-c", command]);
        Self::start_program(shell, command, url, keys, log).await
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
        Self::start_program(command, &shown, url, keys, log).await
    }

    async fn start_program(
        mut program: Command,
        command: &str,
        url: &str,
        (api_key, api_secret): (&str, &str),
        log: &Path,
    ) -> Result<Self, DevError> {
        program
            .env("LIVEKIT_URL", url)
            .env("LIVEKIT_API_KEY", api_key)
            .env("LIVEKIT_API_SECRET", api_secret);
        let mut process = Process::start(program, log, command).await?;
        let mut registered = process.registered.clone();
        let status = tokio::select! {
            seen = registered.wait_for(|seen| *seen) => match seen {
                Ok(_) => None,
                // The sender is gone: the agent has closed its output, and ends.
                Err(_) => Some(process.ended().await),
            },
            status = process.ended() => Some(status),
            () = sleep(AGENT_START) => return Err(DevError::AgentSilent { log: log.into() }),
        };
        match status {
            None => Ok(Self { process }),
            Some(Ok(status)) => Err(DevError::AgentEnded { status, log: log.into() }),
            Some(Err(source)) => Err(DevError::Spawn { program: command.into(), source }),
        }
    }

    pub async fn stop(self) {
        self.process.stop().await;
    }
}
