//! The line over a LiveKit room: token with agent dispatch, joining, the microphone, and everything
//! that comes out of the room as [`News`].

use super::readers::Readers;
use crate::record::{Observation, Speaker};
use crate::secret::Secret;
use livekit::participant::ParticipantKind;
use livekit::prelude::*;
use livekit::webrtc::encoded::{EncodedAudioSource, EncodedAudioStream, EncodedFrame};
use livekit::{SendByteOptions, options::TrackPublishOptions};
use livekit_api::access_token::{AccessToken, AccessTokenError, VideoGrants};
use livekit_api::services::room::RoomClient;
use livekit_api::services::{ServerError, ServiceError};
use livekit_protocol as proto;
use livekit_protocol::{RoomAgentDispatch, RoomConfiguration};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long one attempt to reach the server may take, and how long hanging up may.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server keeps a room that nobody deleted (loadcall was killed).
const ROOM_LIFE_SECS: u32 = 20;
/// The attribute in which an agent tells what it is doing.
const STATE_ATTRIBUTE: &str = "lk.agent.state";
/// Track name of livekit-agents' background music and thinking sounds: not the agent's voice.
const BACKGROUND_TRACK: &str = "background_audio";

/// Packets of a call that are dealt with together, both ways: 60 ms. What is heard carries the time of its arrival, so no
/// measured time depends on when it is looked at; only what the caller does next does, by less than a person hesitates.
/// What the caller says begins up to 40 ms later than it could; it is measured from when it does begin.
const BATCH: u32 = 3;

/// Where the calls go, and with whose permission.
#[derive(Debug, Clone)]
pub struct Target {
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
    pub agent_metadata: String,
}

/// Why no call came about.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The server answered and said no.
    #[error("the server refused the caller: {0}")]
    Refused(String),
    /// There was no usable answer.
    #[error("no connection to the server: {0}")]
    NotConnected(String),
    /// Something on our side.
    #[error("cannot publish the caller's microphone: {0}")]
    Microphone(String),
    #[error("cannot make an access token: {0}")]
    Token(#[from] AccessTokenError),
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

/// What the caller learns from the room.
#[derive(Debug)]
pub enum News {
    AgentJoined {
        identity: String,
    },
    /// The agent's voice, from now on.
    Audio(EncodedAudioStream),
    AgentState(String),
    AgentLeft {
        reason: String,
    },
    Reconnecting,
    Reconnected,
    Lost {
        reason: String,
    },
}

/// A joined room.
#[derive(Debug)]
pub struct Line {
    room: Room,
    events: mpsc::UnboundedReceiver<RoomEvent>,
    identity: String,
    agent: Option<ParticipantIdentity>,
    /// Initial participants' news, before the room's own.
    waiting: Vec<News>,
    pub microphone: EncodedAudioSource,
    /// What is read from the room's data streams.
    pub readers: Readers,
}

impl Target {
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

    fn token(&self, dial: &Dial) -> Result<String, AccessTokenError> {
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
                metadata: dial.agent_metadata.clone(),
                ..RoomAgentDispatch::default()
            });
        }
        token = token.with_room_config(room);
        token.to_jwt()
    }
}

impl Line {
    /// Joins the room, which dispatches the agent, and publishes a microphone that is silent by
    /// sending `silence`.
    pub async fn dial(
        target: &Target,
        dial: &Dial,
        silence: EncodedFrame,
        readers: Readers,
    ) -> Result<Self, DialError> {
        let token = target.token(dial)?;
        let mut options = RoomOptions::default();
        options.connect_timeout = CONNECT_TIMEOUT;
        // A caller who has to redial is an observation, not something to hide.
        options.join_retries = 0;
        let (room, events) =
            Room::connect(&target.url, &token, options).await.map_err(|e| dial_error(&e))?;
        let microphone = EncodedAudioSource::new(silence).batched(BATCH);
        let track = LocalAudioTrack::create_audio_track("microphone", microphone.rtc_source());
        // Agents listen to the source "microphone" only. Every packet carries one frame and none is
        // left out in silence, so that the packets are an unbroken clock.
        let publish = TrackPublishOptions {
            source: TrackSource::Microphone,
            dtx: false,
            red: false,
            ..TrackPublishOptions::default()
        };
        let published =
            room.local_participant().publish_track(LocalTrack::Audio(track), publish).await;
        if let Err(e) = published {
            // A room that is only dropped keeps its connections.
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, room.close()).await;
            return Err(DialError::Microphone(error_chain(&e)));
        }
        let identity = dial.identity.clone();
        let waiting = Vec::new();
        let mut line = Self { room, events, identity, agent: None, waiting, microphone, readers };
        for (_, participant) in line.room.remote_participants() {
            line.joined(&participant);
        }
        Ok(line)
    }

    pub fn room_sid(&self) -> String {
        self.room.maybe_sid().map(|sid| sid.to_string()).unwrap_or_default()
    }

    /// The next news. Cancelling loses nothing.
    pub async fn news(&mut self) -> News {
        loop {
            if !self.waiting.is_empty() {
                return self.waiting.remove(0);
            }
            match self.events.recv().await {
                Some(event) => self.take(event),
                None => return News::Lost { reason: "the room's events ended".into() },
            }
        }
    }

    /// Sends the agent a message of its session protocol.
    pub async fn ask(&self, message: Vec<u8>) {
        let Some(agent) = self.agent.clone() else { return };
        let mut options = SendByteOptions::new_with_topic(super::session::TOPIC);
        options.destination_identities = vec![agent];
        if let Err(e) = self.room.local_participant().send_bytes(message, options).await {
            log::debug!("a question to the agent was not sent: {e}");
        }
    }

    /// Leaves the room as a caller who hangs up does.
    pub async fn hang_up(self) {
        if tokio::time::timeout(CLOSE_TIMEOUT, self.room.close()).await.is_err() {
            log::warn!("leaving the room took more than {CLOSE_TIMEOUT:?}");
        }
    }

    fn is_agent(&self, identity: &ParticipantIdentity) -> bool {
        self.agent.as_ref() == Some(identity)
    }

    /// The first agent in the room is the one that is called.
    fn joined(&mut self, participant: &RemoteParticipant) {
        if participant.kind() == ParticipantKind::Agent {
            self.adopt(participant);
        }
    }

    fn adopt(&mut self, participant: &RemoteParticipant) {
        if self.agent.is_some() {
            return;
        }
        let identity = participant.identity();
        self.agent = Some(identity.clone());
        self.waiting.push(News::AgentJoined { identity: short(identity.as_str()) });
        if let Some(state) = participant.attributes().get(STATE_ATTRIBUTE) {
            self.waiting.push(News::AgentState(short(state)));
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a large enum of which a caller needs few")]
    fn take(&mut self, event: RoomEvent) {
        match event {
            RoomEvent::ParticipantConnected(participant) => self.joined(&participant),
            // While our own connection is broken everybody seems to leave.
            RoomEvent::ParticipantDisconnected(p)
                if self.is_agent(&p.identity())
                    && self.room.connection_state() == ConnectionState::Connected =>
            {
                let reason = why_left(p.disconnect_reason());
                self.waiting.push(News::AgentLeft { reason });
            }
            RoomEvent::ParticipantAttributesChanged {
                participant: Participant::Remote(p),
                changed_attributes,
            } if self.is_agent(&p.identity()) => {
                if let Some(state) = changed_attributes.get(STATE_ATTRIBUTE) {
                    self.waiting.push(News::AgentState(short(state)));
                }
            }
            RoomEvent::TrackSubscribed { track, publication, participant } => {
                if let RemoteTrack::Audio(track) = track
                    && publication.name() != BACKGROUND_TRACK
                {
                    // Whoever else speaks in the caller's room is an agent, even one that joins as
                    // an ordinary participant.
                    self.adopt(&participant);
                    if self.is_agent(&participant.identity()) {
                        let stream = EncodedAudioStream::batched(track.rtc_track(), BATCH);
                        self.waiting.push(News::Audio(stream));
                    }
                }
            }
            RoomEvent::ByteStreamOpened { reader, topic, participant_identity } => {
                let from_agent = self.is_agent(&participant_identity);
                if topic == super::session::TOPIC
                    && from_agent
                    && let Some(reader) = reader.take()
                {
                    self.readers.session(reader);
                }
            }
            RoomEvent::TextStreamOpened { reader, topic, participant_identity } => {
                if topic == super::readers::TRANSCRIPTION_TOPIC
                    && let Some(reader) = reader.take()
                {
                    let ours = participant_identity.as_str() == self.identity;
                    let speaker = if ours { Speaker::Caller } else { Speaker::Agent };
                    self.readers.transcription(reader, speaker);
                }
            }
            RoomEvent::Reconnecting => self.waiting.push(News::Reconnecting),
            RoomEvent::Reconnected => self.waiting.push(News::Reconnected),
            RoomEvent::Disconnected { reason } => self.waiting.push(disconnected(reason)),
            _ => {}
        }
    }
}

/// Why the agent is gone, as the server has it.
fn why_left(reason: DisconnectReason) -> String {
    if reason == DisconnectReason::ConnectionTimeout {
        "the server lost the agent without a goodbye: its process or its network died".into()
    } else {
        format!("the agent left the room ({reason:?})")
    }
}

/// What others call themselves, at a length that is kept.
fn short(name: &str) -> String {
    name.chars().take(100).collect()
}

/// A room that somebody else closed was closed by the agent's side; else the connection broke.
fn disconnected(reason: proto::DisconnectReason) -> News {
    use proto::DisconnectReason as Why;
    if matches!(reason, Why::RoomDeleted | Why::RoomClosed | Why::ParticipantRemoved) {
        News::AgentLeft { reason: format!("the agent's side ended the call ({reason:?})") }
    } else {
        News::Lost { reason: format!("{reason:?}") }
    }
}

fn dial_error(error: &RoomError) -> DialError {
    let text = error_chain(error);
    // `client error: 401 …` is the server's own answer to `/rtc/validate`.
    if text.contains("client error: 4") {
        DialError::Refused(text)
    } else {
        DialError::NotConnected(text)
    }
}

/// The error and its causes, for libraries whose own text leaves the cause out.
fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// What is written in the log of a call for news without further effect.
pub fn observation(news: &News) -> Observation {
    match news {
        News::AgentJoined { identity } => Observation::AgentJoined { identity: identity.clone() },
        News::Audio(_) => Observation::AgentTrackSubscribed,
        News::AgentState(state) => Observation::AgentState(state.clone()),
        News::AgentLeft { reason } => Observation::AgentLeft { reason: reason.clone() },
        News::Reconnecting => Observation::Reconnecting,
        News::Reconnected => Observation::Reconnected,
        News::Lost { reason } => Observation::ConnectionLost { reason: reason.clone() },
    }
}
