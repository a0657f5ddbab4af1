//! Takes a mapping apart, key by key, as the grammar has it. What is missing, left over or misspelt is
//! reported here, so whoever reads a mapping only says what becomes of each value.

use std::ops::Range;

use super::diagnostics::{Checked, Diagnostics, Reported};
use super::fault::{quoted, shortened};
use super::field::Field;
use super::file::{self, Node, Value};
use super::grammar::{Key, Kind, Mapping, list_and};
use super::values;

/// A mapping and its grammar.
pub(super) struct Fields<'t> {
    grammar: &'static Mapping,
    entries: &'t [(Node, Node)],
    /// What names the mapping in the file: its key, or its first one.
    at: Range<usize>,
    /// Keys that were reported already.
    reported: Vec<&'t str>,
}

impl<'t> Fields<'t> {
    /// The mapping behind a key of that kind.
    pub(super) fn of(field: &Field<'t>, diagnostics: &mut Diagnostics<'_>) -> Checked<Self> {
        let Kind::Mapping(grammar) = field.key.kind else { values::mismatch(field) };
        Self::within(field, grammar, diagnostics)
    }

    /// A mapping with the keys of `grammar`, whatever it stands behind.
    pub(super) fn within(
        field: &Field<'t>,
        grammar: &'static Mapping,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Checked<Self> {
        let entries = values::entries(field, diagnostics)?;
        Ok(Self { grammar, entries, at: field.at.clone(), reported: Vec::new() })
    }

    pub(super) fn at(&self) -> &Range<usize> {
        &self.at
    }

    /// What the file has behind a key.
    pub(super) fn take(&self, name: &str) -> Option<Field<'t>> {
        let key = self.row(name);
        let (_, at, value) = written(self.entries).find(|(written, ..)| *written == name)?;
        Some(Field { name: key.name, key, at: at.clone(), value })
    }

    /// The value of a key that is required or has a default: what the file says, or the default. Reports
    /// a required key that is missing.
    pub(super) fn value<T>(
        &mut self,
        name: &str,
        diagnostics: &mut Diagnostics<'_>,
        read: impl for<'f> FnOnce(&Field<'f>, &mut Diagnostics<'_>) -> Checked<T>,
    ) -> Checked<T> {
        if let Some(field) = self.take(name) {
            return read(&field, diagnostics);
        }
        let key = self.row(name);
        let Some(default) = key.need.default() else { return Err(self.missing(key, diagnostics)) };
        // The default is read as if it stood in the file.
        let value =
            file::read(default, &mut diagnostics.faults).map_err(|fault| diagnostics.add(fault))?;
        read(&Field { name: key.name, key, at: self.at.clone(), value: &value }, diagnostics)
    }

    /// The value of a key that may be missing and has no default.
    pub(super) fn optional<T>(
        &self,
        name: &str,
        diagnostics: &mut Diagnostics<'_>,
        read: impl FnOnce(&Field<'t>, &mut Diagnostics<'_>) -> Checked<T>,
    ) -> Checked<Option<T>> {
        self.take(name).map(|field| read(&field, diagnostics)).transpose()
    }

    /// Reports every key that the grammar does not have.
    pub(super) fn finish(self, diagnostics: &mut Diagnostics<'_>) -> Checked<()> {
        let mut outcome = Ok(());
        for (name, at, value) in written(self.entries) {
            if self.grammar.key(name).is_none() && !self.reported.contains(&name) {
                outcome = Err(self.unknown(name, at, value, diagnostics));
            }
        }
        outcome
    }

    /// The row of a key.
    fn row(&self, name: &str) -> &'static Key {
        self.grammar
            .key(name)
            .unwrap_or_else(|| unreachable!("{} has no row `{name}`", self.grammar.what))
    }

    fn missing(&mut self, key: &'static Key, diagnostics: &mut Diagnostics<'_>) -> Reported {
        // One mistake, one fault: the key may be there under a misspelt name.
        let misspelt = written(self.entries).find(|(name, ..)| {
            self.grammar.key(name).is_none() && diagnostics.similar(name, &[key.name]).is_some()
        });
        if let Some((name, at, value)) = misspelt {
            self.reported.push(name);
            return self.unknown(name, at, value, diagnostics);
        }
        let Key { name, kind, example, .. } = key;
        let words = matches!(kind, Kind::OneOf { .. });
        let others = if words { format!("; it can be {}", kind.limits()) } else { String::new() };
        diagnostics.report(
            "scenario::missing_key",
            &self.at,
            format!("missing key `{name}` in {}", self.grammar.what),
            format!("`{name}` is required"),
            format!("add `{name}: {example}`{others}"),
        )
    }

    fn unknown(
        &self,
        name: &str,
        at: &Range<usize>,
        value: &Node,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Reported {
        let known: Vec<&str> = self.grammar.known().map(|key| key.name).collect();
        let keys = match known.as_slice() {
            [only] => format!("the only key of {} is `{only}`", self.grammar.what),
            _ => format!("the keys of {} are {}", self.grammar.what, list_and(&known)),
        };
        if self.grammar.reserves(name) {
            return diagnostics.report(
                "scenario::not_supported",
                at,
                format!("{} is not supported yet", quoted(name)),
                "reserved for a later version",
                format!("remove it; {keys}"),
            );
        }
        let colon = diagnostics.source.get(at.end..).is_some_and(|rest| rest.starts_with(':'));
        let joined = name.split_once(':').filter(|(key, _)| known.contains(key));
        let help = if name == "<<" {
            "write the keys out; merge keys are not supported".to_owned()
        } else if let Some((key, value)) = joined {
            let value = shortened(value.trim());
            format!("write `{key}: {value}`, with a space after the colon")
        } else if let Some(key) = diagnostics.similar(name, &known) {
            format!("did you mean `{key}`?")
        } else if matches!(value.value, Value::Null) && !colon {
            format!("put a string that contains a comma in quotes; {keys}")
        } else {
            keys
        };
        let message = format!("unknown key {} in {}", quoted(name), self.grammar.what);
        diagnostics.report("scenario::unknown_key", at, message, "", help)
    }
}

/// The entries whose key could be read: its name, where it stands, and the value.
pub(super) fn written(
    entries: &[(Node, Node)],
) -> impl Iterator<Item = (&str, &Range<usize>, &Node)> {
    entries.iter().filter_map(|(key, value)| Some((key.value.text()?, &key.span, value)))
}
