//! The agent's place with the server: registers as a worker, takes every job it is offered, and attends each in a task of its own.

use crate::agent::job::{self, Job};
use crate::agent::script::{FaultKind, Script};
use crate::agent::truth::Truth;
use crate::agent::voice::Voices;
use crate::audio::opus::{self, CodecError};
use crate::clock::Clock;
use crate::room::endpoint::Endpoint;
use crate::room::packets::packet;
use crate::room::registration::{Registered, RegistrationError};
use crate::time::Offset;
use livekit::webrtc::encoded::EncodedFrame;
use livekit_protocol as proto;
use proto::server_message::Message as FromServer;
use proto::worker_message::Message as ToServer;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::{sleep, timeout};

/// How often a lost connection is tried again.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);
/// Calls at a time; one more is declined, and goes to another worker.
const JOBS: usize = 500;
/// How long after the agent joined one room it joins the next at the soonest. A server that is asked for many agents at a
/// time may hand out their jobs together (livekit-server does when its answers to "is there such an agent?" are due to be
/// renewed: 33 jobs after four seconds without any), and joining costs far more CPU time than talking.
const APART: Duration = Duration::from_millis(50);
/// How long the calls may take to end when the agent is stopped.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the worker does with a call whose script crashes the agent (`faults: [{kind: crash}]`), and with it
/// every other call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    Allowed,
    /// The call fails, with the reason in the worker's output and the job's status.
    Refused,
}

/// An agent worker.
#[derive(Debug)]
pub struct Worker {
    pub endpoint: Endpoint,
    /// The name it is dispatched by; empty for automatic dispatch.
    pub name: String,
    /// What it does in a call whose dispatch says nothing.
    pub script: Script,
    pub crash: Crash,
    pub clock: Clock,
    pub truth: Option<mpsc::Sender<Truth>>,
    /// Tells people what happens, a line at a time.
    pub say: fn(&str),
}

#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    #[error("the agent has no voice: {0}")]
    Voice(#[from] CodecError),
}

/// The jobs under way.
struct Jobs {
    tasks: JoinSet<Result<(), job::JobError>>,
    ids: HashMap<Id, String>,
    /// By job; sending true lets the agent leave.
    stops: HashMap<String, watch::Sender<bool>>,
    /// When the next one may join at the soonest.
    not_before: Offset,
}

impl Jobs {
    fn none() -> Self {
        let (tasks, ids, stops) = (JoinSet::new(), HashMap::new(), HashMap::new());
        Self { tasks, ids, stops, not_before: Offset::default() }
    }

    /// When one that is assigned now may join.
    fn join_at(&mut self, now: Offset) -> Offset {
        let at = now.max(self.not_before);
        self.not_before = at.plus(APART);
        at
    }
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
        let mut jobs = Jobs::none();
        let mut socket = self.register().await?;
        registered.send_replace(true);
        let served = loop {
            let lost = tokio::select! {
                () = self.attend(&mut socket, &mut jobs, &voices, &silence) => true,
                _ = stop.wait_for(|stop| *stop) => false,
            };
            if !lost {
                socket.close().await;
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

    async fn register_again(&self) -> Result<Registered, WorkerError> {
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

    async fn register(&self) -> Result<Registered, WorkerError> {
        let registered = Registered::register(&self.endpoint, &self.name).await?;
        (self.say)(&format!("registered worker {}, worker {}", self.name, registered.worker_id));
        Ok(registered)
    }

    /// Takes jobs until the connection is lost.
    async fn attend(
        &self,
        socket: &mut Registered,
        jobs: &mut Jobs,
        voices: &Arc<Voices>,
        silence: &EncodedFrame,
    ) {
        loop {
            let mut answers = Vec::new();
            tokio::select! {
                message = socket.next() => match message {
                    Some(message) => answers.extend(self.take(message, jobs, voices, silence)),
                    None => return,
                },
                Some(ended) = jobs.tasks.join_next_with_id() => {
                    answers.extend(self.ended(ended, jobs));
                }
            }
            for answer in answers {
                if socket.send(answer).await.is_err() {
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
        let script = script.for_room(&room);
        if self.crash == Crash::Refused && script.has_fault(FaultKind::Crash) {
            let why =
                "the script has the fault crash; start the agent with --allow-crash to allow it";
            (self.say)(&format!("{room}: {why}"));
            return Some(status(job.id, proto::JobStatus::JsFailed, why));
        }
        let (stop, stopped) = watch::channel(false);
        let join_at = jobs.join_at(self.clock.now());
        let url = assignment.url.filter(|url| !url.is_empty());
        let task = jobs.tasks.spawn(Box::pin(job::attend(Job {
            url: url.unwrap_or_else(|| self.endpoint.url.clone()),
            token: assignment.token,
            identity: identity(&job.id),
            script,
            room,
            voices: Arc::clone(voices),
            silence: silence.clone(),
            clock: self.clock,
            join_at,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn assignment(metadata: &str) -> proto::JobAssignment {
        let room = proto::Room { name: "r-1-007".into(), ..proto::Room::default() };
        let job = proto::Job {
            id: "AJ_1".into(),
            room: Some(room),
            metadata: metadata.into(),
            ..proto::Job::default()
        };
        proto::JobAssignment { job: Some(job), ..proto::JobAssignment::default() }
    }

    /// What the worker answers to a job with this metadata, and whether it begins.
    fn answered(crash: Crash, metadata: &str) -> (proto::JobStatus, usize) {
        let worker = Worker {
            endpoint: Endpoint {
                url: "ws://127.0.0.1:9".into(),
                api_key: "k".into(),
                api_secret: Secret::new("s".into()),
            },
            name: "a".into(),
            script: Script::default(),
            crash,
            clock: Clock::start(),
            truth: None,
            say: |_| {},
        };
        let mut jobs = Jobs::none();
        let silence = packet(&opus::silence().unwrap());
        let answer = worker.begin(assignment(metadata), &mut jobs, &Arc::default(), &silence);
        let Some(ToServer::UpdateJob(update)) = answer else { panic!("{answer:?}") };
        (update.status(), jobs.tasks.len())
    }

    #[test]
    fn jobs_that_come_together_join_one_after_another() {
        let mut jobs = Jobs::none();
        let at = |ms: i64| Offset::from_micros(ms * 1_000);
        let joins = [10, 10, 11, 400].map(|now| jobs.join_at(at(now)));
        assert_eq!(joins, [10, 60, 110, 400].map(at));
    }

    #[tokio::test]
    async fn a_call_that_crashes_the_agent_has_to_be_allowed() {
        let (failed, running) = (proto::JobStatus::JsFailed, proto::JobStatus::JsRunning);
        let crash = r#"{"faults": [{"kind": "crash", "turn": 3}]}"#;
        assert_eq!(answered(Crash::Refused, crash), (failed, 0));
        assert_eq!(answered(Crash::Allowed, crash), (running, 1));
        // One that strikes another call is none of this call's.
        let other = r#"{"faults": [{"kind": "crash", "calls": [8]}]}"#;
        assert_eq!(answered(Crash::Refused, other), (running, 1));
    }
}
