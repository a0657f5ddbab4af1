//! The sessions of an agent for people, in a terminal.

use super::grid::{Column, Grid};
use super::numbers::grouped;
use super::page::{Page, Tone};
use super::{Colour, WIDTH};
use crate::report::sessions::{Sessions, stamp};
use crate::spans::sessions::{Representative, StageRow, Summary, Trouble};
use crate::text::{count, number, number_of};

/// Agents that are named where none was chosen.
const AGENTS: usize = 5;

/// The sessions as lines of at most `width` columns but for addresses.
pub fn render(sessions: &Sessions<'_>, colour: Colour, width: usize) -> String {
    let mut page = Page::new(colour, width.clamp(*WIDTH.start(), *WIDTH.end()));
    head(&mut page, sessions);
    stages(&mut page, sessions);
    beside(&mut page, sessions);
    shares(&mut page, &sessions.summary);
    per_session(&mut page, &sessions.summary);
    slowest(&mut page, sessions);
    page.finish()
}

fn head(page: &mut Page, sessions: &Sessions<'_>) {
    let summary = &sessions.summary;
    if let Some(why) = sessions.incomplete {
        page.paragraph(0, &[(Tone::Doubt, "incomplete:")], why);
    }
    let of = sessions.agent.map_or("sessions".to_owned(), |agent| format!("sessions of {agent}"));
    let environments = match sessions.environments {
        [] => String::new(),
        some => format!(", environment {}", some.join(", ")),
    };
    let place = format!("in Langfuse at {}{environments}", sessions.langfuse);
    page.paragraph(0, &[(Tone::Strong, &of)], &place);
    let read = format!("to {}", sessions.to);
    page.paragraph(0, &[(Tone::Plain, sessions.from)], &read);
    let whole = match summary.sessions - summary.whole {
        0 => String::new(),
        n => format!(", {} of them begun before that, or not ended", number_of(n)),
    };
    let turns = usize::try_from(summary.turns).unwrap_or(usize::MAX);
    let counts = format!("{} of the agent{whole}", count(turns, "turn"));
    page.paragraph(
        0,
        &[(Tone::Plain, &format!("{},", count(summary.sessions, "session")))],
        &counts,
    );
    left_out(page, sessions);
    if sessions.agent.is_none() && summary.agents.len() > 1 {
        let mut agents: Vec<(&&str, &usize)> = summary.agents.iter().collect();
        agents.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let named = agents.iter().take(AGENTS).map(|(name, n)| format!("{name} ({n})"));
        let named: Vec<String> = named.collect();
        let text = format!("{}: --name chooses one", named.join(", "));
        page.paragraph(0, &[(Tone::Doubt, "several agents:")], &text);
    }
}

fn left_out(page: &mut Page, sessions: &Sessions<'_>) {
    let summary = &sessions.summary;
    let ours = (summary.ours > 0).then(|| format!("{} of loadcall", number_of(summary.ours)));
    let others = (summary.of_others > 0)
        .then(|| format!("{} of other agents", number_of(summary.of_others)));
    let dropped = (summary.dropped > 0)
        .then(|| format!("{} that cannot be true", count_of(summary.dropped, "value")));
    let unread = sessions.gathered.unread;
    let unread = (unread > 0).then(|| format!("{} that cannot be read", count_of(unread, "row")));
    let all: Vec<String> = [ours, others, dropped, unread].into_iter().flatten().collect();
    if !all.is_empty() {
        page.paragraph(0, &[(Tone::Plain, "left out:")], &all.join(", "));
    }
}

fn count_of(n: u64, what: &str) -> String {
    count(usize::try_from(n).unwrap_or(usize::MAX), what)
}

fn stages(page: &mut Page, sessions: &Sessions<'_>) {
    page.heading("reported by the agent, in milliseconds");
    if sessions.summary.stages.is_empty() {
        page.paragraph(2, &[], "no stage: the spans have none of the attributes of livekit-agents");
        return;
    }
    let mut grid = Grid::new([
        Column::left(""),
        Column::right("n"),
        Column::right("sessions").given_up(2),
        Column::right("p50"),
        Column::left("95 % interval").given_up(1),
        Column::right("p95"),
        Column::right("max"),
    ]);
    for row in &sessions.summary.stages {
        grid.row(stage(row));
    }
    grid.write(page, 2);
}

fn stage(row: &StageRow) -> [(Tone, String); 7] {
    let interval = row.p50_interval.map_or("–".to_owned(), |interval| {
        format!("{} to {}", grouped(interval.low), grouped(interval.high))
    });
    [
        (Tone::Plain, row.metric.name().to_owned()),
        (Tone::Plain, number_of(row.n)),
        (Tone::Plain, number_of(row.sessions)),
        (Tone::Strong, grouped(row.p50)),
        (Tone::Faint, interval),
        (Tone::Plain, row.p95.map_or("–".to_owned(), grouped)),
        (Tone::Plain, grouped(row.max)),
    ]
}

fn beside(page: &mut Page, sessions: &Sessions<'_>) {
    let Some(name) = sessions.synthetic else { return };
    page.heading(&format!("beside {name} (reported against reported)"));
    let mut shown = false;
    for row in &sessions.summary.stages {
        let Some(against) = &row.against else { continue };
        let tone = match against.representative {
            Representative::Yes => Tone::Good,
            Representative::No => Tone::Bad,
            Representative::Open | Representative::TooFew => Tone::Doubt,
        };
        page.paragraph(2, &[(tone, row.metric.name())], &against.sentence(row.p50));
        shown = true;
    }
    if !shown {
        page.paragraph(2, &[], "no stage that both report");
    }
}

fn shares(page: &mut Page, summary: &Summary<'_>) {
    let troubles = summary.troubles.iter().filter(|(_, sessions)| *sessions > 0);
    let interruptions = (summary.interrupted_sessions > 0).then_some(summary.interrupted_sessions);
    let rows: Vec<(String, usize)> = interruptions
        .map(|sessions| {
            let turns = count_of(summary.interrupted, "turn");
            (format!("interruptions ({turns})"), sessions)
        })
        .into_iter()
        .chain(troubles.map(|(trouble, sessions)| (words(*trouble).to_owned(), *sessions)))
        .collect();
    page.heading("sessions with");
    if rows.is_empty() {
        page.paragraph(2, &[], "neither interruptions nor errors");
        return;
    }
    let mut grid =
        Grid::new([Column::left(""), Column::right(""), Column::right(""), Column::left("")]);
    for (what, sessions) in rows {
        let rate = summary.share(sessions);
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let interval = rate.interval().map_or(String::new(), |i| {
            format!("95 % interval {:.1} to {:.1} %", i.low * 100.0, i.high * 100.0)
        });
        grid.row([
            (Tone::Plain, what),
            (Tone::Plain, number_of(sessions)),
            (Tone::Plain, rate.share().map_or(String::new(), percent)),
            (Tone::Faint, interval),
        ]);
    }
    grid.write(page, 2);
}

const fn words(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Llm => "errors of the LLM",
        Trouble::LlmRetry => "requests to the LLM made again",
        Trouble::Tts => "errors of the TTS",
        Trouble::Tool => "errors of a tool",
        Trouble::Session => "an error of the session",
        Trouble::Other => "errors of another kind",
    }
}

fn per_session(page: &mut Page, summary: &Summary<'_>) {
    if summary.tokens.is_none() && summary.costs.is_none() {
        return;
    }
    page.heading("per session that was read whole");
    if let Some(tokens) = summary.tokens {
        for (lead, p50, p95) in [
            ("LLM input tokens", tokens.input_p50, tokens.input_p95),
            ("LLM output tokens", tokens.output_p50, tokens.output_p95),
        ] {
            let p95 = p95.map_or(String::new(), |p95| format!(", p95 {}", number(p95)));
            let text = format!("p50 {}{p95} (n {})", number(p50), number_of(tokens.sessions));
            page.paragraph(2, &[(Tone::Plain, lead)], &text);
        }
    }
    if let Some(costs) = summary.costs {
        let usd = |cost: f64| format!("${cost:.4}");
        let p50 = costs.p50.map_or(String::new(), |p50| format!("p50 {}", usd(p50)));
        let p95 = costs.p95.map_or(String::new(), |p95| format!(", p95 {}", usd(p95)));
        let known = format!(
            "cost known for {} of {} sessions",
            number_of(costs.known),
            number_of(costs.of)
        );
        let text = if p50.is_empty() { known } else { format!("{p50}{p95}; {known}") };
        page.paragraph(2, &[(Tone::Plain, "LLM cost")], &text);
    }
}

fn slowest(page: &mut Page, sessions: &Sessions<'_>) {
    if sessions.summary.slowest.is_empty() {
        return;
    }
    page.heading("slowest sessions, by their slowest e2e_latency");
    for slow in &sessions.summary.slowest {
        let at = stamp(slow.session.begin_ns).unwrap_or_default();
        let ms = format!("{:>8} ms", grouped(slow.worst_ms));
        let turns = count(slow.session.turns as usize, "turn");
        page.paragraph(2, &[(Tone::Strong, &ms)], &format!("{at}  {turns}  {}", slow.id));
        if let Some(address) = sessions.address_of(slow.id, slow.session) {
            page.whole(14, &address);
        }
    }
}
