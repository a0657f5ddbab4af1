use super::*;
use crate::record::{Outcome as Ending, Run};
use crate::report::fixture::{answered, comparison, report, report_with};
use crate::turn::{Reply, Turn};

fn find<'a>(cases: &'a [Case], group: Group, name: &str) -> &'a Result {
    let found = cases.iter().find(|case| case.group == group && case.name.starts_with(name));
    &found.unwrap_or_else(|| panic!("no {name} in {cases:#?}")).result
}

/// The question of the second call is never answered.
fn unanswered() -> (Run, Vec<Turn>) {
    let (mut run, mut turns) = answered();
    run.calls[1].end.outcome = Ending::NoAnswer;
    run.calls[1].end.detail = "turn `hours`: nothing was heard for 8,000 ms".to_owned();
    turns[4].reply = Reply::Unanswered { waited_ms: 8_000.0 };
    turns[5].reply = Reply::NotReached;
    (run, turns)
}

#[test]
fn the_verdict_is_never_better_than_the_exit_code() {
    let (run, turns) = answered();
    for outcome in [
        Judgement::Pass,
        Judgement::Improvement,
        Judgement::Fail,
        Judgement::Regression,
        Judgement::Inconclusive,
        Judgement::NotComparable,
        Judgement::Invalid,
        Judgement::NothingMeasured,
        Judgement::Stopped,
    ] {
        let report = report_with(&run, &turns, |verdict| verdict.outcome = outcome);
        let fails = of_run(&report, true);
        assert!(matches!(fails[0].result, Result::Failed(_)), "{outcome:?}");
        let passed = matches!(of_run(&report, false)[0].result, Result::Passed(_));
        assert_eq!(passed, matches!(outcome, Judgement::Pass | Judgement::Improvement));
        // Of what was not judged nothing is green, whatever it measured.
        if matches!(outcome, Judgement::Invalid | Judgement::NothingMeasured | Judgement::Stopped) {
            assert!(fails.len() > 4);
            assert!(fails[1..].iter().all(|case| matches!(case.result, Result::Open(_))));
        }
    }
}

#[test]
fn an_expectation_names_the_calls_that_did_not_meet_it() {
    let (run, turns) = unanswered();
    let cases = of_run(&report(&run, &turns), true);
    let hours = find(&cases, Group::Expectations, "hours: agent responds within 8s");
    let why = "not met in 1 of 4 calls: 1; call 1: nothing was heard for 8,000 ms";
    assert_eq!(*hours, Result::Failed(why.to_owned()));
    let wait = find(&cases, Group::Expectations, "wait: agent yields");
    assert_eq!(*wait, Result::Passed("met in 3 calls".to_owned()));
    let ok = find(&cases, Group::Thresholds, "calls_ok rate>0.99");
    assert!(matches!(ok, Result::Failed(_)), "{ok:?}");
}

#[test]
fn an_expectation_that_may_be_missed_is_left_open() {
    let (run, turns) = unanswered();
    let allowed = report_with(&run, &turns, |verdict| {
        verdict.thresholds.iter_mut().for_each(|threshold| threshold.held = true);
    });
    let cases = of_run(&allowed, false);
    let hours = find(&cases, Group::Expectations, "hours");
    assert!(matches!(hours, Result::Open(why) if why.contains("allows it")), "{hours:?}");
}

#[test]
fn only_what_decides_fails_a_comparison() {
    let (run, turns) = answered();
    let compared = |outcome| {
        report_with(&run, &turns, |verdict| {
            verdict.outcome = outcome;
            verdict.comparison = Some(comparison(402.0));
        })
    };
    let cases = of_run(&compared(Judgement::Regression), true);
    let primary = find(&cases, Group::Comparison, "typical turn");
    let Result::Failed(text) = primary else { panic!("{primary:?}") };
    assert_eq!(
        text,
        "838 ms before, ≥ 1,240 ms now: +402 ms (96 % interval +372 to +432 ms), slower"
    );
    let other = find(&cases, Group::Comparison, "llm_node_ttft p50");
    assert!(
        matches!(other, Result::Open(text) if text.ends_with("(for information)")),
        "{other:?}"
    );
    assert!(matches!(find(&cases, Group::Comparison, "tts_node_ttfb"), Result::Passed(_)));
    // The verdict knows better what a change means.
    let cases = of_run(&compared(Judgement::Inconclusive), false);
    let primary = find(&cases, Group::Comparison, "typical turn");
    assert!(matches!(primary, Result::Open(_)), "{primary:?}");
}

#[test]
fn a_turn_that_nobody_reached_is_neither_met_nor_missed() {
    let (mut run, _) = answered();
    for call in &mut run.calls {
        call.end.outcome = Ending::AgentLeft;
        call.end.detail = "the agent left".to_owned();
    }
    let cases = of_run(&report(&run, &[]), true);
    let hours = find(&cases, Group::Expectations, "hours");
    assert_eq!(*hours, Result::Open("no call got so far".to_owned()));
}
