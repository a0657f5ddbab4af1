//! Places the calls of a plan: never more at a time than planned, with an orderly stop, and an early end
//! when nobody answers. What happens goes to the sinks.

use super::event::{Event, EventKind, Sink};
use super::queue::{Next, Queue};
use crate::call::config::CallConfig;
use crate::call::end_state::{self, HungUp};
use crate::plan::{Plan, PlannedCall, TargetId};
use crate::record::{CallEnd, CallRecord, MediaFacts, Outcome, Stamped};
use crate::time::Offset;
use std::collections::HashMap;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::sleep_until;

/// Looks at a run between its calls, and ends it early.
pub struct Looks<'a> {
    /// When so many calls to each agent have ended; rising.
    pub at: &'a [u32],
    /// Whether that many decide it.
    pub decides: &'a mut dyn FnMut(u32) -> bool,
}

/// A call in progress.
#[derive(Debug, Clone, Copy)]
struct Dialled {
    call: PlannedCall,
    due: Offset,
}

/// Places all calls of a plan, each agent's by its own config (all of one clock), and tells every sink what
/// happens; each call is in the hands of the sinks as soon as it has ended.
///
/// With `looks`, it is asked at each of them whether the run is decided, while no call is in progress; the last of
/// the plan asks nobody.
///
/// Returns when all are through, or when it is decided, or when [`CallConfig::stop`] has ended those in progress, or when the first
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
    mut looks: Option<Looks<'_>>,
) {
    let (clock, mut stop) = (configs[0].clock, configs[0].stop.clone());
    let mut tell = |kind| {
        let event = Event { at: clock.now(), kind };
        for sink in &mut *sinks {
            sink.take(&event);
        }
    };
    let schedule = plan.schedule;
    let planned = looks.as_ref().map_or(&[][..], |looks| looks.at);
    let mut queue =
        Queue::new(plan.calls(), schedule.at_a_time(), schedule.apart()).with_looks(planned);
    let mut under_way: HashMap<Id, Dialled> = HashMap::new();
    let mut tasks = JoinSet::new();
    // Calls that have ended, and whose end state is looked at.
    let mut checked: HashMap<Id, (TargetId, HungUp)> = HashMap::new();
    let mut checks = JoinSet::new();
    let mut stopped = false;
    loop {
        if *stop.borrow() {
            stopped = true;
            queue.close();
        }
        let wait = match queue.next(clock.now()) {
            Next::Place(planned, due) => {
                let config = configs[planned.target.index()].clone();
                let task = tasks.spawn(async move {
                    Box::pin(end_state::place(&config, planned.id, due)).await
                });
                under_way.insert(task.id(), Dialled { call: planned, due });
                tell(EventKind::Placed(planned));
                continue;
            }
            Next::Wait(until) => Some(until),
            Next::Look(calls) if checks.is_empty() => {
                let decided = looks.as_mut().is_some_and(|looks| (looks.decides)(calls));
                queue.looked(decided);
                if decided {
                    tell(EventKind::Decided { calls });
                }
                continue;
            }
            Next::Finished if checks.is_empty() => break,
            Next::WaitForEnd | Next::Look(_) | Next::Finished => None,
        };
        let until = clock.instant(wait.unwrap_or_default()).into();
        tokio::select! {
            () = sleep_until(until), if wait.is_some() => {}
            Some(ended) = tasks.join_next_with_id() => {
                let (id, ended) = match ended {
                    Ok((id, hung_up)) => (id, Ok(hung_up)),
                    Err(e) => (e.id(), Err(e)),
                };
                let Some(dialled) = under_way.remove(&id) else { continue };
                let target = dialled.call.target;
                let config = &configs[target.index()];
                let hung_up = ended.unwrap_or_else(|e| HungUp::unchecked(broken(config, dialled, &e)));
                let gives_up = queue.ended(target, hung_up.record.end.outcome);
                if let Some(look) = hung_up.look(config) {
                    checked.insert(checks.spawn(look).id(), (target, hung_up));
                } else {
                    tell(ended_call(target, hung_up, Vec::new()));
                }
                if gives_up {
                    tell(EventKind::GaveUp { target });
                }
            }
            Some(looked) = checks.join_next_with_id() => {
                let (id, seen) = looked.unwrap_or_else(|e| (e.id(), Vec::new()));
                let Some((target, hung_up)) = checked.remove(&id) else { continue };
                tell(ended_call(target, hung_up, seen));
            }
            Ok(_) = stop.wait_for(|stop| *stop), if !stopped => {}
            Ok(_) = abort.wait_for(|abort| *abort) => {
                stopped = true;
                break;
            }
        }
    }
    for (target, hung_up) in checked.into_values() {
        tell(ended_call(target, hung_up, Vec::new()));
    }
    tell(EventKind::Finished { stopped: stopped || *stop.borrow() });
}

/// A call that is through, with what was seen of it afterwards.
fn ended_call(target: TargetId, hung_up: HungUp, seen: Vec<Stamped>) -> EventKind {
    let HungUp { mut record, tape, .. } = hung_up;
    record.log.extend(seen);
    EventKind::Ended { target, record: Box::new(record), tape }
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
