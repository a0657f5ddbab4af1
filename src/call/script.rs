//! The caller's script as a state machine without clock or IO: what was heard, and the time → what
//! to do next.
//!
//! # When things count
//! - *Speech* of the agent is voice with gaps shorter than [`SPEECH_GAP`], so that the pause between
//!   two sentences ends nothing. It is over at its last audible sample, which is known
//!   [`SPEECH_GAP`] later; a delay after `agent_speech_end` counts from the sample and cannot make
//!   the caller speak before that is known.
//! - A step begins when the one before is decided; the first when the agent's audio is subscribed
//!   (or, for a clip that starts after `session_start`, when the caller is connected).
//! - A *reply* is the first voice after the caller's first voiced sample or, when the agent was still
//!   speaking at that sample, the first after the caller's last one.
//! - A wait is over [`DETECTION_SLACK`] after its time, because voice is known a little after it
//!   began.
//! - After a reply or a greeting that did not come the rest of the script makes no sense, and the
//!   call ends. An agent that does not yield is recorded, and the script goes on.

use super::speech::{SPEECH_GAP, Speech};
use crate::record::{CallEnd, Observation, Offset, Outcome, Stamped};
use crate::scenario::{Act, Anchor, Expect, Scenario, Start, Step};
use std::sync::Arc;
use std::time::Duration;

/// How long after a wait's end voice that began within it may still become known.
pub const DETECTION_SLACK: Duration = Duration::from_millis(200);
/// The longest wait for an anchor of the agent's speech.
pub const ANCHOR_LIMIT: Duration = Duration::from_secs(30);
/// How long the caller waits, after the agent's last speech is over, for the report of it.
pub const REPORT_GRACE: Duration = Duration::from_secs(2);
/// How long an agent whose audio has stopped may take to be declared gone by the server (observed:
/// 20.5 s after its process was killed).
pub const VANISH_LIMIT: Duration = Duration::from_secs(25);

/// What the caller learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    Connected,
    AgentJoined,
    AgentTrackSubscribed,
    VoiceBegan {
        at: Offset,
    },
    VoiceEnded {
        at: Offset,
    },
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
    /// The agent's session reported a turn of ours, or a reply of its own.
    UserTurnReported,
    ReplyReported,
    AgentLeft {
        reason: String,
    },
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
    agent_joined: bool,
    ready: Option<Offset>,
    speech: Speech,
    stalled_since: Option<Offset>,
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

#[derive(Debug, Clone, PartialEq)]
struct InStep {
    index: usize,
    began: Offset,
    /// The agent's speech counts as an anchor when it was audible after this.
    anchor_floor: Offset,
    part: Part,
    /// The expectation was decided while the clip is still being said: where the next step's
    /// anchor floor lies.
    decided: Option<Offset>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    /// A clip waits for its anchor, or silence or a greeting for its time.
    Waiting,
    /// The clip was ordered; it is not on the wire yet.
    Ordered,
    /// The clip is on the wire.
    Saying { began: Offset, over_agent: bool },
    /// The clip was said.
    Said { began: Offset, ended: Offset, over_agent: bool },
}

impl Script {
    /// A caller who dials at `dialled`.
    pub fn new(scenario: Arc<Scenario>, dialled: Offset) -> Self {
        Self {
            scenario,
            dialled,
            connected: None,
            agent_joined: false,
            ready: None,
            speech: Speech::default(),
            stalled_since: None,
            report_pending: false,
            phase: Phase::Joining,
            notes: Vec::new(),
        }
    }

    /// Takes in what was heard at `now`. Call [`Script::poll`] afterwards.
    pub fn handle(&mut self, now: Offset, heard: Heard) {
        if self.phase == Phase::Over {
            return;
        }
        match heard {
            Heard::Connected => self.connected = Some(now),
            Heard::AgentJoined => self.agent_joined = true,
            Heard::AgentTrackSubscribed => {
                self.agent_joined = true;
                self.ready.get_or_insert(now);
            }
            Heard::VoiceBegan { at } => self.voice_began(now, at),
            Heard::VoiceEnded { at } => self.voice_ended(now, at),
            Heard::MediaStalled => self.stalled_since = Some(now),
            Heard::MediaResumed => self.stalled_since = None,
            Heard::UtteranceBegan { at } => self.utterance_began(at),
            Heard::UtteranceEnded { at } => self.utterance_ended(at),
            Heard::UserTurnReported => self.report_pending = true,
            Heard::ReplyReported => self.report_pending = false,
            Heard::AgentLeft { reason } => self.agent_left(reason),
            Heard::ConnectionLost { reason } => self.end(Outcome::ConnectionLost, reason),
            Heard::Stop => self.end(Outcome::Stopped, String::new()),
            Heard::OurFault { reason } => self.end(Outcome::OurFault, reason),
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
            Phase::Joining => Some(self.join_limit()),
            Phase::Step(step) => self.step_wakes(step),
            Phase::Vanishing { until, .. } => Some(*until),
            Phase::Ending { .. } => return Some(Offset::default()),
            Phase::Finishing { since } => {
                let over = self.speech.known_over().unwrap_or(limit).max(*since);
                Some(if self.report_pending { over.plus(REPORT_GRACE) } else { over })
            }
            Phase::Over => return None,
        };
        let joining = (self.ready.is_none() && self.connected.is_some()).then(|| self.join_limit());
        [next, joining, Some(limit)].into_iter().flatten().min()
    }

    /// The conclusions drawn since the last call, for the log.
    pub fn take_notes(&mut self) -> Vec<Stamped> {
        std::mem::take(&mut self.notes)
    }

    fn note(&mut self, at: Offset, what: Observation) {
        self.notes.push(Stamped { at, what });
    }

    fn end(&mut self, outcome: Outcome, detail: String) {
        self.phase = Phase::Ending { outcome, detail };
    }

    fn join_limit(&self) -> Offset {
        self.connected.unwrap_or(self.dialled).plus(self.scenario.agent().join_timeout)
    }

    fn advance(&mut self, now: Offset) -> Option<Action> {
        if self.overdue(now) {
            return None;
        }
        match self.phase.clone() {
            Phase::Joining => self.begin_if_joined(),
            Phase::Step(step) => return self.advance_step(now, &step),
            Phase::Vanishing { until, outcome, detail } => {
                if now >= until || self.stalled_since.is_none() {
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
            let (outcome, what) = if self.agent_joined {
                (Outcome::AgentLate, "the agent joined but published no audio")
            } else {
                (Outcome::NoAgent, "no agent joined")
            };
            self.end(outcome, format!("{what} within {timeout:?}"));
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
        if self.speech.began.is_some() { Outcome::NoAnswer } else { Outcome::NoGreeting }
    }

    fn begin_if_joined(&mut self) {
        let Some(connected) = self.connected else { return };
        let early = matches!(
            self.scenario.steps().first(),
            Some(Step {
                act: Act::Say { start: Start { after: Anchor::SessionStart, .. }, .. },
                ..
            })
        );
        let began = if early { Some(connected) } else { self.ready };
        if let Some(began) = began {
            self.begin_step(0, began, connected);
        }
    }

    fn begin_step(&mut self, index: usize, began: Offset, anchor_floor: Offset) {
        if index == self.scenario.steps().len() {
            self.note(began, Observation::HangingUp);
            self.phase = Phase::Finishing { since: began };
            return;
        }
        self.note(began, Observation::StepBegan { step: number(index) });
        let part = Part::Waiting;
        self.phase = Phase::Step(InStep { index, began, anchor_floor, part, decided: None });
    }

    fn advance_step(&mut self, now: Offset, step: &InStep) -> Option<Action> {
        let scenario = Arc::clone(&self.scenario);
        let this = &scenario.steps()[step.index];
        match (&this.act, step.part) {
            (Act::Say { start, .. }, Part::Waiting) => return self.say_when_due(now, step, *start),
            (Act::Silence { length }, _) => {
                let over = step.began.plus(*length);
                if now >= over {
                    self.begin_step(step.index + 1, over, step.began);
                }
            }
            (Act::Say { .. }, Part::Said { ended, .. })
                if step.decided.is_some() || this.expect.is_none() =>
            {
                let floor = step.decided.unwrap_or(step.began);
                self.begin_step(step.index + 1, ended.max(step.began), floor);
            }
            (Act::Listen | Act::Say { .. }, _) => self.give_up_when_due(now, step, this),
        }
        None
    }

    /// When the step's expectation can no longer be met.
    fn deadline(step: &InStep, this: &Step) -> Option<Offset> {
        let (from, within) = match (this.expect?, step.part) {
            _ if step.decided.is_some() => return None,
            (Expect::Speaks { within }, _) => (step.began, within),
            (Expect::Responds { within }, Part::Said { ended, .. }) => (ended, within),
            (Expect::Yields { within }, Part::Saying { began, .. } | Part::Said { began, .. }) => {
                (began, within)
            }
            (Expect::Responds { .. } | Expect::Yields { .. }, _) => return None,
        };
        Some(from.plus(within).plus(DETECTION_SLACK))
    }

    fn give_up_when_due(&mut self, now: Offset, step: &InStep, this: &Step) {
        if Self::deadline(step, this).is_none_or(|deadline| now < deadline) {
            return;
        }
        self.missed(now, step);
        let id = &this.id;
        match this.expect {
            Some(Expect::Yields { .. }) => self.decide(now, step, now),
            Some(Expect::Speaks { within }) => {
                let outcome = self.silence_means();
                self.vanish_or_end(now, outcome, format!("turn `{id}`: silence for {within:?}"));
            }
            Some(Expect::Responds { within }) => {
                let detail = format!("turn `{id}`: no reply within {within:?}");
                self.vanish_or_end(now, Outcome::NoAnswer, detail);
            }
            None => {}
        }
    }

    /// The agent was silent when it should not have been. If its audio has stopped too, the server
    /// may yet tell that it is gone, so the end waits for that.
    fn vanish_or_end(&mut self, now: Offset, outcome: Outcome, detail: String) {
        match self.stalled_since {
            Some(since) if now < since.plus(VANISH_LIMIT) => {
                self.phase = Phase::Vanishing { until: since.plus(VANISH_LIMIT), outcome, detail };
            }
            _ => self.end(outcome, detail),
        }
    }

    fn missed(&mut self, now: Offset, step: &InStep) {
        if self.scenario.steps()[step.index].expect.is_some() && step.decided.is_none() {
            self.note(now, Observation::ExpectationMissed { step: number(step.index) });
        }
    }

    fn met(&mut self, at: Offset, step: &InStep) {
        self.note(at, Observation::ExpectationMet { step: number(step.index) });
    }

    /// Goes on to the next step, but never before a clip is said to its end.
    fn decide(&mut self, now: Offset, step: &InStep, floor: Offset) {
        if matches!(step.part, Part::Ordered | Part::Saying { .. }) {
            self.phase = Phase::Step(InStep { decided: Some(floor), ..step.clone() });
        } else {
            self.begin_step(step.index + 1, now, floor);
        }
    }

    /// The moment a clip's anchor and delay come to, if the anchor has come.
    fn due(&self, step: &InStep, start: Start) -> Option<Offset> {
        let after = match start.after {
            Anchor::SessionStart => self.connected,
            Anchor::AgentJoined => self.ready,
            Anchor::PreviousTurn => Some(step.began),
            Anchor::AgentSpeechStart => self.speech.began_if_audible_after(step.anchor_floor),
            Anchor::AgentSpeechEnd => {
                self.speech.began_if_audible_after(step.anchor_floor)?;
                let end = self.speech.silent_since?;
                return Some(end.plus(start.delay.max(SPEECH_GAP)));
            }
        };
        Some(after?.plus(start.delay))
    }

    fn say_when_due(&mut self, now: Offset, step: &InStep, start: Start) -> Option<Action> {
        let due = self.due(step, start);
        if let Some(due) = due
            // An end of speech is only known when it has lasted; other moments can be ordered ahead.
            && (now >= due || start.after != Anchor::AgentSpeechEnd)
        {
            self.phase = Phase::Step(InStep { part: Part::Ordered, ..step.clone() });
            return Some(Action::Say { step: number(step.index), not_before: due.max(now) });
        }
        if due.is_none() && now >= step.began.plus(ANCHOR_LIMIT) && !self.speech.audible() {
            let id = &self.scenario.steps()[step.index].id;
            let detail = format!(
                "turn `{id}` waits for the agent's speech, which did not come in {ANCHOR_LIMIT:?}"
            );
            self.vanish_or_end(now, self.silence_means(), detail);
        }
        None
    }

    fn current(&self) -> Option<InStep> {
        if let Phase::Step(step) = &self.phase { Some(step.clone()) } else { None }
    }

    fn voice_began(&mut self, now: Offset, at: Offset) {
        self.speech.voice_began(at);
        let Some(step) = self.current().filter(|step| step.decided.is_none()) else { return };
        let floor = step.began;
        match (self.scenario.steps()[step.index].expect, step.part) {
            (Some(Expect::Speaks { .. }), Part::Waiting)
            | (Some(Expect::Responds { .. }), Part::Saying { over_agent: false, .. }) => {
                self.met(at, &step);
                self.decide(now, &step, floor);
            }
            (Some(Expect::Responds { .. }), Part::Said { ended, over_agent, .. })
                if !over_agent || at >= ended =>
            {
                self.met(at, &step);
                self.decide(now, &step, floor);
            }
            _ => {}
        }
    }

    fn voice_ended(&mut self, now: Offset, at: Offset) {
        self.speech.voice_ended(at);
        let Some(step) = self.current().filter(|step| step.decided.is_none()) else { return };
        let Some(Expect::Yields { within }) = self.scenario.steps()[step.index].expect else {
            return;
        };
        let (Part::Saying { began, .. } | Part::Said { began, .. }) = step.part else { return };
        if at >= began && at.since(began) <= within {
            self.met(at, &step);
            self.decide(now, &step, at);
        }
    }

    fn utterance_began(&mut self, at: Offset) {
        let Some(step) = self.current() else { return };
        self.note(at, Observation::UtteranceBegan { step: number(step.index) });
        let over_agent =
            self.speech.began.is_some() && self.speech.silent_since.is_none_or(|end| end > at);
        self.phase = Phase::Step(InStep { part: Part::Saying { began: at, over_agent }, ..step });
    }

    fn utterance_ended(&mut self, at: Offset) {
        let Some(step) = self.current() else { return };
        let Part::Saying { began, over_agent } = step.part else { return };
        self.note(at, Observation::UtteranceEnded { step: number(step.index) });
        let part = Part::Said { began, ended: at, over_agent };
        self.phase = Phase::Step(InStep { part, ..step });
    }

    fn agent_left(&mut self, reason: String) {
        let finished = matches!(self.phase, Phase::Finishing { .. }) && !self.speech.audible();
        if finished {
            self.hang_up_answered();
        } else {
            self.end(Outcome::AgentLeft, reason);
        }
    }

    fn finish(&mut self, now: Offset, since: Offset) {
        let over = match (self.speech.began, self.speech.known_over()) {
            (None, _) => since,
            (Some(_), Some(over)) => over.max(since),
            (Some(_), None) => return,
        };
        let due = if self.report_pending { over.plus(REPORT_GRACE) } else { over };
        if now >= due {
            self.hang_up_answered();
        }
    }

    fn hang_up_answered(&mut self) {
        self.end(Outcome::Answered, String::new());
    }

    fn step_wakes(&self, step: &InStep) -> Option<Offset> {
        let this = &self.scenario.steps()[step.index];
        match (&this.act, step.part) {
            (Act::Silence { length }, _) => Some(step.began.plus(*length)),
            (Act::Say { start, .. }, Part::Waiting) => {
                Some(self.due(step, *start).unwrap_or(step.began.plus(ANCHOR_LIMIT)))
            }
            (Act::Listen | Act::Say { .. }, _) => Self::deadline(step, this),
        }
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a scenario has far fewer than 2^32 steps")
}

#[cfg(test)]
mod tests;
