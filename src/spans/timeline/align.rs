//! How far the agent's clock is from ours, from edges that both saw.
//!
//! Sound and data take time, and only ever in one direction: we hear the agent's voice after it was sent, and the agent
//! notices our speech after we spoke. So an edge of its voice bounds the difference from above, and an edge of ours
//! from below, as in NTP. Of each kind the median counts, so that a minority of wrong edges moves nothing; the
//! difference is taken to be in the middle, and what remains is the error, which is stated. Clocks may drift apart by
//! [`DRIFT`] while a call lasts, which widens it.
//!
//! Which edges are the same one is found by voting: every pair of one of ours and one of the agent's proposes a
//! difference, and the true one is proposed by many. Where two are as good, the one that is nearer to what the wall
//! clocks say is taken, if that is near.

use std::collections::BTreeSet;

use serde::Serialize;

/// Edges of a kind that are looked at.
const MOST: usize = 400;
/// What proposals of the same difference may differ by: sound that is under way, and speech that is noticed late.
/// Milliseconds.
const WINDOW: f64 = 1_000.0;
/// Edges that are needed. Two can agree by chance.
const FEWEST: usize = 3;
/// Clocks of machines that keep their time are this near. Milliseconds.
const NEAR: f64 = 5_000.0;
/// An edge of ours may seem to be noticed before it was there, where a detector dates it back too far. Milliseconds.
const EARLY: f64 = 100.0;
/// An uncertain difference is none. Milliseconds.
const WORST: f64 = 1_000.0;
/// Parts of a clock's time by which it goes wrong: more than clocks of machines do.
const DRIFT: f64 = 100e-6;

/// Edges of one side, milliseconds by its clock.
#[derive(Debug, Clone, Default)]
pub(super) struct Edges {
    /// The agent's speeches begin: sent by the agent, heard by us.
    pub(super) agent_begins: Vec<f64>,
    /// The caller's utterances begin, and end: said by us, noticed by the agent.
    pub(super) caller_begins: Vec<f64>,
    pub(super) caller_ends: Vec<f64>,
}

/// How clocks differ: a moment of the agent's clock plus `offset_ms` is one of ours, to within `error_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Aligned {
    pub offset_ms: f64,
    /// The true difference lies between `offset_ms` minus and plus this.
    pub error_ms: f64,
    /// How many edges it rests on.
    pub edges: usize,
}

/// Why clocks cannot be aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Apart {
    /// Too few edges that both sides saw.
    TooFew,
    /// The edges fit more than one difference, or none.
    Contradicting,
}

impl Apart {
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::TooFew => "too few edges of speech were seen by both sides",
            Self::Contradicting => "the edges of speech that both sides saw contradict each other",
        }
    }
}

/// The difference between the clocks. `wall` is what the two wall clocks say it is.
pub(super) fn align(ours: &Edges, agents: &Edges, wall: Option<f64>) -> Result<Aligned, Apart> {
    let voice = pairs(&ours.agent_begins, &agents.agent_begins);
    let begins = pairs(&ours.caller_begins, &agents.caller_begins);
    let ends = pairs(&ours.caller_ends, &agents.caller_ends);
    let votes = votes(&[&voice, &begins, &ends]);
    let (window, count) = winner(&votes, wall)?;
    let of = |pairs: &[Pair]| chosen(pairs, window);
    let (voice, begins, ends) = (of(&voice), of(&begins), of(&ends));
    let (Some(mut upper), Some(mut lower)) =
        (median(&voice), later(median(&begins), median(&ends)))
    else {
        return Err(Apart::TooFew);
    };
    if count < FEWEST {
        return Err(Apart::TooFew);
    }
    if lower > upper {
        if lower - upper > EARLY {
            return Err(Apart::Contradicting);
        }
        (lower, upper) = (upper - EARLY / 2.0, lower + EARLY / 2.0);
    }
    let all = [&ours.agent_begins, &ours.caller_begins, &ours.caller_ends];
    let moments = || all.iter().flat_map(|edges| edges.iter().copied());
    let length = moments().fold(f64::MIN, f64::max) - moments().fold(f64::MAX, f64::min);
    let error_ms = (upper - lower) / 2.0 + DRIFT * length.max(0.0);
    let aligned = Aligned { offset_ms: f64::midpoint(lower, upper), error_ms, edges: count };
    if error_ms > WORST { Err(Apart::Contradicting) } else { Ok(aligned) }
}

/// An edge of ours, one of the agent's, and the difference they propose.
#[derive(Debug, Clone, Copy)]
struct Pair {
    ours: usize,
    difference: f64,
}

fn pairs(ours: &[f64], agents: &[f64]) -> Vec<Pair> {
    let ours = ours.iter().take(MOST).enumerate();
    ours.flat_map(|(at, our)| {
        let agents = agents.iter().take(MOST);
        agents.map(move |agent| Pair { ours: at, difference: our - agent })
    })
    .collect()
}

/// Differences in order, each with the edge it is of.
fn votes(kinds: &[&[Pair]]) -> Vec<(f64, (usize, usize))> {
    let all = kinds.iter().enumerate();
    let mut votes: Vec<_> = all
        .flat_map(|(kind, pairs)| pairs.iter().map(move |p| (p.difference, (kind, p.ours))))
        .filter(|(difference, _)| difference.is_finite())
        .collect();
    votes.sort_by(|a, b| a.0.total_cmp(&b.0));
    votes
}

/// The window with the most edges of ours in it, and how many those are.
fn winner(
    votes: &[(f64, (usize, usize))],
    wall: Option<f64>,
) -> Result<((f64, f64), usize), Apart> {
    let mut windows: Vec<((f64, f64), usize)> = Vec::new();
    let mut inside: std::collections::BTreeMap<(usize, usize), usize> =
        std::collections::BTreeMap::new();
    let mut first = 0;
    for (difference, edge) in votes {
        *inside.entry(*edge).or_default() += 1;
        while difference - votes[first].0 > WINDOW {
            let edge = votes[first].1;
            if let Some(n) = inside.get_mut(&edge) {
                *n -= 1;
                if *n == 0 {
                    inside.remove(&edge);
                }
            }
            first += 1;
        }
        windows.push(((votes[first].0, *difference), inside.len()));
    }
    let most = windows.iter().map(|(_, n)| *n).max().ok_or(Apart::TooFew)?;
    let far =
        |window: (f64, f64)| wall.map(|wall| (f64::midpoint(window.0, window.1) - wall).abs());
    let mut best: Vec<((f64, f64), usize)> =
        windows.into_iter().filter(|(_, n)| *n == most).collect();
    // Of those that overlap the narrowest is what they have in common.
    best.sort_by(|a, b| {
        let by_wall = far(a.0).unwrap_or(0.0).total_cmp(&far(b.0).unwrap_or(0.0));
        by_wall.then((a.0.1 - a.0.0).total_cmp(&(b.0.1 - b.0.0)))
    });
    let (window, count) = *best.first().ok_or(Apart::TooFew)?;
    let is_near = far(window).is_some_and(|ms| ms <= NEAR);
    let others = best.iter().any(|(other, _)| other.0 > window.1 || other.1 < window.0);
    if others && !is_near { Err(Apart::Contradicting) } else { Ok((window, count)) }
}

/// For each edge of ours the proposal within the window that is nearest to its middle.
fn chosen(pairs: &[Pair], window: (f64, f64)) -> Vec<f64> {
    let middle = f64::midpoint(window.0, window.1);
    let inside: BTreeSet<usize> = (pairs.iter())
        .filter(|pair| pair.difference >= window.0 && pair.difference <= window.1)
        .map(|pair| pair.ours)
        .collect();
    let nearest = |ours: usize| {
        let of = pairs.iter().filter(|pair| pair.ours == ours).map(|pair| pair.difference);
        of.min_by(|a, b| (a - middle).abs().total_cmp(&(b - middle).abs()))
    };
    inside.into_iter().filter_map(nearest).collect()
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

fn later(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests;
