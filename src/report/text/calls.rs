//! The calls of a terminal report: how many succeeded, what their replies held, why others failed.

use super::page::{Page, Tone};
use crate::report::{CauseCount, Report, Share};
use crate::text::clipped;
use crate::turn::ContentCounts;

/// Shares that rest on fewer calls of the rarer kind are shown as counts.
const FEW: usize = 10;
/// Characters of an example that are shown.
const EXAMPLE: usize = 300;

/// How many calls succeeded, and why the others failed, with an example of each cause.
pub(super) fn calls(page: &mut Page, report: &Report) {
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
        let row = format!("{:<16}{:>6}", count.cause.name(), count.calls);
        page.paragraph(2, &[(Tone::Plain, &row)], &example(count));
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

fn example(count: &CauseCount) -> String {
    let example = count.example.as_ref().map(|example| clipped(example, EXAMPLE));
    match (example, count.other_details) {
        (None, _) => String::new(),
        (Some(example), 0) => format!("  e.g. {example}"),
        (Some(example), 1) => format!("  e.g. {example} (and 1 other detail)"),
        (Some(example), others) => format!("  e.g. {example} (and {others} other details)"),
    }
}
