//! The step at which a call failed.

use crate::scenario::Scenario;
use crate::turn::{CallFacts, Reply, Turn};

/// The step of the script at which a call failed; `None` where it did not come to one.
pub(super) fn failed_step(call: &CallFacts, scenario: &Scenario) -> Option<u32> {
    let failure = call.failure.as_ref()?;
    let named = failure.detail.strip_prefix("turn `").and_then(|rest| {
        let steps = scenario.steps().iter().zip(0_u32..);
        let fits = |id: &str| rest.strip_prefix(id).is_some_and(|rest| rest.starts_with('`'));
        steps.filter(|(step, _)| fits(&step.id)).map(|(_, index)| index).next()
    });
    let silent = |turn: &&Turn| matches!(turn.reply, Reply::Unanswered { .. });
    named.or_else(|| call.turns.iter().find(silent).map(|turn| turn.step))
}
