//! What was heard of a call: how each step was answered, by the rule of [`crate::dialogue`].
//!
//! The script's own `ExpectationMet` and `ExpectationMissed` were written while the call went on; edges
//! of speech are back-dated and known better afterwards, and some messages come later. So a reply is what the
//! rule makes of the whole log, within the time the script waited.

use std::time::Duration;

use crate::dialogue::{self, Dialogue, Response, Span, Speech};
use crate::record::{CallRecord, Observation, Outcome};
use crate::scenario::{Expect, IGNORES_ANSWER_WINDOW, IGNORES_STOP_WINDOW, Scenario, Step};
use crate::time::Offset;

use super::{Answer, Filler, Reply, Turn};

/// The moments of a call that turns are made of.
pub(super) struct CallTimeline {
    connected: Option<Offset>,
    steps: Vec<Marks>,
    dialogue: Dialogue,
    end: Offset,
    outcome: Outcome,
}

/// The moments of one step, each as first recorded.
#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    began: Option<Offset>,
    met: Option<Offset>,
    missed: Option<Offset>,
}

impl CallTimeline {
    pub(super) fn new(call: &CallRecord, scenario: &Scenario) -> Self {
        let mut timeline = Self {
            connected: None,
            steps: vec![Marks::default(); scenario.steps().len()],
            dialogue: Dialogue::new(scenario.turn_taking().speech_gap),
            end: call.end.at,
            outcome: call.end.outcome,
        };
        for seen in &call.log {
            timeline.dialogue.observe(seen);
            if matches!(seen.what, Observation::Connected { .. }) {
                timeline.connected.get_or_insert(seen.at);
            }
            if let Some((step, place)) = mark(&seen.what)
                && let Some(marks) = timeline.steps.get_mut(step as usize)
            {
                place(marks).get_or_insert(seen.at);
            }
        }
        timeline
    }

    /// Whether the agent was ever heard.
    pub(super) fn agent_spoke(&self) -> bool {
        self.dialogue.agent_spoke()
    }

    /// What the caller said in a step, when it was said to its end.
    pub(super) fn said(&self, step: u32) -> Option<Span> {
        self.dialogue.said(step)
    }

    /// The last step whose utterance had begun at `at`.
    pub(super) fn last_said(&self, at: Offset) -> Option<u32> {
        self.dialogue.last_said(at)
    }

    /// The first agent speech between two utterances: after that of `step` (or from the start) and
    /// before the next one.
    pub(super) fn speech_after(&self, step: Option<u32>) -> Option<Offset> {
        let (from, speech) = match step {
            Some(step) => {
                let from = self.dialogue.said_from(step)?;
                (from, self.dialogue.new_speech(from)?)
            }
            None => (Offset::from_micros(i64::MIN), self.dialogue.first_speech()?),
        };
        let next = self.dialogue.next_said(from);
        next.is_none_or(|next| speech.from < next).then_some(speech.from)
    }

    /// When the speech began that was under way at `at`.
    pub(super) fn speech_at(&self, at: Offset) -> Option<Offset> {
        self.dialogue.speech_at(at).map(|speech| speech.from)
    }

    /// When the speeches of the agent began that began between two moments.
    pub(super) fn speeches(&self, from: Offset, until: Offset) -> Vec<Offset> {
        self.dialogue.new_speeches(from).map(|s| s.from).take_while(|at| *at < until).collect()
    }

    /// The last that was heard of the agent of what began in a turn that was replied to.
    pub(super) fn last_speech(&self, turn: &Turn) -> Option<Span> {
        let from = match (turn.reply, turn.said) {
            (_, Some(said)) => said.from,
            (Reply::Greeted { voice, .. }, None) => voice.from,
            (_, None) => return None,
        };
        let until = self.dialogue.next_said(from).unwrap_or(self.end);
        let speeches = self.dialogue.new_speeches(from).take_while(|s| s.from < until);
        speeches.last().map(|speech| self.span(speech))
    }

    /// When nothing more belongs to what the caller `said`: it spoke again, or the call ended.
    pub(super) fn closes(&self, said: Span) -> Offset {
        self.dialogue.next_said(said.from).unwrap_or(self.end)
    }

    pub(super) fn reply(&self, index: u32, step: &Step) -> Reply {
        let reached = self.marks(index).began.or(self.dialogue.said_from(index)).is_some();
        match step.expect {
            _ if !reached => Reply::NotReached,
            None => Reply::NotAwaited,
            Some(Expect::Speaks { .. }) => self.greeting(index),
            Some(Expect::Responds { .. }) => self.response(index),
            Some(Expect::Yields { within }) => self.yielding(index, within),
            Some(Expect::Ignores) => self.ignoring(index),
        }
    }

    /// Whether the agent began to respond long before the caller had ended.
    pub(super) fn cut_in(&self, index: u32) -> bool {
        self.said(index).is_some_and(|said| self.response_to(index, said).cut_in.is_some())
    }

    fn response_to(&self, index: u32, said: Span) -> Response {
        self.dialogue.response(said, self.closed(index))
    }

    /// The last thing said in reply to what the caller `said`.
    pub(super) fn answer(&self, reply: Span, said: Span) -> Answer {
        let next = self.dialogue.next_said(said.from);
        let closed = next.unwrap_or(self.end);
        let heard =
            |at: Offset, filler| Answer::Heard { latency_ms: at.ms_since(said.until), filler };
        let speech = Speech { from: reply.from, until: Some(reply.until) };
        let waited_ms = closed.ms_since(said.until).max(0.0);
        match self.dialogue.answer(speech, closed, next.is_some()) {
            dialogue::Answer::Reply => heard(reply.from, None),
            dialogue::Answer::AfterFiller { from, gap } => heard(
                from,
                Some(Filler { gap_ms: Offset::default().plus(gap).ms_since(Offset::default()) }),
            ),
            dialogue::Answer::Outstanding => Answer::Outstanding { waited_ms },
            dialogue::Answer::Never => Answer::Never { waited_ms },
            dialogue::Answer::Unknown => Answer::Unknown,
        }
    }

    /// Whether the voice that counts began later than the step allows. The script judged by what it knew
    /// then: by a voice that was retracted, or by a cut-in that a reply followed.
    pub(super) fn is_late(&self, index: u32, step: &Step, reply: Reply) -> bool {
        let (voice, limit) = match (step.expect, reply) {
            (Some(Expect::Responds { within }), Reply::Heard { voice, .. }) => {
                (voice, self.said(index).map(|said| said.until.plus(within)))
            }
            (Some(Expect::Speaks { within }), Reply::Greeted { voice, .. }) => {
                (voice, self.marks(index).began.map(|began| began.plus(within)))
            }
            _ => return false,
        };
        limit.is_some_and(|limit| voice.from > limit)
    }

    fn greeting(&self, index: u32) -> Reply {
        let began = self.marks(index).began;
        let (since, speech) = match (index, self.connected, began) {
            // Whatever the agent says first is its greeting, even if the step began a moment later.
            (0, Some(connected), _) => (connected, self.dialogue.first_speech()),
            (1.., _, Some(began)) => (began, self.dialogue.speech_from(began)),
            (0, None, _) | (1.., _, None) => return Reply::NotReached,
        };
        match speech.filter(|speech| self.in_time(index, since, *speech)) {
            Some(speech) => {
                let voice = self.span(speech);
                Reply::Greeted { voice, latency_ms: voice.from.ms_since(since) }
            }
            None => self.unanswered(index, since),
        }
    }

    fn response(&self, index: u32) -> Reply {
        let Some(from) = self.dialogue.said_from(index) else { return Reply::NotReached };
        let Some(said) = self.said(index) else {
            // Interrupted before the caller had said it all: there is no end to count from.
            let spoke = self.dialogue.new_speech(from).is_some();
            return if spoke { Reply::NotReached } else { self.unanswered(index, self.end) };
        };
        let response = self.response_to(index, said);
        if let Some(reply) = response.reply {
            let voice = self.span(reply);
            return Reply::Heard { voice, latency_ms: voice.from.ms_since(said.until) };
        }
        if let Some(cut_in) = response.only_cut_in(said) {
            let voice = self.span(cut_in);
            return Reply::CutIn { voice, early_ms: said.until.ms_since(voice.from) };
        }
        match self.marks(index) {
            // The script took speech for the reply of which a later message told that it was none, and
            // went on.
            Marks { met: Some(_), .. } => {
                let waited = self.closed(index).unwrap_or(self.end);
                Reply::Unanswered { waited_ms: waited.ms_since(said.until).max(0.0) }
            }
            Marks { .. } => self.unanswered(index, said.until),
        }
    }

    /// When the first packet came that was not silent of the reply whose first audible sample is at
    /// `reply`.
    pub(super) fn sound(&self, reply: Offset) -> Option<Offset> {
        self.dialogue.sound(reply)
    }

    /// The agent's voices, and what the caller said up to the call's end where it was cut off.
    pub(super) fn overlap(&self) -> (Vec<Span>, Vec<Span>) {
        (self.dialogue.voices(self.end).collect(), self.dialogue.all_said(self.end).collect())
    }

    fn ignoring(&self, index: u32) -> Reply {
        let Some(noise) = self.said(index) else { return Reply::NotReached };
        if let Some((by, at)) = self.dialogue.disturbance(noise) {
            return Reply::Disturbed { by, after_ms: at.ms_since(noise.from) };
        }
        // How long the call had to last to know that.
        let limit = match self.dialogue.speech_at(noise.from) {
            Some(running)
                if running.until.is_none_or(|u| u > noise.until.plus(IGNORES_STOP_WINDOW)) =>
            {
                IGNORES_STOP_WINDOW
            }
            Some(_) | None => IGNORES_ANSWER_WINDOW,
        };
        if self.end < noise.until.plus(limit) { Reply::NotReached } else { Reply::Ignored }
    }

    fn yielding(&self, index: u32, within: Duration) -> Reply {
        let Some(from) = self.dialogue.said_from(index) else { return Reply::NotReached };
        let Some(running) = self.dialogue.speech_at(from) else { return Reply::NotTested };
        let limit = from.plus(within);
        let until = running.until.unwrap_or(self.end);
        if running.until.is_some_and(|until| until <= limit) {
            Reply::Yielded { yield_ms: until.ms_since(from) }
        } else if let Some(missed) = self.marks(index).missed {
            Reply::DidNotYield { waited_ms: missed.ms_since(from).max(0.0) }
        } else if until > limit {
            Reply::DidNotYield { waited_ms: limit.ms_since(from) }
        } else {
            Reply::NotReached
        }
    }

    /// Nothing was heard. That is a fact about the agent when the script waited to the end, or when
    /// the call ended during the wait because of the agent.
    fn unanswered(&self, index: u32, since: Offset) -> Reply {
        let waited =
            |until: Offset| Reply::Unanswered { waited_ms: until.ms_since(since).max(0.0) };
        if let Some(missed) = self.marks(index).missed {
            waited(missed)
        } else if blames_agent(self.outcome) && self.next_began(index).is_none() {
            waited(self.end)
        } else {
            Reply::NotReached
        }
    }

    /// When it was settled how the agent responded: the script gave the step up, or the caller spoke again.
    fn closed(&self, index: u32) -> Option<Offset> {
        let missed = self.marks(index).missed;
        let next = self.dialogue.said_from(index).and_then(|from| self.dialogue.next_said(from));
        [missed, next].into_iter().flatten().min()
    }

    /// Whether the agent's own words began before the script gave them up, or the caller spoke. (That the
    /// script went on says nothing: it may have taken a noise for them that was retracted.)
    fn in_time(&self, index: u32, since: Offset, speech: Speech) -> bool {
        let closed = self.marks(index).missed.or_else(|| self.dialogue.next_said(since));
        closed.is_none_or(|closed| speech.from <= closed)
    }

    fn next_began(&self, index: u32) -> Option<Offset> {
        let later = (0_u32..).zip(&self.steps).skip(index as usize + 1);
        later.filter_map(|(i, m)| m.began.or(self.dialogue.said_from(i))).min()
    }

    fn span(&self, speech: Speech) -> Span {
        Span { from: speech.from, until: speech.until.unwrap_or(self.end).max(speech.from) }
    }

    fn marks(&self, step: u32) -> Marks {
        self.steps.get(step as usize).copied().unwrap_or_default()
    }
}

/// Whether a call that ended so while a reply was awaited says that the agent did not reply.
fn blames_agent(outcome: Outcome) -> bool {
    match outcome {
        Outcome::AgentLate | Outcome::AgentLeft | Outcome::NoGreeting | Outcome::NoAnswer => true,
        Outcome::Answered
        | Outcome::NoAgent
        | Outcome::ConnectionLost
        | Outcome::Refused
        | Outcome::Stopped
        | Outcome::OurFault => false,
    }
}

type Place = fn(&mut Marks) -> &mut Option<Offset>;

/// Which step a fact is about, and which of its moments.
fn mark(what: &Observation) -> Option<(u32, Place)> {
    match what {
        Observation::StepBegan { step } => Some((*step, |m| &mut m.began)),
        Observation::ExpectationMet { step } => Some((*step, |m| &mut m.met)),
        Observation::ExpectationMissed { step } => Some((*step, |m| &mut m.missed)),
        Observation::Connected { .. }
        | Observation::AgentJoined { .. }
        | Observation::AgentTrackSubscribed
        | Observation::AgentState(_)
        | Observation::AgentLeft { .. }
        | Observation::AgentMediaStalled
        | Observation::AgentMediaResumed
        | Observation::AgentMediaWasSilent
        | Observation::Participant(_)
        | Observation::ParticipantLeft { .. }
        | Observation::Track(_)
        | Observation::TrackChanged { .. }
        | Observation::TrackEnded { .. }
        | Observation::TrackSpoke { .. }
        | Observation::Reconnecting
        | Observation::Reconnected
        | Observation::ConnectionLost { .. }
        | Observation::HangingUp
        | Observation::UtteranceBegan { .. }
        | Observation::UtteranceEnded { .. }
        | Observation::AgentStuck { .. }
        | Observation::Rpc { .. }
        | Observation::EndState { .. }
        | Observation::SoundBegan
        | Observation::VoiceBegan
        | Observation::VoiceEnded
        | Observation::VoiceRetracted
        | Observation::NeverSilent { .. }
        | Observation::Transcript { .. }
        | Observation::Session(_)
        | Observation::LimitReached { .. } => None,
    }
}
