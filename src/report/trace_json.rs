//! A timeline for other programs.

use std::io::{self, Write};

use serde::Serialize;

use super::trace::{Origin, Trace};
use crate::spans::timeline::{Timeline, TurnLine};

/// The format this version writes.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct TraceJson<'a> {
    format: u32,
    run: Option<&'a str>,
    call: Option<u32>,
    scenario: Option<&'a str>,
    session: &'a str,
    agent: Option<&'a str>,
    links: &'a [String],
    spans_from: &'static str,
    #[serde(flatten)]
    timeline: Whole<'a>,
}

/// The timeline, or what is left of it where one turn was asked for.
#[derive(Serialize)]
#[serde(untagged)]
enum Whole<'a> {
    All(&'a Timeline),
    One(Box<Timeline>),
}

/// Writes it with a line feed at its end; `turn` alone, where one is named.
pub fn write(trace: &Trace, turn: Option<&TurnLine>, mut out: impl Write) -> io::Result<()> {
    let timeline = match turn {
        None => Whole::All(&trace.timeline),
        Some(turn) => {
            let turns = vec![turn.clone()];
            Whole::One(Box::new(Timeline { turns, ..trace.timeline.clone() }))
        }
    };
    let json = TraceJson {
        format: FORMAT,
        run: trace.call.as_ref().map(|(run, _)| run.as_str()),
        call: trace.call.as_ref().map(|(_, call)| call.0),
        scenario: trace.scenario.as_deref(),
        session: &trace.session,
        agent: trace.agent.as_deref(),
        links: &trace.links,
        spans_from: match trace.origin {
            Origin::File(_) => "file",
            Origin::Run => "run",
            Origin::Langfuse => "langfuse",
            Origin::Unknown { .. } => "nowhere",
        },
        timeline,
    };
    serde_json::to_writer_pretty(&mut out, &json)?;
    out.write_all(b"\n")
}
