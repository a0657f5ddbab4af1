//! What is known of a run before its end: how far it is, what callers heard, what failed. No clock, no IO.

use crate::plan::estimate::wall;
use crate::plan::{Plan, TargetId};
use crate::record::{CallRecord, Outcome};
use crate::scenario::{Metric, Scenario};
use crate::stats::{Point, Quantile, Sample};
use crate::text::{grouped, number};
use crate::time::Offset;
use crate::turn::{CallFacts, analyse_call};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Values that a median is made of, the latest: so it costs the same in a run of any length.
const VALUES: usize = 2_000;

/// The calls of a run that have ended.
pub(super) struct SoFar {
    plan: Plan,
    scenario: Arc<Scenario>,
    /// What the agents are called when there are several.
    names: Vec<&'static str>,
    in_progress: u64,
    ended: u64,
    failing: u64,
    /// How long the calls lasted, together.
    lasted: Duration,
    /// What callers heard, of each agent.
    heard: Vec<VecDeque<Point>>,
}

impl SoFar {
    pub(super) fn new(plan: Plan, scenario: Arc<Scenario>, names: Vec<&'static str>) -> Self {
        let heard = plan.targets.ids().map(|_| VecDeque::new()).collect();
        let (in_progress, ended, failing, lasted) = (0, 0, 0, Duration::ZERO);
        Self { plan, scenario, names, in_progress, ended, failing, lasted, heard }
    }

    pub(super) fn ended(&self) -> u64 {
        self.ended
    }

    /// A call is placed.
    pub(super) fn placed(&mut self) {
        self.in_progress += 1;
    }

    /// Adds a call that has ended, and gives what it says. Others are measured meanwhile, on threads of
    /// their own; what this takes is a fraction of a millisecond.
    pub(super) fn add(&mut self, target: TargetId, call: &CallRecord) -> CallFacts {
        let (facts, measures) = analyse_call(call, &self.scenario);
        self.in_progress = self.in_progress.saturating_sub(1);
        self.ended += 1;
        self.failing += u64::from(facts.ok() == Some(false));
        let us = call.end.at.micros() - call.dialled.micros();
        self.lasted += Duration::from_micros(u64::try_from(us).unwrap_or(0));
        if let Some(heard) = self.heard.get_mut(target.index()) {
            let values = measures.values(Metric::HeardE2eLatency).iter().map(|value| Point {
                value: value.value,
                censored: value.censored,
                cluster: value.call.0,
                stratum: value.step,
            });
            heard.extend(values);
            heard.drain(..heard.len().saturating_sub(VALUES));
        }
        facts
    }

    /// `3/10, p50 1,203 ms, 1 failing, 40 s left` at a moment of the run. What a narrow terminal cuts off stands
    /// last.
    pub(super) fn line(&self, now: Offset) -> String {
        let total = self.plan.total();
        let mut parts = vec![format!("{}/{total}", self.ended)];
        if self.ended == 0 {
            parts.push(format!("{} in progress", self.in_progress));
        }
        parts.extend(self.medians());
        if self.failing > 0 {
            parts.push(format!("{} failing", grouped(&self.failing.to_string())));
        }
        parts.extend(self.left(now));
        parts.join(", ")
    }

    /// The median of what callers heard; one for each agent of several.
    fn medians(&self) -> Option<String> {
        let medians: Vec<String> = (self.heard.iter().enumerate())
            .filter_map(|(index, points)| {
                let Quantile { value, lower_bound } =
                    Sample::new(points.iter().copied())?.quantile(50.0);
                let name = self.names.get(index).map_or(String::new(), |name| format!("{name} "));
                let bound = if lower_bound { "≥" } else { "" };
                Some(format!("{name}{bound}{}", number(value)))
            })
            .collect();
        (!medians.is_empty()).then(|| format!("p50 {} ms", medians.join(" ")))
    }

    /// About how long it still takes, when the other calls last as long as those that have ended.
    fn left(&self, now: Offset) -> Option<String> {
        let calls = u32::try_from(self.ended).ok().filter(|calls| *calls > 0)?;
        let all = wall(&self.plan, self.lasted / calls);
        let past = Duration::from_micros(u64::try_from(now.micros()).ok()?);
        let left = all.checked_sub(past).filter(|left| !left.is_zero())?;
        Some(match left.as_secs() + 1 {
            seconds @ ..100 => format!("{seconds} s left"),
            seconds @ 100..6_000 => format!("{} min left", seconds.div_ceil(60)),
            seconds => format!("{} h left", seconds.div_ceil(3_600)),
        })
    }

    /// `[3/10] call 006 to b no_agent after 3.1 s: …`, with the number that the report and the room's name have.
    pub(super) fn ended_line(&self, target: TargetId, facts: &CallFacts) -> String {
        let (ended, total) = (self.ended, self.plan.total());
        let seconds = facts.ended.since(facts.dialled).as_secs_f64();
        let to = self.names.get(target.index()).map_or(String::new(), |name| format!(" to {name}"));
        let (how, detail) = match &facts.failure {
            // It went its way to the end, and not as the scenario expects.
            Some(failure) if facts.outcome == Outcome::Answered => {
                (failure.cause.name(), &failure.detail)
            }
            Some(failure) => (facts.outcome.name(), &failure.detail),
            None => (facts.outcome.name(), &facts.detail),
        };
        let detail = crate::text::safe(detail);
        let colon = if detail.is_empty() { "" } else { ": " };
        let call = facts.call.0;
        format!("[{ended}/{total}] call {call:03}{to} {how} after {seconds:.1} s{colon}{detail}")
    }
}

#[cfg(test)]
mod tests;
