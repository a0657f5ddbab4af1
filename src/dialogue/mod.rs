//! Whose speech it is: one rule for the script while a call goes on and for the analysis afterwards.
//!
//! A [`Dialogue`] takes in the observations of a call in the order in which they become known, and
//! answers from all that is known so far. Script and analysis ask the same questions, so they differ only
//! where a message came later. Pure.
//!
//! # The rule
//! - A *speech* is voice of the agent with gaps shorter than the scenario's `speech_gap`. A gap in which
//!   the agent took up a turn of the caller's (it committed it, or says that it thinks) divides two
//!   speeches, however short.
//! - The agent *has finished* when it has been silent for `speech_gap` and is not busy: it neither says
//!   that it thinks or speaks, nor runs a tool. An agent that reports none of this is judged by ear.
//! - A *response* to a turn is a speech that begins after the caller's first voiced sample. It is a
//!   *cut-in* when it begins more than [`EARLY`] before the caller's last one; the *reply* is the first
//!   response that is none. A speech that still belongs to the turn before, because the agent was at work
//!   on that when the caller began, is neither.
//! - An agent that reports commits of the caller's turns replies after the commit: what it says before is
//!   speech of its own, unless nothing follows.
//! - The *answer* is the last thing said in reply: what comes first after the last work that began with
//!   or after the reply. Where nothing is known of the agent's work, a pause of [`SPEECH_GAP`] divides it
//!   from the filler. Work that nothing was said after leaves the answer out when more was to be said; else
//!   it is not known which of the two was the answer (see [`Answer`]).

mod activity;
mod answer;
mod response;
mod voices;

pub use activity::Doing;
pub use answer::Answer;
pub use response::{Disturbance, Response};
pub use voices::Speech;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::record::{Observation, SessionEvent, Stamped};
use crate::time::Offset;

use activity::Activity;
use voices::Voices;

/// A response that began more than this before the caller's last voiced sample was a mistake about the end
/// of its turn. Closer to it, both ears and edges are too blunt to say so.
pub const EARLY: Duration = Duration::from_millis(200);

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Offset,
    pub until: Offset,
}

/// What the caller says in one step, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    from: Option<Offset>,
    until: Option<Offset>,
}

/// What is known of who spoke when, and of what the agent did meanwhile.
#[derive(Debug, Clone)]
pub struct Dialogue {
    speech_gap: Duration,
    voices: Voices,
    activity: Activity,
    said: BTreeMap<u32, Said>,
    /// When the agent told that it had committed a turn of the caller's, with how long that took.
    commits: Vec<Offset>,
    /// When the agent told that it had spoken a message, and whether to its end.
    messages: Vec<(Offset, bool)>,
    /// When the agent told that tools had ended, and whether they gave the model something, if that is told.
    executed: Vec<(Offset, Option<bool>)>,
    /// When somebody left last.
    left: Option<Offset>,
}

impl Dialogue {
    /// Nothing said yet. Voice of the agent with gaps shorter than `speech_gap` is one speech.
    pub fn new(speech_gap: Duration) -> Self {
        Self {
            speech_gap,
            voices: Voices::default(),
            activity: Activity::default(),
            said: BTreeMap::new(),
            commits: Vec::new(),
            messages: Vec::new(),
            executed: Vec::new(),
            left: None,
        }
    }

    /// Takes in what was observed; what has no part in the dialogue changes nothing. Any order is taken.
    pub fn observe(&mut self, seen: &Stamped) {
        let at = seen.at;
        #[expect(clippy::wildcard_enum_match_arm, reason = "few of many facts are about speech")]
        match &seen.what {
            Observation::VoiceBegan => self.voices.edge(at, true),
            Observation::VoiceEnded => self.voices.edge(at, false),
            Observation::VoiceRetracted => self.voices.retract(at),
            // A voice that has had no end since then is none that one could wait for.
            Observation::NeverSilent { .. } => self.voices.retract_if_open(at),
            Observation::SoundBegan => self.voices.sound_began(at),
            Observation::UtteranceBegan { step } => {
                self.said.entry(*step).or_default().from.get_or_insert(at);
            }
            Observation::UtteranceEnded { step } => {
                self.said.entry(*step).or_default().until.get_or_insert(at);
            }
            // Of one that is gone nothing more is waited for.
            Observation::ParticipantLeft { .. } => {
                self.left = self.left.max(Some(at));
                self.activity.gone(at);
            }
            Observation::AgentState(state) => self.activity.attribute(at, state),
            Observation::Session(event) => self.session(at, event),
            _ => {}
        }
    }

    fn session(&mut self, at: Offset, event: &SessionEvent) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "few of many messages are about speech")]
        match event {
            // Models that hear speech themselves send the transcript late, and no delay with it.
            SessionEvent::UserMessage { metrics, .. } if metrics.end_of_turn_delay_ms.is_some() => {
                self.commits.push(at);
            }
            SessionEvent::AgentMessage { interrupted, .. } => {
                self.messages.push((at, !interrupted));
            }
            SessionEvent::FalseInterruption { resumed: true } => self.voices.resumed_at(at),
            SessionEvent::ToolsExecuted { tools } => {
                let gave = tools.iter().map(|tool| tool.gave);
                self.executed.push((at, gave.reduce(either).flatten()));
                self.activity.session(at, event);
            }
            _ => self.activity.session(at, event),
        }
    }

    /// What the caller said in a step, when it was said to its end.
    pub fn said(&self, step: u32) -> Option<Span> {
        let said = self.said.get(&step)?;
        Some(Span { from: said.from?, until: said.until? })
    }

    /// When the caller began to speak in a step.
    pub fn said_from(&self, step: u32) -> Option<Offset> {
        self.said.get(&step)?.from
    }

    /// All that the caller said, in the order of the steps; up to `end` where it was cut off.
    pub fn all_said(&self, end: Offset) -> impl Iterator<Item = Span> {
        self.said.values().filter_map(move |said| {
            let from = said.from?;
            Some(Span { from, until: said.until.unwrap_or(end).max(from) })
        })
    }

    /// The last step whose utterance had begun at `at`.
    pub fn last_said(&self, at: Offset) -> Option<u32> {
        let begun = self.said.iter().filter_map(|(step, said)| Some((said.from?, *step)));
        begun.filter(|(from, _)| *from <= at).max().map(|(_, step)| step)
    }

    /// When the caller spoke next after it had begun at `from`.
    pub fn next_said(&self, from: Offset) -> Option<Offset> {
        self.said.values().filter_map(|said| said.from).filter(|next| *next > from).min()
    }

    /// Whether the agent was ever heard.
    pub fn agent_spoke(&self) -> bool {
        self.voices.first().is_some()
    }

    /// Whether the agent is audible, by what is known.
    pub fn audible(&self) -> bool {
        self.voices.last().is_some_and(|voice| voice.until.is_none())
    }

    /// When the agent fell silent; `None` while it is audible, or when it has said nothing yet.
    pub fn silent_since(&self) -> Option<Offset> {
        self.voices.last()?.until
    }

    /// When the agent had finished: silent for `speech_gap`, and not busy. `None` while it is audible or
    /// busy, or when it has said nothing yet.
    pub fn finished_at(&self) -> Option<Offset> {
        let silent = self.silent_since()?.plus(self.speech_gap);
        let idle = self.activity.idle_since()?;
        Some(idle.map_or(silent, |idle| silent.max(idle)))
    }

    /// What the agent does although it is silent, and since when it has been both.
    pub fn silently_busy(&self) -> Option<(Doing, Offset)> {
        let silent = self.silent_since()?;
        let (doing, since) = self.activity.busy()?;
        Some((doing, since.max(silent)))
    }
}

/// Whether one of two tools gave something: surely if one did, surely not if neither did.
fn either(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        (None, _) | (_, None) => None,
    }
}

#[cfg(test)]
mod tests;
