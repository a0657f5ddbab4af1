//! The timeline of one call or session as a page: one file, no script.

use std::fmt::Write as _;
use std::io::{self, Write};

use maud::{Markup, PreEscaped, html};

use super::STYLE;
use super::head::head;
use super::marks::{ms, shown};
use crate::report::trace::{self, Trace};
use crate::spans::timeline::{Row, Source, TurnLine, What};

/// What this page has of its own.
const OWN_STYLE: &str = include_str!("trace/page.css");
/// Turns that are drawn; the slowest.
const DRAWN: usize = 100;

/// Writes the page; of one turn where it is named.
pub fn write(trace: &Trace, turn: Option<&TurnLine>, mut out: impl Write) -> io::Result<()> {
    let style = format!("{STYLE}{OWN_STYLE}");
    out.write_all(head(&shown(&trace.title()), &style, "").as_bytes())?;
    out.write_all(intro(trace).into_string().as_bytes())?;
    let mut drawn = match turn {
        Some(turn) => vec![turn],
        None => trace.timeline.slowest_first(),
    };
    let left = drawn.len().saturating_sub(DRAWN);
    drawn.truncate(DRAWN);
    drawn.sort_by_key(|turn| turn.number);
    if turn.is_none() {
        out.write_all(list(&drawn).into_string().as_bytes())?;
    }
    for turn in drawn {
        out.write_all(waterfall(turn).into_string().as_bytes())?;
    }
    let end = html! {
        @if left > 0 { p.note { (left) " quicker turns are not in this page. " code { "--turn" } " draws one." } }
    };
    write!(out, "{}</main>\n</body>\n</html>\n", end.into_string())
}

fn intro(trace: &Trace) -> Markup {
    let timeline = &trace.timeline;
    html! {
        header.top {
            h1 { (shown(&trace.title())) }
            p {
                @if let Some(name) = &trace.scenario { (shown(name)) " · " }
                (format!("{:.1}", timeline.length_ms / 1_000.0)) "\u{a0}s"
                @if let Some(began) = &timeline.began { " · " (shown(began)) }
                @if let Some(agent) = &trace.agent { " · " (shown(agent)) }
            }
            @if trace.call.is_some() { p { "room " code { (shown(&trace.session)) } } }
            @for link in &trace.links { p { (place(link)) } }
        }
        (PreEscaped("<main id=\"main\">"))
        section { ul { @for remark in trace.remarks() { li { (shown(&remark)) } } } }
    }
}

/// An address as a link where it is one of the web, else as text.
fn place(link: &str) -> Markup {
    let is_web = link.starts_with("https://") || link.starts_with("http://");
    let is_plain = link.bytes().all(|b| b.is_ascii_graphic() && !b"\"'<>`\\".contains(&b));
    html! {
        @if is_web && is_plain { a href=(link) rel="noreferrer" { (shown(link)) } } @else { (shown(link)) }
    }
}

fn list(turns: &[&TurnLine]) -> Markup {
    let value = |of: Option<f64>| of.map_or_else(|| "–".to_owned(), ms);
    html! {
        section aria-labelledby="turns" {
            h2 #turns { "Turns" }
            div.scroll tabindex="0" role="region" aria-label="List of the turns" {
                table.turns {
                    thead { tr {
                        th scope="col" { "turn" } th.number scope="col" { "heard (ms)" }
                        th.number scope="col" { "claimed (ms)" } th scope="col" { "where the time went" }
                    } }
                    tbody { @for turn in turns { tr {
                        th scope="row" { a href={ "#turn-" (turn.number) } { (shown(&trace::turn_name(turn))) } }
                        td.number { (value(turn.heard_ms)) }
                        td.number { (value(turn.claims.and_then(|of| of.e2e_latency_ms))) }
                        td { (trace::largest(turn).map_or_else(|| "–".to_owned(), |text| shown(&text))) }
                    } } }
                }
            }
        }
    }
}

fn waterfall(turn: &TurnLine) -> Markup {
    let frame = trace::frame(turn);
    let zero = turn.zero_ms.unwrap_or(turn.from_ms);
    let id = format!("turn-{}", turn.number);
    let counted = if turn.zero_ms.is_some() { "the caller's end" } else { "the turn began" };
    html! {
        section aria-labelledby=(id) {
            h2 #(id) { (shown(&trace::turn_name(turn))) }
            p { (shown(&trace::went(turn))) }
            @if let Some(largest) = trace::largest(turn) { p { strong { (shown(&largest)) } } }
            @if let Some(sum) = trace::sum(turn) { p.note { (shown(&sum)) } }
            div.scroll tabindex="0" role="region" aria-label={ "Stages of turn " (turn.number) } {
                table.waterfall {
                    caption.note { "From: ms after " (counted) "; ● heard, ○ reported by the agent" }
                    thead { tr {
                        th scope="col" { "stage" }
                        th.number scope="col" { "from (ms)" } th.number scope="col" { "length (ms)" }
                        th scope="col" { "when" }
                    } }
                    tbody { @for of in trace::rows(turn) { (row(of, frame, zero)) } }
                }
            }
            @if turn.rows_left_out > 0 { p.note { (turn.rows_left_out) " more rows are left out." } }
        }
    }
}

fn row(of: &Row, frame: (f64, f64), zero: f64) -> Markup {
    let facts = trace::facts(of);
    let (mark, by) = match of.source {
        Source::Heard => ("●", "heard"),
        Source::Reported => ("○", "reported"),
    };
    html! {
        tr.failed[of.facts.error.is_some()] {
            th scope="row" class={ "depth-" (of.depth.min(2)) } {
                span aria-hidden="true" { (mark) "\u{a0}" } span.hidden { (by) ": " }
                (shown(&trace::label(of)))
                @if !facts.is_empty() { span.facts { (shown(&facts.join(" · "))) } }
            }
            td.number { (ms(of.from_ms - zero)) }
            td.number { (ms(of.until_ms - of.from_ms)) }
            td { (bar(of, frame)) }
        }
    }
}

/// The place of a row in the frame; everything drawn is a number or a word of ours.
fn bar(of: &Row, (from, until): (f64, f64)) -> Markup {
    let place = |ms: f64| ((ms - from) / (until - from) * 1_000.0).clamp(0.0, 1_000.0);
    let (left, right) = (place(of.from_ms), place(of.until_ms));
    let kind = match of.what {
        What::CallerSpeech | What::AgentHeard | What::BargeIn => "heard",
        What::CallerNoticed | What::EndOfTurn | What::Transcription | What::UserTurnHook => "turn",
        What::Llm | What::LlmRequest | What::LlmAttempt => "model",
        What::Tts | What::TtsRequest | What::TtsAttempt | What::AgentSpeech => "voice",
        What::Tool | What::Told => "tool",
        What::Blocked => "rest",
    };
    let kind = if of.facts.discarded { "rest" } else { kind };
    let mut svg = String::new();
    let _ = write!(
        svg,
        "<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"{kind}\" x=\"{left:.1}\" y=\"0\" width=\"{:.1}\" height=\"10\"/></svg>",
        (right - left).max(3.0)
    );
    PreEscaped(svg)
}

#[cfg(test)]
mod tests;
