use std::collections::BTreeSet;
use std::num::{NonZeroU16, NonZeroU32};

use proptest::prelude::*;

use super::*;
use crate::turn::testing::two_questions;

fn scenario(calls: u32, concurrency: u16) -> Scenario {
    let load = Load::Repeat {
        calls: NonZeroU32::new(calls).expect("not zero"),
        concurrency: NonZeroU16::new(concurrency).expect("not zero"),
    };
    Scenario { load, ..two_questions() }
}

fn sides(plan: &Plan) -> String {
    let letter = |call: &PlannedCall| match call.side {
        Side::A => 'A',
        Side::B => 'B',
    };
    plan.calls.iter().map(letter).collect()
}

#[test]
fn a_run_of_one_agent_calls_it_in_order() {
    let plan = Plan::of(&scenario(3, 2), "r1");
    assert_eq!((plan.calls.len(), plan.concurrency), (3, 2));
    assert_eq!(plan.calls[1].room, "loadcall-greeting-r1-001");
    assert_eq!(sides(&plan), "AAA");
}

#[test]
fn both_orders_of_a_block_occur() {
    let plan = Plan::interleaved(&scenario(40, 1), ["r-a", "r-b"], 1);
    let order = sides(&plan);
    let blocks: Vec<&str> = (0..20).map(|i| &order[i * 4..i * 4 + 4]).collect();
    let abba = blocks.iter().filter(|b| **b == "ABBA").count();
    assert!(blocks.iter().all(|b| *b == "ABBA" || *b == "BAAB"), "{blocks:?}");
    assert!((4..=16).contains(&abba), "{blocks:?}");
    assert_eq!(plan.calls[0].id, plan.calls[1].id);
}

proptest! {
    #[test]
    fn interleaved_calls_are_balanced(calls in 1_u32..200, at_a_time in 1_u16..9, seed in any::<u64>()) {
        let at_a_time = at_a_time.min(u16::try_from(calls).unwrap_or(u16::MAX));
        let scenario = scenario(calls, at_a_time);
        let plan = Plan::interleaved(&scenario, ["r-a", "r-b"], seed);
        prop_assert_eq!(&plan, &Plan::interleaved(&scenario, ["r-a", "r-b"], seed));
        prop_assert_eq!(plan.concurrency, usize::from(at_a_time));
        for side in [Side::A, Side::B] {
            let ids: Vec<u32> =
                plan.calls.iter().filter(|c| c.side == side).map(|c| c.id.0).collect();
            prop_assert_eq!(ids, (0..calls).collect::<Vec<_>>());
        }
        let rooms: BTreeSet<&str> = plan.calls.iter().map(|c| c.room.as_str()).collect();
        prop_assert_eq!(rooms.len(), plan.calls.len());
        // At no moment is one agent more than one call ahead within a pair, or two in all.
        let mut ahead = 0_i32;
        for call in &plan.calls {
            ahead += if call.side == Side::A { 1 } else { -1 };
            prop_assert!(ahead.abs() <= 1);
        }
    }

    /// Whatever changes evenly from call to call falls on both alike.
    #[test]
    fn a_steady_drift_cancels(blocks in 1_u32..50, seed in any::<u64>()) {
        let plan = Plan::interleaved(&scenario(blocks * 2, 1), ["r-a", "r-b"], seed);
        let place = |side| -> usize {
            plan.calls.iter().enumerate().filter(|(_, c)| c.side == side).map(|(i, _)| i).sum()
        };
        prop_assert_eq!(place(Side::A), place(Side::B));
    }
}
