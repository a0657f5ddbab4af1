mod fifty;
mod nightly;
mod promises;
mod simulation;
mod table;
mod trials;
mod worlds;

use super::testing::{Agent, against};
use super::*;
use crate::record::{Outcome as CallOutcome, Run, RunTail};
use crate::stats::Histogram;
use crate::turn::analyse;
use crate::turn::testing::{two_questions, two_questions_with};

#[test]
fn thresholds() {
    let scenario = two_questions_with(
        r#"thresholds:
  heard_e2e_latency: ["p(95)<9000ms", "p(50)<1500ms", "max>7999ms"]
  time_to_yield: "p(50)<800ms"
  calls_ok: "rate>0.85""#,
    );
    let run = Agent { silent_every: 20, ..Agent::default() }.run("r", 10, 1, &scenario);
    let verdict = against(None, &run, &scenario);
    let held: Vec<bool> = verdict.thresholds.iter().map(|t| t.held).collect();
    // One of 20 turns got no reply within 8 s: p95 is the 19th and known, the largest is not.
    assert_eq!(held, [true, true, true, false, true], "{:#?}", verdict.thresholds);
    assert_eq!(verdict.thresholds[3].measured, None);
    assert_eq!(verdict.thresholds[3].text, "time_to_yield p(50)<800ms: no value was measured");
    assert_eq!(
        verdict.thresholds[2].text,
        "heard_e2e_latency max>7999ms: max ≥ 8,000 ms (n 20, 1 unanswered)"
    );
    assert_eq!(
        verdict.thresholds[4].text,
        "calls_ok rate>0.85: 0.900 (9 of 10, 95 % interval 0.55 to 1.00)"
    );
    assert_eq!(verdict.outcome, Outcome::Fail);
    assert_eq!(
        verdict.reasons,
        [
            "threshold failed: time_to_yield p(50)<800ms: no value was measured",
            "heard_e2e_latency p95 is based on 10 calls: about 36 are needed for an interval with two ends",
        ]
    );
}

#[test]
fn a_bound_holds_no_limit_from_above() {
    let scenario = two_questions_with(r#"thresholds: {heard_e2e_latency: "p(95)<20000ms"}"#);
    let run = Agent { silent_every: 10, ..Agent::default() }.run("r", 10, 1, &scenario);
    let verdict = against(None, &run, &scenario);
    assert_eq!(verdict.outcome, Outcome::Fail);
    let bound = Quantile { value: 8_000.0, lower_bound: true };
    assert_eq!((verdict.thresholds[1].measured, verdict.thresholds[1].held), (Some(bound), false));
}

#[test]
fn every_call_must_succeed_unless_the_scenario_says_otherwise() {
    let scenario = two_questions();
    let good = against(None, &Agent::default().run("r", 10, 1, &scenario), &scenario);
    assert_eq!((good.outcome, good.thresholds.len()), (Outcome::Pass, 1));
    assert_eq!(good.reasons, ["10 of 10 calls succeeded"]);
    let run = Agent { silent_every: 20, ..Agent::default() }.run("r", 10, 1, &scenario);
    let bad = against(None, &run, &scenario);
    assert_eq!(bad.outcome, Outcome::Fail);
    assert_eq!(
        bad.reasons[0],
        "threshold failed: calls_ok rate>=1: 0.900 (9 of 10, 95 % interval 0.55 to 1.00) [1 no_reply]"
    );
}

#[test]
fn runs_that_are_not_judged() {
    let scenario = two_questions();
    let good = || Agent::default().run("r", 10, 1, &scenario);
    let check = |run: &Run, outcome: Outcome, reason: &str| {
        // A failed threshold changes nothing.
        let scenario = two_questions_with(r#"thresholds: {heard_e2e_latency: "p(95)<1ms"}"#);
        let verdict = against(None, run, &scenario);
        assert_eq!((verdict.outcome, verdict.reasons), (outcome, vec![reason.to_owned()]));
        let analysis = analyse(run, &scenario);
        Baseline::accept(&analysis, &scenario, "now").expect_err("no measure for others");
    };

    let mut run = good();
    run.tail = None;
    check(
        &run,
        Outcome::Invalid,
        "the recording has no end: the run was killed after 10 recorded calls, or is still running",
    );
    let mut run = good();
    run.calls.truncate(4);
    run.calls[3].end.outcome = CallOutcome::Stopped;
    run.tail = Some(RunTail { stopped: true, ..run.tail.expect("a tail") });
    check(
        &run,
        Outcome::Stopped,
        "the run was stopped when 3 of 10 calls had ended; its values are reported, not judged",
    );
    let mut run = good();
    run.calls.truncate(4);
    check(
        &run,
        Outcome::Invalid,
        "only 4 of 10 planned calls were recorded; run the scenario again",
    );
    let mut run = good();
    run.calls.iter_mut().take(2).for_each(|c| {
        c.end.outcome = CallOutcome::OurFault;
        c.end.detail = "no free port".to_owned();
    });
    check(
        &run,
        Outcome::Invalid,
        "2 of 10 calls failed on the caller's side (no free port); lower the concurrency or use a \
         larger machine",
    );
    let mut run = good();
    for call in &mut run.calls {
        call.log.clear();
        call.end.outcome = CallOutcome::Refused;
        call.end.detail = "invalid API key".to_owned();
    }
    check(
        &run,
        Outcome::NothingMeasured,
        "no call reached an agent: 10 of 10 calls ended as `refused` (invalid API key); check \
         LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET against the server's",
    );
    let mut run = good();
    run.calls.clear();
    run.tail = Some(RunTail { planned: 0, ..run.tail.expect("a tail") });
    check(&run, Outcome::NothingMeasured, "no call reached an agent: no call was placed");
}

#[test]
fn a_caller_that_falls_behind_makes_a_run_invalid() {
    let scenario = two_questions();
    let pacing_of = |late_us: i64| {
        let mut run = Agent::default().run("r", 10, 1, &scenario);
        for call in &mut run.calls {
            let late = Histogram::of((0..100).map(|i| if i < 98 { 500 } else { late_us }));
            call.media.pacing = late.to_base64().expect("written");
        }
        run
    };
    let good = pacing_of(19_000);
    assert_eq!(against(None, &good, &scenario).outcome, Outcome::Pass);
    let pacing = super::pacing(&analyse(&good, &scenario).media).expect("paced");
    assert_eq!(pacing.packets, 1_000);
    assert!((pacing.p50_ms - 0.5).abs() < 0.01 && (pacing.p99_ms - 19.0).abs() < 0.05);
    let verdict = against(None, &pacing_of(31_000), &scenario);
    assert_eq!(verdict.outcome, Outcome::Invalid);
    assert!(
        verdict.reasons[0]
            .starts_with("the load generator was overloaded: its audio packets left 31 ms"),
        "{:?}",
        verdict.reasons
    );
    // A thousand packets were sent; ten more that were not are under one in a hundred.
    let mut run = pacing_of(1_000);
    run.calls[0].media.packets_skipped = 10;
    let verdict = against(None, &run, &scenario);
    assert_eq!(verdict.outcome, Outcome::Pass);
    assert_eq!(verdict.reasons[1], "the load generator stalled: 10 audio packets were never sent");
    run.calls[1].media.packets_skipped = 1;
    let verdict = against(None, &run, &scenario);
    assert_eq!(verdict.outcome, Outcome::Invalid);
    let said = "the load generator was overloaded: 11 of its 1,011 audio packets were never sent";
    assert!(verdict.reasons[0].starts_with(said), "{:?}", verdict.reasons);
    let mut run = pacing_of(1_000);
    run.calls[0].media.pacing = "garbage".to_owned();
    let reasons = against(None, &run, &scenario).reasons;
    assert_eq!(reasons[1], "the pacing of 1 call cannot be read");
}
