//! The noise of an unchanged agent for people.

use super::page::{Page, Tone};
use super::tables::{grouped, number};
use super::{Colour, WIDTH};
use crate::stats::Component;
use crate::verdict::noise::{BASELINES, Noise};

/// 95 % of the differences of two values lie within this many standard deviations of one.
const OF_DIFFERENCES: f64 = 2.772;

/// The noise as lines of at most `width` columns (60 to 100; what is beyond is brought within).
pub fn render(noise: &Noise, colour: Colour, width: usize) -> String {
    let mut page = Page::new(colour, width.clamp(*WIDTH.start(), *WIDTH.end()));
    let figure = format!("{} p{}", noise.metric.name(), noise.quantile);
    let lead = format!("{figure} of an unchanged agent:");
    let floor = format!(
        "two runs differ by less than {} in 95 % of cases (run-to-run standard deviation {})",
        percent(noise.run_sd * OF_DIFFERENCES),
        percent(noise.run_sd),
    );
    page.paragraph(0, &[(Tone::Strong, &lead)], &floor);
    for note in notes(noise) {
        page.paragraph(2, &[], &note);
    }
    runs(&mut page, noise);
    components(&mut page, noise);
    table(&mut page, noise);
    page.finish()
}

fn notes(noise: &Noise) -> Vec<String> {
    let mut notes = Vec::new();
    if noise.runs.len() < 5 {
        notes.push(format!(
            "{} runs are few to measure run-to-run variation; use at least 5",
            noise.runs.len()
        ));
    }
    notes.push("runs placed back to back do not show day-to-day variation: pass runs of several days to `loadcall noise RUN…`".to_owned());
    if noise.censored > 0 {
        let text =
            "unanswered turns enter with their waiting time: the true noise is at least this";
        notes.push(format!("{} {text}", noise.censored));
    }
    if noise.left_out > 0 {
        let text = "replies began before the caller had finished and are left out (the analysis uses logarithms)";
        notes.push(format!("{} {text}", noise.left_out));
    }
    notes
}

fn runs(page: &mut Page, noise: &Noise) {
    page.heading("runs");
    for run in &noise.runs {
        let text =
            format!("  {:<32}{:>5} calls{:>10} ms", run.run_id, run.calls, number(run.figure));
        page.line(&[(Tone::Plain, &text)]);
    }
}

fn components(page: &mut Page, noise: &Noise) {
    page.heading("sources of variation (standard deviations with 95 % intervals)");
    let mut row = |name: &str, component: &Component| {
        let end = |sd: f64| if sd.is_finite() { percent(sd) } else { "unknown".to_owned() };
        let text = format!(
            "  {name:<32}{:>9}   [{} … {}]",
            percent(component.point),
            end(component.low),
            end(component.high)
        );
        page.line(&[(Tone::Plain, &text)]);
    };
    match &noise.components.turn {
        Some(turn) => {
            row("turns of a call", turn);
            row("calls of a run", &noise.components.call);
        }
        None => row("calls of a run (one turn each)", &noise.components.call),
    }
    row("runs", &noise.components.run);
}

fn table(page: &mut Page, noise: &Noise) {
    page.heading("smallest slowdown detected in 90 % of cases");
    let line = |first: String, cells: Vec<String>| -> String {
        let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>14}")).collect();
        format!("{first:>10}{}", cells.concat())
    };
    let heads = BASELINES.iter().map(|runs| format!("{runs} runs"));
    let heads = heads.chain(["A/B pairs".to_owned()]).collect();
    page.line(&[(Tone::Faint, &line("calls".to_owned(), heads))]);
    for row in &noise.table {
        let cells = row.against_runs.iter().chain([&row.paired]).map(|effect| plus(*effect));
        let size = grouped(f64::from(row.calls));
        page.line(&[(Tone::Plain, &line(size, cells.collect()))]);
    }
    let footer = format!(
        "turns per call: {}; N runs: against a baseline of N accepted runs of the same size; A/B pairs: \
         `loadcall ab` with as many calls to each agent; the scenario's minimum effect is {}",
        noise.turns_per_call,
        percent(noise.min_effect)
    );
    page.paragraph(2, &[], &footer);
}

fn percent(fraction: f64) -> String {
    format!("{:.1}\u{a0}%", fraction * 100.0)
}

fn plus(fraction: f64) -> String {
    format!("+{:.0}\u{a0}%", (fraction * 100.0).ceil())
}
