//! What a recording says about one call, without its log.

use crate::record::{CallId, CallRecord, Observation, Outcome, Participant};
use crate::time::Offset;

use super::parties::{self, Parties};
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
    /// When the agent came into the room; see [`joined`] for how far that may be off.
    pub agent_joined: Option<Offset>,
    /// When the agent's audio could be heard.
    pub agent_ready: Option<Offset>,
    pub ended: Offset,
    pub outcome: Outcome,
    /// What exactly happened, for people; may be empty.
    pub detail: String,
    pub overlap: Overlap,
    pub parties: Parties,
    /// Why it failed; `None` when it succeeded.
    pub failure: Option<Failure>,
    pub packets_received: u64,
    pub packets_lost: u64,
    pub largest_gap_ms: f64,
    /// One for each step of the script, in its order.
    pub turns: Vec<Turn>,
}

impl CallFacts {
    /// Whether the agent failed it: not so where the user stopped it or the caller itself failed.
    pub fn failed(&self) -> bool {
        self.ok() == Some(false)
    }

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
        parties: Parties::of(call),
        failure,
        packets_received: call.media.packets_received,
        packets_lost: call.media.packets_lost,
        largest_gap_ms: finite(call.media.largest_gap_ms),
        turns,
    };
    // The first that was told of each participant: when, and what.
    let mut told: Vec<(Offset, &Participant)> = Vec::new();
    for stamped in &call.log {
        #[expect(clippy::wildcard_enum_match_arm, reason = "four facts of many are wanted")]
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
            Observation::Participant(guest)
                if told.iter().all(|(_, known)| known.identity != guest.identity) =>
            {
                told.push((stamped.at, guest));
            }
            _ => {}
        }
    }
    if facts.agent_joined.is_some() {
        let named = facts.agent_identity.as_deref();
        let agent = parties::agent(told.iter().map(|(_, guest)| *guest))
            .or_else(|| told.iter().map(|(_, g)| *g).find(|g| Some(g.identity.as_str()) == named));
        if let (Some(agent), Some(connected)) = (agent, facts.connected) {
            facts.agent_identity = Some(agent.identity.clone());
            let at = joined(agent, call.dialled, connected, &told);
            facts.agent_joined = at.or(facts.agent_joined);
        }
    }
    facts
}

/// When a participant came into the room, on our clock. The server tells of one without a track up to three seconds
/// late, but it says when each joined by its own clock, the caller included: that difference, to the millisecond, is
/// added to the moment at which the caller joined. Of that moment we know only that it lies between dialling and being
/// connected, and that nobody can have been told of before joining; it is taken to be in the middle, so the result is
/// off by at most half of that time (a few ten milliseconds on one machine), the same way in every call.
fn joined(
    participant: &Participant,
    dialled: Offset,
    connected: Offset,
    told: &[(Offset, &Participant)],
) -> Option<Offset> {
    let us = |guest: &Participant| guest.joined_after_ms?.checked_mul(1_000);
    let after = us(participant)?;
    let told_by = told.iter().find(|(_, guest)| guest.identity == participant.identity)?.0;
    let latest = told.iter().filter_map(|(at, guest)| Some(at.micros().saturating_sub(us(guest)?)));
    let latest = latest.fold(connected.micros(), i64::min).max(dialled.micros());
    let we = dialled.micros() + (latest - dialled.micros()) / 2;
    // One that was there before the caller has kept nobody waiting.
    let at = we.saturating_add(after.max(0)).min(told_by.micros());
    Some(Offset::from_micros(at.max(dialled.micros())))
}

/// A value of a recording that may hold anything.
pub(super) fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

#[cfg(test)]
mod tests;
