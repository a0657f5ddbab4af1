use super::testing::{Agent, run, slower};
use super::*;
use crate::record::{Observation, Outcome as CallOutcome, Run};
use crate::turn::testing::{at, call, two_questions};
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
    assert!(first.starts_with("b is worse than a: typical turn +"), "{first}");
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
    let verdict = of(&[wild(0.0); 10], &[wild(160.0); 10]);
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
        assert_eq!(verdict.outcome, Outcome::Regression, "{every}: {:?}", verdict.reasons);
    }
}

#[test]
fn a_turn_that_a_failed_call_did_not_reach_counts_as_all_of_the_wait() {
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

/// What an agent says of its stages has no part in the verdict: a stage that changed is the effect, and who does not
/// report is judged alike.
#[test]
fn a_changed_stage_is_found_as_well_without_reports() {
    let noisy = |ms: f64, reports: bool| Agent { jitter: 150.0, reports, ..slower(ms) };
    for ms in [0.0, 120.0, 300.0] {
        let judged = |reports| of(&[noisy(0.0, reports); 20], &[noisy(ms, reports); 20]);
        let (told, silent) = (judged(true), judged(false));
        assert_eq!(told.outcome, silent.outcome, "{ms}");
        let findings = |of: PairedVerdict| of.comparison.expect("compared").findings;
        assert_eq!(findings(told), findings(silent), "{ms}");
    }
}

/// A run of up to 30 pairs that has ended after `pairs`.
fn until_decided(ms: f64, pairs: usize) -> PairedVerdict {
    let scenario = two_questions();
    let side = |agent: Agent, side| {
        let mut run = run(&vec![agent; pairs], 1, side);
        run.head.arm.as_mut().expect("an arm").looks = planned(30);
        run
    };
    judged(&side(Agent::default(), Side::A), &side(slower(ms), Side::B), &scenario)
}

#[test]
fn a_run_until_it_is_decided_is_judged_at_its_planned_looks_and_no_other() {
    let verdict = until_decided(300.0, 12);
    assert_eq!(verdict.outcome, Outcome::Regression, "{:?}", verdict.reasons);
    let looks = verdict.comparison.expect("compared").looks.expect("looks");
    assert_eq!((looks.planned, looks.decided), (vec![6, 12, 18, 24, 30], true));
    let said = verdict.reasons.iter().any(|r| r.contains("of up to 30 pairs"));
    assert!(said, "{:?}", verdict.reasons);
    // Between two looks nothing is asked: ten pairs say what six did.
    let (six, ten) = (until_decided(0.0, 6), until_decided(0.0, 10));
    assert_eq!(ten.comparison.expect("compared").looks.expect("looks").had, 1);
    assert_eq!(six.outcome, ten.outcome);
}

#[test]
fn a_run_in_progress_can_be_looked_at() {
    let scenario = two_questions();
    let side = |agent: Agent, side| {
        let mut run = run(&[agent; 12], 1, side);
        run.head.arm.as_mut().expect("an arm").looks = planned(30);
        run.tail = None;
        analyse(&run, &scenario)
    };
    let decided = |ms: f64, pairs: u32| {
        let (a, b) = (side(Agent::default(), Side::A), side(slower(ms), Side::B));
        let [a, b] = [&a, &b].map(|analysis| Recorded { scenario: &scenario, analysis });
        is_decided(Pairing { a, b, seed: 1 }, pairs)
    };
    assert!(decided(300.0, 12));
    assert!(!decided(80.0, 6) && !decided(300.0, 7), "seven pairs are no look");
}

mod simulation;
mod worlds;
