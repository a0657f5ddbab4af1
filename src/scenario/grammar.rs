//! The grammar of a scenario file as data. Each key is one row: its name, kind, limits, default and what
//! it does. The parser, the JSON Schema and `docs/scenario.md` all come from these rows, which stand in
//! [`table`].

use std::time::Duration;

use super::duration;

mod choices;
pub(super) mod table;

pub(super) use choices::{
    ANCHORS, Awaits, CALLER_KINDS, CHANNELS, Choice, EXECUTORS, EXPECTATIONS, Executor, METHODS,
    Word,
};

/// The keys of one mapping.
#[derive(Debug)]
pub(super) struct Mapping {
    /// The mapping within a sentence: "`agent`", "a turn".
    pub what: &'static str,
    pub example: &'static str,
    pub keys: &'static [Key],
    /// Keys of which at least one has to be there; empty where none has to.
    pub any_of: &'static [&'static str],
}

/// One key and all that is known about it.
#[derive(Debug)]
pub(super) struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub need: Need,
    /// When the key can be used, if that depends on another one.
    pub only: Option<Only>,
    /// The version of loadcall that first read it.
    pub since: &'static str,
    /// A value, as YAML on one line.
    pub example: &'static str,
    pub doc: &'static str,
}

/// What stands behind a key.
#[derive(Debug)]
pub(super) enum Kind {
    /// A string on one line, its length in characters.
    Text {
        min: usize,
        max: usize,
    },
    /// A string of lower-case letters, digits, `-`, `_` and `.`.
    Name {
        max: usize,
    },
    /// A regular expression, its length in characters.
    Pattern {
        max: usize,
    },
    /// The name of an environment variable.
    Variable {
        max: usize,
    },
    Duration {
        min: Duration,
        max: Duration,
    },
    Integer {
        min: u64,
        max: u64,
    },
    /// A percentage with its sign, `8%`.
    Percentage,
    /// A part of 1, `0.9`, and not nothing.
    Fraction,
    /// One word of a closed set. `reserved` are words that a later version will read.
    OneOf {
        choice: Choice,
        reserved: &'static [&'static str],
    },
    /// A string, or a list of strings; each as `Text`.
    Texts {
        max_items: usize,
        max: usize,
    },
    Mapping(&'static Mapping),
    /// A list that is not empty.
    List {
        item: &'static Key,
        max: usize,
    },
    /// Metrics with the limits put on them.
    Thresholds,
    /// A latency and its percentile, `heard_e2e_latency.p50`.
    Percentile,
    /// Any value, in which an object with the keys of `secret` stands for an environment variable.
    Metadata {
        max_bytes: usize,
        secret: &'static Mapping,
    },
    /// Any value, as JSON.
    Json {
        max_bytes: usize,
    },
    /// A string, or an object with the keys of `secret` in its place.
    Value {
        max: usize,
        secret: &'static Mapping,
    },
    /// Names that the author chooses, each with a `Value`.
    Values {
        max_items: usize,
        max: usize,
        secret: &'static Mapping,
    },
    /// The place of a value within JSON, `$.room.name`.
    Path {
        max: usize,
    },
    /// A key that a later version will read.
    Reserved,
}

/// Whether a key has to be there, and what holds without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    /// The value of a file without the key, as YAML.
    Default(&'static str),
    /// Without the key there is no such thing.
    Optional,
}

/// The condition under which a key can be used.
#[derive(Debug, Clone, Copy)]
pub(super) enum Only {
    With(&'static str),
    Without(&'static str),
    /// When another key of the mapping is one of these words.
    When(&'static str, &'static [&'static str]),
}

impl Mapping {
    /// The row of a key that this version reads.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.known().find(|key| key.name == name)
    }

    /// The rows of the keys that this version reads.
    pub(super) fn known(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.keys.iter().filter(|key| !key.is_reserved())
    }

    /// Whether a later version will read the key.
    pub(super) fn reserves(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key.is_reserved() && key.name == name)
    }
}

impl Need {
    pub(super) const fn default(self) -> Option<&'static str> {
        match self {
            Self::Default(default) => Some(default),
            Self::Required | Self::Optional => None,
        }
    }
}

impl Key {
    const fn is_reserved(&self) -> bool {
        matches!(self.kind, Kind::Reserved)
    }
}

impl Kind {
    /// The kind with its article: "a duration".
    pub(super) const fn noun(&self) -> &'static str {
        match self {
            Self::Text { .. } | Self::OneOf { .. } => "a string",
            Self::Name { .. } => "a name",
            Self::Pattern { .. } => "a regular expression",
            Self::Variable { .. } => "the name of an environment variable",
            Self::Duration { .. } => "a duration",
            Self::Integer { .. } => "an integer",
            Self::Percentage => "a percentage",
            Self::Fraction => "a number",
            Self::Texts { .. } => "a string or a list of strings",
            Self::Mapping(_) | Self::Thresholds => "a mapping",
            Self::List { .. } => "a list",
            Self::Percentile => "a latency and a percentile",
            Self::Metadata { .. } | Self::Json { .. } => "any value",
            Self::Value { .. } => "a string or `{$env: NAME}`",
            Self::Values { .. } => "a mapping of strings",
            Self::Path { .. } => "a path within JSON",
            Self::Reserved => "a reserved word",
        }
    }

    /// The limits, so that they can follow the noun: "from `1ms` to `2m`". Empty when there are none.
    pub(super) fn limits(&self) -> String {
        match self {
            Self::Text { min: 0, max }
            | Self::Pattern { max }
            | Self::Variable { max }
            | Self::Value { max, .. }
            | Self::Path { max } => {
                format!("of at most {max} characters")
            }
            Self::Text { min, max } => format!("of {min} to {max} characters"),
            Self::Name { max } => format!(
                "of 1 to {max} lower-case letters, digits, `-`, `_` and `.`, a letter or digit first"
            ),
            Self::Duration { min, max } => {
                format!("from `{}` to `{}`", duration::show(*min), duration::show(*max))
            }
            Self::Integer { min, max } if min == max => format!("`{min}`"),
            Self::Integer { min, max } => format!("from {min} to {max}"),
            Self::Percentage => "from `0%` to `100%`".to_owned(),
            Self::Fraction => "above 0, at most 1".to_owned(),
            Self::OneOf { choice, .. } => list_or(&choice.names()),
            Self::Texts { max_items, max } => {
                format!("of at most {max} characters each, at most {max_items} strings")
            }
            Self::List { max, .. } => format!("of 1 to {max} items"),
            Self::Values { max_items, max, .. } => {
                format!("of at most {max_items} entries, each of at most {max} characters")
            }
            Self::Metadata { max_bytes, .. } | Self::Json { max_bytes } => {
                format!("of at most {} KiB as JSON", max_bytes / 1024)
            }
            Self::Mapping(_) | Self::Thresholds | Self::Percentile | Self::Reserved => {
                String::new()
            }
        }
    }

    /// What to write, for the help of a fault: "an integer from 1 to 30".
    pub(super) fn wanted(&self) -> String {
        let fixed = matches!(self, Self::Integer { min, max } if min == max);
        if fixed || matches!(self, Self::OneOf { .. }) {
            return self.limits();
        }
        format!("{} {}", self.noun(), self.limits()).trim_end().to_owned()
    }
}

/// "`a`, `b` or `c`".
pub(super) fn list_or(words: &[&str]) -> String {
    joined(words, " or ")
}

/// "`a`, `b` and `c`".
pub(super) fn list_and(words: &[&str]) -> String {
    joined(words, " and ")
}

fn joined(words: &[&str], last: &str) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((end, [])) => end.clone(),
        Some((end, start)) => format!("{}{last}{end}", start.join(", ")),
        None => String::new(),
    }
}
