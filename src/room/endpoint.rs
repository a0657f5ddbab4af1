//! The server that rooms are on, with the keys to it: probing it, letting a caller into a room, and ending a room.

use super::connection::{CLOSE_TIMEOUT, last_cause};
use super::probe::{self, ClockDifference, ProbeError, Reply};
use crate::clock::wall_now;
use crate::http;
use crate::scenario::CallerKind;
use crate::secret::Secret;
use livekit_api::access_token::{AccessToken, AccessTokenError, VideoGrants};
use livekit_api::services::agent_dispatch::AgentDispatchClient;
use livekit_api::services::room::{CreateRoomOptions, RoomClient};
use livekit_protocol::{CreateAgentDispatchRequest, RoomAgentDispatch, RoomConfiguration};
use reqwest::header::{CONTENT_TYPE, DATE, LOCATION};
use std::time::{Duration, UNIX_EPOCH};

/// How long the server keeps a room that nobody deleted (loadcall was killed).
const ROOM_LIFE_SECS: u32 = 20;
/// Bytes of metadata that travel in a token, which is a header of the request that joins: servers and proxies take
/// headers of some 64 KiB. What is longer is handed over before, which costs two requests.
const IN_TOKEN: usize = 16 * 1024;
/// Bytes of an answer to a probe that are read.
const LOOKED_AT: usize = 4 * 1024;

/// A LiveKit server, and the keys to it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// As [`super::address::address`] writes it.
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

/// What the answer to a probe says, beside that the server is there and takes the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probed {
    /// Of this machine's clock to the server's; `None` where the answer has no date.
    pub clock: Option<ClockDifference>,
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

impl Endpoint {
    /// Asks the server for a room that is not there, which tells a wrong address, wrong keys and a wrong clock
    /// apart before the first call.
    ///
    /// # Errors
    /// The server does not answer as a LiveKit server with these keys would.
    pub async fn probe(&self) -> Result<Probed, ProbeError> {
        let unreached = |why: &dyn std::fmt::Display| probe::unreached(&self.url, &why.to_string());
        let grants = VideoGrants { room_list: true, ..VideoGrants::default() };
        let token = AccessToken::with_api_key(&self.api_key, self.api_secret.expose())
            .with_grants(grants)
            .to_jwt()
            .map_err(|e| unreached(&e))?;
        let url = format!("{}/twirp/livekit.RoomService/ListRooms", self.http_url());
        let client = http::client(url.starts_with("https:"))
            .map_err(|e| unreached(&e))?
            .timeout(CLOSE_TIMEOUT)
            .build()
            .map_err(|e| unreached(&last_cause(&e)))?;
        let asked = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .bearer_auth(token)
            .body(r#"{"names":["loadcall-probe"]}"#)
            .send();
        let failed = |e: &reqwest::Error| {
            if e.is_timeout() {
                unreached(&format!("no answer within {CLOSE_TIMEOUT:?}"))
            } else {
                unreached(&last_cause(e))
            }
        };
        let reply = reply(asked.await.map_err(|e| failed(&e))?).await.map_err(|e| failed(&e))?;
        let now = wall_now();
        probe::judge(&self.url, &self.api_key, &reply, now)?;
        Ok(Probed { clock: reply.date.map(|date| ClockDifference::of(now, date)) })
    }

    /// Ends the room, and with it the agent's job.
    pub async fn delete_room(&self, room: &str) -> Result<(), String> {
        let deleted = tokio::time::timeout(CLOSE_TIMEOUT, self.rooms().delete_room(room)).await;
        match deleted {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(last_cause(&e)),
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
        made.map_err(|e| AdmitError::Room(last_cause(&e)))?;
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
        dispatched.map(|_| ()).map_err(|e| AdmitError::Dispatch(last_cause(&e)))
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

/// What matters of an answer to a probe.
async fn reply(mut response: reqwest::Response) -> Result<Reply, reqwest::Error> {
    let header = |name| response.headers().get(name)?.to_str().ok();
    let date = header(DATE).and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let seconds = date.and_then(|date| u64::try_from(date.timestamp().as_second()).ok());
    let date = seconds.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
    let location = header(LOCATION).map(str::to_owned);
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while body.len() < LOOKED_AT
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(chunk.get(..LOOKED_AT - body.len()).unwrap_or(&chunk));
    }
    Ok(Reply { status, date, location, body: String::from_utf8_lossy(&body).into_owned() })
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
