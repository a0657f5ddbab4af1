//! The agent's place with the server: registers over the worker websocket (`/agent`), takes every job
//! it is offered, and attends each in a task of its own.

use crate::agent::job::{self, Job};
use crate::agent::script::Script;
use crate::agent::truth::Truth;
use crate::agent::voice::Voices;
use crate::audio::opus::{self, CodecError};
use crate::call::drive::packet;
use crate::call::livekit::Target;
use crate::clock::Clock;
use futures_util::{SinkExt as _, StreamExt as _};
use livekit::webrtc::encoded::EncodedFrame;
use livekit_api::access_token::{AccessToken, AccessTokenError, VideoGrants};
use livekit_protocol as proto;
use prost::Message as _;
use proto::server_message::Message as FromServer;
use proto::worker_message::Message as ToServer;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, InvalidHeaderValue};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long the server may take to answer, and how often a lost connection is tried again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);
/// Calls at a time; one more is declined, and goes to another worker.
const JOBS: usize = 500;
/// How long the calls may take to end when the agent is stopped.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// An agent worker.
#[derive(Debug)]
pub struct Worker {
    pub target: Target,
    /// The name it is dispatched by; empty for automatic dispatch.
    pub name: String,
    /// What it does in a call whose dispatch says nothing.
    pub script: Script,
    pub clock: Clock,
    pub truth: Option<mpsc::Sender<Truth>>,
    /// Tells people what happens, a line at a time.
    pub say: fn(&str),
}

#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error("cannot make an access token: {0}")]
    Token(#[from] AccessTokenError),
    #[error("the API key cannot be sent: {0}")]
    Header(#[from] InvalidHeaderValue),
    #[error("the server at {url} does not take agents: {source}")]
    Connect { url: String, source: Box<tungstenite::Error> },
    #[error("the server at {url} did not register the agent within {CONNECT_TIMEOUT:?}")]
    Silent { url: String },
    #[error("the server at {url} did not answer the registration as a LiveKit server does")]
    Unexpected { url: String },
    #[error("the agent has no voice: {0}")]
    Voice(#[from] CodecError),
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The jobs under way.
struct Jobs {
    tasks: JoinSet<Result<(), job::JobError>>,
    ids: HashMap<Id, String>,
    /// By job; sending true lets the agent leave.
    stops: HashMap<String, watch::Sender<bool>>,
}

impl Worker {
    /// Takes calls until told to stop, then leaves those under way. `registered` becomes true when the
    /// server has taken the agent in.
    ///
    /// # Errors
    /// The first connection failed, or one that was lost did not come back.
    pub async fn serve(
        self,
        registered: watch::Sender<bool>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), WorkerError> {
        let voices = Arc::new(Voices::default());
        let silence = packet(&opus::silence()?);
        let (tasks, ids, stops) = (JoinSet::new(), HashMap::new(), HashMap::new());
        let mut jobs = Jobs { tasks, ids, stops };
        let mut socket = self.register().await?;
        registered.send_replace(true);
        let served = loop {
            let lost = tokio::select! {
                () = self.attend(&mut socket, &mut jobs, &voices, &silence) => true,
                _ = stop.wait_for(|stop| *stop) => false,
            };
            if !lost {
                let _ = timeout(PAUSE, socket.close(None)).await;
                break Ok(());
            }
            tokio::select! {
                again = self.register_again() => match again {
                    Ok(again) => socket = again,
                    Err(e) => break Err(e),
                },
                _ = stop.wait_for(|stop| *stop) => break Ok(()),
            }
        };
        for stop in jobs.stops.values() {
            stop.send_replace(true);
        }
        let left = async { while jobs.tasks.join_next().await.is_some() {} };
        let _ = timeout(LEAVE_TIMEOUT, left).await;
        served
    }

    async fn register_again(&self) -> Result<Socket, WorkerError> {
        (self.say)("the server has closed the agent's connection: registering again");
        let mut tries = 1;
        loop {
            match self.register().await {
                Err(_) if tries < TRIES => tries += 1,
                done => return done,
            }
            sleep(PAUSE).await;
        }
    }

    async fn register(&self) -> Result<Socket, WorkerError> {
        let url = self.url();
        match timeout(CONNECT_TIMEOUT, self.register_once(&url)).await {
            Ok(done) => done,
            Err(_) => Err(WorkerError::Silent { url }),
        }
    }

    async fn register_once(&self, url: &str) -> Result<Socket, WorkerError> {
        let fail = |source| WorkerError::Connect { url: url.into(), source: Box::new(source) };
        let grants = VideoGrants { agent: true, ..VideoGrants::default() };
        let token =
            AccessToken::with_api_key(&self.target.api_key, self.target.api_secret.expose())
                .with_grants(grants)
                .to_jwt()?;
        let mut request = url.into_client_request().map_err(fail)?;
        let bearer = HeaderValue::try_from(format!("Bearer {token}"))?;
        request.headers_mut().insert(AUTHORIZATION, bearer);
        let (mut socket, _) = connect_async(request).await.map_err(fail)?;
        let permission = proto::ParticipantPermission {
            can_publish: true,
            can_subscribe: true,
            can_publish_data: true,
            can_update_metadata: true,
            ..proto::ParticipantPermission::default()
        };
        let register = proto::RegisterWorkerRequest {
            r#type: proto::JobType::JtRoom.into(),
            agent_name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            allowed_permissions: Some(permission),
            ..proto::RegisterWorkerRequest::default()
        };
        send(&mut socket, ToServer::Register(register)).await.map_err(fail)?;
        match next(&mut socket).await {
            Some(FromServer::Register(registered)) => {
                let (name, id) = (&self.name, registered.worker_id);
                (self.say)(&format!("registered worker {name}, worker {id}"));
                Ok(socket)
            }
            _ => Err(WorkerError::Unexpected { url: url.into() }),
        }
    }

    fn url(&self) -> String {
        let url = self.target.url.trim_end_matches('/');
        let url = match url.split_once("://") {
            Some(("http", rest)) => format!("ws://{rest}"),
            Some(("https", rest)) => format!("wss://{rest}"),
            _ => url.to_owned(),
        };
        format!("{url}/agent")
    }

    /// Takes jobs until the connection is lost.
    async fn attend(
        &self,
        socket: &mut Socket,
        jobs: &mut Jobs,
        voices: &Arc<Voices>,
        silence: &EncodedFrame,
    ) {
        loop {
            let mut answers = Vec::new();
            tokio::select! {
                message = next(socket) => match message {
                    Some(message) => answers.extend(self.take(message, jobs, voices, silence)),
                    None => return,
                },
                Some(ended) = jobs.tasks.join_next_with_id() => {
                    answers.extend(self.ended(ended, jobs));
                }
            }
            for answer in answers {
                if send(socket, answer).await.is_err() {
                    return;
                }
            }
        }
    }

    fn take(
        &self,
        message: FromServer,
        jobs: &mut Jobs,
        voices: &Arc<Voices>,
        silence: &EncodedFrame,
    ) -> Option<ToServer> {
        match message {
            FromServer::Availability(asked) => {
                let job_id = asked.job?.id;
                Some(ToServer::Availability(proto::AvailabilityResponse {
                    participant_identity: identity(&job_id),
                    participant_attributes: HashMap::from([(
                        "lk.agent.name".to_owned(),
                        self.name.clone(),
                    )]),
                    available: jobs.tasks.len() < JOBS,
                    job_id,
                    ..proto::AvailabilityResponse::default()
                }))
            }
            FromServer::Assignment(assignment) => self.begin(assignment, jobs, voices, silence),
            FromServer::Termination(termination) => {
                if let Some(stop) = jobs.stops.get(&termination.job_id) {
                    stop.send_replace(true);
                }
                None
            }
            FromServer::Register(_) | FromServer::Pong(_) | FromServer::GoAway(_) => None,
        }
    }

    fn begin(
        &self,
        assignment: proto::JobAssignment,
        jobs: &mut Jobs,
        voices: &Arc<Voices>,
        silence: &EncodedFrame,
    ) -> Option<ToServer> {
        let job = assignment.job?;
        let room = job.room.map(|room| room.name).unwrap_or_default();
        let script = if job.metadata.trim().is_empty() {
            self.script.clone()
        } else {
            match Script::parse(&job.metadata) {
                Ok(script) => script,
                Err(e) => {
                    (self.say)(&format!("{room}: {e}"));
                    return Some(status(job.id, proto::JobStatus::JsFailed, &e.to_string()));
                }
            }
        };
        let (stop, stopped) = watch::channel(false);
        let url = assignment.url.filter(|url| !url.is_empty());
        let task = jobs.tasks.spawn(Box::pin(job::attend(Job {
            url: url.unwrap_or_else(|| self.target.url.clone()),
            token: assignment.token,
            identity: identity(&job.id),
            script: script.for_room(&room),
            room,
            voices: Arc::clone(voices),
            silence: silence.clone(),
            clock: self.clock,
            truth: self.truth.clone(),
            stop: stopped,
        })));
        jobs.ids.insert(task.id(), job.id.clone());
        jobs.stops.insert(job.id.clone(), stop);
        Some(status(job.id, proto::JobStatus::JsRunning, ""))
    }

    fn ended(
        &self,
        ended: Result<(Id, Result<(), job::JobError>), tokio::task::JoinError>,
        jobs: &mut Jobs,
    ) -> Option<ToServer> {
        let (task, error) = match ended {
            Ok((task, Ok(()))) => (task, None),
            Ok((task, Err(e))) => (task, Some(e.to_string())),
            Err(e) => (e.id(), Some(e.to_string())),
        };
        let job = jobs.ids.remove(&task)?;
        jobs.stops.remove(&job);
        let Some(error) = error else {
            return Some(status(job, proto::JobStatus::JsSuccess, ""));
        };
        (self.say)(&error);
        Some(status(job, proto::JobStatus::JsFailed, &error))
    }
}

/// The agent's identity in the room of a job, as livekit-agents names it.
fn identity(job: &str) -> String {
    format!("agent-{job}")
}

fn status(job_id: String, status: proto::JobStatus, error: &str) -> ToServer {
    let (status, error) = (status.into(), error.into());
    ToServer::UpdateJob(proto::UpdateJobStatus { job_id, status, error })
}

async fn send(socket: &mut Socket, message: ToServer) -> Result<(), tungstenite::Error> {
    let message = proto::WorkerMessage { message: Some(message) };
    socket.send(Message::Binary(message.encode_to_vec().into())).await
}

/// The next message of the server; `None` when the connection is lost. Messages of a later version
/// are passed over.
async fn next(socket: &mut Socket) -> Option<FromServer> {
    loop {
        let received = socket.next().await?.ok()?;
        if let Message::Binary(bytes) = received
            && let Ok(message) = proto::ServerMessage::decode(bytes)
            && let Some(message) = message.message
        {
            return Some(message);
        }
    }
}
