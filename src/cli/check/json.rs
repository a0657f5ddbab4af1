//! The result of `loadcall check` as JSON.

use super::{Checked, Found};
use crate::scenario::{Load, SourceText};
use serde::Serialize;

/// The format of the document; it grows by new keys alone.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    /// Whether the check passes, as its exit code says.
    ok: bool,
    files: Vec<File<'a>>,
}

#[derive(Serialize)]
struct File<'a> {
    path: &'a str,
    ok: bool,
    /// Of a scenario without errors.
    #[serde(flatten)]
    size: Option<Size<'a>>,
    errors: Vec<Fault<'a>>,
    notes: Vec<Note>,
}

#[derive(Serialize)]
struct Size<'a> {
    name: &'a str,
    turns: usize,
    calls: u32,
    concurrency: u16,
}

#[derive(Serialize)]
struct Fault<'a> {
    code: &'a str,
    message: &'a str,
    /// Stands at the place.
    label: Option<&'a str>,
    help: Option<&'a str>,
    /// From 1; columns in characters. Absent where the file could not be read, or a flag is at fault.
    line: Option<usize>,
    column: Option<usize>,
}

#[derive(Serialize)]
struct Note {
    turn: Option<String>,
    text: String,
}

/// The document, pretty, with a line break at its end.
pub(super) fn document(checked: &[Checked], strict: bool) -> String {
    let files: Vec<File<'_>> = checked.iter().map(|file| of(file, strict)).collect();
    let document = Document { format: FORMAT, ok: files.iter().all(|file| file.ok), files };
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

fn of(checked: &Checked, strict: bool) -> File<'_> {
    let (size, errors) = match &checked.found {
        Found::Unread(message) => {
            let (code, label, help) = ("file::unreadable", None, None);
            (None, vec![Fault { code, message, label, help, line: None, column: None }])
        }
        Found::Faulty { text, overrides, faults } => {
            let source = SourceText::new(text, overrides);
            let fault = |fault| of_fault(fault, &source);
            (None, faults.iter().map(fault).collect())
        }
        Found::Sound { scenario, .. } => {
            let (calls, concurrency) = match scenario.load() {
                Load::Once => (1, 1),
                Load::Repeat { calls, concurrency } => (calls.get(), concurrency.get()),
            };
            let turns = scenario.steps().len();
            (Some(Size { name: scenario.name(), turns, calls, concurrency }), Vec::new())
        }
    };
    let notes = checked.notes().into_iter().map(|note| Note { turn: note.turn, text: note.text });
    File { path: &checked.path, ok: checked.passes(strict), size, errors, notes: notes.collect() }
}

fn of_fault<'a>(fault: &'a crate::scenario::Fault, source: &SourceText<'_>) -> Fault<'a> {
    let (line, column) = fault.place(source).unzip();
    Fault {
        code: fault.code,
        message: &fault.message,
        label: Some(fault.label.as_str()).filter(|label| !label.is_empty()),
        help: fault.help.as_deref(),
        line,
        column,
    }
}
