//! Against several accepted runs.

use super::super::super::testing::{Agent, accepted};
use super::*;
use crate::random::SplitMix64;
use crate::verdict::{BASELINE_MAX_BYTES, Deciding, Mismatch, Verdict};

/// Accepted runs of an agent that differs by up to `drift` milliseconds from night to night.
fn nights(runs: u32, calls: u32, agent: Agent, drift: f64, scenario: &Scenario) -> Baseline {
    let mut random = SplitMix64::new(99);
    let mut night = |i: u32| {
        let network = agent.network + (random.unit() * 2.0 - 1.0) * drift;
        let agent = Agent { network, ..agent };
        accepted(&agent.run(&format!("run-{i}"), calls, u64::from(i) + 10, scenario), scenario)
    };
    let first = night(0);
    (1..runs).fold(first, |all, i| all.with(night(i), 30).expect("of one kind"))
}

fn held(base: &Baseline, agent: Agent, calls: u32, scenario: &Scenario) -> Verdict {
    let run = agent.run("tonight", calls, 1_000, scenario);
    let (analysis, mismatch) = (analyse(&run, scenario), Mismatch::Refuse);
    judge(Judging {
        scenario,
        analysis: &analysis,
        baseline: Some(base),
        mismatch,
        deciding: Deciding::Once,
        seed: 7,
    })
}

#[test]
fn a_slower_night_is_told_from_a_usual_one() {
    let scenario = two_questions();
    let base = Agent::default();
    let week = nights(7, 10, base, 60.0, &scenario);
    let verdict = held(&week, base, 10, &scenario);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.reasons);
    insta::assert_snapshot!("a_usual_night", verdict.reasons.join("\n"));

    let slow = Agent { ttft: base.ttft + 250.0, ..base };
    let verdict = held(&week, slow, 10, &scenario);
    assert_eq!(verdict.outcome, Outcome::Regression);
    insta::assert_snapshot!("a_slow_night", verdict.reasons.join("\n"));
    let comparison = verdict.comparison.expect("compared");
    assert_eq!(
        (comparison.baseline_runs.len(), comparison.baseline_runs[6].as_str()),
        (7, "run-6")
    );
    assert_eq!(comparison.baseline_run_id, "run-6");

    let fast = Agent { ttft: base.ttft - 200.0, ..base };
    let verdict = held(&week, fast, 10, &scenario);
    assert_eq!(verdict.outcome, Outcome::Improvement, "{:?}", verdict.reasons);
}

#[test]
fn what_one_run_calls_a_change_may_be_a_usual_night() {
    let scenario = two_questions();
    let base = Agent::default();
    let late = Agent { network: base.network + 300.0, ..base };
    let one = nights(1, 10, base, 0.0, &scenario);
    assert_eq!(held(&one, late, 10, &scenario).outcome, Outcome::Regression);
    let week = nights(7, 10, base, 500.0, &scenario);
    let verdict = held(&week, late, 10, &scenario);
    assert_eq!(verdict.outcome, Outcome::Inconclusive, "{:?}", verdict.reasons);
    assert!(
        verdict.reasons[0]
            .contains("more calls will not help, because the run-to-run standard deviation")
            && verdict.reasons[0].contains("`loadcall ab`"),
        "{:?}",
        verdict.reasons
    );
}

#[test]
fn too_few_calls_blur_the_nights() {
    let scenario = two_questions_with("baseline: {min_effect: {rel: 3%, abs: 20ms}}");
    let wild = Agent { jitter: 700.0, ..Agent::default() };
    let week = nights(7, 8, wild, 0.0, &scenario);
    let verdict = held(&week, Agent { network: 320.0, ..wild }, 8, &scenario);
    assert_eq!(verdict.outcome, Outcome::Inconclusive, "{:?}", verdict.reasons);
    assert!(verdict.reasons[0].contains("would settle it (now 8)"), "{:?}", verdict.reasons);
}

#[test]
fn two_to_four_runs_say_that_they_are_too_few() {
    let scenario = two_questions();
    let few = nights(3, 10, Agent::default(), 0.0, &scenario);
    let verdict = held(&few, Agent::default(), 10, &scenario);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.reasons);
    let note = "the baseline has 3 runs: intervals are of the calls alone";
    assert!(verdict.reasons.iter().any(|r| r.starts_with(note)), "{:?}", verdict.reasons);
    let comparison = verdict.comparison.expect("compared");
    assert_eq!(comparison.answers[0].basis, Basis::Calls);
    assert_eq!(comparison.failures.expect("calls").baseline.n, 30);
}

#[test]
fn a_run_of_fewer_calls_may_lie_further_off() {
    let scenario = two_questions();
    let wild = Agent { jitter: 300.0, ..Agent::default() };
    let week = nights(7, 60, wild, 0.0, &scenario);
    let width = |calls| {
        let comparison = held(&week, wild, calls, &scenario).comparison.expect("compared");
        comparison.answers[0].difference.half_width()
    };
    assert!(width(10) > 1.5 * width(60), "{} and {}", width(10), width(60));
}

#[test]
fn a_bound_can_make_a_run_worse_but_never_better() {
    let scenario = two_questions_with(CALLS_MAY_FAIL);
    let base = Agent::default();
    let mute = Agent { silent_every: 1, ..base };
    let week = nights(7, 10, base, 60.0, &scenario);
    let verdict = held(&week, mute, 10, &scenario);
    assert_eq!(verdict.outcome, Outcome::Regression);
    assert!(verdict.comparison.expect("compared").answers[0].run_is_bound);
    let silent = nights(7, 10, mute, 0.0, &scenario);
    let verdict = held(&silent, base, 10, &scenario);
    assert_eq!(verdict.outcome, Outcome::Improvement, "{:?}", verdict.reasons);
    let verdict = held(&silent, mute, 10, &scenario);
    assert_eq!(verdict.outcome, Outcome::Inconclusive, "{:?}", verdict.reasons);
}

#[test]
fn another_metric_that_changed_is_told_and_reddens_nothing() {
    let scenario = two_questions();
    let base = Agent::default();
    let week = nights(7, 10, base, 40.0, &scenario);
    // What the language model takes longer, the end of the turn comes sooner.
    let shifted = Agent { ttft: base.ttft + 150.0, end_of_turn: base.end_of_turn - 150.0, ..base };
    let verdict = held(&week, shifted, 10, &scenario);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.reasons);
    let told = |start: &str| verdict.reasons.iter().any(|r| r.starts_with(start));
    assert!(told("also significantly slower: llm_node_ttft p50 (+"), "{:?}", verdict.reasons);
    assert!(told("also significantly faster: end_of_turn_delay p50 (\u{2212}"));
}

#[test]
fn a_spread_that_changed_is_told_and_reddens_nothing() {
    let scenario = two_questions();
    let base = Agent { jitter: 40.0, ..Agent::default() };
    let week = nights(7, 40, base, 20.0, &scenario);
    let verdict = held(&week, Agent { jitter: 120.0, ..base }, 40, &scenario);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.reasons);
    let note = "spread changed: heard_e2e_latency p90 minus p50 ";
    assert!(verdict.reasons.iter().any(|r| r.starts_with(note)), "{:?}", verdict.reasons);
    let usual = held(&week, base, 40, &scenario);
    assert!(!usual.reasons.iter().any(|r| r.starts_with("spread")), "{:?}", usual.reasons);
}

#[test]
fn a_p95_needs_sixty_turns_in_each_run() {
    let scenario = two_questions_with("baseline: {primary: heard_e2e_latency.p95}");
    let base = Agent::default();
    let short = nights(7, 29, base, 60.0, &scenario);
    // Too few turns in a run: all calls together are judged.
    let verdict = held(&short, base, 30, &scenario);
    assert_eq!(verdict.comparison.expect("compared").answers[0].basis, Basis::Calls);
    let verdict = held(&short, base, 29, &scenario);
    assert_eq!(verdict.outcome, Outcome::Inconclusive, "{:?}", verdict.reasons);
    let long = nights(7, 30, base, 60.0, &scenario);
    let verdict = held(&long, base, 30, &scenario);
    assert!(matches!(verdict.comparison.expect("compared").answers[0].basis, Basis::Runs(_)));
}

#[test]
fn failures_of_several_runs_count_together() {
    let scenario = two_questions_with(CALLS_MAY_FAIL);
    let base = Agent::default();
    let week = nights(7, 30, base, 60.0, &scenario);
    let with_failures = |failed: usize| {
        let mut run = base.run("tonight", 30, 1_000, &scenario);
        for call in run.calls.iter_mut().take(failed) {
            call.end.outcome = CallOutcome::AgentLeft;
        }
        let analysis = analyse(&run, &scenario);
        let (scenario, mismatch) = (&scenario, Mismatch::Refuse);
        judge(Judging {
            scenario,
            analysis: &analysis,
            baseline: Some(&week),
            mismatch,
            deciding: Deciding::Once,
            seed: 7,
        })
    };
    // None of 210 failed: two of 30 come about in 1.5 % of cases, three in 0.2 %; the level is below 1 %.
    assert_eq!(with_failures(2).outcome, Outcome::Pass);
    let verdict = with_failures(3);
    assert_eq!(verdict.outcome, Outcome::Regression);
    assert_eq!(
        verdict.reasons[0],
        "more calls fail than in the baseline: 210 of 210 were ok → 27 of 30 (−10.0 points, 95 % interval \
         −25.6 to −3.2; by chance in 0.2 % of cases)"
    );
}

#[test]
fn seven_runs_of_many_calls_fit_the_file() {
    let scenario = two_questions();
    let week = nights(2, 2_000, Agent::default(), 0.0, &scenario);
    // Seven runs of ten thousand calls are 17.5 times as much.
    let bytes = week.to_json().len() * 35 / 2;
    assert!(bytes < BASELINE_MAX_BYTES, "{bytes}");
}
