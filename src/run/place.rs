//! Plan → all calls: never more at a time than planned, each kept as soon as it has ended, with an
//! orderly stop and an early end when nobody answers.

use crate::call::drive::{Calling, call};
use crate::plan::{Plan, PlannedCall};
use crate::record::{CallEnd, CallRecord, MediaFacts, Outcome, Side};
use crate::time::Offset;
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;

/// After this many calls (and no fewer than are placed at a time), from the first on, that all
/// reached no agent, no more are placed.
const GIVE_UP_AFTER: usize = 3;
/// How long after a call the next is placed at the soonest. Joining costs far more CPU time than
/// talking: fifty joins at once on two cores make whoever is measured meanwhile look slower by 20 to
/// 90 ms, which would say nothing of the agent.
const APART: Duration = Duration::from_millis(50);
/// Calls that one thread of a runtime is for: about a fifth of a core. A second one makes them no faster, but both wake for
/// them: with a hundred calls, two took a tenth more CPU time than one.
const CALLS_PER_THREAD: usize = 128;

/// Threads that a runtime should have for so many calls at a time.
pub fn threads(calls: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    calls.div_ceil(CALLS_PER_THREAD).clamp(1, cores)
}

/// How each side is called. Both share one clock and one wish to stop.
#[derive(Debug, Clone)]
pub enum Callings {
    One(Box<Calling>),
    Two(Box<[Calling; 2]>),
}

impl Callings {
    pub fn to(&self, side: Side) -> &Calling {
        match (self, side) {
            (Self::One(calling), _) => calling,
            (Self::Two(both), Side::A) => &both[0],
            (Self::Two(both), Side::B) => &both[1],
        }
    }
}

/// What happens while calls are placed.
#[derive(Debug)]
pub enum Progress<'a> {
    Placed(&'a PlannedCall),
    Ended(&'a PlannedCall, CallRecord),
}

/// How placing the calls of a plan came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    pub at: Offset,
    /// [`Calling::stop`] ended it.
    pub stopped: bool,
    /// The first calls to this side reached no agent, so that not all were placed.
    pub gave_up: Option<Side>,
}

/// The calls to one side so far.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    ended: usize,
    reached_nobody: usize,
}

/// Places the calls of a plan one after another, those to each side by its own calling, and hands each to
/// `progress` as it ends, in the order of their ends.
///
/// Returns when all are through, after [`Calling::stop`] has ended those in progress, or when the
/// first calls to a side have reached no agent. Dropping the future hangs up on nobody in an orderly
/// way.
pub async fn place(
    callings: Callings,
    plan: Plan,
    mut progress: impl FnMut(Progress<'_>),
) -> Finished {
    let Calling { clock, stop, .. } = callings.to(Side::A).clone();
    let enough = GIVE_UP_AFTER.max(plan.concurrency);
    let mut waiting = plan.calls.into_iter();
    let mut under_way: HashMap<Id, (PlannedCall, Offset)> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut tallies: HashMap<Side, Tally> = HashMap::new();
    let mut gave_up = None;
    let mut not_before = clock.now();
    loop {
        let may_place = tasks.len() < plan.concurrency
            && gave_up.is_none()
            && !*stop.borrow()
            && !waiting.as_slice().is_empty();
        let ended = tokio::select! {
            () = sleep(not_before.since(clock.now())), if may_place => None,
            Some(ended) = tasks.join_next_with_id() => Some(ended),
            else => break,
        };
        let (id, ended) = match ended {
            None => {
                let Some(next) = waiting.next() else { continue };
                progress(Progress::Placed(&next));
                let due = clock.now();
                not_before = due.plus(APART);
                let (calling, this) = (callings.to(next.side).clone(), next.clone());
                let task = tasks.spawn(async move { Box::pin(call(&calling, &this, due)).await });
                under_way.insert(task.id(), (next, due));
                continue;
            }
            Some(Ok((id, record))) => (id, Ok(record)),
            Some(Err(e)) => (e.id(), Err(e)),
        };
        let Some((planned, due)) = under_way.remove(&id) else { continue };
        let record = ended.unwrap_or_else(|e| broken(clock.now(), &planned, due, &e.to_string()));
        let tally = tallies.entry(planned.side).or_default();
        tally.ended += 1;
        tally.reached_nobody += usize::from(reached_nobody(&record));
        if tally.ended >= enough && tally.reached_nobody == tally.ended {
            gave_up = gave_up.or(Some(planned.side));
        }
        progress(Progress::Ended(&planned, record));
    }
    let left = waiting.next().is_some();
    let stopped = *stop.borrow();
    Finished { at: clock.now(), stopped, gave_up: gave_up.filter(|_| left && !stopped) }
}

fn reached_nobody(call: &CallRecord) -> bool {
    match call.end.outcome {
        Outcome::NoAgent | Outcome::Refused | Outcome::OurFault | Outcome::ConnectionLost => true,
        Outcome::Answered
        | Outcome::AgentLate
        | Outcome::AgentLeft
        | Outcome::NoGreeting
        | Outcome::NoAnswer
        | Outcome::Stopped => false,
    }
}

/// The record of a call whose task panicked.
fn broken(now: Offset, planned: &PlannedCall, due: Offset, why: &str) -> CallRecord {
    let detail = format!("loadcall itself failed: {why}");
    CallRecord {
        id: planned.id,
        room: planned.room.clone(),
        due,
        dialled: due,
        log: Vec::new(),
        end: CallEnd { at: now, outcome: Outcome::OurFault, detail },
        media: MediaFacts::default(),
    }
}
