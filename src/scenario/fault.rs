//! A fault of a scenario file, and how it looks: code, place, source line, caret and remedy, drawn by
//! the renderer that rustc and cargo use. Finds no faults itself.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{
    AnnotationKind, Level, Origin, Renderer, Snippet, normalize_untrusted_str,
};

use super::ClipRef;
use super::overlay::SourceText;

/// More faults than this are counted, not drawn: nobody reads them, and a hostile file can hold 10⁵.
pub(super) const MAX_DRAWN: usize = 100;
/// The renderer reads a whole line to draw 140 columns of it, so of a line longer than this (in bytes) it
/// gets a part.
const MAX_LINE: usize = 4_096;
/// Stands for the path of a fault that is in a flag.
const COMMAND_LINE: &str = "command line";
/// Text of the user's is quoted in a message up to this many characters.
const MAX_QUOTED: usize = 48;

/// One thing that is wrong in a scenario file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Stable name of the kind of fault, such as `scenario::unknown_key`.
    pub code: &'static str,
    /// The place, in bytes of the scenario text.
    pub span: Range<usize>,
    /// What is wrong, naming the value.
    pub message: String,
    /// Stands beside the caret; may be empty.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// Whether a rendered fault carries ANSI colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Coloured,
}

impl Fault {
    /// A clip that does not exist; `help` says what does.
    pub fn missing_clip(clip: &ClipRef, help: String) -> Self {
        Self {
            code: "scenario::missing_clip",
            span: clip.span.clone(),
            message: format!("clip {} does not exist", quoted(&clip.file)),
            label: "not found".to_owned(),
            help: Some(help),
        }
    }

    /// A clip that exists but cannot be played, with what can be done.
    pub fn bad_clip(clip: &ClipRef, why: &str, help: Option<String>) -> Self {
        Self {
            code: "scenario::bad_clip",
            span: clip.span.clone(),
            message: format!("clip {} cannot be used", quoted(&clip.file)),
            label: why.to_owned(),
            help,
        }
    }

    /// Where this fault begins in the file: line and column in characters, both from 1; `None` where it is in a
    /// flag.
    pub fn place(&self, source: &SourceText<'_>) -> Option<(usize, usize)> {
        let place = source.place(&self.span);
        if place.flags {
            return None;
        }
        let before = &place.text[..floor_boundary(place.text, place.span.start)];
        let line = before.rsplit('\n').next().unwrap_or_default();
        let line = line.trim_start_matches('\u{feff}');
        Some((before.matches('\n').count() + 1, line.chars().count() + 1))
    }

    /// Draws this fault. `source` is what was parsed, `path` the name to show for its file. Ends without a
    /// newline.
    pub fn render<'s>(
        &self,
        path: &str,
        source: impl Into<SourceText<'s>>,
        style: Style,
    ) -> String {
        self.draw(path, &source.into(), style)
    }

    fn draw(&self, path: &str, source: &SourceText<'_>, style: Style) -> String {
        let place = source.place(&self.span);
        let line = Line::of(place.text, &place.span);
        let path = if place.flags { COMMAND_LINE } else { path };
        let annotation = AnnotationKind::Primary
            .span(line.span)
            .label((!self.label.is_empty()).then_some(self.label.as_str()));
        let snippet = Snippet::source(line.text).line_start(line.number).annotation(annotation);
        let title = Level::ERROR.primary_title(self.message.as_str()).id(self.code);
        // A path is drawn as it is given.
        let path = normalize_untrusted_str(path);
        let mut group = match line.cut_column {
            None => title.element(snippet.path(path)),
            Some(column) => title
                .element(Origin::path(path).line(line.number).char_column(column))
                .element(snippet),
        };
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(normalize_untrusted_str(help)));
        }
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Coloured => Renderer::styled(),
        };
        renderer.render(&[group]).trim_end().to_owned()
    }
}

/// Every fault found in a scenario, in the order of the text; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// The faults in the order of the text, or `None` when there are none.
    pub fn from_vec(mut faults: Vec<Fault>) -> Option<Self> {
        let key = |fault: &Fault| (fault.span.start, fault.span.end, fault.code);
        faults.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message)));
        // An alias shows its target's faults once for every use of it.
        faults.dedup();
        (!faults.is_empty()).then_some(Self(faults))
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }

    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Draws every fault, a blank line between two. Arguments as for [`Fault::render`].
    pub fn render<'s>(
        &self,
        path: &str,
        source: impl Into<SourceText<'s>>,
        style: Style,
    ) -> String {
        let source = source.into();
        let drawn = self.iter().take(MAX_DRAWN).map(|fault| fault.draw(path, &source, style));
        let mut blocks: Vec<String> = drawn.collect();
        if let Some(more) = self.len().checked_sub(MAX_DRAWN).filter(|more| *more > 0) {
            blocks.push(format!("… and {more} more"));
        }
        blocks.join("\n\n")
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => f.write_str(&only.message),
            [first, ..] => write!(f, "{} faults, the first: {}", self.len(), first.message),
            [] => Ok(()),
        }
    }
}

impl std::error::Error for Faults {}

/// The first line of a span. Only that line is given to the renderer, which would otherwise read the
/// whole file again for every fault.
struct Line {
    text: String,
    number: usize,
    /// Within `text`.
    span: Range<usize>,
    /// Where the span begins in a line that is too long to be drawn whole, in characters from 1.
    cut_column: Option<usize>,
}

impl Line {
    fn of(source: &str, span: &Range<usize>) -> Self {
        // A byte order mark takes no room on the screen, so it must take none in the column either.
        let bom = source.len() - source.trim_start_matches('\u{feff}').len();
        let start = floor_boundary(source, span.start.max(bom));
        let begin = source[bom..start].rfind('\n').map_or(bom, |at| bom + at + 1);
        let end = source[start..].find('\n').map_or(source.len(), |at| start + at);
        let text = source[begin..end].trim_end_matches('\r');
        let from = (start - begin).min(text.len());
        let to = floor_boundary(text, span.end.saturating_sub(begin)).max(from);
        let long = text.len() > MAX_LINE;
        let cut_column = long.then(|| text[..from].chars().count() + 1);
        let window = if long {
            floor_boundary(text, from.saturating_sub(MAX_LINE / 8))
                ..floor_boundary(text, from.saturating_add(MAX_LINE))
        } else {
            0..text.len()
        };
        let (from, to) = (from - window.start, to.min(window.end) - window.start);
        let text = &text[window];
        let number = source[..begin].bytes().filter(|byte| *byte == b'\n').count() + 1;
        // The renderer shows a stand-in for ASCII control characters only, and terminals obey the
        // others (U+009B) too. This one is as many bytes long.
        let text = text.replace(|c: char| ('\u{80}'..'\u{a0}').contains(&c), "·");
        Self { text, number, span: from..to, cut_column }
    }
}

/// The last place at or before `at` where a character of `text` begins or its end is.
pub(super) fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// User text for use inside a message: in backticks, on one line, at most 48 characters.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", shortened(text))
}

/// User text without control characters, cut after 48 characters.
pub(super) fn shortened(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == MAX_QUOTED {
            out.push('…');
            break;
        }
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}
