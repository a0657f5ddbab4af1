//! `loadcall trace`: one timeline of a call, or of a session that loadcall did not call.

mod find;
mod given;
mod got;
mod langfuse;
mod spans;

use super::args::{TraceArgs, TraceFormat};
use super::documents::terminal_width;
use super::failure::Failure;
use super::terminal::{print_document, print_json_with, print_result};
use super::{exit, recorded};
use crate::record::{CallId, CallRecord, trace_url};
use crate::report::text::{self, Colour};
use crate::report::trace::Trace;
use crate::report::{html, trace_json, wall_time};
use crate::spans::timeline::{Call, Timeline, TurnLine, Wanted};
use crate::turn::{Lanes, analyse_call};
use find::Target;
use langfuse::Asked;
use std::path::Path;

pub(super) fn trace(args: &TraceArgs) -> Result<u8, Failure> {
    let trace = match find::find(args)? {
        Target::Call { run, call } => of_call(args, &run, call)?,
        Target::Session(id) => of_session(args, id)?,
    };
    let turn = args.turn.as_deref().map(|turn| named(&trace, turn)).transpose()?;
    match args.format {
        TraceFormat::Text => {
            let width = terminal_width();
            print_result(&text::trace::render(&trace, turn, Colour::Always, width))?;
        }
        TraceFormat::Json => print_json_with(|out| trace_json::write(&trace, turn, out))?,
        TraceFormat::Html => print_document(|out| html::trace::write(&trace, turn, out))?,
    }
    Ok(exit::PASS)
}

fn of_call(args: &TraceArgs, run: &Path, id: Option<CallId>) -> Result<Trace, Failure> {
    let recording = recorded::open(run)?;
    let scenario = recorded::scenario(&recording.head)?;
    let head = recording.head;
    let mut calls = recording.calls;
    let mut found: Option<CallRecord> = None;
    let mut known: Option<(u32, u32)> = None;
    for call in calls.by_ref() {
        let call = call.map_err(Failure::usage)?;
        let number = call.id.0;
        known = Some(known.map_or((number, number), |(a, b)| (a.min(number), b.max(number))));
        if id.is_none_or(|id| id == call.id) {
            // Without a number there has to be one call alone.
            if id.is_none() && found.is_some() {
                let shown = run.display();
                return Err(Failure::usage(format!("{shown} holds several calls")).hint(
                    "name one by its number; `loadcall calls RUN --worst 5` lists the worst",
                ));
            }
            found = Some(call);
        }
    }
    let Some(call) = found else { return Err(find::no_such_call(id, known)) };
    let (facts, _) = analyse_call(&call, &scenario);
    let lanes = Lanes::of(&call, &scenario);
    let wanted = Wanted::of_call(&head, &facts);
    let folder = if run.is_dir() { run } else { run.parent().unwrap_or(run) };
    let during = wall_time(&head, facts.dialled).zip(wall_time(&head, facts.ended));
    let asked = Asked::Call { room: &facts.room, sid: facts.room_sid.as_deref(), during };
    let got = spans::get(args, &wanted, Some(folder), asked)?;
    let of = Call { head: &head, facts: &facts, lanes: &lanes };
    Ok(Trace {
        call: Some((head.run_id.clone(), call.id)),
        scenario: Some(scenario.name().to_owned()),
        session: facts.room.clone(),
        agent: facts.agent_identity.clone(),
        links: trace_url(&head, call.id).into_iter().chain(got.links).collect(),
        origin: got.origin,
        timeline: Timeline::of_call(of, &got.spans),
    })
}

fn of_session(args: &TraceArgs, id: String) -> Result<Trace, Failure> {
    let wanted = Wanted {
        traces: if given::is_trace(&id) { vec![id.to_ascii_lowercase()] } else { Vec::new() },
        names: vec![id.clone()],
    };
    let got = spans::get(args, &wanted, None, Asked::Session(&id))?;
    if got.spans.is_empty() {
        return Err(spans::unknown_session(args, &id));
    }
    let of_session = got.spans.iter().find(|span| span.name == "agent_session");
    let agent = of_session.or(got.spans.first()).and_then(|span| {
        ["lk.agent_name", "gen_ai.agent.name"].iter().find_map(|name| span.text(name))
    });
    Ok(Trace {
        call: None,
        scenario: None,
        agent: agent.map(str::to_owned),
        session: got.session.unwrap_or(id),
        links: got.links,
        origin: got.origin,
        timeline: Timeline::of_session(&got.spans),
    })
}

/// The turn of a number or an id.
fn named<'a>(trace: &'a Trace, turn: &str) -> Result<&'a TurnLine, Failure> {
    let turns = &trace.timeline.turns;
    let by_number = turn.parse().ok().and_then(|n: usize| turns.iter().find(|of| of.number == n));
    let by_id = || turns.iter().find(|of| of.id.as_deref() == Some(turn));
    by_number.or_else(by_id).ok_or_else(|| {
        let ids: Vec<&str> = turns.iter().filter_map(|of| of.id.as_deref()).take(20).collect();
        let hint = match (turns.len(), ids.is_empty()) {
            (0, _) => "no turn is known of it".to_owned(),
            (n, true) => format!("its turns are 1 to {n}"),
            (n, false) => format!("its turns are 1 to {n}, or by id: {}", ids.join(", ")),
        };
        Failure::usage(format!("there is no turn `{turn}`")).hint(hint)
    })
}
