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
    let of = explain(&measures(&old), &measures(&new), 50.0, 310.0, true).unwrap();
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
    let of = explain(&measures(&old), &measures(&new), 50.0, 0.0, true).unwrap();
    assert!(of.parts.iter().all(|c| c.change_ms.abs() < 1.0), "{of:?}");
}

#[test]
fn what_no_typical_turn_explains_is_the_rest() {
    let old = turns(0, 10, 400.0, 250.0, 200.0);
    let of = explain(&measures(&old), &measures(&old), 50.0, 90.0, true).unwrap();
    assert!((of.rest_ms - 90.0).abs() < 1e-6);
    assert_eq!(of.chief(), None);
    assert_eq!(super::explain(&measures(&old), &Measures::default(), 50.0, 90.0, true), None);
}

/// Ten turns of which each of these was measured.
fn measured(each: &[(Metric, f64)]) -> Measures {
    let mut all = Measures::default();
    for (metric, value) in each {
        let of = (0..10).map(|call| Value {
            call: CallId(call),
            step: 1,
            value: *value + f64::from(call),
            censored: false,
        });
        all.by_metric.insert(*metric, of.collect());
    }
    all
}

fn explained(old: &[(Metric, f64)], new: &[(Metric, f64)], alike: bool) -> Vec<(Part, i64)> {
    let of = |each: &[(Metric, f64)], metric| each.iter().find(|(m, _)| *m == metric).unwrap().1;
    let total = of(new, Metric::HeardE2eLatency) - of(old, Metric::HeardE2eLatency);
    let of = explain(&measured(old), &measured(new), 50.0, total, alike).unwrap();
    assert!(of.rest_ms.abs() < 1e-6, "{of:?}");
    let parts = of.whole_ms().into_iter().filter_map(|(part, ms)| Some((part?, ms)));
    parts.filter(|(_, ms)| *ms != 0).collect()
}

#[test]
fn first_bytes_of_two_meanings_are_one_part_with_the_sentence() {
    use Metric::*;
    // The same agent on 1.5.17 and on 1.8.9, of which `+258 llm_first_sentence, −255 tts_node_ttfb` was
    // printed; its model is 40 ms slower now.
    let old = [
        (HeardE2eLatency, 1_500.0),
        (E2eLatency, 1_300.0),
        (EndOfTurnDelay, 523.0),
        (LlmNodeTtft, 250.0),
        (TtsNodeTtfb, 420.0),
    ];
    let new = [
        (HeardE2eLatency, 1_543.0),
        (E2eLatency, 1_343.0),
        (EndOfTurnDelay, 523.0),
        (LlmNodeTtft, 290.0),
        (LlmNodeTtfs, 548.0),
        (TtsNodeTtfb, 165.0),
    ];
    for alike in [true, false] {
        let parts = explained(&old, &new, alike);
        assert_eq!(parts, [(Part::LlmFirstToken, 40), (Part::FirstTokenToAudio, 3)]);
    }
    // Versions alone tell two meanings apart where neither side has the sentence.
    let provider = [(HeardE2eLatency, 1_500.0), (E2eLatency, 1_300.0), (EndOfTurnDelay, 523.0)];
    let provider = [&provider[..], &[(LlmNodeTtft, 250.0), (TtsNodeTtfb, 165.0)]].concat();
    assert_eq!(explained(&old, &provider, false), []);
    let parts = explained(&old, &provider, true);
    assert_eq!(parts, [(Part::FirstTokenToAudio, -255), (Part::BetweenStages, 255)]);
}

#[test]
fn sides_are_told_apart_as_far_as_both_can_be() {
    use Metric::*;
    let by_ear = [(HeardE2eLatency, 1_541.0), (TurnDecided, 659.0), (AnswerPrepared, 882.0)];
    let full = [
        (HeardE2eLatency, 1_644.0),
        (E2eLatency, 1_461.0),
        (EndOfTurnDelay, 577.0),
        (LlmNodeTtft, 280.0),
        (LlmNodeTtfs, 540.0),
        (TtsNodeTtfb, 165.0),
    ];
    let with_state = [&full[..], &[(TurnDecided, 751.0)]].concat();
    let parts = explained(&by_ear, &with_state, true);
    assert_eq!(parts, [(Part::TurnDecided, 92), (Part::AnswerPrepared, 11)]);
    // Without the state on one side, what the end was noticed late by is in the rest on both.
    assert_eq!(explained(&full, &with_state, true), []);
    let mut later = with_state.clone();
    later[0].1 += 60.0;
    later[6].1 += 50.0;
    assert_eq!(explained(&full, &later, true), [(Part::Unattributed, 60)]);
    let parts = explained(&with_state, &later, true);
    assert_eq!(parts, [(Part::EndNoticedLate, 50), (Part::Unattributed, 10)]);
    // Nothing is common to an agent by ear and one that shows no state.
    let nothing = explain(&measured(&by_ear), &measured(&full), 50.0, 103.0, true);
    assert_eq!(nothing, None);
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
        let Some(of) = explain(&measures(&old), &measures(&new), percent, total, true) else { return Ok(()) };
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
