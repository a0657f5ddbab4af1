//! The report as GitHub-flavoured Markdown, for the summary of a job or a comment: the verdict first, then what it
//! rests on. Text of others has no power over it (`inline`), and it is never longer than asked for.

mod inline;
mod page;
pub mod several;

use super::paired::{PairedReport, SideLine};
use super::rows::{self, Row, bounded, word};
use super::text::advice::{self, Advice};
use super::{CauseCount, Report};
use crate::record::trace_url;
use crate::scenario::Metric;
use crate::text::{count, number, signed};
use crate::turn::Part;
use crate::verdict::{Attribution, Outcome};
use inline::{code, inline};
use page::Page;

/// What GitHub shows of the summary of a step: one of more bytes is not shown at all.
pub const LIMIT: usize = 1 << 20;
/// With less room than this there is nothing to say.
pub const LEAST: usize = 4 << 10;

/// Numbers of calls that are listed for a cause.
const CALLS: usize = 10;
/// Failing calls that are listed.
const LISTED: usize = 100;
/// How the reason begins that names the only difference between a run and its baseline.
const DIFFERS: &str = "differs from the baseline: ";

/// The report in at most `limit` bytes ([`LEAST`] at least). `place` is where the user finds the run.
pub fn render(report: &Report, place: &str, limit: usize) -> String {
    let verdict = &report.judged.verdict;
    let mut page = Page::new(limit);
    let (differ, reasons): (Vec<&String>, Vec<&String>) =
        verdict.reasons.iter().partition(|reason| reason.starts_with(DIFFERS));
    head(&mut page, report.judged.scenario.name(), verdict.outcome, &reasons);
    if let Some(advice) = advice::of_a_run(report, place) {
        let Advice { text, command } = &advice;
        page.paragraph(&format!("**Next:** {}: {}", inline(text), code(command)));
    }
    page.paragraph(&about(report));
    if let Some(comparison) = &verdict.comparison {
        changes(
            &mut page,
            "Compared with the baseline",
            ("baseline", "now"),
            &rows::changes(comparison),
        );
        let counted = rows::counted(comparison);
        let line = |(name, text, worse): &(&str, String, bool)| {
            let worse = if *worse { " **worse**" } else { "" };
            format!("- {} {}{worse}", code(name), inline(text))
        };
        page.list("counts", counted.iter().map(line));
        if let Some(attribution) = &comparison.attribution {
            contributions(&mut page, attribution);
        }
    }
    thresholds(&mut page, report);
    failing(&mut page, report);
    measured(&mut page, report);
    stages(&mut page, report);
    let named = differ.iter().map(|reason| reason[DIFFERS.len()..].to_owned());
    let listed = rows::differences(verdict).iter().map(ToString::to_string);
    let differ: Vec<String> = named.chain(listed).collect();
    folded(&mut page, &count(differ.len(), "difference"), "from the baseline", &differ);
    folded(&mut page, &count(report.notes.len(), "note"), "", &report.notes);
    page.finish(place)
}

/// The same for an A/B run.
pub fn render_pair(report: &PairedReport, place: &str, limit: usize) -> String {
    let verdict = &report.verdict;
    let mut page = Page::new(limit);
    let reasons: Vec<&String> = verdict.reasons.iter().collect();
    head(&mut page, &report.scenario, verdict.outcome, &reasons);
    if let Some(advice) = advice::of_a_pair(verdict.outcome, place) {
        let Advice { text, command } = &advice;
        page.paragraph(&format!("**Next:** {}: {}", inline(text), code(command)));
    }
    let side = |side: &SideLine| {
        let agent = match side.agent_name.as_str() {
            "" => "automatic dispatch".to_owned(),
            name => format!("agent {}", code(name)),
        };
        let ok = side
            .calls_ok
            .map_or(String::new(), |ok| format!(", {} of {} succeeded", ok.count, ok.of));
        format!("- **{}**: {agent}, {}{ok}", side.side.name(), count(side.calls, "call"))
    };
    page.list("sides", [&report.a, &report.b].map(side).into_iter());
    if let Some(comparison) = &verdict.comparison {
        changes(
            &mut page,
            "b compared with a, within pairs",
            ("a", "b"),
            &rows::paired(comparison),
        );
        if let Some(attribution) = &comparison.attribution {
            contributions(&mut page, attribution);
        }
    }
    page.finish(place)
}

fn head(page: &mut Page, scenario: &str, outcome: Outcome, reasons: &[&String]) {
    let mark = match outcome {
        Outcome::Pass | Outcome::Improvement => "✅",
        Outcome::Fail | Outcome::Regression | Outcome::NothingMeasured => "❌",
        Outcome::Suspected
        | Outcome::Inconclusive
        | Outcome::NotComparable
        | Outcome::Invalid
        | Outcome::Stopped => "⚠️",
    };
    let first = reasons.first().map_or(String::new(), |reason| format!(": {}", inline(reason)));
    page.heading(2, &format!("{mark} {}: {}", code(scenario), word(outcome)));
    page.paragraph(&format!("**{}**{first}", word(outcome)));
    page.list("reasons", reasons.iter().skip(1).map(|reason| format!("- {}", inline(reason))));
}

/// Which agent, how many calls, which run.
fn about(report: &Report) -> String {
    let analysis = &report.judged.analysis;
    let agent = match report.judged.scenario.agent().name.as_str() {
        "" => "automatic dispatch".to_owned(),
        name => format!("agent {}", code(name)),
    };
    let took =
        report.duration_ms().map_or(String::new(), |ms| format!(" in {:.0} s", ms / 1_000.0));
    let calls = count(analysis.calls.len(), "call");
    format!("{agent} · {calls}{took} · run {}", code(&analysis.head.run_id))
}

fn changes(page: &mut Page, title: &str, (before, now): (&str, &str), rows: &[Row]) {
    let cells = |row: &Row| {
        let strong = if row.decides { "**" } else { "" };
        format!(
            "| {} | {} | {} | {strong}{}{strong} | {} | {strong}{}{strong}{} |",
            code(&row.name),
            row.before,
            row.now,
            row.difference,
            row.interval,
            row.word(),
            if row.decides { ", primary" } else { "" },
        )
    };
    let head = format!(
        "| metric | {before} | {now} | difference | 95 % interval | |\n|---|---:|---:|---:|---:|---|"
    );
    page.table(title, &head, rows.iter().map(cells));
}

fn contributions(page: &mut Page, attribution: &Attribution) {
    let row = |(part, ms): (Option<Part>, i64)| {
        #[expect(clippy::cast_precision_loss, reason = "a latency in milliseconds")]
        let ms = signed(ms as f64);
        format!(
            "| {} | {ms} |",
            part.map_or("other turns and mix".to_owned(), |part| code(part.name()))
        )
    };
    let total = format!("| **total** | **{}** |", signed(attribution.total_ms));
    let rows = attribution.whole_ms().into_iter().map(row).chain([total]);
    page.table("Contribution by stage", "| stage | ms |\n|---|---:|", rows);
}

fn thresholds(page: &mut Page, report: &Report) {
    let row = |result: &crate::verdict::ThresholdResult| {
        let mark = if result.held { "✓" } else { "✗" };
        format!("| {mark} | {} |", inline(&result.text))
    };
    let rows = report.judged.verdict.thresholds.iter().map(row);
    page.table("Thresholds", "| | threshold: measured |\n|---|---|", rows);
}

/// The calls that failed, by cause, and then one by one.
fn failing(page: &mut Page, report: &Report) {
    let cause = |count: &CauseCount| {
        let calls = || {
            let of = report.judged.analysis.calls.iter();
            of.filter(|call| call.failure.as_ref().is_some_and(|f| f.cause == count.cause))
        };
        let numbers: Vec<String> =
            calls().take(CALLS).map(|call| call.call.0.to_string()).collect();
        let more = if count.calls > CALLS { " …" } else { "" };
        let example = count.example.as_deref().map_or(String::new(), inline);
        let (name, of) = (code(count.cause.name()), count.calls);
        format!("| {name} | {of} | {}{more} | {example} |", numbers.join(", "))
    };
    let head = "| cause | calls | numbers | for example |\n|---|---:|---|---|";
    page.table("Failing calls", head, report.causes.iter().map(cause));
    let calls: Vec<String> = rows::failing(report)
        .map(|call| {
            let failure = call.failure.as_ref();
            let detail = failure.map_or(call.detail.as_str(), |failure| failure.detail.as_str());
            let cause = failure.map_or(call.outcome.name(), |failure| failure.cause.name());
            let said = format!("call {}, {cause}, in room `{}`: {detail}", call.call.0, call.room);
            // An address that is shown holds neither of the brackets around it.
            let url = trace_url(&report.judged.analysis.head, call.call);
            let trace = url.map_or_else(String::new, |url| format!(" [trace](<{url}>)"));
            inline(&said) + &trace
        })
        .collect();
    let listed = &calls[..calls.len().min(LISTED)];
    if !listed.is_empty() {
        let title = count(calls.len(), "failing call");
        page.folded(&title, listed.iter().map(|line| format!("- {line}")));
    }
    page.leave_out("failing calls", calls.len() - listed.len());
}

fn measured(page: &mut Page, report: &Report) {
    let row = |summary: &super::Summary| {
        let show = |quantile| inline(&bounded(quantile));
        let (name, n) = (code(summary.metric.name()), summary.n);
        let p95 = if summary.tells("p95") { show(summary.p95) } else { "–".to_owned() };
        let (p50, max) = (show(summary.p50), show(summary.max));
        format!("| {name} | {n} | {p50} | {p95} | {max} |")
    };
    let repeats = |metric| report.judged.analysis.measures.repeats(metric);
    let rows = report.metrics.iter().filter(|summary| !repeats(summary.metric)).map(row);
    let head = "| ms | n | p50 | p95 | max |\n|---|---:|---:|---:|---:|";
    page.table("Measured", head, rows);
    let events = report
        .events
        .iter()
        .filter(|(metric, share)| share.count > 0 || *metric != Metric::FillerCount);
    let line = |(metric, share): &(Metric, super::Share)| {
        format!("- {}: {} of {}", code(metric.name()), share.count, count(share.of, "turn"))
    };
    page.list("turn taking", events.map(line));
}

/// Where the time of a typical reply goes.
fn stages(page: &mut Page, report: &Report) {
    let row = |line: &super::StepLine| {
        let mut parts: Vec<_> = line.path.parts.iter().filter(|(_, ms)| ms.abs() >= 0.5).collect();
        parts.sort_by(|a, b| b.1.total_cmp(a.1));
        let parts: Vec<String> = parts
            .iter()
            .map(|(part, ms)| format!("{} {}", inline(&number(**ms)), code(part.name())))
            .collect();
        let total = inline(&number(line.path.total_ms()));
        format!("| {} | {} | {total} | {} |", code(&line.id), line.n, parts.join(" + "))
    };
    let head = "| turn | n | ms | of which |\n|---|---:|---:|---|";
    page.table("Latency breakdown at the median", head, report.steps.iter().map(row));
}

/// A list that is shown on demand.
fn folded(page: &mut Page, counted: &str, of: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let title = format!("{counted} {of}");
    page.folded(title.trim_end(), lines.iter().map(|line| format!("- {}", inline(line))));
}

#[cfg(test)]
mod tests;
