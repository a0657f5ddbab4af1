//! `loadcall check`: every error in scenario files, and facts about their clips.

use super::clips::{self, Loaded, Outside};
use super::exit;
use super::failure::Failure;
use super::files;
use super::terminal::{eprint_line, eprint_styled, print_result, report_error};
use crate::audio::ClipFacts;
use crate::scenario::{Faults, Load, Scenario, Style};
use crate::text::safe;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A handful of samples at full scale is nothing.
const CLIPPED_MAX: u64 = 5;
/// Shorter pauses are within what endpointing bears with.
const LONG_PAUSE: Duration = Duration::from_millis(400);

/// An edge of speech is certain when it stands out from the noise by this much.
const NOISY_BELOW_DB: f64 = 5.0;

/// Checks every file, and shows the faults of all.
pub(super) fn check(paths: &[PathBuf], outside: Outside) -> Result<u8, Failure> {
    let mut code = exit::PASS;
    for path in paths {
        match check_one(path, outside) {
            Ok(summary) => print_result(&summary)?,
            Err(failure) => {
                let _ = report_error(&failure);
                code = exit::USAGE;
            }
        }
    }
    Ok(code)
}

fn check_one(path: &Path, outside: Outside) -> Result<String, Failure> {
    let text = files::read_scenario(path)?;
    let scenario = parse(path, &text)?;
    let loaded = load_clips(path, &text, &scenario, outside)?;
    Ok(summary(path, &scenario, &loaded))
}

/// The scenario in a text; its faults are shown when it has any.
pub(super) fn parse(path: &Path, text: &str) -> Result<Scenario, Failure> {
    Scenario::parse(text).map_err(|faults| show(path, text, &faults))
}

/// A scenario's clips; their faults are shown when they have any.
pub(super) fn load_clips(
    path: &Path,
    text: &str,
    scenario: &Scenario,
    outside: Outside,
) -> Result<Vec<Option<Loaded>>, Failure> {
    clips::load(scenario, path, outside).map_err(|faults| show(path, text, &faults))
}

fn show(path: &Path, text: &str, faults: &Faults) -> Failure {
    eprint_styled(&faults.render(&path.display().to_string(), text, Style::Coloured));
    let count = faults.len();
    let s = if count == 1 { "" } else { "s" };
    eprint_line("");
    eprint_line(&format!("{}: {count} error{s}", path.display()));
    Failure::shown(exit::USAGE)
}

fn summary(path: &Path, scenario: &Scenario, loaded: &[Option<Loaded>]) -> String {
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
    for (step, loaded) in scenario.steps().iter().zip(loaded) {
        let Some(Loaded { clip, reference }) = loaded else { continue };
        let facts = clip.facts();
        let _ = writeln!(out, "  {}: {}: {facts}", step.id, safe(&reference.file));
        for doubt in doubts(facts) {
            let _ = writeln!(out, "    note: {doubt}");
        }
    }
    out
}

/// What may make a clip a bad measure.
fn doubts(facts: &ClipFacts) -> Vec<String> {
    let mut doubts = Vec::new();
    if facts.clipped > CLIPPED_MAX {
        doubts.push("clipped: record it at a lower level".to_owned());
    }
    if facts.longest_pause > LONG_PAUSE {
        let ms = facts.longest_pause.as_millis();
        doubts.push(format!("the agent may mistake the {ms} ms pause for the end of the turn"));
    }
    if facts.threshold_dbfs - facts.noise_dbfs < NOISY_BELOW_DB {
        doubts.push("too noisy to find the end of speech reliably: record it again".to_owned());
    }
    doubts
}
