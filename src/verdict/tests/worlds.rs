//! Worlds in which verdicts are tried: how the latencies of an agent vary, and what happens to it.
//!
//! A call has four turns, of which the caller waits a minute for each reply. Unless a world says otherwise latencies
//! are lognormal around a second; a turn varies by 35 % within its call, a call by 15 % within its run, a night by
//! `drift`. A turn that is not answered ends its call.

use std::time::Duration;

use crate::measured::Measured;
use crate::random::SplitMix64;
use crate::record::{CallId, Outcome as CallOutcome, Run};
use crate::scenario::{Expect, Metric, Scenario};
use crate::turn::testing as make;
use crate::turn::{Measures, Value};
use crate::verdict::testing::CALLS_MAY_FAIL;

pub(super) const CALLS: u32 = 30;
const TURNS: u32 = 4;
const TURN_SD: f64 = 0.35;
const CALL_SD: f64 = 0.15;
/// Of turns of which every second runs a tool: a tool takes its time, and varies little.
const TOOL_SD: f64 = 0.15;
const WITHIN_MS: f64 = 60_000.0;
const AWKWARD_MS: f64 = 3_000.0;
/// Above this lies a tenth of standard normal values.
const SLOWEST_TENTH: f64 = 1.281_55;

/// How latencies vary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum World {
    Lognormal,
    /// No variance, and waits of minutes.
    Pareto,
    /// Half of the answers come from a cache.
    Cache,
    /// Every second turn runs a tool; each turn varies by 15 %.
    Tools,
    /// The same, and each turn varies by 35 %.
    NoisyTools,
    /// Four unlike turns.
    Unlike,
    /// Turns of a call are like the one before.
    Correlated,
    /// One call of every night is eight times as slow.
    OneBadCall,
}

impl World {
    pub(super) const ALL: &[Self] = &[
        Self::Lognormal,
        Self::Pareto,
        Self::Cache,
        Self::Tools,
        Self::NoisyTools,
        Self::Unlike,
        Self::Correlated,
        Self::OneBadCall,
    ];

    pub(super) const fn definition(self) -> &'static str {
        match self {
            Self::Lognormal => {
                "Latencies are lognormal around a second: they vary by 35 % from turn to turn and by 15 % from call to call."
            }
            Self::Pareto => "Waits without a variance, of 600 ms to minutes.",
            Self::Cache => {
                "Half of the answers come from a cache, after 400 ms; the others take 1,300 ms. Both vary by 25 %."
            }
            Self::Tools => "Turns take 700 and, where they run a tool, 2,200 ms, and vary by 15 %.",
            Self::NoisyTools => "The same, and turns vary by 35 %.",
            Self::Unlike => "The four turns take 600, 900, 1,400 and 2,500 ms, and vary by 35 %.",
            Self::Correlated => "As lognormal; turns of a call are like the one before (0.8).",
            Self::OneBadCall => "As lognormal; one call of every night is eight times as slow.",
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Lognormal => "lognormal",
            Self::Pareto => "Pareto 1.3",
            Self::Cache => "cache 50:50",
            Self::Tools => "tools",
            Self::NoisyTools => "tools, 35 % a turn",
            Self::Unlike => "unlike turns",
            Self::Correlated => "AR(1) 0.8",
            Self::OneBadCall => "one bad call",
        }
    }
}

/// What happens to the agent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Effect {
    /// A factor on every latency; 1 is the same agent.
    All(f64),
    /// A factor on the slowest tenth of turns.
    Tail(f64),
    /// A factor on the last turn of the script.
    LastTurn(f64),
    /// This share of turns gets no reply.
    Unanswered(f64),
    /// The slowest tenth of calls is left in its first turn.
    SlowCallsDropped,
    /// 20 % faster, and 3 % of turns get no reply.
    FasterAndFailing,
}

impl Effect {
    pub(super) const SAME: Self = Self::All(1.0);

    pub(super) fn name(self) -> String {
        let percent =
            |factor: f64| format!("{:+.0} %", (factor - 1.0) * 100.0).replace('-', "\u{2212}");
        match self {
            Self::All(factor) if (factor - 1.0).abs() < 1e-9 => "the same agent".to_owned(),
            Self::All(factor) => percent(factor),
            Self::Tail(factor) => format!("slowest tenth × {factor}"),
            Self::LastTurn(factor) => format!("last turn {}", percent(factor)),
            Self::Unanswered(share) => format!("{:.0} % unanswered", share * 100.0),
            Self::SlowCallsDropped => "slow calls dropped".to_owned(),
            Self::FasterAndFailing => "\u{2212}20 %, 3 % unanswered".to_owned(),
        }
    }
}

pub(super) fn four_questions() -> Scenario {
    let expect = Expect::Responds { within: Duration::from_secs(60) };
    let steps = ["hours", "price", "place", "bye"].map(|id| make::say(id, Some(expect)));
    make::scenario_with(CALLS_MAY_FAIL, steps.to_vec())
}

/// What varies in a turn: its size relative to what is usual for it, and how slow it is among its like, as a standard
/// normal value.
fn turn(world: World, step: u32, before: f64, random: &mut SplitMix64) -> (f64, f64) {
    let z = random.normal();
    // Drawn in every world, so that worlds differ in nothing else.
    let chance = random.unit();
    match world {
        World::Lognormal | World::OneBadCall => ((z * TURN_SD).exp() * 1_000.0, z),
        World::Correlated => {
            let z = 0.8 * before + 0.6 * z;
            ((z * TURN_SD).exp() * 1_000.0, z)
        }
        World::Pareto => {
            let place = if chance > 0.9 { SLOWEST_TENTH + 0.1 } else { 0.0 };
            (600.0 * (1.0 - chance).max(1e-6).recip().powf(1.0 / 1.3), place)
        }
        World::Cache => {
            let middle = if chance < 0.5 { 400.0 } else { 1_300.0 };
            // The slowest tenth of all is the slowest fifth of what is not in the cache.
            let place = if chance < 0.5 { -9.0 } else { z + 0.44 };
            ((z * 0.25).exp() * middle, place)
        }
        World::Tools | World::NoisyTools => {
            let sd = if world == World::Tools { TOOL_SD } else { TURN_SD };
            ((z * sd).exp() * [700.0, 2_200.0][step as usize % 2], z)
        }
        World::Unlike => {
            ((z * TURN_SD).exp() * [600.0, 900.0, 1_400.0, 2_500.0][step as usize % 4], z)
        }
    }
}

/// A call as it went: after how many milliseconds each turn was answered. `None` is one without an answer, after which
/// the call is over.
pub(super) type Call = Vec<Option<i64>>;

fn call(
    id: u32,
    (world, effect): (World, Effect),
    run_factor: f64,
    random: &mut SplitMix64,
) -> Call {
    let of_call = random.normal();
    let is_bad = world == World::OneBadCall && id == 0;
    let mut before = random.normal();
    let mut turns = Vec::new();
    for step in 0..TURNS {
        let (size, place) = turn(world, step, before, random);
        before = place;
        let bad = if is_bad { 8.0 } else { 1.0 };
        let ms = size * run_factor * bad * (of_call * CALL_SD).exp();
        // Drawn in any case, so that an agent that falls silent is otherwise the same.
        let chance = random.unit();
        let (factor, silent) = match effect {
            Effect::All(factor) => (factor, false),
            Effect::Tail(factor) => (if place > SLOWEST_TENTH { factor } else { 1.0 }, false),
            Effect::LastTurn(factor) => (if step + 1 == TURNS { factor } else { 1.0 }, false),
            Effect::Unanswered(share) => (1.0, chance < share),
            Effect::SlowCallsDropped => (1.0, of_call > SLOWEST_TENTH),
            Effect::FasterAndFailing => (0.8, chance < 0.03),
        };
        let ms = ms * factor;
        if silent || ms >= WITHIN_MS {
            turns.push(None);
            break;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a minute at most")]
        turns.push(Some(ms.round() as i64));
    }
    turns
}

/// A night of `calls` calls.
pub(super) fn night(of: (World, Effect), (calls, drift): (u32, f64), seed: u64) -> Vec<Call> {
    let mut random = SplitMix64::for_purpose(seed, 1);
    let factor = (random.normal() * drift).exp();
    (0..calls).map(|id| call(id, of, factor, &mut random)).collect()
}

/// A night as the recording of a run.
pub(super) fn recorded(id: &str, night: &[Call], scenario: &Scenario) -> Run {
    let call = |id: u32, turns: &Call| {
        let mut log = [make::connected(100), make::joined(200)].concat();
        for (step, reply) in (0..).zip(turns) {
            let begin = 1_000 + i64::from(step) * 100_000;
            let asked = begin + 2_000;
            log.extend([make::began(step, begin - 500), make::said(step, begin, asked)].concat());
            let Some(ms) = reply else {
                log.extend(make::missed(step, asked + 60_000));
                return make::call(id, log, asked + 60_100, CallOutcome::NoAnswer);
            };
            log.extend(make::voice(asked + ms, asked + ms + 1_500));
        }
        make::call(id, log, 450_000, CallOutcome::Answered)
    };
    make::run(id, (0..).zip(night).map(|(id, turns)| call(id, turns)).collect(), scenario)
}

/// What is measured of a night, as far as figures ask for it: the same as of its recording, a hundred times faster.
pub(super) fn measured(night: &[Call], like: &Measured) -> Measured {
    let mut measures = Measures::default();
    for (call, turns) in (0..).map(CallId).zip(night) {
        let mut put = |metric, step, value, censored| {
            let values = measures.by_metric.entry(metric).or_default();
            values.push(Value { call, step, value, censored });
        };
        let ok = turns.iter().all(Option::is_some);
        put(Metric::CallsOk, 0, f64::from(u8::from(ok)), false);
        for (step, reply) in (0..).zip(turns) {
            #[expect(clippy::cast_precision_loss, reason = "a minute at most")]
            let ms = reply.map_or(WITHIN_MS, |ms| ms as f64);
            put(Metric::HeardE2eLatency, step, ms, reply.is_none());
            let events = [
                (Metric::UnansweredTurns, reply.is_none()),
                (Metric::EotMispredictionCount, false),
                (Metric::AwkwardSilenceCount, ms > AWKWARD_MS),
            ];
            for (event, happened) in events {
                put(event, step, f64::from(u8::from(happened)), false);
            }
        }
    }
    Measured { measures, ends: Vec::new(), ..like.clone() }
}
