//! How long the calls of a plan take, before any is placed: from the least a caller can need, whose agent does all
//! that is expected, at once and briefly, to the most that the scenario lets a call last.

use super::Plan;
use crate::scenario::{Act, Anchor, Expect, IGNORES_ANSWER_WINDOW, Scenario, Start, Step};
use std::time::Duration;

/// A time that lies somewhere from `least` to `most`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub least: Duration,
    pub most: Duration,
}

impl Span {
    /// So many times after each other.
    #[must_use]
    pub fn times(self, n: u64) -> Self {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        Self { least: self.least.saturating_mul(n), most: self.most.saturating_mul(n) }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            least: self.least.saturating_add(other.least),
            most: self.most.saturating_add(other.most),
        }
    }
}

/// What a plan comes to. A call that reaches no agent can be shorter than the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Calls to all agents together.
    pub calls: u64,
    pub at_a_time: usize,
    /// One call, from connected to hung up.
    pub call: Span,
    /// From the first call to the end of the last.
    pub wall: Span,
    /// All calls, one after another: the time that agents are in calls.
    pub agent: Span,
}

impl Estimate {
    /// Of a plan; `voiced` has the length of each step's clip, from its first to its last voiced sample.
    pub fn new(plan: &Plan, scenario: &Scenario, voiced: &[Option<Duration>]) -> Self {
        let most = scenario.max_call();
        let call = Span { least: least(scenario, voiced).min(most), most };
        let wall = Span { least: wall(plan, call.least), most: wall(plan, call.most) };
        let calls = plan.total();
        let at_a_time = plan.schedule.at_a_time();
        Self { calls, at_a_time, call, wall, agent: call.times(calls) }
    }

    /// This and another, one after the other.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        Self {
            calls: self.calls.saturating_add(next.calls),
            at_a_time: self.at_a_time.max(next.at_a_time),
            call: Span {
                least: self.call.least.min(next.call.least),
                most: self.call.most.max(next.call.most),
            },
            wall: self.wall.plus(next.wall),
            agent: self.agent.plus(next.agent),
        }
    }
}

/// From the first call to the end of the last, when each takes this long: a slot that gets free is taken at once,
/// but no two calls begin closer together than the schedule allows.
pub fn wall(plan: &Plan, call: Duration) -> Duration {
    let Some(before) = plan.total().checked_sub(1) else { return Duration::ZERO };
    let slots = u64::try_from(plan.schedule.at_a_time()).unwrap_or(u64::MAX).max(1);
    let times =
        |length: Duration, n: u64| length.saturating_mul(u32::try_from(n).unwrap_or(u32::MAX));
    let apart = plan.schedule.apart();
    let round = call.max(times(apart, slots));
    times(round, before / slots).saturating_add(times(apart, before % slots)).saturating_add(call)
}

/// The least a call can take in which the agent does all that is expected of it.
fn least(scenario: &Scenario, voiced: &[Option<Duration>]) -> Duration {
    let gap = scenario.turn_taking().speech_gap;
    let mut at = Duration::ZERO;
    // Whether the agent can only just have begun to speak: before the script, and where a step ends with its reply.
    let mut has_just_begun = true;
    for (index, step) in scenario.steps().iter().enumerate() {
        at = match &step.act {
            Act::Listen => at,
            Act::Silence { length } => at + *length,
            Act::Say { start, .. } => {
                let clip = voiced.get(index).copied().flatten().unwrap_or_default();
                begins(at, *start, has_just_begun, gap) + clip
            }
        };
        if step.expect == Some(Expect::Ignores) {
            // That it takes no notice is only known after a while.
            at += IGNORES_ANSWER_WINDOW;
        }
        has_just_begun = replies(step);
    }
    // The caller hangs up when the agent has finished.
    if has_just_begun { at + gap } else { at }
}

fn replies(step: &Step) -> bool {
    match step.expect {
        Some(Expect::Speaks { .. } | Expect::Responds { .. }) => true,
        Some(Expect::Yields { .. } | Expect::Ignores) | None => false,
    }
}

/// When a clip can begin at the soonest in a step that begins at `at`.
fn begins(at: Duration, start: Start, has_just_begun: bool, gap: Duration) -> Duration {
    match start.after {
        Anchor::SessionStart | Anchor::AgentJoined => at.max(start.delay),
        Anchor::PreviousTurn => at + start.delay,
        Anchor::AgentSpeechStart if has_just_begun => at + start.delay,
        // An agent has finished when it has been silent for a while.
        Anchor::AgentSpeechEnd if has_just_begun => at + start.delay.max(gap),
        // That may have been long before.
        Anchor::AgentSpeechStart | Anchor::AgentSpeechEnd => at,
    }
}

#[cfg(test)]
mod tests;
