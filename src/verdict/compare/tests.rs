use proptest::prelude::*;

mod held;
mod runs;

use super::super::testing::{Agent, CALLS_MAY_FAIL, against, compared};
use super::super::{Basis, Deciding, Direction, Mismatch, Outcome, Verdict, judge};
use super::*;
use crate::measured::Measured;
use crate::record::{Observation, Outcome as CallOutcome, Run, SessionEvent};
use crate::scenario::Scenario;
use crate::turn::testing::{ask, listen, scenario, two_questions, two_questions_with};
use crate::turn::{Part, analyse};

#[test]
fn the_same_agent_again_passes() {
    let verdict = compared(Agent::default(), Agent::default(), 10);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.reasons);
    insta::assert_snapshot!("the_same_agent_again", verdict.reasons.join("\n"));
}

#[test]
fn a_slower_llm_is_named() {
    let slow = Agent { ttft: 650.0, ..Agent::default() };
    let verdict = compared(Agent::default(), slow, 10);
    assert_eq!(verdict.outcome, Outcome::Regression);
    insta::assert_snapshot!("a_slower_llm", verdict.reasons.join("\n"));
    assert!(verdict.reasons[0].contains("mainly llm_node_ttft (+39"), "{:?}", verdict.reasons);
    let comparison = verdict.comparison.expect("compared");
    assert_eq!(comparison.baseline_run_id, "run-a");
    assert_eq!(comparison.changes[0].metric, Metric::HeardE2eLatency);
    let ttft = comparison.changes.iter().find(|c| c.metric == Metric::LlmNodeTtft);
    assert!(ttft.is_some_and(|c| c.difference.low > 300.0), "{ttft:?}");
}

#[test]
fn a_faster_agent_is_an_improvement() {
    let fast = Agent { ttft: 10.0, first_sentence: 80.0, ..Agent::default() };
    let verdict = compared(Agent::default(), fast, 10);
    assert_eq!(verdict.outcome, Outcome::Improvement);
    assert!(verdict.reasons[0].contains("mainly llm_node_ttft (−23"), "{:?}", verdict.reasons);
}

#[test]
fn every_part_is_found() {
    let base = Agent::default();
    let with = [
        (Part::EndOfTurn, Agent { end_of_turn: 850.0, ..base }),
        (Part::UserTurnHook, Agent { hook: 350.0, ..base }),
        (Part::LlmFirstToken, Agent { ttft: 600.0, ..base }),
        (Part::LlmFirstSentence, Agent { first_sentence: 530.0, ..base }),
        (Part::TtsFirstByte, Agent { ttfb: 500.0, ..base }),
        (Part::Unattributed, Agent { network: 550.0, ..base }),
    ];
    for (part, slow) in with {
        let verdict = compared(base, slow, 15);
        assert_eq!(verdict.outcome, Outcome::Regression, "{part:?}");
        let attribution = verdict.comparison.expect("compared").attribution.expect("has parts");
        let parts = attribution.parts;
        assert!(attribution.rest_ms.abs() < 15.0, "{}", attribution.rest_ms);
        assert_eq!(parts[0].part, part, "{parts:?}");
        assert!((parts[0].change_ms - 350.0).abs() < 15.0, "{parts:?}");
        assert!(parts[1..].iter().all(|p| p.change_ms.abs() < 15.0), "{parts:?}");
        assert!(verdict.reasons[0].contains(&format!("mainly {}", part.name())));
    }
}

#[test]
fn a_first_byte_of_another_meaning_is_not_compared() {
    let scenario = two_questions();
    let mut old = Agent::default().run("run-a", 15, 1, &scenario);
    for seen in old.calls.iter_mut().flat_map(|call| &mut call.log) {
        if let Observation::Session(SessionEvent::AgentMessage { metrics, .. }) = &mut seen.what {
            let sentence = metrics.llm_node_ttfs_ms.take().zip(metrics.llm_node_ttft_ms);
            let wait = sentence.map_or(0.0, |(end, begin)| end - begin);
            metrics.tts_node_ttfb_ms = metrics.tts_node_ttfb_ms.map(|ms| ms + wait);
        }
    }
    let slow = Agent { ttft: 650.0, ..Agent::default() }.run("run-b", 15, 2, &scenario);
    let verdict = against(Some(&old), &slow, &scenario);
    assert_eq!(verdict.outcome, Outcome::Regression);
    assert!(verdict.reasons[0].contains("mainly llm_node_ttft"), "{:?}", verdict.reasons);
    let said = |word: &str| verdict.reasons.iter().any(|reason| reason.contains(word));
    assert!(said("tts_node_ttfb is another measure on each side"), "{:?}", verdict.reasons);
    let comparison = verdict.comparison.as_ref().expect("compared");
    assert!(comparison.changes.iter().all(|c| c.metric != Metric::TtsNodeTtfb));
    assert!(comparison.changes.iter().any(|c| c.metric == Metric::E2eLatency));
    let parts = &comparison.attribution.as_ref().expect("has parts").parts;
    assert!(parts.iter().all(|p| p.part == Part::LlmFirstToken || p.change_ms.abs() < 15.0));
}

#[test]
fn an_agent_that_reports_nothing_is_judged_by_ear() {
    let mute = Agent { reports: false, ..Agent::default() };
    let verdict = compared(mute, Agent { network: 600.0, ..mute }, 10);
    assert_eq!(verdict.outcome, Outcome::Regression);
    assert!(verdict.reasons[1].starts_with("the stage is unknown"));
}

#[test]
fn small_and_unsure_changes() {
    let base = Agent::default();
    // Beyond chance, but below the 8 % that matter.
    let verdict = compared(base, Agent { ttft: 290.0, ..base }, 40);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.reasons);
    // Perhaps large, but too uncertain: no regression while the baseline is learnt, and no clean bill either.
    let wild = Agent { jitter: 400.0, ..base };
    let verdict = compared(wild, wild, 10);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.reasons);
    assert_eq!(verdict.learning, Some(Learning { runs: 1, of: 5 }));
    let first = &verdict.reasons[0];
    assert!(first.starts_with("learning, 1 of 5 runs: typical turn "), "{first}");
    assert!(first.contains(" ms or more is neither shown nor ruled out yet; about "), "{first}");
    assert!(first.ends_with("would rule it out if there is none (now 10 and 10)"), "{first}");
    let comparison = verdict.comparison.as_ref().expect("compared");
    assert_eq!(comparison.answers[0].direction, Direction::Unclear);
}

#[test]
fn only_an_accepted_baseline_that_will_grow_is_learnt() {
    let wild = Agent { jitter: 400.0, ..Agent::default() };
    let unclear = |verdict: &Verdict| {
        assert_eq!(verdict.outcome, Outcome::Inconclusive, "{:?}", verdict.reasons);
        assert_eq!(verdict.learning, None);
    };
    // A run that is named to compare with.
    let scenario = two_questions();
    let [old, new] = [wild.run("run-a", 10, 1, &scenario), wild.run("run-b", 10, 2, &scenario)];
    let run = Measured::take(&analyse(&old, &scenario), &scenario, true);
    let (baseline, analysis) = (Baseline::from_run(run), analyse(&new, &scenario));
    unclear(&judge(Judging {
        scenario: &scenario,
        analysis: &analysis,
        baseline: Some(&baseline),
        mismatch: Mismatch::Refuse,
        deciding: Deciding::Once,
        seed: 7,
    }));
    // A baseline that keeps one run has all its runs.
    let scenario = two_questions_with("baseline: {runs: 1}");
    unclear(&against(Some(&old), &new, &scenario));
}

#[test]
fn the_recommended_number_of_calls_settles_it() {
    let wild = Agent { jitter: 400.0, ..Agent::default() };
    let verdict = compared(wild, wild, 10);
    let words: Vec<&str> = verdict.reasons[0].split(' ').collect();
    let place = words.iter().position(|w| *w == "about").expect("a number of calls");
    let need: u32 = words[place + 1].replace(',', "").parse().expect("a number");
    assert!((20..400).contains(&need), "{need}");
    let verdict = compared(wild, wild, need * 2);
    assert!(verdict.reasons[0].starts_with("no worse than"), "{:?}", verdict.reasons);
}

#[test]
fn too_little_to_compare() {
    let verdict = compared(Agent::default(), Agent::default(), 4);
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    assert_eq!(verdict.grounds, [Ground::Inconclusive]);
    // No word and no interval on anything, whatever the difference.
    assert!(!verdict.reasons.iter().any(|r| r.contains("interval +") || r.contains("interval −")));
    let comparison = verdict.comparison.as_ref().expect("comparable");
    assert!(comparison.changes.is_empty() && comparison.spread.is_none(), "{comparison:?}");
    assert!(comparison.attribution.is_none());
    assert!(
        verdict.reasons[0].ends_with(
            "too few calls to compare (4 in the baseline, 4 in the run); at least 5 are needed"
        ),
        "{:?}",
        verdict.reasons
    );
    let scenario = two_questions_with("baseline: {primary: heard_e2e_latency.p95}");
    let run = |n, seed| Agent::default().run(&format!("r{seed}"), n, seed, &scenario);
    let verdict = against(Some(&run(29, 1)), &run(30, 2), &scenario);
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    assert!(
        verdict.reasons[0].ends_with(
            "too few turns to compare (58 in the baseline, 60 in the run); at least 60 are needed"
        ),
        "{:?}",
        verdict.reasons
    );
    assert_eq!(against(Some(&run(30, 1)), &run(30, 2), &scenario).outcome, Outcome::Pass);
}

#[test]
fn other_things_are_not_compared_and_an_agent_that_was_changed_is() {
    let scenario = two_questions();
    let old = Agent::default().run("run-a", 10, 1, &scenario);
    let baseline = Baseline::accept(&analyse(&old, &scenario), &scenario, "now").expect("fit");
    let check = |run: &Run, scenario: &Scenario| {
        let analysis = analyse(run, scenario);
        judge(Judging {
            scenario,
            analysis: &analysis,
            baseline: Some(&baseline),
            mismatch: Mismatch::Refuse,
            deciding: Deciding::Once,
            seed: 7,
        })
    };
    let mut run = Agent::default().run("run-b", 10, 2, &scenario);
    run.head.clips[1].as_mut().expect("a clip").sha256 = "other".to_owned();
    let verdict = check(&run, &scenario);
    assert_eq!((verdict.outcome, verdict.comparison), (Outcome::NotComparable, None));
    assert_eq!(
        verdict.reasons[0],
        "not comparable with the baseline: audio of step `hours`: sha of clips/hours.wav → other; \
         accept a run of the current scenario, or compare anyway with --allow-different"
    );

    let changed = two_questions_with(r#"thresholds: {heard_e2e_latency: "p(95)<9000ms"}"#)
        .calling("demo-agent", r#"{"llm_ttft": 0.65}"#);
    let run = Agent::default().run("run-b", 40, 2, &changed);
    let verdict = check(&run, &changed);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.reasons);
    let note = "differs from the baseline: agent metadata `llm_ttft` added";
    assert!(verdict.reasons.iter().any(|r| r == note), "{:?}", verdict.reasons);
}

#[test]
fn calls_that_fail_are_a_regression_however_fast_the_others_are() {
    let scenario = two_questions();
    let old = Agent::default().run("run-a", 20, 1, &scenario);
    let mut new = Agent { ttft: 50.0, ..Agent::default() }.run("run-b", 20, 2, &scenario);
    for call in new.calls.iter_mut().take(8) {
        call.end.outcome = CallOutcome::AgentLeft;
    }
    let verdict = against(Some(&old), &new, &scenario);
    assert_eq!(verdict.outcome, Outcome::Regression);
    assert!(
        verdict.reasons[0].starts_with(
            "more calls fail than in the baseline: 20 of 20 were ok → 12 of 20 (−40.0 points"
        ),
        "{:?}",
        verdict.reasons
    );
    // Two of twenty can be chance: the threshold fails, the baseline says nothing.
    let mut new = Agent::default().run("run-b", 20, 2, &scenario);
    for call in new.calls.iter_mut().take(2) {
        call.end.outcome = CallOutcome::AgentLeft;
    }
    assert_eq!(against(Some(&old), &new, &scenario).outcome, Outcome::Fail);
}

#[test]
fn replies_that_stop_coming_are_never_better() {
    let base = Agent::default();
    for silent_every in [2, 3, 5, 10] {
        let verdict = compared(base, Agent { silent_every, ..base }, 20);
        assert!(
            matches!(verdict.outcome, Outcome::Regression | Outcome::Fail),
            "{silent_every}: {:?}",
            verdict.reasons
        );
        let change = verdict.comparison.expect("compared").answers[0].clone();
        assert!(change.difference.point >= -15.0, "{silent_every}: {change:?}");
    }
    // Half of the turns unanswered: the median itself is only a bound, and far above.
    let verdict = compared(base, Agent { silent_every: 1, ..base }, 20);
    let change = verdict.comparison.expect("compared").answers[0].clone();
    assert!(change.run_is_bound && change.difference.low > 5_000.0, "{change:?}");
    assert!(
        verdict.reasons.iter().any(|r| r.contains("→ ≥\u{a0}8,000 ms")),
        "{:?}",
        verdict.reasons
    );
}

#[test]
fn against_a_baseline_without_replies_nothing_is_worse() {
    let base = Agent::default();
    let scenario = two_questions_with(CALLS_MAY_FAIL);
    let run = |agent: Agent, id| agent.run(id, 20, 1, &scenario);
    let mute = run(Agent { silent_every: 1, ..base }, "a");
    let verdict = against(Some(&mute), &run(base, "b"), &scenario);
    assert_eq!(verdict.outcome, Outcome::Improvement, "{:?}", verdict.reasons);
    let again = run(Agent { silent_every: 1, ..base }, "c");
    let verdict = against(Some(&mute), &again, &scenario);
    assert_eq!(verdict.outcome, Outcome::Inconclusive, "{:?}", verdict.reasons);
    assert!(verdict.reasons[0].contains("too many turns were unanswered"), "{:?}", verdict.reasons);
}

#[test]
fn ten_calls_with_one_question_are_enough() {
    let scenario = scenario(vec![listen("greeting"), ask("hours")]);
    let base = Agent { jitter: 30.0, ..Agent::default() };
    let slow = Agent { ttft: base.ttft + 400.0, ..base };
    for seed in 0..10 {
        let run = |agent: Agent, seed: u64| agent.run(&format!("r{seed}"), 10, seed, &scenario);
        let old = run(base, seed * 3);
        let same = against(Some(&old), &run(base, seed * 3 + 1), &scenario);
        assert_eq!(same.outcome, Outcome::Pass, "{:?}", same.reasons);
        let slow = against(Some(&old), &run(slow, seed * 3 + 2), &scenario);
        assert_eq!(slow.outcome, Outcome::Regression, "{:?}", slow.reasons);
        assert!(slow.reasons[0].contains("mainly llm_node_ttft"), "{:?}", slow.reasons);
    }
}

#[test]
fn what_one_side_lacks_cannot_be_compared() {
    let scenario = two_questions_with("baseline: {primary: llm_node_ttft.p50}");
    let (base, mute) = (Agent::default(), Agent { reports: false, ..Agent::default() });
    let check = |old: Agent, new: Agent, side: &str| {
        let old = old.run("a", 10, 1, &scenario);
        let verdict = against(Some(&old), &new.run("b", 10, 2, &scenario), &scenario);
        assert_eq!(verdict.outcome, Outcome::Inconclusive);
        let want = format!("llm_node_ttft cannot be compared: the {side} has no values");
        assert_eq!(verdict.reasons[0], want);
    };
    check(mute, base, "baseline");
    check(base, mute, "run");
}

#[test]
fn the_same_recording_and_seed_give_the_same_verdict() {
    let wild = Agent { jitter: 300.0, ..Agent::default() };
    let first = compared(wild, Agent { ttft: 350.0, ..wild }, 30);
    assert_eq!(compared(wild, Agent { ttft: 350.0, ..wild }, 30), first);
    assert!(first.comparison.is_some());
}

#[test]
fn alarms_are_rare_and_a_slow_llm_is_always_found() {
    let scenario = two_questions();
    let base = Agent::default();
    let trials = 100;
    let (mut alarms, mut passes, mut found) = (0, 0, 0);
    for trial in 0..trials {
        let old = base.run("a", 10, trial * 3, &scenario);
        let same = against(Some(&old), &base.run("b", 10, trial * 3 + 1, &scenario), &scenario);
        alarms += u32::from(same.outcome == Outcome::Regression);
        passes += u32::from(same.outcome == Outcome::Pass);
        let slow = Agent { ttft: base.ttft + 400.0, ..base };
        let slow = against(Some(&old), &slow.run("b", 10, trial * 3 + 2, &scenario), &scenario);
        let named = slow.reasons[0].contains("mainly llm_node_ttft");
        found += u32::from(slow.outcome == Outcome::Regression && named);
    }
    assert!(alarms <= 5 && passes >= 95, "{alarms} alarms and {passes} passes in {trials}");
    assert!(found >= 99, "found {found} of {trials}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn losing_any_replies_never_makes_a_run_look_faster(
        lost in prop::collection::vec(any::<bool>(), 30),
        percent in prop::sample::select(vec![50.0, 90.0]),
    ) {
        let primary = format!("baseline: {{primary: heard_e2e_latency.p{percent}}}");
        let scenario = two_questions_with(&primary);
        let old = Agent::default().run("a", 15, 1, &scenario);
        let full = Agent::default().run("b", 15, 2, &scenario);
        let mut cut = full.clone();
        for (call, turns) in cut.calls.iter_mut().zip(lost.chunks(2)) {
            for (step, _) in (1_u32..).zip(turns).filter(|(_, lost)| **lost) {
                let begin = i64::from(step) * 20_000;
                let window = begin + 2_000..begin + 19_000;
                call.log.retain(|s| !window.contains(&(s.at.micros() / 1_000 - 1)));
                call.log.extend(crate::turn::testing::missed(step, begin + 10_000));
                call.end.outcome = CallOutcome::NoAnswer;
            }
        }
        let point = |run: &Run| {
            let comparison = against(Some(&old), run, &scenario).comparison.expect("comparable");
            comparison.answers.first().expect("both have values").difference
        };
        let (full, cut) = (point(&full), point(&cut));
        // Where the shares of the steps differ they are weighted alike, so the point may move by what
        // lies between the steps; here both have the same delays.
        prop_assert!(cut.point >= full.point - 1e-6, "{full:?} {cut:?}");
    }
}
