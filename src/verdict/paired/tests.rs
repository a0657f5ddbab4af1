use super::testing::{Agent, run, slower};
use super::*;
use crate::record::{Observation, Outcome as CallOutcome, Run};
use crate::stats::{Statistic, difference};
use crate::turn::testing::{at, call, two_questions, two_questions_with};
use crate::turn::{Part, analyse};

fn judged(a: &Run, b: &Run, scenario: &Scenario) -> PairedVerdict {
    let (x, y) = (analyse(a, scenario), analyse(b, scenario));
    judge(Pairing {
        a: Recorded { scenario, analysis: &x },
        b: Recorded { scenario, analysis: &y },
        seed: 7,
    })
}

fn of(a: &[Agent], b: &[Agent]) -> PairedVerdict {
    judged(&run(a, 1, Side::A), &run(b, 1, Side::B), &two_questions())
}

#[test]
fn a_slower_stage_is_worse_and_named() {
    let verdict = of(&[Agent::default(); 10], &[slower(300.0); 10]);
    assert_eq!(verdict.outcome, Outcome::Regression);
    let first = &verdict.reasons[0];
    assert!(first.starts_with("b is worse than a: heard_e2e_latency +"), "{first}");
    assert!(first.contains("mainly llm_node_ttft (+"), "{first}");
    let comparison = verdict.comparison.expect("compared");
    let shift = comparison.changes[0].shift;
    assert!(shift.low > 270.0 && shift.high < 330.0, "{shift:?}");
    assert_eq!((comparison.pairs, comparison.changes[0].turns), (10, 20));
    let attribution = comparison.attribution.expect("stages");
    assert_eq!(attribution.chief().map(|c| c.part), Some(Part::LlmFirstToken));
    let back = of(&[slower(300.0); 10], &[Agent::default(); 10]);
    assert_eq!(back.outcome, Outcome::Improvement, "{:?}", back.reasons);
}

#[test]
fn the_same_agent_is_no_worse_and_that_is_said() {
    let verdict = of(&[Agent::default(); 10], &[Agent::default(); 10]);
    assert_eq!(verdict.outcome, Outcome::Pass);
    assert!(verdict.reasons[0].starts_with("b is no worse than a"), "{:?}", verdict.reasons);
    assert!(verdict.reasons.iter().any(|r| r.contains("have the same name, metadata and server")));
    let detectable = verdict.comparison.and_then(|c| c.detectable_ms).expect("known");
    assert!((102.0..140.0).contains(&detectable), "{detectable}");
}

#[test]
fn too_few_pairs_are_unclear() {
    let verdict = of(&[Agent::default(); 5], &[slower(300.0); 5]);
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    assert_eq!(
        verdict.reasons[0],
        "heard_e2e_latency cannot be compared: 5 pairs of calls: at least 6 are needed"
    );
    // Neither a word nor an interval, however large the shift.
    let comparison = verdict.comparison.expect("a pair");
    assert!(comparison.changes.is_empty() && comparison.attribution.is_none(), "{comparison:?}");
    assert_eq!((comparison.detectable_ms, comparison.too_few), (None, Some((5, 10))));
    assert!(!verdict.reasons.iter().any(|r| r.contains("interval")), "{:?}", verdict.reasons);
}

#[test]
fn a_vague_shift_says_how_many_calls_would_settle_it() {
    let wild = |ms: f64| Agent { jitter: 400.0, ..slower(ms) };
    let verdict = of(&[wild(0.0); 10], &[wild(60.0); 10]);
    assert_eq!(verdict.outcome, Outcome::Inconclusive, "{:?}", verdict.reasons);
    let first = &verdict.reasons[0];
    assert!(first.contains("calls to each would settle it (now 10)"), "{first}");
    let comparison = verdict.comparison.expect("compared");
    assert!(comparison.pairs_needed.is_some_and(|n| n > 10));
}

#[test]
fn an_agent_that_stops_answering_never_looks_faster() {
    let silent = |every: u32, ms: f64| Agent { silent_every: every, ..slower(ms) };
    // It answers 300 ms sooner, but one turn in two (three, five) not at all.
    for every in [2, 3, 5] {
        let scenario = two_questions();
        let fast = silent(every, -300.0).run("ab-b", 20, 9, &scenario);
        let mut b = run(&[slower(-300.0); 20], 1, Side::B);
        b.calls = fast.calls;
        let verdict = judged(&run(&[Agent::default(); 20], 1, Side::A), &b, &scenario);
        assert_ne!(verdict.outcome, Outcome::Improvement, "{every}: {:?}", verdict.reasons);
        assert_ne!(verdict.outcome, Outcome::Pass, "{every}: {:?}", verdict.reasons);
        let back = {
            let mut a = run(&[Agent::default(); 20], 1, Side::A);
            a.calls.clone_from(&b.calls);
            judged(&a, &run(&[Agent::default(); 20], 1, Side::B), &scenario)
        };
        assert_ne!(back.outcome, Outcome::Regression, "{every}: {:?}", back.reasons);
    }
}

#[test]
fn a_turn_that_a_failed_call_did_not_reach_may_be_anything() {
    let scenario = two_questions();
    let a = run(&[Agent::default(); 20], 1, Side::A);
    let mut b = run(&[Agent::default(); 20], 1, Side::B);
    for id in [3, 8] {
        let gone = vec![];
        b.calls[id as usize] = call(id, gone, 20_000, CallOutcome::NoAgent);
    }
    let verdict = judged(&a, &b, &scenario);
    let comparison = verdict.comparison.expect("compared");
    assert_eq!(comparison.changes[0].bounded, 4);
    assert_eq!((comparison.calls.both_ok, comparison.calls.only_a_ok), (18, 2));
    // Two calls more that fail are not "the same".
    assert_eq!(verdict.outcome, Outcome::Inconclusive, "{:?}", verdict.reasons);
    for id in 10..16 {
        b.calls[id as usize] = call(id, vec![], 20_000, CallOutcome::NoAgent);
    }
    let verdict = judged(&a, &b, &scenario);
    assert_eq!(verdict.outcome, Outcome::Regression);
    let first = &verdict.reasons[0];
    assert!(
        first.starts_with("more calls to b fail than to a: of 20 pairs, 8 succeeded only"),
        "{first}"
    );
}

#[test]
fn unfit_and_strange_recordings_are_not_judged() {
    let scenario = two_questions();
    let (a, mut b) =
        (run(&[Agent::default(); 10], 1, Side::A), run(&[Agent::default(); 10], 1, Side::B));
    b.head.arm.as_mut().expect("an arm").ab = "other".to_owned();
    let verdict = judged(&a, &b, &scenario);
    assert_eq!(verdict.outcome, Outcome::NotComparable);
    assert_eq!(verdict.reasons, ["the two recordings are not a and b of one A/B run"]);
    let mut b = run(&[Agent::default(); 10], 1, Side::B);
    for record in &mut b.calls {
        record.log.retain(|s| !matches!(s.what, Observation::AgentJoined { .. }));
        record.end.outcome = CallOutcome::NoAgent;
    }
    let mut short = a.clone();
    short.calls.truncate(4);
    let verdict = judged(&short, &b, &scenario);
    assert_eq!(verdict.outcome, Outcome::NothingMeasured);
    assert!(verdict.reasons[0].starts_with("b: no call reached an agent"), "{:?}", verdict.reasons);
    assert!(verdict.reasons[1].starts_with("a: only 4 of 10"), "{:?}", verdict.reasons);
    let mut stopped = a;
    let tail = stopped.tail.as_mut().expect("a tail");
    (tail.stopped, tail.ended) = (true, at(1));
    let verdict = judged(&stopped, &run(&[Agent::default(); 10], 1, Side::B), &scenario);
    assert_eq!(verdict.outcome, Outcome::Stopped);
}

/// An A/B run of `pairs` pairs while the provider's speed changes for both alike: a slow wave, and a
/// steady drift of 10 %.
fn drifting(pairs: u32, wave: f64, b_is: f64, seed: u64) -> (Vec<Agent>, Vec<Agent>) {
    let usual = Agent { jitter: 120.0, ..Agent::default() };
    let agent = |i: u32, factor: f64| {
        let through = f64::from(i) / f64::from(pairs);
        #[expect(clippy::cast_precision_loss, reason = "a phase")]
        let phase = (seed % 7) as f64;
        let hour = 1.0 + 0.1 * through + wave * (through * 9.0 + phase).sin();
        let total =
            usual.end_of_turn + usual.ttft + usual.first_sentence + usual.ttfb + usual.network;
        Agent { ttft: usual.ttft + total * (hour * factor - 1.0), ..usual }
    };
    let side = |factor: f64| (0..pairs).map(|i| agent(i, factor)).collect();
    (side(1.0), side(b_is))
}

#[test]
fn false_alarms_are_rare_and_intervals_are_honest_while_the_hour_drifts() {
    let scenario = two_questions();
    let (mut alarms, mut excluded) = (0, 0);
    let trials = 300;
    for seed in 0..trials {
        let (a, b) = drifting(20, 0.1, 1.0, seed);
        let (a, b) = (run(&a, seed, Side::A), run(&b, seed, Side::B));
        let (x, y) = (analyse(&a, &scenario), analyse(&b, &scenario));
        let how = Resampling { resamples: 400, seed };
        let change =
            change(Metric::HeardE2eLatency, &x.measures, &y.measures, &how).expect("pairs");
        let standing = standing(&change, scenario.baseline().min_effect_ms(change.a.value));
        alarms += i32::from(standing == Standing::Worse || standing == Standing::Better);
        excluded += i32::from(change.shift.low > 0.0 || change.shift.high < 0.0);
    }
    // 5 % of 300 is 15, with a standard error of 3.8.
    assert!(alarms <= 15, "{alarms} of {trials} are alarms");
    assert!((4..=26).contains(&excluded), "{excluded} of {trials} intervals miss the truth");
}

#[test]
fn ten_percent_is_found_within_pairs_where_runs_side_by_side_hide_it() {
    let scenario = two_questions_with("baseline: {min_effect: {rel: 4%, abs: 20ms}}");
    let trials = 100;
    let (mut paired, mut unpaired) = (0, 0);
    for seed in 0..trials {
        let (a, b) = drifting(30, 0.35, 1.1, seed);
        let (a, b) = (run(&a, seed, Side::A), run(&b, seed, Side::B));
        let (x, y) = (analyse(&a, &scenario), analyse(&b, &scenario));
        let how = Resampling { resamples: 300, seed };
        let metric = Metric::HeardE2eLatency;
        let change = change(metric, &x.measures, &y.measures, &how).expect("pairs");
        let effect = scenario.baseline().min_effect_ms(change.a.value);
        paired += i32::from(standing(&change, effect) == Standing::Worse);
        let of = |m: &Analysis| sample(m.measures.values(metric)).expect("values");
        let apart = difference(&of(&x), &of(&y), Statistic::Quantile(50.0), &how).interval;
        unpaired += i32::from(apart.low > 0.0 && apart.point >= effect);
    }
    assert!(paired >= 90, "{paired} of {trials} within pairs");
    assert!(unpaired <= 50, "{unpaired} of {trials} side by side");
}
