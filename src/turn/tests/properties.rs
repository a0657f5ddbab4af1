//! What holds of the turns of any log.

use proptest::prelude::*;

use super::{noise, two_answers};
use crate::record::{Observation, Outcome, SessionEvent, Stamped};
use crate::turn::testing::*;
use crate::turn::{Reply, Span, Turn, analyse, turns};

fn observation() -> impl Strategy<Value = Stamped> {
    let step = 0_u32..5;
    let what = prop_oneof![
        step.clone().prop_map(|step| Observation::StepBegan { step }),
        step.clone().prop_map(|step| Observation::UtteranceBegan { step }),
        step.clone().prop_map(|step| Observation::UtteranceEnded { step }),
        step.clone().prop_map(|step| Observation::ExpectationMet { step }),
        step.prop_map(|step| Observation::ExpectationMissed { step }),
        prop::sample::select(vec!["thinking", "speaking", "listening"])
            .prop_map(|state| Observation::AgentState(state.to_owned())),
        Just(Observation::VoiceBegan),
        Just(Observation::VoiceEnded),
        Just(Observation::SoundBegan),
        Just(Observation::Session(SessionEvent::FalseInterruption { resumed: true })),
        Just(Observation::Session(SessionEvent::Handoff)),
        Just(Observation::Session(SessionEvent::ToolEnded { call: "c".to_owned() })),
        Just(Observation::Session(SessionEvent::ToolStarted {
            call: "c".to_owned(),
            name: "t".to_owned(),
        })),
        Just(connected(0)[0].what.clone()),
        Just(joined(0)[0].what.clone()),
        Just(joined(0)[1].what.clone()),
        any::<bool>().prop_map(|interrupted| agent(0, "a", interrupted, 250.0)[0].what.clone()),
        Just(user(0, "u", 500.0)[0].what.clone()),
        Just(Observation::Session(SessionEvent::ToolsStarted { names: vec!["t".to_owned()] })),
    ];
    (-2_000_i64..20_000, what).prop_map(|(ms, what)| is(ms, what))
}

fn any_scenario() -> crate::scenario::Scenario {
    scenario(vec![listen("a"), ask("b"), barge("c"), noise("d")])
}

fn shifted(mut call: crate::record::CallRecord, us: i64) -> crate::record::CallRecord {
    for moment in call.log.iter_mut().map(|s| &mut s.at) {
        *moment = moment.plus_micros(us);
    }
    call.due = call.due.plus_micros(us);
    call.dialled = call.dialled.plus_micros(us);
    call.end.at = call.end.at.plus_micros(us);
    call
}

fn turn_shifted(mut turn: Turn, us: i64) -> Turn {
    let shift = |s: &mut Span| {
        s.from = s.from.plus_micros(us);
        s.until = s.until.plus_micros(us);
    };
    turn.said.as_mut().map(shift);
    if let Reply::Greeted { voice, .. } | Reply::Heard { voice, .. } | Reply::CutIn { voice, .. } =
        &mut turn.reply
    {
        shift(voice);
    }
    turn
}

proptest! {
    #[test]
    fn any_log_gives_one_turn_a_step_wherever_it_stands_in_time(
        log in prop::collection::vec(observation(), 0..60),
        end in 0_i64..20_000,
        outcome in prop::sample::select(Outcome::ALL.to_vec()),
        shift in -1_000_000_000_i64..1_000_000_000,
    ) {
        let scenario = any_scenario();
        let call = call(3, log, end, outcome);
        let turns = turns(&call, &scenario);
        prop_assert_eq!(turns.iter().map(|t| t.step).collect::<Vec<_>>(), [0, 1, 2, 3]);
        let moved = crate::turn::turns(&shifted(call.clone(), shift), &scenario);
        let back: Vec<Turn> = moved.into_iter().map(|t| turn_shifted(t, -shift)).collect();
        prop_assert_eq!(&back, &turns);
        let analysis = analyse(&run("r", vec![call], &scenario), &scenario);
        for turn in analysis.turns() {
            if let (Some(path), Reply::Heard { latency_ms, .. }) = (turn.path(), turn.reply) {
                prop_assert!((path.total_ms() - latency_ms).abs() < 1e-6);
            }
        }
        let overlap = analysis.calls[0].overlap;
        prop_assert!(overlap.overlap_ms >= 0.0 && overlap.overlap_ms <= overlap.speech_ms);
        prop_assert!(overlap.ratio().is_none_or(|r| (0.0..=1.0).contains(&r)));
        let measures = analysis.measures;
        for values in measures.by_metric.values() {
            prop_assert!(values.len() <= 4 && values.iter().all(|v| v.value.is_finite()));
        }
    }

    #[test]
    fn what_is_missing_from_a_good_log_never_panics(kept in prop::collection::vec(any::<bool>(), 40)) {
        let log = two_answers().into_iter().zip(kept).filter(|(_, keep)| *keep).map(|(s, _)| s);
        let call = call(0, log.collect(), 12_500, Outcome::Answered);
        prop_assert_eq!(turns(&call, &two_questions()).len(), 3);
    }
}
