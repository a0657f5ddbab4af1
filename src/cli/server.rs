//! The server that calls go to: a given one, or a private one with an agent beside it.

use super::failure::Failure;
use super::progress::Verbosity;
use super::terminal::eprint_line;
use super::{ServerArgs, environment, url};
use crate::dev::{AgentStart, DevAgent, DevError, DevServer, Launch, Ready};
use crate::record;
use crate::room::endpoint::Endpoint;
use crate::room::registration::server_info;
use crate::scenario::Scenario;
use crate::secret::Secret;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

/// How often it is said that an agent is being waited for, and how many times.
const SAID_EVERY: Duration = Duration::from_secs(10);
const SAID_AT_MOST: u32 = 20;

/// Which server the calls go to.
pub(super) enum Server {
    Given { site: Site, agent: Agent },
    Private { agent: Agent },
}

/// Where calls go, as far as that is known before the first.
#[derive(Clone)]
pub(super) enum Site {
    /// A server that we have the keys of.
    Keys(Endpoint),
    /// One whose tokens a start endpoint gives, and its address too unless it is known.
    Tokens(Option<String>),
}

impl Site {
    /// The server with its keys, if we have them.
    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        if let Self::Keys(endpoint) = self { Some(endpoint) } else { None }
    }

    pub(super) fn url(&self) -> Option<&str> {
        match self {
            Self::Keys(endpoint) => Some(&endpoint.url),
            Self::Tokens(url) => url.as_deref(),
        }
    }
}

/// What is started beside the calls.
#[derive(Clone)]
pub(super) enum Agent {
    None,
    Command {
        command: String,
        ready: Ready,
        timeout: Duration,
    },
    /// Our own scripted one.
    Scripted,
}

impl Agent {
    /// What is asked for.
    pub(super) fn from_args(args: &ServerArgs) -> Self {
        match &args.agent_command {
            Some(command) => Self::Command {
                command: command.clone(),
                ready: args.agent_ready.clone(),
                timeout: args.agent_start_timeout,
            },
            None if args.dev_agent => Self::Scripted,
            None => Self::None,
        }
    }
}

/// What was started for this run.
pub(super) struct Started {
    server: Option<DevServer>,
    agent: Option<DevAgent>,
}

impl Server {
    pub(super) fn from_args(args: &ServerArgs, scenario: &Scenario) -> Result<Self, Failure> {
        let agent = Agent::from_args(args);
        if args.dev {
            // A start endpoint may bring its own agent there.
            if matches!(agent, Agent::None) && scenario.dispatch().is_none() {
                return Err(Failure::usage(
                    "--dev starts a private server, which no agent knows of",
                )
                .hint(
                    "add --dev-agent for a scripted agent, or --agent-command 'COMMAND' for yours",
                ));
            }
            return Ok(Self::Private { agent });
        }
        // A start endpoint may bring the token, and the server with it.
        let start = scenario.dispatch().filter(|http| http.token.is_some());
        if start.is_some_and(|http| http.server.is_some()) {
            let url = args.keys.url.as_deref().map(url::server).transpose()?;
            return Ok(Self::Given { site: Site::Tokens(url), agent });
        }
        if let (Some(_), Some(url)) = (start, &args.keys.url)
            && (args.keys.api_key.is_none() || args.keys.api_secret.is_none())
        {
            let url = url::server(url)?;
            return Ok(Self::Given { site: Site::Tokens(Some(url)), agent });
        }
        if start.is_some() && args.keys.url.is_none() {
            return Err(Failure::usage("no LiveKit server").hint(
                "set LIVEKIT_URL (or --url), or write where the answer of the start endpoint has it: \
                 `server: $.url`",
            ));
        }
        if args.keys.url.is_none() {
            return Err(Failure::usage("no LiveKit server").hint(
                "set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET (or --url, --api-key and \
                 --api-secret), or try it with a private server and a scripted agent: --dev \
                 --dev-agent",
            ));
        }
        Ok(Self::Given { site: Site::Keys(url::given(&args.keys)?), agent })
    }

    /// A server of ours, which nobody else uses.
    pub(super) fn is_private(&self) -> bool {
        matches!(self, Self::Private { .. })
    }

    /// Starts what is asked for; `more` goes into the environment of the user's agent.
    pub(super) async fn start(
        &self,
        folder: &Path,
        agent_name: &str,
        more: Vec<(String, Secret)>,
        how: Verbosity,
    ) -> Result<(Site, Started), Failure> {
        let say = |text: &str| {
            if how == Verbosity::Normal {
                eprint_line(text);
            }
        };
        let launch = Launch::supervised_by_this_program().map_err(Failure::internal)?;
        let (site, server, agent) = match self {
            Self::Given { site, agent } => (site.clone(), None, agent),
            Self::Private { agent } => {
                let log = folder.join("livekit-server.log");
                let server = DevServer::start(&launch, &log).await;
                let server = server.map_err(|e| no_server(&e))?;
                let (key, secret) = (server.api_key, server.api_secret);
                say(&format!(
                    "private livekit-server: LIVEKIT_URL={} LIVEKIT_API_KEY={key} \
                     LIVEKIT_API_SECRET={secret}",
                    server.url
                ));
                let endpoint = Endpoint {
                    url: server.url.clone(),
                    api_key: key.into(),
                    api_secret: Secret::new(secret.into()),
                };
                (Site::Keys(endpoint), Some(server), agent)
            }
        };
        let url = site.url();
        let keys = site.endpoint().map(|of| (of.api_key.as_str(), of.api_secret.expose()));
        let log = folder.join("agent.log");
        let agent = match agent {
            Agent::None => None,
            Agent::Command { command, ready, timeout } => {
                say(&format!("starting the agent: {command}"));
                let (launch, log, timeout) = (&launch, &log, *timeout);
                let variables = environment::of_files().into_iter().chain(more).collect();
                let how =
                    AgentStart { launch, log, url, keys, variables, ready: ready.clone(), timeout };
                Some(while_saying(DevAgent::start_with(command, how), ready, timeout, say).await)
            }
            Agent::Scripted => {
                say(&format!("starting a scripted agent: {agent_name}"));
                // It needs `--dev`, whose keys are known.
                let (url, keys) = (url.unwrap_or_default(), keys.unwrap_or_default());
                Some(DevAgent::start_scripted(agent_name, url, keys, &launch, &log).await)
            }
        };
        let agent = match agent.transpose() {
            Ok(agent) => agent,
            Err(e) => {
                Started { server, agent: None }.stop().await;
                return Err(not_started(&e));
            }
        };
        Ok((site, Started { server, agent }))
    }
}

/// Waits for an agent that is started, and says from time to time for what and how much longer.
async fn while_saying<T>(
    started: impl Future<Output = T>,
    ready: &Ready,
    timeout: Duration,
    say: impl Fn(&str),
) -> T {
    let every = SAID_EVERY.max(timeout / SAID_AT_MOST);
    let mut started = std::pin::pin!(started);
    let mut left = timeout;
    loop {
        tokio::select! {
            done = &mut started => return done,
            () = tokio::time::sleep(every) => {
                left = left.saturating_sub(every);
                say(&format!("waiting for the agent to {ready}: {} s left", left.as_secs()));
            }
        }
    }
}

/// What can be done about an agent that is not there.
fn not_started(error: &DevError) -> Failure {
    let failure = Failure::nothing_measured(error);
    if matches!(error, DevError::AgentSilent { .. }) {
        return failure.hint(
            "--agent-ready names another sign (a text in its output, or port:N), --agent-start-timeout a longer time",
        );
    }
    failure
}

/// What can be done about a private server that is not there.
pub(super) fn no_server(error: &DevError) -> Failure {
    let failure = Failure::nothing_measured(error);
    if !matches!(error, DevError::NoServer) {
        return failure;
    }
    failure
        .hint("install it in one of LiveKit's ways, or build it in a checkout of loadcall")
        .command("curl -sSL https://get.livekit.io | bash    # Linux")
        .command("brew install livekit                       # macOS")
        .command("make tools                                 # with Go, into .tools/bin")
}

impl Started {
    pub(super) async fn stop(self) {
        if let Some(mut agent) = self.agent {
            if let Some((status, end)) = agent.ended() {
                eprint_line(&format!(
                    "the agent ended before the calls were over ({status}); {end}"
                ));
            }
            agent.stop().await;
        }
        if let Some(server) = self.server {
            server.stop().await;
        }
    }
}

/// What the servers of a command say of themselves. Asking puts a worker on their lists for a moment, so each
/// is asked once at most, and only when that is wanted.
pub(super) struct ServerFacts {
    wanted: bool,
    /// By address.
    known: HashMap<String, Option<record::Server>>,
}

impl ServerFacts {
    pub(super) fn new(wanted: bool) -> Self {
        Self { wanted, known: HashMap::new() }
    }

    /// Version and region of this server; `None` when it does not say or nobody wants to know.
    pub(super) async fn ask_once(&mut self, endpoint: &Endpoint) -> Option<record::Server> {
        if !self.wanted {
            return None;
        }
        if let Some(known) = self.known.get(&endpoint.url) {
            return known.clone();
        }
        let server = server_info(endpoint).await.unwrap_or_else(|e| {
            log::info!("the version of the server is not known: {e}");
            None
        });
        self.known.insert(endpoint.url.clone(), server.clone());
        server
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many connections a server gets that is asked three times.
    async fn connections(wanted: bool) -> usize {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint {
            url: format!("ws://{}", listener.local_addr().unwrap()),
            api_key: "key".into(),
            api_secret: Secret::new("secret".into()),
        };
        let mut count = 0;
        let refuse = async {
            loop {
                drop(listener.accept().await.unwrap());
                count += 1;
            }
        };
        let mut facts = ServerFacts::new(wanted);
        let ask = async {
            for _ in 0..3 {
                assert_eq!(facts.ask_once(&endpoint).await, None);
            }
        };
        tokio::select! {
            () = ask => {}
            () = refuse => {}
        }
        count
    }

    #[tokio::test]
    async fn a_server_is_asked_once_and_only_when_that_is_wanted() {
        assert_eq!((connections(true).await, connections(false).await), (1, 0));
    }
}
