//! The server that calls go to: a given one, or a private one with an agent beside it.

use super::failure::Failure;
use super::progress::Verbosity;
use super::terminal::eprint_line;
use super::url::is_livekit_url;
use super::{KeyArgs, ServerArgs};
use crate::dev::{DevAgent, DevServer, Launch};
use crate::record;
use crate::room::endpoint::Endpoint;
use crate::room::registration::server_info;
use crate::secret::Secret;
use std::collections::HashMap;
use std::path::Path;

/// Which server the calls go to.
pub(super) enum Server {
    Given { endpoint: Endpoint, agent: Agent },
    Private { agent: Agent },
}

/// What is started beside the calls.
#[derive(Clone)]
pub(super) enum Agent {
    None,
    Command(String),
    /// Our own scripted one.
    Scripted,
}

impl Agent {
    /// What is asked for.
    pub(super) fn from_args(args: &ServerArgs) -> Self {
        match &args.agent_command {
            Some(command) => Self::Command(command.clone()),
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
    pub(super) fn from_args(args: &ServerArgs) -> Result<Self, Failure> {
        let agent = Agent::from_args(args);
        if args.dev {
            return Ok(Self::Private { agent });
        }
        if args.keys.url.is_none() {
            return Err(Failure::usage("no LiveKit server").hint(
                "set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET (or --url, --api-key and \
                 --api-secret), or try it with a private server and a scripted agent: --dev \
                 --dev-agent",
            ));
        }
        Ok(Self::Given { endpoint: given(&args.keys)?, agent })
    }

    /// A server of ours, which nobody else uses.
    pub(super) fn is_private(&self) -> bool {
        matches!(self, Self::Private { .. })
    }

    pub(super) async fn start(
        &self,
        folder: &Path,
        agent_name: &str,
        how: Verbosity,
    ) -> Result<(Endpoint, Started), Failure> {
        let say = |text: &str| {
            if how == Verbosity::Normal {
                eprint_line(text);
            }
        };
        let launch = Launch::supervised_by_this_program().map_err(Failure::internal)?;
        let (endpoint, server, agent) = match self {
            Self::Given { endpoint, agent } => (endpoint.clone(), None, agent),
            Self::Private { agent } => {
                let log = folder.join("livekit-server.log");
                let server = DevServer::start(&launch, &log).await;
                let server = server.map_err(Failure::nothing_measured)?;
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
                (endpoint, Some(server), agent)
            }
        };
        let keys = (endpoint.api_key.as_str(), endpoint.api_secret.expose());
        let log = folder.join("agent.log");
        let agent = match agent {
            Agent::None => None,
            Agent::Command(command) => {
                say(&format!("starting the agent: {command}"));
                Some(DevAgent::start(command, &endpoint.url, keys, &launch, &log).await)
            }
            Agent::Scripted => {
                say(&format!("starting a scripted agent: {agent_name}"));
                let url = &endpoint.url;
                Some(DevAgent::start_scripted(agent_name, url, keys, &launch, &log).await)
            }
        };
        let agent = match agent.transpose() {
            Ok(agent) => agent,
            Err(e) => {
                Started { server, agent: None }.stop().await;
                return Err(Failure::nothing_measured(e));
            }
        };
        Ok((endpoint, Started { server, agent }))
    }
}

impl Started {
    pub(super) async fn stop(self) {
        if let Some(agent) = self.agent {
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

/// The server an address and keys name.
pub(super) fn given(keys: &KeyArgs) -> Result<Endpoint, Failure> {
    let Some(url) = &keys.url else {
        return Err(Failure::usage("no LiveKit server").hint(
            "set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET (or --url, --api-key and \
             --api-secret)",
        ));
    };
    if !is_livekit_url(url) {
        return Err(Failure::usage(format!("`{url}` is not a LiveKit URL"))
            .hint("write it as ws://host:port or wss://host"));
    }
    let (Some(api_key), Some(api_secret)) = (&keys.api_key, &keys.api_secret) else {
        return Err(Failure::usage("no API key and secret for the LiveKit server")
            .hint("set LIVEKIT_API_KEY and LIVEKIT_API_SECRET"));
    };
    Ok(Endpoint { url: url.clone(), api_key: api_key.clone(), api_secret: api_secret.clone() })
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
