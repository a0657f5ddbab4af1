//! The report of an A/B run for people.

use super::compared::parts;
use super::grid::{Column, Grid};
use super::numbers::{grouped, number, signed};
use super::page::{Page, Tone};
use super::{Colour, WIDTH, advice, judgement, overlaid};
use crate::report::paired::{PairedReport, SideLine};
use crate::scenario::Metric;
use crate::stats::Shift;
use crate::text::clipped;
use crate::verdict::paired::{Finding, PairedCalls, PairedChange, PairedComparison, Question};

/// Characters of an agent's metadata that are shown.
const METADATA: usize = 200;
/// Characters of a step's name that are shown.
const TURN: usize = 30;

/// The report as lines of at most `width` columns (60 to 100; what is beyond is brought within).
/// `place` is where the user finds the run, as he would type it.
pub fn render(report: &PairedReport, colour: Colour, width: usize, place: &str) -> String {
    let mut page = Page::new(colour, width.clamp(*WIDTH.start(), *WIDTH.end()));
    let (word, tone) = judgement(report.verdict.outcome);
    let mut reasons = report.verdict.reasons.iter();
    page.paragraph(0, &[(tone, word), (tone, ":")], reasons.next().map_or("", String::as_str));
    for reason in reasons {
        page.paragraph(2, &[], reason);
    }
    if let Some(advice) = advice::of_a_pair(report.verdict.outcome, place) {
        advice.write(&mut page);
    }
    sides(&mut page, report);
    if let Some(comparison) = &report.verdict.comparison {
        if !comparison.findings.is_empty() {
            questions(&mut page, comparison);
        }
        if !comparison.changes.is_empty() {
            changes(&mut page, comparison);
        }
        calls(&mut page, &comparison.calls);
    }
    page.blank();
    page.ending(&[(tone, word), (Tone::Plain, ": the report is in")], place);
    page.finish()
}

fn sides(page: &mut Page, report: &PairedReport) {
    page.blank();
    let took = report.duration_ms.map_or(String::new(), |ms| format!(" in {:.1} s", ms / 1_000.0));
    let calls = format!("{} and {} calls{took}", report.a.calls, report.b.calls);
    page.paragraph(
        0,
        &[(Tone::Strong, &report.scenario)],
        &format!("· a and b in turn · {calls} · {}", report.run_id),
    );
    if let Some(overlay) = &report.overlay {
        overlaid(page, overlay);
    }
    for side in [&report.a, &report.b] {
        page.paragraph(2, &[(Tone::Strong, side.side.name())], &described(side));
    }
}

fn described(side: &SideLine) -> String {
    let agent = match side.agent_name.as_str() {
        "" => "automatic dispatch".to_owned(),
        name => format!("agent {name}"),
    };
    let metadata = match &side.agent_metadata {
        none if none.is_empty() => String::new(),
        keys => format!(" with metadata {}", clipped(&keys.to_string(), METADATA)),
    };
    let ok = side
        .calls_ok
        .map_or(String::new(), |ok| format!(" · {} of {} calls succeeded", ok.count, ok.of));
    format!("{agent}{metadata} · {}{ok}", side.server_url)
}

/// The answers that decide, the decisive ones in their words.
fn questions(page: &mut Page, comparison: &PairedComparison) {
    let primary = comparison.primary;
    let of = if primary == Metric::HeardE2eLatency {
        String::new()
    } else {
        format!(": {}", primary.name())
    };
    page.heading(&format!("what decides, together at 5 %{of}"));
    let mut grid = Grid::new([
        Column::left("in milliseconds"),
        Column::right("a").given_up(1),
        Column::right("change"),
        Column::left(""),
        Column::left("interval"),
        Column::right("counts from").given_up(2),
    ]);
    for finding in &comparison.findings {
        grid.row(answer(finding));
    }
    grid.write(page, 2);
    page.paragraph(
        2,
        &[],
        "and that no more calls to b fail; an unanswered turn counts as all of its wait",
    );
}

fn answer(finding: &Finding) -> [(Tone, String); 6] {
    let (word, tone) = if finding.worse {
        ("worse", Tone::Bad)
    } else if finding.high_ms < 0.0 {
        ("faster", Tone::Good)
    } else if finding.low_ms > -finding.min_effect_ms && finding.high_ms < finding.min_effect_ms {
        ("no change", Tone::Plain)
    } else {
        ("uncertain", Tone::Faint)
    };
    let what = match (finding.question, &finding.turn) {
        (Question::TypicalTurn, _) => "typical turn".to_owned(),
        (Question::SlowTurns, _) => "slowest tenth of turns".to_owned(),
        (Question::Step(_), Some(turn)) => format!("turn {}", clipped(turn, TURN)),
        (Question::Step(step), None) => format!("turn {}", step + 1),
    };
    let (low, high) = (signed(finding.low_ms), signed(finding.high_ms));
    [
        (Tone::Plain, what),
        (Tone::Plain, grouped(finding.a_ms.round())),
        (Tone::Plain, signed(finding.at_least_ms)),
        (tone, word.to_owned()),
        (Tone::Faint, format!("[{low} … {high}] {:.0} %", finding.confidence)),
        (Tone::Faint, signed(finding.min_effect_ms)),
    ]
}

fn changes(page: &mut Page, comparison: &PairedComparison) {
    page.heading("b compared with a, within pairs");
    let mut grid = Grid::new([
        Column::left("in milliseconds"),
        Column::right("n").given_up(2),
        Column::right("p50 a").given_up(1),
        Column::right("p50 b").given_up(1),
        Column::right("shift"),
        Column::left(""),
        Column::left("95 % interval"),
    ]);
    for change in &comparison.changes {
        grid.row(row(change, comparison.min_effect_ms));
    }
    grid.write(page, 2);
    let once = match &comparison.looks {
        None => "",
        Some(_) => "; intervals are those of a single look",
    };
    let legend = format!("n: pairs of turns; shift: b minus a within pairs (Hodges–Lehmann){once}");
    page.paragraph(2, &[], &legend);
    if let Some(attribution) = &comparison.attribution {
        parts(page, attribution);
    }
}

/// The figures of both sides are given up first.
fn row(change: &PairedChange, min_effect_ms: f64) -> [(Tone, String); 7] {
    let (word, tone) = direction(&change.shift, min_effect_ms);
    [
        (Tone::Plain, change.metric.name().to_owned()),
        (Tone::Plain, change.turns.to_string()),
        (Tone::Plain, number(change.a)),
        (Tone::Plain, number(change.b)),
        (Tone::Plain, shifted(&change.shift)),
        (tone, word.to_owned()),
        (Tone::Faint, format!("[{} … {}]", end(change.shift.low), end(change.shift.high))),
    ]
}

fn shifted(shift: &Shift) -> String {
    let Shift { at_least, at_most, .. } = *shift;
    match (at_least.is_finite(), at_most.is_finite()) {
        (true, true) if at_most - at_least < 0.5 => signed(at_least),
        (true, _) => format!("≥ {}", signed(at_least)),
        (false, true) => format!("≤ {}", signed(at_most)),
        (false, false) => "?".to_owned(),
    }
}

fn end(ms: f64) -> String {
    match ms {
        f64::INFINITY => "+∞".to_owned(),
        f64::NEG_INFINITY => "\u{2212}∞".to_owned(),
        ms => signed(ms),
    }
}

/// What an interval says by itself; whether a shift is large enough to matter is for the verdict.
fn direction(shift: &Shift, min_effect_ms: f64) -> (&'static str, Tone) {
    if shift.low > 0.0 {
        ("slower", Tone::Bad)
    } else if shift.high < 0.0 {
        ("faster", Tone::Good)
    } else if shift.low > -min_effect_ms && shift.high < min_effect_ms {
        ("no change", Tone::Plain)
    } else {
        ("uncertain", Tone::Faint)
    }
}

fn calls(page: &mut Page, calls: &PairedCalls) {
    page.heading("calls that succeeded");
    let pairs: f64 = u32::try_from(calls.pairs()).map_or(f64::INFINITY, f64::from);
    let text = format!(
        "of {} pairs: {} both, {} only a, {} only b, {} neither (p = {:.3}, McNemar's exact test)",
        grouped(pairs),
        calls.both_ok,
        calls.only_a_ok,
        calls.only_b_ok,
        calls.neither_ok,
        calls.p()
    );
    page.paragraph(2, &[], &text);
}
