//! What would settle an unclear comparison: more calls, more accepted runs, or another method.
//!
//! The number of calls that is named tells an agent that did not change from one that is slower by twice what matters,
//! both in about nine of ten comparisons. How far this run lies from the others does not enter: it is as likely an
//! accident as a change. Nobody knows how many calls tell a change of what just matters from a slightly smaller one.

use super::super::Basis;
use super::change::{Found, shift_of};
use crate::text::{number, number_of};

/// A number of calls above this is not recommended but called very many.
const MANY_CALLS: f64 = 10_000.0;

/// How many calls a run needs, accepted ones included. `None` where no number of them helps.
pub(super) fn calls_needed(found: &Found) -> Option<f64> {
    let errors = &found.errors;
    let room = match found.basis {
        // The whole interval has to lie on one side of what matters.
        Basis::Calls => shift_of(found.baseline, found.min_effect_ms),
        // What matters is found from where chance explains less, and that may be twice as much.
        Basis::Runs(_) => shift_of(found.baseline, 2.0 * found.min_effect_ms),
    };
    let of_calls = errors.calls_of_difference.powi(2);
    let rest = (errors.difference.powi(2) - of_calls).max(0.0);
    let need = of_calls * errors.calls / ((room / errors.reach).powi(2) - rest);
    (need > 0.0 && need <= MANY_CALLS).then(|| need.ceil())
}

/// The remedy, given the calls of the baseline and of the run.
pub(super) fn remedy(found: &Found, calls: (usize, usize)) -> String {
    let Some(need) = calls_needed(found) else {
        return match found.basis {
            Basis::Calls => {
                "more calls will not settle it; more accepted runs may, or both agents interleaved \
                             (`loadcall ab`)"
                    .to_owned()
            }
            Basis::Runs(ref of) => format!(
                "more calls will not help, because the run-to-run standard deviation of this agent is {} ms: \
                 accept more runs (now {}), or interleave both agents with `loadcall ab`",
                number(of.between_runs_ms),
                number_of(of.runs)
            ),
        };
    };
    let (old, new) = (number_of(calls.0), number_of(calls.1));
    if need <= found.errors.calls {
        return format!("so many calls settle it in most cases: run it again (now {new})");
    }
    let need = number(need);
    match found.basis {
        Basis::Calls => format!(
            "about {need} calls in the baseline and in the run would rule it out if there is none (now {old} and {new})"
        ),
        Basis::Runs(_) => format!(
            "about {need} calls in each run, including accepted ones, would settle it (now {new})"
        ),
    }
}
