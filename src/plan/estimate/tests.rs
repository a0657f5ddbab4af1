use super::*;
use crate::plan::{Schedule, Targets};
use crate::scenario::testing::parsed;
use proptest::prelude::*;
use std::num::NonZeroU8;

fn scenario(turns: &str, calls: u32, concurrency: u16) -> Scenario {
    parsed(&format!(
        "version: 1\nname: s\nagent: {{name: a}}\nhangup: {{max_call: 60s}}\n\
         load: {{executor: repeat, calls: {calls}, concurrency: {concurrency}}}\nturns:\n{turns}"
    ))
}

fn scenario_of(turns: &str) -> Scenario {
    scenario(turns, 1, 1)
}

fn plan(scenario: &Scenario, agents: u8) -> Plan {
    let targets = Targets::new(NonZeroU8::new(agents).unwrap());
    Plan { schedule: Schedule::new(scenario.load()), targets, seed: 1 }
}

const ASKS: &str = "
  - {id: greeting, expect: {agent: speaks, within: 5s}}
  - {id: ask, say: {file: a.wav}, start: {after: agent_speech_end, delay: 400ms}, expect: {agent: responds, within: 8s}}
  - {id: stop, say: {file: b.wav}, start: {after: agent_speech_start, delay: 900ms}, expect: {agent: yields, within: 2s}}
  - {id: hold, silence: 2s}
";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn the_least_is_what_the_caller_says_and_waits() {
    let scenario = scenario(ASKS, 10, 5);
    let voiced = [None, Some(ms(1_200)), Some(ms(1_000)), None];
    let estimate = Estimate::new(&plan(&scenario, 1), &scenario, &voiced);
    // The agent has finished after 700 ms, then 1,200; 900 into the reply, 1,000; two seconds of silence.
    assert_eq!(estimate.call, Span { least: ms(5_800), most: ms(60_000) });
    // Two rounds of five, the last call of the second 4 · 50 ms after its first.
    assert_eq!(estimate.wall, Span { least: ms(11_800), most: ms(120_200) });
    assert_eq!(estimate.agent, Span { least: ms(58_000), most: ms(600_000) });
    assert_eq!((estimate.calls, estimate.at_a_time), (10, 5));
    // Both agents of an A/B run share the slots.
    let both = Estimate::new(&plan(&scenario, 2), &scenario, &voiced);
    assert_eq!((both.calls, both.wall.least), (20, ms(4 * 5_800 + 200)));
}

#[test]
fn a_noise_is_waited_for_and_a_reply_is_heard_out() {
    let cough = "  - {id: c, say: {file: c.wav}, start: {after: session_start, delay: 3s}, \
                 expect: {agent: ignores}}\n";
    let scenario = scenario_of(cough);
    let call = Estimate::new(&plan(&scenario, 1), &scenario, &[Some(ms(500))]).call;
    assert_eq!(call.least, ms(3_000 + 500 + 2_000));
    let ask = "  - {id: c, say: {file: c.wav}, expect: {agent: responds, within: 5s}}\n";
    let scenario = scenario_of(ask);
    let call = Estimate::new(&plan(&scenario, 1), &scenario, &[Some(ms(500))]).call;
    assert!(call.least >= ms(1_200), "{call:?}");
}

#[test]
fn a_call_is_never_longer_than_its_limit() {
    let scenario = scenario("  - {id: long, say: {file: a.wav}}\n", 1, 1);
    let call = Estimate::new(&plan(&scenario, 1), &scenario, &[Some(ms(90_000))]).call;
    assert_eq!(call, Span { least: ms(60_000), most: ms(60_000) });
}

/// The same, call by call.
fn simulated(plan: &Plan, call: Duration) -> Duration {
    let mut free = vec![Duration::ZERO; plan.schedule.at_a_time()];
    let mut not_before = Duration::ZERO;
    let mut end = Duration::ZERO;
    for _ in plan.calls() {
        free.sort();
        let begin = free[0].max(not_before);
        not_before = begin + plan.schedule.apart();
        free[0] = begin + call;
        end = end.max(free[0]);
    }
    end
}

proptest! {
    #[test]
    fn the_wall_time_is_that_of_a_closed_loop(
        calls in 1_u32..200, slots in 1_u16..60, agents in 1_u8..3, call in 0_u64..20_000
    ) {
        let slots = slots.min(u16::try_from(calls).unwrap());
        let scenario = scenario("  - {id: hold, silence: 1s}\n", calls, slots);
        let plan = plan(&scenario, agents);
        prop_assert_eq!(wall(&plan, ms(call)), simulated(&plan, ms(call)));
    }

    #[test]
    fn least_is_never_more_than_most(calls in 1_u32..100_000, clip in 0_u64..120_000) {
        let scenario = scenario(ASKS, calls, 1);
        let estimate = Estimate::new(&plan(&scenario, 2), &scenario, &[None, Some(ms(clip)), None, None]);
        for span in [estimate.call, estimate.wall, estimate.agent] {
            prop_assert!(span.least <= span.most, "{:?}", estimate);
        }
    }
}
