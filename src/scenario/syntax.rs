//! Words the errors of the YAML engine and the limits of a file, each with its remedy.

use std::ops::Range;

use super::brackets;
use super::fault::{Fault, floor_boundary};

/// A scenario file larger than this is not read.
pub(super) const MAX_BYTES: usize = 1024 * 1024;
/// Lists and mappings nested deeper than this are refused.
pub(super) const MAX_DEPTH: usize = 32;
/// Scalars, lists and mappings in one file, those that aliases repeat included.
pub(super) const MAX_NODES: usize = 50_000;

/// Why the YAML engine gave up.
pub(super) enum Refusal {
    SecondDocument,
    UnknownAnchor,
    Recursive,
    TooMuch(Limit),
    /// The text breaks YAML's grammar; holds the engine's message.
    Grammar(String),
}

/// What there was too much of.
#[derive(Clone, Copy)]
pub(super) enum Limit {
    Bytes,
    Depth,
    Nodes,
}

/// The fault of a file that could not be read as YAML. `span` is where the engine stopped.
pub(super) fn fault(source: &str, refusal: Refusal, span: Range<usize>) -> Fault {
    let (message, label, help) = match refusal {
        Refusal::TooMuch(limit) => return too_large(limit, span),
        Refusal::SecondDocument => (
            "a scenario file holds one document",
            "a second one begins here",
            "remove it, or put it into a file of its own".to_owned(),
        ),
        Refusal::UnknownAnchor => (
            "unknown alias",
            "no anchor of this name before this line",
            "put `*…` in quotes if it is a string, or mark the value to repeat with `&name`"
                .to_owned(),
        ),
        Refusal::Recursive => (
            "an alias inside the value it repeats",
            "would repeat without end",
            "write the value out".to_owned(),
        ),
        Refusal::Grammar(engine) => return grammar(source, &engine, span),
    };
    syntax(message.to_owned(), label, help, span)
}

/// The fault of a file that exceeds a limit of ours.
pub(super) fn too_large(limit: Limit, span: Range<usize>) -> Fault {
    let (message, help) = match limit {
        Limit::Bytes => (
            format!("a scenario file is at most {} KiB long", MAX_BYTES / 1024),
            "is this the file you mean?",
        ),
        Limit::Depth => (
            format!("lists and mappings are nested at most {MAX_DEPTH} deep"),
            "close the brackets before, or flatten the value",
        ),
        Limit::Nodes => (
            format!("a scenario file holds at most {MAX_NODES} values, repeated ones included"),
            "split the scenario, or repeat less through aliases",
        ),
    };
    Fault {
        code: "scenario::too_large",
        span,
        message,
        label: String::new(),
        help: Some(help.to_owned()),
    }
}

/// The engine's messages about grammar are many; those that people meet get a remedy.
fn grammar(source: &str, engine: &str, span: Range<usize>) -> Fault {
    let has = |part: &str| engine.contains(part);
    let rest = source.get(span.start..).unwrap_or_default();
    let character = rest.chars().next();
    if has("recursion limit") {
        return too_large(Limit::Depth, span);
    }
    // The engine stops behind an unclosed bracket, where the next entry of the block stands.
    let in_flow = has("did not find expected ',' or") || has("implicit flow mapping");
    if let Some(at) = brackets::open_at(source, span.start)
        && line_of(source, at) < line_of(source, span.start)
        && !has("quote")
    {
        let in_block = indent_of(source, span.start) <= indent_of(source, at);
        if in_block && !matches!(character, Some(']' | '}')) {
            return unclosed(source, at);
        }
        if in_flow {
            let (open, line) = (&source[at..=at], line_of(source, at));
            let help =
                format!("put one `,` between two entries, or close the `{open}` of line {line}");
            return syntax("expected `,` or a closing bracket".to_owned(), "", help, span);
        }
    }
    let (message, help) = if has("tabs disallowed") || character == Some('\t') {
        ("a tab indents this line", "indent with spaces")
    } else if has("unclosed bracket") {
        if let Some(at) = brackets::open_at(source, source.len()) {
            return unclosed(source, at);
        }
        ("a bracket is not closed", "close `[` with `]` and `{` with `}`")
    } else if has("misplaced bracket") {
        ("unmatched closing bracket", "remove it, or put the string that contains it in quotes")
    } else if has("unclosed quote") {
        ("a quoted string is not closed", "end it with the quote it began with")
    } else if has("trailing content after") {
        (
            "unexpected text after a quoted string",
            "put the whole string in quotes; inside '…' write '' for a quote, inside \"…\" write \\\"",
        )
    } else if has("mapping values are not allowed") {
        (
            "unexpected `:`",
            "put a string that contains `: ` in quotes; begin the keys of one mapping in the same column",
        )
    } else if has("did not find expected ',' or") || has("implicit flow mapping") {
        ("expected `,` or a closing bracket", "put one `,` between two entries")
    } else if has("expected '-' indicator") {
        (
            "this line is not an item of the list above",
            "begin it with `- `, or change its indentation",
        )
    } else if has("did not find expected key") {
        (
            "this line is not a key of the mapping above",
            "begin the keys of one mapping in the same column",
        )
    } else if has("unsupported tag") {
        ("tags are not supported", "put a string that begins with `!` in quotes")
    } else if has("unexpected character") && matches!(character, Some('@' | '%' | '`')) {
        ("an unquoted string cannot begin with this character", "put the string in quotes")
    } else if has("unexpected character") {
        ("a character is not allowed here", "remove it")
    } else {
        return syntax(
            format!("this is not YAML: {engine}"),
            "",
            "look at the indentation, brackets and quotes here and in the line before".to_owned(),
            span,
        );
    };
    syntax(message.to_owned(), "", help.to_owned(), span)
}

/// A bracket that nothing closes.
fn unclosed(source: &str, at: usize) -> Fault {
    let (open, close) = if source[at..].starts_with('[') { ('[', ']') } else { ('{', '}') };
    let message = format!("the bracket `{open}` is not closed");
    syntax(message, "opened here", format!("close it with `{close}`"), at..at + 1)
}

/// The number of the line in which a place is, from 1.
fn line_of(source: &str, at: usize) -> usize {
    source[..floor_boundary(source, at)].matches('\n').count() + 1
}

/// How far the line in which a place is is indented.
fn indent_of(source: &str, at: usize) -> usize {
    let at = floor_boundary(source, at);
    let begin = source[..at].rfind('\n').map_or(0, |end| end + 1);
    source[begin..].bytes().take_while(|c| *c == b' ').count()
}

fn syntax(message: String, label: &str, help: String, span: Range<usize>) -> Fault {
    let label = label.to_owned();
    Fault { code: "scenario::syntax", span, message, label, help: Some(help) }
}
