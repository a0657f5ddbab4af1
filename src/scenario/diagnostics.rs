//! Collects the faults of one file while it is read, and words those that can happen to any key.

use std::ops::Range;

use super::fault::{Fault, MAX_DRAWN, quoted};
use super::field::Field;
use super::file::{Node, Value};

/// A misspelt word is recognised up to this length; comparing is quadratic in it.
const MAX_COMPARED: usize = 64;

/// Proof that a fault was reported, so that whoever gets it can give up without another word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reported(());

pub(super) type Checked<T> = Result<T, Reported>;

/// Whether limits that no run can meet are faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sense {
    Demanded,
    /// They are not, in a recording that has them.
    AsRecorded,
}

/// The faults found so far in a file.
pub(super) struct Diagnostics<'a> {
    pub source: &'a str,
    pub sense: Sense,
    pub faults: Vec<Fault>,
}

impl Diagnostics<'_> {
    pub(super) fn report(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Reported {
        self.add(Fault {
            code,
            span: span.clone(),
            message: message.into(),
            label: label.into(),
            help: Some(help.into()),
        })
    }

    pub(super) fn add(&mut self, fault: Fault) -> Reported {
        self.faults.push(fault);
        Reported(())
    }

    /// A value of the scenario grammar that this version of loadcall cannot use.
    pub(super) fn unsupported(&mut self, node: &Node, what: &str, help: &str) -> Reported {
        self.report(
            "scenario::not_supported",
            &node.span,
            format!("{what} is not supported yet"),
            "reserved for a later version",
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

    /// A value that is not of the kind its key takes.
    pub(super) fn wrong_type(&mut self, field: &Field<'_>) -> Reported {
        let help = format!("write `{}`", field.key.example);
        self.not_a(field, field.key.kind.noun(), help)
    }

    /// As `wrong_type`, with the noun and the remedy given.
    pub(super) fn not_a(
        &mut self,
        field: &Field<'_>,
        noun: &str,
        help: impl Into<String>,
    ) -> Reported {
        let found = match &field.value.value {
            // A fault was reported for it when the file was read.
            Value::Refused => return Reported(()),
            Value::Null => "no value",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        };
        // An absent value has no place of its own worth pointing at.
        let span =
            if matches!(field.value.value, Value::Null) { &field.at } else { &field.value.span };
        self.report(
            "scenario::wrong_type",
            span,
            format!("{} must be {noun}", quoted(field.name)),
            if found == "no value" { found.to_owned() } else { format!("this is {found}") },
            help,
        )
    }
}
