//! `loadcall check`: every error in scenario files, and facts about their clips.

use super::clips::{self, Loaded, Outside};
use super::documents::terminal_width;
use super::exit;
use super::failure::Failure;
use super::terminal::{eprint_line, eprint_styled, print_result, report_error};
use super::{environment, files, scenarios};
use crate::scenario::{Faults, Load, Overlay, Override, Scenario, SourceText, Style};
use crate::text::safe;
use std::path::{Path, PathBuf};

mod clip;

/// Checks every file, and shows the faults of all.
pub(super) fn check(
    paths: &[PathBuf],
    overrides: &[Override],
    outside: Outside,
) -> Result<u8, Failure> {
    let mut code = exit::PASS;
    for path in &scenarios::expand(paths)? {
        match check_one(path, overrides.to_vec(), outside) {
            Ok(summary) => print_result(&summary)?,
            Err(failure) => {
                let _ = report_error(&failure);
                code = exit::USAGE;
            }
        }
    }
    Ok(code)
}

fn check_one(path: &Path, overrides: Vec<Override>, outside: Outside) -> Result<String, Failure> {
    let text = files::read_scenario(path)?;
    let (scenario, overlay) = parse(path, &text, overrides)?;
    let source = source(&text, overlay.as_ref());
    let loaded =
        clips::load(&scenario, path, outside).map_err(|faults| show(path, &source, &faults))?;
    Ok(summary(path, &scenario, &loaded, terminal_width()))
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
    let name = path.display().to_string();
    eprint_styled(&faults.render(&name, source.clone(), Style::Coloured));
    let count = faults.len();
    let s = if count == 1 { "" } else { "s" };
    eprint_line("");
    eprint_line(&format!("{}: {count} error{s}", path.display()));
    Failure::shown(exit::USAGE)
}

fn summary(path: &Path, scenario: &Scenario, loaded: &[Option<Loaded>], width: usize) -> String {
    let load = match scenario.load() {
        Load::Once => "1 call".to_owned(),
        Load::Repeat { calls, concurrency } => format!("{calls} calls, {concurrency} concurrent"),
    };
    let steps = match scenario.steps().len() {
        1 => "1 turn".to_owned(),
        steps => format!("{steps} turns"),
    };
    let path = path.display().to_string();
    let mut out = format!("{}: ok, {steps}, {load}\n", safe(&path));
    if scenario.expects_nothing() {
        let note = "note: no turn has `expect`: no reply is measured, and a call fails only when the \
                    agent is never heard";
        clip::wrapped(&mut out, width, 2, note);
    }
    for (step, loaded) in scenario.steps().iter().zip(loaded) {
        let Some(Loaded { clip: loaded, reference }) = loaded else { continue };
        out += &clip::lines(&step.id, &reference.file, loaded.facts(), width);
    }
    out
}
