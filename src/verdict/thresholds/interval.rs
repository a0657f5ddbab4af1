//! Where a quantile of all turns lies, of which those of a run are a sample: an interval of 95 %.
//!
//! - Its ends are values of the run: the number of values below a quantile is binomial, whatever their distribution,
//!   so the exact interval of a share says which ranks the quantile lies between (Thompson, "On Confidence Ranges for
//!   the Median and Other Expectation Distributions", Annals of Mathematical Statistics 7, 1936, p. 122–128). Few
//!   values have no such rank: above the largest of 72 values lies the 95th percentile in more than one case of 40.
//! - Turns of one call are alike, so they count as fewer independent ones: as many as give the share below the quantile
//!   the variance that the calls show (Kish's design effect; Woodruff, "Confidence Intervals for Medians and Other
//!   Position Measures", JASA 47, 1952, p. 635–646).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::stats::{Rate, Sample};
use crate::turn::Value;

/// Fewer calls say nothing of how calls vary.
const MIN_CALLS: usize = 5;
/// So many values are never asked for.
const MANY: f64 = 1e7;
/// The cases in which an end of an interval of 95 % misses.
const MISSED: f64 = 0.025;
/// Less than the share of any value, in percent.
const BEYOND: f64 = 1e-5;

/// An interval of 95 %, in the unit of the values. An end that is `None` is beyond all that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ends {
    pub low: Option<f64>,
    pub high: Option<f64>,
}

impl Ends {
    pub fn holds(&self, value: f64) -> bool {
        self.low.is_none_or(|low| low <= value) && self.high.is_none_or(|high| value <= high)
    }
}

/// Of the quantile at `percent`, of values and the same as a sample; `None` with fewer than five calls.
pub(super) fn of_quantile(values: &[Value], sample: &Sample, percent: f64) -> Option<Ends> {
    let n = independent(values, sample.quantile(percent).value)?;
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 values")]
    let share = |rank: u64| rank as f64 / n as f64 * 100.0;
    let (low, high) = ranks(n, percent / 100.0);
    Some(Ends {
        // The first value beyond all ranks before. What is only known to be at least so much is as good a lower end.
        low: low.map(|rank| sample.quantile(share(rank - 1) + BEYOND).value),
        high: high
            .map(|rank| sample.quantile(share(rank)))
            .filter(|high| !high.lower_bound)
            .map(|high| high.value),
    })
}

/// About how many calls like these give both ends; `None` where these do, or where no number would.
pub(super) fn calls_needed(values: &[Value], sample: &Sample, percent: f64) -> Option<usize> {
    let calls = sample.clusters();
    let known = independent(values, sample.quantile(percent).value);
    // Too few calls to show how alike their turns are.
    let n = known.unwrap_or(sample.len() as u64);
    let high = values_for_both(percent / 100.0)?;
    if n >= high {
        return known.is_none().then_some(MIN_CALLS);
    }
    let need = (high * calls as u64).div_ceil(n);
    Some(usize::try_from(need).ok()?.max(MIN_CALLS))
}

/// From how many independent values on some lie beyond the quantile of this share on either side, in 39 of 40 cases
/// each; `None` where no number is enough.
fn values_for_both(share: f64) -> Option<u64> {
    let n = MISSED.ln() / share.max(1.0 - share).ln();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "1 or more, checked"
    )]
    (n.is_finite() && n < MANY).then(|| n.ceil() as u64)
}

/// As how many independent values these count, for the share of those up to `at`.
fn independent(values: &[Value], at: f64) -> Option<u64> {
    let mut calls: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    for value in values.iter().filter(|value| value.value.is_finite()) {
        let (below, all) = calls.entry(value.call.0).or_default();
        *below += f64::from(u8::from(!value.censored && value.value <= at));
        *all += 1.0;
    }
    if calls.len() < MIN_CALLS {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 calls")]
    let k = calls.len() as f64;
    let (below, n) = calls.values().fold((0.0, 0.0), |(b, n), (below, all)| (b + below, n + all));
    let share = below / n;
    // Of the share, between samples of such calls, and between samples of as many values that are all by themselves.
    let of_call = |(below, all): &(f64, f64)| (below - share * all).powi(2);
    let by_calls = calls.values().map(of_call).sum::<f64>() * k / (k - 1.0) / (n * n);
    let by_values = share * (1.0 - share) / (n - 1.0);
    // Where all lie below nothing shows how alike the turns of a call are.
    let independent = if by_calls > 0.0 { (n * by_values / by_calls).min(n) } else { k };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most n")]
    let whole = (independent + 1e-6).floor() as u64;
    Some(whole.max(1))
}

/// The ranks among `n` values, from 1, between which the quantile of this share lies: below the first, and above the
/// second, in at most one case of 40 each.
fn ranks(n: u64, share: f64) -> (Option<u64>, Option<u64>) {
    let of = |hits: u64| Rate { hits, n }.interval();
    // The first of 0 to n for which something holds that holds for all after it.
    let first = |holds: &dyn Fn(u64) -> bool| {
        let (mut low, mut high) = (0, n + 1);
        while low < high {
            let middle = u64::midpoint(low, high);
            if holds(middle) { high = middle } else { low = middle + 1 }
        }
        low
    };
    let above = first(&|hits| of(hits).is_some_and(|share_of| share_of.high > share));
    let high = first(&|hits| of(hits).is_some_and(|share_of| share_of.low >= share));
    ((above > 0).then_some(above), (high <= n).then_some(high))
}

#[cfg(test)]
mod tests;
