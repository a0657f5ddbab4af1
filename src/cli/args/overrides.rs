//! The flags that point a scenario at something else: its agent, its load, any of its values, and where
//! variables come from.

use super::{Cli, Command, KeyArgs, LangfuseArgs, PlacingArgs};
use crate::cli::environment;
use crate::cli::failure::Failure;
use crate::scenario::Override;
use crate::secret::Secret;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use std::path::PathBuf;

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Changes to the scenario")]
pub(in crate::cli) struct OverrideArgs {
    /// Call this agent (sets agent.name).
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    agent: Option<String>,
    /// Place this many calls (sets load.calls); no more at a time than that.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    calls: Option<String>,
    /// Place up to this many calls at a time (sets load.concurrency).
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    concurrency: Option<String>,
    /// Set any value of the scenario, such as load.calls=20 or turns.hours.expect.within=3s. The value is
    /// YAML; entries of lists are named by id or number. Can be repeated.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
}

impl OverrideArgs {
    /// In the order in which they apply: what `--set` says comes last.
    pub(in crate::cli) fn list(&self) -> Vec<Override> {
        let agent = self.agent.iter().cloned().map(Override::Agent);
        let calls = self.calls.iter().cloned().map(Override::Calls);
        let concurrency = self.concurrency.iter().cloned().map(Override::Concurrency);
        let set = self.set.iter().cloned().map(Override::Set);
        agent.chain(calls).chain(concurrency).chain(set).collect()
    }
}

#[derive(Debug, Default, Args)]
pub(in crate::cli) struct EnvArgs {
    /// Read variables from this file, such as .env.local (NAME=value; those of the environment go first).
    /// Can be repeated.
    #[arg(long = "env-file", value_name = "FILE")]
    env_files: Vec<PathBuf>,
}

impl EnvArgs {
    fn load(&self) -> Result<(), Failure> {
        environment::load(&self.env_files)
    }
}

impl Cli {
    /// Reads the files of variables, and gives flags that were left out, or are empty, what their variables
    /// say: clap knows neither the files nor that an empty variable is not set.
    pub(in crate::cli) fn read_environment(&mut self) -> Result<(), Failure> {
        match &mut self.command {
            Command::Run(args) => args.placing.read_environment(),
            Command::Ab(args) => args.placing.read_environment(),
            Command::Noise(args) => args.placing.read_environment(),
            Command::Check { env, .. } => env.load(),
            Command::Doctor(args) => {
                args.env.load()?;
                args.server.keys.complete();
                args.langfuse.complete();
                Ok(())
            }
            Command::Agent(args) => {
                args.env.load()?;
                args.keys.complete();
                Ok(())
            }
            Command::Export(args) => {
                args.env.load()?;
                args.langfuse.complete();
                Ok(())
            }
            Command::Sessions(args) => {
                args.env.load()?;
                args.langfuse.complete();
                Ok(())
            }
            Command::Trace(args) => {
                args.env.load()?;
                args.langfuse.complete();
                Ok(())
            }
            Command::Calibrate(_)
            | Command::Schema
            | Command::Compare { .. }
            | Command::Accept { .. }
            | Command::Report { .. }
            | Command::Calls { .. }
            | Command::Init(_)
            | Command::Completions(_)
            | Command::Man(_)
            | Command::Supervise { .. } => Ok(()),
        }
    }
}

impl PlacingArgs {
    fn read_environment(&mut self) -> Result<(), Failure> {
        self.env.load()?;
        self.server.keys.complete();
        self.langfuse.complete();
        text(&mut self.labels.release, &["LANGFUSE_RELEASE"]);
        Ok(())
    }
}

impl KeyArgs {
    fn complete(&mut self) {
        text(&mut self.url, &["LIVEKIT_URL"]);
        text(&mut self.api_key, &["LIVEKIT_API_KEY"]);
        secret(&mut self.api_secret, "LIVEKIT_API_SECRET");
    }
}

impl LangfuseArgs {
    fn complete(&mut self) {
        text(&mut self.public_key, &["LANGFUSE_PUBLIC_KEY"]);
        secret(&mut self.secret_key, "LANGFUSE_SECRET_KEY");
        // The second is what older SDKs of Langfuse read.
        text(&mut self.base_url, &["LANGFUSE_BASE_URL", "LANGFUSE_HOST"]);
        text(&mut self.environment, &["LANGFUSE_TRACING_ENVIRONMENT"]);
    }
}

fn text(flag: &mut Option<String>, names: &[&str]) {
    let given = flag.take().filter(|value| !value.is_empty());
    *flag = given.or_else(|| names.iter().find_map(|name| environment::variable(name)));
}

fn secret(flag: &mut Option<Secret>, name: &str) {
    let given = flag.take().filter(|value| !value.is_empty());
    *flag = given.or_else(|| environment::variable(name).map(Secret::new));
}
