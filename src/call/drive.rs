//! One call from dialling to hanging up: joins the script and the line, and stamps every observation.

use super::access::Access;
use super::config::CallConfig;
use super::dialect::session;
use super::livekit::{DialError, Line, News, observation};
use super::readers::Readers;
use super::script::{Action, CallEvent, Script};
use super::signals::{Signalled, Signalling};
use crate::record::audio::tape::{Tape, Taping};
use crate::record::{
    CallEnd, CallId, CallRecord, Dialect, MediaFacts, Observation, Outcome, SessionEvent,
    SignalTime, Stamped,
};
use crate::room::endpoint::AdmitError;
use crate::room::hearing::Hearing;
use crate::scenario::Rpc;
use crate::stats::Histogram;
use crate::time::Offset;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, OptionFuture};
use livekit::webrtc::encoded::Pacing;
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

/// Places one call, which was due then, and plays it to its end. Never fails: what goes wrong is the call's
/// outcome. With it comes the tape of what was heard, if that is kept.
pub async fn call(config: &CallConfig, id: CallId, due: Offset) -> (CallRecord, Option<Tape>) {
    let dialled = config.clock.now();
    let names = config.names(id);
    let mut room = names.room.clone();
    let (readers, read) = Readers::start(config.clock);
    let mut stop = config.stop.clone();
    let dialling = async {
        let ticket = config.access.ticket(&config.scenario, &names, id).await?;
        room.clone_from(&ticket.room);
        let line = Line::dial(&ticket, config.silence.clone(), readers).await;
        let line = line.map_err(|e| Access::explain(&config.scenario, e))?;
        Ok((line, ticket))
    };
    let dialled_line = tokio::select! {
        line = dialling => line.map_err(|e| not_dialled(&e)),
        _ = stop.wait_for(|stop| *stop) => Err((Outcome::Stopped, String::new())),
    };
    let record =
        |log, end, media| CallRecord { id, room: room.clone(), due, dialled, log, end, media };
    let (line, ticket) = match dialled_line {
        Ok(dialled) => dialled,
        Err((outcome, detail)) => {
            let end = CallEnd { at: config.clock.now(), outcome, detail };
            return (record(Vec::new(), end, MediaFacts::default()), None);
        }
    };
    let mut drive = Drive::new(config, line, read, dialled);
    let end = drive.until_hung_up(stop).await;
    if end.outcome == Outcome::Answered {
        drive.wait_for_signals().await;
    }
    let (log, media, tape) = drive.hang_up(&room).await;
    // The server would keep the agent's job for a while in an empty room.
    config.access.end(&config.scenario, &names, &ticket).await;
    (record(log, end, media), tape)
}

fn not_dialled(error: &DialError) -> (Outcome, String) {
    let outcome = match error {
        DialError::Refused(_) | DialError::Admit(AdmitError::Room(_) | AdmitError::Dispatch(_)) => {
            Outcome::Refused
        }
        DialError::NotConnected(_) => Outcome::ConnectionLost,
        DialError::Start(_) => Outcome::NoAgent,
        DialError::Microphone(_)
        | DialError::Admit(AdmitError::Token(_))
        | DialError::Variables(_)
        | DialError::NoServer
        | DialError::NoKeys => Outcome::OurFault,
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
    signals: Signalling,
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
        let tape = config.taping.as_ref().map(Taping::tape);
        let hearing = Hearing::new(config.clock).taped(tape);
        let signals = Signalling::default();
        Self { config, line, read, script, hearing, saying: None, signals, log, usage: None }
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
            self.signal(now);
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
                Some(signalled) = self.signals.next() => self.signalled(signalled),
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
        let heard = [self.hearing.wake_at(), self.line.wake_at()];
        [self.script.wake_at(), ends, self.signals.wake_at()]
            .into_iter()
            .chain(heard)
            .flatten()
            // A moment that has passed without effect waits for something else.
            .filter(|at| *at > now)
            .fold(now.plus(TICK), Offset::min)
    }

    fn say(&mut self, now: Offset, step: u32, not_before: Offset) {
        if self.rpc(step, SignalTime::Before).is_some() {
            self.signals.hold(step, not_before);
        } else {
            self.play(now, step, not_before);
        }
    }

    fn rpc(&self, step: u32, when: SignalTime) -> Option<&'a Rpc> {
        let signals = &self.config.scenario.steps().get(step as usize)?.signals;
        match when {
            SignalTime::Before => signals.before.as_ref(),
            SignalTime::After => signals.after.as_ref(),
        }
    }

    /// Gives the signals that are due, and begins a clip that waits for none any more.
    fn signal(&mut self, now: Offset) {
        while let Some((step, when)) = self.signals.due(now) {
            let Some(rpc) = self.rpc(step, when) else { continue };
            match self.config.access.variables.fill(&rpc.payload) {
                Ok(payload) => {
                    let call = self.line.rpc(&rpc.method, &payload);
                    self.signals.give((step, when), rpc.method.clone(), now, call);
                }
                Err(e) => {
                    let reason = e.to_string();
                    return self.script.handle(now, CallEvent::OurFault { reason });
                }
            }
        }
        if let Some(step) = self.signals.released(now) {
            self.play(now, step, now);
        }
    }

    fn signalled(&mut self, Signalled { step, when, method, sent, error }: Signalled) {
        let what = Observation::Rpc { step, when, method, sent, error };
        self.note(Stamped { at: self.config.clock.now(), what });
    }

    /// Waits for what the agent makes of the last signals, which decides whether the call is ok.
    async fn wait_for_signals(&mut self) {
        if let Some(at) = self.signals.wake_at() {
            sleep_until(self.config.clock.instant(at).into()).await;
            self.signal(at);
        }
        while let Some(signalled) = self.signals.next().await {
            self.signalled(signalled);
        }
    }

    fn play(&mut self, now: Offset, step: u32, not_before: Offset) {
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
            let said = self.saying.take().map(|saying| saying.step);
            if let Some(step) = said.filter(|s| self.rpc(*s, SignalTime::After).is_some()) {
                self.signals.said(step, at);
            }
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
    async fn hang_up(mut self, room: &str) -> (Vec<Stamped>, MediaFacts, Option<Tape>) {
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
        let tape = self.hearing.take_tape();
        if tape.as_ref().is_some_and(Tape::is_full) {
            let what = Observation::LimitReached { what: "memory for the audio of calls".into() };
            self.note(Stamped { at: self.config.clock.now(), what });
        }
        self.line.hang_up().await;
        (self.log, media, tape)
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
