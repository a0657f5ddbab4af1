//! What would settle an unclear comparison: more calls, more accepted runs, or another method.

use super::super::Basis;
use super::change::{Found, count, normal, shift_of};
use crate::stats::power;
use crate::text::{number, number_of};

/// A number of calls above this is not recommended but called very many.
const MANY_CALLS: f64 = 10_000.0;

/// How far the figure is from where it would be clear, on the scale.
fn room(found: &Found) -> f64 {
    let (point, least) = (found.difference.point, found.min_effect_ms);
    let room = match found.basis {
        // The whole interval has to lie on one side of the line.
        Basis::Calls => (least - point).abs(),
        Basis::Runs(_) if point >= least => point,
        Basis::Runs(_) => least - point,
    };
    // Close to the line no number of calls helps; then a fair one is named.
    shift_of(found.baseline, room.max(least / 4.0))
}

/// The remedy, given the calls of the run and of the baseline. The number of calls is one at which the interval fits
/// into the room there is, in nine of ten such comparisons: its middle moves, too.
pub(super) fn remedy(found: &Found, calls: (usize, usize)) -> String {
    let errors = &found.errors;
    let reach = errors.reach + normal(1.0 - power::POWER);
    let wanted = (room(found) / reach).powi(2);
    let of_calls = errors.calls_of_difference.powi(2);
    let rest = (errors.difference.powi(2) - of_calls).max(0.0);
    let need = (of_calls * errors.calls / (wanted - rest)).ceil();
    let is_number = need > 0.0 && need <= MANY_CALLS;
    let need = number(need.max(count(calls.1) + 1.0));
    match found.basis {
        Basis::Calls if is_number => format!(
            "about {need} calls in the baseline and in the run would settle it (now {} and {})",
            number_of(calls.0),
            number_of(calls.1)
        ),
        Basis::Calls => {
            "more calls will not settle it; more accepted runs may, or both agents interleaved \
                         (`loadcall ab`)"
                .to_owned()
        }
        Basis::Runs(_) if is_number => format!(
            "about {need} calls in each run, including accepted ones, would settle it (now {})",
            number_of(calls.1)
        ),
        Basis::Runs(ref of) => format!(
            "more calls will not help, because the run-to-run standard deviation of this agent is {} ms: \
             accept more runs (now {}), or interleave both agents with `loadcall ab`",
            number(of.between_runs_ms),
            number_of(of.runs)
        ),
    }
}
