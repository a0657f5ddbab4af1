//! The closed sets of words of a scenario file, each with what it means.

use std::time::Duration;

use super::super::{Anchor, CallerKind, Expect, Method};
use crate::audio::{Channel, Side};

/// One word of a closed set.
#[derive(Debug)]
pub(in crate::scenario) struct Word<T> {
    pub name: &'static str,
    pub means: T,
    pub doc: &'static str,
}

/// A set of words, whatever they mean.
#[derive(Debug, Clone, Copy)]
pub(in crate::scenario) enum Choice {
    Anchor(&'static [Word<Anchor>]),
    Expectation(&'static [Word<Awaits>]),
    Executor(&'static [Word<Executor>]),
    Channel(&'static [Word<Channel>]),
    Method(&'static [Word<Method>]),
    CallerKind(&'static [Word<CallerKind>]),
}

/// What an expectation needs besides its word.
#[derive(Debug, Clone, Copy)]
pub(in crate::scenario) enum Awaits {
    /// A limit.
    Within(fn(Duration) -> Expect),
    /// Nothing: its windows are fixed.
    Nothing(Expect),
}

/// How calls are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) enum Executor {
    Once,
    Repeat,
}

pub(in crate::scenario) const ANCHORS: &[Word<Anchor>] = &[
    Word {
        name: "session_start",
        means: Anchor::SessionStart,
        doc: "the caller is connected to the room",
    },
    Word {
        name: "agent_joined",
        means: Anchor::AgentJoined,
        doc: "the agent has joined and its audio is subscribed",
    },
    Word { name: "previous_turn", means: Anchor::PreviousTurn, doc: "the previous turn is over" },
    Word {
        name: "agent_speech_start",
        means: Anchor::AgentSpeechStart,
        doc: "the agent begins to speak, in the previous turn or later; use it for a barge-in",
    },
    Word {
        name: "agent_speech_end",
        means: Anchor::AgentSpeechEnd,
        doc: "the agent stops speaking, known once it has been silent for 700 ms",
    },
];

pub(in crate::scenario) const EXPECTATIONS: &[Word<Awaits>] = &[
    Word {
        name: "speaks",
        means: Awaits::Within(|within| Expect::Speaks { within }),
        doc: "the agent speaks first, within this time of the start of the turn; for turns without `say`",
    },
    Word {
        name: "responds",
        means: Awaits::Within(|within| Expect::Responds { within }),
        doc: "the agent begins its reply within this time of the end of the clip's voice; for turns with `say`",
    },
    Word {
        name: "yields",
        means: Awaits::Within(|within| Expect::Yields { within }),
        doc: "the agent falls silent within this time of the start of the clip's voice (a barge-in); for turns \
              with `say` and `start: {after: agent_speech_start}`",
    },
    Word {
        name: "ignores",
        means: Awaits::Nothing(Expect::Ignores),
        doc: "the agent takes no notice of a cough, a backchannel or a noise: it does not fall silent within 1 s \
              and begins no new speech within 2 s of the end of the clip's voice; for turns with `say`",
    },
];

pub(in crate::scenario) const EXECUTORS: &[Word<Executor>] = &[
    Word { name: "once", means: Executor::Once, doc: "one call" },
    Word {
        name: "repeat",
        means: Executor::Repeat,
        doc: "`calls` calls, at most `concurrency` at a time; the next one is placed when one ends",
    },
];

pub(in crate::scenario) const CHANNELS: &[Word<Channel>] = &[
    Word { name: "left", means: Channel::Only(Side::Left), doc: "the first channel" },
    Word { name: "right", means: Channel::Only(Side::Right), doc: "the second channel" },
    Word { name: "mix", means: Channel::Mix, doc: "the mean of both" },
];

pub(in crate::scenario) const METHODS: &[Word<Method>] = &[
    Word { name: "POST", means: Method::Post, doc: "what most start endpoints take" },
    Word { name: "GET", means: Method::Get, doc: "no body is sent" },
    Word { name: "PUT", means: Method::Put, doc: "as `POST`, with that word" },
];

pub(in crate::scenario) const CALLER_KINDS: &[Word<CallerKind>] = &[
    Word {
        name: "standard",
        means: CallerKind::Standard,
        doc: "a participant like any web or mobile client",
    },
    Word {
        name: "sip",
        means: CallerKind::Sip,
        doc: "a participant as LiveKit's telephony makes them; give it the `sip.*` attributes that the agent reads",
    },
];

impl Choice {
    /// Each word and what it does.
    pub(in crate::scenario) fn words(self) -> Vec<(&'static str, &'static str)> {
        match self {
            Self::Anchor(words) => words.iter().map(|word| (word.name, word.doc)).collect(),
            Self::Expectation(words) => words.iter().map(|word| (word.name, word.doc)).collect(),
            Self::Executor(words) => words.iter().map(|word| (word.name, word.doc)).collect(),
            Self::Channel(words) => words.iter().map(|word| (word.name, word.doc)).collect(),
            Self::Method(words) => words.iter().map(|word| (word.name, word.doc)).collect(),
            Self::CallerKind(words) => words.iter().map(|word| (word.name, word.doc)).collect(),
        }
    }

    pub(in crate::scenario) fn names(self) -> Vec<&'static str> {
        self.words().into_iter().map(|(name, _)| name).collect()
    }
}
