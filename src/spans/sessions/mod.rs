//! The sessions of an agent as distributions: spans come page by page, and a session is kept as its numbers. Pure.

mod session;
mod representative;
mod summary;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::langfuse::Observation;

pub use representative::{Against, Representative, Synthetic};
pub use session::{NAMES, Session, Trouble, stages};
pub use summary::{Costs, Filter, Slow, StageRow, Summary, Tokens};

/// Characters of a session's id.
const ID: usize = 300;

/// Sessions as they are read, the newest spans first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Gathered {
    pub sessions: BTreeMap<String, Session>,
    /// Rooms of loadcall's own calls, whose agents may have sessions of that name.
    our_rooms: BTreeSet<String>,
    /// Observations that were read, and rows that were none.
    pub observations: u64,
    pub unread: u64,
    /// The begin of the oldest span that was read.
    pub oldest_ns: Option<u64>,
}

/// What marks a session as one of loadcall's.
#[derive(Debug, Clone, Copy)]
pub struct Ours<'a> {
    /// The environment in Langfuse that loadcall's traces are filed under.
    pub environment: &'a str,
}

/// The rooms that loadcall calls in unless a scenario says otherwise.
const OUR_ROOMS: &str = "loadcall-";

impl Gathered {
    /// Takes an observation.
    pub fn add(&mut self, observation: &Observation, ours: Ours<'_>) {
        let Observation { span, environment, project, ours: is_ours, cost } = observation;
        self.observations += 1;
        self.oldest_ns = Some(self.oldest_ns.map_or(span.begin_ns, |at| at.min(span.begin_ns)));
        let id = span.session().unwrap_or(&span.trace_id);
        let id = crate::text::clipped(id, ID);
        let room = span.text("lk.room_id");
        let is_ours = *is_ours
            || environment.as_deref() == Some(ours.environment)
            || id.starts_with(OUR_ROOMS);
        if is_ours {
            self.our_rooms.extend(room.map(str::to_owned));
        }
        let of_our_room = room.is_some_and(|room| self.our_rooms.contains(room));
        let session = self.sessions.entry(id).or_default();
        session.ours |= is_ours || of_our_room;
        if session.ours {
            // Its numbers are of no use.
            *session = Session { ours: true, ..Session::default() };
        } else {
            session.add(span, *cost, project.as_deref());
        }
    }

    /// Sessions that were read, without loadcall's own.
    pub fn count(&self) -> usize {
        self.theirs().count()
    }

    /// Every session that loadcall did not place.
    fn theirs(&self) -> impl Iterator<Item = (&str, &Session)> {
        // A session may be named after a room that turned out to be ours only later.
        let ours = |id: &str, session: &Session| session.ours || self.our_rooms.contains(id);
        self.sessions
            .iter()
            .filter(move |(id, session)| !ours(id, session))
            .map(|(id, session)| (id.as_str(), session))
    }
}

#[cfg(test)]
mod tests;
