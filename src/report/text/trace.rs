//! The timeline of one call or session in a terminal: its turns, and the slowest of them as waterfalls.

use super::grid::{Column, Grid};
use super::page::{Page, Tone, columns};
use super::{Colour, WIDTH};
use crate::report::trace::{self, Trace};
use crate::spans::timeline::{Axis, Row, Sides, Source, TurnLine};
use crate::text::{clipped, number};

/// Turns that are listed, and that are drawn where none is named.
const LISTED: usize = 40;
const DRAWN: usize = 5;
/// Columns of the numbers before a bar: the moment, and the length.
const NUMBER: usize = 8;
/// Columns of a name at most, by the width of the page.
const NAME: std::ops::RangeInclusive<usize> = 18..=30;

/// The timeline in at most `width` columns but for addresses. `turn` is the one to be drawn; else the slowest are.
pub fn render(trace: &Trace, turn: Option<&TurnLine>, colour: Colour, width: usize) -> String {
    let mut page = Page::new(colour, width.clamp(*WIDTH.start(), *WIDTH.end()));
    head(&mut page, trace);
    let all = &trace.timeline.turns;
    let drawn: Vec<&TurnLine> = if let Some(turn) = turn {
        vec![turn]
    } else {
        list(&mut page, trace);
        let mut slowest = trace.timeline.slowest_first();
        slowest.truncate(DRAWN);
        slowest.sort_by_key(|turn| turn.number);
        slowest
    };
    for of in &drawn {
        waterfall(&mut page, of);
    }
    if turn.is_none() && drawn.len() < all.len() {
        page.blank();
        let more = format!(
            "{} more turns are not drawn: --turn with a number of the list draws one",
            all.len() - drawn.len()
        );
        page.paragraph(0, &[], &more);
    }
    page.finish()
}

fn head(page: &mut Page, trace: &Trace) {
    let timeline = &trace.timeline;
    let scenario = trace.scenario.as_deref().map(|name| format!("{} · ", clipped(name, 80)));
    let began = timeline.began.as_deref().map_or(String::new(), |at| format!(" · {at}"));
    let agent =
        trace.agent.as_deref().map_or(String::new(), |of| format!(" · {}", clipped(of, 80)));
    let length = timeline.length_ms / 1_000.0;
    let text = format!("· {}{length:.1} s{began}{agent}", scenario.unwrap_or_default());
    page.paragraph(0, &[(Tone::Strong, &trace.title())], &text);
    if trace.call.is_some() {
        page.whole(2, &format!("room {}", clipped(&trace.session, 300)));
    }
    for link in &trace.links {
        page.whole(2, &clipped(link, 600));
    }
    for remark in trace.remarks() {
        page.paragraph(2, &[(Tone::Plain, "·")], &remark);
    }
}

fn list(page: &mut Page, trace: &Trace) {
    let turns = &trace.timeline.turns;
    if turns.is_empty() {
        page.blank();
        page.paragraph(0, &[], "No turn is known of it.");
        return;
    }
    let mut shown: Vec<&TurnLine> = if turns.len() > LISTED {
        trace.timeline.slowest_first().into_iter().take(LISTED).collect()
    } else {
        turns.iter().collect()
    };
    shown.sort_by_key(|turn| turn.number);
    let title = if turns.len() > LISTED {
        format!("the {LISTED} slowest of {} turns (ms)", turns.len())
    } else {
        "turns (ms)".to_owned()
    };
    page.heading(&title);
    let columns = [
        Column::right("n"),
        Column::left("turn"),
        Column::right("heard"),
        Column::right("claimed"),
        Column::left("bottleneck"),
        Column::right("unclaimed").given_up(1),
        Column::left(""),
    ];
    let mut grid = Grid::new(columns);
    for turn in shown {
        grid.row(cells(turn, trace.timeline.sides));
    }
    grid.write(page, 2);
}

fn cells(turn: &TurnLine, sides: Sides) -> [(Tone, String); 7] {
    let plain = |text: String| (Tone::Plain, text);
    let ms = |ms: Option<f64>| plain(ms.map_or_else(|| "–".to_owned(), number));
    let most = turn.breakdown.as_ref().and_then(|of| Some((of.bottleneck()?, of.unclaimed_ms())));
    let bottleneck = most.map(|(most, _)| format!("{} {}", most.part, number(most.ms)));
    let retried = turn.retried().map(|row| {
        let ms = number(row.facts.retries_ms.unwrap_or(0.0));
        format!("retried {ms}")
    });
    let is_apart = matches!(sides, Sides::Apart { .. }) && turn.axis == Axis::Session;
    let axis = is_apart.then(|| "agent's axis".to_owned());
    let failed = turn.rows.iter().any(|row| row.facts.error.is_some());
    let marks: Vec<String> =
        retried.into_iter().chain(failed.then(|| "error".to_owned())).chain(axis).collect();
    [
        plain(turn.number.to_string()),
        plain(turn.id.as_deref().map_or_else(|| "–".to_owned(), |id| clipped(id, 24))),
        ms(turn.heard_ms),
        ms(turn.claims.and_then(|claims| claims.e2e_latency_ms)),
        plain(bottleneck.unwrap_or_else(|| "–".to_owned())),
        ms(most.map(|(_, unclaimed)| unclaimed).filter(|ms| *ms >= 0.5)),
        (Tone::Doubt, marks.join(", ")),
    ]
}

fn waterfall(page: &mut Page, turn: &TurnLine) {
    page.blank();
    page.paragraph(
        0,
        &[(Tone::Strong, &trace::turn_name(turn))],
        &format!("· {}", trace::went(turn)),
    );
    if let Some(largest) = trace::largest(turn) {
        page.paragraph(2, &[], &largest);
    }
    if let Some(sum) = trace::sum(turn) {
        page.paragraph(2, &[], &sum);
    }
    let (from, until) = trace::frame(turn);
    let zero = turn.zero_ms.unwrap_or(turn.from_ms);
    let longest = trace::rows(turn).map(|row| columns(&name(row))).max().unwrap_or(0);
    let most = if page.width() < 80 { *NAME.start() } else { *NAME.end() };
    let named = longest.clamp(5, most);
    let room = page.width().saturating_sub(4 + named + 2 * (NUMBER + 1) + 1);
    let counted = match turn.zero_ms {
        Some(_) => "from: ms after the caller's end; ● heard, ○ reported by the agent",
        None => "from: ms after the turn began; ● heard, ○ reported by the agent",
    };
    page.paragraph(2, &[], counted);
    let pad = " ".repeat(named);
    let titles = format!("    {pad} {:>NUMBER$} {:>NUMBER$}", "from", "ms");
    page.line(&[(Tone::Faint, &titles)]);
    for row in trace::rows(turn) {
        let (mark, tone) = match (row.source, row.facts.error.is_some()) {
            (Source::Heard, _) => ("●", Tone::Strong),
            (Source::Reported, true) => ("○", Tone::Bad),
            (Source::Reported, false) => ("○", Tone::Plain),
        };
        let name = fitted(&name(row), named);
        let at = number(row.from_ms - zero);
        let length = number(row.until_ms - row.from_ms);
        let lead = format!("  {mark} {name} {at:>NUMBER$} {length:>NUMBER$} ");
        page.line(&[(tone, &lead), (bar_tone(row), &bar(row, from, until, room))]);
        let facts = trace::facts(row);
        if !facts.is_empty() {
            page.hung(6 + usize::from(row.depth) * 2, 8, &[], &facts.join(" · "));
        }
    }
    if turn.rows_left_out > 0 {
        page.paragraph(2, &[], &format!("{} more rows are left out", turn.rows_left_out));
    }
}

fn name(row: &Row) -> String {
    format!("{}{}", " ".repeat(usize::from(row.depth) * 2), crate::text::safe(&trace::label(row)))
}

/// A name in exactly so many columns.
fn fitted(name: &str, room: usize) -> String {
    let mut out = String::new();
    let cut = columns(name) > room;
    let room_for_text = if cut { room - 1 } else { room };
    for c in name.chars() {
        let mut next = out.clone();
        next.push(c);
        if columns(&next) > room_for_text {
            break;
        }
        out = next;
    }
    if cut {
        out.push('…');
    }
    let left = room.saturating_sub(columns(&out));
    format!("{out}{}", " ".repeat(left))
}

const fn bar_tone(row: &Row) -> Tone {
    match (row.facts.error.is_some(), row.facts.discarded, row.source) {
        (true, ..) => Tone::Bad,
        (false, true, _) => Tone::Faint,
        (false, false, Source::Heard) => Tone::Good,
        (false, false, Source::Reported) => Tone::Plain,
    }
}

/// The place of a row between two moments, in so many columns. What goes on beyond is marked.
fn bar(row: &Row, from: f64, until: f64, room: usize) -> String {
    if room == 0 {
        return String::new();
    }
    #[expect(clippy::cast_precision_loss, reason = "a few columns")]
    let step = (until - from) / room as f64;
    let filled = match (row.source, row.facts.discarded) {
        (Source::Heard, _) => '█',
        (Source::Reported, false) => '▒',
        (Source::Reported, true) => '░',
    };
    let cell = |at: usize| {
        #[expect(clippy::cast_precision_loss, reason = "a few columns")]
        let (begin, last) = (from + step * at as f64, at + 1 == room);
        let end = begin + step;
        let begins_here = row.from_ms >= begin && row.from_ms < end;
        let is_inside = row.from_ms < end && row.until_ms > begin;
        if at == 0 && row.from_ms < from {
            '‹'
        } else if last && row.until_ms > until {
            '›'
        } else if is_inside || begins_here {
            filled
        } else {
            ' '
        }
    };
    (0..room).map(cell).collect()
}

#[cfg(test)]
mod tests;
