//! Places the calls of a plan: never more at a time than planned, with an orderly stop, and an early end
//! when nobody answers. What happens goes to the sinks.

use super::event::{Event, EventKind, Sink};
use super::queue::{Next, Queue};
use crate::call::config::CallConfig;
use crate::call::drive::call;
use crate::plan::{Plan, PlannedCall};
use crate::record::{CallEnd, CallRecord, MediaFacts, Outcome};
use crate::time::Offset;
use std::collections::HashMap;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::sleep_until;

/// A call in progress.
#[derive(Debug, Clone, Copy)]
struct Dialled {
    call: PlannedCall,
    due: Offset,
}

/// Places all calls of a plan, each agent's by its own config (all of one clock), and tells every sink what
/// happens; each call is in the hands of the sinks as soon as it has ended.
///
/// Returns when all are through, or when [`CallConfig::stop`] has ended those in progress, or when the first
/// calls to an agent have reached none. When `abort` becomes true it returns at once, and what is in progress
/// is lost.
///
/// # Panics
/// When there are fewer configs than the plan has agents.
pub async fn place(
    configs: &[CallConfig],
    plan: &Plan,
    sinks: &mut [&mut dyn Sink],
    mut abort: watch::Receiver<bool>,
) {
    let (clock, mut stop) = (configs[0].clock, configs[0].stop.clone());
    let mut tell = |kind| {
        let event = Event { at: clock.now(), kind };
        for sink in &mut *sinks {
            sink.take(&event);
        }
    };
    let schedule = plan.schedule;
    let mut queue = Queue::new(plan.calls(), schedule.at_a_time(), schedule.apart());
    let mut under_way: HashMap<Id, Dialled> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut stopped = false;
    loop {
        if *stop.borrow() {
            stopped = true;
            queue.close();
        }
        let wait = match queue.next(clock.now()) {
            Next::Place(planned, due) => {
                let config = configs[planned.target.index()].clone();
                let task =
                    tasks.spawn(async move { Box::pin(call(&config, planned.id, due)).await });
                under_way.insert(task.id(), Dialled { call: planned, due });
                tell(EventKind::Placed(planned));
                continue;
            }
            Next::Wait(until) => Some(until),
            Next::WaitForEnd => None,
            Next::Finished => break,
        };
        let until = clock.instant(wait.unwrap_or_default()).into();
        tokio::select! {
            () = sleep_until(until), if wait.is_some() => {}
            Some(ended) = tasks.join_next_with_id() => {
                let (id, ended) = match ended {
                    Ok((id, record)) => (id, Ok(record)),
                    Err(e) => (e.id(), Err(e)),
                };
                let Some(dialled) = under_way.remove(&id) else { continue };
                let target = dialled.call.target;
                let config = &configs[target.index()];
                let (record, tape) =
                    ended.unwrap_or_else(|e| (broken(config, dialled, &e), None));
                let gives_up = queue.ended(target, record.end.outcome);
                tell(EventKind::Ended { target, record: Box::new(record), tape });
                if gives_up {
                    tell(EventKind::GaveUp { target });
                }
            }
            Ok(_) = stop.wait_for(|stop| *stop), if !stopped => {}
            Ok(_) = abort.wait_for(|abort| *abort) => {
                stopped = true;
                break;
            }
        }
    }
    tell(EventKind::Finished { stopped: stopped || *stop.borrow() });
}

/// The record of a call whose task panicked.
fn broken(config: &CallConfig, Dialled { call, due }: Dialled, why: &JoinError) -> CallRecord {
    let detail = format!("loadcall itself failed: {why}");
    CallRecord {
        id: call.id,
        room: config.room(call.id),
        due,
        dialled: due,
        log: Vec::new(),
        end: CallEnd { at: config.clock.now(), outcome: Outcome::OurFault, detail },
        media: MediaFacts::default(),
    }
}

#[cfg(test)]
mod tests;
