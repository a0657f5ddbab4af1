//! The caller's script as a state machine without clock or IO: what happened, and the time → what
//! to do next.
//!
//! # When things count
//! - Whose speech a voice is, when the agent has finished, and what its reply is: [`crate::dialogue`] has
//!   the rule, from what is known at the moment.
//! - A delay after `agent_speech_end` counts from the last audible sample and cannot make the caller speak
//!   before the agent has finished. One that is silent and busy for `busy_limit` counts as stuck.
//! - A step begins when the one before is decided; the first when the agent's audio is subscribed
//!   (or, for a clip that starts after `session_start` or `agent_joined`, when that has come).
//! - A wait is over [`DETECTION_SLACK`] after its time, because voice is known a little after it
//!   began ([`SILENCE_SLACK`] for its end). What began after the time is missed all the same.
//! - After a reply or a greeting that did not come the rest of the script makes no sense, and the
//!   call ends. An agent that does not yield, or takes notice of a noise, is recorded, and the script
//!   goes on.

mod step;
#[cfg(test)]
mod tests;

use step::InStep;

use crate::dialogue::{Dialogue, Doing};
use crate::record::{CallEnd, Observation, Outcome, SessionEvent, Stamped};
use crate::scenario::{Act, Anchor, Scenario, Start};
use crate::time::Offset;
use std::sync::Arc;
use std::time::Duration;

/// How long after a wait's end voice that began within it may still become known.
pub const DETECTION_SLACK: Duration = Duration::from_millis(200);
/// The same for a voice that ended: silence has to last to be one.
pub const SILENCE_SLACK: Duration = Duration::from_millis(500);
/// The longest wait for an anchor of the agent's speech.
pub const ANCHOR_LIMIT: Duration = Duration::from_secs(30);
/// How long the caller waits, after the agent's last speech is over, for the report of it.
pub const REPORT_GRACE: Duration = Duration::from_secs(2);
/// How long an agent whose audio has stopped may take to be declared gone by the server (observed:
/// 20.5 s after its process was killed).
pub const VANISH_LIMIT: Duration = Duration::from_secs(25);

/// How long an agent whose audio comes again, after it did not answer, is waited for all the same: a
/// server sends a last few packets for a participant it then declares gone.
pub const RESUME_GRACE: Duration = Duration::from_secs(2);
/// How long an agent that is in the room may publish no audio and still be waited for by a caller who
/// speaks first: some publish with their first words.
pub const TRACK_GRACE: Duration = Duration::from_secs(2);
/// How long an agent may say that it speaks and not be heard: a pause of its voice is shorter, and some never
/// tell that they have stopped.
pub const SILENT_SPEAKER: Duration = Duration::from_secs(5);
/// How long our own connection may take to come back. What is missed meanwhile is not the agent's
/// fault.
pub const RECONNECT_LIMIT: Duration = Duration::from_secs(10);

/// What the caller learns.
#[derive(Debug, Clone, PartialEq)]
pub enum CallEvent {
    Connected,
    AgentJoined,
    AgentTrackSubscribed,
    /// Something that was observed in the room: an edge of the agent's voice, or a word of its own.
    Observed(Stamped),
    /// No packet of the agent's audio has come for a while / it comes again.
    MediaStalled,
    MediaResumed,
    /// Our clip's first and last voiced sample, each at or after the moment it is on the wire.
    UtteranceBegan {
        at: Offset,
    },
    UtteranceEnded {
        at: Offset,
    },
    AgentLeft {
        reason: String,
    },
    /// Our connection broke, and the client tries to mend it; then it is mended.
    Reconnecting,
    Reconnected,
    ConnectionLost {
        reason: String,
    },
    /// The user stops the run.
    Stop,
    /// The caller cannot go on (a clip could not be played …).
    OurFault {
        reason: String,
    },
}

/// What the caller has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Play the clip of this step, its first sample not before this moment.
    Say { step: u32, not_before: Offset },
    /// Hang up; nothing follows.
    HangUp(CallEnd),
}

/// One caller's way through the script.
#[derive(Debug)]
pub struct Script {
    scenario: Arc<Scenario>,
    dialled: Offset,
    connected: Option<Offset>,
    agent_joined: Option<Offset>,
    ready: Option<Offset>,
    dialogue: Dialogue,
    stalled_since: Option<Offset>,
    reconnecting_since: Option<Offset>,
    report_pending: bool,
    phase: Phase,
    notes: Vec<Stamped>,
}

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    /// Waiting until the first step can begin.
    Joining,
    Step(InStep),
    /// Undecided whether the agent is slow or gone: it did not answer and its audio has stopped.
    Vanishing {
        until: Offset,
        outcome: Outcome,
        detail: String,
    },
    /// The script is through; the agent finishes what it says.
    Finishing {
        since: Offset,
    },
    /// Decided; the caller has to hang up.
    Ending {
        outcome: Outcome,
        detail: String,
    },
    Over,
}

impl Script {
    /// A caller who dials at `dialled`.
    pub fn new(scenario: Arc<Scenario>, dialled: Offset) -> Self {
        Self {
            dialled,
            connected: None,
            agent_joined: None,
            ready: None,
            dialogue: Dialogue::new(scenario.turn_taking().speech_gap),
            scenario,
            stalled_since: None,
            reconnecting_since: None,
            report_pending: false,
            phase: Phase::Joining,
            notes: Vec::new(),
        }
    }

    /// Takes in what was learned at `now`. Call [`Script::poll`] afterwards.
    pub fn handle(&mut self, now: Offset, event: CallEvent) {
        if self.phase == Phase::Over {
            return;
        }
        match event {
            CallEvent::Connected => self.connected = Some(now),
            CallEvent::AgentJoined => {
                self.agent_joined.get_or_insert(now);
            }
            CallEvent::AgentTrackSubscribed => {
                self.agent_joined.get_or_insert(now);
                self.ready.get_or_insert(now);
            }
            CallEvent::Observed(seen) => self.observed(&seen),
            CallEvent::MediaStalled => self.stalled_since = Some(now),
            CallEvent::MediaResumed => self.media_resumed(now),
            CallEvent::Reconnecting => self.reconnecting_since = Some(now),
            CallEvent::Reconnected => self.reconnecting_since = None,
            CallEvent::UtteranceBegan { at } => self.utterance_began(at),
            CallEvent::UtteranceEnded { at } => self.utterance_ended(at),
            CallEvent::AgentLeft { reason } => self.agent_left(reason),
            CallEvent::ConnectionLost { reason } => self.end(Outcome::ConnectionLost, reason),
            CallEvent::Stop => self.end(Outcome::Stopped, String::new()),
            CallEvent::OurFault { reason } => self.end(Outcome::OurFault, reason),
        }
    }

    /// What to do at `now`; call until it gives `None`, then wait until [`Script::wake_at`].
    pub fn poll(&mut self, now: Offset) -> Option<Action> {
        // A step that is decided begins the next one, so a few rounds may be due at once; each
        // round either acts or advances, and there are finitely many steps.
        loop {
            let before = self.phase.clone();
            if let Some(action) = self.advance(now) {
                return Some(action);
            }
            if self.phase == before {
                return None;
            }
        }
    }

    /// When time alone will change something.
    pub fn wake_at(&self) -> Option<Offset> {
        let limit = self.call_limit();
        let next = match &self.phase {
            Phase::Joining => self.agent_there().or(Some(self.join_limit())),
            Phase::Step(step) => self.step_wakes(step),
            Phase::Vanishing { until, .. } => Some(*until),
            Phase::Ending { .. } => return Some(Offset::default()),
            Phase::Finishing { since } => self.hangs_up_at(*since),
            Phase::Over => return None,
        };
        let joining = (self.ready.is_none() && self.connected.is_some()).then(|| self.join_limit());
        let mended = self.reconnecting_since.map(|since| since.plus(RECONNECT_LIMIT));
        [next, joining, mended, Some(limit)].into_iter().flatten().min()
    }

    /// The conclusions drawn since the last call, for the log.
    pub fn take_notes(&mut self) -> Vec<Stamped> {
        std::mem::take(&mut self.notes)
    }

    fn note(&mut self, at: Offset, what: Observation) {
        let noted = Stamped { at, what };
        self.dialogue.observe(&noted);
        self.notes.push(noted);
    }

    fn observed(&mut self, seen: &Stamped) {
        if let Observation::Session(event) = &seen.what {
            let asked = matches!(event, SessionEvent::UserMessage { .. });
            let replied = matches!(event, SessionEvent::AgentMessage { .. });
            self.report_pending = asked || self.report_pending && !replied;
        }
        self.dialogue.observe(seen);
    }

    fn end(&mut self, outcome: Outcome, detail: String) {
        self.phase = Phase::Ending { outcome, detail };
    }

    fn media_resumed(&mut self, now: Offset) {
        self.stalled_since = None;
        if let Phase::Vanishing { until, .. } = &mut self.phase {
            *until = (*until).min(now.plus(RESUME_GRACE));
        }
    }

    fn join_limit(&self) -> Offset {
        self.connected.unwrap_or(self.dialled).plus(self.scenario.agent().join_timeout)
    }

    fn advance(&mut self, now: Offset) -> Option<Action> {
        if self.overdue(now) {
            return None;
        }
        match self.phase.clone() {
            Phase::Joining => self.begin_if_joined(now),
            Phase::Step(step) => return self.advance_step(now, &step),
            Phase::Vanishing { until, outcome, detail } => {
                if now >= until {
                    self.end(outcome, detail);
                }
            }
            Phase::Finishing { since } => self.finish(now, since),
            Phase::Ending { outcome, detail } => {
                self.phase = Phase::Over;
                return Some(Action::HangUp(CallEnd { at: now, outcome, detail }));
            }
            Phase::Over => {}
        }
        None
    }

    /// Ends the call when the agent did not join in time or the call has lasted too long.
    fn overdue(&mut self, now: Offset) -> bool {
        if matches!(self.phase, Phase::Ending { .. } | Phase::Over) {
            return false;
        }
        if self.connected.is_some() && self.ready.is_none() && now >= self.join_limit() {
            let timeout = self.scenario.agent().join_timeout;
            let (outcome, what) = if self.agent_joined.is_some() {
                (Outcome::AgentLate, "the agent joined but published no audio")
            } else {
                (Outcome::NoAgent, "no agent joined")
            };
            self.end(outcome, format!("{what} within {timeout:?}"));
            return true;
        }
        if self.reconnecting_since.is_some_and(|since| now >= since.plus(RECONNECT_LIMIT)) {
            let detail = format!("the connection was not mended within {RECONNECT_LIMIT:?}");
            self.end(Outcome::ConnectionLost, detail);
            return true;
        }
        let max = self.scenario.max_call();
        if now < self.call_limit() {
            return false;
        }
        match self.phase.clone() {
            Phase::Step(step) => {
                let id = &self.scenario.steps()[step.index].id;
                let detail = format!("the call reached max_call ({max:?}) in turn `{id}`");
                self.missed(now, &step);
                self.end(self.silence_means(), detail);
            }
            Phase::Vanishing { outcome, detail, .. } => self.end(outcome, detail),
            Phase::Joining => {
                self.end(Outcome::OurFault, format!("not connected within {max:?}"));
            }
            Phase::Finishing { .. } | Phase::Ending { .. } | Phase::Over => self.hang_up_answered(),
        }
        true
    }

    fn call_limit(&self) -> Offset {
        self.connected.unwrap_or(self.dialled).plus(self.scenario.max_call())
    }

    /// What to call a call in which the agent did not speak when it had to.
    fn silence_means(&self) -> Outcome {
        if self.dialogue.agent_spoke() { Outcome::NoAnswer } else { Outcome::NoGreeting }
    }

    fn begin_if_joined(&mut self, now: Offset) {
        let Some(connected) = self.connected else { return };
        let began = match self.scenario.steps().first().map(|step| &step.act) {
            Some(Act::Say { start: Start { after: Anchor::SessionStart, .. }, .. }) => {
                Some(connected)
            }
            Some(Act::Say { start: Start { after: Anchor::AgentJoined, .. }, .. }) => {
                self.agent_there().filter(|at| *at <= now)
            }
            Some(_) | None => self.ready,
        };
        if let Some(began) = began {
            self.begin_step(0, began, connected);
        }
    }

    /// When the agent can be spoken to: its audio is subscribed, or it has been in the room for a while
    /// without any.
    fn agent_there(&self) -> Option<Offset> {
        let waited = self.agent_joined.map(|at| at.plus(TRACK_GRACE));
        [self.ready, waited].into_iter().flatten().min()
    }

    fn agent_left(&mut self, reason: String) {
        let finished = matches!(self.phase, Phase::Finishing { .. }) && !self.dialogue.audible();
        if finished {
            self.hang_up_answered();
        } else {
            self.end(Outcome::AgentLeft, reason);
        }
    }

    /// When the agent had finished, by what it lets hear and says of itself; or when it counts as stuck,
    /// because it is silent and busy for too long. `None` while it is audible, or when it never was.
    fn finishes_at(&self) -> Option<Offset> {
        self.dialogue.finished_at().or_else(|| {
            let (doing, since) = self.dialogue.silently_busy()?;
            let limit = self.scenario.turn_taking().busy_limit;
            let is_work = doing != Doing::Speaking;
            Some(since.plus(if is_work { limit } else { limit.min(SILENT_SPEAKER) }))
        })
    }

    /// Notes that the caller does not wait any longer for an agent that says it is busy.
    fn note_if_stuck(&mut self, step: usize) {
        if let (None, Some((doing, since))) =
            (self.dialogue.finished_at(), self.dialogue.silently_busy())
        {
            let (step, doing) = (step::number(step), doing.name().to_owned());
            self.note(since, Observation::AgentStuck { step, doing });
        }
    }

    /// When a caller who has said all hangs up: the agent has finished, and its last report has come.
    fn hangs_up_at(&self, since: Offset) -> Option<Offset> {
        let over = match self.finishes_at() {
            Some(at) => at.max(since),
            None if self.dialogue.agent_spoke() => return None,
            None => since,
        };
        Some(if self.report_pending { over.plus(REPORT_GRACE) } else { over })
    }

    fn finish(&mut self, now: Offset, since: Offset) {
        if self.hangs_up_at(since).is_some_and(|due| now >= due) {
            self.note_if_stuck(self.scenario.steps().len().saturating_sub(1));
            self.hang_up_answered();
        }
    }

    fn hang_up_answered(&mut self) {
        self.end(Outcome::Answered, String::new());
    }
}
