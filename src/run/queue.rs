//! Which call is placed when, decided without clock or IO.
//!
//! # When a call is due
//! A call's delays count from when it was due, so `due` must be neither too late (waiting would be hidden)
//! nor too early (the agent would be charged for us).
//! - A call that the schedule gives a moment is due at that moment. When all slots are taken by then it
//!   waits, and that counts.
//! - A call without one is due when it may be placed: once a slot is free and the schedule's pause has
//!   passed since the call before. Slots and pauses are how the load is meant to be, so neither is a delay of the agent's.
//!
//! # Looks
//! A run that goes on until it is decided is judged between two calls, never during one: before a call that a look
//! comes first, the queue waits until none is in progress.

use crate::plan::{PlannedCall, TargetId};
use crate::record::Outcome;
use crate::time::Offset;
use std::collections::{BTreeMap, VecDeque};
use std::iter::Peekable;
use std::time::Duration;

/// After this many calls to an agent (and no fewer than are placed at a time), from the first on, that all
/// reached none, no more are placed.
const GIVE_UP_AFTER: usize = 3;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Place this call, which was due then.
    Place(PlannedCall, Offset),
    /// Ask again at this moment, or when a call has ended.
    Wait(Offset),
    /// Ask again when a call has ended.
    WaitForEnd,
    /// So many calls to each agent have ended and none is in progress: [`Queue::looked`] says how it goes on.
    Look(u32),
    Finished,
}

/// The calls of a plan that are still to be placed.
#[derive(Debug)]
pub(super) struct Queue<I: Iterator<Item = PlannedCall>> {
    calls: Peekable<I>,
    at_a_time: usize,
    /// How long after a call one without a moment of its own is placed at the soonest.
    apart: Duration,
    in_progress: usize,
    not_before: Offset,
    tallies: BTreeMap<TargetId, Tally>,
    closed: bool,
    /// Before calls of which ids it is looked, rising.
    looks: VecDeque<u32>,
}

/// The calls to one agent so far.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    ended: usize,
    reached_nobody: usize,
}

impl<I: Iterator<Item = PlannedCall>> Queue<I> {
    pub(super) fn new(calls: I, at_a_time: usize, apart: Duration) -> Self {
        Self {
            calls: calls.peekable(),
            at_a_time,
            apart,
            in_progress: 0,
            not_before: Offset::default(),
            tallies: BTreeMap::new(),
            closed: false,
            looks: VecDeque::new(),
        }
    }

    /// Looks when so many calls to each agent have ended; the numbers rise.
    pub(super) fn with_looks(self, looks: &[u32]) -> Self {
        Self { looks: looks.iter().copied().collect(), ..self }
    }

    /// What to do at `now`.
    pub(super) fn next(&mut self, now: Offset) -> Next {
        let planned = if self.closed { None } else { self.calls.peek().copied() };
        let Some(call) = planned else {
            return if self.in_progress == 0 { Next::Finished } else { Next::WaitForEnd };
        };
        if let Some(look) = self.looks.front().copied().filter(|look| call.id.0 >= *look) {
            return if self.in_progress == 0 { Next::Look(look) } else { Next::WaitForEnd };
        }
        if self.in_progress >= self.at_a_time {
            return Next::WaitForEnd;
        }
        let earliest = call.due.unwrap_or(self.not_before);
        if earliest > now {
            return Next::Wait(earliest);
        }
        self.calls.next();
        self.in_progress += 1;
        self.not_before = now.plus(self.apart);
        Next::Place(call, call.due.unwrap_or(now))
    }

    /// A call to this agent has ended. The answer is true when no more calls are placed from now on,
    /// because none has reached the agent.
    pub(super) fn ended(&mut self, target: TargetId, outcome: Outcome) -> bool {
        self.in_progress -= 1;
        let tally = self.tallies.entry(target).or_default();
        tally.ended += 1;
        tally.reached_nobody += usize::from(reached_nobody(outcome));
        let enough = GIVE_UP_AFTER.max(self.at_a_time);
        let hopeless = tally.ended >= enough && tally.reached_nobody == tally.ended;
        let gives_up = hopeless && !self.closed && self.calls.peek().is_some();
        self.closed |= gives_up;
        gives_up
    }

    /// It was looked; no more calls are placed when that decided.
    pub(super) fn looked(&mut self, is_decided: bool) {
        self.looks.pop_front();
        self.closed |= is_decided;
    }

    /// No more calls are placed.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }
}

fn reached_nobody(outcome: Outcome) -> bool {
    match outcome {
        Outcome::NoAgent | Outcome::Refused | Outcome::OurFault | Outcome::ConnectionLost => true,
        Outcome::Answered
        | Outcome::AgentLate
        | Outcome::AgentLeft
        | Outcome::NoGreeting
        | Outcome::NoAnswer
        | Outcome::Stopped => false,
    }
}

#[cfg(test)]
mod tests;
