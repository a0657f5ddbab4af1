use proptest::prelude::*;

use super::*;
use crate::turn::Value;

/// One turn as (step, heard, end of turn, first token, reported end to end).
type Turn = (u32, f64, f64, f64, f64);

fn measures(turns: &[Turn]) -> Measures {
    let mut all = Measures::default();
    for (call, (step, heard, eot, ttft, e2e)) in (0..).zip(turns) {
        let each = [
            (Metric::HeardE2eLatency, heard),
            (Metric::EndOfTurnDelay, eot),
            (Metric::LlmNodeTtft, ttft),
            (Metric::E2eLatency, e2e),
        ];
        for (metric, value) in each {
            let value = Value { call: CallId(call), step: *step, value: *value, censored: false };
            all.by_metric.entry(metric).or_default().push(value);
        }
    }
    all
}

fn turns(step: u32, n: u32, eot: f64, ttft: f64, rest: f64) -> Vec<Turn> {
    let turn = |i: u32| {
        let ttft = ttft + f64::from(i);
        (step, eot + ttft + rest, eot, ttft, eot + ttft)
    };
    (0..n).map(turn).collect()
}

fn part(of: &Attribution, part: Part) -> f64 {
    of.parts.iter().find(|c| c.part == part).map_or(0.0, |c| c.change_ms)
}

#[test]
fn parts_and_steps_add_up_to_the_change() {
    let old = [turns(0, 10, 400.0, 250.0, 200.0), turns(1, 10, 400.0, 450.0, 200.0)].concat();
    let new = [turns(0, 10, 431.0, 250.0, 211.0), turns(1, 10, 431.0, 986.0, 211.0)].concat();
    let of = explain(&measures(&old), &measures(&new), 50.0, 310.0).unwrap();
    assert!((part(&of, Part::LlmFirstToken) - 268.0).abs() < 1e-6);
    assert!((part(&of, Part::EndOfTurn) - 31.0).abs() < 1e-6);
    assert!((part(&of, Part::Unattributed) - 11.0).abs() < 1e-6);
    assert!(of.rest_ms.abs() < 1e-6);
    assert_eq!(of.chief().map(|c| c.part), Some(Part::LlmFirstToken));
    // Half of the turns are of each step.
    assert!(
        (of.steps[0].change_ms - 21.0).abs() < 1e-6 && (of.steps[1].change_ms - 289.0).abs() < 1e-6
    );
    assert_eq!(of.steps[1].own[0].part, Part::LlmFirstToken);
    let listed: Vec<i64> = of.whole_ms().iter().map(|(_, ms)| *ms).collect();
    assert_eq!(listed, [268, 31, 11, 0, 0]);
}

#[test]
fn one_slow_turn_is_no_change_of_the_typical_one() {
    let old = turns(0, 20, 400.0, 250.0, 200.0);
    let mut new = old.clone();
    new[19] = (0, 9_000.0, 400.0, 8_000.0, 8_400.0);
    let of = explain(&measures(&old), &measures(&new), 50.0, 0.0).unwrap();
    assert!(of.parts.iter().all(|c| c.change_ms.abs() < 1.0), "{of:?}");
}

#[test]
fn what_no_typical_turn_explains_is_the_rest() {
    let old = turns(0, 10, 400.0, 250.0, 200.0);
    let of = explain(&measures(&old), &measures(&old), 50.0, 90.0).unwrap();
    assert!((of.rest_ms - 90.0).abs() < 1e-6);
    assert_eq!(of.chief(), None);
    assert_eq!(super::explain(&measures(&old), &Measures::default(), 50.0, 90.0), None);
}

fn any_turns() -> impl Strategy<Value = Vec<Turn>> {
    let ms = 0.0_f64..5_000.0;
    let turn = (0_u32..3, -500.0_f64..9_000.0, ms.clone(), ms.clone(), ms);
    prop::collection::vec(turn, 0..40)
}

proptest! {
    #[test]
    fn any_change_is_told_without_a_remainder(
        old in any_turns(),
        new in any_turns(),
        percent in prop::sample::select(vec![50.0, 90.0, 95.0]),
        total in -5_000.0_f64..5_000.0,
    ) {
        let Some(of) = explain(&measures(&old), &measures(&new), percent, total) else { return Ok(()) };
        let sum = |parts: &[PartChange]| parts.iter().map(|c| c.change_ms).sum::<f64>();
        prop_assert!((sum(&of.parts) + of.rest_ms - total).abs() < 1e-6);
        let steps: f64 = of.steps.iter().map(|s| s.change_ms).sum();
        prop_assert!((steps + of.rest_ms - total).abs() < 1e-6);
        let whole: i64 = of.whole_ms().iter().map(|(_, ms)| ms).sum();
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let whole = whole as f64;
        prop_assert!((whole - total.round()).abs() < 0.5, "{whole} {total}");
    }
}
