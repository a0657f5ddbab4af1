//! What `lk.transcription` says, for agents that have no session to tell it.

use super::Turn;
use super::timeline::CallTimeline;
use crate::record::Speaker;
use crate::time::Offset;

/// The texts of a call by segment.
#[derive(Default)]
pub(super) struct Transcripts {
    all: Vec<Segment>,
}

struct Segment {
    /// `None` for what the agent said before the caller had said anything.
    step: Option<u32>,
    speaker: Speaker,
    id: String,
    /// When it was first seen.
    at: Offset,
    /// As last seen: each text of a segment is the whole of it so far.
    text: String,
    /// Its stream was closed.
    whole: bool,
}

/// A text as it was read: whole when its stream was closed.
pub(super) struct Text<'a> {
    pub(super) id: &'a str,
    pub(super) words: &'a str,
    pub(super) whole: bool,
}

impl Transcripts {
    /// A text whose stream opened at `at`. The agent's belongs to the turn in whose reply it was opened,
    /// which it still is when the caller has broken in by then.
    pub(super) fn hear(
        &mut self,
        heard: &CallTimeline,
        at: Offset,
        speaker: Speaker,
        Text { id, words, whole }: &Text<'_>,
    ) {
        let same = |s: &&mut Segment| s.speaker == speaker && s.id == *id;
        if let Some(known) = self.all.iter_mut().find(same) {
            (*words).clone_into(&mut known.text);
            known.whole = *whole;
            return;
        }
        let spoken = match speaker {
            Speaker::Agent => heard.speech_at(at),
            Speaker::Caller => None,
        };
        let step = heard.last_said(spoken.unwrap_or(at));
        let (id, text) = ((*id).to_owned(), (*words).to_owned());
        self.all.push(Segment { step, speaker, id, at, text, whole: *whole });
    }

    /// Gives the turns the texts that no message of the session told. `greeting` is the step that awaits
    /// the agent's first words. Returns when the last text of each turn's reply was opened, if that is the
    /// reply's text and all of it is whole.
    pub(super) fn fill(mut self, greeting: Option<u32>, turns: &mut [Turn]) -> Vec<Option<Offset>> {
        // They become known when their streams close, which is not the order they were opened in.
        self.all.sort_by_key(|segment| segment.at);
        let mut opened = Vec::with_capacity(turns.len());
        for turn in turns {
            let of = |speaker: Speaker| {
                let of_turn = |s: &&Segment| s.step.or(greeting) == Some(turn.step);
                self.all.iter().filter(move |s| s.speaker == speaker).filter(of_turn)
            };
            let text = |speaker: Speaker| {
                // Segments may end in a blank.
                let all: Vec<&str> = of(speaker).flat_map(|s| s.text.split_whitespace()).collect();
                (!all.is_empty()).then(|| all.join(" "))
            };
            let said = text(Speaker::Caller).filter(|_| turn.said.is_some());
            let replied = text(Speaker::Agent);
            let whole = turn.reply_text.is_none() && of(Speaker::Agent).all(|s| s.whole);
            let last = of(Speaker::Agent).map(|s| s.at).max();
            opened.push(last.filter(|_| whole));
            turn.heard_by_agent = turn.heard_by_agent.take().or(said);
            turn.reply_text = turn.reply_text.take().or(replied);
        }
        opened
    }
}

#[cfg(test)]
mod tests;
