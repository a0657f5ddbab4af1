//! `loadcall calls`: the calls of a recording, and one of them from its beginning to its end.

use super::documents::terminal_width;
use super::failure::Failure;
use super::terminal::{print_document, print_json_with, print_result};
use super::{CallsFormat, exit, recorded};
use crate::record::audio::Index;
use crate::record::store::Recording;
use crate::record::{CallId, CallRecord};
use crate::report::text::{self, Colour, one_call};
use crate::report::{Selection, call_lines, calls_json, csv, selected};
use crate::text::count;
use crate::turn::{Analysis, Lanes};
use std::path::Path;

pub(super) fn list(path: &Path, selection: Selection, format: CallsFormat) -> Result<u8, Failure> {
    let (scenario, analysis) = recorded::analyse(path)?;
    let lines = call_lines(&analysis, selection);
    match format {
        CallsFormat::Text => {
            let all = count(analysis.calls.len(), "call");
            let run = &analysis.head.run_id;
            let title = match selection {
                Selection::All => format!("{all} of {run} (time of day in UTC)"),
                Selection::Failed => format!("{} of {all} of {run} failed", lines.len()),
                Selection::Worst(_) => format!("the worst {} of {all} of {run}", lines.len()),
            };
            print_result(&text::call_list(&lines, &title, Colour::Always, terminal_width()))?;
        }
        CallsFormat::Json => print_json_with(|out| calls_json::write_list(&lines, out))?,
        CallsFormat::Csv => {
            let calls = selected(&analysis, selection);
            print_document(|out| csv::calls(&analysis.head, &scenario, calls, out))?;
        }
    }
    Ok(exit::PASS)
}

pub(super) fn one(path: &Path, id: CallId, format: CallsFormat) -> Result<u8, Failure> {
    if format == CallsFormat::Csv {
        return Err(Failure::usage("one call has no table")
            .hint("leave out its number for a row for each call, or use --format json"));
    }
    let Recording { head, mut calls } = recorded::open(path)?;
    let scenario = recorded::scenario(&head)?;
    // What a reply lacks can hang on what the agent tells in other calls, so all of them are analysed.
    let mut analysis = Analysis::begin(head, &scenario);
    let mut found: Option<CallRecord> = None;
    for call in calls.by_ref() {
        let call = call.map_err(Failure::usage)?;
        analysis.add(&call);
        if call.id == id {
            found = Some(call);
        }
    }
    let analysis = analysis.finish(calls.into_ending());
    let all = call_lines(&analysis, Selection::All);
    let line = all.iter().find(|line| line.call == id);
    let facts = analysis.calls.iter().find(|call| call.call == id);
    let (Some(call), Some(line), Some(facts)) = (found, line, facts) else {
        let known = all.iter().map(|line| line.call.0);
        let range = match (known.clone().min(), known.max()) {
            (Some(first), Some(last)) => format!("its calls are {first} to {last}"),
            _ => "it has no calls".to_owned(),
        };
        return Err(Failure::usage(format!("the run has no call {}: {range}", id.0)));
    };
    let lanes = Lanes::of(&call, &scenario);
    match format {
        CallsFormat::Text => {
            let width = terminal_width();
            let text =
                one_call::render(&analysis, &scenario, line, facts, &lanes, Colour::Always, width);
            print_result(&text)?;
            if let Some(file) = audio_of(path, id) {
                print_result(&format!("\naudio {}\n", crate::text::safe(&file)))?;
            }
        }
        CallsFormat::Json | CallsFormat::Csv => {
            print_json_with(|out| calls_json::write_one(line, &scenario, &lanes, out))?;
        }
    }
    Ok(exit::PASS)
}

/// Where the audio of a call lies, if it was kept.
fn audio_of(run: &Path, id: CallId) -> Option<String> {
    let folder = if run.is_dir() { run } else { run.parent()? };
    let index = Index::read(folder).ok()??;
    let kept = index.of(id)?;
    Some(folder.join(&kept.file).display().to_string())
}
