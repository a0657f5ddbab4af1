//! The metadata of a dispatch: text or JSON for the agent, in which `{"$env": "NAME"}` stands for the value
//! of an environment variable. A scenario keeps the reference, so that secrets get into no recording,
//! report or baseline; who places calls resolves it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde::de::IgnoredAny;

use super::diagnostics::{Checked, Diagnostics};
use super::field::Field;
use super::fields::Fields;
use super::file::Value;
pub use super::grammar::table::MAX_METADATA as MAX_BYTES;
use super::grammar::{Kind, Mapping};
use super::values::{mismatch, variable};

/// Environment variables that metadata refers to, and that are not set or empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the agent's metadata needs environment variables that are not set: {}",
    names.join(", ")
)]
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
                let message = format!("`metadata` cannot be written as JSON: {error}");
                let code = "scenario::bad_metadata";
                diagnostics.report(code, &field.at, message, "", "write a mapping")
            })?
        }
    };
    if text.len() <= max_bytes {
        return Ok(text);
    }
    let message = format!("`metadata` is larger than {} KiB", max_bytes / 1024);
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
