//! Lines of text for a terminal: styles, wrapping and escaping in one place, so that no text can be
//! printed past them.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthChar as _;

use super::Colour;
use crate::text::safe;

/// What a piece of text is, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Faint,
    Good,
    Bad,
    Doubt,
}

impl Tone {
    const fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default().bold(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Doubt => AnsiColor::Yellow.on_default().bold(),
        }
    }
}

/// A report as it is being written.
#[derive(Debug)]
pub(crate) struct Page {
    out: String,
    colour: Colour,
    width: usize,
}

impl Page {
    pub(crate) const fn new(colour: Colour, width: usize) -> Self {
        Self { out: String::new(), colour, width }
    }

    pub(super) const fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }

    pub(super) fn blank(&mut self) {
        self.out.push('\n');
    }

    /// A blank line and the title of what follows.
    pub(super) fn heading(&mut self, title: &str) {
        self.blank();
        self.line(&[(Tone::Strong, title)]);
    }

    /// One line of pieces; what does not fit is cut off, and an ellipsis says so.
    pub(crate) fn line(&mut self, pieces: &[(Tone, &str)]) {
        let mut left = self.width;
        for (tone, text) in pieces {
            let text = fitted(&safe(text), left);
            left -= columns(&text);
            self.piece(*tone, &text);
        }
        let end = self.out.trim_end_matches(' ').len();
        self.out.truncate(end);
        self.out.push('\n');
    }

    /// Running text after a short `lead`, wrapped, with following lines indented two columns more.
    pub(crate) fn paragraph(&mut self, indent: usize, lead: &[(Tone, &str)], text: &str) {
        self.hung(indent, indent + 2, lead, text);
    }

    /// As [`Page::paragraph`], with following lines indented by `hanging`.
    pub(super) fn hung(
        &mut self,
        indent: usize,
        hanging: usize,
        lead: &[(Tone, &str)],
        text: &str,
    ) {
        let mut column = indent;
        self.pad(indent);
        for (tone, piece) in lead {
            let piece = fitted(&safe(piece), self.width * 2 / 3);
            column += columns(&piece);
            self.piece(*tone, &piece);
        }
        let text = safe(text);
        for word in words(&text, self.width.saturating_sub(hanging)) {
            let mut rest = word;
            let fits = column + 1 + columns(rest) <= self.width;
            if column > indent && fits {
                self.out.push(' ');
                column += 1;
            } else if column > indent {
                self.turn_line(hanging);
                column = hanging;
            }
            // A word longer than a line (an address, say) is broken where it must be. Only as much of it is looked at
            // as a line takes.
            loop {
                let (head, tail) = rest.split_at(prefix(rest, self.width.saturating_sub(column)));
                self.out.push_str(head);
                if tail.is_empty() {
                    column += columns(head);
                    break;
                }
                self.turn_line(hanging);
                column = hanging;
                rest = tail;
            }
        }
        self.blank();
    }

    /// A word on a line of its own that is never broken, so that it can be copied or followed.
    pub(super) fn whole(&mut self, indent: usize, word: &str) {
        self.pad(indent);
        self.piece(Tone::Plain, &safe(word));
        self.blank();
    }

    /// A command on a line of its own, never broken and never cut: it is there to be copied.
    pub(crate) fn command(&mut self, indent: usize, command: &str) {
        self.pad(indent);
        self.piece(Tone::Strong, &safe(command));
        self.blank();
    }

    /// A last line that names a place; a place that does not fit is below it, whole.
    pub(super) fn ending(&mut self, lead: &[(Tone, &str)], place: &str) {
        let place = safe(place);
        let used: usize = lead.iter().map(|(_, text)| columns(text)).sum();
        for (tone, text) in lead {
            self.piece(*tone, text);
        }
        let fits = used + 1 + columns(&place) <= self.width;
        self.out.push_str(if fits { " " } else { "\n  " });
        self.out.push_str(&place);
        self.blank();
    }

    fn turn_line(&mut self, indent: usize) {
        self.blank();
        self.pad(indent);
    }

    fn pad(&mut self, columns: usize) {
        self.out.extend(std::iter::repeat_n(' ', columns));
    }

    fn piece(&mut self, tone: Tone, text: &str) {
        let style = tone.style();
        match self.colour {
            Colour::Always if !text.is_empty() && tone != Tone::Plain => {
                write!(self.out, "{style}{text}{style:#}").expect("memory can be written");
            }
            Colour::Always | Colour::Never => self.out.push_str(text),
        }
    }
}

/// The words of a text. A command of ours in backticks is one word if it fits in `room` columns, so that it can be
/// copied.
fn words(text: &str, room: usize) -> Vec<&str> {
    const COMMAND: &str = "`loadcall ";
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches(' ');
    while !rest.is_empty() {
        let space = rest.find(' ').unwrap_or(rest.len());
        let begins = rest.get(..=space).is_some_and(|begun| begun.ends_with(COMMAND));
        let command = begins.then_some(()).and_then(|()| {
            let close = space + rest[space..].find('`')?;
            let end = close + rest[close..].find(' ').unwrap_or(rest.len() - close);
            (columns(&rest[..end]) <= room).then_some(end)
        });
        let (word, others) = rest.split_at(command.unwrap_or(space));
        words.push(word);
        rest = others.trim_start_matches(' ');
    }
    words
}

/// The text, or as much of it as fits with an ellipsis, in `room` columns.
fn fitted(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    match room {
        0 => String::new(),
        _ => format!("{}…", &text[..prefix(text, room - 1)]),
    }
}

/// How many bytes of `text` fit in `room` columns.
fn prefix(text: &str, room: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += columns_of(c);
        if used > room {
            return at;
        }
    }
    text.len()
}

/// The columns a text takes at most.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

fn columns_of(c: char) -> usize {
    match c {
        // Turns the character before it into an emoji, which is one wider.
        '\u{fe0f}' => 1,
        c => c.width().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr as _;

    use super::*;

    proptest! {
        #[test]
        fn any_text_fits_and_is_harmless(
            lead in "(\\PC|\u{fe0f}|\u{1b}){0,60}",
            text in "(\\PC|\\pC|[ \u{fe0f}☀\u{200d}👩営]){0,300}",
            width in 20_usize..100,
            indent in 0_usize..5,
        ) {
            let mut page = Page::new(Colour::Never, width);
            page.paragraph(indent, &[(Tone::Good, &lead)], &text);
            page.line(&[(Tone::Plain, &lead), (Tone::Bad, &text), (Tone::Plain, "end")]);
            let out = page.finish();
            for line in out.lines() {
                prop_assert!(line.width() <= width, "{} > {width}: {line:?}", line.width());
            }
            prop_assert!(!out.contains(|c: char| c.is_control() && c != '\n'));
        }
    }

    fn plain(write: impl Fn(&mut Page)) -> String {
        let mut page = Page::new(Colour::Never, 20);
        write(&mut page);
        page.finish()
    }

    #[test]
    fn text_is_wrapped_and_hangs() {
        let text =
            plain(|page| page.paragraph(2, &[(Tone::Plain, "·")], "one two three four five six"));
        assert_eq!(text, "  · one two three\n    four five six\n");
    }

    #[test]
    fn a_long_word_is_broken_and_wide_characters_count_twice() {
        let text = plain(|page| page.paragraph(0, &[], "営業時間営業時間営業時間"));
        assert_eq!(text, "営業時間営業時間営業\n  時間\n");
        let text = plain(|page| page.paragraph(0, &[], "see abcdefghijklmnopqrstuvwxyz"));
        assert_eq!(text, "see\n  abcdefghijklmnopqr\n  stuvwxyz\n");
    }

    #[test]
    fn commands_are_not_broken() {
        let text = plain(|page| page.paragraph(0, &[], "one two (`loadcall ab x`) three"));
        assert_eq!(text, "one two\n  (`loadcall ab x`)\n  three\n");
        // Except a command longer than a line, and quotes around something else.
        let text = plain(|page| page.paragraph(0, &[], "`loadcall accept reports/x` `a b` c"));
        assert_eq!(text, "`loadcall accept\n  reports/x` `a b` c\n");
        let long = "loadcall accept reports/20261130-165450-aa924115fedaf520";
        assert_eq!(plain(|page| page.command(2, long)), format!("  {long}\n"));
    }

    #[test]
    fn a_place_is_never_cut() {
        let ending = |place| {
            plain(|page| page.ending(&[(Tone::Good, "PASS"), (Tone::Plain, ": in")], place))
        };
        assert_eq!(ending("reports/x"), "PASS: in reports/x\n");
        assert_eq!(ending("reports/20261130-1654"), "PASS: in\n  reports/20261130-1654\n");
    }

    #[test]
    fn a_line_is_cut_where_it_must_be() {
        let text = plain(|page| {
            page.line(&[(Tone::Bad, "0123456789"), (Tone::Plain, "01234567890")]);
            page.line(&[(Tone::Plain, "0123456789012345678901234"), (Tone::Plain, "gone")]);
        });
        assert_eq!(text, "0123456789012345678…\n0123456789012345678…\n");
    }

    #[test]
    fn styles_are_ours_alone() {
        let mut page = Page::new(Colour::Always, 60);
        page.line(&[(Tone::Good, "PASS \x1b[31m")]);
        page.paragraph(0, &[(Tone::Bad, "\x1b[0m")], "\x1b[2J");
        assert_eq!(
            page.finish(),
            "\x1b[1m\x1b[32mPASS \\u{1b}[31m\x1b[0m\n\x1b[1m\x1b[31m\\u{1b}[0m\x1b[0m \\u{1b}[2J\n"
        );
    }
}
