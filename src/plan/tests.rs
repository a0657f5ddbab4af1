use std::num::{NonZeroU8, NonZeroU16, NonZeroU32};

use proptest::prelude::*;

use super::*;
use crate::scenario::Load;

fn plan(calls: u32, concurrency: u16, targets: Targets, seed: u64) -> Plan {
    let load = Load::Repeat {
        calls: NonZeroU32::new(calls).expect("not zero"),
        concurrency: NonZeroU16::new(concurrency).expect("not zero"),
    };
    Plan { schedule: Schedule::new(load), targets, seed }
}

fn two() -> Targets {
    Targets::new(NonZeroU8::new(2).expect("not zero"))
}

/// The agents in the order they are called, as letters.
fn order(plan: Plan) -> String {
    let letter = |call: PlannedCall| char::from(b'A' + u8::try_from(call.target.index()).unwrap());
    plan.calls().map(letter).collect()
}

#[test]
fn a_run_of_one_agent_calls_it_in_order() {
    let plan = plan(3, 2, Targets::ONE, 1);
    let ids: Vec<u32> = plan.calls().map(|call| call.id.0).collect();
    assert_eq!((ids, plan.total(), plan.schedule.at_a_time()), (vec![0, 1, 2], 3, 2));
    assert_eq!(order(plan), "AAA");
    let once = Plan { schedule: Schedule::new(Load::Once), ..plan };
    assert_eq!((once.calls().count(), once.schedule.at_a_time()), (1, 1));
}

#[test]
fn both_orders_of_a_block_occur() {
    let plan = plan(40, 1, two(), 1);
    let order = order(plan);
    let blocks: Vec<&str> = (0..20).map(|i| &order[i * 4..i * 4 + 4]).collect();
    let abba = blocks.iter().filter(|b| **b == "ABBA").count();
    assert!(blocks.iter().all(|b| *b == "ABBA" || *b == "BAAB"), "{blocks:?}");
    assert!((4..=16).contains(&abba), "{blocks:?}");
    let ids: Vec<u32> = plan.calls().take(4).map(|call| call.id.0).collect();
    assert_eq!(ids, [0, 0, 1, 1]);
}

/// Recordings of A/B runs can be planned again: the order a seed gives is the same in every version.
#[test]
fn the_order_of_a_seed_never_changes() {
    assert_eq!(order(plan(8, 1, two(), 1)), "ABBAABBABAABABBA");
}

#[test]
fn a_plan_of_many_calls_is_no_list() {
    let plan = plan(100_000, 1, two(), 1);
    assert_eq!(plan.total(), 200_000);
    assert!(size_of::<Plan>() <= 32 && size_of::<PlannedCall>() <= 32);
    assert!(size_of::<PlannedCalls>() <= 96, "{}", size_of::<PlannedCalls>());
    let mut calls = plan.calls();
    // What it allocates is the order of one round, however many calls were taken.
    let last = calls.by_ref().last().expect("a call");
    assert_eq!((last.id.0, calls.next()), (99_999, None));
    assert_eq!(plan.calls().count(), 200_000);
}

proptest! {
    #[test]
    fn interleaved_calls_are_balanced(calls in 1_u32..200, at_a_time in 1_u16..9, seed in any::<u64>()) {
        let at_a_time = at_a_time.min(u16::try_from(calls).unwrap_or(u16::MAX));
        let plan = plan(calls, at_a_time, two(), seed);
        prop_assert!(plan.calls().eq(plan.calls()));
        prop_assert_eq!(plan.schedule.at_a_time(), usize::from(at_a_time));
        for target in plan.targets.ids() {
            let ids: Vec<u32> =
                plan.calls().filter(|c| c.target == target).map(|c| c.id.0).collect();
            prop_assert_eq!(ids, (0..calls).collect::<Vec<_>>());
        }
        // At no moment is one agent more than one call ahead within a pair, or two in all.
        let mut ahead = 0_i32;
        for call in plan.calls() {
            ahead += if call.target == TargetId::FIRST { 1 } else { -1 };
            prop_assert!(ahead.abs() <= 1);
        }
    }

    /// Whatever changes evenly from call to call falls on all alike.
    #[test]
    fn a_steady_drift_cancels(blocks in 1_u32..50, count in (2_u8..6).prop_map(|n| NonZeroU8::new(n).unwrap()), seed in any::<u64>()) {
        let plan = plan(blocks * 2, 1, Targets::new(count), seed);
        let place = |target| -> usize {
            plan.calls().enumerate().filter(|(_, c)| c.target == target).map(|(i, _)| i).sum()
        };
        for target in plan.targets.ids() {
            prop_assert_eq!(place(target), place(TargetId::FIRST));
        }
    }
}
