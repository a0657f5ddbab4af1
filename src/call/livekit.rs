//! The line over a LiveKit room: joining it with the agent dispatched, the microphone, and everything
//! that comes out of the room as [`News`].

use super::readers::Readers;
use crate::record::{Observation, Speaker};
use crate::room::connection::{self, STATE_ATTRIBUTE, error_chain};
use crate::room::endpoint::{Dial, Endpoint};
use crate::room::streams::{SESSION_TOPIC, TRANSCRIPTION_TOPIC};
use livekit::SendByteOptions;
use livekit::participant::ParticipantKind;
use livekit::prelude::*;
use livekit::webrtc::encoded::{EncodedAudioSource, EncodedAudioStream, EncodedFrame};
use livekit_api::access_token::AccessTokenError;
use livekit_protocol as proto;
use tokio::sync::mpsc;

/// Track name of livekit-agents' background music and thinking sounds: not the agent's voice.
const BACKGROUND_TRACK: &str = "background_audio";

/// Packets of a call that are dealt with together, both ways: 60 ms. What is heard carries the time of its arrival, so no
/// measured time depends on when it is looked at; only what the caller does next does, by less than a person hesitates.
/// What the caller says begins up to 40 ms later than it could; it is measured from when it does begin.
const BATCH: u32 = 3;

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

impl Line {
    /// Joins the room, which dispatches the agent, and publishes a microphone that is silent by
    /// sending `silence`.
    pub async fn dial(
        endpoint: &Endpoint,
        dial: &Dial,
        silence: EncodedFrame,
        readers: Readers,
    ) -> Result<Self, DialError> {
        let token = endpoint.token(dial)?;
        let mut options = connection::room_options();
        // A caller who has to redial is an observation, not something to hide.
        options.join_retries = 0;
        let (room, events) =
            Room::connect(&endpoint.url, &token, options).await.map_err(|e| dial_error(&e))?;
        let microphone = EncodedAudioSource::new(silence).batched(BATCH);
        if let Err(e) = connection::publish(&room, &microphone, "microphone").await {
            connection::leave(&room).await;
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
        let mut options = SendByteOptions::new_with_topic(SESSION_TOPIC);
        options.destination_identities = vec![agent];
        if let Err(e) = self.room.local_participant().send_bytes(message, options).await {
            log::debug!("a question to the agent was not sent: {e}");
        }
    }

    /// Leaves the room as a caller who hangs up does.
    pub async fn hang_up(self) {
        connection::leave(&self.room).await;
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
                if topic == SESSION_TOPIC
                    && from_agent
                    && let Some(reader) = reader.take()
                {
                    self.readers.session(reader);
                }
            }
            RoomEvent::TextStreamOpened { reader, topic, participant_identity } => {
                if topic == TRANSCRIPTION_TOPIC
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
