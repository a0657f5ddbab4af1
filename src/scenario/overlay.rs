//! What lies over the text of a scenario file: flags that set other values, and the values of the variables
//! that the text names. A recording keeps both beside the text, so that it is read again as it was read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A flag that sets a value of the scenario, as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Override {
    /// `--agent NAME`: the string is the name.
    Agent(String),
    /// `--calls N`, with N as YAML.
    Calls(String),
    /// `--concurrency N`, with N as YAML.
    Concurrency(String),
    /// `--set PATH=VALUE`, with VALUE as YAML.
    Set(String),
}

impl Override {
    pub const fn flag(&self) -> &'static str {
        match self {
            Self::Agent(_) => "--agent",
            Self::Calls(_) => "--calls",
            Self::Concurrency(_) => "--concurrency",
            Self::Set(_) => "--set",
        }
    }

    /// What follows the flag.
    pub fn argument(&self) -> &str {
        match self {
            Self::Agent(text) | Self::Calls(text) | Self::Concurrency(text) | Self::Set(text) => {
                text
            }
        }
    }
}

/// As on a command line, without the quotes of a shell: `--set load.calls=20`.
impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.flag(), self.argument())
    }
}

/// Gives the value of a variable that is set.
pub type Lookup<'l> = &'l dyn Fn(&str) -> Option<String>;

/// All that has to be known beside the text to read a scenario again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Overlay {
    /// In the order in which they were applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// The variables that the text names (`${NAME}`) and that were set, each with its value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

/// The text of a scenario file, with the flags that set values of it: where a fault is looked for. Spans
/// beyond the file's text, as which the flags are counted, are places of flags.
#[derive(Debug, Clone)]
pub struct SourceText<'t> {
    /// The file, and a line for each flag.
    whole: Cow<'t, str>,
    /// How much of it is the file.
    file: usize,
    overrides: &'t [Override],
    /// Where the line of each flag begins.
    lines: Vec<usize>,
}

/// A text that a fault can be in, and the place in it.
pub(super) struct Place<'s> {
    pub text: &'s str,
    pub span: Range<usize>,
    /// Whether it is the command line, in which every flag has a line.
    pub flags: bool,
}

impl<'t> SourceText<'t> {
    pub fn new(file: &'t str, overrides: &'t [Override]) -> Self {
        let mut whole = Cow::Borrowed(file);
        let mut lines = Vec::new();
        for flag in overrides {
            let text = whole.to_mut();
            text.push('\n');
            lines.push(text.len());
            text.push_str(&flag.to_string());
        }
        Self { whole, file: file.len(), overrides, lines }
    }

    /// The file and the flags as one text.
    pub(super) fn whole(&self) -> &str {
        &self.whole
    }

    /// The text of the file.
    pub(super) fn file(&self) -> &str {
        &self.whole[..self.file]
    }

    /// Each flag, and where its line begins.
    pub(super) fn overrides(&self) -> impl Iterator<Item = (&'t Override, usize)> {
        self.overrides.iter().zip(self.lines.iter().copied())
    }

    pub(super) fn place(&self, span: &Range<usize>) -> Place<'_> {
        let begin = self.file + 1;
        if self.lines.is_empty() || span.start < begin {
            return Place { text: self.file(), span: span.clone(), flags: false };
        }
        let span = span.start - begin..span.end.saturating_sub(begin);
        Place { text: self.whole.get(begin..).unwrap_or_default(), span, flags: true }
    }
}

/// A file that no flag changes.
impl<'t> From<&'t str> for SourceText<'t> {
    fn from(file: &'t str) -> Self {
        Self::new(file, &[])
    }
}

impl<'t> From<&'t String> for SourceText<'t> {
    fn from(file: &'t String) -> Self {
        Self::new(file, &[])
    }
}

impl Overlay {
    /// The text that this lies over, with its flags.
    pub fn source<'t>(&'t self, file: &'t str) -> SourceText<'t> {
        SourceText::new(file, &self.overrides)
    }
}
