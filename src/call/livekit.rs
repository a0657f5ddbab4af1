//! The line over a LiveKit room: joining it with the agent dispatched, the microphone, and everything
//! that comes out of the room as [`News`].

use super::party::{Change, HANDOVER, Party};
use super::readers::{Readers, Report};
use super::signals;
use crate::clock::Clock;
use crate::record::{
    Heard, Kind, Observation, Participant as Guest, Source, Speaker, Track as AudioTrack,
};
use crate::room::connection::{self, STATE_ATTRIBUTE, last_cause};
use crate::room::endpoint::{AdmitError, Ticket};
use crate::room::start::StartError;
use crate::room::streams::{EVENTS_TOPIC, SESSION_TOPIC, TRANSCRIPTION_TOPIC};
use crate::scenario::Listening;
use crate::scenario::metadata::MissingVariables;
use crate::secret::Secret;
use crate::text::clipped;
use crate::time::Offset;
use livekit::SendByteOptions;
use livekit::participant::ParticipantKind;
use livekit::prelude::*;
use livekit::webrtc::encoded::{EncodedAudioSource, EncodedAudioStream, EncodedFrame};
use livekit_protocol as proto;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::mpsc;

/// Attributes by which a participant says whose voice it is, and as what an agent has registered.
const ON_BEHALF_ATTRIBUTE: &str = "lk.publish_on_behalf";
const NAME_ATTRIBUTE: &str = "lk.agent.name";

/// Packets of a call that are dealt with together, both ways: 60 ms. What is heard carries the time of its arrival, so no
/// measured time depends on when it is looked at; only what the caller does next does, by less than a person hesitates.
/// What the caller says begins up to 40 ms later than it could; it is measured from when it does begin.
const BATCH: u32 = 3;

/// How long an RPC may take to get to the agent and back, beside the time the agent takes.
const RPC_ROUND_TRIP: Duration = Duration::from_secs(2);

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
    /// There is no token, no room or no dispatch of ours.
    #[error(transparent)]
    Admit(#[from] AdmitError),
    /// A start endpoint started nobody.
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Variables(#[from] MissingVariables),
    #[error("neither the start endpoint nor LIVEKIT_URL names a server")]
    NoServer,
    #[error("the start endpoint gives no token, and there are no API keys to make one")]
    NoKeys,
}

/// What the caller learns from the room.
#[derive(Debug)]
pub enum News {
    AgentJoined {
        identity: String,
    },
    /// A track of the agent's voice, from now on. `surely`: it will not turn out to be something else.
    Audio {
        track: u32,
        stream: EncodedAudioStream,
        surely: bool,
    },
    /// It has turned out to be ambience.
    TurnAway {
        track: u32,
    },
    TrackEnded {
        track: u32,
    },
    TrackMuted {
        track: u32,
        muted: bool,
    },
    AgentState(String),
    /// Nobody of the agent's side is there any more, since that moment.
    AgentLeft {
        at: Offset,
        reason: String,
    },
    /// For the record alone.
    Noted(Observation),
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
    party: Party,
    /// The audio tracks of the room by their number.
    tracks: Vec<(u32, RemoteAudioTrack)>,
    /// Initial participants' news, before the room's own.
    waiting: VecDeque<News>,
    pub microphone: EncodedAudioSource,
    /// What is read from the room's data streams.
    pub readers: Readers,
}

impl Line {
    /// Joins the room, which dispatches the agent if the ticket asks for one, and publishes a microphone that is
    /// silent by sending `silence`.
    pub async fn dial(
        ticket: &Ticket,
        silence: EncodedFrame,
        readers: Readers,
    ) -> Result<Self, DialError> {
        let mut options = connection::room_options();
        // A caller who has to redial is an observation, not something to hide.
        options.join_retries = 0;
        let (room, events) = Room::connect(&ticket.url, ticket.token.expose(), options)
            .await
            .map_err(|e| dial_error(&e, &ticket.token))?;
        let microphone = EncodedAudioSource::new(silence).batched(BATCH);
        if let Err(e) = connection::publish(&room, &microphone, "microphone").await {
            connection::leave(&room).await;
            return Err(DialError::Microphone(last_cause(&e)));
        }
        // A token of others says who we are.
        let identity = room.local_participant().identity().to_string();
        let (party, tracks, waiting) = (Party::default(), Vec::new(), VecDeque::new());
        Ok(Self { room, events, identity, party, tracks, waiting, microphone, readers })
    }

    /// Looks who is in the room, and for whom to listen.
    pub fn look_around(&mut self, listening: Listening) {
        self.party = Party::new(listening);
        for (_, participant) in self.room.remote_participants() {
            self.came(&participant);
        }
        self.follow();
    }

    pub fn room_sid(&self) -> String {
        self.room.maybe_sid().map(|sid| sid.to_string()).unwrap_or_default()
    }

    /// The next news. Cancelling loses nothing.
    pub async fn news(&mut self, clock: Clock) -> News {
        loop {
            if let Some(news) = self.waiting.pop_front() {
                return news;
            }
            match self.events.recv().await {
                Some(event) => self.take(event, clock),
                None => return News::Lost { reason: "the room's events ended".into() },
            }
        }
    }

    /// When time alone is news.
    pub fn wake_at(&self) -> Option<Offset> {
        self.party.wake_at()
    }

    /// Notices that an agent which has left has no successor.
    pub fn look_at_the_clock(&mut self, now: Offset) {
        self.party.look_at_the_clock(now);
        self.follow();
    }

    /// Sends the agent a message of its session protocol.
    pub async fn ask(&self, message: Vec<u8>) {
        let Some(agent) = self.party.agent() else { return };
        let mut options = SendByteOptions::new_with_topic(SESSION_TOPIC);
        options.destination_identities = vec![agent.to_owned().into()];
        if let Err(e) = self.room.local_participant().send_bytes(message, options).await {
            log::debug!("a question to the agent was not sent: {e}");
        }
    }

    /// Calls a method of the agent. The answer, given when the agent's has come, is why that failed if it did.
    pub fn rpc(
        &self,
        method: &str,
        payload: &Secret,
    ) -> impl Future<Output = Result<(), String>> + Send + 'static {
        let caller = self.room.local_participant();
        let agent = self.party.agent().map(|agent| ParticipantIdentity::from(agent.to_owned()));
        let request = agent.map(|agent| {
            PerformRpcData::new(agent, method)
                .with_payload(payload.expose())
                .with_response_timeout(signals::LIMIT)
                .with_max_round_trip_latency(RPC_ROUND_TRIP)
        });
        async move {
            let request = request.ok_or_else(|| "no agent is in the room".to_owned())?;
            let answer = caller.perform_rpc(request).await;
            answer.map(|_| ()).map_err(|e| format!("{} ({})", clipped(&e.message, 200), e.code))
        }
    }

    /// Leaves the room as a caller who hangs up does.
    pub async fn hang_up(self) {
        connection::leave(&self.room).await;
    }

    fn came(&mut self, participant: &RemoteParticipant) {
        let attributes = participant.attributes();
        let state = attributes.get(STATE_ATTRIBUTE).map(String::as_str);
        let joined_ms = (self.room.local_participant().joined_at(), participant.joined_at());
        self.party.came(&guest(participant, joined_ms), state);
    }

    /// Makes news of what the party decides.
    fn follow(&mut self) {
        for change in self.party.take_changes() {
            let news = match change {
                Change::Noted(what) => News::Noted(what),
                Change::Joined { identity } => News::AgentJoined { identity },
                Change::Listen { track, surely } => {
                    let Some((_, audio)) = self.tracks.iter().find(|(n, _)| *n == track) else {
                        continue;
                    };
                    let stream = EncodedAudioStream::batched(audio.rtc_track(), BATCH);
                    News::Audio { track, stream, surely }
                }
                Change::TurnAway { track } => News::TurnAway { track },
                Change::Ended { track } => {
                    self.tracks.retain(|(number, _)| *number != track);
                    News::TrackEnded { track }
                }
                Change::Muted { track, muted } => News::TrackMuted { track, muted },
                Change::State(state) => News::AgentState(state),
                Change::Left { at, reason } => News::AgentLeft { at, reason },
            };
            self.waiting.push_back(news);
        }
    }

    fn take(&mut self, event: RoomEvent, clock: Clock) {
        self.take_in(event, clock);
        self.follow();
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a large enum of which a caller needs few")]
    fn take_in(&mut self, event: RoomEvent, clock: Clock) {
        match event {
            RoomEvent::ParticipantConnected(participant)
            | RoomEvent::ParticipantAttributesChanged {
                participant: Participant::Remote(participant),
                ..
            } => self.came(&participant),
            // While our own connection is broken everybody seems to leave.
            RoomEvent::ParticipantDisconnected(p)
                if self.room.connection_state() == ConnectionState::Connected =>
            {
                let (why, now) = (p.disconnect_reason(), clock.now());
                self.party.left(p.identity().as_str(), now, why_left(why));
                if why == DisconnectReason::ConnectionTimeout {
                    // It died a while ago: who takes over is here by now.
                    self.party.look_at_the_clock(now.plus(HANDOVER));
                }
            }
            RoomEvent::TrackSubscribed {
                track: RemoteTrack::Audio(audio),
                publication,
                participant,
            } => self.subscribed(audio, &publication, &participant),
            RoomEvent::TrackUnsubscribed { publication, .. }
            | RoomEvent::TrackUnpublished { publication, .. } => {
                self.party.ended(publication.sid().as_str());
            }
            RoomEvent::TrackMuted { publication, participant: Participant::Remote(_) } => {
                self.party.muted(publication.sid().as_str(), true);
            }
            RoomEvent::TrackUnmuted { publication, participant: Participant::Remote(_) } => {
                self.party.muted(publication.sid().as_str(), false);
            }
            RoomEvent::ByteStreamOpened { reader, topic, participant_identity } => {
                if topic == SESSION_TOPIC
                    && self.party.reports(participant_identity.as_str())
                    && let Some(reader) = reader.take()
                {
                    self.readers.report(participant_identity.as_str(), Report::Session(reader));
                }
            }
            RoomEvent::TextStreamOpened { reader, topic, participant_identity } => {
                if topic == TRANSCRIPTION_TOPIC
                    && let Some(reader) = reader.take()
                {
                    let ours = participant_identity.as_str() == self.identity;
                    let speaker = if ours { Speaker::Caller } else { Speaker::Agent };
                    self.readers.transcript(reader, speaker);
                } else if topic == EVENTS_TOPIC
                    && self.party.reports(participant_identity.as_str())
                    && let Some(reader) = reader.take()
                {
                    self.readers.report(participant_identity.as_str(), Report::Event(reader));
                }
            }
            RoomEvent::DataReceived { payload, participant: Some(from), .. }
                if self.party.reports(from.identity().as_str()) =>
            {
                self.readers.report(from.identity().as_str(), Report::Packet(payload));
            }
            RoomEvent::TranscriptionReceived { participant: Some(by), segments, .. } => {
                let ours = matches!(by, Participant::Local(_));
                let speaker = if ours { Speaker::Caller } else { Speaker::Agent };
                for segment in segments {
                    self.readers.transcript_packet(speaker, &segment.id, &segment.text);
                }
            }
            RoomEvent::Reconnecting => self.waiting.push_back(News::Reconnecting),
            RoomEvent::Reconnected => self.waiting.push_back(News::Reconnected),
            RoomEvent::Disconnected { reason } => {
                self.waiting.push_back(disconnected(reason, clock.now()));
            }
            _ => {}
        }
    }

    fn subscribed(
        &mut self,
        audio: RemoteAudioTrack,
        publication: &RemoteTrackPublication,
        participant: &RemoteParticipant,
    ) {
        self.came(participant);
        let publications = participant.track_publications();
        let is_microphone = |p: &RemoteTrackPublication| {
            p.kind() == TrackKind::Audio && p.source() == TrackSource::Microphone
        };
        let track = AudioTrack {
            track: 0,
            identity: participant.identity().to_string(),
            name: publication.name(),
            source: source(publication.source()),
            heard: Heard::Not,
        };
        let microphone = publications.values().any(is_microphone);
        let sid = publication.sid();
        if let Some(number) = self.party.subscribed(sid.as_str(), &track, microphone) {
            self.tracks.retain(|(known, _)| *known != number);
            self.tracks.push((number, audio));
        }
    }
}

/// A participant as it is recorded; `joined_ms`: the caller's and its own moment of joining, by the server's clock.
fn guest(participant: &RemoteParticipant, joined_ms: (i64, i64)) -> Guest {
    let attributes = participant.attributes();
    let attribute = |name: &str| attributes.get(name).cloned().unwrap_or_default();
    let (ours, theirs) = joined_ms;
    Guest {
        identity: participant.identity().to_string(),
        name: participant.name(),
        kind: kind(participant.kind()),
        agent_name: attribute(NAME_ATTRIBUTE),
        on_behalf_of: attribute(ON_BEHALF_ATTRIBUTE),
        joined_after_ms: (ours > 0 && theirs > 0).then(|| theirs.saturating_sub(ours)),
    }
}

fn kind(kind: ParticipantKind) -> Kind {
    match kind {
        ParticipantKind::Standard => Kind::Standard,
        ParticipantKind::Agent => Kind::Agent,
        ParticipantKind::Sip => Kind::Sip,
        ParticipantKind::Ingress => Kind::Ingress,
        ParticipantKind::Egress => Kind::Egress,
        ParticipantKind::Connector | ParticipantKind::Bridge => Kind::Other,
    }
}

fn source(source: TrackSource) -> Source {
    match source {
        TrackSource::Microphone => Source::Microphone,
        TrackSource::Unknown => Source::Unknown,
        TrackSource::Camera | TrackSource::Screenshare | TrackSource::ScreenshareAudio => {
            Source::Other
        }
    }
}

/// Why the agent is gone, as the server has it.
fn why_left(reason: DisconnectReason) -> String {
    if reason == DisconnectReason::ConnectionTimeout {
        "the agent vanished without leaving the room: its process or its network failed".into()
    } else {
        format!("the agent left the room ({reason:?})")
    }
}

/// A room that somebody else closed was closed by the agent's side; else the connection broke.
fn disconnected(reason: proto::DisconnectReason, at: Offset) -> News {
    use proto::DisconnectReason as Why;
    if matches!(reason, Why::RoomDeleted | Why::RoomClosed | Why::ParticipantRemoved) {
        News::AgentLeft { at, reason: format!("the agent's side ended the call ({reason:?})") }
    } else {
        News::Lost { reason: format!("{reason:?}") }
    }
}

fn dial_error(error: &RoomError, token: &Secret) -> DialError {
    let text = last_cause(error).replace(token.expose(), "…");
    // `client error: 401 …` is the server's own answer to `/rtc/validate`.
    match text.split_once("client error: ") {
        Some((_, answer)) => DialError::Refused(answer.to_owned()),
        None => DialError::NotConnected(text),
    }
}

/// What is written in the log of a call for news, if anything.
pub fn observation(news: &News) -> Option<Observation> {
    Some(match news {
        News::AgentJoined { identity } => Observation::AgentJoined { identity: identity.clone() },
        News::Audio { .. } => Observation::AgentTrackSubscribed,
        News::AgentState(state) => Observation::AgentState(state.clone()),
        News::AgentLeft { reason, .. } => Observation::AgentLeft { reason: reason.clone() },
        News::Noted(what) => what.clone(),
        News::Reconnecting => Observation::Reconnecting,
        News::Reconnected => Observation::Reconnected,
        News::Lost { reason } => Observation::ConnectionLost { reason: reason.clone() },
        News::TurnAway { .. } | News::TrackEnded { .. } | News::TrackMuted { .. } => return None,
    })
}
