//! Which calls' audio is kept: decided call by call as they end, by how bad they are, within a limit.

use super::super::CallId;
use std::cmp::Reverse;
use std::str::FromStr;

/// Of which calls audio is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepAudio {
    /// Of none.
    None,
    /// Of those that failed, and of so many others: those with the worst turns.
    Worst(u32),
    /// Of all.
    All,
}

impl FromStr for KeepAudio {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "all" => Ok(Self::All),
            other => other
                .strip_prefix("worst:")
                .and_then(|number| number.parse().ok())
                .map(Self::Worst)
                .ok_or("write worst:N with the number of calls (such as worst:10), all, or none"),
        }
    }
}

/// How bad a call was. A worse one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    pub failed: bool,
    /// The longest wait for a reply, in microseconds; the largest number where there was none.
    pub slowest_us: i64,
}

/// The calls that are kept so far.
#[derive(Debug)]
pub struct Choice {
    keep: KeepAudio,
    /// The most bytes of all of them.
    limit: u64,
    /// The worst first.
    chosen: Vec<Chosen>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Chosen {
    call: CallId,
    rank: Rank,
    bytes: u64,
}

impl Choice {
    pub fn new(keep: KeepAudio, limit: u64) -> Self {
        Self { keep, limit, chosen: Vec::new() }
    }

    /// Takes in a call that has ended, and gives those that are not to be kept any more: it may be among them.
    pub fn offer(&mut self, call: CallId, rank: Rank, bytes: u64) -> Vec<CallId> {
        let new = Chosen { call, rank, bytes };
        let order = |chosen: &Chosen| (Reverse(chosen.rank), chosen.call);
        let place = self.chosen.partition_point(|chosen| order(chosen) < order(&new));
        self.chosen.insert(place, new);
        // Failed calls come first, so what is too much stands behind them.
        let failed = self.chosen.iter().take_while(|chosen| chosen.rank.failed).count();
        let count = match self.keep {
            KeepAudio::None => 0,
            KeepAudio::Worst(others) => failed.saturating_add(others as usize),
            KeepAudio::All => usize::MAX,
        };
        let mut dropped: Vec<CallId> =
            self.chosen.split_off(self.chosen.len().min(count)).iter().map(|of| of.call).collect();
        let mut left = self.limit;
        self.chosen.retain(|chosen| {
            let rest = left.checked_sub(chosen.bytes);
            left = rest.unwrap_or(left);
            if rest.is_none() {
                dropped.push(chosen.call);
            }
            rest.is_some()
        });
        dropped
    }

    /// The calls that are kept, the worst first.
    pub fn calls(&self) -> impl Iterator<Item = CallId> {
        self.chosen.iter().map(|chosen| chosen.call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rank(failed: bool, slowest_ms: i64) -> Rank {
        Rank { failed, slowest_us: slowest_ms * 1_000 }
    }

    fn kept(choice: &Choice) -> Vec<u32> {
        choice.calls().map(|call| call.0).collect()
    }

    #[test]
    fn the_worst_and_all_that_failed_are_kept() {
        let mut choice = Choice::new(KeepAudio::Worst(2), 1_000);
        let ended =
            [(0, false, 900), (1, true, 100), (2, false, 1_500), (3, false, 800), (4, true, 200)];
        let dropped: Vec<Vec<CallId>> = ended
            .iter()
            .map(|(call, failed, ms)| choice.offer(CallId(*call), rank(*failed, *ms), 10))
            .collect();
        assert_eq!(dropped, [vec![], vec![], vec![], vec![CallId(3)], vec![]]);
        assert_eq!(kept(&choice), [4, 1, 2, 0]);
        // A worse one comes in the place of the best; of two that are alike the earlier stays.
        assert_eq!(choice.offer(CallId(5), rank(false, 1_500), 10), [CallId(0)]);
        assert_eq!(choice.offer(CallId(6), rank(false, 1_500), 10), [CallId(6)]);
        let unanswered = Rank { failed: false, slowest_us: i64::MAX };
        assert_eq!(choice.offer(CallId(7), unanswered, 10), [CallId(5)]);
        assert_eq!(kept(&choice), [4, 1, 7, 2]);
    }

    #[test]
    fn within_the_limit_failed_calls_come_first() {
        let mut choice = Choice::new(KeepAudio::All, 100);
        assert_eq!(choice.offer(CallId(0), rank(false, 9_000), 60), []);
        assert_eq!(choice.offer(CallId(1), rank(true, 100), 60), [CallId(0)]);
        assert_eq!(choice.offer(CallId(2), rank(false, 100), 41), [CallId(2)]);
        assert_eq!(choice.offer(CallId(3), rank(false, 100), 40), []);
        assert_eq!(choice.offer(CallId(4), rank(true, 500), 101), [CallId(4)], "it never fits");
        assert_eq!(choice.offer(CallId(5), rank(true, 500), 50), [CallId(1)]);
        assert_eq!(kept(&choice), [5, 3]);
    }

    #[test]
    fn what_is_kept_is_written_so() {
        assert_eq!("worst:10".parse(), Ok(KeepAudio::Worst(10)));
        assert_eq!("worst:0".parse(), Ok(KeepAudio::Worst(0)));
        assert_eq!(("all".parse(), "none".parse()), (Ok(KeepAudio::All), Ok(KeepAudio::None)));
        for wrong in ["", "worst", "worst:", "worst:-1", "10", "ALL", "worst:99999999999"] {
            assert!(wrong.parse::<KeepAudio>().unwrap_err().contains("worst:10"), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn it_is_the_choice_of_one_who_knows_all_calls(
            calls in proptest::collection::vec((any::<bool>(), 0..50_i64), 0..60),
            k in 0..12_u32,
        ) {
            let mut choice = Choice::new(KeepAudio::Worst(k), u64::MAX);
            for (id, (failed, ms)) in (0..).zip(&calls) {
                choice.offer(CallId(id), rank(*failed, *ms), 1);
            }
            let mut all: Vec<(Reverse<Rank>, u32)> =
                (0..).zip(&calls).map(|(id, (f, ms))| (Reverse(rank(*f, *ms)), id)).collect();
            all.sort_unstable();
            let failed = calls.iter().filter(|(failed, _)| *failed).count();
            let expected: Vec<u32> =
                all.into_iter().take(failed + k as usize).map(|(_, id)| id).collect();
            prop_assert_eq!(kept(&choice), expected);
        }
    }
}
