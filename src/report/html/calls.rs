//! The calls: the list, those to look at first at its front, and the place where the script shows one.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::marks::{cause, ms, shown};
use crate::record::RunHead;
use crate::record::audio::Kept;
use crate::report::{Report, Slowest, wall_time};
use crate::time::Offset;
use crate::turn::CallFacts;

/// Where the audio of the calls is.
pub(super) struct Sounds<'a> {
    by_call: BTreeMap<u32, &'a Kept>,
    inside: BTreeSet<u32>,
}

impl<'a> Sounds<'a> {
    /// The audio of the calls at the front is in the page as long as that stays within `budget` bytes.
    pub(super) fn choose(kept: &'a [Kept], order: &[&CallFacts], budget: u64) -> Self {
        let by_call: BTreeMap<u32, &Kept> = kept.iter().map(|kept| (kept.call.0, kept)).collect();
        let mut left = budget;
        let mut inside = BTreeSet::new();
        for call in order {
            let Some(sound) = by_call.get(&call.call.0) else { continue };
            // As base64 it takes a third more.
            let bytes = sound.bytes.div_ceil(3).saturating_mul(4);
            let Some(rest) = left.checked_sub(bytes) else { break };
            left = rest;
            inside.insert(call.call.0);
        }
        Self { by_call, inside }
    }

    pub(super) fn of(&self, call: &CallFacts) -> Option<&'a Kept> {
        self.by_call.get(&call.call.0).copied()
    }

    pub(super) fn is_inside(&self, call: &CallFacts) -> bool {
        self.inside.contains(&call.call.0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_call.is_empty()
    }
}

/// The list of the calls.
pub(super) fn section(report: &Report, order: &[&CallFacts], sounds: &Sounds<'_>) -> Markup {
    html! {
        section aria-labelledby="calls" {
            h2 #calls { "Calls" }
            p {
                "Calls that failed come first, then those with the slowest turn. Open one to see both sides on one "
                "axis, with the agent's stages beneath the gap they explain"
                @if !sounds.is_empty() { ", and to hear it" }
                "."
            }
            noscript {
                p.note {
                    "The page of a call needs JavaScript. "
                    code { "loadcall calls RUN ID" } " shows a call in the terminal; its audio, where it was kept, is in the "
                    "folder " code { "audio" } " beside this file."
                }
            }
            div.scroll tabindex="0" role="region" aria-label="List of the calls" {
                table #call-list {
                    caption { "All " (order.len()) " calls" }
                    thead { tr {
                        th scope="col" { "call" } th scope="col" { "result" }
                        th.number scope="col" { "slowest turn (ms)" } th scope="col" { "turn" }
                        th scope="col" { "dialled (UTC)" } th scope="col" { "audio" }
                    } }
                    tbody { @for call in order { (row(report, call, sounds)) } }
                }
            }
        }
    }
}

fn row(report: &Report, call: &CallFacts, sounds: &Sounds<'_>) -> Markup {
    let id = call.call.0;
    let (sign, class) = match call.ok() {
        Some(true) => ("✓ ok", "good"),
        Some(false) => ("✗ ", "bad"),
        None => ("– ", "plain"),
    };
    let slowest = Slowest::of(call);
    html! {
        tr {
            th scope="row" { a href={ "#call-" (id) } { (id) } }
            td {
                span.(class) { (sign) }
                @if let Some(failure) = &call.failure { (cause(failure.cause)) }
            }
            @match slowest {
                Some(slowest) => {
                    td.number { @if slowest.censored { "≥\u{a0}" } (ms(slowest.ms)) }
                    td { (shown(&slowest.turn.id)) }
                }
                None => { td.number { "–" } td { "–" } }
            }
            td { (time_of_day(&report.judged.analysis.head, call.dialled)) }
            td {
                @match sounds.of(call) {
                    Some(_) if sounds.is_inside(call) => "here",
                    Some(_) => "file",
                    None => "–",
                }
            }
        }
    }
}

/// `16:54:52`; nothing where the recording's clock cannot be read.
pub(super) fn time_of_day(head: &RunHead, at: Offset) -> String {
    wall_time(head, at).map_or(String::new(), |at| at.strftime("%H:%M:%S").to_string())
}

/// Where the script shows a call.
pub(super) fn stage() -> Markup {
    html! { article #call hidden aria-labelledby="call-title" {} }
}
