//! Simulated agents and what becomes of calls to them: as recordings, and as the table that is made of those, which
//! takes a hundredth of the time.
//!
//! Unless said otherwise a call asks four questions, waits are log-normal, a turn varies by 35 % within its call and
//! a call by 15 %; both calls of a pair share a random walk of 3 % a pair.

use super::super::PairedCalls;
use super::super::table::{Cell, Table, Wait};
use crate::random::SplitMix64;
use crate::record::{Arm, CallRecord, MetadataDigest, Outcome as CallOutcome, Run, Side};
use crate::scenario::{Metric, Scenario};
use crate::stats::up;
use crate::turn::testing as make;
use crate::verdict::testing::CALLS_MAY_FAIL;

const TURN_SD: f64 = 0.35;
const CALL_SD: f64 = 0.15;
const WALK_SD: f64 = 0.03;
pub(super) const TURNS: u32 = 4;
/// A caller waits so long, in milliseconds.
const WITHIN: u32 = 8_000;

/// How waits are distributed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum World {
    LogNormal,
    /// Of exponent 1.3: no variance, waits of minutes.
    Pareto,
    /// Every other turn is answered from a cache, in a quarter of the time.
    Cache,
    /// Two of the four turns run a tool: 700 and 2,200 ms.
    Tools,
    /// Four unlike turns, 600 to 2,500 ms.
    Steps,
    /// Calls that follow each other are alike, whichever agent they are to.
    Autocorrelated,
}

/// What B does differently.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Change {
    Same,
    Times(f64),
    /// The slowest tenth of turns takes so many times as long.
    Tail(f64),
    /// The last of the steps takes so many times as long.
    Step(f64),
    /// So many calls end in a turn drawn at random.
    Leaves(f64),
    /// So many turns go unanswered, in calls that go on.
    Unanswered(f64),
    /// Times a factor, with so many turns unanswered, which ends the call.
    FasterButFailing(f64, f64),
    /// Times a factor, while both sides leave so many turns unanswered, which ends the call.
    BothUnanswered(f64, f64),
}

pub(super) fn four_questions() -> Scenario {
    let steps = ["hours", "price", "place", "bye"].map(make::ask).to_vec();
    make::scenario_with(CALLS_MAY_FAIL, steps)
}

/// What becomes of a turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Turn {
    /// After so many whole milliseconds.
    Heard(u32),
    Silent,
    /// The call ends here.
    Gone,
}

/// The turns of a call as far as it goes.
pub(super) type Call = Vec<Turn>;

struct Caller<'a> {
    world: World,
    change: Change,
    is_b: bool,
    random: &'a mut SplitMix64,
    /// What calls that follow each other have in common.
    state: &'a mut f64,
}

impl Caller<'_> {
    fn call(&mut self, hour: f64) -> Call {
        *self.state = 0.8 * *self.state + 0.6 * self.random.normal();
        let own = match self.world {
            World::Autocorrelated => *self.state,
            World::LogNormal | World::Pareto | World::Cache | World::Tools | World::Steps => {
                self.random.normal()
            }
        };
        let of_call = own * CALL_SD + hour;
        let leaves_at = self.random.below(TURNS);
        let leaves = self.random.unit();
        let mut turns = Vec::new();
        for step in 0..TURNS {
            let turn = self.turn(step, of_call, (leaves, leaves_at));
            turns.push(turn);
            if turn == Turn::Gone {
                break;
            }
        }
        turns
    }

    fn turn(&mut self, step: u32, of_call: f64, (leaves, leaves_at): (f64, u32)) -> Turn {
        let median = match (self.world, step) {
            (World::Tools, 0 | 2) => 700.0,
            (World::Tools, _) => 2_200.0,
            (World::Steps, 0) | (World::Pareto, _) => 600.0,
            (World::Steps, 2) => 1_400.0,
            (World::Steps, 3) => 2_500.0,
            _ => 1_000.0,
        };
        let chance = self.random.unit();
        let (hit, normal, tail) = (self.random.unit(), self.random.normal(), self.random.unit());
        let varied = match self.world {
            World::Pareto => -(1.0 - tail).ln() / 1.3,
            World::Cache if hit < 0.5 => normal * TURN_SD - 4.0_f64.ln(),
            World::LogNormal
            | World::Cache
            | World::Tools
            | World::Steps
            | World::Autocorrelated => normal * TURN_SD,
        };
        let ms = median * (of_call + varied).exp();
        let slow = ms > median * 1.63;
        match (self.change, self.is_b) {
            (Change::BothUnanswered(_, share), _) if chance < share => Turn::Gone,
            (Change::FasterButFailing(_, share), true) if chance < share => Turn::Gone,
            (Change::Unanswered(share), true) if chance < share => Turn::Silent,
            (Change::Leaves(share), true) if leaves < share && step == leaves_at => Turn::Gone,
            (
                Change::Times(factor)
                | Change::FasterButFailing(factor, _)
                | Change::BothUnanswered(factor, _),
                true,
            ) => heard(ms * factor),
            (Change::Tail(factor), true) if slow => heard(ms * factor),
            (Change::Step(factor), true) if step + 1 == TURNS => heard(ms * factor),
            _ => heard(ms),
        }
    }
}

fn heard(ms: f64) -> Turn {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some seconds")]
    let whole = ms.round() as u32;
    if ms < f64::from(WITHIN) { Turn::Heard(whole) } else { Turn::Silent }
}

/// The calls of so many pairs, those to A first.
pub(super) fn calls(world: World, change: Change, pairs: u32, seed: u64) -> [Vec<Call>; 2] {
    let mut random = SplitMix64::for_purpose(seed, 1);
    let mut hour = 0.0;
    let mut state = 0.0;
    let mut calls = [Vec::new(), Vec::new()];
    for _ in 0..pairs {
        hour += random.normal() * WALK_SD;
        for (is_b, calls) in [false, true].into_iter().zip(&mut calls) {
            let mut caller = Caller { world, change, is_b, random: &mut random, state: &mut state };
            calls.push(caller.call(hour));
        }
    }
    calls
}

fn record(id: u32, call: &Call) -> CallRecord {
    let mut log = [make::connected(100), make::joined(200)].concat();
    let mut outcome = CallOutcome::Answered;
    for (step, turn) in (0..TURNS).zip(call) {
        let begin = 1_000 + i64::from(step) * 30_000;
        let asked = begin + 2_000;
        log.extend([make::began(step, begin - 500), make::said(step, begin, asked)].concat());
        match turn {
            Turn::Heard(ms) => {
                let heard = asked + i64::from(*ms);
                log.extend(make::voice(heard, heard + 1_500));
            }
            Turn::Silent => {
                log.extend(make::missed(step, asked + i64::from(WITHIN)));
                outcome = CallOutcome::NoAnswer;
            }
            Turn::Gone => {
                log.extend(make::missed(step, asked + i64::from(WITHIN)));
                return make::call(id, log, asked + 8_100, CallOutcome::NoAnswer);
            }
        }
    }
    make::call(id, log, 150_000, outcome)
}

/// Both sides of an A/B run.
pub(super) fn recordings(calls: &[Vec<Call>; 2], planned: &[u32]) -> [Run; 2] {
    let scenario = four_questions();
    [(Side::A, &calls[0]), (Side::B, &calls[1])].map(|(side, calls)| {
        let records = (0..).zip(calls).map(|(id, call)| record(id, call)).collect();
        let mut run = make::run(side.name(), records, &scenario);
        run.head.arm = Some(Arm {
            ab: "ab".to_owned(),
            side,
            agent_name: "demo-agent".to_owned(),
            agent_metadata: MetadataDigest::default(),
            looks: planned.to_vec(),
        });
        run
    })
}

/// What is asked of the first `pairs` pairs, as it is read from recordings of them.
pub(super) fn table([a, b]: &[Vec<Call>; 2], pairs: u32) -> (PairedCalls, Table) {
    let mut counts = PairedCalls::default();
    let mut cells = Vec::new();
    let (mut unanswered, mut more_unanswered) = (0, [0, 0]);
    let silent = |turn: Option<&Turn>| !matches!(turn, Some(Turn::Heard(_)));
    let wait = |turn: Option<&Turn>| {
        let ms = if let Some(Turn::Heard(ms)) = turn { *ms } else { WITHIN };
        Wait { at_least: up(f64::from(ms)), at_most: up(f64::from(ms)) }
    };
    for (pair, (a, b)) in a.iter().zip(b).take(pairs as usize).enumerate() {
        let mut silences = [0, 0];
        for (at, step) in (0..TURNS).enumerate() {
            let (of_a, of_b) = (a.get(at), b.get(at));
            silences =
                [silences[0] + u32::from(silent(of_a)), silences[1] + u32::from(silent(of_b))];
            unanswered += usize::from(silent(of_a) || silent(of_b));
            cells.push(Cell { pair, step, a: wait(of_a), b: wait(of_b) });
        }
        more_unanswered[0] += u64::from(silences[1] > silences[0]);
        more_unanswered[1] += u64::from(silences[0] > silences[1]);
        let count = match silences.map(|n| n == 0) {
            [true, true] => &mut counts.both_ok,
            [true, false] => &mut counts.only_a_ok,
            [false, true] => &mut counts.only_b_ok,
            [false, false] => &mut counts.neither_ok,
        };
        *count += 1;
    }
    let pairs = pairs as usize;
    let metric = Metric::HeardE2eLatency;
    (counts, Table { metric, cells, pairs, more_unanswered, unanswered })
}
