//! Which spans are of which run, where two were made at a time, and whether those of every call are there.

use crate::record::{Observation, store};
use crate::spans::AgentSpan;
use crate::spans::receiver::Receiver;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The span that a session of livekit-agents sends last.
const LAST: &str = "agent_session";

/// The runs whose calls were placed, in order.
#[derive(Debug, Default)]
pub(super) struct Sides {
    runs: Vec<Side>,
    /// Trace → the run that it is known to be of.
    traces: HashMap<String, usize>,
    /// Rooms whose session has ended, by name and id.
    ended: HashSet<String>,
    /// Requests that were looked at.
    looked: usize,
}

/// The rooms of a run's calls.
#[derive(Debug, Default)]
struct Side {
    /// By name and by id.
    rooms: HashSet<String>,
    /// Those that an agent came into: the room's names.
    answered: Vec<Vec<String>>,
}

impl Sides {
    pub(super) fn of(folders: &[PathBuf]) -> Self {
        Self { runs: folders.iter().map(|folder| Side::of(folder)).collect(), ..Self::default() }
    }

    /// Looks at what has come since it was called before.
    pub(super) fn look_at(&mut self, receiver: &Receiver) {
        while let Some(read) = receiver.decoded(self.looked) {
            self.looked += 1;
            for span in read.into_iter().flat_map(|decoded| decoded.spans) {
                self.look_at_span(&span);
            }
        }
    }

    fn look_at_span(&mut self, span: &AgentSpan) {
        let rooms: Vec<&str> = rooms_of(span).collect();
        if span.name == LAST {
            self.ended.extend(rooms.iter().map(|room| (*room).to_owned()));
        }
        let side = self.runs.iter().position(|side| rooms.iter().any(|r| side.rooms.contains(*r)));
        if let Some(side) = side {
            self.traces.insert(span.trace_id.clone(), side);
        }
    }

    /// Whether the session of every call has sent its last span.
    pub(super) fn have_all(&self) -> bool {
        let mut calls = self.runs.iter().flat_map(|side| &side.answered).peekable();
        calls.peek().is_some() && calls.all(|names| names.iter().any(|n| self.ended.contains(n)))
    }

    /// Whether a span is of a run: it is known to be, or of none of them. Our own come here where the receiver is the
    /// endpoint of our own traces as well.
    pub(super) fn may_be_of(&self, span: &AgentSpan, side: usize) -> bool {
        let is_ours = span.text("service.name") == Some(env!("CARGO_PKG_NAME"));
        !is_ours && self.traces.get(&span.trace_id).is_none_or(|of| *of == side)
    }
}

impl Side {
    fn of(folder: &Path) -> Self {
        let mut side = Self::default();
        // A recording that cannot be read is said by who judges it.
        let Ok(recording) = store::open(folder) else { return side };
        for call in recording.calls.filter_map(Result::ok) {
            let (mut names, mut answered) = (vec![call.room], false);
            for stamped in &call.log {
                #[expect(clippy::wildcard_enum_match_arm, reason = "two facts of many are wanted")]
                match &stamped.what {
                    Observation::Connected { room_sid, .. } if !room_sid.is_empty() => {
                        names.push(room_sid.clone());
                    }
                    Observation::AgentJoined { .. } => answered = true,
                    _ => {}
                }
            }
            side.rooms.extend(names.iter().cloned());
            if answered {
                side.answered.push(names);
            }
        }
        side
    }
}

/// The names and ids of the room that a span tells.
fn rooms_of(span: &AgentSpan) -> impl Iterator<Item = &str> {
    let names = ["lk.pii.room_name", "lk.room_name", "lk.room_id"];
    span.session().into_iter().chain(names.into_iter().filter_map(|name| span.text(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spans::Value;
    use std::collections::BTreeMap;

    fn span(trace: &str, name: &str, attribute: &str, room: &str) -> AgentSpan {
        let attributes = BTreeMap::from([(attribute.to_owned(), Value::Text(room.to_owned()))]);
        AgentSpan {
            trace_id: trace.to_owned(),
            span_id: "b7ad6b7169203331".to_owned(),
            parent_id: None,
            name: name.to_owned(),
            begin_ns: 1,
            end_ns: 2,
            attributes,
            error: None,
        }
    }

    fn side(name: &str, sid: &str) -> Side {
        let names = vec![name.to_owned(), sid.to_owned()];
        Side { rooms: names.iter().cloned().collect(), answered: vec![names] }
    }

    #[test]
    fn spans_go_to_the_run_of_their_room() {
        let sides = vec![side("a-1", "RM_a"), side("b-1", "RM_b")];
        let mut sides = Sides { runs: sides, ..Sides::default() };
        let of_b = span("1", "agent_session", "session.id", "b-1");
        sides.look_at_span(&of_b);
        assert!(!sides.have_all());
        // By the room's id alone, and a span of the same trace that names no room.
        let of_a = span("2", "agent_session", "lk.room_sid", "RM_a");
        sides.look_at_span(&of_a);
        assert!(sides.have_all());
        let nameless = span("2", "llm_request_run", "x", "y");
        let foreign = span("3", "agent_session", "session.id", "other");
        let of = |span: &AgentSpan| [0, 1].map(|side| sides.may_be_of(span, side));
        assert_eq!((of(&of_a), of(&of_b)), ([true, false], [false, true]));
        assert_eq!((of(&nameless), of(&foreign)), ([true, false], [true, true]));
        assert_eq!(of(&span("4", "loadcall.call", "service.name", "loadcall")), [false, false]);
    }

    #[test]
    fn calls_that_reached_no_agent_are_not_waited_for() {
        let mut sides = Sides { runs: vec![Side::default()], ..Sides::default() };
        sides.look_at_span(&span("1", "agent_session", "session.id", "a"));
        assert!(!sides.have_all());
    }
}
