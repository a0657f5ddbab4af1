//! The agent in one room: joins it, hears the caller, and does what the [`Conversation`] says.

use super::methods;
use crate::agent::conversation::{Action, AgentEvent, AgentState, Conversation};
use crate::agent::script::{CallScript, FaultKind};
use crate::agent::session::{self, About};
use crate::agent::truth::{Happened, Truth};
use crate::agent::voice::{Voice, Voices};
use crate::audio::opus::CodecError;
use crate::clock::{Clock, wall_now};
use crate::record::{Observation, Speaker, Stamped};
use crate::room::connection::{self, STATE_ATTRIBUTE, room_options};
use crate::room::hearing::Hearing;
use crate::room::packets::packet;
use crate::room::streams::{
    LAST_ATTRIBUTE, SEGMENT_ATTRIBUTE, SESSION_TOPIC, TRANSCRIPTION_TOPIC, read_bytes,
};
use crate::time::Offset;
use futures_util::future::OptionFuture;
use livekit::participant::ParticipantKind;
use livekit::prelude::*;
use livekit::webrtc::encoded::{EncodedAudioSource, EncodedAudioStream, EncodedFrame, Playback};
use livekit::{ByteStreamReader, SendByteOptions, SendTextOptions};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

/// How long the caller may take to come, and then to hear the agent, before that speaks all the same.
const CALLER_TIMEOUT: Duration = Duration::from_secs(60);
const READY_TIMEOUT: Duration = Duration::from_secs(3);
/// Messages waiting to be sent, and requests being read.
const OUTBOX: usize = 256;
const REQUESTS: usize = 16;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest sleep between two looks at the conversation.
const TICK: Duration = Duration::from_millis(500);

/// Where to go and what to do there.
#[derive(Debug)]
pub struct Job {
    pub url: String,
    pub token: String,
    pub room: String,
    pub identity: String,
    pub script: CallScript,
    pub voices: Arc<Voices>,
    pub silence: EncodedFrame,
    pub clock: Clock,
    /// When it may join at the soonest.
    pub join_at: Offset,
    /// Where the truth goes; what finds it full is lost, and said to be.
    pub truth: Option<mpsc::Sender<Truth>>,
    /// Becomes true when the agent has to leave.
    pub stop: watch::Receiver<bool>,
}

/// Why the agent was not in its room.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("the agent cannot join {room}: {source}")]
    Join { room: String, source: RoomError },
    #[error("the agent cannot publish its voice: {0}")]
    Publish(RoomError),
    #[error("the agent has no voice: {0}")]
    Voice(#[from] CodecError),
    #[error("the agent's voice was not made: {0}")]
    Task(#[from] tokio::task::JoinError),
    #[error("the agent cannot speak: {0}")]
    Play(#[from] livekit::webrtc::encoded::PlayError),
}

/// Attends one call to its end.
///
/// # Errors
/// When the agent could not join or speak; a caller that never came is none.
pub async fn attend(mut job: Job) -> Result<(), JobError> {
    if job.script.fault(FaultKind::NoJoin, 0).is_some() {
        note(&job, Happened::Fault { turn: 0, kind: "no_join".into(), at: job.clock.now() });
        return Ok(());
    }
    let late = job.script.fault(FaultKind::LateJoin, 0).and_then(|fault| fault.ms);
    if let Some(ms) = late {
        tokio::time::sleep(Duration::from_secs_f64(ms.clamp(0.0, 600_000.0) / 1_000.0)).await;
    }
    make_voices(&job).await?;
    sleep_until(job.clock.instant(job.join_at).into()).await;
    let (room, events) = Room::connect(&job.url, &job.token, room_options())
        .await
        .map_err(|source| JobError::Join { room: job.room.clone(), source })?;
    note(&job, Happened::Joined { at: job.clock.now() });
    let microphone = EncodedAudioSource::new(job.silence.clone());
    let attended = match connection::publish(&room, &microphone, "roomio_audio").await {
        Ok(()) => {
            let stop = job.stop.clone();
            Attending::new(&mut job, &room, microphone).until_over(events, stop).await
        }
        Err(e) => Err(JobError::Publish(e)),
    };
    note(&job, Happened::Left { at: job.clock.now() });
    connection::leave(&room).await;
    attended
}

/// Encodes what the script says before the call begins, beside the calls in progress.
async fn make_voices(job: &Job) -> Result<(), JobError> {
    let (script, voices) = (job.script.clone(), Arc::clone(&job.voices));
    let made = tokio::task::spawn_blocking(move || {
        let turns = u32::try_from(script.script().replies.len()).unwrap_or(u32::MAX);
        let own = script.script().turns.keys().copied();
        for line in (0..=turns).chain(own).filter_map(|turn| script.line(turn)) {
            voices.get(line.sound, line.audio_ms)?;
        }
        Ok::<(), CodecError>(())
    });
    Ok(made.await??)
}

fn note(job: &Job, what: Happened) {
    if let Some(truth) = &job.truth
        && truth.try_send(Truth { room: job.room.clone(), what }).is_err()
    {
        log::error!("the agent's own record has a gap: nobody takes it in");
    }
}

/// What is sent to the room.
enum Message {
    Session(Vec<u8>),
    Transcript { speaker: Speaker, text: String },
}

type Starting = Pin<Box<dyn Future<Output = Option<Instant>> + Send>>;

/// A call in progress.
struct Attending<'a> {
    job: &'a mut Job,
    conversation: Conversation,
    hearing: Hearing,
    microphone: EncodedAudioSource,
    began: SystemTime,
    starting: Option<Starting>,
    /// When the agent speaks at the latest, once the caller is there.
    ready_at: Option<Offset>,
    ready: bool,
    room_metadata: String,
    caller: Option<ParticipantIdentity>,
    messages: mpsc::Sender<Message>,
    states: mpsc::Sender<AgentState>,
    requests: (mpsc::Sender<Vec<u8>>, mpsc::Receiver<Vec<u8>>),
    caller_of_messages: watch::Sender<Option<ParticipantIdentity>>,
    /// Reads requests and sends messages; ends with the call.
    tasks: JoinSet<()>,
}

impl<'a> Attending<'a> {
    fn new(job: &'a mut Job, room: &Room, microphone: EncodedAudioSource) -> Self {
        let conversation = Conversation::new(job.script.clone(), Arc::clone(&job.voices));
        let hearing = Hearing::new(job.clock);
        let (messages, to_send) = mpsc::channel(OUTBOX);
        let (states, to_set) = mpsc::channel(OUTBOX);
        let (caller_of_messages, caller) = watch::channel(None);
        let mut tasks = JoinSet::new();
        tasks.spawn(send_messages(room.local_participant(), to_send, caller));
        tasks.spawn(set_states(room.local_participant(), to_set));
        let began = wall_now();
        let mut attending = Self {
            job,
            conversation,
            hearing,
            microphone,
            began,
            starting: None,
            ready_at: None,
            ready: false,
            room_metadata: room.metadata(),
            caller: None,
            messages,
            states,
            requests: mpsc::channel(REQUESTS),
            caller_of_messages,
            tasks,
        };
        let Job { script, room: name, clock, truth, .. } = &*attending.job;
        let offered = &script.script().rpc;
        methods::offer(&room.local_participant(), offered, name, *clock, truth.as_ref());
        for (_, participant) in room.remote_participants() {
            attending.joined(&participant);
        }
        attending
    }

    async fn until_over(
        mut self,
        mut events: mpsc::UnboundedReceiver<RoomEvent>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), JobError> {
        let clock = self.job.clock;
        let give_up = clock.now().plus(CALLER_TIMEOUT);
        loop {
            self.hearing.take_waiting();
            let now = clock.now();
            self.hearing.look_at_the_clock(now);
            self.hear(now);
            if self.ready_at.is_some_and(|at| at <= now) {
                self.be_ready(now);
            }
            while let Some(action) = self.conversation.poll(now) {
                if self.act(action)?.is_break() {
                    return Ok(());
                }
            }
            if self.caller.is_none() && now >= give_up {
                return Ok(());
            }
            let wake = clock.instant(self.wake_at(now));
            let starting = OptionFuture::from(self.starting.as_mut());
            tokio::select! {
                biased;
                frame = self.hearing.next_packet() => self.hearing.take(&frame),
                Some(started) = starting => self.started(started),
                event = events.recv() => {
                    if event.is_none_or(|event| self.take(event).is_break()) {
                        return Ok(());
                    }
                }
                Some(request) = self.requests.1.recv() => self.answer(&request),
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                () = sleep_until(wake.into()) => {}
            }
        }
    }

    fn wake_at(&self, now: Offset) -> Offset {
        [self.conversation.wake_at(), self.hearing.wake_at(), self.ready_at]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .fold(now.plus(TICK), Offset::min)
    }

    fn hear(&mut self, now: Offset) {
        for Stamped { at, what } in self.hearing.take_heard() {
            #[expect(clippy::wildcard_enum_match_arm, reason = "two edges of many are wanted")]
            match what {
                Observation::VoiceBegan => {
                    self.conversation.handle(now, AgentEvent::VoiceBegan { at });
                }
                Observation::VoiceEnded | Observation::VoiceRetracted => {
                    self.conversation.handle(now, AgentEvent::VoiceEnded { at });
                }
                _ => {}
            }
        }
    }

    fn be_ready(&mut self, now: Offset) {
        self.ready_at = None;
        if !std::mem::replace(&mut self.ready, true) {
            self.conversation.handle(now, AgentEvent::Ready);
        }
    }

    fn started(&mut self, at: Option<Instant>) {
        self.starting = None;
        if let Some(at) = at {
            let clock = self.job.clock;
            self.conversation.handle(clock.now(), AgentEvent::Started { at: clock.offset(at) });
        }
    }

    /// Breaks when the agent leaves.
    fn act(&mut self, action: Action) -> Result<ControlFlow<()>, JobError> {
        match action {
            Action::State(state) => {
                if self.states.try_send(state).is_err() {
                    log::error!("the room does not take the agent's states");
                }
            }
            Action::Session(said) => {
                if self.job.script.script().session_host
                    && let Some(bytes) = session::event(&said, wall_now())
                {
                    self.send(Message::Session(bytes));
                }
            }
            Action::Transcript { speaker, text } => {
                self.send(Message::Transcript { speaker, text });
            }
            Action::Say { voice, from, not_before } => self.say(&voice, from, not_before)?,
            Action::CutAt(at) => self.microphone.stop_at(self.job.clock.instant(at)),
            Action::Cancel => {
                self.starting = None;
                self.microphone.stop();
            }
            Action::Note(happened) => note(self.job, happened),
            Action::Leave => return Ok(ControlFlow::Break(())),
            Action::Crash => std::process::abort(),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn say(&mut self, voice: &Voice, from: usize, not_before: Offset) -> Result<(), JobError> {
        let frames = voice.clip().frames().get(from..).unwrap_or_default();
        let frames: Arc<[EncodedFrame]> = frames.iter().map(packet).collect();
        let playback = self.microphone.play(frames, self.job.clock.instant(not_before))?;
        self.starting = Some(starting(playback));
        Ok(())
    }

    fn send(&self, message: Message) {
        if self.messages.try_send(message).is_err() {
            log::error!("the room does not take the agent's messages");
        }
    }

    fn answer(&self, request: &[u8]) {
        let (identity, began) = (self.job.identity.as_str(), self.began);
        let about = About { identity, began, conversation: &self.conversation };
        if let Some(bytes) = session::answer(request, &about, wall_now()) {
            self.send(Message::Session(bytes));
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a large enum of which an agent needs few")]
    fn take(&mut self, event: RoomEvent) -> ControlFlow<()> {
        match event {
            RoomEvent::ParticipantConnected(participant) => self.joined(&participant),
            RoomEvent::ParticipantDisconnected(participant)
                if self.caller == Some(participant.identity()) =>
            {
                return ControlFlow::Break(());
            }
            RoomEvent::LocalTrackSubscribed { .. } => self.be_ready(self.job.clock.now()),
            RoomEvent::TrackSubscribed {
                track: RemoteTrack::Audio(track), participant, ..
            } if self.caller == Some(participant.identity()) => {
                self.hearing.listen_to(0, EncodedAudioStream::new(track.rtc_track()), true);
            }
            RoomEvent::ByteStreamOpened { reader, topic, .. } => {
                if topic == SESSION_TOPIC
                    && self.job.script.script().session_host
                    && let Some(reader) = reader.take()
                {
                    self.read(reader);
                }
            }
            RoomEvent::Disconnected { .. } => return ControlFlow::Break(()),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    /// The first in the room who is no agent is the caller.
    fn joined(&mut self, participant: &RemoteParticipant) {
        if self.caller.is_none() && participant.kind() != ParticipantKind::Agent {
            self.caller = Some(participant.identity());
            note(self.job, methods::caller(participant, &self.room_metadata));
            self.caller_of_messages.send_replace(self.caller.clone());
            self.ready_at = Some(self.job.clock.now().plus(READY_TIMEOUT));
        }
    }

    fn read(&mut self, reader: ByteStreamReader) {
        while self.tasks.try_join_next().is_some() {}
        if self.tasks.len() > REQUESTS {
            return log::warn!("more than {REQUESTS} requests at a time: one is left unread");
        }
        let to = self.requests.0.clone();
        self.tasks.spawn(async move {
            if let Ok(Some(bytes)) = timeout(REQUEST_TIMEOUT, read_bytes(reader)).await {
                let _ = to.send(bytes).await;
            }
        });
    }
}

fn starting(playback: Playback) -> Starting {
    Box::pin(playback.started())
}

/// Sends one message after another, so that they arrive in the order in which they were said.
async fn send_messages(
    to: LocalParticipant,
    mut messages: mpsc::Receiver<Message>,
    caller: watch::Receiver<Option<ParticipantIdentity>>,
) {
    let mut segment = 0_u32;
    while let Some(message) = messages.recv().await {
        let sent = match message {
            Message::Session(bytes) => {
                let options = SendByteOptions::new_with_topic(SESSION_TOPIC);
                to.send_bytes(bytes, options).await.map(|_| ())
            }
            Message::Transcript { speaker, text } => {
                segment += 1;
                let mut options = SendTextOptions::new_with_topic(TRANSCRIPTION_TOPIC)
                    .with_attribute(SEGMENT_ATTRIBUTE, format!("SG_{segment}"))
                    .with_attribute(LAST_ATTRIBUTE, "true");
                if speaker == Speaker::Caller {
                    options.sender_identity.clone_from(&caller.borrow());
                }
                to.send_text(&text, options).await.map(|_| ())
            }
        };
        if let Err(e) = sent {
            log::debug!("a message of the agent was not sent: {e}");
        }
    }
}

async fn set_states(of: LocalParticipant, mut states: mpsc::Receiver<AgentState>) {
    while let Some(state) = states.recv().await {
        let attributes = HashMap::from([(STATE_ATTRIBUTE.to_owned(), state.name().to_owned())]);
        if let Err(e) = of.set_attributes(attributes).await {
            log::debug!("a state of the agent was not set: {e}");
        }
    }
}
