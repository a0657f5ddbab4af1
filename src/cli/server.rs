//! The server that calls go to: a given one, or a private one with an agent beside it.

use super::exit::{Failure, tell};
use super::progress::Verbosity;
use super::{KeyArgs, ServerArgs};
use crate::dev::{DevAgent, DevServer};
use crate::room::endpoint::Endpoint;
use crate::secret::Secret;
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
    pub(super) fn of(args: &ServerArgs) -> Self {
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
        let agent = Agent::of(args);
        if args.dev {
            return Ok(Self::Private { agent });
        }
        if args.keys.url.is_none() {
            return Err(Failure::usage("no LiveKit server to call").hint(
                "set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET (or --url, --api-key and \
                 --api-secret), or start a private server on loopback with --dev",
            ));
        }
        Ok(Self::Given { endpoint: given(&args.keys)?, agent })
    }

    pub(super) async fn start(
        &self,
        folder: &Path,
        agent_name: &str,
        how: Verbosity,
    ) -> Result<(Endpoint, Started), Failure> {
        let say = |text: &str| {
            if how == Verbosity::Normal {
                tell(text);
            }
        };
        let (endpoint, server, agent) = match self {
            Self::Given { endpoint, agent } => (endpoint.clone(), None, agent),
            Self::Private { agent } => {
                let log = folder.join("livekit-server.log");
                let server = DevServer::start(&log).await.map_err(Failure::nothing_measured)?;
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
                Some(DevAgent::start(command, &endpoint.url, keys, &log).await)
            }
            Agent::Scripted => {
                say(&format!("starting a scripted agent: {agent_name}"));
                Some(DevAgent::start_scripted(agent_name, &endpoint.url, keys, &log).await)
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

/// The server an address and keys name.
pub(super) fn given(keys: &KeyArgs) -> Result<Endpoint, Failure> {
    let Some(url) = &keys.url else {
        return Err(Failure::usage("no LiveKit server").hint(
            "set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET (or --url, --api-key and \
             --api-secret)",
        ));
    };
    if !is_address(url) {
        return Err(Failure::usage(format!("`{url}` is no address of a LiveKit server"))
            .hint("write it as ws://host:port or wss://host"));
    }
    let (Some(api_key), Some(api_secret)) = (&keys.api_key, &keys.api_secret) else {
        return Err(Failure::usage("a LiveKit server, but no keys for it")
            .hint("set LIVEKIT_API_KEY and LIVEKIT_API_SECRET"));
    };
    Ok(Endpoint { url: url.clone(), api_key: api_key.clone(), api_secret: api_secret.clone() })
}

/// Whether a text can be the address of a LiveKit server.
pub(super) fn is_address(url: &str) -> bool {
    ["ws://", "wss://", "http://", "https://"].iter().any(|scheme| url.starts_with(scheme))
}

/// `wss://user:password@host/path?query` → `wss://host/path`.
pub(super) fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(a, p)| (a, p));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{scheme}://{host}{slash}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_kept_without_what_is_secret_in_it() {
        for (url, kept) in [
            ("ws://127.0.0.1:7880", "ws://127.0.0.1:7880"),
            ("wss://user:pass@host.example/rtc?access_token=x", "wss://host.example/rtc"),
            ("wss://host.example?key=a@b", "wss://host.example"),
        ] {
            assert_eq!(without_credentials(url), kept);
        }
    }
}
