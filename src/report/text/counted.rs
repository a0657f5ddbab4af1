//! Calls that fail, and calls in which the agent cuts in, against the baseline.

use super::page::Page;
use crate::verdict::{Comparison, FailureChange};

/// A line for each of the two.
pub(super) fn calls(page: &mut Page, comparison: &Comparison) {
    if let Some(failures) = &comparison.failures {
        page.paragraph(2, &[], &line("calls_ok", failures, "more calls fail"));
    }
    // Where the agent never cuts in there is nothing to show.
    let cuts_in =
        |count: &&FailureChange| [count.baseline, count.run].iter().any(|rate| rate.hits < rate.n);
    if let Some(cut_ins) = comparison.cut_ins.as_ref().filter(cuts_in) {
        let text = line("calls without a cut-in", cut_ins, "the agent cuts in more");
        page.paragraph(2, &[], &text);
    }
}

fn line(name: &str, count: &FailureChange, worse: &str) -> String {
    let FailureChange { baseline, run, difference, more, .. } = count;
    let points = |share: f64| {
        let text = format!("{:+.1}", share * 100.0).replace('-', "\u{2212}");
        if text.trim_start_matches(['+', '\u{2212}']) == "0.0" { "0".to_owned() } else { text }
    };
    format!(
        "{name} {} of {} → {} of {}: {} points, 95 % interval {} to {}{}",
        baseline.hits,
        baseline.n,
        run.hits,
        run.n,
        points(difference.point),
        points(difference.low),
        points(difference.high),
        if *more { format!(": {worse}") } else { String::new() },
    )
}
