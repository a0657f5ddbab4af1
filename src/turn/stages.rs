//! When the agent took the caller's turn for over, by the state it shows: `lk.agent.state`, which every
//! agent on livekit-agents has and others may set. What comes before it is deciding the turn, what comes
//! after it is preparing the answer, both by our own clock.

use super::{EARLY, Reply, Turn};
use crate::dialogue::Doing;
use crate::record::{CallRecord, Observation, SessionEvent};
use crate::time::Offset;

/// The states of an agent in a call, in order of our receipt.
struct States {
    /// Of the attribute. A state that lasts only a moment may be missing.
    attribute: Vec<(Offset, Option<Doing>)>,
    /// Of the messages of its session, which skip none but reach us a little later.
    session: Vec<(Offset, Option<Doing>)>,
}

/// Fills in when each turn was decided, where the agent's state says so.
pub(super) fn join(call: &CallRecord, turns: &mut [Turn]) {
    let states = States::new(call);
    for turn in turns {
        turn.turn_decided_ms = states.decided(turn);
    }
}

impl States {
    fn new(call: &CallRecord) -> Self {
        let mut states = Self { attribute: Vec::new(), session: Vec::new() };
        for seen in &call.log {
            #[expect(clippy::wildcard_enum_match_arm, reason = "two facts of many are wanted")]
            match &seen.what {
                Observation::AgentState(name) => {
                    states.attribute.push((seen.at, Doing::of_state(name)));
                }
                Observation::Session(SessionEvent::AgentState { new, .. }) => {
                    states.session.push((seen.at, Doing::of_state(new)));
                }
                _ => {}
            }
        }
        states.attribute.sort_by_key(|(at, _)| *at);
        states.session.sort_by_key(|(at, _)| *at);
        states
    }

    /// Milliseconds from the caller's last voiced sample to `thinking`; `None` when it is not known.
    fn decided(&self, turn: &Turn) -> Option<f64> {
        let (said, Reply::Heard { voice, .. }) = (turn.said?, turn.reply) else {
            return None;
        };
        let at = [&self.attribute, &self.session]
            .into_iter()
            .find_map(|states| thinking(states, said.from, voice.from))?;
        // An agent that thinks already while the caller speaks thinks about something else, or has
        // taken a pause for the end: it does not say when it saw the end.
        (at.plus(EARLY) >= said.until).then(|| at.ms_since(said.until))
    }
}

/// The `thinking` that led to a reply at `reply`. What came between it and the reply, other than
/// `speaking`, means that it came to nothing.
fn thinking(states: &[(Offset, Option<Doing>)], from: Offset, reply: Offset) -> Option<Offset> {
    let mut within = states.iter().rev().filter(|(at, _)| from < *at && *at <= reply);
    let (at, state) = within.find(|(_, state)| *state != Some(Doing::Speaking))?;
    (*state == Some(Doing::Thinking)).then_some(*at)
}

#[cfg(test)]
mod tests;
