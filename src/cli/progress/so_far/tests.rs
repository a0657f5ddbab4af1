use super::*;
use crate::plan::{Schedule, Targets};
use crate::record::{CallEnd, Stamped};
use crate::turn::testing::{
    at, began, call, connected, joined, listen, met, missed, said, scenario_with, voice,
};
use std::num::NonZeroU8;
use unicode_width::UnicodeWidthStr as _;

fn so_far(agents: u8, names: Vec<&'static str>) -> SoFar {
    let scenario = scenario_with("", vec![listen("greeting"), crate::turn::testing::ask("hours")]);
    let targets = Targets::new(NonZeroU8::new(agents).unwrap());
    let plan = Plan { schedule: Schedule::new(scenario.load()), targets, seed: 1 };
    SoFar::new(plan, Arc::new(scenario), names)
}

fn log(latency_ms: Option<i64>) -> Vec<Stamped> {
    let greeted = [connected(100), joined(200), began(0, 350), voice(500, 2_000), met(0, 500)];
    let asked = [began(1, 500), said(1, 3_000, 4_000)];
    let begin = [greeted.concat(), asked.concat()];
    let reply = match latency_ms {
        Some(ms) => {
            let judged = if ms <= 8_000 { met(1, 4_000 + ms) } else { missed(1, 12_200) };
            [judged, voice(4_000 + ms, 5_000 + ms)].concat()
        }
        None => missed(1, 12_000),
    };
    [begin.concat(), reply].concat()
}

fn answered(id: u32, latency_ms: i64) -> CallRecord {
    call(id, log(Some(latency_ms)), 10_000, Outcome::Answered)
}

fn unanswered(id: u32) -> CallRecord {
    let detail = "turn `hours`: no reply within 8s".to_owned();
    let end = CallEnd { at: at(12_200), outcome: Outcome::NoAnswer, detail };
    CallRecord { end, ..call(id, log(None), 12_200, Outcome::NoAnswer) }
}

#[test]
fn a_run_is_summed_up_as_its_calls_end() {
    let mut so_far = so_far(1, Vec::new());
    so_far.placed();
    so_far.placed();
    assert_eq!(so_far.line(at(100)), "0/10, 2 in progress");
    so_far.add(TargetId::FIRST, &answered(0, 1_200));
    // Ten calls of ten seconds, five at a time: 20.2 s in all.
    assert_eq!(so_far.line(at(10_000)), "1/10, p50 1,200 ms, 11 s left");
    so_far.add(TargetId::FIRST, &answered(1, 1_400));
    so_far.add(TargetId::FIRST, &unanswered(2));
    assert_eq!(so_far.line(at(12_000)), "3/10, p50 1,400 ms, 1 failing, 10 s left");
    // What a call takes that is longer than all so far is not known.
    assert_eq!(so_far.line(at(99_000)), "3/10, p50 1,400 ms, 1 failing");
}

#[test]
fn an_agent_that_does_not_answer_is_not_fast() {
    let mut so_far = so_far(1, Vec::new());
    so_far.add(TargetId::FIRST, &answered(0, 1_200));
    so_far.add(TargetId::FIRST, &unanswered(1));
    so_far.add(TargetId::FIRST, &unanswered(2));
    let line = so_far.line(at(99_000));
    assert!(line.starts_with("3/10, p50 ≥8,"), "{line}");
    assert!(line.ends_with(", 2 failing"), "{line}");
}

#[test]
fn agents_are_told_apart() {
    let mut so_far = so_far(2, vec!["a", "b"]);
    let [a, b] = [0, 1].map(|i| so_far.plan.targets.ids().nth(i).unwrap());
    so_far.add(a, &answered(0, 1_100));
    assert_eq!(so_far.line(at(90_000)), "1/20, p50 a 1,100 ms");
    let facts = so_far.add(b, &answered(0, 1_300));
    assert_eq!(so_far.line(at(90_000)), "2/20, p50 a 1,100 b 1,300 ms");
    assert_eq!(so_far.ended_line(b, &facts), "[2/20] call 000 to b answered after 10.0 s");
}

#[test]
fn a_line_names_the_call_as_the_report_does() {
    let mut so_far = so_far(1, Vec::new());
    let facts = so_far.add(TargetId::FIRST, &unanswered(6));
    assert_eq!(
        so_far.ended_line(TargetId::FIRST, &facts),
        "[1/10] call 006 no_answer after 12.2 s: turn `hours`: no reply within 8s"
    );
    // One that went to its end and is not as the scenario expects does not look like a success.
    let late = call(7, log(Some(9_500)), 15_000, Outcome::Answered);
    let facts = so_far.add(TargetId::FIRST, &late);
    let line = so_far.ended_line(TargetId::FIRST, &facts);
    assert!(line.starts_with("[2/10] call 007 no_reply after 15.0 s: "), "{line}");
}

#[test]
fn what_an_agent_says_of_itself_cannot_move_the_cursor() {
    let mut so_far = so_far(1, Vec::new());
    let mut hostile = unanswered(0);
    hostile.end.detail = "\u{1b}[2J\nPASS".into();
    let facts = so_far.add(TargetId::FIRST, &hostile);
    let line = so_far.ended_line(TargetId::FIRST, &facts);
    assert!(!line.contains(['\u{1b}', '\n']), "{line:?}");
}

#[test]
fn the_line_fits_beside_the_bar_on_60_columns() {
    let scenario = scenario_with("", vec![listen("greeting"), crate::turn::testing::ask("hours")]);
    let load = crate::scenario::Load::Repeat {
        calls: 1_000.try_into().unwrap(),
        concurrency: 5.try_into().unwrap(),
    };
    let (schedule, targets) = (Schedule::new(load), Targets::ONE);
    let plan = Plan { schedule, targets, seed: 1 };
    let mut so_far = SoFar::new(plan, Arc::new(scenario), Vec::new());
    for id in 0..150 {
        so_far.add(TargetId::FIRST, &unanswered(id));
    }
    let line = so_far.line(at(250_000));
    assert!(line.contains("150/1000, p50 ≥8,") && line.contains("150 failing"), "{line}");
    assert!(line.ends_with("min left"), "{line}");
    assert!(line.width() <= 60 - "######## ".len(), "{line}");
}

#[test]
fn a_long_run_costs_no_more_than_a_short_one() {
    let mut so_far = so_far(1, Vec::new());
    for id in 0..u32::try_from(VALUES).unwrap() + 50 {
        so_far.add(TargetId::FIRST, &answered(id, 1_200));
    }
    assert_eq!(so_far.heard[0].len(), VALUES);
}
