//! Reads one value as the kind its row of the grammar gives, within the limits of that row.

use std::time::Duration;

use regex::RegexBuilder;
use serde_json::Number;

use super::Pattern;
use super::diagnostics::{Checked, Diagnostics, Reported};
use super::duration::{self, DurationError};
use super::fault::{quoted, shortened};
use super::field::Field;
use super::file::{Node, Value};
use super::grammar::{Kind, Word};
use super::threshold::{decimal, percentage};

/// A compiled regular expression, in bytes: what people write takes a few kB.
const MAX_COMPILED: usize = 1 << 20;

/// A reader was used for a row of another kind: a mistake of ours, which any use of it shows.
pub(super) fn mismatch(field: &Field<'_>) -> ! {
    unreachable!("`{}` is {}, and is read as something else", field.name, field.key.kind.noun())
}

/// The entries of a mapping.
pub(super) fn entries<'t>(
    field: &Field<'t>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<&'t [(Node, Node)]> {
    field.value.value.entries().ok_or_else(|| diagnostics.wrong_type(field))
}

/// The items of a list; anything else is the only item.
pub(super) fn one_or_many<'t>(field: &Field<'t>) -> &'t [Node] {
    field.value.value.items().unwrap_or_else(|| std::slice::from_ref(field.value))
}

/// The items of a list, each with its row.
pub(super) fn list<'t>(
    field: &Field<'t>,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<Vec<Field<'t>>> {
    let Kind::List { item, max } = &field.key.kind else { mismatch(field) };
    let items = field.value.value.items().ok_or_else(|| diagnostics.wrong_type(field))?;
    if items.is_empty() {
        let message = format!("{} is empty", quoted(field.name));
        let help = format!("write `{}`", field.key.example);
        return Err(diagnostics.report("scenario::empty", &field.at, message, "no items", help));
    }
    if items.len() > *max {
        return Err(diagnostics.report(
            "scenario::too_large",
            &field.at,
            format!("too many items in {}", quoted(field.name)),
            format!("{} items, at most {max}", items.len()),
            "split the scenario",
        ));
    }
    let field = |value| Field { name: item.name, key: item, at: place(value), value };
    Ok(items.iter().map(field).collect())
}

/// An item of a list has no key that names it; the first key of a mapping shows where it begins.
fn place(item: &Node) -> std::ops::Range<usize> {
    let first = item.value.entries().and_then(|entries| entries.first());
    first.map_or(&item.span, |(key, _)| &key.span).clone()
}

/// Any string.
pub(super) fn string<'t>(field: &Field<'t>, diagnostics: &mut Diagnostics<'_>) -> Checked<&'t str> {
    if let Some(text) = field.value.value.text() {
        return Ok(text);
    }
    let raw = diagnostics.source.get(field.value.span.clone()).unwrap_or_default();
    let help = if field.value.value.is_unquoted() {
        format!("write `\"{}\"`, with the quotes", shortened(raw))
    } else {
        format!("write `{}`", field.key.example)
    };
    Err(diagnostics.not_a(field, "a string", help))
}

/// A string on one line within the limits of its row, without whitespace at either end.
pub(super) fn text(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<String> {
    let (Kind::Text { max, .. }
    | Kind::Texts { max, .. }
    | Kind::Name { max }
    | Kind::Pattern { max }
    | Kind::Variable { max }
    | Kind::Value { max, .. }
    | Kind::Values { max, .. }
    | Kind::Path { max }) = field.key.kind
    else {
        mismatch(field)
    };
    let may_be_empty = matches!(field.key.kind, Kind::Text { min: 0, .. });
    let text = string(field, diagnostics)?;
    let count = text.chars().count();
    let (message, label) = if text.is_empty() && may_be_empty {
        return Ok(String::new());
    } else if text.trim().is_empty() {
        (format!("{} is empty", quoted(field.name)), String::new())
    } else {
        let label = if count > max {
            format!("{count} characters, at most {max}")
        } else if text.chars().any(char::is_control) {
            "contains a line break or a control character".to_owned()
        } else if text.trim() != text {
            "has leading or trailing whitespace".to_owned()
        } else {
            return Ok(text.to_owned());
        };
        (cannot_be(field, text), label)
    };
    let help = format!("write {}, such as `{}`", field.key.kind.wanted(), field.key.example);
    Err(diagnostics.report("scenario::bad_text", &field.value.span, message, label, help))
}

/// A string that can be part of a room name.
pub(super) fn name(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<String> {
    let name = text(field, diagnostics)?;
    let fits =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if begins && name.chars().all(fits) {
        return Ok(name);
    }
    let proposal: String =
        name.to_ascii_lowercase().chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let proposal = proposal.trim_matches(['-', '_', '.']);
    let help = if proposal.is_empty() { field.key.example } else { proposal };
    Err(diagnostics.report(
        "scenario::bad_name",
        &field.value.span,
        cannot_be(field, &name),
        "only lower-case letters, digits, `-`, `_` and `.`, a letter or digit first",
        format!("write `{help}`; it becomes part of room names"),
    ))
}

/// The name of an environment variable.
pub(super) fn variable(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<String> {
    let name = text(field, diagnostics)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(name);
    }
    Err(diagnostics.report(
        "scenario::bad_name",
        &field.value.span,
        cannot_be(field, &name),
        "not the name of an environment variable",
        format!("write letters, digits and `_`, no digit first, such as `{}`", field.key.example),
    ))
}

/// A string, or a list of strings.
pub(super) fn texts(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<Vec<String>> {
    let Kind::Texts { max_items, .. } = field.key.kind else { mismatch(field) };
    let items = one_or_many(field);
    if items.is_empty() || items.len() > max_items {
        let message = format!("{} takes 1 to {max_items} strings", quoted(field.name));
        let label = format!("{} strings", items.len());
        let help = format!("write `{}`", field.key.example);
        return Err(diagnostics.report("scenario::empty", &field.at, message, label, help));
    }
    let each = items.iter().map(|value| text(&Field { value, ..field.clone() }, diagnostics));
    let all: Vec<Checked<String>> = each.collect();
    all.into_iter().collect()
}

/// A regular expression.
pub(super) fn pattern(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<Pattern> {
    let text = text(field, diagnostics)?;
    RegexBuilder::new(&text).size_limit(MAX_COMPILED).build().map(Pattern).map_err(|error| {
        let label = if matches!(error, regex::Error::CompiledTooBig(_)) {
            "too large".to_owned()
        } else {
            // The last line says what; those before show where, which the report does itself.
            let text = error.to_string();
            text.lines().last().unwrap_or_default().trim().replace("error: ", "")
        };
        let help = format!(
            "write a regular expression of the Rust crate `regex`, such as `{}`",
            field.key.example
        );
        diagnostics.report(
            "scenario::bad_pattern",
            &field.value.span,
            cannot_be(field, &text),
            label,
            help,
        )
    })
}

/// A duration within the limits of its row.
pub(super) fn duration(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<Duration> {
    const EXAMPLES: &str = "write a duration such as `500ms`, `2s` or `1m 30s`";
    let Kind::Duration { min, max } = field.key.kind else { mismatch(field) };
    let raw = diagnostics.source.get(field.value.span.clone()).unwrap_or_default();
    let text = match &field.value.value {
        Value::Text(text) => text.as_str(),
        Value::Number(_) => raw,
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) | Value::Refused => {
            return Err(diagnostics.not_a(field, "a duration", EXAMPLES));
        }
    };
    let length = duration::parse(text).map_err(|error| {
        let help = match error {
            DurationError::NoUnit => {
                let number = shortened(text.trim());
                format!("write `{number}s` for seconds, `{number}ms` for milliseconds")
            }
            DurationError::Negative | DurationError::Calendar | DurationError::Unreadable => {
                EXAMPLES.to_owned()
            }
        };
        let message = cannot_be(field, text);
        let (span, label) = (&field.value.span, error.to_string());
        diagnostics.report("scenario::bad_duration", span, message, label, help)
    })?;
    if (min..=max).contains(&length) {
        return Ok(length);
    }
    Err(out_of_range(field, text, diagnostics))
}

/// An integer within the limits of its row.
pub(super) fn integer(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<u64> {
    let Kind::Integer { min, max } = field.key.kind else { mismatch(field) };
    let number = match &field.value.value {
        Value::Number(number) => number.clone(),
        Value::Text(text) if field.value.filled => filled_integer(field, text, diagnostics)?,
        Value::Null
        | Value::Bool(_)
        | Value::Text(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Refused => {
            let help = format!("write {}", field.key.kind.wanted());
            return Err(diagnostics.not_a(field, "an integer", help));
        }
    };
    let within = number.as_u64().filter(|number| (min..=max).contains(number));
    within.ok_or_else(|| out_of_range(field, &number.to_string(), diagnostics))
}

/// A string that a variable was put into can only be meant as the number that it spells.
fn filled_integer(
    field: &Field<'_>,
    text: &str,
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<Number> {
    let digits = text.bytes().all(|c| c.is_ascii_digit());
    let number: Option<u64> = digits.then(|| text.parse().ok()).flatten();
    number.map(Number::from).ok_or_else(|| {
        let help = format!("set the variable to {}", field.key.kind.wanted());
        let (span, message) = (&field.value.span, cannot_be(field, text));
        diagnostics.report("scenario::wrong_type", span, message, "not an integer", help)
    })
}

/// A percentage as a fraction of 1. It needs its sign: a bare `8` or `0.08` could be read either way.
pub(super) fn percent(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<f64> {
    let Kind::Percentage = field.key.kind else { mismatch(field) };
    let text = match &field.value.value {
        Value::Text(text) => text.as_str(),
        Value::Number(_) => diagnostics.source.get(field.value.span.clone()).unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) | Value::Refused => {
            return Err(diagnostics.wrong_type(field));
        }
    };
    percentage(text).ok_or_else(|| {
        // `0.08` was meant as a fraction, `8` as percent.
        let percent = decimal(text).map(|n| if n < 1.0 { n * 100.0 } else { n });
        let help = percent.filter(|percent| *percent <= 100.0).map_or_else(
            || format!("write {}, such as `{}`", field.key.kind.wanted(), field.key.example),
            |percent| format!("write `{}%`", (percent * 1e3).round() / 1e3),
        );
        let (span, message) = (&field.value.span, cannot_be(field, text));
        diagnostics.report("scenario::bad_baseline", span, message, "not a percentage", help)
    })
}

/// A part of 1, as a fraction.
pub(super) fn fraction(field: &Field<'_>, diagnostics: &mut Diagnostics<'_>) -> Checked<f64> {
    let Kind::Fraction = field.key.kind else { mismatch(field) };
    let raw = match &field.value.value {
        Value::Text(text) => text.as_str(),
        Value::Number(_) => diagnostics.source.get(field.value.span.clone()).unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) | Value::Refused => {
            return Err(diagnostics.wrong_type(field));
        }
    };
    let number =
        if let Value::Number(number) = &field.value.value { number.as_f64() } else { None };
    if let Some(part) = number.filter(|part| *part > 0.0 && *part <= 1.0) {
        return Ok(part);
    }
    // `90%` and `90` were meant as percent.
    let part_of_1 = |n: f64| if n < 2.0 { n } else { n / 100.0 };
    let meant = percentage(raw).or_else(|| decimal(raw).map(part_of_1));
    let help = meant.filter(|part| *part > 0.0 && *part <= 1.0).map_or_else(
        || format!("write {}, such as `{}`", field.key.kind.wanted(), field.key.example),
        |part| format!("write `{}`", (part * 1e5).round() / 1e5),
    );
    let (span, message) = (&field.value.span, cannot_be(field, raw));
    Err(diagnostics.report("scenario::out_of_range", span, message, "not a part of 1", help))
}

/// One of a closed set of words.
pub(super) fn one_of<T: Copy>(
    field: &Field<'_>,
    words: &[Word<T>],
    diagnostics: &mut Diagnostics<'_>,
) -> Checked<T> {
    let Kind::OneOf { reserved, .. } = field.key.kind else { mismatch(field) };
    let example = format!("write {}", field.key.kind.wanted());
    let Some(text) = field.value.value.text() else {
        return Err(diagnostics.not_a(field, "a string", example));
    };
    if let Some(word) = words.iter().find(|word| word.name == text) {
        return Ok(word.means);
    }
    if reserved.contains(&text) {
        let what = quoted(&format!("{}: {text}", field.name));
        return Err(diagnostics.unsupported(field.value, &what, &example));
    }
    let names: Vec<&str> = words.iter().map(|word| word.name).collect();
    let help =
        diagnostics.similar(text, &names).map_or(example, |name| format!("did you mean `{name}`?"));
    let (span, message) = (&field.value.span, cannot_be(field, text));
    Err(diagnostics.report("scenario::unknown_word", span, message, "unknown word", help))
}

/// "`within` cannot be `soon`".
pub(super) fn cannot_be(field: &Field<'_>, text: &str) -> String {
    format!("{} cannot be {}", quoted(field.name), quoted(text))
}

fn out_of_range(field: &Field<'_>, text: &str, diagnostics: &mut Diagnostics<'_>) -> Reported {
    let help = format!("write {}", field.key.kind.wanted());
    let (span, message) = (&field.value.span, cannot_be(field, text));
    diagnostics.report("scenario::out_of_range", span, message, "out of range", help)
}
