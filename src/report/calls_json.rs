//! Calls for other programs: the list, and one of them with all that happened in it. Times are milliseconds since the
//! run began, as in `report.json`.

use std::io::{self, Write};

use serde::Serialize;

use super::{CallLine, since_start};
use crate::scenario::Scenario;
use crate::turn::{Lanes, Span, Stretch, Weight};

#[derive(Serialize)]
struct LineJson<'a> {
    id: u32,
    dialled_at: Option<String>,
    length_ms: f64,
    outcome: &'static str,
    ok: Option<bool>,
    cause: Option<&'static str>,
    detail: &'a str,
    slowest: Option<SlowestJson<'a>>,
    room: &'a str,
    trace_url: Option<&'a str>,
}

#[derive(Serialize)]
struct SlowestJson<'a> {
    turn: &'a str,
    ms: f64,
    censored: bool,
}

#[derive(Serialize)]
struct CallJson<'a> {
    call: LineJson<'a>,
    caller: Vec<UtteranceJson<'a>>,
    agent: Vec<SpanJson>,
    states: Vec<StretchJson<'a>>,
    tools: Vec<StretchJson<'a>>,
    words: Vec<WordsJson<'a>>,
    events: Vec<EventJson<'a>>,
}

#[derive(Serialize)]
struct SpanJson {
    from_ms: f64,
    until_ms: f64,
}

#[derive(Serialize)]
struct UtteranceJson<'a> {
    turn: &'a str,
    #[serde(flatten)]
    span: SpanJson,
    whole: bool,
    text: Option<&'a str>,
}

#[derive(Serialize)]
struct StretchJson<'a> {
    what: &'a str,
    #[serde(flatten)]
    span: SpanJson,
}

#[derive(Serialize)]
struct WordsJson<'a> {
    at_ms: f64,
    speaker: crate::record::Speaker,
    text: &'a str,
}

#[derive(Serialize)]
struct EventJson<'a> {
    at_ms: f64,
    problem: bool,
    text: &'a str,
}

/// Writes the list of calls with a line feed at its end.
pub fn write_list(lines: &[CallLine<'_>], out: impl Write) -> io::Result<()> {
    write(&lines.iter().map(LineJson::from).collect::<Vec<_>>(), out)
}

/// Writes one call with a line feed at its end.
pub fn write_one(
    line: &CallLine<'_>,
    scenario: &Scenario,
    lanes: &Lanes,
    out: impl Write,
) -> io::Result<()> {
    let turn = |step: u32| scenario.steps().get(step as usize).map_or("", |of| of.id.as_str());
    let json = CallJson {
        call: line.into(),
        caller: (lanes.caller.iter())
            .map(|said| UtteranceJson {
                turn: turn(said.step),
                span: said.span.into(),
                whole: said.whole,
                text: said.text.as_deref(),
            })
            .collect(),
        agent: lanes.agent.iter().map(|voice| (*voice).into()).collect(),
        states: lanes.states.iter().map(Into::into).collect(),
        tools: lanes.tools.iter().map(Into::into).collect(),
        words: (lanes.words.iter())
            .map(|words| WordsJson {
                at_ms: since_start(words.at),
                speaker: words.speaker,
                text: &words.text,
            })
            .collect(),
        events: (lanes.events.iter())
            .map(|event| EventJson {
                at_ms: since_start(event.at),
                problem: event.weight == Weight::Problem,
                text: &event.text,
            })
            .collect(),
    };
    write(&json, out)
}

fn write(json: &impl Serialize, mut out: impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, json)?;
    out.write_all(b"\n")
}

impl<'a> From<&'a CallLine<'a>> for LineJson<'a> {
    fn from(line: &'a CallLine<'a>) -> Self {
        Self {
            id: line.call.0,
            dialled_at: line.dialled_at.map(|at| format!("{at:.3}")),
            length_ms: line.length_ms,
            outcome: line.outcome.name(),
            ok: line.ok,
            cause: line.cause.map(crate::turn::Cause::name),
            detail: line.detail,
            slowest: line.slowest.map(|of| SlowestJson {
                turn: &of.turn.id,
                ms: of.ms,
                censored: of.censored,
            }),
            room: line.room,
            trace_url: line.trace.as_deref(),
        }
    }
}

impl From<Span> for SpanJson {
    fn from(span: Span) -> Self {
        Self { from_ms: since_start(span.from), until_ms: since_start(span.until) }
    }
}

impl<'a> From<&'a Stretch> for StretchJson<'a> {
    fn from(of: &'a Stretch) -> Self {
        Self { what: &of.what, span: of.span.into() }
    }
}
