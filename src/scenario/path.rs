//! The place of a value within JSON: `$.room.name`, `$["a b"][0]`.

use std::fmt;

use serde_json::Value;

/// One step from a value to one within it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Key(String),
    Index(usize),
}

/// A path as it was written, and its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    text: String,
    parts: Vec<Part>,
}

impl JsonPath {
    /// Reads `$` followed by `.key`, `["key"]`, `['key']` and `[0]`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('$')?;
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let (part, after) = next(rest)?;
            parts.push(part);
            rest = after;
        }
        Some(Self { text: text.to_owned(), parts })
    }

    /// The value at this place, if there is one.
    pub fn find<'v>(&self, json: &'v Value) -> Option<&'v Value> {
        self.parts.iter().try_fold(json, |value, part| match part {
            Part::Key(key) => value.get(key),
            Part::Index(index) => value.get(index),
        })
    }
}

/// The first part of a path and what follows it.
fn next(text: &str) -> Option<(Part, &str)> {
    if let Some(text) = text.strip_prefix('.') {
        let end = text.find(['.', '[']).unwrap_or(text.len());
        let (key, rest) = text.split_at(end);
        let plain = !key.is_empty() && !key.contains([' ', ']', '"', '\'', '*', '?', '$', '@']);
        return plain.then(|| (Part::Key(key.to_owned()), rest));
    }
    let text = text.strip_prefix('[')?;
    for quote in ['"', '\''] {
        if let Some(text) = text.strip_prefix(quote) {
            let (key, rest) = text.split_once(quote)?;
            return Some((Part::Key(key.to_owned()), rest.strip_prefix(']')?));
        }
    }
    let (index, rest) = text.split_once(']')?;
    let digits = index.bytes().all(|c| c.is_ascii_digit());
    Some((Part::Index(index.parse().ok().filter(|_| digits)?), rest))
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_found_at_its_place() {
        let answer = json!({"room": {"name": "r"}, "list": [{"a b": 1}, "x"], "t.k": "dot", "": 0});
        for (path, value) in [
            ("$", Some(&answer)),
            ("$.room.name", Some(&json!("r"))),
            ("$['room'][\"name\"]", Some(&json!("r"))),
            ("$.list[0]['a b']", Some(&json!(1))),
            ("$.list[1]", Some(&json!("x"))),
            ("$[\"t.k\"]", Some(&json!("dot"))),
            ("$['']", Some(&json!(0))),
            ("$.list[2]", None),
            ("$.list.room", None),
            ("$.room[0]", None),
            ("$.Room", None),
        ] {
            let read = JsonPath::parse(path).expect(path);
            assert_eq!((read.find(&answer), read.to_string().as_str()), (value, path));
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "",
            "room",
            ".room",
            "$room",
            "$.",
            "$..a",
            "$.a.",
            "$[",
            "$[]",
            "$[a]",
            "$['a]",
            "$['a'",
            "$[-1]",
            "$[+1]",
            "$.*",
            "$[*]",
            "$.a b",
            "$.a]",
            "$[99999999999999999999]",
            "$$.a",
        ] {
            assert_eq!(JsonPath::parse(text), None, "{text}");
        }
    }
}
