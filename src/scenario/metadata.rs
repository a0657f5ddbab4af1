//! The metadata of a dispatch: text or JSON for the agent, in which `{"$env": "NAME"}` stands for the value
//! of an environment variable. A scenario keeps the reference, so that secrets get into no recording,
//! report or baseline; who places calls resolves it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde::de::IgnoredAny;

use super::diagnostics::{Checked, Diagnostics};
use super::fault::quoted;
use super::field::Field;
use super::fields::{Fields, written};
use super::file::Value;
pub use super::grammar::table::MAX_METADATA as MAX_BYTES;
use super::grammar::{Kind, Mapping};
use super::values::{entries, mismatch, text, variable};
use crate::secret::Secret;

/// Environment variables that a scenario refers to, and that are not set or empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the scenario needs environment variables that are not set: {}", names.join(", "))]
pub struct MissingVariables {
    /// In alphabetical order; never empty.
    pub names: Vec<String>,
}

/// A reference within JSON. A quote inside of a JSON string is escaped, so this is never part of one.
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"\{\s*"\$env"\s*:\s*"([A-Za-z_][A-Za-z0-9_]*)"\s*\}"#;
    Regex::new(pattern).unwrap_or_else(|error| unreachable!("{error}"))
});

/// The text to dispatch: `metadata` with the value `lookup` gives in place of each reference. Metadata that
/// is nothing but one reference becomes the value itself; within JSON a value becomes a JSON string. All
/// else, and text that is not JSON, stays as it is to the byte.
///
/// # Errors
/// Every variable for which `lookup` gives nothing, or an empty text. Values are in no error.
pub fn resolve(
    metadata: &str,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<String, MissingVariables> {
    if serde_json::from_str::<IgnoredAny>(metadata).is_err() {
        return Ok(metadata.to_owned());
    }
    let mut missing = BTreeSet::new();
    let mut value = |reference: &Captures<'_>| {
        let name = &reference[1];
        lookup(name).filter(|value| !value.is_empty()).unwrap_or_else(|| {
            missing.insert(name.to_owned());
            String::new()
        })
    };
    let trimmed = metadata.trim();
    let whole = REFERENCE.captures(trimmed).filter(|reference| &reference[0] == trimmed);
    let text = if let Some(reference) = whole {
        value(&reference)
    } else {
        let quoted = |r: &Captures<'_>| serde_json::Value::String(value(r)).to_string();
        REFERENCE.replace_all(metadata, quoted).into_owned()
    };
    if missing.is_empty() {
        return Ok(text);
    }
    Err(MissingVariables { names: missing.into_iter().collect() })
}

/// The environment variables that a scenario refers to. They are secrets, and are not shown.
#[derive(Debug, Clone, Default)]
pub struct Variables(BTreeMap<String, Secret>);

/// Shorter values are too common to be taken out of a text.
const HIDDEN_FROM: usize = 4;

impl Variables {
    /// The variables that these texts refer to.
    ///
    /// # Errors
    /// As [`resolve`], for all texts at once.
    pub fn collect<'t>(
        texts: impl IntoIterator<Item = &'t str>,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, MissingVariables> {
        let found = RefCell::new(BTreeMap::new());
        let mut missing = BTreeSet::new();
        for text in texts {
            let resolved = resolve(text, |name| {
                let value = lookup(name)?;
                found.borrow_mut().insert(name.to_owned(), Secret::new(value.clone()));
                Some(value)
            });
            missing.extend(resolved.err().into_iter().flat_map(|e| e.names));
        }
        if missing.is_empty() {
            return Ok(Self(found.into_inner()));
        }
        Err(MissingVariables { names: missing.into_iter().collect() })
    }

    /// The text with the values in place of the references.
    ///
    /// # Errors
    /// A reference to a variable that was not collected.
    pub fn fill(&self, text: &str) -> Result<Secret, MissingVariables> {
        resolve(text, |name| Some(self.0.get(name)?.expose().to_owned())).map(Secret::new)
    }

    /// A text of others without the values, should it repeat one.
    pub fn hide(&self, text: &str) -> String {
        let values = self.0.values().map(Secret::expose).filter(|v| v.len() >= HIDDEN_FROM);
        values.fold(text.to_owned(), |text, value| text.replace(value, "…"))
    }
}

/// Whether a text refers to an environment variable.
pub fn refers(text: &str) -> bool {
    REFERENCE.is_match(text)
}

/// What the agent gets: a string as it is (it may be JSON already), anything else as JSON in the order of
/// the file.
pub(super) fn read(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<String> {
    let Kind::Metadata { max_bytes, secret } = field.key.kind else { mismatch(field) };
    let text = match &field.value.value {
        Value::Null => String::new(),
        Value::Text(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) | Value::Refused => {
            references(field, secret, diagnostics)?;
            serde_json::to_string(field.value).map_err(|error| {
                let message = format!("{} cannot be written as JSON: {error}", quoted(field.name));
                let code = "scenario::bad_metadata";
                diagnostics.report(code, &field.at, message, "", "write a mapping")
            })?
        }
    };
    if text.len() <= max_bytes {
        return Ok(text);
    }
    let message = format!("{} is larger than {} KiB", quoted(field.name), max_bytes / 1024);
    let label = format!("{} KiB of JSON", text.len().div_ceil(1024));
    let help = "send less, or a name by which the agent finds the rest";
    Err(diagnostics.report("scenario::too_large", &field.at, message, label, help))
}

/// Checks every reference within a value.
fn references(
    field: &Field<'_>,
    secret: &'static Mapping,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<()> {
    let mut outcome = Ok(());
    if let Some(items) = field.value.value.items() {
        for value in items {
            let item = Field { value, ..field.clone() };
            outcome = outcome.and(references(&item, secret, diagnostics));
        }
    }
    let Some(entries) = field.value.value.entries() else { return outcome };
    let refers = |name: &str| secret.keys.iter().any(|key| key.name == name);
    if let Some((key, _)) = entries.iter().find(|(key, _)| key.value.text().is_some_and(refers)) {
        let at = key.span.clone();
        return reference(&Field { at, ..field.clone() }, secret, diagnostics);
    }
    for (key, value) in entries {
        let entry = Field { at: key.span.clone(), value, ..field.clone() };
        outcome = outcome.and(references(&entry, secret, diagnostics));
    }
    outcome
}

/// A string, or a reference to an environment variable as its JSON.
pub(super) fn value(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<String> {
    let (Kind::Value { secret, .. } | Kind::Values { secret, .. }) = field.key.kind else {
        mismatch(field)
    };
    match field.value.value {
        Value::Map(_) => reference_json(field, secret, diagnostics),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Text(_)
        | Value::List(_)
        | Value::Refused => text(field, diagnostics),
    }
}

/// The entries of a mapping of strings: each name, its field, and what `value` makes of it.
pub(super) fn each<'t>(
    field: &Field<'t>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<Vec<(String, Field<'t>, Checked<String>)>> {
    let Kind::Values { max_items, .. } = field.key.kind else { mismatch(field) };
    let entries = entries(field, diagnostics)?;
    if entries.len() > max_items {
        let message = format!("too many entries in {}", quoted(field.name));
        let label = format!("{} entries, at most {max_items}", entries.len());
        let help = "write fewer";
        return Err(diagnostics.report("scenario::too_large", &field.at, message, label, help));
    }
    let each = written(entries).map(|(name, at, node)| {
        let entry = Field { name, key: field.key, at: at.clone(), value: node };
        let value = value(&entry, diagnostics);
        (name.to_owned(), entry, value)
    });
    Ok(each.collect())
}

/// A reference to an environment variable as its JSON: `{"$env":"NAME"}`.
pub(super) fn reference_json(
    field: &Field<'_>,
    secret: &'static Mapping,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<String> {
    reference(field, secret, diagnostics)?;
    serde_json::to_string(field.value).map_err(|_| diagnostics.wrong_type(field))
}

fn reference(
    field: &Field<'_>,
    secret: &'static Mapping,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<()> {
    let mut fields = Fields::within(field, secret, diagnostics)?;
    let mut outcome = Ok(());
    for key in secret.keys {
        outcome = outcome.and(fields.value(key.name, diagnostics, variable).map(|_| ()));
    }
    outcome.and(fields.finish(diagnostics))
}

#[cfg(test)]
mod tests;
