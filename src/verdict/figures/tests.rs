use super::*;
use crate::record::{CallRecord, Outcome as Ended};
use crate::scenario::Scenario;
use crate::turn::analyse;
use crate::turn::testing as make;

/// Two questions a call, answered after so many milliseconds; `None` is silence, after which the call is over.
fn calls(replies: &[[Option<i64>; 2]], lost: bool) -> (Vec<CallRecord>, Scenario) {
    let scenario = make::scenario(["hours", "price"].map(make::ask).to_vec());
    let call = |id: u32, replies: &[Option<i64>; 2]| {
        let mut log = [make::connected(100), make::joined(200)].concat();
        for (step, reply) in (0..).zip(replies) {
            let begin = 1_000 + i64::from(step) * 30_000;
            let asked = begin + 2_000;
            log.extend([make::began(step, begin - 500), make::said(step, begin, asked)].concat());
            let Some(ms) = reply else {
                // A lost connection ends the wait early.
                if lost {
                    return make::call(id, log, asked + 400, Ended::ConnectionLost);
                }
                log.extend(make::missed(step, asked + 8_000));
                return make::call(id, log, asked + 8_100, Ended::NoAnswer);
            };
            log.extend(make::voice(asked + ms, asked + ms + 1_500));
        }
        make::call(id, log, 60_000, Ended::Answered)
    };
    ((0..).zip(replies).map(|(id, replies)| call(id, replies)).collect(), scenario)
}

fn figures(replies: &[[Option<i64>; 2]], lost: bool) -> Figures {
    let (calls, scenario) = calls(replies, lost);
    let run = make::run("r", calls, &scenario);
    Figures::of(&Measured::take(&analyse(&run, &scenario), &scenario, true))
}

fn ms(figure: Option<&Figure>) -> f64 {
    figure.map_or(f64::NAN, Figure::ms).round()
}

#[test]
fn every_step_has_a_median_and_all_have_a_slowest_tenth() {
    let of = figures(&[[Some(800), Some(1_600)]; 6], false);
    assert_eq!((ms(of.steps.get("hours")), ms(of.steps.get("price"))), (800.0, 1_600.0));
    // The geometric mean of the two medians.
    assert_eq!((ms(of.typical.as_ref()), ms(of.slow.as_ref())), (1_131.0, 1_600.0));
    assert_eq!(of.calls_ok, Rate { hits: 6, n: 6 });
    let typical = of.typical.expect("two steps");
    assert_eq!((typical.calls, typical.turns, typical.bound), (6, 12, false));
    assert!(figures(&[[Some(800), Some(1_600)]; 4], false).typical.is_none());
}

#[test]
fn what_a_failed_call_did_not_reach_waited_as_long_as_it_may() {
    let fine = [Some(800), Some(1_600)];
    let some = figures(&[fine, fine, fine, fine, fine, [None, None]], false);
    // The silence and the turn after it: both in the slowest tenth of twelve turns.
    assert_eq!((ms(some.slow.as_ref()), some.steps.len()), (8_000.0, 2));
    assert!(some.steps.values().all(|step| step.turns == 6), "{some:?}");
    // Half of the calls are dropped in their first turn: no step looks faster for it.
    let half = figures(&[fine, fine, fine, [None, None], [None, None], [None, None]], false);
    assert!(half.steps.values().all(|step| step.turns == 6 && step.ms() > 1_900.0), "{half:?}");
    assert!(!half.typical.expect("steps").bound);
}

#[test]
fn a_lost_connection_says_nothing_of_the_wait() {
    let fine = [Some(800), Some(1_600)];
    let of = figures(&[fine, fine, fine, fine, fine, fine, [None, None]], true);
    assert_eq!((ms(of.steps.get("hours")), ms(of.steps.get("price"))), (800.0, 1_600.0));
    assert_eq!(of.steps.get("price").map(|step| step.turns), Some(6));
}

#[test]
fn a_call_that_is_on_record_twice_counts_once() {
    let fine = [Some(800), Some(1_600)];
    let (mut all, scenario) = calls(&[fine, fine, fine, fine, fine, [None, None]], false);
    let of = |calls| {
        let run = make::run("r", calls, &scenario);
        Figures::of(&Measured::take(&analyse(&run, &scenario), &scenario, true))
    };
    let once = of(all.clone());
    all.push(all[5].clone());
    assert_eq!(of(all), once);
}

#[test]
fn figures_can_be_kept() {
    let of = figures(&[[Some(800), Some(1_600)]; 6], false);
    let text = serde_json::to_string(&of).expect("JSON");
    assert_eq!(serde_json::from_str::<Figures>(&text).expect("figures"), of);
}

#[test]
fn a_script_without_questions_is_judged_by_its_greeting() {
    let scenario = make::scenario(vec![make::listen("greeting")]);
    let call = |id: u32| {
        let log = [
            make::connected(300),
            make::joined(700),
            make::began(0, 850),
            make::voice(1_500, 3_000),
        ];
        make::call(id, log.concat(), 4_000, Ended::Answered)
    };
    let run = make::run("r", (0..6).map(call).collect(), &scenario);
    let of = Figures::of(&Measured::take(&analyse(&run, &scenario), &scenario, true));
    assert!(of.steps.contains_key("greeting") && of.typical.is_some(), "{of:?}");
}
