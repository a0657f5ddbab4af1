//! Calls in a terminal, a row each, and under a failed one why it failed.

use super::page::{Page, Tone};
use crate::report::{CallLine, Slowest};
use crate::text::{clipped, number};

/// Characters of a detail that are shown.
const DETAIL: usize = 300;

/// The heading of the rows.
pub(super) fn head(page: &mut Page) {
    let row = format!("  {:>4}  {:<8}  {:<16}  {}", "call", "time", "went", "slowest turn");
    page.line(&[(Tone::Faint, &row)]);
}

/// One row, and why the call failed if it did.
pub(super) fn row(page: &mut Page, line: &CallLine<'_>) {
    let time =
        line.dialled_at.map_or_else(|| "–".to_owned(), |at| at.strftime("%H:%M:%S").to_string());
    let tone = match line.ok {
        Some(true) => Tone::Good,
        Some(false) => Tone::Bad,
        None => Tone::Doubt,
    };
    page.line(&[
        (Tone::Plain, &format!("  {:>4}  {time:<8}  ", line.call.0)),
        (tone, &format!("{:<16}", line.word())),
        (Tone::Plain, &format!("  {}", line.slowest.map(slowest).unwrap_or_default())),
    ]);
    if line.cause.is_some() && !line.detail.is_empty() {
        page.paragraph(8, &[], &clipped(line.detail, DETAIL));
    }
}

/// Where to look further: the room, which is the session id, and the trace.
pub(super) fn places(page: &mut Page, line: &CallLine<'_>) {
    page.whole(8, &format!("room {}", clipped(line.room, DETAIL)));
    if let Some(url) = &line.trace {
        page.whole(8, &format!("trace {url}"));
    }
}

/// A row for each call. Rooms that are named alike are named once.
pub(super) fn rows(page: &mut Page, lines: &[CallLine<'_>]) {
    let Some(first) = lines.first() else { return };
    let stem = first.room_stem();
    let alike = stem.is_some() && lines.iter().all(|line| line.room_stem() == stem);
    if alike {
        page.whole(2, &format!("room of call {}: {}", first.call.0, clipped(first.room, DETAIL)));
    }
    head(page);
    for line in lines {
        row(page, line);
        if !alike || line.trace.is_some() {
            places(page, line);
        }
    }
}

/// `hours 1,234 ms`, `hours ≥ 8,000 ms`.
fn slowest(of: Slowest<'_>) -> String {
    let bound = if of.censored { "≥ " } else { "" };
    format!("{} {bound}{} ms", clipped(&of.turn.id, 40), number(of.ms))
}
