//! Puts what flags set into the tree of a scenario file, before it is checked: a value that a flag gives is
//! checked as one that the file has, and its faults point at the flag.

use std::ops::Range;

use super::diagnostics::{Checked, Diagnostics, Reported};
use super::fault::quoted;
use super::file::{self, Node, Value};
use super::keys::{self, Segment};
use super::overlay::{Override, SourceText};
use super::syntax::MAX_DEPTH;

/// More flags, or longer ones, are a mistake or an attack.
const MAX_OVERRIDES: usize = 100;
const MAX_LENGTH: usize = 64 * 1024;

/// Where a value is in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// Sets the values of all flags. What cannot be set is reported, and left out.
pub(super) fn apply(tree: &mut Node, source: &SourceText<'_>, diagnostics: &mut Diagnostics<'_>) {
    // A file that is no mapping has a fault of its own.
    if !matches!(tree.value, Value::Map(_)) {
        return;
    }
    let concurrency = source.overrides().any(|(flag, _)| matches!(flag, Override::Concurrency(_)));
    let mut done: Vec<(Vec<Step>, &Override)> = Vec::new();
    for (count, (flag, at)) in source.overrides().enumerate() {
        if count == MAX_OVERRIDES || flag.argument().len() > MAX_LENGTH {
            let message = format!(
                "flags set at most {MAX_OVERRIDES} values, each of at most {} KiB",
                MAX_LENGTH / 1024
            );
            let help = "write a scenario file of its own";
            diagnostics.report("scenario::too_large", &(at..at), message, "", help);
            return;
        }
        let Ok((mut path, value)) = read(flag, at, diagnostics) else { continue };
        let span = value.span.clone();
        if let Override::Calls(_) = flag {
            if has_repeats(tree) {
                path = vec![Segment::key("repeats", at..at + flag.flag().len())];
            } else {
                repeated(tree, &path, &value, concurrency);
            }
        }
        let Ok(place) = set(tree, &path, value, diagnostics) else { continue };
        if let Some((_, earlier)) = done.iter().find(|(other, _)| other.starts_with(&place)) {
            let argument = flag.argument();
            let name = argument.get(..keys::end(argument)).unwrap_or_default();
            let message = match flag {
                Override::Set(_) => format!("{} is set twice", quoted(name)),
                Override::Agent(_) | Override::Calls(_) | Override::Concurrency(_) => {
                    format!("{} is set twice", quoted(flag.flag()))
                }
            };
            let label = format!("would undo {}", quoted(&earlier.to_string()));
            let help = "keep one of the two";
            diagnostics.report("scenario::set_twice", &span, message, label, help);
        }
        done.push((place, flag));
    }
}

/// The path that a flag names, and its value; `at` is where the flag stands in the source.
fn read<'t>(
    flag: &'t Override,
    at: usize,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<(Vec<Segment<'t>>, Node)> {
    let word = at..at + flag.flag().len();
    let begin = word.end + 1;
    let fixed = |path: &[&'static str]| {
        path.iter().map(|name| Segment::key(name, word.clone())).collect::<Vec<_>>()
    };
    match flag {
        // A name is a string, also if it looks like a number.
        Override::Agent(name) => {
            let value = Value::Text(name.clone());
            Ok((fixed(&["agent", "name"]), node(value, begin..begin + name.len())))
        }
        Override::Calls(text) => Ok((fixed(&["load", "calls"]), yaml(text, begin, diagnostics)?)),
        Override::Concurrency(text) => {
            Ok((fixed(&["load", "concurrency"]), yaml(text, begin, diagnostics)?))
        }
        Override::Set(text) => {
            let (path, value) = keys::split(text, begin).map_err(|(span, message)| {
                let help = "write the keys to a value with dots between them, and `=` and the value, \
                            such as `load.calls=20` or `turns.hours.expect.within=3s`; a key with a \
                            dot in it stands in quotes";
                diagnostics.report("scenario::bad_path", &span, message, "", help)
            })?;
            if path.len() > MAX_DEPTH {
                let message = format!("a path has at most {MAX_DEPTH} keys");
                let span = begin..begin + text.len();
                let code = "scenario::too_large";
                return Err(diagnostics.report(code, &span, message, "", "shorten it"));
            }
            let value_at = text.len() - value.len();
            Ok((path, yaml(value, begin + value_at, diagnostics)?))
        }
    }
}

fn node(value: Value, span: Range<usize>) -> Node {
    Node { used: span.clone(), span, value, filled: false }
}

/// A value as YAML, whose text begins at `at` of the source.
fn yaml(text: &str, at: usize, diagnostics: &mut Diagnostics<'_>) -> Checked<Node> {
    let mut faults = Vec::new();
    let tree = file::read(text, &mut faults);
    let mut outcome = Err(None);
    match tree {
        Ok(mut tree) => {
            shift(&mut tree, at);
            if matches!(tree.value, Value::Null) {
                tree.span = at..at + text.len();
            }
            outcome = Ok(tree);
        }
        Err(fault) => faults.push(fault),
    }
    for mut fault in faults {
        fault.span = fault.span.start + at..fault.span.end + at;
        let reported = diagnostics.add(fault);
        if let Err(first) = &mut outcome {
            *first = Some(reported);
        }
    }
    outcome.map_err(|reported: Option<Reported>| {
        reported.unwrap_or_else(|| unreachable!("a text without a tree has a fault"))
    })
}

/// The places of a tree that was read from a part of the source.
fn shift(node: &mut Node, by: usize) {
    for span in [&mut node.span, &mut node.used] {
        *span = span.start + by..span.end + by;
    }
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| shift(item, by)),
        Value::Map(entries) => {
            for (key, value) in entries {
                shift(key, by);
                shift(value, by);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Refused => {}
    }
}

/// Whether the file has `repeats`, which says how many calls there are in the place of `load`.
fn has_repeats(tree: &Node) -> bool {
    if let Value::Map(root) = &tree.value { find(root, "repeats").is_some() } else { false }
}

/// `--calls` makes a repeated scenario of one that is called once, and places no more calls at a time than
/// there are: whoever wants two calls of a scenario with five at a time should not need a second flag.
fn repeated(tree: &mut Node, path: &[Segment<'_>], calls: &Node, concurrency: bool) {
    let Value::Map(root) = &mut tree.value else { return };
    let Some(word) = path.first().map(|segment| segment.span.clone()) else { return };
    let text = |text: &str| Value::Text(text.to_owned());
    let at = find(root, "load").unwrap_or_else(|| {
        root.push((node(text("load"), word.clone()), node(Value::Null, word.clone())));
        root.len() - 1
    });
    let load = &mut root[at].1;
    if matches!(load.value, Value::Null) {
        load.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut load.value else { return };
    match find(entries, "executor") {
        None => entries.push((node(text("executor"), word.clone()), node(text("repeat"), word))),
        Some(at) if entries[at].1.value.text() == Some("once") => {
            entries[at].1.value = text("repeat");
        }
        Some(_) => {}
    }
    let number = |node: &Node| {
        if let Value::Number(number) = &node.value { number.as_u64() } else { None }
    };
    if !concurrency
        && let Some(at) = find(entries, "concurrency")
        && let (Some(of_file), Some(calls)) = (number(&entries[at].1), number(calls))
        && (1..of_file).contains(&calls)
    {
        entries[at].1.value = Value::Number(calls.into());
    }
}

/// Where a key of a mapping is.
fn find(entries: &[(Node, Node)], name: &str) -> Option<usize> {
    entries.iter().position(|(key, _)| key.value.text() == Some(name))
}

/// Puts a value at a place of the tree, and gives the place.
fn set(
    tree: &mut Node,
    path: &[Segment<'_>],
    value: Node,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<Vec<Step>> {
    let mut place = Vec::new();
    let mut at = tree;
    let mut value = Some(value);
    for (depth, segment) in path.iter().enumerate() {
        let (step, key, next) = enter(at, segment, diagnostics)?;
        place.push(step);
        at = next;
        if depth + 1 == path.len()
            && let Some(value) = value.take()
        {
            // What is missing in the value is missing at the flag.
            if let Some(key) = key {
                key.span = segment.span.clone();
                key.used = segment.span.clone();
            }
            *at = value;
            break;
        }
    }
    Ok(place)
}

/// One step into the tree. A key that is not there is added: whether it may be there is the grammar's matter.
fn enter<'n>(
    at: &'n mut Node,
    segment: &Segment<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<(Step, Option<&'n mut Node>, &'n mut Node)> {
    if matches!(at.value, Value::Null) {
        at.value = Value::Map(Vec::new());
    }
    let name = segment.name.as_ref();
    let what = match &mut at.value {
        Value::Map(entries) => {
            let index = find(entries, name).unwrap_or_else(|| {
                let span = &segment.span;
                let key = node(Value::Text(name.to_owned()), span.clone());
                entries.push((key, node(Value::Null, span.clone())));
                entries.len() - 1
            });
            let (key, value) = &mut entries[index];
            return Ok((Step::Key(name.to_owned()), Some(key), value));
        }
        Value::List(items) => {
            let index = position(items, segment, diagnostics)?;
            return Ok((Step::Index(index), None, &mut items[index]));
        }
        Value::Text(_) | Value::Null => "a string",
        Value::Number(_) => "a number",
        Value::Bool(_) => "a boolean",
        // It has a fault.
        Value::Refused => "not readable",
    };
    let message = format!("{} has no place in a value that has no keys", quoted(name));
    let help = "set the whole value, or another one";
    let (code, label) = ("scenario::bad_path", format!("the value before it is {what}"));
    Err(diagnostics.report(code, &segment.span, message, label, help))
}

/// The entry of a list that a segment names: by its `id`, else by its number from 0.
fn position(
    items: &[Node],
    segment: &Segment<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<usize> {
    let name = segment.name.as_ref();
    let id = |item: &Node| {
        let entries = item.value.entries()?;
        let (_, id) = entries.iter().find(|(key, _)| key.value.text() == Some("id"))?;
        id.value.text().map(str::to_owned)
    };
    let ids: Vec<Option<String>> = items.iter().map(id).collect();
    let by_id = ids.iter().position(|id| id.as_deref() == Some(name));
    let number = name.bytes().all(|c| c.is_ascii_digit()).then(|| name.parse().ok()).flatten();
    let by_number = number.filter(|index| *index < items.len());
    if let Some(index) = by_id.or(by_number) {
        return Ok(index);
    }
    let named: Vec<&str> = ids.iter().flatten().map(String::as_str).collect();
    let help = if let Some(similar) = diagnostics.similar(name, &named) {
        format!("did you mean `{similar}`?")
    } else if named.is_empty() {
        format!("write a number from 0 to {}", items.len().saturating_sub(1))
    } else {
        let shown: Vec<&str> = named.iter().take(8).copied().collect();
        let more = if named.len() > shown.len() { ", …" } else { "" };
        let last = items.len().saturating_sub(1);
        format!("write one of {}{more}, or a number from 0 to {last}", shown.join(", "))
    };
    let message = format!("no entry {} in this list", quoted(name));
    Err(diagnostics.report("scenario::bad_path", &segment.span, message, "unknown entry", help))
}

#[cfg(test)]
mod tests;
