//! The YAML of a scenario file as a tree in which every node knows its place: the mirror of what was
//! written, before any of it is understood. The only user of the YAML engine.
//!
//! A derived mirror would stop at the first value of a wrong type; the tree takes any value, so that
//! `check` can report every fault of a file at once. What is wrong whatever it stands for is found here:
//! syntax, duplicate keys, keys that are not strings, scalars that YAML 1.1 and 1.2 read differently.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::Number;
use serde_yaml::{
    DuplicateKeyPolicy, Location, MergeKeyPolicy, MessageFormatter, NonFiniteFloatPolicy, Spanned,
};

use super::ambiguous::ambiguous;
use super::fault::{Fault, floor_boundary, quoted};
use super::syntax::{self, Limit, MAX_BYTES, MAX_DEPTH, MAX_NODES};

/// How far before a scalar its tag or block header is looked for.
const LOOK_BACK: usize = 256;

/// One value of the file.
#[derive(Debug)]
pub(super) struct Node {
    /// Where the value is written, in bytes; of a list or mapping, where it begins.
    pub span: Range<usize>,
    /// Where the value is used: as `span`, except that an alias `*name` is used where it stands.
    pub used: Range<usize>,
    pub value: Value,
    /// A string that variables were put into: what it stands for is only known by its key.
    pub filled: bool,
}

#[derive(Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file. Every key is a string or refused.
    Map(Vec<(Node, Node)>),
    /// Something a fault was already reported for.
    Refused,
}

impl Value {
    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn items(&self) -> Option<&[Node]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    pub(super) fn entries(&self) -> Option<&[(Node, Node)]> {
        if let Self::Map(entries) = self { Some(entries) } else { None }
    }

    /// Whether this is a number or a boolean: a scalar that quotes would make a string.
    pub(super) const fn is_unquoted(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Bool(_))
    }
}

/// Reads the file into a tree. Faults that do not keep the rest from being understood are added to
/// `faults`; a file that is not YAML, or exceeds a limit, gives one fault and no tree.
pub(super) fn read(source: &str, faults: &mut Vec<Fault>) -> Result<Node, Fault> {
    if source.len() > MAX_BYTES {
        return Err(syntax::too_large(Limit::Bytes, 0..0));
    }
    let options = serde_yaml::options! {
        // `Review` reports a repeated key together with all other faults.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
        budget: serde_yaml::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_aliases: 1_000,
            max_anchors: 1_000,
            enforce_alias_anchor_ratio: false,
        },
    };
    match serde_yaml::from_str_with_options::<Node>(source, options) {
        Ok(mut tree) => {
            Review { source, faults }.node(&mut tree, Role::Value);
            Ok(tree)
        }
        Err(error) => {
            let span = error.location().map_or(0..0, |location| place(source, &location));
            Err(syntax::fault(source, refusal(&error), span))
        }
    }
}

/// Which of our own wordings an error of the engine calls for.
fn refusal(error: &serde_yaml::Error) -> syntax::Refusal {
    use serde_yaml::Error;
    use serde_yaml::budget::BudgetBreach;

    let error = error.without_snippet();
    if let Error::AliasError { error, .. } = error {
        return refusal(error);
    }
    if matches!(error, Error::MultipleDocuments { .. }) {
        return syntax::Refusal::SecondDocument;
    }
    if matches!(error, Error::UnknownAnchor { .. }) {
        return syntax::Refusal::UnknownAnchor;
    }
    if matches!(error, Error::RecursiveReferencesRequireWeakTypes { .. }) {
        return syntax::Refusal::Recursive;
    }
    if let Error::Budget { breach, .. } = error {
        let deep = matches!(breach, BudgetBreach::Depth { .. });
        return syntax::Refusal::TooMuch(if deep { Limit::Depth } else { Limit::Nodes });
    }
    if matches!(
        error,
        Error::AliasReplayLimitExceeded { .. } | Error::AliasReplayStackDepthExceeded { .. }
    ) {
        return syntax::Refusal::TooMuch(Limit::Nodes);
    }
    syntax::Refusal::Grammar(serde_yaml::UserMessageFormatter.format_message(error).into_owned())
}

/// The place of a node or error, in bytes.
fn bytes(location: &Location) -> Range<usize> {
    let number = |value: u64| usize::try_from(value).ok();
    let span = location.span();
    let start = span.byte_offset().and_then(number).unwrap_or(0);
    let length = span.byte_len().and_then(number).unwrap_or(0);
    start..start.saturating_add(length)
}

/// The place of an error, for which the engine may know line and column alone.
fn place(source: &str, location: &Location) -> Range<usize> {
    if location.span().byte_offset().is_some() {
        return bytes(location);
    }
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX).saturating_sub(1);
    let lines = source.split_inclusive('\n');
    let begin: usize = lines.clone().take(number(location.line())).map(str::len).sum();
    let line = source[begin..].split('\n').next().unwrap_or_default();
    let column =
        line.char_indices().nth(number(location.column())).map_or(line.len(), |(at, _)| at);
    begin + column..begin + column
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let placed = Spanned::<Value>::deserialize(deserializer)?;
        let (span, used) = (bytes(&placed.defined), bytes(&placed.referenced));
        Ok(Self { span, used, value: placed.value, filled: false })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or_else(|| Value::Text(value.to_string()), Value::Number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Value::Map(map))
    }
}

/// On which side of the colon a scalar stands.
#[derive(Clone, Copy)]
enum Role {
    Key,
    Value,
}

/// Goes through a tree and refuses what is wrong whatever it stands for.
struct Review<'a> {
    source: &'a str,
    faults: &'a mut Vec<Fault>,
}

impl Review<'_> {
    fn node(&mut self, node: &mut Node, role: Role) {
        match &mut node.value {
            Value::List(items) => items.iter_mut().for_each(|item| self.node(item, Role::Value)),
            Value::Map(entries) => self.entries(entries),
            Value::Bool(_) | Value::Number(_) | Value::Text(_) => {
                if self.refuses(&node.span, &node.value, role) {
                    node.value = Value::Refused;
                }
            }
            Value::Null | Value::Refused => {}
        }
    }

    fn entries(&mut self, entries: &mut [(Node, Node)]) {
        let mut seen = BTreeSet::new();
        for (key, value) in entries {
            self.node(key, Role::Key);
            if let Value::Text(name) = &key.value {
                if !seen.insert(name.clone()) {
                    self.report(
                        "scenario::duplicate_key",
                        &key.span,
                        format!("duplicate key {}", quoted(name)),
                        "this key was given before",
                        "keep one of the two",
                    );
                    key.value = Value::Refused;
                }
            } else if !matches!(key.value, Value::Refused) {
                self.not_a_string(key);
                key.value = Value::Refused;
            }
            self.node(value, Role::Value);
        }
    }

    fn not_a_string(&mut self, key: &Node) {
        let raw = self.source.get(key.span.clone()).unwrap_or_default();
        let (message, help) = if key.value.is_unquoted() {
            (
                format!("key {} is not a string", quoted(raw)),
                format!("write `\"{raw}\"`, with the quotes"),
            )
        } else {
            ("a key is not a string".to_owned(), "write a string before the `:`".to_owned())
        };
        self.report("scenario::wrong_type", &key.span, message, "not a string", &help);
    }

    /// Whether a scalar means something else to another reader, or cannot be kept as it is.
    fn refuses(&mut self, span: &Range<usize>, value: &Value, role: Role) -> bool {
        let Some(raw) = self.source.get(span.clone()) else { return false };
        let found = ambiguous(raw);
        let label = inexact(raw, value);
        if (found.is_none() && label.is_none()) || !self.is_plain(span, raw) {
            return false;
        }
        if let Some(found) = found {
            let help = match role {
                Role::Key => format!("write `\"{raw}\"`, with the quotes"),
                Role::Value => found.help,
            };
            self.report(
                "scenario::ambiguous_scalar",
                span,
                format!("{} without quotes is ambiguous", quoted(raw)),
                found.label,
                &help,
            );
        } else if let Some(label) = label {
            self.report(
                "scenario::inexact_number",
                span,
                format!("number {} cannot be represented exactly", quoted(raw)),
                label,
                "put it in quotes to keep it as a string",
            );
        }
        true
    }

    /// Whether the scalar is written as it is meant: without quotes, on one line, with no tag.
    fn is_plain(&self, span: &Range<usize>, raw: &str) -> bool {
        // A window, as the line before may be as long as the file.
        let from = floor_boundary(self.source, span.start.saturating_sub(LOOK_BACK));
        let before = self.source[from..span.start].trim_end_matches([' ', '\t']);
        // The place of a block scalar is that of its content, so its header ends the line before.
        let header = before.trim_end().lines().next_back().unwrap_or_default();
        let header = header.split(" #").next().unwrap_or_default().trim_end();
        let header =
            header.trim_end_matches(|c: char| matches!(c, '+' | '-') || c.is_ascii_digit());
        let block = before.ends_with('\n') && header.ends_with(['|', '>']);
        // A tag says what is meant: `!!str no`.
        let word = before.trim_end().rsplit([' ', '\n']).next().unwrap_or_default();
        !raw.starts_with(['"', '\'']) && !raw.contains('\n') && !block && !word.starts_with('!')
    }

    fn report(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: String,
        label: &str,
        help: &str,
    ) {
        let (span, label, help) = (span.clone(), label.to_owned(), Some(help.to_owned()));
        self.faults.push(Fault { code, span, message, label, help });
    }
}

/// Why a number would not come out as it went in.
fn inexact(raw: &str, value: &Value) -> Option<&'static str> {
    let digits = raw.strip_prefix(['-', '+']).unwrap_or(raw);
    let integer = digits.bytes().all(|c| c.is_ascii_digit());
    if let Value::Number(number) = value {
        return (integer && number.is_f64()).then_some("more than 64 bits");
    }
    let lower = digits.to_ascii_lowercase();
    let infinite = matches!(lower.as_str(), ".inf" | ".nan")
        || (digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && digits.parse().is_ok_and(f64::is_infinite));
    infinite.then_some("not a finite number")
}

/// As JSON, mappings in the order of the file.
impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Null | Value::Refused => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Number(number) => number.serialize(serializer),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(items) => serializer.collect_seq(items),
            Value::Map(entries) => serializer.collect_map(
                entries.iter().map(|(key, value)| (key.value.text().unwrap_or_default(), value)),
            ),
        }
    }
}
