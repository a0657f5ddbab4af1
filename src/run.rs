//! Plan → all calls: never more at a time than planned, each kept as soon as it has ended, with an
//! orderly stop and an early end when nobody answers.

use crate::call::drive::{Calling, call};
use crate::plan::{Plan, PlannedCall};
use crate::record::{CallEnd, CallRecord, MediaFacts, Offset, Outcome, RunTail};
use std::collections::HashMap;
use tokio::task::{Id, JoinSet};

/// After this many calls (and no fewer than are placed at a time), from the first on, that all
/// reached no agent, no more are placed.
const GIVE_UP_AFTER: usize = 3;

/// What happens while calls are placed.
#[derive(Debug)]
pub enum Progress<'a> {
    Placed(&'a PlannedCall),
    Ended(&'a CallRecord),
}

/// Places the calls of a plan and hands each to `progress` as it ends, in the order of their ends.
///
/// Returns when all are through, after [`Calling::stop`] has ended those in progress, or when the
/// first calls have reached no agent. Dropping the future hangs up on nobody in an orderly way.
pub async fn place(
    calling: &Calling,
    plan: Plan,
    mut progress: impl FnMut(Progress<'_>),
) -> (Vec<CallRecord>, RunTail) {
    let planned = u32::try_from(plan.calls.len()).unwrap_or(u32::MAX);
    let mut waiting = plan.calls.into_iter();
    let mut under_way: HashMap<Id, (PlannedCall, Offset)> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut ended: Vec<CallRecord> = Vec::new();
    let mut gave_up = false;
    loop {
        while tasks.len() < plan.concurrency && !gave_up && !*calling.stop.borrow() {
            let Some(next) = waiting.next() else { break };
            progress(Progress::Placed(&next));
            let due = calling.clock.now();
            let (calling, this) = (calling.clone(), next.clone());
            let task = tasks.spawn(async move { Box::pin(call(&calling, &this, due)).await });
            under_way.insert(task.id(), (next, due));
        }
        let record = match tasks.join_next_with_id().await {
            None => break,
            Some(Ok((id, record))) => {
                under_way.remove(&id);
                record
            }
            Some(Err(e)) => {
                let Some((planned, due)) = under_way.remove(&e.id()) else { continue };
                broken(calling.clock.now(), planned, due, &e.to_string())
            }
        };
        progress(Progress::Ended(&record));
        ended.push(record);
        gave_up |=
            ended.len() >= GIVE_UP_AFTER.max(plan.concurrency) && ended.iter().all(reached_nobody);
    }
    let left = waiting.next().is_some();
    let stopped = *calling.stop.borrow();
    ended.sort_by_key(|call| call.id);
    let ended_at = calling.clock.now();
    let gave_up = gave_up && left && !stopped;
    (ended, RunTail { ended: ended_at, stopped, gave_up, planned })
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
fn broken(now: Offset, planned: PlannedCall, due: Offset, why: &str) -> CallRecord {
    let detail = format!("loadcall itself failed: {why}");
    CallRecord {
        id: planned.id,
        room: planned.room,
        due,
        dialled: due,
        log: Vec::new(),
        end: CallEnd { at: now, outcome: Outcome::OurFault, detail },
        media: MediaFacts::default(),
    }
}
