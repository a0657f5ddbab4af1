use std::num::{NonZeroU8, NonZeroU16, NonZeroU32};

use proptest::prelude::*;

use super::*;
use crate::plan::{Plan, PlannedCalls, Schedule, Targets};
use crate::record::CallId;
use crate::scenario::Load;

fn ms(ms: i64) -> Offset {
    Offset::from_micros(ms * 1_000)
}

fn repeat(calls: u32, slots: u16) -> Load {
    Load::Repeat {
        calls: NonZeroU32::new(calls).expect("not zero"),
        concurrency: NonZeroU16::new(slots).expect("not zero"),
    }
}

fn queue(schedule: Schedule, targets: Targets) -> Queue<PlannedCalls> {
    let plan = Plan { schedule, targets, seed: 1 };
    Queue::new(plan.calls(), plan.schedule.at_a_time(), plan.schedule.apart())
}

fn slots(calls: u32, slots: u16, targets: Targets) -> Queue<PlannedCalls> {
    queue(Schedule::new(repeat(calls, slots)), targets)
}

/// Calls to one agent with moments of their own.
fn scheduled(due: &[i64], at_a_time: usize) -> Queue<std::vec::IntoIter<PlannedCall>> {
    let call = |(id, due): (u32, &i64)| PlannedCall {
        id: CallId(id),
        target: TargetId::FIRST,
        due: Some(ms(*due)),
    };
    let calls: Vec<PlannedCall> = (0..).zip(due).map(call).collect();
    Queue::new(calls.into_iter(), at_a_time, Duration::from_millis(50))
}

/// The number of the call that is placed at this moment and when it was due.
fn placed<I: Iterator<Item = PlannedCall>>(queue: &mut Queue<I>, now: i64) -> (u32, i64) {
    match queue.next(ms(now)) {
        Next::Place(call, due) => (call.id.0, due.micros() / 1_000),
        other @ (Next::Wait(_) | Next::WaitForEnd | Next::Look(_) | Next::Finished) => {
            panic!("at {now}: {other:?}")
        }
    }
}

#[test]
fn calls_are_as_far_apart_as_the_schedule_wants() {
    let schedule = Schedule::apart_by(100, repeat(2, 2));
    let mut queue = queue(schedule, Targets::ONE);
    assert_eq!(placed(&mut queue, 10), (0, 10));
    assert_eq!(queue.next(ms(70)), Next::Wait(ms(110)));
}

#[test]
fn a_free_slot_is_filled_after_a_pause() {
    let mut queue = slots(3, 2, Targets::ONE);
    assert_eq!(placed(&mut queue, 10), (0, 10));
    assert_eq!(queue.next(ms(10)), Next::Wait(ms(60)));
    // Whoever looks later makes the call due later: nothing of ours is the agent's.
    assert_eq!(placed(&mut queue, 63), (1, 63));
    assert_eq!(queue.next(ms(200)), Next::WaitForEnd);
    assert!(!queue.ended(TargetId::FIRST, Outcome::Answered));
    assert_eq!(placed(&mut queue, 5_000), (2, 5_000));
    assert_eq!(queue.next(ms(6_000)), Next::WaitForEnd);
    queue.ended(TargetId::FIRST, Outcome::Answered);
    queue.ended(TargetId::FIRST, Outcome::Answered);
    assert_eq!(queue.next(ms(9_000)), Next::Finished);
}

#[test]
fn a_scheduled_call_is_due_at_its_moment_though_it_waits_for_a_slot() {
    let mut queue = scheduled(&[0, 20, 400], 2);
    assert_eq!(placed(&mut queue, 1), (0, 0));
    assert_eq!(queue.next(ms(5)), Next::Wait(ms(20)));
    // No pause is put between calls that have moments.
    assert_eq!(placed(&mut queue, 20), (1, 20));
    assert_eq!(queue.next(ms(400)), Next::WaitForEnd);
    queue.ended(TargetId::FIRST, Outcome::Answered);
    assert_eq!(placed(&mut queue, 2_000), (2, 400));
}

#[test]
fn the_first_calls_that_reach_nobody_end_the_run() {
    let mut queue = slots(5, 1, Targets::ONE);
    for (n, gives_up) in [(0, false), (1, false), (2, true)] {
        assert_eq!(placed(&mut queue, n * 100).0, u32::try_from(n).unwrap());
        assert_eq!(queue.ended(TargetId::FIRST, Outcome::NoAgent), gives_up);
    }
    assert_eq!(queue.next(ms(900)), Next::Finished);

    // One that was answered shows that there is an agent.
    let mut queue = slots(5, 1, Targets::ONE);
    for (n, outcome) in [(0, Outcome::Answered), (1, Outcome::NoAgent), (2, Outcome::NoAgent)] {
        placed(&mut queue, n * 100);
        assert!(!queue.ended(TargetId::FIRST, outcome));
    }
    placed(&mut queue, 900);

    // With nothing left to place there is nothing to give up.
    let mut queue = slots(3, 1, Targets::ONE);
    for n in 0..3 {
        placed(&mut queue, n * 100);
        assert!(!queue.ended(TargetId::FIRST, Outcome::Refused));
    }
}

#[test]
fn one_agent_that_is_not_there_ends_the_run_of_two() {
    let mut queue = slots(9, 1, Targets::new(NonZeroU8::new(2).expect("not zero")));
    let mut given_up = Vec::new();
    let mut now = 0;
    while let Next::Place(call, _) = queue.next(ms(now)) {
        let there = call.target == TargetId::FIRST;
        let outcome = if there { Outcome::Answered } else { Outcome::NoAgent };
        if queue.ended(call.target, outcome) {
            given_up.push(call.target);
        }
        now += 50;
    }
    assert_eq!(given_up.iter().map(|target| target.index()).collect::<Vec<_>>(), [1]);
    assert!(now < 9 * 2 * 50, "not all calls were placed");
}

#[test]
fn a_closed_queue_waits_for_its_calls() {
    let mut queue = slots(5, 2, Targets::ONE);
    placed(&mut queue, 0);
    queue.close();
    assert_eq!(queue.next(ms(100)), Next::WaitForEnd);
    assert!(!queue.ended(TargetId::FIRST, Outcome::Stopped));
    assert_eq!(queue.next(ms(100)), Next::Finished);
}

proptest! {
    /// However long calls last: never more at a time, all are placed in order, none before it is due.
    #[test]
    fn slots_are_kept(calls in 1_u32..40, at_a_time in 1_u16..9, lasts in prop::collection::vec(1_i64..400, 40)) {
        let mut queue = slots(calls, at_a_time, Targets::ONE);
        let mut under_way: Vec<Offset> = Vec::new();
        let (mut now, mut ids) = (ms(0), Vec::new());
        loop {
            under_way.sort_unstable();
            match queue.next(now) {
                Next::Place(call, due) => {
                    prop_assert!(due <= now);
                    under_way.push(now.plus(Duration::from_millis(lasts[ids.len()].unsigned_abs())));
                    prop_assert!(under_way.len() <= usize::from(at_a_time));
                    ids.push(call.id.0);
                }
                Next::Wait(at) if under_way.first().is_none_or(|end| *end > at) => now = at,
                Next::Wait(_) | Next::WaitForEnd | Next::Look(_) => {
                    now = under_way.remove(0);
                    queue.ended(TargetId::FIRST, Outcome::Answered);
                }
                Next::Finished => break,
            }
        }
        prop_assert_eq!(ids, (0..calls).collect::<Vec<_>>());
    }
}

#[test]
fn a_look_waits_until_no_call_is_in_progress_and_can_end_the_run() {
    let both = Targets::new(NonZeroU8::new(2).expect("two"));
    let looked = |decided: bool| {
        let mut queue = slots(3, 4, both).with_looks(&[1, 2, 3]);
        for _ in 0..2 {
            placed(&mut queue, 1_000);
            queue.not_before = ms(0);
        }
        // Slots are free, and the third call is of the second pair.
        assert_eq!(queue.next(ms(1_000)), Next::WaitForEnd);
        queue.ended(TargetId::FIRST, Outcome::Answered);
        assert_eq!(queue.next(ms(1_000)), Next::WaitForEnd);
        queue.ended(TargetId::FIRST, Outcome::Answered);
        assert_eq!(queue.next(ms(1_000)), Next::Look(1));
        queue.looked(decided);
        queue
    };
    assert_eq!(looked(true).next(ms(1_000)), Next::Finished);
    let mut queue = looked(false);
    for _ in 0..2 {
        assert_eq!(placed(&mut queue, 2_000).0, 1);
        queue.not_before = ms(0);
    }
    assert_eq!(queue.next(ms(2_000)), Next::WaitForEnd);
    queue.close();
    for _ in 0..2 {
        queue.ended(TargetId::FIRST, Outcome::Answered);
    }
    assert_eq!(queue.next(ms(2_000)), Next::Finished, "a run that is stopped is not looked at");
}
