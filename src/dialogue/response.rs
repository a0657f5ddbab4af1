//! What the agent said to a turn of the caller's: cut-in and reply; and how it took a noise.

use std::time::Duration;

use super::activity::Busy;
use super::{Dialogue, Doing, EARLY, Span, Speech};
use crate::scenario::{IGNORES_ANSWER_WINDOW, IGNORES_STOP_WINDOW};
use crate::time::Offset;

/// Audio outruns data, and data audio, by no more than this.
pub(super) const DATA_LAG: Duration = Duration::from_millis(500);
/// The state attribute comes before the voice it announces, or this much after it (17 ms was the most that
/// was seen).
pub(super) const STATE_LAG: Duration = Duration::from_millis(100);
/// How long before and after the end of a speech, as we heard it, the agent's word of it may reach us.
const REPORT_EARLY_US: i64 = 300_000;
pub(super) const REPORT_LATE_US: i64 = 1_000_000;

/// What the agent said to a turn, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Response {
    /// A speech that began more than [`EARLY`] before the caller had ended.
    pub cut_in: Option<Speech>,
    /// The first that did not.
    pub reply: Option<Speech>,
}

impl Response {
    /// The cut-in, when nothing else came and it went on after the caller's end: then it was the response.
    pub fn only_cut_in(&self, said: Span) -> Option<Speech> {
        let lasts = |s: &Speech| s.until.is_none_or(|until| until > said.until);
        if self.reply.is_some() { None } else { self.cut_in.filter(lasts) }
    }
}

/// How an agent takes notice of what it should ignore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// It fell silent.
    Stopped,
    /// It was silent, and spoke.
    Answered,
}

impl Dialogue {
    /// What the agent said to a turn that the caller said to its end, up to `closed`.
    pub fn response(&self, said: Span, closed: Option<Offset>) -> Response {
        let open = |speech: &Speech| closed.is_none_or(|closed| speech.from <= closed);
        let mut speeches = self.new_speeches(said.from).take_while(open).peekable();
        speeches.next_if(|first| self.is_owed(said, first.from));
        let mut response = Response::default();
        let early = |speech: &Speech| EARLY < said.until.since(speech.from);
        while let Some(speech) = speeches.next_if(early) {
            response.cut_in.get_or_insert(speech);
        }
        let first = speeches.next();
        let committed = self.committed(said);
        let after = |speech: &Speech| committed.is_none_or(|at| speech.from.plus(DATA_LAG) >= at);
        response.reply = match first {
            Some(first) if !after(&first) => speeches.find(after).or(Some(first)),
            first => first,
        };
        response
    }

    /// When the agent said that it had committed the turn, or its last piece.
    fn committed(&self, said: Span) -> Option<Offset> {
        let next = self.next_said(said.from);
        let of_turn =
            |at: &&Offset| at.plus(EARLY) >= said.until && next.is_none_or(|next| **at <= next);
        self.commits.iter().filter(of_turn).min().copied()
    }

    /// Whether a speech at `at`, the first since the caller began, belongs to the turn before: the agent
    /// was silent and at work when the caller began, went on with that until it spoke, and did not commit
    /// the new turn in between.
    fn is_owed(&self, said: Span, at: Offset) -> bool {
        // An agent that has spoken since it began to think did not tell that it had stopped.
        let stale = |busy: &Busy| {
            let spoke =
                |v: super::voices::Voice| v.from > busy.from.plus(STATE_LAG) && v.from < said.from;
            busy.doing == Doing::Thinking && self.voices.iter().any(spoke)
        };
        let Some(until) = self.activity.working_through(said.from, stale) else { return false };
        let silent = self.speech_at(said.from).is_none();
        let worked = until.is_none_or(|until| at <= until.plus(DATA_LAG));
        let mut commits = self.commits.iter();
        silent && worked && !commits.any(|c| c.plus(EARLY) >= said.until && *c <= at)
    }

    /// How the agent took notice of a noise, and when: of one that was said to its end, up to what is known.
    /// One that had spoken its message to the end did not break off.
    pub fn disturbance(&self, noise: Span) -> Option<(Disturbance, Offset)> {
        let stop_limit = noise.until.plus(IGNORES_STOP_WINDOW);
        if let Some(running) = self.speech_at(noise.from) {
            match running.until.filter(|until| *until <= stop_limit) {
                None => return None,
                Some(until) if !self.finished(until) => {
                    return Some((Disturbance::Stopped, until));
                }
                Some(_) => {}
            }
        }
        let answer_limit = noise.until.plus(IGNORES_ANSWER_WINDOW);
        let answer = self.new_speech(noise.from).filter(|speech| speech.from <= answer_limit);
        answer.map(|speech| (Disturbance::Answered, speech.from))
    }
}

impl Dialogue {
    /// Whether the agent said that what ended at `until` was a message spoken to its end.
    fn finished(&self, until: Offset) -> bool {
        self.messages.iter().any(|(at, whole)| *whole && about(*at, until))
    }
}

fn about(report: Offset, end: Offset) -> bool {
    (end.plus_micros(-REPORT_EARLY_US)..=end.plus_micros(REPORT_LATE_US)).contains(&report)
}
