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
}

impl Transcripts {
    /// A text whose stream opened at `at`. The agent's belongs to the turn in whose reply it was opened,
    /// which it still is when the caller has broken in by then.
    pub(super) fn hear(
        &mut self,
        heard: &CallTimeline,
        at: Offset,
        speaker: Speaker,
        id: &str,
        text: &str,
    ) {
        if let Some(known) = self.all.iter_mut().find(|s| s.speaker == speaker && s.id == id) {
            text.clone_into(&mut known.text);
            return;
        }
        let spoken = match speaker {
            Speaker::Agent => heard.speech_at(at),
            Speaker::Caller => None,
        };
        let step = heard.last_said(spoken.unwrap_or(at));
        let (id, text) = (id.to_owned(), text.to_owned());
        self.all.push(Segment { step, speaker, id, at, text });
    }

    /// Gives the turns the texts that no message of the session told. `greeting` is the step that awaits
    /// the agent's first words.
    pub(super) fn fill(mut self, greeting: Option<u32>, turns: &mut [Turn]) {
        // They become known when their streams close, which is not the order they were opened in.
        self.all.sort_by_key(|segment| segment.at);
        for turn in turns {
            let text = |speaker: Speaker| {
                let of_turn = |s: &&Segment| s.step.or(greeting) == Some(turn.step);
                let of = self.all.iter().filter(|s| s.speaker == speaker).filter(of_turn);
                // Segments may end in a blank.
                let all: Vec<&str> = of.flat_map(|s| s.text.split_whitespace()).collect();
                (!all.is_empty()).then(|| all.join(" "))
            };
            let said = text(Speaker::Caller).filter(|_| turn.said.is_some());
            let replied = text(Speaker::Agent);
            turn.heard_by_agent = turn.heard_by_agent.take().or(said);
            turn.reply_text = turn.reply_text.take().or(replied);
        }
    }
}

#[cfg(test)]
mod tests;
