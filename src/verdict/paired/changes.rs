//! How each metric changed within pairs, for the table of a report. None of it decides.

use super::Recorded;
use super::asked::MIN_PAIRS;
use super::table::{Reading, Table};
use crate::scenario::Metric;
use crate::stats::{PairedDifference, Quantile, Resampling, Shift, down, shift};
use crate::verdict::thresholds::sample;
use crate::verdict::values_needed;

/// One metric of both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedChange {
    pub metric: Metric,
    /// Medians of all turns, in milliseconds.
    pub a: Quantile,
    pub b: Quantile,
    /// Pairs of turns.
    pub turns: usize,
    /// Pairs of calls they come from.
    pub pairs: usize,
    /// Pairs of turns with a side that was not answered, or whose wait was cut short.
    pub bounded: usize,
    /// B minus A within pairs, in milliseconds, of waits up to what the step gives the agent.
    pub shift: Shift,
}

impl PairedChange {
    /// With fewer pairs there is neither an interval nor a word for it.
    pub(super) fn is_enough(&self) -> bool {
        self.pairs >= MIN_PAIRS && self.turns >= values_needed(50.0)
    }
}

/// The change of one metric in the pairs before `pairs`; `None` when no two calls have it.
pub(super) fn change(
    metric: Metric,
    (a, b): (Recorded<'_>, Recorded<'_>),
    pairs: u32,
    how: &Resampling,
) -> Option<PairedChange> {
    let table = Table::new(metric, a, b, pairs);
    let differences: Vec<PairedDifference> = table
        .cells
        .iter()
        .map(|cell| {
            let ms = |reading| {
                let (a, b) = cell.read(reading);
                down(b) - down(a)
            };
            let cluster = u32::try_from(cell.pair).unwrap_or(u32::MAX);
            let (at_least, at_most) = (ms(Reading::Least), ms(Reading::Most));
            PairedDifference { at_least, at_most, cluster }
        })
        .collect();
    let median = |of: Recorded<'_>| {
        let values = of.analysis.measures.values(metric).iter().filter(|v| v.call.0 < pairs);
        Some(sample(&values.copied().collect::<Vec<_>>())?.quantile(50.0))
    };
    Some(PairedChange {
        metric,
        a: median(a)?,
        b: median(b)?,
        turns: differences.len(),
        pairs: table.pairs,
        bounded: table.unanswered,
        shift: shift(&differences, how)?,
    })
}
