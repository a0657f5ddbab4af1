//! One call from dialling to hanging up: joins the script and the line, and stamps every observation.

use super::dialect::session;
use super::livekit::{DialError, Line, News, observation};
use super::readers::Readers;
use super::script::{Action, CallEvent, Script};
use crate::clock::Clock;
use crate::record::{
    CallEnd, CallId, CallRecord, Dialect, MediaFacts, Observation, Outcome, SessionEvent, Stamped,
};
use crate::room::endpoint::{Dial, Endpoint};
use crate::room::hearing::Hearing;
use crate::room::packets::Sayable;
use crate::scenario::Scenario;
use crate::secret::Secret;
use crate::stats::Histogram;
use crate::time::Offset;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, OptionFuture};
use livekit::webrtc::encoded::{EncodedFrame, Pacing};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

/// The most observations a call keeps; more than a conversation of an hour makes.
const LOG_LIMIT: usize = 20_000;
/// The longest sleep between two looks at the script.
const TICK: Duration = Duration::from_millis(500);
/// How long the caller waits, with the script through, for the agent to say what it is.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// What all calls to one agent share.
#[derive(Debug, Clone)]
pub struct CallConfig {
    pub run_id: String,
    pub endpoint: Endpoint,
    pub scenario: Arc<Scenario>,
    /// The metadata of the dispatch with its references to environment variables resolved: it may hold
    /// secrets.
    pub metadata: Secret,
    /// The clip of each step, encoded once; `None` for a step that says nothing.
    pub clips: Arc<[Option<Sayable>]>,
    pub silence: EncodedFrame,
    pub clock: Clock,
    /// Becomes true when the user stops the run.
    pub stop: watch::Receiver<bool>,
}

impl CallConfig {
    /// The name of a call's room, which no other call has: it is the session id of its traces, too.
    pub fn room(&self, call: CallId) -> String {
        format!("loadcall-{}-{}-{:03}", self.scenario.name(), self.run_id, call.0)
    }
}

/// Places one call, which was due then, and plays it to its end. Never fails: what goes wrong is the call's
/// outcome.
pub async fn call(config: &CallConfig, id: CallId, due: Offset) -> CallRecord {
    let dialled = config.clock.now();
    let room = config.room(id);
    let dial = Dial {
        room: room.clone(),
        identity: format!("caller-{:03}", id.0),
        agent_name: config.scenario.agent().name.clone(),
        agent_metadata: config.metadata.clone(),
    };
    let (readers, read) = Readers::start(config.clock);
    let mut stop = config.stop.clone();
    let dialling = Line::dial(&config.endpoint, &dial, config.silence.clone(), readers);
    let dialled_line = tokio::select! {
        line = dialling => line.map_err(|e| not_dialled(&e)),
        _ = stop.wait_for(|stop| *stop) => Err((Outcome::Stopped, String::new())),
    };
    let record =
        |log, end, media| CallRecord { id, room: room.clone(), due, dialled, log, end, media };
    let line = match dialled_line {
        Ok(line) => line,
        Err((outcome, detail)) => {
            let end = CallEnd { at: config.clock.now(), outcome, detail };
            return record(Vec::new(), end, MediaFacts::default());
        }
    };
    let mut drive = Drive::new(config, line, read, dialled);
    let end = drive.until_hung_up(stop).await;
    let (log, media) = drive.hang_up(&room).await;
    record(log, end, media)
}

fn not_dialled(error: &DialError) -> (Outcome, String) {
    let outcome = match error {
        DialError::Refused(_) => Outcome::Refused,
        DialError::NotConnected(_) => Outcome::ConnectionLost,
        DialError::Microphone(_) | DialError::Token(_) => Outcome::OurFault,
    };
    (outcome, error.to_string())
}

/// The clip that is on its way.
struct Saying {
    step: u32,
    /// Resolves to the capture time of the clip's first sample.
    started: OptionFuture<BoxFuture<'static, Option<Instant>>>,
    /// When the clip's last voiced sample is on the wire, once it plays.
    ends: Option<Offset>,
}

/// A call in progress.
struct Drive<'a> {
    config: &'a CallConfig,
    line: Line,
    read: mpsc::Receiver<Stamped>,
    script: Script,
    hearing: Hearing,
    saying: Option<Saying>,
    log: Vec<Stamped>,
    /// The agent's usage grows with every message; the last says it all.
    usage: Option<Stamped>,
}

impl<'a> Drive<'a> {
    fn new(
        config: &'a CallConfig,
        mut line: Line,
        read: mpsc::Receiver<Stamped>,
        dialled: Offset,
    ) -> Self {
        line.look_around(config.scenario.agent().listening.clone());
        let mut script = Script::new(Arc::clone(&config.scenario), dialled);
        let now = config.clock.now();
        script.handle(now, CallEvent::Connected);
        let connected = Observation::Connected { room_sid: line.room_sid() };
        let log = vec![Stamped { at: now, what: connected }];
        let hearing = Hearing::new(config.clock);
        Self { config, line, read, script, hearing, saying: None, log, usage: None }
    }

    async fn until_hung_up(&mut self, mut stop: watch::Receiver<bool>) -> CallEnd {
        let clock = self.config.clock;
        let mut stopping = false;
        // Both are kept, because setting them up is dearer than what most turns of the loop do.
        let mut stopped = pin!(stop.wait_for(|stop| *stop));
        let mut timer = pin!(sleep_until(clock.instant(clock.now()).into()));
        loop {
            self.hearing.take_waiting();
            let now = clock.now();
            self.hearing.look_at_the_clock(now);
            self.pass_on_what_is_heard(now);
            self.line.look_at_the_clock(now);
            self.end_utterance_when_due(now);
            while let Some(action) = self.script.poll(now) {
                match action {
                    Action::Say { step, not_before } => self.say(now, step, not_before),
                    Action::HangUp(end) => {
                        self.take_notes();
                        return end;
                    }
                }
            }
            self.take_notes();
            timer.as_mut().reset(clock.instant(self.wake_at(now)).into());
            let started: OptionFuture<_> =
                self.saying.as_mut().map(|saying| &mut saying.started).into();
            tokio::select! {
                biased;
                frame = self.hearing.next_packet() => self.hearing.take(&frame),
                Some(Some(at)) = started => self.started(at),
                news = self.line.news(clock) => self.take_news(news),
                Some(stamped) = self.read.recv() => self.take_read(stamped),
                _ = &mut stopped, if !stopping => {
                    stopping = true;
                    self.script.handle(clock.now(), CallEvent::Stop);
                }
                () = &mut timer => {}
            }
        }
    }

    /// The next moment at which time alone changes something.
    fn wake_at(&self, now: Offset) -> Offset {
        let ends = self.saying.as_ref().and_then(|saying| saying.ends);
        [self.script.wake_at(), ends, self.hearing.wake_at(), self.line.wake_at()]
            .into_iter()
            .flatten()
            // A moment that has passed without effect waits for something else.
            .filter(|at| *at > now)
            .fold(now.plus(TICK), Offset::min)
    }

    fn say(&mut self, now: Offset, step: u32, not_before: Offset) {
        let clip = self.config.clips.get(step as usize).and_then(Option::as_ref);
        let Some(clip) = clip else {
            let reason = format!("step {step} has no clip");
            return self.script.handle(now, CallEvent::OurFault { reason });
        };
        let at = self.config.clock.instant(not_before);
        match self.line.microphone.play(Arc::clone(&clip.frames), at) {
            Ok(playback) => {
                let started = Some(playback.started().boxed()).into();
                self.saying = Some(Saying { step, started, ends: None });
            }
            Err(e) => {
                let reason = format!("cannot play the clip of step {step}: {e}");
                self.script.handle(now, CallEvent::OurFault { reason });
            }
        }
    }

    /// The clip's first packet was sent: its samples have their places on the capture clock.
    fn started(&mut self, at: Option<Instant>) {
        let clock = self.config.clock;
        let Some(saying) = self.saying.as_mut() else { return };
        saying.started = None.into();
        let clip = self.config.clips.get(saying.step as usize).and_then(Option::as_ref);
        if let (Some(at), Some(clip)) = (at, clip) {
            let first = clock.offset(at);
            let began = first.plus(clip.first_voiced_at);
            saying.ends = Some(first.plus(clip.last_voiced_at));
            self.script.handle(clock.now(), CallEvent::UtteranceBegan { at: began });
        } else {
            let reason = "the microphone ended before the clip was played".into();
            self.script.handle(clock.now(), CallEvent::OurFault { reason });
        }
    }

    fn end_utterance_when_due(&mut self, now: Offset) {
        let ends = self.saying.as_ref().and_then(|saying| saying.ends);
        if let Some(at) = ends.filter(|at| *at <= now) {
            self.saying = None;
            self.script.handle(now, CallEvent::UtteranceEnded { at });
        }
    }

    fn pass_on_what_is_heard(&mut self, now: Offset) {
        for stamped in self.hearing.take_heard() {
            let event = if stamped.what == Observation::AgentMediaStalled {
                CallEvent::MediaStalled
            } else if matches!(
                stamped.what,
                Observation::AgentMediaResumed | Observation::AgentMediaWasSilent
            ) {
                CallEvent::MediaResumed
            } else {
                CallEvent::Observed(stamped.clone())
            };
            self.script.handle(now, event);
            self.note(stamped);
        }
    }

    fn take_news(&mut self, news: News) {
        let now = self.config.clock.now();
        if let Some(what) = observation(&news) {
            let at = if let News::AgentLeft { at, .. } = news { at } else { now };
            let stamped = Stamped { at, what };
            self.script.handle(now, CallEvent::Observed(stamped.clone()));
            self.note(stamped);
        }
        match news {
            News::AgentJoined { .. } => self.script.handle(now, CallEvent::AgentJoined),
            News::Audio { track, stream, surely } => {
                self.hearing.listen_to(track, stream, surely);
                self.script.handle(now, CallEvent::AgentTrackSubscribed);
            }
            News::TurnAway { track } => self.hearing.turn_away(track),
            News::TrackEnded { track } => self.hearing.ended(track),
            News::TrackMuted { track, muted } => self.hearing.mute(track, muted),
            News::AgentState(_) | News::Noted(_) => {}
            News::Reconnecting => self.script.handle(now, CallEvent::Reconnecting),
            News::Reconnected => self.script.handle(now, CallEvent::Reconnected),
            News::AgentLeft { reason, .. } => {
                self.script.handle(now, CallEvent::AgentLeft { reason });
            }
            News::Lost { reason } => self.script.handle(now, CallEvent::ConnectionLost { reason }),
        }
    }

    fn take_read(&mut self, stamped: Stamped) {
        let now = self.config.clock.now();
        if matches!(stamped.what, Observation::Session(SessionEvent::Usage { .. })) {
            self.usage = Some(stamped);
            return;
        }
        self.script.handle(now, CallEvent::Observed(stamped.clone()));
        self.note(stamped);
    }

    fn take_notes(&mut self) {
        for note in self.script.take_notes() {
            self.note(note);
        }
    }

    fn note(&mut self, stamped: Stamped) {
        match self.log.len().cmp(&LOG_LIMIT) {
            std::cmp::Ordering::Less => self.log.push(stamped),
            std::cmp::Ordering::Equal => {
                let what = Observation::LimitReached { what: "observations of a call".into() };
                self.log.push(Stamped { at: stamped.at, what });
            }
            std::cmp::Ordering::Greater => {}
        }
    }

    /// Ends the call on both sides and gives what was recorded.
    async fn hang_up(mut self, room: &str) -> (Vec<Stamped>, MediaFacts) {
        self.hearing.hang_up(self.config.clock.now());
        for stamped in self.hearing.take_heard() {
            self.note(stamped);
        }
        self.ask_what_the_agent_is(room).await;
        while let Ok(stamped) = self.read.try_recv() {
            self.take_read(stamped);
        }
        for stamped in self.line.readers.rest() {
            self.note(stamped);
        }
        let pacing = self.line.microphone.pacing();
        let media = MediaFacts {
            pacing: pacing_histogram(&pacing),
            packets_skipped: pacing.skipped(),
            ..self.hearing.facts()
        };
        if let Some(usage) = self.usage.take() {
            self.note(usage);
        }
        self.line.hang_up().await;
        // The server would keep the agent's job for a while in an empty room.
        if let Err(e) = self.config.endpoint.delete_room(room).await {
            log::debug!("room {room} was not deleted: {e}");
        }
        (self.log, media)
    }

    /// Asks for SDK and options, which can wait until nothing is measured any more.
    async fn ask_what_the_agent_is(&mut self, room: &str) {
        let answers = Observation::Session(SessionEvent::Dialect(Dialect::Session));
        if !self.log.iter().any(|stamped| stamped.what == answers) {
            return;
        }
        self.line.ask(session::ask_framework(format!("{room}-framework"))).await;
        self.line.ask(session::ask_options(format!("{room}-options"))).await;
        let deadline = self.config.clock.instant(self.config.clock.now().plus(ANSWER_LIMIT));
        let mut missing = 2;
        while missing > 0 {
            tokio::select! {
                Some(stamped) = self.read.recv() => {
                    let answer = matches!(
                        stamped.what,
                        Observation::Session(SessionEvent::Framework { .. } | SessionEvent::Options { .. })
                    );
                    missing -= u32::from(answer);
                    self.take_read(stamped);
                }
                // Opened streams only reach the readers through the line.
                news = self.line.news(self.config.clock) => {
                    if matches!(news, News::AgentLeft { .. } | News::Lost { .. }) {
                        return;
                    }
                }
                () = sleep_until(deadline.into()) => return,
            }
        }
    }
}

/// Lateness of every packet in microseconds, as recordings keep it.
fn pacing_histogram(pacing: &Pacing) -> String {
    let each = |(late, n): (Duration, u64)| {
        let us = i64::try_from(late.as_micros()).unwrap_or(i64::MAX);
        std::iter::repeat_n(us, usize::try_from(n).unwrap_or(usize::MAX))
    };
    Histogram::of(pacing.buckets().flat_map(each)).to_base64().unwrap_or_default()
}
