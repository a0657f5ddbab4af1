//! The figures of a run that the questions ask for, each with what chance does to it. They need no other run: a
//! baseline may keep them in place of the values.
//!
//! # What the caller waited
//! A reply is looked at as the caller's wait for it, which is at most what the step allows (`within`): the *restricted*
//! latency. A turn that was never answered waited that long, and so did a turn that a call did not reach because
//! its agent failed it before: an agent that drops its slow calls does not get faster by it. Figures of restricted
//! latencies are no bounds. What ended a wait for another reason (a lost connection) says nothing of how
//! long it would have been, and hands its weight on to the longer waits ([`crate::stats::Ranked`]).
//!
//! # Which turns
//! Those that respond; in a script without any, those that greet or yield.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::measured::{Measured, StepPrint};
use crate::record::{CallId, Outcome};
use crate::scenario::Metric;
use crate::stats::{Ranked, RankedFigure, Ranks, Rate, down, third_cumulant, up, variance};
use crate::turn::{Measures, Value};

/// The share of turns that are the slow ones.
pub const SLOW: f64 = 0.1;
/// Fewer calls than this say nothing of how calls vary.
pub(super) const MIN_CALLS: usize = 5;

/// One figure of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// On the scale of [`crate::stats::up`]: the natural logarithm of milliseconds.
    pub value: f64,
    /// Of `value` between runs that differ in nothing but their calls.
    pub variance: f64,
    /// The third cumulant of `value` between such runs: above 0 where chance makes a run far slower more often than far
    /// faster. 0 in files of before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub third: f64,
    pub calls: usize,
    pub turns: usize,
    /// The truth is at least `value`: waits that it is based on were ended for reasons that are not the agent's, or
    /// most of them were as long as they may be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bound: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl Figure {
    /// In milliseconds.
    pub fn ms(&self) -> f64 {
        down(self.value)
    }
}

/// The figures of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Over all steps: the mean of the steps' figures.
    pub typical: Option<Figure>,
    /// Over all turns together: the mean of the slowest tenth.
    pub slow: Option<Figure>,
    /// The median of each step, by its id. A step with fewer than five calls is not there.
    pub steps: BTreeMap<String, Figure>,
    /// Calls that are ok, of those that say something about the agent and whose end state is known.
    pub calls_ok: Rate,
    /// Calls without a cut-in, of those in which one was possible; of nothing where it was not kept.
    pub without_cut_in: Rate,
    /// Calls without an event of this kind, of those in which it was possible; absent where it was not kept.
    pub without: BTreeMap<String, Rate>,
}

/// What happens in turns and is counted by call.
pub const EVENTS: [Metric; 4] = [
    Metric::UnansweredTurns,
    Metric::AwkwardSilenceCount,
    Metric::FalseInterruptionCount,
    Metric::EotMispredictionCount,
];

/// A step whose reply is waited for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    /// The step's id.
    pub id: String,
    /// Its place in the script.
    pub step: u32,
    /// Of the reply.
    pub metric: Metric,
    /// The longest it is waited for, in milliseconds; `None` in files that do not say it.
    pub longest_ms: Option<f64>,
}

impl Wait {
    /// Most of the waits were as long as they may be: nothing slower would show.
    fn is_mostly_longest(&self, values: &[Ranked]) -> bool {
        let Some(longest) = self.longest_ms.map(up) else { return false };
        2 * values.iter().filter(|v| v.value >= longest).count() > values.len()
    }
}

/// The steps whose replies decide, each with the shortest wait of all scripts that are given, of the same steps.
pub fn waits<'a>(scripts: impl IntoIterator<Item = &'a [StepPrint]>) -> Vec<Wait> {
    let mut least: BTreeMap<&str, f64> = BTreeMap::new();
    let mut script_of_run: &[StepPrint] = &[];
    for script in scripts {
        script_of_run = script;
        for step in script {
            let Some(ms) = step.within_ms else { continue };
            #[expect(clippy::cast_precision_loss, reason = "minutes")]
            let ms = ms as f64;
            least.entry(&step.id).and_modify(|least| *least = least.min(ms)).or_insert(ms);
        }
    }
    let waits = (0..).zip(script_of_run).filter_map(|(at, step)| {
        let metric = match step.expect.as_deref()? {
            "responds" => Metric::HeardE2eLatency,
            "yields" => Metric::TimeToYield,
            // A later one counts from its own begin.
            "speaks" if at == 0 => Metric::GreetingLatency,
            _ => return None,
        };
        let (id, longest_ms) = (step.id.clone(), least.get(step.id.as_str()).copied());
        Some(Wait { id, step: at, metric, longest_ms })
    });
    let waits: Vec<Wait> = waits.collect();
    let responds = |wait: &Wait| wait.metric == Metric::HeardE2eLatency;
    if waits.iter().any(responds) { waits.into_iter().filter(responds).collect() } else { waits }
}

impl Figures {
    /// Of a run, by the waits of its own script.
    pub fn of(run: &Measured) -> Self {
        Self::by(&waits([run.steps.as_slice()]), run)
    }

    /// Of a run, by the waits of several scripts ([`waits`]).
    pub fn by(waits: &[Wait], run: &Measured) -> Self {
        let faults = Faults::of(run);
        let by_step: Vec<(&Wait, Vec<Ranked>)> =
            waits.iter().map(|wait| (wait, waited(wait, &run.measures, &faults))).collect();
        let medians: Vec<(&Wait, RankedFigure)> = by_step
            .iter()
            .filter_map(|(wait, values)| {
                let median = RankedFigure::of(Ranks::Around(50.0), values.iter().copied())?;
                let bound = median.bound || wait.is_mostly_longest(values);
                let median = RankedFigure { bound, ..median };
                (median.influence.len() >= MIN_CALLS).then_some((*wait, median))
            })
            .collect();
        let all = by_step.into_iter().flat_map(|(_, values)| values);
        let slow = RankedFigure::of(Ranks::Slowest(SLOW), all);
        let slow = slow.filter(|slow| slow.influence.len() >= MIN_CALLS);
        let events = EVENTS.map(|event| (event, without(&run.measures, event)));
        let kept = events.iter().filter(|(_, rate)| rate.n > 0);
        Self {
            typical: typical(&medians),
            slow: slow.as_ref().map(figure),
            steps: medians.iter().map(|(wait, f)| (wait.id.clone(), figure(f))).collect(),
            calls_ok: calls_ok(&run.measures),
            without_cut_in: without(&run.measures, Metric::EotMispredictionCount),
            without: kept.map(|(event, rate)| (event.name().to_owned(), *rate)).collect(),
        }
    }
}

fn figure(of: &RankedFigure) -> Figure {
    let (calls, turns) = (of.influence.len(), of.values);
    let (variance, third) = (of.variance(), of.third_cumulant());
    Figure { value: of.value, variance, third, calls, turns, bound: of.bound }
}

/// The mean over the steps; turns of a call are not independent, so its calls' influences are added up.
#[expect(clippy::cast_precision_loss, reason = "a script has few steps")]
fn typical(medians: &[(&Wait, RankedFigure)]) -> Option<Figure> {
    let steps = medians.len() as f64;
    let mut by_call: BTreeMap<u32, f64> = BTreeMap::new();
    for (call, influence) in medians.iter().flat_map(|(_, median)| &median.influence) {
        *by_call.entry(*call).or_default() += influence / steps;
    }
    (!medians.is_empty()).then(|| Figure {
        value: medians.iter().map(|(_, median)| median.value).sum::<f64>() / steps,
        variance: variance(by_call.values().copied()),
        third: third_cumulant(by_call.values().copied()),
        calls: by_call.len(),
        turns: medians.iter().map(|(_, median)| median.values).sum(),
        bound: medians.iter().any(|(_, median)| median.bound),
    })
}

/// The calls that the agent failed, and what is known of their turns.
struct Faults {
    calls: BTreeSet<CallId>,
    /// Turns that were decided, where events of turns were kept.
    decided: Option<BTreeSet<(CallId, u32)>>,
    /// The last step of each call that has a latency.
    last: BTreeMap<CallId, u32>,
}

impl Faults {
    fn of(run: &Measured) -> Self {
        let measures = &run.measures;
        let not_its = run.ends.iter().filter(|end| {
            matches!(
                end.outcome,
                Outcome::ConnectionLost | Outcome::Refused | Outcome::Stopped | Outcome::OurFault
            )
        });
        let not_its: BTreeSet<CallId> = not_its.map(|end| end.call).collect();
        let failed =
            measures.values(Metric::CallsOk).iter().filter(|v| v.value < 0.5 && !v.censored);
        let calls = failed.map(|v| v.call).filter(|call| !not_its.contains(call)).collect();
        let events = measures.values(Metric::UnansweredTurns);
        let decided =
            (!events.is_empty()).then(|| events.iter().map(|v| (v.call, v.step)).collect());
        let mut last = BTreeMap::new();
        for v in measures.values(Metric::HeardE2eLatency) {
            let step: &mut u32 = last.entry(v.call).or_default();
            *step = v.step.max(*step);
        }
        Self { calls, decided, last }
    }

    /// The call failed before it came to this step. Where events of turns were not kept a cut-in, which has no
    /// latency, looks the same when it is the last thing that happened.
    fn never_reached(&self, call: CallId, step: u32) -> bool {
        match &self.decided {
            Some(decided) => !decided.contains(&(call, step)),
            None => self.last.get(&call).is_none_or(|last| step > *last),
        }
    }
}

/// The restricted latencies of a step.
fn waited(wait: &Wait, measures: &Measures, faults: &Faults) -> Vec<Ranked> {
    let of_step = measures.values(wait.metric).iter().filter(|v| v.step == wait.step);
    let seen: BTreeSet<CallId> = of_step.clone().map(|value| value.call).collect();
    let mut values: Vec<Ranked> = of_step
        .map(|value| restricted(value, wait.longest_ms, faults.calls.contains(&value.call)))
        .collect();
    if let (Some(longest), Metric::HeardE2eLatency) = (wait.longest_ms, wait.metric) {
        let missing = faults.calls.iter().filter(|call| !seen.contains(call));
        values.extend(
            missing.filter(|call| faults.never_reached(**call, wait.step)).map(|call| Ranked {
                value: up(longest),
                cut: false,
                cluster: call.0,
            }),
        );
    }
    values
}

fn restricted(value: &Value, longest_ms: Option<f64>, by_agent: bool) -> Ranked {
    let cluster = value.call.0;
    let Some(longest) = longest_ms else {
        return Ranked { value: up(value.value), cut: value.censored, cluster };
    };
    let waited = value.value.min(longest);
    let is_known = !value.censored || by_agent || waited >= longest;
    if is_known && value.censored {
        return Ranked { value: up(longest), cut: false, cluster };
    }
    Ranked { value: up(waited), cut: !is_known, cluster }
}

/// Without those of which it could not be found out: that says nothing about the agent.
pub(super) fn calls_ok(run: &Measures) -> Rate {
    let known = run.values(Metric::CallsOk).iter().filter(|value| !value.censored);
    let (hits, n) = known.fold((0, 0), |(hits, n), v| (hits + u64::from(v.value > 0.5), n + 1));
    Rate { hits, n }
}

/// Calls in which nothing of this kind happened. Turns of a call are correlated, so calls are counted.
pub(super) fn without(run: &Measures, event: Metric) -> Rate {
    let mut by_call: BTreeMap<CallId, bool> = BTreeMap::new();
    for value in run.values(event) {
        *by_call.entry(value.call).or_default() |= value.value > 0.5;
    }
    let hits = by_call.values().filter(|happened| !**happened).count();
    Rate { hits: hits as u64, n: by_call.len() as u64 }
}

#[cfg(test)]
mod tests;
