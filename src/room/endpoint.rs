//! The server that rooms are on, with the keys to it: probing it, letting a caller into a room, and ending a room.

use super::connection::{CLOSE_TIMEOUT, error_chain};
use crate::scenario::CallerKind;
use crate::secret::Secret;
use livekit_api::access_token::{AccessToken, AccessTokenError, VideoGrants};
use livekit_api::services::agent_dispatch::AgentDispatchClient;
use livekit_api::services::room::{CreateRoomOptions, RoomClient};
use livekit_api::services::{ServerError, ServiceError};
use livekit_protocol::{CreateAgentDispatchRequest, RoomAgentDispatch, RoomConfiguration};

/// How long the server keeps a room that nobody deleted (loadcall was killed).
const ROOM_LIFE_SECS: u32 = 20;
/// Bytes of metadata that travel in a token, which is a header of the request that joins: servers and proxies take
/// headers of some 64 KiB. What is longer is handed over before, which costs two requests.
const IN_TOKEN: usize = 16 * 1024;

/// A LiveKit server, and the keys to it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// `ws://` or `wss://` (or `http(s)://`).
    pub url: String,
    pub api_key: String,
    pub api_secret: Secret,
}

/// Which room to call, as whom, and which agent to ask for.
#[derive(Debug, Clone)]
pub struct Dial {
    pub room: String,
    /// Empty for none. As all metadata it may hold secrets.
    pub room_metadata: Secret,
    pub caller: Guest,
    /// Empty: nobody is asked for.
    pub agent_name: String,
    pub agent_metadata: Secret,
}

/// The caller as the agent sees it.
#[derive(Debug, Clone)]
pub struct Guest {
    pub identity: String,
    pub name: String,
    pub metadata: Secret,
    pub attributes: Vec<(String, Secret)>,
    pub kind: CallerKind,
}

/// What a caller joins a room with.
#[derive(Debug, Clone)]
pub struct Ticket {
    pub url: String,
    pub room: String,
    pub token: Secret,
}

/// Whether a text can be the URL of a LiveKit server.
pub fn is_livekit_url(url: &str) -> bool {
    ["ws://", "wss://", "http://", "https://"].iter().any(|scheme| url.starts_with(scheme))
}

/// Why a caller cannot be let into a room.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    #[error("cannot make an access token: {0}")]
    Token(#[from] AccessTokenError),
    #[error("the server did not make the room: {0}")]
    Room(String),
    #[error("the server did not dispatch the agent: {0}")]
    Dispatch(String),
}

/// The server does not answer as a LiveKit server with these keys would.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error(
        "the server at {url} refused the API key or secret, or is no LiveKit server: check LIVEKIT_API_KEY, LIVEKIT_API_SECRET and the address"
    )]
    WrongKeys { url: String },
    #[error("no LiveKit server answers at {url}: {reason}")]
    NoServer { url: String, reason: String },
}

impl Endpoint {
    /// Asks the server for its rooms, which tells a wrong address and wrong keys apart before the
    /// first call.
    pub async fn probe(&self) -> Result<(), ProbeError> {
        let reason = match self.rooms().list_rooms(vec!["loadcall-probe".into()]).await {
            Ok(_) => return Ok(()),
            Err(ServiceError::Twirp(ServerError::Twirp(code)))
                if matches!(code.code.as_str(), "unauthenticated" | "permission_denied") =>
            {
                return Err(ProbeError::WrongKeys { url: self.url.clone() });
            }
            // livekit-server refuses wrong keys in plain text, which the client cannot read.
            Err(ServiceError::Twirp(ServerError::Request(e))) if e.is_decode() => {
                return Err(ProbeError::WrongKeys { url: self.url.clone() });
            }
            Err(e) => error_chain(&e),
        };
        Err(ProbeError::NoServer { url: self.url.clone(), reason })
    }

    /// Ends the room, and with it the agent's job.
    pub async fn delete_room(&self, room: &str) -> Result<(), String> {
        let deleted = tokio::time::timeout(CLOSE_TIMEOUT, self.rooms().delete_room(room)).await;
        match deleted {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(error_chain(&e)),
            Err(_) => Err(format!("no answer within {CLOSE_TIMEOUT:?}")),
        }
    }

    fn rooms(&self) -> RoomClient {
        RoomClient::with_api_key(&self.http_url(), &self.api_key, self.api_secret.expose())
            .with_request_timeout(CLOSE_TIMEOUT)
    }

    fn http_url(&self) -> String {
        self.url_with([("ws", "http"), ("wss", "https")])
    }

    /// The server's address for websockets.
    pub fn ws_url(&self) -> String {
        self.url_with([("http", "ws"), ("https", "wss")])
    }

    fn url_with(&self, schemes: [(&str, &str); 2]) -> String {
        let Some((scheme, rest)) = self.url.split_once("://") else { return self.url.clone() };
        let other = schemes.into_iter().find(|(from, _)| *from == scheme);
        format!("{}://{rest}", other.map_or(scheme, |(_, to)| to))
    }

    /// Lets a caller into its room, which the server makes when the first one joins.
    pub async fn admit(&self, dial: &Dial) -> Result<Ticket, AdmitError> {
        let metadata = dial.room_metadata.expose().len() + dial.agent_metadata.expose().len();
        let token = if metadata > IN_TOKEN {
            self.prepare(dial).await?;
            self.token(&dial.caller, &dial.room, None)?
        } else {
            self.token(&dial.caller, &dial.room, Some(configuration(dial)))?
        };
        let (url, room) = (self.url.clone(), dial.room.clone());
        Ok(Ticket { url, room, token: Secret::new(token) })
    }

    /// Makes the room, and asks for the agent.
    async fn prepare(&self, dial: &Dial) -> Result<(), AdmitError> {
        let options = CreateRoomOptions {
            empty_timeout: ROOM_LIFE_SECS,
            departure_timeout: ROOM_LIFE_SECS,
            metadata: dial.room_metadata.expose().to_owned(),
            ..CreateRoomOptions::default()
        };
        let made = self.rooms().create_room(&dial.room, options).await;
        made.map_err(|e| AdmitError::Room(error_chain(&e)))?;
        if dial.agent_name.is_empty() {
            return Ok(());
        }
        let (url, key) = (self.http_url(), &self.api_key);
        let request = CreateAgentDispatchRequest {
            agent_name: dial.agent_name.clone(),
            room: dial.room.clone(),
            metadata: dial.agent_metadata.expose().to_owned(),
            ..CreateAgentDispatchRequest::default()
        };
        let dispatched = AgentDispatchClient::with_api_key(&url, key, self.api_secret.expose())
            .with_request_timeout(CLOSE_TIMEOUT)
            .create_dispatch(request)
            .await;
        dispatched.map(|_| ()).map_err(|e| AdmitError::Dispatch(error_chain(&e)))
    }

    /// An access token; `room` is for a room that it makes.
    fn token(
        &self,
        caller: &Guest,
        room_name: &str,
        room: Option<RoomConfiguration>,
    ) -> Result<String, AccessTokenError> {
        let grants = VideoGrants {
            room_join: true,
            room: room_name.to_owned(),
            can_publish: Some(true),
            can_subscribe: Some(true),
            can_publish_data: Some(true),
            ..VideoGrants::default()
        };
        let attributes = caller.attributes.iter().map(|(name, value)| (name, value.expose()));
        let mut token = AccessToken::with_api_key(&self.api_key, self.api_secret.expose())
            .with_identity(&caller.identity)
            .with_name(&caller.name)
            .with_metadata(caller.metadata.expose())
            .with_attributes(attributes)
            .with_grants(grants);
        // A standard participant needs no word for it, and old servers know none.
        if caller.kind != CallerKind::Standard {
            token = token.with_kind(caller.kind.name());
        }
        if let Some(room) = room {
            token = token.with_room_config(room);
        }
        token.to_jwt()
    }
}

/// What a token says of the room that it makes.
fn configuration(dial: &Dial) -> RoomConfiguration {
    let mut room = RoomConfiguration {
        empty_timeout: ROOM_LIFE_SECS,
        departure_timeout: ROOM_LIFE_SECS,
        metadata: dial.room_metadata.expose().to_owned(),
        ..RoomConfiguration::default()
    };
    if !dial.agent_name.is_empty() {
        room.agents.push(RoomAgentDispatch {
            agent_name: dial.agent_name.clone(),
            metadata: dial.agent_metadata.expose().to_owned(),
            ..RoomAgentDispatch::default()
        });
    }
    room
}
