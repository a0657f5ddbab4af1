//! The noise of an unchanged agent for people.

use super::grid::{Column, Grid};
use super::numbers::{grouped, number};
use super::page::{Page, Tone};
use super::{Colour, WIDTH};
use crate::stats::Component;
use crate::text::count;
use crate::verdict::noise::{BASELINES, LEVEL_RUNS, Noise, What};

/// 95 % of the differences of two values lie within this many standard deviations of one.
const OF_DIFFERENCES: f64 = 2.772;

/// The noise as lines of at most `width` columns (60 to 100; what is beyond is brought within).
pub fn render(noise: &Noise, colour: Colour, width: usize) -> String {
    let mut page = Page::new(colour, width.clamp(*WIDTH.start(), *WIDTH.end()));
    let figure = format!("{} p{}", noise.metric.name(), noise.quantile);
    let floor = format!(
        "of an unchanged agent: two runs differ by less than {} in 95 % of cases (run-to-run standard deviation {})",
        percent(noise.run_sd * OF_DIFFERENCES),
        percent(noise.run_sd),
    );
    page.paragraph(0, &[(Tone::Strong, &figure)], &floor);
    for note in notes(noise) {
        page.paragraph(2, &[], &note);
    }
    runs(&mut page, noise);
    asked(&mut page, noise);
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
        let enter =
            if noise.censored == 1 { "turn enters with its" } else { "turns enter with their" };
        let n = noise.censored;
        notes.push(format!("{n} unanswered {enter} waiting time: the true noise is at least this"));
    }
    if noise.left_out > 0 {
        let are = if noise.left_out == 1 { "reply began" } else { "replies began" };
        let n = noise.left_out;
        notes.push(format!(
            "left out: {n} {are} before the caller had finished (the analysis uses logarithms)"
        ));
    }
    notes
}

fn runs(page: &mut Page, noise: &Noise) {
    page.heading("runs");
    let mut grid = Grid::new([Column::left(""), Column::right(""), Column::right("")]);
    for run in &noise.runs {
        grid.row([
            (Tone::Plain, run.run_id.clone()),
            (Tone::Plain, count(run.calls, "call")),
            (Tone::Plain, format!("{} ms", number(run.figure))),
        ]);
    }
    grid.write(page, 2);
}

/// What decides whether a run is worse.
fn asked(page: &mut Page, noise: &Noise) {
    if noise.asked.is_empty() {
        return;
    }
    page.heading("what a comparison asks for");
    let mut grid =
        Grid::new([Column::left(""), Column::right(""), Column::right(""), Column::right("")]);
    let found = format!("found with {LEVEL_RUNS} runs");
    let heads = ["", "in these runs", "run-to-run", &found];
    grid.row(heads.map(|head| (Tone::Faint, head.to_owned())));
    for asking in &noise.asked {
        let name = match &asking.what {
            What::TypicalTurn => "typical turn".to_owned(),
            What::SlowTurns => "slowest tenth".to_owned(),
            What::Step(id) => format!("turn {id}"),
        };
        let least = asking.runs_ms.iter().copied().fold(f64::INFINITY, f64::min);
        let most = asking.runs_ms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        grid.row([
            (Tone::Plain, name),
            (Tone::Plain, format!("{} … {} ms", whole(least), whole(most))),
            (Tone::Plain, percent(asking.run_sd)),
            (Tone::Plain, plus(asking.detectable)),
        ]);
    }
    grid.write(page, 2);
}

fn whole(ms: f64) -> String {
    grouped(ms.round())
}

fn components(page: &mut Page, noise: &Noise) {
    page.heading("sources of variation (standard deviation, 95 % interval)");
    let mut grid = Grid::new([Column::left(""), Column::right(""), Column::left("")]);
    let mut row = |name: &str, component: &Component| {
        let end = |sd: f64| if sd.is_finite() { percent(sd) } else { "unknown".to_owned() };
        let interval = format!("[{} … {}]", end(component.low), end(component.high));
        grid.row([
            (Tone::Plain, name.to_owned()),
            (Tone::Plain, percent(component.point)),
            (Tone::Plain, interval),
        ]);
    };
    match &noise.components.turn {
        Some(turn) => {
            row("turns of a call", turn);
            row("calls of a run", &noise.components.call);
        }
        None => row("calls of a run (one turn each)", &noise.components.call),
    }
    row("runs", &noise.components.run);
    grid.write(page, 2);
}

fn table(page: &mut Page, noise: &Noise) {
    const COLUMNS: usize = BASELINES.len() + 2;
    page.heading("smallest slowdown detected in 90 % of cases");
    let mut grid = Grid::new([Column::right(""); COLUMNS]);
    let cells = |first: String, runs: Vec<String>, pairs: String| {
        let mut cells = std::iter::once(first).chain(runs).chain([pairs]);
        std::array::from_fn::<_, COLUMNS, _>(|_| (Tone::Plain, cells.next().unwrap_or_default()))
    };
    let heads = BASELINES.iter().map(|runs| format!("{runs} runs")).collect();
    grid.row(cells("calls".into(), heads, "A/B pairs".into()).map(|(_, head)| (Tone::Faint, head)));
    for row in &noise.table {
        let effects = row.against_runs.iter().map(|effect| plus(*effect)).collect();
        grid.row(cells(grouped(f64::from(row.calls)), effects, plus(row.paired)));
    }
    grid.write(page, 2);
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
