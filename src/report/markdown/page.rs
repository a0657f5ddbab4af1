//! A page of Markdown that stays below a size: what does not fit is left out at the border of a row, and counted.

use super::inline::code;
use crate::text::{clipped, count};

/// Kept free for what is said at the end.
const RESERVE: usize = 2 << 10;
/// Characters of a path that are shown.
const PLACE: usize = 100;

/// A page as it is being written.
pub(super) struct Page {
    out: String,
    limit: usize,
    /// How many rows of which section do not stand in it.
    left_out: Vec<(String, usize)>,
}

impl Page {
    pub(super) fn new(limit: usize) -> Self {
        Self { out: String::new(), limit, left_out: Vec::new() }
    }

    /// Adds a text if there is room for it.
    fn put(&mut self, text: &str) -> bool {
        let fits = self.out.len() + text.len() + RESERVE <= self.limit;
        if fits {
            self.out.push_str(text);
        }
        fits
    }

    pub(super) fn heading(&mut self, level: usize, title: &str) {
        self.put(&format!("{} {title}\n\n", "#".repeat(level)));
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        if !self.put(&format!("{text}\n\n")) {
            self.leave_out("sentences", 1);
        }
    }

    /// A table under a title; `head` is its first two lines. Nothing where it has no rows.
    pub(super) fn table(&mut self, title: &str, head: &str, rows: impl Iterator<Item = String>) {
        self.rows(title, &format!("### {title}\n\n{head}\n"), rows, "\n");
    }

    /// A list without a title.
    pub(super) fn list(&mut self, what: &str, lines: impl Iterator<Item = String>) {
        self.rows(what, "", lines, "\n");
    }

    /// A list that is shown when its title is opened.
    pub(super) fn folded(&mut self, title: &str, lines: impl Iterator<Item = String>) {
        let head = format!("<details><summary>{title}</summary>\n\n");
        self.rows(title, &head, lines, "\n</details>\n\n");
    }

    /// What comes before, each row on a line, what comes after; the title names what was left out.
    fn rows(&mut self, title: &str, head: &str, rows: impl Iterator<Item = String>, end: &str) {
        let (mut begun, mut left_out) = (false, 0);
        for row in rows {
            let first = if begun { "" } else { head };
            if left_out == 0 && self.put(&format!("{first}{row}\n")) {
                begun = true;
            } else {
                left_out += 1;
            }
        }
        if begun {
            // There is always room for it: that is a part of what is kept free.
            self.out.push_str(end);
        }
        self.leave_out(title, left_out);
    }

    pub(super) fn leave_out(&mut self, what: &str, rows: usize) {
        if rows > 0 {
            self.left_out.push((clipped(&what.to_lowercase(), 40), rows));
        }
    }

    /// The page, with what it leaves out.
    pub(super) fn finish(mut self, place: &str) -> String {
        if !self.left_out.is_empty() {
            let parts: Vec<String> = self
                .left_out
                .iter()
                .map(|(what, rows)| format!("{} of {what}", count(*rows, "line")))
                .collect();
            let command = code(&format!("loadcall report {}", clipped(place, PLACE)));
            let last = format!("Left out here: {}. {command} has all.\n", parts.join(", "));
            self.out.push_str(&last);
        }
        self.out
    }
}
