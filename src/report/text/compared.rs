//! What changed against the baseline, in a terminal report.

use super::counted;
use super::grid::{Column, Grid};
use super::numbers::{grouped, number, signed};
use super::page::{Page, Tone};
use crate::report::Report;
use crate::report::rows::{asked, level};
use crate::stats::{Quantile, Statistic};
use crate::text::clipped;
use crate::turn::Part;
use crate::verdict::{Answer, Attribution, Basis, Change, Comparison, Direction};

/// What changed against the baseline.
pub(super) fn comparison(page: &mut Page, report: &Report) {
    let Some(comparison) = &report.judged.verdict.comparison else { return };
    let newest = &comparison.baseline_run_id;
    let (title, which) = match comparison.baseline_runs.len() {
        0 | 1 => ("compared with the baseline".to_owned(), ""),
        runs => (format!("compared with {runs} accepted runs"), "the newest: "),
    };
    page.heading(&title);
    page.paragraph(2, &[], &format!("{which}{newest}"));
    let mut grid = Grid::new([
        Column::left(""),
        Column::right("").given_up(1),
        Column::right("").given_up(1),
        Column::right(""),
        Column::left(""),
        Column::left(""),
    ]);
    for answer in &comparison.answers {
        grid.row(answer_row(answer, comparison));
    }
    for change in comparison.changes.iter().chain(&comparison.spread) {
        grid.row(change_row(change));
    }
    grid.write(page, 2);
    page.paragraph(2, &[], &intervals(comparison));
    counted::calls(page, comparison);
    if let Some(expected) = comparison.answers.first().and_then(expected) {
        page.paragraph(2, &[], &expected);
    }
    if let Some(attribution) = &comparison.attribution {
        contributions(page, report, attribution);
    }
}

/// The parts of a change: whole milliseconds that add up.
pub(super) fn parts(page: &mut Page, attribution: &Attribution) {
    page.line(&[(Tone::Plain, "  contribution by stage, in milliseconds")]);
    let mut row = |name: &str, ms: &str| {
        page.line(&[(Tone::Plain, &format!("    {name:<34}{ms:>8}"))]);
    };
    for (part, ms) in attribution.whole_ms() {
        #[expect(clippy::cast_precision_loss, reason = "a latency in milliseconds")]
        row(part.map_or("other turns and mix", Part::name), &signed(ms as f64));
    }
    row("total", &signed(attribution.total_ms));
}

/// Where the change comes from, by part and by step.
fn contributions(page: &mut Page, report: &Report, attribution: &Attribution) {
    parts(page, attribution);
    if attribution.steps.len() < 2 {
        return;
    }
    page.line(&[(Tone::Plain, "  change of each step, and its largest contribution")]);
    for step in &attribution.steps {
        let of_script = report.judged.scenario.steps().get(step.step as usize);
        let id = of_script.map(|step| step.id.as_str());
        let own: f64 = step.own.iter().map(|c| c.change_ms).sum();
        let most = step
            .own
            .first()
            .map_or(String::new(), |c| format!("  {} {}", c.part.name(), signed(c.change_ms)));
        let lead = format!("{:<26}{:>8}", clipped(id.unwrap_or_default(), 25), signed(own));
        page.paragraph(4, &[(Tone::Plain, &lead)], &most);
    }
}

/// A row of the comparison. The figures of both sides are given up first; what decides always stands.
fn change_row(change: &Change) -> [(Tone, String); 6] {
    let (word, tone) = direction(change.direction);
    let statistic = match change.statistic {
        Statistic::Quantile(percent) => format!("p{percent}"),
        Statistic::Spread => "p90 − p50".to_owned(),
    };
    let side = |value, lower_bound| number(Quantile { value, lower_bound });
    let difference = &change.difference;
    [
        (Tone::Plain, format!("{} {statistic}", change.metric.name())),
        (Tone::Plain, format!("{} →", side(change.baseline, change.baseline_is_bound))),
        (Tone::Plain, side(change.run, change.run_is_bound)),
        (Tone::Plain, signed(difference.point)),
        (tone, word.to_owned()),
        (Tone::Faint, format!("[{} … {}]", signed(difference.low), signed(difference.high))),
    ]
}

/// The answer to a question, in the same columns.
fn answer_row(answer: &Answer, comparison: &Comparison) -> [(Tone, String); 6] {
    let (word, tone) = direction(answer.direction);
    let side = |value, lower_bound| number(Quantile { value, lower_bound });
    let difference = &answer.difference;
    [
        (Tone::Plain, asked(answer, comparison)),
        (Tone::Plain, format!("{} →", side(answer.baseline, answer.baseline_is_bound))),
        (Tone::Plain, side(answer.run, answer.run_is_bound)),
        (Tone::Plain, signed(difference.point)),
        (tone, if answer.decides { format!("{word} (decides)") } else { word.to_owned() }),
        (Tone::Faint, format!("[{} … {}]", signed(difference.low), signed(difference.high))),
    ]
}

const fn direction(of: Direction) -> (&'static str, Tone) {
    match of {
        Direction::Slower => ("slower", Tone::Bad),
        Direction::Faster => ("faster", Tone::Good),
        Direction::Alike => ("no change", Tone::Plain),
        Direction::Unclear => ("uncertain", Tone::Faint),
    }
}

/// Which intervals stand in the table: those of what decides have the level at which it does.
fn intervals(comparison: &Comparison) -> String {
    let mut levels: Vec<String> =
        comparison.answers.iter().map(|answer| level(answer.confidence)).collect();
    levels.dedup();
    if levels.is_empty() {
        return "in milliseconds, with the 95 % interval of the difference".to_owned();
    }
    format!(
        "in milliseconds, with the interval of the difference: {} % of what is asked, by the share of each in 5 % \
         of false alarms, and 95 % of the rest",
        levels.join(", ")
    )
}

/// Where accepted runs lie, and what the comparison could find.
fn expected(answer: &Answer) -> Option<String> {
    let Basis::Runs(of) = answer.basis else { return None };
    Some(format!(
        "{} accepted runs: 95\u{a0}% prediction interval for a new run {} to {} ms; detects slowdowns \
         of about {} ms in 90\u{a0}% of cases",
        of.runs,
        grouped(of.expected.low),
        grouped(of.expected.high),
        grouped(answer.detectable_ms),
    ))
}
