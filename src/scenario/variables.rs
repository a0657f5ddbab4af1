//! `${NAME}` and `${NAME:-default}` in the strings of a scenario. The file is YAML before a variable is
//! looked at, so whatever its value is, it stays within its string.

use std::collections::BTreeMap;
use std::ops::Range;

use super::diagnostics::Diagnostics;
use super::fault::quoted;
use super::file::{Node, Value};
use super::overlay::Lookup;
use super::syntax::MAX_BYTES;

const BEGIN: &str = "${";

/// Parts of a name that stand for a secret.
const SECRET: [&str; 7] =
    ["KEY", "SECRET", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL"];
/// Ends of a name that do, where the part alone would be in too many others.
const SECRET_ENDS: [&str; 4] = ["_PWD", "_PASS", "_PAT", "_AUTH"];

/// What a text consists of.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'t> {
    Literal(&'t str),
    Variable {
        name: &'t str,
        default: Option<&'t str>,
        /// As it is written: `${NAME:-default}`.
        written: &'t str,
    },
    /// From a `${` that begins no variable.
    Malformed(&'t str),
}

/// Puts values in the place of all variables in the strings of a tree, and gives those that were set; `None`
/// when no string names a variable. One that is empty counts as not set.
pub(super) fn fill(
    tree: &mut Node,
    lookup: Lookup<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<BTreeMap<String, String>> {
    let mut filling = Filling { lookup, diagnostics, used: BTreeMap::new(), any: false, length: 0 };
    filling.node(tree);
    filling.any.then_some(filling.used)
}

struct Filling<'a, 'd> {
    lookup: Lookup<'a>,
    diagnostics: &'a mut Diagnostics<'d>,
    used: BTreeMap<String, String>,
    /// Whether a string is not what it was.
    any: bool,
    /// Of all strings that were filled, in bytes.
    length: usize,
}

impl Filling<'_, '_> {
    fn node(&mut self, node: &mut Node) {
        match &mut node.value {
            Value::List(items) => items.iter_mut().for_each(|item| self.node(item)),
            Value::Map(entries) => {
                for (key, value) in entries {
                    self.key(key);
                    self.node(value);
                }
            }
            Value::Text(text) if text.contains(BEGIN) => {
                let filled = self.text(&node.span, text);
                (node.filled, self.any) = (true, true);
                node.value = filled.map_or(Value::Refused, Value::Text);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Refused => {}
        }
    }

    /// A key that depended on a variable would make another file of it.
    fn key(&mut self, key: &Node) {
        let Some(text) = key.value.text().filter(|text| text.contains(BEGIN)) else { return };
        if pieces(text).iter().any(|piece| matches!(piece, Piece::Variable { .. })) {
            let message = format!("{} has a variable in a key", quoted(text));
            let help = "write the key out: variables stand in values";
            let code = "scenario::bad_variable";
            self.diagnostics.report(code, &key.span, message, "not a value", help);
        }
    }

    /// `None` when a fault was reported.
    fn text(&mut self, span: &Range<usize>, text: &str) -> Option<String> {
        let mut filled = Some(String::new());
        for piece in pieces(text) {
            let part = match piece {
                Piece::Literal(part) => Some(part.to_owned()),
                Piece::Variable { name, default, written } => {
                    let at = self.within(span, written);
                    self.variable(&at, name, default)
                }
                Piece::Malformed(rest) => {
                    let at = self.within(span, rest);
                    let help = "write `${NAME}`, or `${NAME:-default}` with a value for when it is \
                                not set; for `${` itself write `$${`";
                    let message = format!("{} does not name a variable", quoted(rest));
                    self.report(&at, message, "unknown form", help.to_owned());
                    None
                }
            };
            filled = filled.zip(part).map(|(filled, part)| filled + &part);
        }
        let filled = filled?;
        self.length += filled.len();
        if self.length > MAX_BYTES {
            let message = format!("strings with variables hold more than {} KiB", MAX_BYTES / 1024);
            self.report(span, message, "too long with its values", "write shorter values".into());
            return None;
        }
        Some(filled)
    }

    fn variable(&mut self, at: &Range<usize>, name: &str, default: Option<&str>) -> Option<String> {
        if is_secret(name) {
            let message = format!("variable {} looks like a secret", quoted(name));
            let help = format!(
                "write `{{$env: {name}}}`, which keeps the value out of all files, where that can \
                 stand (metadata, headers, bodies); or give the variable another name"
            );
            self.report(at, message, "its value would be recorded", help);
            return None;
        }
        let Some(value) = (self.lookup)(name).filter(|value| !value.is_empty()) else {
            if default.is_none() {
                let message = format!("variable {} is not set", quoted(name));
                let help = format!(
                    "set it (`{name}=… loadcall …`, or `{name}=…` in a file named with --env-file), \
                     or write a default: `${{{name}:-…}}`"
                );
                self.report(at, message, "not set, or empty", help);
            }
            return default.map(str::to_owned);
        };
        if has_credentials(&value) {
            let message = format!("variable {} holds a user or password", quoted(name));
            let help = "remove what stands before the `@` of the URL, or write `{$env: …}` where that \
                        can stand";
            self.report(at, message, "its value would be recorded", help.to_owned());
            return None;
        }
        self.used.insert(name.to_owned(), value.clone());
        Some(value)
    }

    fn report(&mut self, at: &Range<usize>, message: String, label: &str, help: String) {
        self.diagnostics.report("scenario::bad_variable", at, message, label, help);
    }

    /// Where a part of a string stands, when it is written there as it is read.
    fn within(&self, span: &Range<usize>, part: &str) -> Range<usize> {
        let raw = self.diagnostics.source.get(span.clone()).unwrap_or_default();
        let at = raw.find(part).map(|at| span.start + at);
        at.map_or_else(|| span.clone(), |at| at..at + part.len())
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET.iter().any(|part| name.contains(part))
        || SECRET_ENDS.iter().any(|end| name.ends_with(end))
}

/// Whether a value is a URL with somebody's name or password in it.
fn has_credentials(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
        authority.contains('@')
    })
}

/// Takes a text apart, from left to right.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        if let Some(before) = rest[..at].strip_suffix('$') {
            pieces.push(Piece::Literal(before));
            pieces.push(Piece::Literal(BEGIN));
            rest = &rest[at + BEGIN.len()..];
            continue;
        }
        pieces.push(Piece::Literal(&rest[..at]));
        let Some((piece, after)) = variable(&rest[at..]) else {
            pieces.push(Piece::Malformed(&rest[at..]));
            return pieces;
        };
        pieces.push(piece);
        rest = after;
    }
    pieces.push(Piece::Literal(rest));
    pieces
}

/// The variable at the beginning of a text, and what follows it.
fn variable(text: &str) -> Option<(Piece<'_>, &str)> {
    let inner = text.strip_prefix(BEGIN)?;
    let length = inner.bytes().take_while(|c| c.is_ascii_alphanumeric() || *c == b'_').count();
    let (name, rest) = inner.split_at(length);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (default, after) = if let Some(after) = rest.strip_prefix('}') {
        (None, after)
    } else {
        let rest = rest.strip_prefix(":-")?;
        let end = closing(rest)?;
        (Some(&rest[..end]), &rest[end + 1..])
    };
    if default.is_some_and(|default| default.contains(BEGIN)) {
        return None;
    }
    let written = &text[..text.len() - after.len()];
    Some((Piece::Variable { name, default, written }, after))
}

/// Where the `}` is that closes a default: braces within it come in pairs, as those of `{{room}}`.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
