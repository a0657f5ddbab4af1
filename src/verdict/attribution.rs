//! Where a change of latency comes from: by part of the replies' delay and by step of the script, with
//! parts that add up to the change.
//!
//! # Method
//! Every turn with a heard reply has a [`Path`], where its agent reports an end-to-end latency or shows its
//! state: parts that add up to what was heard. They are told apart only as far as both sides can be
//! ([`Detail`]). Within each step the typical path around the percentile in question is taken on
//! both sides ([`Path::around`]); its parts change by amounts that add up to the change of that step,
//! and steps are weighted by their number of turns. What the change of the percentile itself is more
//! or less than that is its own entry, the [`rest`](Attribution::rest_ms): turns without a reply or a
//! report, another mix of steps, another shape of the distribution.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::measured::compact;
use crate::record::CallId;
use crate::scenario::Metric;
use crate::turn::{Detail, Known, Measures, Part, Path, REPORTED};

/// A change as parts: `parts` and `rest_ms` add up to `total_ms`, and so do `steps` and `rest_ms`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Attribution {
    /// The change that is explained, in milliseconds.
    pub total_ms: f64,
    /// Every part that occurs on a path, the largest change first.
    pub parts: Vec<PartChange>,
    /// Every step that has paths on both sides, in the script's order.
    pub steps: Vec<StepChange>,
    pub rest_ms: f64,
}

/// How much of a change one part makes, run minus baseline in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PartChange {
    pub part: Part,
    pub change_ms: f64,
}

/// How one step changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepChange {
    pub step: u32,
    /// Its part of the whole: its own change times its share of the turns.
    pub change_ms: f64,
    /// Its own change by part, adding up to it; the largest first.
    pub own: Vec<PartChange>,
}

impl Attribution {
    /// The part that makes most of the change, if any makes at least half of it.
    pub fn chief(&self) -> Option<PartChange> {
        let same_way = self.parts.iter().filter(|c| c.change_ms * self.total_ms > 0.0);
        let chief = same_way.max_by(|a, b| a.change_ms.abs().total_cmp(&b.change_ms.abs()))?;
        (chief.change_ms.abs() >= self.total_ms.abs() / 2.0).then_some(*chief)
    }

    /// The parts and the rest (`None`) in whole milliseconds that add up to the whole milliseconds of
    /// the total, by the largest remainder: what is printed can be added up by its reader.
    pub fn whole_ms(&self) -> Vec<(Option<Part>, i64)> {
        let mut exact: Vec<(Option<Part>, f64)> =
            self.parts.iter().map(|c| (Some(c.part), c.change_ms)).collect();
        exact.push((None, self.rest_ms));
        let floor = |ms: f64| whole(ms.floor());
        let missing = whole(self.total_ms.round()) - exact.iter().map(|e| floor(e.1)).sum::<i64>();
        let mut by_remainder: Vec<usize> = (0..exact.len()).collect();
        let remainder = |i: &usize| exact.get(*i).map_or(0.0, |e| e.1 - e.1.floor());
        by_remainder.sort_by(|a, b| remainder(b).total_cmp(&remainder(a)));
        let up: BTreeSet<usize> =
            by_remainder.into_iter().take(usize::try_from(missing).unwrap_or(0)).collect();
        let each = exact.iter().enumerate();
        each.map(|(i, (part, ms))| (*part, floor(*ms) + i64::from(up.contains(&i)))).collect()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a latency in milliseconds; `as` saturates")]
fn whole(ms: f64) -> i64 {
    ms as i64
}

/// Explains a change of `total_ms` of the heard latency at a percentile; `None` when no step has paths that
/// can be compared. `alike` says that `tts_node_ttfb` is the same measure on both sides.
pub(super) fn explain(
    baseline: &Measures,
    run: &Measures,
    percent: f64,
    total_ms: f64,
    alike: bool,
) -> Option<Attribution> {
    let (old, mut new) = (paths(baseline), paths(run));
    let both = old.into_iter().filter_map(|(step, old)| {
        let [old, new] = told_alike(&old, &new.remove(&step)?, alike);
        (!old.is_empty() && !new.is_empty()).then_some((step, old, new))
    });
    let steps: Vec<(u32, Vec<Path>, Vec<Path>)> = both.collect();
    let turns = |old: &Vec<Path>, new: &Vec<Path>| old.len() + new.len();
    let all: usize = steps.iter().map(|(_, old, new)| turns(old, new)).sum();
    let mut sums: BTreeMap<Part, f64> = BTreeMap::new();
    let mut by_step = Vec::new();
    for (step, old, new) in &steps {
        let (step, was, is) = (*step, Path::around(old, percent)?, Path::around(new, percent)?);
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 turns")]
        let weight = turns(old, new) as f64 / all as f64;
        let own = changes(&was, &is);
        for change in &own {
            *sums.entry(change.part).or_default() += weight * change.change_ms;
        }
        let change_ms = weight * own.iter().map(|c| c.change_ms).sum::<f64>();
        by_step.push(StepChange { step, change_ms, own });
    }
    if by_step.is_empty() {
        return None;
    }
    let parts = largest_first(sums);
    let rest_ms = total_ms - parts.iter().map(|c| c.change_ms).sum::<f64>();
    Some(Attribution { total_ms, parts, steps: by_step, rest_ms })
}

/// The paths of a step on both sides, told apart as far as both can be.
fn told_alike(old: &[Path], new: &[Path], alike: bool) -> [Vec<Path>; 2] {
    let of_both = Detail::of(old.iter()).common(Detail::of(new.iter()));
    let sentence = alike && Detail::of(old.iter().chain(new)).sentence;
    let detail = Detail { sentence, ..of_both };
    [old, new].map(|side| side.iter().filter_map(|path| path.at(detail)).collect())
}

/// Every part that is on either path; one that is not has no time there.
fn changes(was: &Path, is: &Path) -> Vec<PartChange> {
    let of = |path: &Path, part| path.parts.get(&part).copied().unwrap_or(0.0);
    let on_either = Part::ALL
        .into_iter()
        .filter(|part| was.parts.contains_key(part) || is.parts.contains_key(part));
    largest_first(on_either.map(|part| (part, of(is, part) - of(was, part))))
}

fn largest_first(parts: impl IntoIterator<Item = (Part, f64)>) -> Vec<PartChange> {
    let mut changes: Vec<PartChange> =
        parts.into_iter().map(|(part, change_ms)| PartChange { part, change_ms }).collect();
    changes.sort_by(|a, b| b.change_ms.abs().total_cmp(&a.change_ms.abs()));
    changes
}

/// The paths of the turns of each step; of very many calls those of some.
fn paths(measures: &Measures) -> BTreeMap<u32, Vec<Path>> {
    let measures = compact(measures);
    let table = |metric| -> BTreeMap<(CallId, u32), f64> {
        let known = measures.values(metric).iter().filter(|v| !v.censored);
        known.map(|v| ((v.call, v.step), v.value)).collect()
    };
    let (heard, tools) = (table(Metric::HeardE2eLatency), table(Metric::ToolDelay));
    let decided = table(Metric::TurnDecided);
    let reported = REPORTED.map(|(metric, field)| (table(metric), field));
    let mut by_step: BTreeMap<u32, Vec<Path>> = BTreeMap::new();
    for (turn, heard) in heard {
        let mut known = Known {
            tool_ms: tools.get(&turn).copied(),
            // Values do not say which turns had tools that were not timed.
            may_have_run_tools: true,
            turn_decided_ms: decided.get(&turn).copied(),
            ..Known::default()
        };
        for (values, field) in &reported {
            *field(&mut known.reported) = values.get(&turn).copied();
        }
        by_step.entry(turn.1).or_default().extend(Path::trace(heard, &known));
    }
    by_step.retain(|_, paths| !paths.is_empty());
    by_step
}

#[cfg(test)]
mod tests;
