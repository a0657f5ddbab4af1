//! The calls and the turns of a run as tables (CSV, RFC 4180) for spreadsheets and data frames: a row each, units in
//! the names of the columns. Text of others is on one line and never a formula.

use super::replies::{disturbed_ms, heard_ms, is_censored, reply, yield_ms};
use super::{Report, since_start, wall_time};
use crate::record::{RunHead, trace_url};
use crate::scenario::Scenario;
use crate::text::{clipped, safe};
use crate::time::Offset;
use crate::turn::{Answer, CallFacts, Part, Path, REPORTED, Span, Turn, stages};
use std::io::{self, Write};

/// Characters of a text that are written; a cell of a spreadsheet holds 32,767.
const LIMIT: usize = 5_000;

const CALLS: [&str; 23] = [
    "run_id",
    "scenario",
    "call",
    "started_at",
    "room",
    "trace_url",
    "room_sid",
    "agent_identity",
    "outcome",
    "detail",
    "ok",
    "cause",
    "cause_detail",
    "due_ms",
    "dialled_ms",
    "connected_ms",
    "agent_joined_ms",
    "agent_ready_ms",
    "ended_ms",
    "overlap_ms",
    "packets_received",
    "packets_lost",
    "largest_gap_ms",
];

/// A row for each of `calls`, which are of the run of `head`. Times count from the start of the run; `started_at` is
/// UTC.
pub fn calls<'a>(
    head: &RunHead,
    scenario: &Scenario,
    calls: impl IntoIterator<Item = &'a CallFacts>,
    out: impl Write,
) -> io::Result<()> {
    let mut table = Table::begin(out, CALLS.into_iter())?;
    for call in calls {
        let CallFacts { call: id, room, outcome, detail, overlap, failure, .. } = call;
        let started_at =
            wall_time(head, call.dialled).map_or(String::new(), |at| format!("{at:.3}"));
        let moment = |at: Option<Offset>| number(at.map(since_start));
        table.row([
            cell(&head.run_id),
            cell(scenario.name()),
            id.0.to_string(),
            started_at,
            cell(room),
            cell(&trace_url(head, *id).unwrap_or_default()),
            cell(call.room_sid.as_deref().unwrap_or_default()),
            cell(call.agent_identity.as_deref().unwrap_or_default()),
            outcome.name().to_owned(),
            cell(detail),
            call.ok().map_or(String::new(), |ok| ok.to_string()),
            failure.as_ref().map_or(String::new(), |failure| failure.cause.name().to_owned()),
            cell(failure.as_ref().map_or("", |failure| &failure.detail)),
            moment(Some(call.due)),
            moment(Some(call.dialled)),
            moment(call.connected),
            moment(call.agent_joined),
            moment(call.agent_ready),
            moment(Some(call.ended)),
            number(Some(overlap.overlap_ms)),
            call.packets_received.to_string(),
            call.packets_lost.to_string(),
            number(Some(call.largest_gap_ms)),
        ])?;
    }
    table.end()
}

const TURNS: [&str; 21] = [
    "run_id",
    "scenario",
    "call",
    "step",
    "turn",
    "reply",
    "heard_ms",
    "censored",
    "heard_ttfa_ms",
    "answer_ms",
    "answer_censored",
    "filler_gap_ms",
    "cut_in",
    "yield_ms",
    "disturbed_ms",
    "said_from_ms",
    "said_until_ms",
    "voice_from_ms",
    "voice_until_ms",
    "turn_decided_ms",
    "answer_prepared_ms",
];
/// After the stages that the agent reports.
const MORE: [&str; 9] = [
    "unattributed_ms",
    "tool_ms",
    "bottleneck",
    "false_interruption",
    "tools",
    "heard_by_agent",
    "reply_text",
    "wrong_content",
    "errors",
];

/// A row for each turn of each call. A time that is only a lower bound has `true` in `censored`.
pub fn turns(report: &Report, out: impl Write) -> io::Result<()> {
    let reported: Vec<String> =
        REPORTED.iter().map(|(metric, _)| format!("{}_ms", metric.name())).collect();
    let columns = TURNS.into_iter().chain(reported.iter().map(String::as_str)).chain(MORE);
    let mut table = Table::begin(out, columns)?;
    for turn in report.judged.analysis.turns() {
        let stages = stages(&turn.reported);
        let stage = |metric| stages.iter().find(|(of, _)| *of == metric).map(|(_, ms)| *ms);
        let row = [cell(&report.judged.analysis.head.run_id), cell(report.judged.scenario.name())]
            .into_iter()
            .chain(heard(turn))
            .chain(REPORTED.iter().map(|(metric, _)| number(stage(*metric))))
            .chain(more(turn));
        table.row(row)?;
    }
    table.end()
}

/// What was heard of a turn, as the columns from `call` on.
fn heard(turn: &Turn) -> [String; 19] {
    let (name, voice) = reply(turn.reply);
    let (answer, answer_censored, filler) = match turn.answer {
        None | Some(Answer::Unknown) => (None, String::new(), None),
        Some(Answer::Heard { latency_ms, filler }) => {
            (Some(latency_ms), "false".to_owned(), filler.map(|filler| filler.gap_ms))
        }
        Some(Answer::Outstanding { waited_ms } | Answer::Never { waited_ms }) => {
            (Some(waited_ms), "true".to_owned(), None)
        }
    };
    let from = |span: Option<Span>| number(span.map(|span| since_start(span.from)));
    let until = |span: Option<Span>| number(span.map(|span| since_start(span.until)));
    [
        turn.call.0.to_string(),
        turn.step.to_string(),
        cell(&turn.id),
        name.to_owned(),
        number(heard_ms(turn.reply)),
        is_censored(turn.reply).to_string(),
        number(turn.ttfa_ms),
        number(answer),
        answer_censored,
        number(filler),
        turn.cut_in.to_string(),
        number(yield_ms(turn.reply)),
        number(disturbed_ms(turn.reply)),
        from(turn.said),
        until(turn.said),
        from(voice),
        until(voice),
        number(turn.turn_decided_ms),
        number(turn.answer_prepared_ms()),
    ]
}

/// The columns of [`MORE`].
fn more(turn: &Turn) -> [String; 9] {
    let path = turn.path();
    let wrong: Vec<String> = turn.wrong_content().collect();
    [
        number(turn.unattributed_ms()),
        number(turn.tool_ms),
        path.as_ref()
            .and_then(Path::bottleneck)
            .map_or(String::new(), |p| Part::name(p).to_owned()),
        turn.false_interruption.to_string(),
        cell(&turn.tools.join("; ")),
        cell(turn.heard_by_agent.as_deref().unwrap_or_default()),
        cell(turn.reply_text.as_deref().unwrap_or_default()),
        cell(&wrong.join("; ")),
        cell(&turn.errors.join("; ")),
    ]
}

pub(super) struct Table<W: Write>(::csv::Writer<W>);

impl<W: Write> Table<W> {
    pub(super) fn begin<'a>(out: W, columns: impl Iterator<Item = &'a str>) -> io::Result<Self> {
        let mut writer = ::csv::Writer::from_writer(out);
        writer.write_record(columns).map_err(as_io)?;
        Ok(Self(writer))
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) -> io::Result<()> {
        self.0.write_record(cells).map_err(as_io)
    }

    pub(super) fn end(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// With the kind that the writer's own error hides: a reader that has gone away is not an error.
fn as_io(error: ::csv::Error) -> io::Error {
    let text = error.to_string();
    if let ::csv::ErrorKind::Io(e) = error.into_kind() { e } else { io::Error::other(text) }
}

/// Milliseconds to the microsecond; empty where there are none.
pub(super) fn number(ms: Option<f64>) -> String {
    ms.filter(|ms| ms.is_finite()).map_or(String::new(), |ms| format!("{ms:.3}"))
}

/// A text of others. A spreadsheet takes what begins like a formula for one, and the log of a job on GitHub a line
/// that begins with `::…::` for a command, unless an apostrophe stands before it.
pub(super) fn cell(text: &str) -> String {
    const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let text = clipped(&safe(text), LIMIT);
    let begin = text.trim_start();
    if begin.starts_with(FORMULA) || begin.starts_with("::") { format!("'{text}") } else { text }
}
