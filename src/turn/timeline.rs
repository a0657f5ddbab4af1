//! What was heard of a call: when the caller and the agent spoke, and from that alone how each step
//! was answered.
//!
//! The script's own `ExpectationMet` and `ExpectationMissed` were written while the call went on; edges
//! of speech are back-dated and known better afterwards. So a reply is what the edges say, within the
//! time the script waited, and `ExpectationMet` only decides where the edges leave it open.

use std::time::Duration;

use super::voices::{Voice, Voices};
use super::{Disturbance, Reply, Span};
use crate::record::{CallRecord, Observation, Outcome, SessionEvent};
use crate::scenario::{Expect, IGNORES_ANSWER_WINDOW, IGNORES_STOP_WINDOW, Step};
use crate::time::Offset;

/// The moments of a call that turns are made of.
pub(super) struct CallTimeline {
    connected: Option<Offset>,
    steps: Vec<Marks>,
    voices: Voices,
    /// When the agent said that it had spoken a message to its end.
    finished: Vec<Offset>,
    end: Offset,
    outcome: Outcome,
}

/// The moments of one step, each as first recorded.
#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    began: Option<Offset>,
    said_from: Option<Offset>,
    said_until: Option<Offset>,
    met: Option<Offset>,
    missed: Option<Offset>,
}

impl CallTimeline {
    pub(super) fn new(call: &CallRecord, steps: usize) -> Self {
        let mut heard = Self {
            connected: None,
            steps: vec![Marks::default(); steps],
            voices: Voices::new(call),
            finished: Vec::new(),
            end: call.end.at,
            outcome: call.end.outcome,
        };
        for seen in &call.log {
            if matches!(seen.what, Observation::Connected { .. }) {
                heard.connected.get_or_insert(seen.at);
            }
            if let Observation::Session(SessionEvent::AgentMessage { interrupted: false, .. }) =
                seen.what
            {
                heard.finished.push(seen.at);
            }
            if let Some((step, place)) = mark(&seen.what)
                && let Some(marks) = heard.steps.get_mut(step as usize)
            {
                place(marks).get_or_insert(seen.at);
            }
        }
        heard
    }

    /// What the caller said in a step, when it was said to its end.
    pub(super) fn said(&self, step: u32) -> Option<Span> {
        let marks = self.marks(step);
        Some(Span { from: marks.said_from?, until: marks.said_until? })
    }

    /// The last step whose utterance had begun at `at`.
    pub(super) fn last_said(&self, at: Offset) -> Option<u32> {
        let said = (0_u32..).zip(&self.steps).filter_map(|(i, m)| Some((m.said_from?, i)));
        said.filter(|(from, _)| *from <= at).max().map(|(_, step)| step)
    }

    /// The first agent speech between two utterances: after that of `step` (or from the start) and
    /// before the next one.
    pub(super) fn speech_after(&self, step: Option<u32>) -> Option<Offset> {
        let from = match step {
            Some(step) => Some(self.marks(step).said_from?),
            None => None,
        };
        let later = self.steps.iter().filter_map(|m| m.said_from).filter(|s| Some(*s) > from);
        let speech = match from {
            Some(from) => self.voices.new_speech(from)?,
            None => self.voices.first()?,
        };
        later.min().is_none_or(|next| speech.span.from < next).then_some(speech.span.from)
    }

    pub(super) fn reply(&self, index: u32, step: &Step) -> Reply {
        let marks = self.marks(index);
        let reached = marks.began.or(marks.said_from).is_some();
        match step.expect {
            _ if !reached => Reply::NotReached,
            None => Reply::NotAwaited,
            Some(Expect::Speaks { .. }) => self.greeting(index),
            Some(Expect::Responds { .. }) => self.answer(index),
            Some(Expect::Yields { within }) => self.yielding(index, within),
            Some(Expect::Ignores) => self.ignoring(index),
        }
    }

    fn greeting(&self, index: u32) -> Reply {
        let marks = self.marks(index);
        let (since, voice) = match (index, self.connected, marks.began) {
            // Whatever the agent says first is its greeting, even if the step began a moment later.
            (0, Some(connected), _) => (connected, self.voices.first()),
            (1.., _, Some(began)) => (began, self.voices.find(|v| v.span.from >= began)),
            (0, None, _) | (1.., _, None) => return Reply::NotReached,
        };
        match voice.filter(|v| self.in_time(index, *v)) {
            Some(voice) => {
                let voice = self.voices.whole(voice).0;
                Reply::Greeted { voice, latency_ms: voice.from.ms_since(since) }
            }
            None => self.unanswered(index, since),
        }
    }

    fn answer(&self, index: u32) -> Reply {
        let marks = self.marks(index);
        let Some(from) = marks.said_from else { return Reply::NotReached };
        let voice =
            self.voices.new_speech(from).filter(|v| self.in_time(index, *v)).or_else(|| {
                // The script heard a reply where the edges alone look like one long speech.
                let any = self.voices.find(|v| v.span.from >= from && !v.resumed)?;
                (marks.met.is_some() && self.in_time(index, any)).then_some(any)
            });
        match (voice, marks.said_until) {
            (Some(voice), Some(until)) => {
                let voice = self.voices.whole(voice).0;
                Reply::Heard { voice, latency_ms: voice.from.ms_since(until) }
            }
            // Interrupted before the caller had said it all: there is no end to count from.
            (Some(_), None) => Reply::NotReached,
            (None, until) => {
                let since = until.unwrap_or(self.end);
                // The script took speech that was only resumed for the reply, and went on.
                let resumed = self.voices.find(|v| v.resumed && Some(v.span.from) == marks.met);
                resumed.map_or_else(
                    || self.unanswered(index, since),
                    |v| Reply::Unanswered { waited_ms: v.span.from.ms_since(since).max(0.0) },
                )
            }
        }
    }

    /// When the first packet came that was not silent of the reply whose first audible sample is at
    /// `reply`.
    pub(super) fn sound(&self, reply: Offset) -> Option<Offset> {
        self.voices.sound(reply)
    }

    /// The agent's voice, and what the caller said up to `until` where it was cut off.
    pub(super) fn overlap(&self) -> (&Voices, Vec<Span>) {
        let said = self.steps.iter().filter_map(|m| {
            let from = m.said_from?;
            Some(Span { from, until: m.said_until.unwrap_or(self.end).max(from) })
        });
        (&self.voices, said.collect())
    }

    fn ignoring(&self, index: u32) -> Reply {
        let marks = self.marks(index);
        let (Some(from), Some(until)) = (marks.said_from, marks.said_until) else {
            return Reply::NotReached;
        };
        let disturbed = |by, at: Offset| Reply::Disturbed { by, after_ms: at.ms_since(from) };
        let stop_limit = until.plus(IGNORES_STOP_WINDOW);
        let answer_limit = until.plus(IGNORES_ANSWER_WINDOW);
        let running = self.voices.speech_at(from);
        if let Some((span, ended)) = running {
            if !ended && self.end < stop_limit {
                return Reply::NotReached;
            }
            if span.until > stop_limit {
                return Reply::Ignored;
            }
            // What the agent says it spoke to its end, it did not break off.
            if !self.finished.iter().any(|at| about(*at, span.until)) {
                return disturbed(Disturbance::Stopped, span.until);
            }
        }
        let answer = self.voices.new_speech(from).filter(|v| v.span.from <= answer_limit);
        match (answer, running) {
            (Some(answer), _) => disturbed(Disturbance::Answered, answer.span.from),
            (None, Some(_)) => Reply::NotAwaited,
            (None, None) if self.end < answer_limit => Reply::NotReached,
            (None, None) => Reply::Ignored,
        }
    }

    fn yielding(&self, index: u32, within: Duration) -> Reply {
        let marks = self.marks(index);
        let Some(from) = marks.said_from else { return Reply::NotReached };
        let Some((span, ended)) = self.voices.speech_at(from) else { return Reply::NotAwaited };
        let limit = from.plus(within);
        if ended && span.until <= limit {
            Reply::Yielded { yield_ms: span.until.ms_since(from) }
        } else if let Some(missed) = marks.missed {
            Reply::DidNotYield { waited_ms: missed.ms_since(from).max(0.0) }
        } else if span.until > limit {
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
        } else if blames_agent(self.outcome) && self.next_begin(index).is_none() {
            waited(self.end)
        } else {
            Reply::NotReached
        }
    }

    /// Whether a voice began before the script went on.
    fn in_time(&self, index: u32, voice: Voice) -> bool {
        let marks = self.marks(index);
        if marks.met == Some(voice.span.from) {
            return true;
        }
        let closed = marks.missed.or_else(|| self.next_begin(index));
        closed.is_none_or(|closed| voice.span.from <= closed)
    }

    fn next_begin(&self, index: u32) -> Option<Offset> {
        let later = self.steps.iter().skip(index as usize + 1);
        later.filter_map(|m| m.began.or(m.said_from)).min()
    }

    fn marks(&self, step: u32) -> Marks {
        self.steps.get(step as usize).copied().unwrap_or_default()
    }
}

/// How long before and after the end of a speech, as we heard it, the agent's word of it may reach us.
const REPORT_EARLY_US: i64 = 300_000;
const REPORT_LATE_US: i64 = 1_000_000;

fn about(report: Offset, end: Offset) -> bool {
    (end.plus_micros(-REPORT_EARLY_US)..=end.plus_micros(REPORT_LATE_US)).contains(&report)
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
        Observation::UtteranceBegan { step } => Some((*step, |m| &mut m.said_from)),
        Observation::UtteranceEnded { step } => Some((*step, |m| &mut m.said_until)),
        Observation::ExpectationMet { step } => Some((*step, |m| &mut m.met)),
        Observation::ExpectationMissed { step } => Some((*step, |m| &mut m.missed)),
        Observation::Connected { .. }
        | Observation::AgentJoined { .. }
        | Observation::AgentTrackSubscribed
        | Observation::AgentState(_)
        | Observation::AgentLeft { .. }
        | Observation::AgentMediaStalled
        | Observation::AgentMediaResumed
        | Observation::Reconnecting
        | Observation::Reconnected
        | Observation::ConnectionLost { .. }
        | Observation::HangingUp
        | Observation::SoundBegan
        | Observation::VoiceBegan
        | Observation::VoiceEnded
        | Observation::Transcript { .. }
        | Observation::Session(_)
        | Observation::LimitReached { .. } => None,
    }
}
