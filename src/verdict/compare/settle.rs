//! What would settle an inconclusive comparison: more calls, more accepted runs, or another method.

use super::super::{Basis, Change, RunToRun};
use super::change::{Errors, count};
use crate::stats::power;
use crate::text::{number, number_of};

/// A number of calls above this is not recommended but called very many.
const MANY_CALLS: f64 = 10_000.0;

/// How far the figure is from where it would be clear, in milliseconds.
pub(super) fn room(change: &Change) -> f64 {
    let (point, least) = (change.difference.point, change.min_effect_ms);
    let room = match change.basis {
        // The whole interval has to lie on one side of the line.
        Basis::Calls => (least - point).abs(),
        Basis::Runs(_) if point >= least => point,
        Basis::Runs(_) => least - point,
    };
    // Close to the line no number of calls helps; then a fair one is named.
    room.max(least / 4.0)
}

/// The remedy, given the calls of the run and of the baseline.
pub(super) fn remedy(change: &Change, errors: &Errors, calls: (usize, usize)) -> String {
    match change.basis {
        Basis::Calls => more_calls(change, calls),
        Basis::Runs(ref basis) => more_calls_a_run(change, errors, basis, calls.1),
    }
}

/// The variance of the difference is that between runs, which no number of calls changes, and that of
/// the calls, which falls with their number in every run; the number is the one at which the interval
/// fits into the room there is.
fn more_calls_a_run(change: &Change, errors: &Errors, of: &RunToRun, calls: usize) -> String {
    let shift = |ms| errors.scale.shift(change.baseline, ms);
    let half = shift(change.difference.high) - shift(change.difference.point);
    let wanted = (errors.difference * shift(room(change)) / half.max(f64::MIN_POSITIVE)).powi(2);
    let sampling = errors.sampling.unwrap_or(0.0).powi(2);
    let drift = (errors.between_runs.unwrap_or(0.0).powi(2) - sampling).max(0.0);
    let both = 1.0 + 1.0 / count(of.runs);
    let need = (sampling * errors.calls * both / (wanted - drift * both)).ceil();
    if need <= 0.0 || need > MANY_CALLS {
        return format!(
            "more calls will not help, because the run-to-run standard deviation of this agent is {} ms: \
             accept more runs (now {}), or interleave both agents with `loadcall ab`",
            number(of.between_runs_ms),
            number_of(of.runs)
        );
    }
    let need = need.max(count(calls) + 1.0);
    format!(
        "about {} calls in each run, including accepted ones, would settle it (now {})",
        number(need),
        number_of(calls)
    )
}

/// The width of an interval falls with the root of the number of calls; the number is the one at
/// which the interval around the same change would lie on one side of the line in question.
fn more_calls(change: &Change, calls: (usize, usize)) -> String {
    let (old, new) = (count(calls.0), count(calls.1));
    let harmonic = 2.0 / (1.0 / old + 1.0 / new);
    let need = (harmonic * (change.difference.half_width() / room(change)).powi(2)).ceil();
    // An interval need not lie evenly around its point.
    let need = need.max(old.min(new) + 1.0);
    let now = format!("now {} and {}", number_of(calls.0), number_of(calls.1));
    if need > MANY_CALLS {
        return format!("too many calls would be needed ({now}); raise the minimum effect");
    }
    format!("about {} calls in the baseline and in the run would settle it ({now})", number(need))
}

/// `detects slowdowns of 190 ms (+17 %) or more in 90 % of cases`.
pub(super) fn detectable(change: &Change) -> String {
    let share = change.detectable_ms / change.baseline.abs() * 100.0;
    let share =
        if share.is_finite() { format!(" (+{} %)", number(share.round())) } else { String::new() };
    format!(
        "this comparison detects slowdowns of {} ms{share} or more in {:.0} % of cases",
        number(change.detectable_ms),
        power::POWER * 100.0
    )
}
