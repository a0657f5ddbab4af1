//! The flags that name servers: where calls are placed, and where traces go.

use super::Scores;
use crate::dev::Ready;
use crate::secret::Secret;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use std::time::Duration;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "LiveKit server")]
pub(in crate::cli) struct KeyArgs {
    /// URL of the LiveKit server, ws:// or wss://.
    #[arg(long, env = "LIVEKIT_URL", value_name = "URL", hide_env_values = true)]
    pub(in crate::cli) url: Option<String>,
    /// API key.
    #[arg(long, env = "LIVEKIT_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub(in crate::cli) api_key: Option<String>,
    /// API secret. Prefer the variable: other users of this machine can see command lines.
    #[arg(long, env = "LIVEKIT_API_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub(in crate::cli) api_secret: Option<Secret>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "LiveKit server")]
pub(in crate::cli) struct ServerArgs {
    #[command(flatten)]
    pub(in crate::cli) keys: KeyArgs,
    /// Start a private livekit-server on loopback for this run.
    #[arg(long)]
    pub(in crate::cli) dev: bool,
    /// Start an agent for this run with a shell command, and stop it afterwards. The server's URL and keys
    /// are in its environment (`LIVEKIT_URL` …).
    #[arg(long, value_name = "COMMAND")]
    pub(in crate::cli) agent_command: Option<String>,
    /// Sign that the agent of --agent-command can take calls: a text in its output, or port:N for a TCP
    /// port that it opens on this machine.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "registered worker",
        requires = "agent_command"
    )]
    pub(in crate::cli) agent_ready: Ready,
    /// Longest time until that sign, such as 30s or 5m.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "90s",
        value_parser = duration,
        requires = "agent_command"
    )]
    pub(in crate::cli) agent_start_timeout: Duration,
    /// Start a scripted agent (`loadcall agent`) with the scenario's agent name on the private server.
    #[arg(long, requires = "dev", conflicts_with = "agent_command")]
    pub(in crate::cli) dev_agent: bool,
    /// Record the server's version and region. A server names them only to agents, so loadcall registers
    /// a worker named loadcall-server-info with it for a moment. Always done with --dev.
    #[arg(long)]
    pub(in crate::cli) server_info: bool,
}

/// Refuses an address or keys beside `--dev` when they are given as flags: that asks for two servers. Variables are
/// there for other commands, too, and are passed over.
pub(in crate::cli) fn refuse_conflicts(given: &ArgMatches) -> Result<(), clap::Error> {
    let Some((_, given)) = given.subcommand() else { return Ok(()) };
    let is_set = |id: &str| given.try_contains_id(id).is_ok_and(|known| known);
    if !is_set("dev") || !given.get_flag("dev") {
        return Ok(());
    }
    for (id, flag) in [("url", "--url"), ("api_key", "--api-key"), ("api_secret", "--api-secret")] {
        if is_set(id) && given.value_source(id) == Some(ValueSource::CommandLine) {
            let text =
                format!("{flag} cannot be used with --dev, which starts a server of its own\n");
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, text));
        }
    }
    Ok(())
}

/// A time from a second to an hour.
fn duration(text: &str) -> Result<Duration, String> {
    let known = Duration::from_secs(1)..=Duration::from_secs(3_600);
    let length = crate::scenario::parse_duration(text).map_err(|e| e.to_string());
    length
        .and_then(
            |length| {
                if known.contains(&length) { Ok(length) } else { Err("out of range".to_owned()) }
            },
        )
        .map_err(|why| format!("{why}: write a time from 1s to 1h, such as 30s or 5m"))
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Langfuse (each call becomes a trace when both keys are set)")]
pub(in crate::cli) struct LangfuseArgs {
    /// Public key of the Langfuse project.
    #[arg(
        long = "langfuse-public-key",
        env = "LANGFUSE_PUBLIC_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    pub(in crate::cli) public_key: Option<String>,
    /// Secret key of the Langfuse project. Prefer the variable: other users of this machine can see command
    /// lines.
    #[arg(
        long = "langfuse-secret-key",
        env = "LANGFUSE_SECRET_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    pub(in crate::cli) secret_key: Option<Secret>,
    /// URL of Langfuse (default: `LANGFUSE_HOST`, else Langfuse Cloud).
    #[arg(
        long = "langfuse-base-url",
        env = "LANGFUSE_BASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(in crate::cli) base_url: Option<String>,
    /// Langfuse environment of the traces (default: loadcall).
    #[arg(
        long = "langfuse-environment",
        env = "LANGFUSE_TRACING_ENVIRONMENT",
        value_name = "NAME",
        hide_env_values = true
    )]
    pub(in crate::cli) environment: Option<String>,
    /// What is scored in Langfuse: calls, or calls and the turns that awaited a reply (default: turns of runs with
    /// up to 2,000 of them, else calls).
    #[arg(long = "langfuse-scores", value_name = "WHAT")]
    pub(in crate::cli) scores: Option<Scores>,
}
