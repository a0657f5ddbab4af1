//! What a reply has to hold: words, a pattern, tools the agent has to run.

use regex::{Regex, RegexBuilder};

use super::diagnostic::quoted;
use super::fields::{Checked, Field, Fields, Look};

const MAX_TEXT: usize = 500;
const MAX_ITEMS: usize = 50;
/// Of a compiled pattern, in bytes: what people write takes a few kB.
const MAX_PATTERN: usize = 1 << 20;

/// What the reply to a step has to hold. Empty when the scenario says nothing about it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Content {
    /// Texts that have to occur, whatever their case.
    pub contains: Vec<String>,
    pub matches: Option<Pattern>,
    /// Names of tools the agent has to run in this turn, in any order.
    pub tools: Vec<String>,
}

impl Content {
    pub fn is_empty(&self) -> bool {
        self.contains.is_empty() && self.matches.is_none() && self.tools.is_empty()
    }

    /// Whether the text of the reply has to be known.
    pub fn needs_text(&self) -> bool {
        !self.contains.is_empty() || self.matches.is_some()
    }
}

/// A regular expression, in the syntax of the `regex` crate.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Pattern {
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

/// Reads `text` and `tools` of an expectation.
pub(super) fn content(
    text: Option<&Field<'_>>,
    tools: Option<&Field<'_>>,
    look: &mut Look<'_>,
) -> Checked<Content> {
    let text = text.map_or(Ok((Vec::new(), None)), |field| of_text(field, look));
    let tools = tools
        .map_or(Ok(Vec::new()), |field| lines(field, "the name of a tool, as `[get_hours]`", look));
    let ((contains, matches), tools) = (text?, tools?);
    Ok(Content { contains, matches, tools })
}

fn of_text(field: &Field<'_>, look: &mut Look<'_>) -> Checked<(Vec<String>, Option<Pattern>)> {
    let mut fields = Fields::of(field, "`text`", "`{contains: [nine]}`", look)?;
    let contains = fields
        .take("contains")
        .map_or(Ok(Vec::new()), |field| lines(&field, "words of the reply, as `[nine]`", look));
    let matches = fields.take("matches").map(|field| pattern(&field, look)).transpose();
    fields.finish(&[], look)?;
    let (contains, matches) = (contains?, matches?);
    if contains.is_empty() && matches.is_none() {
        let help = "write `text: {contains: [nine]}` or `text: {matches: \"nine|9\"}`";
        return Err(look.report("scenario::empty", &field.at, "`text` asks for nothing", "", help));
    }
    Ok((contains, matches))
}

/// A text, or a list of texts.
fn lines(field: &Field<'_>, example: &str, look: &mut Look<'_>) -> Checked<Vec<String>> {
    let items = field.one_or_many();
    if items.is_empty() || items.len() > MAX_ITEMS {
        let message = format!("{} has 1 to {MAX_ITEMS} texts", quoted(field.name));
        let label = format!("{} texts", items.len());
        let help = format!("write {example}");
        return Err(look.report("scenario::empty", &field.at, message, label, help));
    }
    let each = items.iter().map(|value| {
        let item = Field { name: field.name, at: field.at.clone(), value };
        item.line(MAX_TEXT, example, look).map(str::to_owned)
    });
    let all: Vec<Checked<String>> = each.collect();
    all.into_iter().collect()
}

fn pattern(field: &Field<'_>, look: &mut Look<'_>) -> Checked<Pattern> {
    let text = field.line(MAX_TEXT, "a regular expression, such as `\"nine|9\"`", look)?;
    RegexBuilder::new(text).size_limit(MAX_PATTERN).build().map(Pattern).map_err(|error| {
        let label = if matches!(error, regex::Error::CompiledTooBig(_)) {
            "too large".to_owned()
        } else {
            // The last line says what; those before show where, which the report does itself.
            let text = error.to_string();
            text.lines().last().unwrap_or_default().trim().replace("error: ", "")
        };
        let message = format!("`matches` cannot be {}", quoted(text));
        let help = "write a regular expression of the regex crate, such as `\"(?i)nine|9\"`";
        look.report("scenario::bad_pattern", &field.value.span, message, label, help)
    })
}
