//! `report.html`: the report as one page that opens from disk. Pure: recorded calls and kept audio are handed in,
//! one after another, and written as they come, so that no run stands in memory.
//!
//! The page asks the network for nothing, and a content security policy holds it to that: the only script and the
//! only style are those of this folder, by their hashes. Text of others is escaped where it is written (`maud`),
//! shortened and made harmless before ([`crate::text`]); the script builds text nodes of it, never markup.

mod agents;
mod calls;
mod changes;
mod data;
mod failed;
mod findings;
mod glossary;
mod head;
mod instrument;
mod load;
mod marks;
mod outcomes;
mod svg;
pub mod trace;
mod turns;
mod verdict;

use std::collections::BTreeMap;
use std::io::{self, Write};

use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;
use maud::{Markup, PreEscaped, html};

use calls::Sounds;
use data::Audio;
use head::{hash, head};
use marks::shown;

use super::{Report, worst_first};
use crate::record::CallId;
use crate::record::audio::{Kept, file_name};
use crate::spans::AgentSpan;
use crate::spans::timeline::Call;
use crate::text::count;
use crate::time::Offset;
use crate::turn::CallFacts;
use crate::turn::Lanes;
use crate::verdict::Baseline;

/// The name of the page in a run folder.
pub const FILE_NAME: &str = "report.html";

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Bytes that the calls take beside their audio: the page of a large run stays below five megabytes.
const CALLS: usize = 3_900_000;
/// The calls to look at first get what anybody reads.
pub const FIRST: usize = 50;
const OF_A_FIRST: usize = 20_000;

/// What a page is made from, beside the calls themselves.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    pub report: &'a Report,
    /// The baseline the run was judged by, for the distributions of both; `None` when it is not at hand.
    pub baseline: Option<&'a Baseline>,
    /// The audio that was kept.
    pub kept: &'a [Kept],
    /// Bytes of audio that are put into the page, as text, for the calls to look at first; the rest is linked.
    pub audio_bytes: u64,
    /// The agent's spans, of the calls to look at first; those of others are not shown.
    pub spans: &'a [AgentSpan],
}

/// Writes the page. `calls` are those of the run in any order; `audio` gives the bytes of what is put into the page,
/// and `None` for what cannot be read, which is linked instead.
pub fn write(
    page: Page<'_>,
    calls: impl IntoIterator<Item = io::Result<Lanes>>,
    mut audio: impl FnMut(&Kept) -> Option<Vec<u8>>,
    mut out: impl Write,
) -> io::Result<()> {
    let report = page.report;
    let order = worst_first(&report.judged.analysis.calls).collect::<Vec<_>>();
    let sounds = Sounds::choose(page.kept, &order, page.audio_bytes);
    out.write_all(beginning(report).as_bytes())?;
    for section in sections(page, &order, &sounds) {
        out.write_all(section.into_string().as_bytes())?;
    }
    out.write_all(after(page).into_string().as_bytes())?;
    write!(
        out,
        "<script type=\"application/json\" id=\"shared\">{}</script>",
        data::shared(report, &order)
    )?;
    let rank: BTreeMap<CallId, (usize, &CallFacts)> =
        order.iter().enumerate().map(|(rank, call)| (call.call, (rank, *call))).collect();
    let run = &report.judged.analysis.head;
    for lanes in calls {
        let lanes = lanes?;
        let Some((rank, call)) = rank.get(&lanes.call) else { continue };
        let sound = sounds.of(call);
        let kept = sound.filter(|_| sounds.is_inside(call));
        // What is larger than it was said to be is not what was meant.
        let bytes = kept.and_then(|kept| audio(kept).filter(|b| b.len() as u64 <= kept.bytes));
        let of = sound.map(|sound| as_data(sound, bytes.is_some(), lanes.dialled));
        let most = room_of(*rank, order.len());
        let shown = data::Shown { facts: call, lanes: &lanes, audio: of.as_ref() };
        let spans = if *rank < FIRST { page.spans } else { &[] };
        let agents = agents::of(Call { head: run, facts: call, lanes: &lanes }, spans);
        if let Some(json) = data::call(run, shown, &agents, most) {
            let id = call.call.0;
            write!(out, "\n<script type=\"application/json\" id=\"data-{id}\">{json}</script>")?;
            if let Some(bytes) = bytes {
                write!(out, "\n<script type=\"text/plain\" id=\"audio-{id}\">")?;
                let mut encoder = EncoderWriter::new(&mut out, &STANDARD);
                encoder.write_all(&bytes)?;
                encoder.finish()?;
                drop(encoder);
                out.write_all(b"</script>")?;
            }
        }
    }
    write!(out, "\n<script>{SCRIPT}</script>\n</body>\n</html>\n")
}

fn as_data(kept: &Kept, inside: bool, dialled: Offset) -> Audio {
    #[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
    let ms = kept.length_ms.round() as i64;
    // The name is ours, whatever stands in the index.
    Audio { from: data::since(kept.starts, dialled), ms, inside, file: file_name(kept.call) }
}

/// How many bytes a call may take.
fn room_of(rank: usize, calls: usize) -> usize {
    if rank < FIRST {
        return OF_A_FIRST;
    }
    let left = CALLS - FIRST * OF_A_FIRST;
    (left / calls.saturating_sub(FIRST).max(1)).min(OF_A_FIRST)
}

/// Everything up to the content of the body.
fn beginning(report: &Report) -> String {
    let (word, _) = marks::judgement(report.judged.verdict.outcome);
    let title = format!("{word}: {}", shown(report.judged.scenario.name()));
    let allowed = format!("script-src {}; media-src 'self' data: blob:; ", hash(SCRIPT));
    head(&title, STYLE, &allowed)
}

fn sections(page: Page<'_>, order: &[&CallFacts], sounds: &Sounds<'_>) -> Vec<Markup> {
    let report = page.report;
    let comparison = report.judged.verdict.comparison.as_ref();
    // A baseline that has changed since is not the one the run was judged by.
    let judged_by = page.baseline.filter(|baseline| {
        comparison
            .is_some_and(|c| baseline.run_ids().eq(c.baseline_runs.iter().map(String::as_str)))
    });
    vec![
        masthead(report),
        html! { (PreEscaped("<main id=\"main\" tabindex=\"-1\"><div id=\"run\"><div class=\"first\">")) },
        verdict::section(report),
        verdict::primary_section(report),
        html! { (PreEscaped("</div>")) },
        verdict::thresholds(report),
        changes::section(report),
        outcomes::section(report),
        turns::section(report, judged_by.map(Baseline::measures)),
        load::section(report),
        calls::section(report, order, sounds),
        instrument::section(report),
        instrument::fingerprint(report),
        instrument::remarks(report),
        glossary::section(report),
        html! { (PreEscaped("</div>")) (calls::stage()) (PreEscaped("</main>")) },
    ]
}

/// What was run, and the way to each section.
fn masthead(report: &Report) -> Markup {
    let analysis = &report.judged.analysis;
    let agent = match report.judged.scenario.agent().name.as_str() {
        "" if report.judged.scenario.dispatch().is_some() => "agent of a start endpoint".to_owned(),
        "" => "automatic dispatch".to_owned(),
        name => format!("agent {}", shown(name)),
    };
    let placed = analysis.calls.len();
    let calls = match report.planned() {
        Some(planned) if planned as usize != placed => format!("{placed} of {planned} calls"),
        Some(_) | None => count(placed, "call"),
    };
    let took =
        report.duration_ms().map_or(String::new(), |ms| format!(" in {:.1}\u{a0}s", ms / 1_000.0));
    let began = analysis.head.started_at.parse::<jiff::Timestamp>();
    let began = began.map_or_else(
        |_| shown(&analysis.head.started_at),
        |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    );
    html! {
        a.skip href="#main" { "Skip to the report" }
        header.top {
            h1 { (shown(report.judged.scenario.name())) }
            p { (agent) " · " (calls) (took) " · " (began) }
            nav aria-label="Sections" {
                @for (id, name) in SECTIONS { a href={ "#" (id) } { (name) } " " }
            }
        }
    }
}

const SECTIONS: [(&str, &str); 10] = [
    ("verdict", "Verdict"),
    ("thresholds", "Thresholds"),
    ("changes", "Changes"),
    ("outcomes", "Outcomes"),
    ("turns", "Turns"),
    ("load", "Load"),
    ("calls", "Calls"),
    ("health", "Health"),
    ("fingerprint", "What was run"),
    ("definitions", "Definitions"),
];

fn after(page: Page<'_>) -> Markup {
    html! {
        footer {
            p { "loadcall " (shown(&page.report.judged.analysis.head.loadcall_version)) " · nothing in this page asks the network" }
            @if !page.kept.is_empty() {
                p {
                    "The audio of these calls is speech, which is personal data. "
                    code { "--keep-audio none" } " keeps none."
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
