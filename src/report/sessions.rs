//! The sessions of an agent for other programs: as JSON, and as a table with a row for each session.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::csv::{Table, cell, number};
use crate::spans::sessions::{
    Against, Gathered, Representative, Session, Slow, StageRow, Summary, stages,
};
use crate::stats::Interval;

/// Sessions that were read, with what was asked for.
pub struct Sessions<'a> {
    pub gathered: &'a Gathered,
    pub summary: Summary<'a>,
    /// The address of Langfuse.
    pub langfuse: &'a str,
    /// RFC 3339.
    pub from: &'a str,
    pub to: &'a str,
    pub agent: Option<&'a str>,
    pub environments: &'a [String],
    /// What production is compared with, for people.
    pub synthetic: Option<&'a str>,
    /// Why not everything was read; `None` when it was.
    pub incomplete: Option<&'a str>,
    /// Where Langfuse shows a session, by its project and id.
    pub address: &'a dyn Fn(&str, &str) -> String,
}

impl Sessions<'_> {
    pub(super) fn address_of(&self, id: &str, session: &Session) -> Option<String> {
        Some((self.address)(session.project.as_deref()?, id))
    }
}

/// The form below; it grows by names alone while this stays.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct SessionsJson<'a> {
    version: u32,
    langfuse: &'a str,
    from: &'a str,
    to: &'a str,
    agent: Option<&'a str>,
    environments: &'a [String],
    complete: bool,
    incomplete: Option<&'a str>,
    sessions: usize,
    whole_sessions: usize,
    left_out: LeftOutJson,
    agents: Vec<AgentJson<'a>>,
    stages: Vec<StageJson>,
    turns: u64,
    interrupted_turns: u64,
    interruptions: ShareJson,
    troubles: Vec<TroubleJson>,
    tokens: Option<TokensJson>,
    cost_usd: Option<CostJson>,
    compared_with: Option<&'a str>,
    slowest: Vec<SlowJson<'a>>,
}

#[derive(Serialize)]
struct LeftOutJson {
    sessions_of_loadcall: usize,
    sessions_of_other_agents: usize,
    impossible_values: u64,
    unread_rows: u64,
}

#[derive(Serialize)]
struct AgentJson<'a> {
    name: &'a str,
    sessions: usize,
}

#[derive(Serialize)]
struct StageJson {
    metric: &'static str,
    n: usize,
    sessions: usize,
    p50_ms: f64,
    p50_interval_ms: Option<[f64; 2]>,
    p95_ms: Option<f64>,
    max_ms: f64,
    simulated: Option<AgainstJson>,
}

#[derive(Serialize)]
struct AgainstJson {
    p50_ms: f64,
    n: usize,
    difference_ms: Option<[f64; 2]>,
    p: Option<f64>,
    representative: &'static str,
}

#[derive(Serialize)]
struct ShareJson {
    sessions: usize,
    share: Option<f64>,
    interval: Option<[f64; 2]>,
}

#[derive(Serialize)]
struct TroubleJson {
    kind: &'static str,
    #[serde(flatten)]
    share: ShareJson,
}

#[derive(Serialize)]
struct TokensJson {
    sessions: usize,
    input_p50: f64,
    input_p95: Option<f64>,
    output_p50: f64,
    output_p95: Option<f64>,
}

#[derive(Serialize)]
struct CostJson {
    known_sessions: usize,
    of_sessions: usize,
    p50: Option<f64>,
    p95: Option<f64>,
    sum: f64,
}

#[derive(Serialize)]
struct SlowJson<'a> {
    session: &'a str,
    url: Option<String>,
    started_at: Option<String>,
    worst_e2e_latency_ms: f64,
    turns: u32,
}

/// Writes the JSON, ending in a line break.
pub fn write_json(sessions: &Sessions<'_>, mut out: impl Write) -> io::Result<()> {
    let Sessions { summary, gathered, .. } = sessions;
    let share = |count| share(summary, count);
    let json = SessionsJson {
        version: VERSION,
        langfuse: sessions.langfuse,
        from: sessions.from,
        to: sessions.to,
        agent: sessions.agent,
        environments: sessions.environments,
        complete: sessions.incomplete.is_none(),
        incomplete: sessions.incomplete,
        sessions: summary.sessions,
        whole_sessions: summary.whole,
        left_out: LeftOutJson {
            sessions_of_loadcall: summary.ours,
            sessions_of_other_agents: summary.of_others,
            impossible_values: summary.dropped,
            unread_rows: gathered.unread,
        },
        agents: summary
            .agents
            .iter()
            .map(|(name, sessions)| AgentJson { name, sessions: *sessions })
            .collect(),
        stages: summary.stages.iter().map(StageJson::of).collect(),
        turns: summary.turns,
        interrupted_turns: summary.interrupted,
        interruptions: share(summary.interrupted_sessions),
        troubles: summary
            .troubles
            .iter()
            .map(|(trouble, count)| TroubleJson { kind: trouble.name(), share: share(*count) })
            .collect(),
        tokens: summary.tokens.map(|tokens| TokensJson {
            sessions: tokens.sessions,
            input_p50: tokens.input_p50,
            input_p95: tokens.input_p95,
            output_p50: tokens.output_p50,
            output_p95: tokens.output_p95,
        }),
        cost_usd: summary.costs.map(|costs| CostJson {
            known_sessions: costs.known,
            of_sessions: costs.of,
            p50: costs.p50,
            p95: costs.p95,
            sum: costs.sum,
        }),
        compared_with: sessions.synthetic,
        slowest: summary.slowest.iter().map(|slow| slow_json(sessions, slow)).collect(),
    };
    serde_json::to_writer_pretty(&mut out, &json)?;
    out.write_all(b"\n")
}

fn slow_json<'a>(sessions: &Sessions<'_>, slow: &Slow<'a>) -> SlowJson<'a> {
    SlowJson {
        session: slow.id,
        url: sessions.address_of(slow.id, slow.session),
        started_at: stamp(slow.session.begin_ns),
        worst_e2e_latency_ms: slow.worst_ms,
        turns: slow.session.turns,
    }
}

fn share(summary: &Summary<'_>, sessions: usize) -> ShareJson {
    let rate = summary.share(sessions);
    ShareJson { sessions, share: rate.share(), interval: rate.interval().map(ends) }
}

const fn ends(interval: Interval) -> [f64; 2] {
    [interval.low, interval.high]
}

impl StageJson {
    fn of(row: &StageRow) -> Self {
        Self {
            metric: row.metric.name(),
            n: row.n,
            sessions: row.sessions,
            p50_ms: row.p50,
            p50_interval_ms: row.p50_interval.map(ends),
            p95_ms: row.p95,
            max_ms: row.max,
            simulated: row.against.as_ref().map(AgainstJson::of),
        }
    }
}

impl AgainstJson {
    fn of(against: &Against) -> Self {
        Self {
            p50_ms: against.p50_ms,
            n: against.n,
            difference_ms: against.difference.map(|difference| ends(difference.interval)),
            p: against.p,
            representative: match against.representative {
                Representative::Yes => "yes",
                Representative::No => "no",
                Representative::Open => "cannot_tell",
                Representative::TooFew => "too_few",
            },
        }
    }
}

/// A moment of the agent's clock, RFC 3339 in milliseconds.
pub(super) fn stamp(ns: u64) -> Option<String> {
    let at = Timestamp::from_nanosecond(i128::from(ns)).ok()?;
    Some(format!("{at:.3}"))
}

/// The columns before those of the stages.
const COLUMNS: [&str; 14] = [
    "session",
    "url",
    "started_at",
    "whole",
    "agents",
    "turns",
    "interrupted_turns",
    "llm_errors",
    "llm_retries",
    "tts_errors",
    "tool_errors",
    "input_tokens",
    "output_tokens",
    "llm_cost_usd",
];

/// Writes a row for each session that counts, by its begin; of each stage the slowest and the median value.
pub fn write_csv(sessions: &Sessions<'_>, out: impl Write) -> io::Result<()> {
    use crate::spans::sessions::Trouble;
    let of_stages = stages()
        .flat_map(|metric| ["p50", "max"].map(|what| format!("{}_{what}_ms", metric.name())));
    let of_stages: Vec<String> = of_stages.collect();
    let columns = COLUMNS.into_iter().chain(of_stages.iter().map(String::as_str));
    let mut table = Table::begin(out, columns)?;
    let mut all: Vec<(&str, &Session)> = sessions.gathered.chosen(sessions.agent).collect();
    all.sort_by_key(|(id, session)| (session.begin_ns, *id));
    for (id, session) in all {
        let troubles = |kind| session.troubles.get(&kind).copied().unwrap_or(0).to_string();
        let agents: Vec<&str> = session.agents.iter().map(String::as_str).collect();
        let tokens = |n: u64| if session.counted > 0 { n.to_string() } else { String::new() };
        let row = [
            cell(id),
            cell(&sessions.address_of(id, session).unwrap_or_default()),
            stamp(session.begin_ns).unwrap_or_default(),
            session.whole.to_string(),
            cell(&agents.join(" ")),
            session.turns.to_string(),
            session.interrupted.to_string(),
            troubles(Trouble::Llm),
            troubles(Trouble::LlmRetry),
            troubles(Trouble::Tts),
            troubles(Trouble::Tool),
            tokens(session.input_tokens),
            tokens(session.output_tokens),
            session.whole_cost().map_or(String::new(), |cost| format!("{cost:.6}")),
        ];
        let times =
            stages().flat_map(|metric| [session.median(metric), session.worst(metric)].map(number));
        table.row(row.into_iter().chain(times))?;
    }
    table.end()
}
