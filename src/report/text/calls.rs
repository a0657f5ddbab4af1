//! The calls of a terminal report: how many succeeded, what their replies held, why others failed, and which.

use super::call_list;
use super::page::{Page, Tone};
use crate::report::{CallLine, Report, Share, worst_first};
use crate::turn::{CallFacts, ContentCounts};

/// Shares that rest on fewer calls of the rarer kind are shown as counts.
const FEW: usize = 10;
/// Failed calls that are shown one by one.
const SHOWN: usize = 10;

/// How many calls succeeded, and why the others failed, cause by cause and call by call; `place` is where the user finds
/// the run.
pub(super) fn calls(page: &mut Page, report: &Report, place: &str) {
    if report.calls_ok.is_none() && report.causes.is_empty() {
        return;
    }
    page.heading("calls");
    if let Some(share) = report.calls_ok {
        page.paragraph(2, &[(Tone::Plain, "calls_ok")], &succeeded(share));
    }
    if let Some(text) = contents(report.content) {
        page.paragraph(2, &[(Tone::Plain, "content ")], &text);
    }
    if report.causes.is_empty() {
        return;
    }
    page.heading("failure causes");
    for count in &report.causes {
        page.line(&[(Tone::Plain, &format!("  {:<16}{:>6}", count.cause.name(), count.calls))]);
    }
    let analysis = &report.judged.analysis;
    let failed: Vec<&CallFacts> =
        worst_first(&analysis.calls).filter(|call| call.failed()).collect();
    if failed.is_empty() {
        return;
    }
    page.heading("failing calls (time of day in UTC)");
    call_list::head(page);
    for call in failed.iter().take(SHOWN) {
        let line = CallLine::new(&analysis.head, call);
        call_list::row(page, &line);
        call_list::places(page, &line);
    }
    if let Some(more) = failed.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        page.paragraph(2, &[], &format!("{more} more:"));
        page.whole(4, &format!("loadcall calls {place} --failed"));
    }
}

/// `18 of 20 expected texts and tools found, 2 cannot be told`.
fn contents(counts: ContentCounts) -> Option<String> {
    let rest = [(counts.missed, "missing"), (counts.cannot_tell, "cannot be told")];
    let rest = rest.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!(", {n} {what}"));
    let found = format!("{} of {} expected texts and tools found", counts.met, counts.all());
    (counts.all() > 0).then(|| rest.fold(found, |text, more| text + &more))
}

/// A share that rests on a few failures is not shown as a percentage, which would claim to be exact.
fn succeeded(share: Share) -> String {
    let counts = format!("{} of {} calls succeeded", share.count, share.of);
    let failed = share.of.saturating_sub(share.count);
    let percent = match failed.min(share.count) {
        few if few < FEW => String::new(),
        _ => format!("{:.1} %: ", share.rate() * 100.0),
    };
    let interval = share.interval().map_or(String::new(), |i| {
        format!(" (95 % interval {:.1} to {:.1} %)", i.low * 100.0, i.high * 100.0)
    });
    format!("{percent}{counts}{interval}")
}
