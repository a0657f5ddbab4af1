//! `loadcall check`: every error in scenario files, and facts about their clips. Both are the result, on stdout.

use super::clips::{self, Loaded, Outside};
use super::documents::terminal_width;
use super::exit;
use super::failure::Failure;
use super::terminal::{eprint_line, eprint_styled, print_json, print_result};
use super::{environment, files, scenarios};
use crate::report::text::{Colour, Page, Tone};
use crate::scenario::{Faults, Load, Overlay, Override, Scenario, SourceText, Style};
use crate::text::count;
use std::path::{Path, PathBuf};

mod clip;
mod json;

/// How the result is printed, and whether notes fail the check.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    pub(super) outside: Outside,
    pub(super) format: CheckFormat,
    pub(super) strict: bool,
}

/// The forms of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum CheckFormat {
    /// Plain text.
    Text,
    /// JSON, for editors and scripts.
    Json,
}

/// What was found of one file.
struct Checked {
    path: String,
    found: Found,
}

enum Found {
    /// Why it could not be read.
    Unread(String),
    Faulty {
        text: String,
        overrides: Vec<Override>,
        faults: Faults,
    },
    Sound {
        scenario: Box<Scenario>,
        clips: Vec<Option<Loaded>>,
    },
}

/// Something that is no error and is worth a look.
struct Note {
    /// The turn it is of, if it is of one.
    turn: Option<String>,
    text: String,
}

/// Checks every file, and shows the faults of all.
pub(super) fn check(paths: &[PathBuf], overrides: &[Override], how: How) -> Result<u8, Failure> {
    let paths = scenarios::expand(paths)?;
    let file = |path: &PathBuf| Checked::file(path, overrides, how.outside);
    let checked: Vec<Checked> = paths.iter().map(file).collect();
    match how.format {
        CheckFormat::Json => print_json(&json::document(&checked, how.strict))?,
        CheckFormat::Text => {
            for file in &checked {
                print_result(&file.text(how.strict))?;
            }
        }
    }
    let passes = checked.iter().all(|file| file.passes(how.strict));
    Ok(if passes { exit::PASS } else { exit::USAGE })
}

impl Checked {
    fn file(path: &Path, overrides: &[Override], outside: Outside) -> Self {
        let found = match files::read_scenario(path) {
            Err(why) => Found::Unread(why.message().unwrap_or_default().to_owned()),
            Ok(text) => match read(path, &text, overrides, outside) {
                Err(faults) => Found::Faulty { text, overrides: overrides.to_vec(), faults },
                Ok((scenario, clips)) => Found::Sound { scenario: Box::new(scenario), clips },
            },
        };
        Self { path: path.display().to_string(), found }
    }

    fn passes(&self, strict: bool) -> bool {
        matches!(self.found, Found::Sound { .. }) && (!strict || self.notes().is_empty())
    }

    fn notes(&self) -> Vec<Note> {
        match &self.found {
            Found::Sound { scenario, clips } => notes(scenario, clips),
            Found::Unread(_) | Found::Faulty { .. } => Vec::new(),
        }
    }

    fn text(&self, strict: bool) -> String {
        let mut page = Page::new(Colour::Always, terminal_width());
        match &self.found {
            Found::Unread(why) => {
                page.paragraph(0, &[(Tone::Bad, "error"), (Tone::Plain, ":")], why);
            }
            Found::Faulty { text, overrides, faults } => {
                return drawn(&self.path, &SourceText::new(text, overrides), faults) + "\n";
            }
            Found::Sound { scenario, clips } => {
                page.paragraph(0, &[], &format!("{}: ok, {}", self.path, size(scenario)));
                for note in of_the_scenario(scenario) {
                    page.paragraph(2, &[], &format!("note: {note}"));
                }
                for (step, loaded) in scenario.steps().iter().zip(clips) {
                    let Some(Loaded { clip, reference }) = loaded else { continue };
                    clip::write(&mut page, &step.id, &reference.file, clip.facts());
                }
            }
        }
        let notes = self.notes().len();
        if strict && notes > 0 {
            let notes = count(notes, "note");
            page.paragraph(0, &[], &format!("{}: {notes}, which --strict refuses", self.path));
        }
        page.finish()
    }
}

fn read(
    path: &Path,
    text: &str,
    overrides: &[Override],
    outside: Outside,
) -> Result<(Scenario, Vec<Option<Loaded>>), Faults> {
    let source = SourceText::new(text, overrides);
    let (scenario, _) = Scenario::read(&source, Some(&environment::variable))?;
    let clips = clips::load(&scenario, path, outside)?;
    Ok((scenario, clips))
}

fn notes(scenario: &Scenario, clips: &[Option<Loaded>]) -> Vec<Note> {
    let of_scenario = of_the_scenario(scenario).into_iter().map(|text| Note { turn: None, text });
    let of_clips = scenario.steps().iter().zip(clips).flat_map(|(step, loaded)| {
        let doubts = loaded.as_ref().map(|loaded| clip::doubts(loaded.clip.facts()));
        let turn = Some(step.id.clone());
        doubts.unwrap_or_default().into_iter().map(move |text| Note { turn: turn.clone(), text })
    });
    of_scenario.chain(of_clips).collect()
}

fn of_the_scenario(scenario: &Scenario) -> Vec<String> {
    let mut notes = Vec::new();
    if scenario.expects_nothing() {
        let text = "no turn has `expect`: no reply is measured, and a call fails only when the agent is never \
                    heard";
        notes.push(text.to_owned());
    }
    notes.extend(scenario.odd_thresholds());
    notes
}

/// `4 turns, 10 calls, 5 concurrent`.
fn size(scenario: &Scenario) -> String {
    let turns = count(scenario.steps().len(), "turn");
    match scenario.load() {
        Load::Once => format!("{turns}, 1 call"),
        Load::Repeat { calls, concurrency } => {
            format!("{turns}, {}, {concurrency} concurrent", count(calls.get() as usize, "call"))
        }
    }
}

/// The scenario in a text, and what flags and variables made of it; its faults are shown when it has any.
pub(super) fn parse(
    path: &Path,
    text: &str,
    overrides: Vec<Override>,
) -> Result<(Scenario, Option<Overlay>), Failure> {
    let source = SourceText::new(text, &overrides);
    let (scenario, variables) = Scenario::read(&source, Some(&environment::variable))
        .map_err(|faults| show(path, &source, &faults))?;
    let changed = !overrides.is_empty() || variables.is_some();
    let variables = variables.unwrap_or_default();
    Ok((scenario, changed.then_some(Overlay { overrides, variables })))
}

/// A text with the flags that were applied to it.
pub(super) fn source<'t>(text: &'t str, overlay: Option<&'t Overlay>) -> SourceText<'t> {
    overlay.map_or_else(|| text.into(), |overlay| overlay.source(text))
}

/// A scenario's clips, for a run. Their faults are shown when they have any, and what is missing of them.
pub(super) fn load_clips(
    path: &Path,
    source: &SourceText<'_>,
    scenario: &Scenario,
    outside: Outside,
) -> Result<Vec<Option<Loaded>>, Failure> {
    let loaded =
        clips::load(scenario, path, outside).map_err(|faults| show(path, source, &faults))?;
    for Loaded { clip, reference } in loaded.iter().flatten() {
        for loss in clip.facts().oddities.iter().filter(|oddity| oddity.is_loss()) {
            eprint_line(&format!("warning: clip `{}`: {loss}", reference.file));
        }
    }
    Ok(loaded)
}

fn show(path: &Path, source: &SourceText<'_>, faults: &Faults) -> Failure {
    eprint_styled(&drawn(&path.display().to_string(), source, faults));
    Failure::shown(exit::USAGE)
}

/// Every fault of a file, and how many there are.
fn drawn(path: &str, source: &SourceText<'_>, faults: &Faults) -> String {
    let shown = faults.render(path, source.clone(), Style::Coloured);
    format!("{shown}\n\n{}: {}", crate::text::safe(path), count(faults.len(), "error"))
}
