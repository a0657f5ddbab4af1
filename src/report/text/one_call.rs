//! One call in a terminal: what each side said when, what the agent did meanwhile, where the time of each reply
//! went, in the order of time.

use super::page::{Page, Tone};
use super::{Colour, WIDTH, call_list};
use crate::record::Speaker;
use crate::report::{CallLine, wall_time};
use crate::scenario::Scenario;
use crate::text::{clipped, number};
use crate::time::Offset;
use crate::turn::{Analysis, CallFacts, Lanes, Reply, Turn, Weight};

/// Characters of a text that are shown.
const TEXT: usize = 400;
/// The agent's states and tools are shown from this length on, in milliseconds.
const SHORT_MS: f64 = 1.0;

/// Where the texts of the timeline begin.
const HANGING: usize = 18;

/// A row of the timeline.
struct Row {
    at: Offset,
    /// Rows of the same moment: what was heard, then what is said of it.
    rank: u8,
    who: (Tone, &'static str),
    text: String,
}

/// The timeline of a call, of at most `width` columns but for addresses.
pub fn render(
    analysis: &Analysis,
    scenario: &Scenario,
    line: &CallLine<'_>,
    facts: &CallFacts,
    lanes: &Lanes,
    colour: Colour,
    width: usize,
) -> String {
    let mut page = Page::new(colour, width.clamp(*WIDTH.start(), *WIDTH.end()));
    let at = wall_time(&analysis.head, facts.dialled)
        .map_or_else(String::new, |at| format!(" · {}", at.strftime("%Y-%m-%d %H:%M:%S UTC")));
    let agent = facts.agent_identity.as_deref().unwrap_or("no agent");
    let title = format!("call {}", line.call.0);
    let length = line.length_ms / 1_000.0;
    let text = format!("· {} · {length:.1} s{at} · {agent}", scenario.name());
    page.paragraph(0, &[(Tone::Strong, &title)], &text);
    page.blank();
    call_list::head(&mut page);
    call_list::row(&mut page, line);
    call_list::places(&mut page, line);
    page.heading("timeline (seconds from dialling)");
    let mut rows = rows(facts, lanes);
    rows.sort_by_key(|row| (row.at, row.rank));
    for row in rows {
        let seconds = row.at.ms_since(facts.dialled) / 1_000.0;
        let (tone, who) = row.who;
        let lead = [(Tone::Faint, format!("{seconds:>8.3}  ")), (tone, format!("{who:<7}"))];
        let lead: Vec<(Tone, &str)> =
            lead.iter().map(|(tone, text)| (*tone, text.as_str())).collect();
        page.hung(0, HANGING, &lead, &row.text);
    }
    page.finish()
}

fn rows(facts: &CallFacts, lanes: &Lanes) -> Vec<Row> {
    let quoted = |text: &str| format!("“{}”", clipped(text.trim(), TEXT));
    let (caller, agent) = ((Tone::Strong, "caller"), (Tone::Good, "agent"));
    let seconds = |ms: f64| format!("{:.2} s", ms / 1_000.0);
    let mut rows = Vec::new();
    let mut push = |at, rank, who, text| rows.push(Row { at, rank, who, text });
    for said in &lanes.caller {
        let text = said.text.as_deref().map(quoted).unwrap_or_default();
        let length = seconds(said.span.until.ms_since(said.span.from));
        let cut = if said.whole { "" } else { ", cut off" };
        push(said.span.from, 0, caller, format!("speaks {length}{cut} {text}"));
    }
    for voice in &lanes.agent {
        let length = seconds(voice.until.ms_since(voice.from));
        push(voice.from, 0, agent, format!("speaks {length}"));
    }
    for words in &lanes.words {
        let (who, verb) = match words.speaker {
            Speaker::Caller => (agent, "understood"),
            Speaker::Agent => (agent, "text"),
        };
        push(words.at, 2, who, format!("{verb} {}", quoted(&words.text)));
    }
    for (of, verb) in [(&lanes.states, "is"), (&lanes.tools, "runs tool")] {
        for stretch in of {
            let ms = stretch.span.until.ms_since(stretch.span.from);
            if ms >= SHORT_MS {
                let what = clipped(&stretch.what, TEXT);
                push(
                    stretch.span.from,
                    1,
                    (Tone::Faint, "agent"),
                    format!("{verb} {what} {}", seconds(ms)),
                );
            }
        }
    }
    for event in &lanes.events {
        let who = match event.weight {
            Weight::Course => (Tone::Faint, ""),
            Weight::Problem => (Tone::Bad, "!"),
        };
        push(event.at, 3, who, clipped(&event.text, TEXT));
    }
    for turn in &facts.turns {
        if let Some((at, text)) = gap(turn) {
            push(at, 4, (Tone::Doubt, "↳"), text);
        }
    }
    rows
}

/// What the caller waited for, stamped when that was over.
fn gap(turn: &Turn) -> Option<(Offset, String)> {
    let id = clipped(&turn.id, TEXT);
    if let (Reply::Unanswered { waited_ms }, Some(said)) = (turn.reply, turn.said) {
        let until =
            said.until.plus(std::time::Duration::from_secs_f64(waited_ms.max(0.0) / 1_000.0));
        return Some((until, format!("turn `{id}`: no reply for {} ms", number(waited_ms))));
    }
    let (Reply::Heard { voice, latency_ms } | Reply::Greeted { voice, latency_ms }) = turn.reply
    else {
        return None;
    };
    let path = turn.path();
    let mut parts: Vec<_> = path.iter().flat_map(|path| &path.parts).collect();
    parts.sort_by(|a, b| b.1.total_cmp(a.1));
    let parts: Vec<String> =
        parts.iter().map(|(part, ms)| format!("{} {}", part.name(), number(**ms))).collect();
    let parts = if parts.is_empty() { String::new() } else { format!(" = {}", parts.join(" + ")) };
    Some((voice.from, format!("turn `{id}`: heard after {} ms{parts}", number(latency_ms))))
}
