//! The path of `--set`: keys with dots between them, `turns.hours.expect.within=3s`. A key with a dot or an
//! equals sign in it stands in quotes, and an entry of a list may stand in brackets.

use std::borrow::Cow;
use std::ops::Range;

/// One key of a path, or one entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment<'t> {
    pub name: Cow<'t, str>,
    /// Where it is written, in bytes of the source.
    pub span: Range<usize>,
}

impl Segment<'_> {
    pub(super) fn key(name: &'static str, span: Range<usize>) -> Self {
        Self { name: Cow::Borrowed(name), span }
    }
}

/// Where in the source a path is wrong, and how.
type Wrong = (Range<usize>, String);

/// The segments of the path before `=`, and the text behind it. `at` is where the text begins in the source.
pub(super) fn split(text: &str, at: usize) -> Result<(Vec<Segment<'_>>, &str), Wrong> {
    let mut segments = Vec::new();
    let mut rest = text;
    loop {
        let begin = text.len() - rest.len();
        let (name, after) = segment(rest).map_err(|why| (at + begin..at + text.len(), why))?;
        let end = text.len() - after.len();
        segments.push(Segment { name: Cow::Borrowed(name), span: at + begin..at + end });
        if let Some(value) = after.strip_prefix('=') {
            return Ok((segments, value));
        }
        rest = match after.strip_prefix('.') {
            Some(rest) => rest,
            None if after.starts_with('[') => after,
            None if after.is_empty() => {
                return Err((at..at + text.len(), "there is no `=` with a value".to_owned()));
            }
            None => {
                let span = at + end..at + text.len();
                return Err((span, "expected `.`, `[` or `=`".to_owned()));
            }
        };
    }
}

/// Where the path of a text ends: at its `=`, or at its end.
pub(super) fn end(text: &str) -> usize {
    split(text, 0).map_or(text.len(), |(_, value)| text.len() - value.len() - 1)
}

/// The first segment of a text, and what follows it.
fn segment(text: &str) -> Result<(&str, &str), String> {
    if let Some(inner) = text.strip_prefix('[') {
        let end = inner.find([']', '=']).unwrap_or(inner.len());
        let (name, rest) = quoted(inner)?.unwrap_or_else(|| inner.split_at(end));
        let rest = rest.strip_prefix(']').ok_or("`[` is not closed")?;
        return not_empty(name, rest);
    }
    if let Some((name, rest)) = quoted(text)? {
        return not_empty(name, rest);
    }
    let end = text.find(['.', '[', '=']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    not_empty(name, rest)
}

fn not_empty<'t>(name: &'t str, rest: &'t str) -> Result<(&'t str, &'t str), String> {
    if name.is_empty() { Err("a key is missing".to_owned()) } else { Ok((name, rest)) }
}

/// The string in quotes at the beginning of a text, and what follows it.
fn quoted(text: &str) -> Result<Option<(&str, &str)>, String> {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote) {
            return inner.split_once(quote).map(Some).ok_or("a quote is not closed".to_owned());
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<(Vec<String>, &str), Wrong> {
        let (segments, value) = split(text, 0)?;
        Ok((segments.into_iter().map(|segment| segment.name.into_owned()).collect(), value))
    }

    #[test]
    fn a_path_is_keys_with_dots_between_them() {
        for (text, path, value) in [
            ("load.calls=20", &["load", "calls"][..], "20"),
            ("name=", &["name"], ""),
            ("a.b=c=d.e", &["a", "b"], "c=d.e"),
            ("turns[0].say=x", &["turns", "0", "say"], "x"),
            ("turns[hours]=x", &["turns", "hours"], "x"),
            ("caller.attributes.\"sip.phone=1\"=x", &["caller", "attributes", "sip.phone=1"], "x"),
            ("caller.attributes['a.b']=x", &["caller", "attributes", "a.b"], "x"),
        ] {
            let path = path.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(names(text), Ok((path, value)), "{text}");
            assert_eq!(&text[end(text) + 1..], value);
        }
    }

    #[test]
    fn each_key_knows_its_place() {
        let text = "turns[0].\"a\"=x";
        let (segments, _) = split(text, 6).ok().unwrap();
        let places: Vec<&str> =
            segments.iter().map(|s| &text[s.span.start - 6..s.span.end - 6]).collect();
        assert_eq!(places, ["turns", "[0]", "\"a\""]);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "", "=", "a", "a.b", ".a=1", "a..b=1", "a.=1", "a[0=1", "a[]=1", "\"a=1", "\"a\"b=1",
            "a[0]b=1",
        ] {
            assert!(names(text).is_err(), "{text}");
            assert_eq!(end(text), text.len());
        }
    }
}
