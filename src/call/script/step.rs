//! A step of the script: when its clip starts, what counts as its reply, and when it is given up.

use super::{ANCHOR_LIMIT, Action, DETECTION_SLACK, Phase, SILENCE_SLACK, Script, VANISH_LIMIT};
use crate::dialogue::{Response, Span, Speech};
use crate::record::{Observation, Outcome};
use crate::scenario::{Act, Anchor, Expect, IGNORES_ANSWER_WINDOW, Start, Step};
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
    Saying { began: Offset },
    /// The clip was said.
    Said { began: Offset, ended: Offset },
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
            (Act::Listen | Act::Say { .. }, _) => {
                if !self.settled(now, step, this) {
                    self.give_up_when_due(now, step, this);
                }
            }
        }
        None
    }

    /// Goes on when what the step expects has come, or has come too late.
    fn settled(&mut self, now: Offset, step: &InStep, this: &Step) -> bool {
        if step.decided.is_some() {
            return false;
        }
        let came = match (this.expect, step.part) {
            (Some(Expect::Speaks { within }), Part::Waiting) => self
                .own_words(step)
                .map(|speech| (speech.from, step.began.plus(within), step.began)),
            (Some(Expect::Responds { within }), Part::Said { began, ended }) => {
                let reply = self.response(began, ended).reply;
                reply.map(|speech| (speech.from, ended.plus(within), step.began))
            }
            (
                Some(Expect::Yields { within }),
                Part::Saying { began } | Part::Said { began, .. },
            ) => {
                let silent = self.yielded(now, began);
                silent.map(|at| (at, began.plus(within), at))
            }
            _ => None,
        };
        let Some((at, limit, floor)) = came else { return false };
        if at <= limit {
            self.met(at, step);
        } else {
            self.missed(now.max(at), step);
        }
        // Packets that come in a burst make a voice known before its sample would have sounded.
        self.decide(now.max(at), step, floor);
        true
    }

    /// What the agent says of its own accord in this step; before the script began anything counts.
    fn own_words(&self, step: &InStep) -> Option<Speech> {
        if step.index == 0 {
            self.dialogue.first_speech()
        } else {
            self.dialogue.speech_from(step.began)
        }
    }

    fn response(&self, began: Offset, ended: Offset) -> Response {
        self.dialogue.response(Span { from: began, until: ended }, None)
    }

    /// When the speech ended that was under way at `began`, once it is known that it does not go on.
    fn yielded(&self, now: Offset, began: Offset) -> Option<Offset> {
        let until = self.fell_silent(began)?;
        let over = self.stays_silent(until);
        let spoke_again = self.dialogue.new_speech(until).is_some();
        (now >= over || spoke_again).then_some(until)
    }

    /// When the speech ended that was under way at `began`, as far as it is known.
    fn fell_silent(&self, began: Offset) -> Option<Offset> {
        self.dialogue.speech_at(began)?.until
    }

    /// When it is known that a voice which ended at `at` does not go on.
    fn stays_silent(&self, at: Offset) -> Offset {
        at.plus(self.scenario.turn_taking().speech_gap).plus(DETECTION_SLACK)
    }

    /// When the step's expectation can no longer be met.
    fn deadline(&self, step: &InStep, this: &Step) -> Option<Offset> {
        let (from, within) = match (this.expect?, step.part) {
            _ if step.decided.is_some() => return None,
            (Expect::Speaks { within }, _) => (step.began, within),
            (Expect::Responds { within }, Part::Said { ended, .. }) => (ended, within),
            (Expect::Yields { within }, Part::Saying { began } | Part::Said { began, .. }) => {
                (began, within)
            }
            (Expect::Ignores, Part::Said { ended, .. }) => (ended, IGNORES_ANSWER_WINDOW),
            (Expect::Responds { .. } | Expect::Yields { .. } | Expect::Ignores, _) => return None,
        };
        let limit = from.plus(within);
        if !matches!(this.expect, Some(Expect::Yields { .. })) {
            return Some(limit.plus(DETECTION_SLACK));
        }
        // One that has just fallen silent has yielded if it stays so.
        let silent = self.fell_silent(from).filter(|at| *at <= limit);
        let known = silent.map_or(limit, |at| self.stays_silent(at));
        Some(known.max(limit.plus(SILENCE_SLACK)))
    }

    fn give_up_when_due(&mut self, now: Offset, step: &InStep, this: &Step) {
        if self.deadline(step, this).is_none_or(|deadline| now < deadline) {
            return;
        }
        let id = &this.id;
        match this.expect {
            Some(Expect::Ignores) => self.decide_ignored(now, step),
            Some(Expect::Yields { .. }) => {
                self.missed(now, step);
                self.decide(now, step, now);
            }
            Some(Expect::Speaks { within }) => {
                self.missed(now, step);
                let outcome = self.silence_means();
                self.vanish_or_end(now, outcome, format!("turn `{id}`: silence for {within:?}"));
            }
            Some(Expect::Responds { within }) => {
                if let Some(cut_in) = self.only_cut_in(step) {
                    self.met(cut_in.from, step);
                    return self.decide(now, step, step.began);
                }
                self.missed(now, step);
                let detail = format!("turn `{id}`: no reply within {within:?}");
                self.vanish_or_end(now, Outcome::NoAnswer, detail);
            }
            None => {}
        }
    }

    /// The agent's only response, which began long before the caller had ended.
    fn only_cut_in(&self, step: &InStep) -> Option<Speech> {
        let Part::Said { began, ended } = step.part else { return None };
        self.response(began, ended).only_cut_in(Span { from: began, until: ended })
    }

    /// Whether the agent took notice of a noise.
    fn decide_ignored(&mut self, now: Offset, step: &InStep) {
        let Part::Said { began, ended } = step.part else { return };
        if self.dialogue.disturbance(Span { from: began, until: ended }).is_some() {
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
            Anchor::AgentJoined => self.agent_there(),
            Anchor::PreviousTurn => Some(step.began),
            Anchor::AgentSpeechStart => self.speech_after(step.anchor_floor).map(|s| s.from),
            Anchor::AgentSpeechEnd => {
                let end = self.speech_after(step.anchor_floor)?.until?;
                return Some(self.finishes_at()?.max(end.plus(start.delay)));
            }
        };
        Some(after?.plus(start.delay))
    }

    /// The agent's latest speech, if it was audible after `floor`.
    fn speech_after(&self, floor: Offset) -> Option<Speech> {
        let speech = self.dialogue.latest_speech()?;
        speech.until.is_none_or(|end| end > floor).then_some(speech)
    }

    fn say_when_due(&mut self, now: Offset, step: &InStep, start: Start) -> Option<Action> {
        let due = self.due(step, start);
        let ends_speech = start.after == Anchor::AgentSpeechEnd;
        if let Some(due) = due
            // An end of speech is only known when it has lasted; other moments can be ordered ahead.
            && (now >= due || !ends_speech)
        {
            if ends_speech {
                self.note_if_stuck(step.index);
            }
            self.phase = Phase::Step(InStep { part: Part::Ordered, ..step.clone() });
            return Some(Action::Say { step: number(step.index), not_before: due.max(now) });
        }
        if due.is_none() && now >= step.began.plus(ANCHOR_LIMIT) && !self.dialogue.audible() {
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

    pub(super) fn utterance_began(&mut self, at: Offset) {
        let Some(step) = self.current() else { return };
        self.note(at, Observation::UtteranceBegan { step: number(step.index) });
        self.phase = Phase::Step(InStep { part: Part::Saying { began: at }, ..step });
    }

    pub(super) fn utterance_ended(&mut self, at: Offset) {
        let Some(step) = self.current() else { return };
        let Part::Saying { began } = step.part else { return };
        self.note(at, Observation::UtteranceEnded { step: number(step.index) });
        let part = Part::Said { began, ended: at };
        self.phase = Phase::Step(InStep { part, ..step });
    }

    pub(super) fn step_wakes(&self, step: &InStep) -> Option<Offset> {
        let this = &self.scenario.steps()[step.index];
        match (&this.act, step.part) {
            (Act::Silence { length }, _) => Some(step.began.plus(*length)),
            (Act::Say { start, .. }, Part::Waiting) => {
                Some(self.due(step, *start).unwrap_or(step.began.plus(ANCHOR_LIMIT)))
            }
            (Act::Listen | Act::Say { .. }, Part::Waiting | Part::Ordered) => {
                self.deadline(step, this)
            }
            (Act::Listen | Act::Say { .. }, Part::Saying { began } | Part::Said { began, .. }) => {
                let yields = matches!(this.expect, Some(Expect::Yields { .. }));
                let silent = self.fell_silent(began).filter(|_| yields);
                let known = silent.map(|at| self.stays_silent(at));
                [self.deadline(step, this), known].into_iter().flatten().min()
            }
        }
    }
}

pub(super) fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a scenario has far fewer than 2^32 steps")
}
