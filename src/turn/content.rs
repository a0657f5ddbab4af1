//! What a reply should hold and what it must not, against what the agent tells of it. An agent that tells nothing
//! of its tools or its text says neither yes nor no. That something was not said is only known where all that was
//! said is.

use super::Turn;
use crate::record::{CallRecord, Observation, SessionEvent, Speaker};
use crate::scenario::Content;
use crate::time::Offset;

/// A reply that was spoken until so shortly before the end of the call may have been told too late.
const LAST_WORD_US: i64 = 1_000_000;

/// One thing a reply should hold, and whether it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentResult {
    pub wanted: Wanted,
    pub found: Found,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Contains(String),
    Matches(String),
    Tool(String),
    NotContains(String),
    NotMatches(String),
    NotTool(String),
}

impl Wanted {
    /// Whether it must not be there.
    const fn is_forbidden(&self) -> bool {
        matches!(self, Self::NotContains(_) | Self::NotMatches(_) | Self::NotTool(_))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Met,
    Missed,
    /// Nothing came of this reply, but the agent tells it of others.
    MissedUntold,
    CannotTell(Untold),
}

/// Why it cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Untold {
    /// The agent tells nothing of its tools.
    NoTools,
    /// It says that it ran a tool, but not which.
    UnnamedTool,
    /// It sends no text of its replies.
    NoText,
    /// The call ended while the reply was spoken.
    CutOff,
    /// It sends text, and not of all that was heard of it in this turn.
    NotAllText,
}

impl ContentResult {
    /// What should have been there and is not.
    pub const fn is_missed(&self) -> bool {
        matches!(self.found, Found::Missed | Found::MissedUntold)
    }

    /// The name of what was found, in `report.json`.
    pub const fn result(&self) -> &'static str {
        match self.found {
            Found::Met => "met",
            Found::Missed | Found::MissedUntold => "missed",
            Found::CannotTell(_) => "cannot_tell",
        }
    }

    /// As a sentence without a full stop.
    pub fn sentence(&self) -> String {
        const NO_TEXT: &str = "the agent sent no text of it";
        let (yes, no, of) = match &self.wanted {
            Wanted::Contains(word) => (
                format!("the reply contains `{word}`"),
                format!("the reply does not contain `{word}`"),
                NO_TEXT,
            ),
            Wanted::Matches(pattern) => (
                format!("the reply matches `{pattern}`"),
                format!("the reply does not match `{pattern}`"),
                NO_TEXT,
            ),
            Wanted::Tool(name) => (
                format!("the agent ran the tool `{name}`"),
                format!("the agent did not run the tool `{name}`"),
                "it told of none in this call",
            ),
            Wanted::NotContains(word) => (
                format!("the reply does not contain `{word}`"),
                format!("the reply contains `{word}`, which it must not"),
                NO_TEXT,
            ),
            Wanted::NotMatches(pattern) => (
                format!("the reply does not match `{pattern}`"),
                format!("the reply matches `{pattern}`, which it must not"),
                NO_TEXT,
            ),
            Wanted::NotTool(name) => (
                format!("the agent did not run the tool `{name}`"),
                format!("the agent ran the tool `{name}`, which it must not"),
                "it told of none in this call",
            ),
        };
        match self.found {
            Found::Met => yes,
            Found::Missed => no,
            Found::MissedUntold => format!("{no}: {of}, though it does elsewhere"),
            Found::CannotTell(why) => format!("cannot tell whether {yes}: {}", why.text()),
        }
    }
}

impl Untold {
    const fn text(self) -> &'static str {
        match self {
            Self::NoTools => "the agent reports no tools",
            Self::UnnamedTool => "the agent ran a tool and did not name it",
            Self::NoText => "the agent sent no text of it",
            Self::CutOff => "the call ended before the agent sent the text of it",
            Self::NotAllText => "the agent did not send the text of all that it said",
        }
    }
}

/// How many things that replies should hold were there, were not, or cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContentCounts {
    pub met: usize,
    pub missed: usize,
    pub cannot_tell: usize,
}

impl ContentCounts {
    pub fn of<'a>(turns: impl Iterator<Item = &'a Turn>) -> Self {
        let mut counts = Self::default();
        for result in turns.flat_map(|turn| &turn.content) {
            match result.found {
                Found::Met => counts.met += 1,
                Found::Missed | Found::MissedUntold => counts.missed += 1,
                Found::CannotTell(_) => counts.cannot_tell += 1,
            }
        }
        counts
    }

    pub const fn all(self) -> usize {
        self.met + self.missed + self.cannot_tell
    }
}

/// What an agent tells of its replies, in a call or in a run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tells {
    tools: bool,
    text: bool,
}

impl Tells {
    /// Every agent that sends messages of its session tells of the tools it runs.
    pub(super) fn of(call: &CallRecord) -> Self {
        let mut tells = Self::default();
        for seen in &call.log {
            #[expect(clippy::wildcard_enum_match_arm, reason = "two facts of many are wanted")]
            match &seen.what {
                Observation::Session(event) => {
                    tells.tools = true;
                    if let SessionEvent::AgentMessage { text, .. } = event {
                        tells.text |= !is_blank(text);
                    }
                }
                Observation::Transcript { speaker: Speaker::Agent, text, .. } => {
                    tells.text |= !is_blank(text);
                }
                _ => {}
            }
        }
        tells
    }

    pub(super) const fn or(self, other: Self) -> Self {
        Self { tools: self.tools || other.tools, text: self.text || other.text }
    }
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// What became of everything the reply of a turn should hold or must not; nothing where no reply was heard.
/// `end` is the end of the call; `all_told`: the text is that of all that was heard of the agent in the turn.
pub(super) fn check(
    content: &Content,
    turn: &Turn,
    tells: Tells,
    end: Offset,
    all_told: bool,
) -> Vec<ContentResult> {
    let Some(voice) = turn.reply.voice() else { return Vec::new() };
    let cut_off = voice.until.plus_micros(LAST_WORD_US) >= end;
    let text = turn.reply_text.as_deref().filter(|text| !is_blank(text));
    let folded = text.map(str::to_lowercase);
    let of_text = |holds: Option<bool>| match holds {
        Some(true) => Found::Met,
        Some(false) => Found::Missed,
        None if cut_off => Found::CannotTell(Untold::CutOff),
        None if tells.text => Found::MissedUntold,
        None => Found::CannotTell(Untold::NoText),
    };
    let words = content.contains.iter().map(|word| ContentResult {
        found: of_text(folded.as_ref().map(|text| text.contains(&word.to_lowercase()))),
        wanted: Wanted::Contains(word.clone()),
    });
    let pattern = content.matches.iter().map(|pattern| ContentResult {
        found: of_text(text.map(|text| pattern.is_match(text))),
        wanted: Wanted::Matches(pattern.as_str().to_owned()),
    });
    let tools = content.tools.iter().map(|tool| ContentResult {
        found: match () {
            () if turn.tools.contains(tool) => Found::Met,
            () if turn.tools.iter().any(String::is_empty) => Found::CannotTell(Untold::UnnamedTool),
            () if tells.tools => Found::Missed,
            () => Found::CannotTell(Untold::NoTools),
        },
        wanted: Wanted::Tool(tool.clone()),
    });
    let not_said = |holds: Option<bool>| match holds {
        Some(true) => Found::Missed,
        Some(false) if all_told => Found::Met,
        Some(false) | None if cut_off => Found::CannotTell(Untold::CutOff),
        Some(false) => Found::CannotTell(Untold::NotAllText),
        None => Found::CannotTell(Untold::NoText),
    };
    let must_not = &content.must_not;
    let no_words = must_not.contains.iter().map(|word| ContentResult {
        found: not_said(folded.as_ref().map(|text| text.contains(&word.to_lowercase()))),
        wanted: Wanted::NotContains(word.clone()),
    });
    let no_pattern = must_not.matches.iter().map(|pattern| ContentResult {
        found: not_said(text.map(|text| pattern.is_match(text))),
        wanted: Wanted::NotMatches(pattern.as_str().to_owned()),
    });
    let no_tools = must_not.tools.iter().map(|tool| ContentResult {
        found: match () {
            () if turn.tools.contains(tool) => Found::Missed,
            () if turn.tools.iter().any(String::is_empty) => Found::CannotTell(Untold::UnnamedTool),
            () if tells.tools => Found::Met,
            () => Found::CannotTell(Untold::NoTools),
        },
        wanted: Wanted::NotTool(tool.clone()),
    });
    let wanted = words.chain(pattern).chain(tools);
    wanted.chain(no_words).chain(no_pattern).chain(no_tools).collect()
}

/// What an agent that tells it in other calls of the run did not tell in this one did not happen. True
/// when that decides something.
pub(super) fn settle(turn: &mut Turn, of_run: Tells) -> bool {
    let mut settled = false;
    for result in &mut turn.content {
        let missed = match result.found {
            // That nothing was told here does not say that what must not be there was not.
            Found::CannotTell(_) if result.wanted.is_forbidden() => false,
            Found::CannotTell(Untold::NoTools) => of_run.tools,
            Found::CannotTell(Untold::NoText) => of_run.text,
            Found::CannotTell(Untold::UnnamedTool | Untold::CutOff | Untold::NotAllText)
            | Found::Met
            | Found::Missed
            | Found::MissedUntold => false,
        };
        if missed {
            result.found = Found::MissedUntold;
            settled = true;
        }
    }
    settled
}

#[cfg(test)]
mod tests;
