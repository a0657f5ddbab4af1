//! The agents a run calls, and in which order.
//!
//! # Interleaved calls
//! Several agents are called in blocks of two rounds, and each round calls every agent once. The first
//! round of a block has them in an order drawn with the seed, the second in the reverse of it: with two
//! agents `A B B A` or `B A A B`. So whatever changes steadily with time (a provider that gets slower,
//! a machine that heats up) falls on all alike, and none is always the one that is called first.

use crate::random::SplitMix64;
use std::num::NonZeroU8;

/// The order of blocks is drawn apart from everything else that a seed decides.
const PURPOSE: u64 = 0xAB;

/// One of the agents a run calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId(u8);

impl TargetId {
    /// The only one of most runs.
    pub const FIRST: Self = Self(0);

    /// Its place among the agents of its run.
    pub fn index(self) -> usize {
        self.0.into()
    }
}

/// How many agents a run calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Targets(NonZeroU8);

impl Targets {
    pub const ONE: Self = Self(NonZeroU8::MIN);

    pub const fn new(count: NonZeroU8) -> Self {
        Self(count)
    }

    pub fn count(self) -> u8 {
        self.0.get()
    }

    /// All of them, in their order.
    pub fn ids(self) -> impl Iterator<Item = TargetId> {
        (0..self.count()).map(TargetId)
    }
}

/// Which agent is called next, without end.
#[derive(Debug, Clone)]
pub(super) struct Interleaved {
    random: SplitMix64,
    targets: Targets,
    /// The order of the latest round.
    round: Vec<TargetId>,
    /// How many of it have been called.
    called: usize,
    /// The latest round was the second of its block.
    mirrored: bool,
}

impl Interleaved {
    pub(super) fn new(targets: Targets, seed: u64) -> Self {
        let random = SplitMix64::for_purpose(seed, PURPOSE);
        Self { random, targets, round: Vec::new(), called: 0, mirrored: true }
    }

    fn next_round(&mut self) {
        self.called = 0;
        self.mirrored = !self.mirrored;
        if self.mirrored {
            self.round.reverse();
            return;
        }
        self.round = self.targets.ids().collect();
        // Fisher and Yates.
        for (place, left) in (0..).zip((2..=u32::from(self.targets.count())).rev()) {
            self.round.swap(place, place + self.random.below(left) as usize);
        }
    }
}

impl Iterator for Interleaved {
    type Item = TargetId;

    fn next(&mut self) -> Option<TargetId> {
        if self.called == self.round.len() {
            self.next_round();
        }
        let next = self.round.get(self.called).copied();
        self.called += 1;
        next
    }
}
