//! The report of an A/B run for people.

use super::judgement;
use super::page::{Page, Tone};
use super::tables::{grouped, number, parts, signed};
use super::{Colour, WIDTH};
use crate::report::paired::{PairedReport, SideLine};
use crate::stats::Shift;
use crate::text::clipped;
use crate::verdict::Outcome;
use crate::verdict::paired::{PairedCalls, PairedChange, PairedComparison};

/// Characters of an agent's metadata that are shown.
const METADATA: usize = 200;
/// From this width on there is room for intervals.
const WITH_INTERVAL: usize = 96;
/// And for the figures of both sides; the shift itself always fits.
const WITH_SIDES: usize = 80;

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
    if let Some(advice) = advice(report.verdict.outcome, place) {
        page.paragraph(2, &[(Tone::Strong, "next:")], &advice);
    }
    sides(&mut page, report);
    if let Some(comparison) = &report.verdict.comparison {
        if !comparison.changes.is_empty() {
            changes(&mut page, comparison);
        }
        calls(&mut page, &comparison.calls);
    }
    page.blank();
    page.line(&[(tone, word), (Tone::Plain, ": the report is in "), (Tone::Plain, place)]);
    page.finish()
}

fn advice(outcome: Outcome, place: &str) -> Option<String> {
    match outcome {
        Outcome::Pass | Outcome::Improvement => {
            Some(format!("`loadcall accept {place}/b` makes b the baseline"))
        }
        Outcome::Regression => Some(format!(
            "see below which stage got slower; `loadcall report {place}/b` has all numbers of b"
        )),
        Outcome::Fail
        | Outcome::Inconclusive
        | Outcome::NotComparable
        | Outcome::Invalid
        | Outcome::NothingMeasured
        | Outcome::Stopped => None,
    }
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

fn changes(page: &mut Page, comparison: &PairedComparison) {
    page.heading("b compared with a, within pairs");
    let intervals = page.width() >= WITH_INTERVAL;
    let with_sides = page.width() >= WITH_SIDES;
    let head = if with_sides {
        format!("  {:<28}{:>6}{:>8}{:>8}{:>9}", "in milliseconds", "n", "p50 a", "p50 b", "shift")
    } else {
        format!("  {:<28}{:>8}", "in milliseconds", "shift")
    };
    page.line(&[(Tone::Faint, &head)]);
    for change in &comparison.changes {
        let is_primary = change.metric == comparison.primary;
        let (word, tone) = direction(&change.shift, comparison.min_effect_ms);
        let gap = if is_primary { "" } else { "        " };
        let interval = format!("{gap}  [{} … {}]", end(change.shift.low), end(change.shift.high));
        page.line(&[
            (Tone::Plain, &row(change, with_sides)),
            (tone, word),
            (Tone::Strong, if is_primary { " primary" } else { "" }),
            (Tone::Faint, if intervals { &interval } else { "" }),
        ]);
    }
    let interval = if intervals { ", with its 95 % interval" } else { "" };
    let footer =
        format!("n: pairs of turns; shift: b minus a within pairs (Hodges–Lehmann){interval}");
    page.paragraph(2, &[], &footer);
    if let Some(attribution) = &comparison.attribution {
        parts(page, attribution);
    }
}

fn row(change: &PairedChange, with_sides: bool) -> String {
    let (name, shift) = (change.metric.name(), shifted(&change.shift));
    if !with_sides {
        return format!("  {name:<28}{shift:>8}  ");
    }
    format!(
        "  {name:<28}{:>6}{:>8}{:>8}{shift:>9}  ",
        change.turns,
        number(change.a),
        number(change.b),
    )
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
        ("slower   ", Tone::Bad)
    } else if shift.high < 0.0 {
        ("faster   ", Tone::Good)
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
