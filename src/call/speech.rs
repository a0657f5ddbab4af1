//! The agent's speech, made from the voice the ear hears: voice with gaps shorter than
//! [`SPEECH_GAP`], so that the pause between two sentences ends nothing.

use crate::record::SPEECH_GAP;
use crate::time::Offset;

/// The agent's latest speech.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Speech {
    pub(super) began: Option<Offset>,
    /// The last audible sample, while the agent is silent.
    pub(super) silent_since: Option<Offset>,
}

impl Speech {
    pub(super) fn voice_began(&mut self, at: Offset) {
        let goes_on = self.silent_since.is_some_and(|end| at.since(end) < SPEECH_GAP);
        if !goes_on || self.began.is_none() {
            self.began = Some(at);
        }
        self.silent_since = None;
    }

    pub(super) fn voice_ended(&mut self, at: Offset) {
        if self.began.is_some() {
            self.silent_since = Some(at);
        }
    }

    pub(super) fn audible(&self) -> bool {
        self.began.is_some() && self.silent_since.is_none()
    }

    /// Begin of the speech if it was audible after `floor`.
    pub(super) fn began_if_audible_after(&self, floor: Offset) -> Option<Offset> {
        self.began.filter(|_| self.silent_since.is_none_or(|end| end > floor))
    }

    /// When the speech is known to be over; `None` while the agent is audible.
    pub(super) fn known_over(&self) -> Option<Offset> {
        self.silent_since.map(|end| end.plus(SPEECH_GAP))
    }
}
