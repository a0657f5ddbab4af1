//! What a recording says about one call, without its log.

use crate::record::{CallId, CallRecord, Observation, Outcome};
use crate::time::Offset;

use super::{Failure, Overlap, Turn};

/// What a recording says about a call.
#[derive(Debug, Clone, PartialEq)]
pub struct CallFacts {
    pub call: CallId,
    pub room: String,
    pub room_sid: Option<String>,
    pub agent_identity: Option<String>,
    pub due: Offset,
    pub dialled: Offset,
    pub connected: Option<Offset>,
    pub agent_joined: Option<Offset>,
    /// When the agent's audio could be heard.
    pub agent_ready: Option<Offset>,
    pub ended: Offset,
    pub outcome: Outcome,
    /// What exactly happened, for people; may be empty.
    pub detail: String,
    pub overlap: Overlap,
    /// Why it failed; `None` when it succeeded.
    pub failure: Option<Failure>,
    pub packets_received: u64,
    pub packets_lost: u64,
    pub largest_gap_ms: f64,
    /// One for each step of the script, in its order.
    pub turns: Vec<Turn>,
}

impl CallFacts {
    /// Whether it succeeded; `None` for a call that says nothing about the agent, because the user
    /// stopped it or the caller itself failed.
    pub fn ok(&self) -> Option<bool> {
        match self.outcome {
            Outcome::Stopped | Outcome::OurFault => None,
            Outcome::Answered
            | Outcome::NoAgent
            | Outcome::AgentLate
            | Outcome::AgentLeft
            | Outcome::NoGreeting
            | Outcome::NoAnswer
            | Outcome::ConnectionLost
            | Outcome::Refused => Some(self.failure.is_none()),
        }
    }
}

/// What the log and the end of a call say, beside what was made of them.
pub(super) fn facts(
    call: &CallRecord,
    overlap: Overlap,
    failure: Option<Failure>,
    turns: Vec<Turn>,
) -> CallFacts {
    let mut facts = CallFacts {
        call: call.id,
        room: call.room.clone(),
        room_sid: None,
        agent_identity: None,
        due: call.due,
        dialled: call.dialled,
        connected: None,
        agent_joined: None,
        agent_ready: None,
        ended: call.end.at,
        outcome: call.end.outcome,
        detail: call.end.detail.clone(),
        overlap,
        failure,
        packets_received: call.media.packets_received,
        packets_lost: call.media.packets_lost,
        largest_gap_ms: finite(call.media.largest_gap_ms),
        turns,
    };
    for stamped in &call.log {
        #[expect(clippy::wildcard_enum_match_arm, reason = "three facts of many are wanted")]
        match &stamped.what {
            Observation::Connected { room_sid } => {
                facts.connected.get_or_insert(stamped.at);
                facts.room_sid.get_or_insert_with(|| room_sid.clone());
            }
            Observation::AgentJoined { identity } => {
                facts.agent_joined.get_or_insert(stamped.at);
                facts.agent_identity.get_or_insert_with(|| identity.clone());
            }
            Observation::AgentTrackSubscribed => {
                facts.agent_ready.get_or_insert(stamped.at);
            }
            _ => {}
        }
    }
    facts
}

/// A value of a recording that may hold anything.
pub(super) fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}
