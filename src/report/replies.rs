//! What came back in a turn, as the columns that `report.json` and the tables of turns have.

use crate::turn::{Disturbance, Reply, Span};

/// From the caller's last voiced sample to the reply (for a greeting from when the caller was in the
/// room), or how long the caller waited for one that never came.
pub(super) fn heard_ms(reply: Reply) -> Option<f64> {
    match reply {
        Reply::Greeted { latency_ms, .. } | Reply::Heard { latency_ms, .. } => Some(latency_ms),
        Reply::Unanswered { waited_ms } => Some(waited_ms),
        Reply::CutIn { .. }
        | Reply::Yielded { .. }
        | Reply::DidNotYield { .. }
        | Reply::Ignored
        | Reply::Disturbed { .. }
        | Reply::NotAwaited
        | Reply::NotTested
        | Reply::NotReached => None,
    }
}

/// From the caller's barge-in to the agent's silence, or how long the agent spoke on.
pub(super) fn yield_ms(reply: Reply) -> Option<f64> {
    match reply {
        Reply::Yielded { yield_ms } => Some(yield_ms),
        Reply::DidNotYield { waited_ms } => Some(waited_ms),
        Reply::Greeted { .. }
        | Reply::Heard { .. }
        | Reply::CutIn { .. }
        | Reply::Unanswered { .. }
        | Reply::Ignored
        | Reply::Disturbed { .. }
        | Reply::NotAwaited
        | Reply::NotTested
        | Reply::NotReached => None,
    }
}

/// How long after a noise began the agent reacted to it.
pub(super) fn disturbed_ms(reply: Reply) -> Option<f64> {
    if let Reply::Disturbed { after_ms, .. } = reply { Some(after_ms) } else { None }
}

/// The time is only a lower bound.
pub(super) fn is_censored(reply: Reply) -> bool {
    matches!(reply, Reply::Unanswered { .. } | Reply::DidNotYield { .. })
}

/// The name of what came back, and when the agent spoke.
pub(super) fn reply(reply: Reply) -> (&'static str, Option<Span>) {
    let name = match reply {
        Reply::Greeted { .. } => "greeted",
        Reply::Heard { .. } => "heard",
        Reply::Yielded { .. } => "yielded",
        Reply::DidNotYield { .. } => "did_not_yield",
        Reply::Ignored => "ignored",
        Reply::Disturbed { by: Disturbance::Stopped, .. } => "stopped_by_noise",
        Reply::Disturbed { by: Disturbance::Answered, .. } => "answered_noise",
        Reply::Unanswered { .. } => "unanswered",
        Reply::CutIn { .. } => "cut_in",
        Reply::NotAwaited => "not_awaited",
        Reply::NotTested => "not_tested",
        Reply::NotReached => "not_reached",
    };
    (name, reply.voice())
}
