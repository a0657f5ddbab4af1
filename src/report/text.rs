//! The report for people, in a terminal: the judgement and what to do first, then the numbers
//! behind it. Understandable without colour. All text goes through `page::Page`, which makes what
//! others wrote harmless.

mod page;
mod grid;
mod numbers;
mod call_list;
mod calls;
pub mod one_call;
mod counted;
mod compared;
mod tables;
pub(super) mod advice;
pub mod noise;
pub mod paired;
pub mod several;
pub mod trace;
pub mod calibration;
pub mod sessions;

pub(crate) use page::{Page, Tone};

use super::rows::{self, word};
use super::{CallLine, Report};
use crate::scenario::Overlay;
use crate::text::{clipped, count};
use crate::verdict::Outcome as Judgement;

/// Whether the text contains ANSI styles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Never,
    Always,
}

/// The columns a report can have.
const WIDTH: std::ops::RangeInclusive<usize> = 60..=100;

/// A flag or variable that changed the scenario is shown up to this many characters.
const OVERLAID: usize = 80;

/// The report as lines of at most `width` columns (60 to 100; what is beyond is brought within).
/// `place` is where the user finds the run, as he would type it.
pub fn render(report: &Report, colour: Colour, width: usize, place: &str) -> String {
    let mut page = Page::new(colour, width.clamp(*WIDTH.start(), *WIDTH.end()));
    verdict(&mut page, report, place);
    head(&mut page, report);
    tables::metrics(&mut page, report);
    tables::turn_taking(&mut page, report);
    tables::steps(&mut page, report);
    calls::calls(&mut page, report, place);
    tables::thresholds(&mut page, report);
    compared::comparison(&mut page, report);
    differences(&mut page, report);
    tables::instrument(&mut page, report);
    notes(&mut page, report);
    page.blank();
    let (word, tone) = judgement(report.judged.verdict.outcome);
    page.ending(&[(tone, word), (Tone::Plain, ": the report is in")], place);
    page.finish()
}

/// Rows of calls, of at most `width` columns but for addresses; `title` says which they are.
pub fn call_list(lines: &[CallLine<'_>], title: &str, colour: Colour, width: usize) -> String {
    let mut page = Page::new(colour, width.clamp(*WIDTH.start(), *WIDTH.end()));
    page.line(&[(Tone::Strong, title)]);
    call_list::rows(&mut page, lines);
    page.finish()
}

fn verdict(page: &mut Page, report: &Report, place: &str) {
    let (word, tone) = judgement(report.judged.verdict.outcome);
    let mut reasons = report.judged.verdict.reasons.iter();
    page.paragraph(0, &[(tone, word), (tone, ":")], reasons.next().map_or("", String::as_str));
    for reason in reasons {
        page.paragraph(2, &[], reason);
    }
    if let Some(origin) = report.judged.origin_line() {
        page.paragraph(2, &[], &origin);
    }
    if let Some(advice) = advice::of_a_run(report, place) {
        advice.write(page);
    }
}

/// The judgement in a word that stands without colour.
const fn judgement(outcome: Judgement) -> (&'static str, Tone) {
    let tone = match outcome {
        Judgement::Pass | Judgement::Improvement => Tone::Good,
        Judgement::Fail | Judgement::Regression | Judgement::NothingMeasured => Tone::Bad,
        Judgement::Suspected
        | Judgement::Inconclusive
        | Judgement::NotComparable
        | Judgement::Invalid
        | Judgement::Stopped => Tone::Doubt,
    };
    (word(outcome), tone)
}

fn head(page: &mut Page, report: &Report) {
    page.blank();
    let analysis = &report.judged.analysis;
    let agent = match report.judged.scenario.agent().name.as_str() {
        "" if report.judged.scenario.dispatch().is_some() => "agent of a start endpoint".to_owned(),
        "" => "automatic dispatch".to_owned(),
        name => format!("agent {name}"),
    };
    let placed = analysis.calls.len();
    let calls = match report.planned() {
        Some(planned) if planned as usize != placed => format!("{placed} of {planned} calls"),
        Some(_) | None => count(placed, "call"),
    };
    let took =
        report.duration_ms().map_or(String::new(), |ms| format!(" in {:.1} s", ms / 1_000.0));
    let head = &analysis.head;
    let server = match head.server_url.as_str() {
        "" => "server of the start endpoint's choice",
        url => url,
    };
    page.paragraph(
        0,
        &[(Tone::Strong, report.judged.scenario.name())],
        &format!("· {agent} · {calls}{took} · {server} · {}", head.run_id),
    );
    if let Some(overlay) = &head.overlay {
        overlaid(page, overlay);
    }
}

/// What flags and variables made of the scenario.
fn overlaid(page: &mut Page, overlay: &Overlay) {
    let flags = overlay.overrides.iter().map(|flag| clipped(&flag.to_string(), OVERLAID));
    let variable = |(name, value)| clipped(&format!("{name}={value}"), OVERLAID);
    let all: Vec<String> = flags.chain(overlay.variables.iter().map(variable)).collect();
    if !all.is_empty() {
        page.paragraph(2, &[(Tone::Strong, "changed by:")], &all.join(", "));
    }
}

/// What differs from the baseline, where the verdict says only how much.
fn differences(page: &mut Page, report: &Report) {
    let all = rows::differences(&report.judged.verdict);
    if all.is_empty() {
        return;
    }
    page.heading("differences from the baseline");
    for difference in all {
        page.paragraph(2, &[], &difference.to_string());
    }
}

fn notes(page: &mut Page, report: &Report) {
    if report.notes.is_empty() {
        return;
    }
    page.heading("notes");
    for note in &report.notes {
        page.paragraph(2, &[(Tone::Plain, "·")], note);
    }
}

#[cfg(test)]
mod call_tests;
#[cfg(test)]
mod tests;
