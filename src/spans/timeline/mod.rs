//! One timeline of a call: what was heard of it, and what the agent's own spans say of the same turns. Pure.
//!
//! Heard and reported stand beside each other and are marked. Where the clocks of both cannot be aligned, they stand on
//! an axis each. Durations are as each side measured them, whatever the clocks say.

mod tree;
mod exchange;
mod stages;
mod path;
mod align;
mod join;
mod line;
mod call;
mod ours;
mod lines;
mod totals;
mod belongs;

pub use align::{Aligned, Apart};
pub use belongs::Wanted;
pub use call::Call;
pub use exchange::Claims;
pub use line::{Axis, Row, Source, TurnLine, Went};
pub use path::{Breakdown, Share};
pub use stages::{Facts, What};
pub use totals::{Bottleneck, Totals};

use serde::Serialize;

use crate::spans::AgentSpan;
use ours::Ours;
use tree::Tree;

/// A call, or a session that nobody of ours called, in the order of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeline {
    pub sides: Sides,
    /// Where the moments of rows count from, by the wall clock of whose axis it is: RFC 3339, UTC. `None` where the
    /// recording does not say.
    pub began: Option<String>,
    pub length_ms: f64,
    pub turns: Vec<TurnLine>,
    pub totals: Totals,
    /// The part of all replies' times that was the largest, with its share of them.
    pub bottleneck: Option<Bottleneck>,
}

/// Which sides are known, and on which axis they stand.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "known")]
pub enum Sides {
    /// On our axis; `ahead_ms` is by how much the agent's wall clock is ahead of ours, where ours is known.
    Both { clocks: Aligned, ahead_ms: Option<f64> },
    /// On an axis each.
    Apart { why: Apart },
    /// The agent's side is unknown.
    Heard,
    /// Nothing was heard: a session that loadcall did not call.
    Reported,
}

impl Timeline {
    /// Of a call that was heard, with the agent's spans of it, if there are any.
    pub fn of_call(call: Call<'_>, spans: &[AgentSpan]) -> Self {
        let ours = Ours::of(call);
        if spans.is_empty() {
            let turns = ours.turns.clone();
            return Self::new(
                Sides::Heard,
                call.began(),
                call.length_ms(),
                turns,
                Totals::default(),
            );
        }
        let tree = Tree::new(spans);
        let exchanges = exchange::exchanges(&tree);
        let wall = call.wall_ns().map(|ns| tree::ms_between(ns, tree.origin_ns));
        let agents = lines::edges(&tree);
        let (sides, turns) = match align::align(&ours.edges, &agents, wall) {
            Ok(clocks) => {
                let turns = lines::joined(&tree, &exchanges, ours, clocks);
                let ahead_ms = wall.map(|wall| wall - clocks.offset_ms);
                (Sides::Both { clocks, ahead_ms }, turns)
            }
            Err(why) => (Sides::Apart { why }, lines::apart(&tree, &exchanges, ours)),
        };
        Self::new(sides, call.began(), call.length_ms(), turns, Totals::of(&tree))
    }

    /// Of a session that is known by its spans alone.
    pub fn of_session(spans: &[AgentSpan]) -> Self {
        let tree = Tree::new(spans);
        let exchanges = exchange::exchanges(&tree);
        let began = call::moment(i128::from(tree.origin_ns));
        let length = tree.nodes.iter().map(|node| node.until).fold(0.0, f64::max);
        let turns = lines::alone(&tree, &exchanges);
        Self::new(Sides::Reported, began, length, turns, Totals::of(&tree))
    }

    fn new(
        sides: Sides,
        began: Option<String>,
        length_ms: f64,
        mut turns: Vec<TurnLine>,
        totals: Totals,
    ) -> Self {
        for (at, turn) in turns.iter_mut().enumerate() {
            turn.number = at + 1;
        }
        let totals = Totals {
            discarded: lines::rows(&turns).filter(|row| row.facts.discarded).count(),
            ..totals
        };
        let bottleneck = Bottleneck::of(&turns);
        Self { sides, began, length_ms, turns, totals, bottleneck }
    }

    /// The turns whose callers waited longest first; those without a wait last.
    pub fn slowest_first(&self) -> Vec<&TurnLine> {
        let mut turns: Vec<&TurnLine> = self.turns.iter().collect();
        let wait = |turn: &TurnLine| turn.wait_ms().unwrap_or(-1.0);
        turns.sort_by(|a, b| {
            let open = |turn: &TurnLine| turn.went == Went::Unanswered;
            open(b).cmp(&open(a)).then(wait(b).total_cmp(&wait(a)))
        });
        turns
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
