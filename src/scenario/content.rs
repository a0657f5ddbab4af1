//! What a reply has to hold, and what it must not: words, a pattern, tools the agent runs.

use regex::Regex;

/// What the reply to a step has to hold. Empty when the scenario says nothing about it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Content {
    /// Texts that have to occur, whatever their case.
    pub contains: Vec<String>,
    pub matches: Option<Pattern>,
    /// Names of tools the agent has to run in this turn, in any order.
    pub tools: Vec<String>,
    pub must_not: MustNot,
}

/// What the reply to a step must not hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MustNot {
    /// Texts none of which may occur, whatever their case.
    pub contains: Vec<String>,
    pub matches: Option<Pattern>,
    /// Names of tools that the agent must not run in this turn.
    pub tools: Vec<String>,
}

impl Content {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A regular expression, in the syntax of the `regex` crate.
#[derive(Debug, Clone)]
pub struct Pattern(pub(super) Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Pattern {
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}
