//! The server that rooms are on, with the keys to it: probing it, tokens for its rooms, and ending
//! a room.

use super::connection::{CLOSE_TIMEOUT, error_chain};
use crate::secret::Secret;
use livekit_api::access_token::{AccessToken, AccessTokenError, VideoGrants};
use livekit_api::services::room::RoomClient;
use livekit_api::services::{ServerError, ServiceError};
use livekit_protocol::{RoomAgentDispatch, RoomConfiguration};

/// How long the server keeps a room that nobody deleted (loadcall was killed).
const ROOM_LIFE_SECS: u32 = 20;

/// A LiveKit server, and the keys to it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// `ws://` or `wss://` (or `http(s)://`).
    pub url: String,
    pub api_key: String,
    pub api_secret: Secret,
}

/// Which room to call and which agent to ask for.
#[derive(Debug, Clone)]
pub struct Dial {
    pub room: String,
    pub identity: String,
    /// Empty for automatic dispatch.
    pub agent_name: String,
    /// It may hold secrets.
    pub agent_metadata: Secret,
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
    pub fn token(&self, dial: &Dial) -> Result<String, AccessTokenError> {
        let grants = VideoGrants {
            room_join: true,
            room: dial.room.clone(),
            can_publish: Some(true),
            can_subscribe: Some(true),
            can_publish_data: Some(true),
            ..VideoGrants::default()
        };
        let mut token = AccessToken::with_api_key(&self.api_key, self.api_secret.expose())
            .with_identity(&dial.identity)
            .with_grants(grants);
        let mut room = RoomConfiguration {
            empty_timeout: ROOM_LIFE_SECS,
            departure_timeout: ROOM_LIFE_SECS,
            ..RoomConfiguration::default()
        };
        if !dial.agent_name.is_empty() {
            room.agents.push(RoomAgentDispatch {
                agent_name: dial.agent_name.clone(),
                metadata: dial.agent_metadata.expose().to_owned(),
                ..RoomAgentDispatch::default()
            });
        }
        token = token.with_room_config(room);
        token.to_jwt()
    }
}
