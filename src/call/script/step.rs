//! A step of the script: when its clip starts, what counts as its reply, and when it is given up.

use super::{ANCHOR_LIMIT, Action, DETECTION_SLACK, Phase, Script, VANISH_LIMIT};
use crate::record::{Observation, Outcome, SPEECH_GAP};
use crate::scenario::{
    Act, Anchor, Expect, IGNORES_ANSWER_WINDOW, IGNORES_STOP_WINDOW, Start, Step,
};
use crate::time::Offset;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct InStep {
    pub(super) index: usize,
    pub(super) began: Offset,
    /// The agent's speech counts as an anchor when it was audible after this.
    pub(super) anchor_floor: Offset,
    pub(super) part: Part,
    /// The expectation was decided while the clip is still being said: where the next step's
    /// anchor floor lies.
    pub(super) decided: Option<Offset>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Part {
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
    pub(super) fn begin_step(&mut self, index: usize, began: Offset, anchor_floor: Offset) {
        if index == self.scenario.steps().len() {
            self.note(began, Observation::HangingUp);
            self.phase = Phase::Finishing { since: began };
            return;
        }
        self.note(began, Observation::StepBegan { step: number(index) });
        let part = Part::Waiting;
        self.phase = Phase::Step(InStep { index, began, anchor_floor, part, decided: None });
    }

    pub(super) fn advance_step(&mut self, now: Offset, step: &InStep) -> Option<Action> {
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
            (Expect::Ignores, Part::Said { ended, .. }) => (ended, IGNORES_ANSWER_WINDOW),
            (Expect::Responds { .. } | Expect::Yields { .. } | Expect::Ignores, _) => return None,
        };
        Some(from.plus(within).plus(DETECTION_SLACK))
    }

    fn give_up_when_due(&mut self, now: Offset, step: &InStep, this: &Step) {
        if Self::deadline(step, this).is_none_or(|deadline| now < deadline) {
            return;
        }
        if this.expect == Some(Expect::Ignores) {
            return self.decide_ignored(now, step);
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
            None | Some(Expect::Ignores) => {}
        }
    }

    /// Whether the agent took notice of a noise, as far as that is heard; one that had finished by
    /// itself is only told apart afterwards.
    fn decide_ignored(&mut self, now: Offset, step: &InStep) {
        let Part::Said { began, ended, .. } = step.part else { return };
        let stopped = self
            .speech
            .silent_since
            .is_some_and(|end| end >= began && end <= ended.plus(IGNORES_STOP_WINDOW));
        let spoke = self.speech.began.is_some_and(|speech| speech > began);
        if stopped || spoke {
            self.missed(now, step);
        } else {
            self.met(now, step);
        }
        self.decide(now, step, step.began);
    }

    /// The agent was silent when it should not have been. If its audio has stopped too, the server
    /// may yet tell that it is gone, so the end waits for that.
    fn vanish_or_end(&mut self, now: Offset, outcome: Outcome, detail: String) {
        if self.reconnecting_since.is_some() {
            let detail = format!("the connection broke: {detail}");
            return self.end(Outcome::ConnectionLost, detail);
        }
        match self.stalled_since {
            Some(since) if now < since.plus(VANISH_LIMIT) => {
                self.phase = Phase::Vanishing { until: since.plus(VANISH_LIMIT), outcome, detail };
            }
            _ => self.end(outcome, detail),
        }
    }

    pub(super) fn missed(&mut self, now: Offset, step: &InStep) {
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

    pub(super) fn voice_began(&mut self, now: Offset, at: Offset) {
        self.speech.voice_began(at);
        let Some(step) = self.current().filter(|step| step.decided.is_none()) else { return };
        let floor = step.began;
        // Packets that come in a burst make a voice known before its sample would have sounded.
        let known = now.max(at);
        match (self.scenario.steps()[step.index].expect, step.part) {
            (Some(Expect::Speaks { .. }), Part::Waiting)
            | (Some(Expect::Responds { .. }), Part::Saying { over_agent: false, .. }) => {
                self.met(at, &step);
                self.decide(known, &step, floor);
            }
            (Some(Expect::Responds { .. }), Part::Said { ended, over_agent, .. })
                if !over_agent || at >= ended =>
            {
                self.met(at, &step);
                self.decide(known, &step, floor);
            }
            _ => {}
        }
    }

    pub(super) fn voice_ended(&mut self, now: Offset, at: Offset) {
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

    pub(super) fn utterance_began(&mut self, at: Offset) {
        let Some(step) = self.current() else { return };
        self.note(at, Observation::UtteranceBegan { step: number(step.index) });
        let over_agent =
            self.speech.began.is_some() && self.speech.silent_since.is_none_or(|end| end > at);
        self.phase = Phase::Step(InStep { part: Part::Saying { began: at, over_agent }, ..step });
    }

    pub(super) fn utterance_ended(&mut self, at: Offset) {
        let Some(step) = self.current() else { return };
        let Part::Saying { began, over_agent } = step.part else { return };
        self.note(at, Observation::UtteranceEnded { step: number(step.index) });
        let part = Part::Said { began, ended: at, over_agent };
        self.phase = Phase::Step(InStep { part, ..step });
    }

    pub(super) fn step_wakes(&self, step: &InStep) -> Option<Offset> {
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
