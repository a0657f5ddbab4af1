//! Takes a tree apart: mappings key by key, scalars as the kind of value that is expected. Every failure
//! is reported where it is found, so `check` and `turns` only say what they expect.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use super::diagnostic::{Fault, MAX_DRAWN, quoted, shortened};
use super::duration::{self, DurationError};
use super::file::{Node, Value};

/// A misspelt word is recognised up to this length; comparing is quadratic in it.
const MAX_COMPARED: usize = 64;

/// Proof that a fault was reported, so that whoever gets it can give up without another word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reported(());

pub(super) type Checked<T> = Result<T, Reported>;

/// The faults of one look at a file.
pub(super) struct Look<'a> {
    pub source: &'a str,
    pub faults: Vec<Fault>,
}

impl Look<'_> {
    pub(super) fn report(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Reported {
        self.faults.push(Fault {
            code,
            span: span.clone(),
            message: message.into(),
            label: label.into(),
            help: Some(help.into()),
        });
        Reported(())
    }

    /// Something the scenario grammar has a word for, and this version of loadcall has no use for.
    pub(super) fn unsupported(&mut self, node: &Node, what: &str, help: &str) -> Reported {
        self.report(
            "scenario::not_supported",
            &node.span,
            format!("{what} is not supported yet"),
            "not in this version",
            help,
        )
    }

    /// The one of `words` that `text` was probably meant to be.
    pub(super) fn similar<'w>(&self, text: &str, words: &[&'w str]) -> Option<&'w str> {
        // Nobody reads the help of the thousandth fault, and a hostile file has many of them.
        if text.len() > MAX_COMPARED || self.faults.len() > MAX_DRAWN {
            return None;
        }
        let folded = text.to_ascii_lowercase().replace('-', "_");
        let tolerated = |word: &str| (word.len() / 3).clamp(1, 4);
        words
            .iter()
            .filter(|word| word.len().abs_diff(folded.len()) <= tolerated(word))
            .map(|word| (strsim::osa_distance(&folded, &word.replace('-', "_")), *word))
            .filter(|(distance, word)| *distance <= tolerated(word))
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, word)| word)
    }

    pub(super) fn wrong_type(
        &mut self,
        field: &Field<'_>,
        expected: &str,
        example: &str,
    ) -> Reported {
        let found = match &field.value.value {
            // A fault was reported for it when the file was read.
            Value::Refused => return Reported(()),
            Value::Null => "no value",
            Value::Bool(_) => "a truth value",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        };
        // An absent value has no place of its own worth pointing at.
        let span =
            if matches!(field.value.value, Value::Null) { &field.at } else { &field.value.span };
        self.report(
            "scenario::wrong_type",
            span,
            format!("{} has to be {expected}", quoted(field.name)),
            if found == "no value" { found.to_owned() } else { format!("this is {found}") },
            format!("write {example}"),
        )
    }
}

/// A value and the key it stands behind.
#[derive(Clone)]
pub(super) struct Field<'t> {
    pub name: &'t str,
    /// Where the key is, or what else names the value.
    pub at: Range<usize>,
    pub value: &'t Node,
}

impl<'t> Field<'t> {
    /// The items of a list; anything else is the only item.
    pub(super) fn one_or_many(&self) -> &'t [Node] {
        match &self.value.value {
            Value::List(items) => items,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Text(_)
            | Value::Map(_)
            | Value::Refused => std::slice::from_ref(self.value),
        }
    }

    pub(super) fn text(&self, example: &str, look: &mut Look<'_>) -> Checked<&'t str> {
        match &self.value.value {
            Value::Text(text) => Ok(text),
            Value::Number(_) | Value::Bool(_) => {
                let raw = look.source.get(self.value.span.clone()).unwrap_or_default();
                let quote = format!("`\"{}\"`, with the quotes", shortened(raw));
                Err(look.wrong_type(self, "a text", &quote))
            }
            Value::Null | Value::List(_) | Value::Map(_) | Value::Refused => {
                Err(look.wrong_type(self, "a text", example))
            }
        }
    }

    /// A text of 1 to `max` characters on one line, with no blank at either end.
    pub(super) fn line(&self, max: usize, example: &str, look: &mut Look<'_>) -> Checked<&'t str> {
        let text = self.text(example, look)?;
        let count = text.chars().count();
        if text.trim().is_empty() {
            let (message, help) =
                (format!("{} is empty", quoted(self.name)), format!("write {example}"));
            return Err(look.report("scenario::bad_text", &self.value.span, message, "", help));
        }
        let label = if count > max {
            format!("{count} characters, at most {max}")
        } else if text.chars().any(char::is_control) {
            "holds a line break or control character".to_owned()
        } else if text.trim() != text {
            "begins or ends with a blank".to_owned()
        } else {
            return Ok(text);
        };
        let message = format!("{} cannot be {}", quoted(self.name), quoted(text));
        let help = format!("write {example}");
        Err(look.report("scenario::bad_text", &self.value.span, message, label, help))
    }

    pub(super) fn list(&self, example: &str, look: &mut Look<'_>) -> Checked<&'t [Node]> {
        if let Value::List(items) = &self.value.value {
            return Ok(items);
        }
        Err(look.wrong_type(self, "a list", example))
    }

    pub(super) fn duration(
        &self,
        allowed: &RangeInclusive<Duration>,
        look: &mut Look<'_>,
    ) -> Checked<Duration> {
        const EXAMPLE: &str = "`500ms`, `2s` or `1m 30s`";
        let raw = look.source.get(self.value.span.clone()).unwrap_or_default();
        let text = match &self.value.value {
            Value::Text(text) => text.as_str(),
            Value::Number(_) => raw,
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) | Value::Refused => {
                return Err(look.wrong_type(self, "a length of time", EXAMPLE));
            }
        };
        let length = duration::parse(text).map_err(|error| {
            let help = match error {
                DurationError::NoUnit => {
                    let number = shortened(text.trim());
                    format!("write `{number}s` for seconds, `{number}ms` for milliseconds")
                }
                DurationError::Negative | DurationError::Calendar | DurationError::Unreadable => {
                    format!("write {EXAMPLE}")
                }
            };
            let message = format!("{} cannot be {}", quoted(self.name), quoted(text));
            look.report(
                "scenario::bad_duration",
                &self.value.span,
                message,
                error.to_string(),
                help,
            )
        })?;
        if allowed.contains(&length) {
            return Ok(length);
        }
        let (low, high) = (duration::show(*allowed.start()), duration::show(*allowed.end()));
        let message = format!("{} cannot be {}", quoted(self.name), quoted(text));
        let help = format!("write a length of time from `{low}` to `{high}`");
        Err(look.report("scenario::out_of_range", &self.value.span, message, "out of range", help))
    }

    /// A whole number within `allowed`.
    pub(super) fn whole(&self, allowed: &RangeInclusive<u64>, look: &mut Look<'_>) -> Checked<u64> {
        let (low, high) = (allowed.start(), allowed.end());
        let example = if low == high {
            format!("`{low}`")
        } else {
            format!("a whole number from {low} to {high}")
        };
        let Value::Number(number) = &self.value.value else {
            return Err(look.wrong_type(self, "a whole number", &example));
        };
        if let Some(number) = number.as_u64().filter(|number| allowed.contains(number)) {
            return Ok(number);
        }
        let message = format!("{} cannot be `{number}`", quoted(self.name));
        let help = format!("write {example}");
        Err(look.report("scenario::out_of_range", &self.value.span, message, "out of range", help))
    }

    /// One of a closed set of words. `later` are those of the grammar that this version lacks.
    pub(super) fn word<T: Copy>(
        &self,
        choices: &[(&str, T)],
        later: &[&str],
        look: &mut Look<'_>,
    ) -> Checked<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let example = one_of(&names);
        let text = self.text(&example, look)?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Ok(*value);
        }
        if later.contains(&text) {
            let what = quoted(&format!("{}: {text}", self.name));
            return Err(look.unsupported(self.value, &what, &format!("write {example}")));
        }
        let help = look
            .similar(text, &names)
            .map_or_else(|| format!("write {example}"), |name| format!("did you mean `{name}`?"));
        let message = format!("{} cannot be {}", quoted(self.name), quoted(text));
        Err(look.report("scenario::unknown_word", &self.value.span, message, "unknown word", help))
    }
}

/// A mapping of which keys are taken one after another; those left over in the end are faults.
pub(super) struct Fields<'t> {
    entries: &'t [(Node, Node)],
    /// What the mapping describes, with its article: `a turn`.
    what: &'static str,
    /// What names the mapping in the file: its key, or its first one.
    at: Range<usize>,
    known: Vec<&'static str>,
    /// Keys that were reported already.
    reported: Vec<&'t str>,
}

impl<'t> Fields<'t> {
    pub(super) fn of(
        field: &Field<'t>,
        what: &'static str,
        example: &str,
        look: &mut Look<'_>,
    ) -> Checked<Self> {
        let Value::Map(entries) = &field.value.value else {
            return Err(look.wrong_type(field, "a mapping", example));
        };
        Ok(Self { entries, what, at: field.at.clone(), known: Vec::new(), reported: Vec::new() })
    }

    pub(super) fn at(&self) -> &Range<usize> {
        &self.at
    }

    /// The value behind a key.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Field<'t>> {
        self.known.push(key);
        self.all().find(|field| field.name == key)
    }

    /// The value behind a key that has to be there; `example` shows one, key and all.
    pub(super) fn require(
        &mut self,
        key: &'static str,
        example: &str,
        look: &mut Look<'_>,
    ) -> Checked<Field<'t>> {
        if let Some(field) = self.take(key) {
            return Ok(field);
        }
        // One mistake, one fault: the key may be there under a misspelt name.
        let misspelt = self.all().find(|field| look.similar(field.name, &[key]).is_some());
        if let Some(field) = misspelt {
            self.reported.push(field.name);
            return Err(self.left_over(&field, &[], look));
        }
        Err(look.report(
            "scenario::missing_key",
            &self.at,
            format!("{} has no `{key}`", self.what),
            format!("`{key}` is missing"),
            format!("add {example}"),
        ))
    }

    /// Every entry whose key could be read.
    pub(super) fn all(&self) -> impl Iterator<Item = Field<'t>> + use<'t> {
        self.entries.iter().filter_map(|(key, value)| match &key.value {
            Value::Text(name) => Some(Field { name, at: key.span.clone(), value }),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::List(_)
            | Value::Map(_)
            | Value::Refused => None,
        })
    }

    /// Reports every key that nobody took. `later` are the keys of the grammar that this version lacks.
    pub(super) fn finish(self, later: &[&str], look: &mut Look<'_>) -> Checked<()> {
        let mut outcome = Ok(());
        for field in self.all().filter(|field| !self.known.contains(&field.name)) {
            if self.reported.contains(&field.name) {
                continue;
            }
            outcome = Err(self.left_over(&field, later, look));
        }
        outcome
    }

    fn left_over(&self, field: &Field<'t>, later: &[&str], look: &mut Look<'_>) -> Reported {
        let name = field.name;
        let keys = format!("{} has {}", self.what, all_of(&self.known));
        if later.contains(&name) {
            return look.report(
                "scenario::not_supported",
                &field.at,
                format!("{} is not supported yet", quoted(name)),
                "not in this version",
                format!("remove it; {keys}"),
            );
        }
        let colon = look.source.get(field.at.end..).is_some_and(|rest| rest.starts_with(':'));
        let joined = name.split_once(':').filter(|(key, _)| self.known.contains(key));
        let help = if name == "<<" {
            "write the keys out; mappings are not merged here".to_owned()
        } else if let Some((key, value)) = joined {
            let value = shortened(value.trim());
            format!("write `{key}: {value}`, with a blank after the colon")
        } else if let Some(key) = look.similar(name, &self.known) {
            format!("did you mean `{key}`?")
        } else if matches!(field.value.value, Value::Null) && !colon {
            format!("put a text that has a comma in it in quotes; {keys}")
        } else {
            keys
        };
        let message = format!("{} is no key of {}", quoted(name), self.what);
        look.report("scenario::unknown_key", &field.at, message, "unknown key", help)
    }
}

/// "`a`, `b` or `c`".
fn one_of(words: &[&str]) -> String {
    joined(words, " or ")
}

/// "`a`, `b` and `c`".
pub(super) fn all_of(words: &[&str]) -> String {
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
