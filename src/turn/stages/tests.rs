use super::super::testing::*;
use super::*;
use crate::record::{Outcome, Stamped};
use crate::scenario::Metric;
use crate::turn::Part;

fn state(ms: i64, name: &str) -> Vec<Stamped> {
    vec![is(ms, Observation::AgentState(name.to_owned()))]
}

fn told(ms: i64, old: &str, new: &str) -> Vec<Stamped> {
    session(ms, SessionEvent::AgentState { old: old.to_owned(), new: new.to_owned() })
}

/// A question from 1,000 to 3,000 that is answered at `reply`, with what the agent shows of its state.
fn asked(reply: i64, states: &[Vec<Stamped>]) -> Turn {
    let head = [connected(0), state(200, "listening"), began(0, 500), said(0, 1_000, 3_000)];
    let log = [&head[..], states, &[voice(reply, reply + 2_000)]].concat();
    turns_of(vec![ask("hours")], &log, 9_000, Outcome::Answered).remove(0)
}

/// As measured of 1.2.18, 1.4.6, 1.5.17, 1.8.9, Node 1.9 and a bare agent that shows its state.
#[test]
fn every_agent_that_shows_its_state_has_two_stages() {
    for (decided, prepared) in
        [(659, 882), (722, 881), (711, 893), (751, 893), (714, 912), (451, 451)]
    {
        let heard = 3_000 + decided + prepared;
        let turn =
            asked(heard, &[state(3_000 + decided, "thinking"), state(heard + 9, "speaking")]);
        #[expect(clippy::cast_precision_loss, reason = "a few seconds")]
        let (decided, prepared) = (decided as f64, prepared as f64);
        assert_eq!(turn.turn_decided_ms, Some(decided));
        assert_eq!(turn.answer_prepared_ms(), Some(prepared));
        let parts = [(Part::TurnDecided, decided), (Part::AnswerPrepared, prepared)];
        assert_eq!(turn.path().unwrap().parts, parts.into());
    }
}

#[test]
fn they_are_metrics_of_their_own() {
    let log = [
        connected(0),
        began(0, 500),
        said(0, 1_000, 3_000),
        state(3_700, "thinking"),
        voice(4_600, 6_000),
        began(1, 6_000),
        said(1, 7_000, 8_000),
        // The write of `thinking` was overtaken by that of `speaking`.
        state(9_100, "speaking"),
        voice(9_100, 10_000),
    ];
    let m = measures_of(vec![ask("a"), ask("b")], &log, 11_000, Outcome::Answered);
    assert_eq!(values(&m, Metric::TurnDecided), [(0, 700.0, false)]);
    assert_eq!(values(&m, Metric::AnswerPrepared), [(0, 900.0, false)]);
    assert_eq!(values(&m, Metric::HeardE2eLatency).len(), 2);
}

#[test]
fn a_state_that_says_nothing_of_this_reply_splits_nothing() {
    let none: [&[Vec<Stamped>]; 6] = [
        &[],
        &[state(3_900, "speaking")],
        // Of the answer before, which was outstanding when the caller began.
        &[state(900, "thinking")],
        // A pause taken for the end, and then nothing further was shown.
        &[state(2_000, "thinking")],
        // It came to nothing.
        &[state(3_300, "thinking"), state(3_500, "listening")],
        // After the reply: of a tool behind a filler.
        &[state(4_500, "thinking")],
    ];
    for states in none {
        let turn = asked(4_000, states);
        assert_eq!((turn.turn_decided_ms, turn.path()), (None, None), "{states:?}");
    }
    // The last one counts, which the reply follows.
    let states = [state(2_000, "thinking"), state(2_300, "listening"), state(3_600, "thinking")];
    assert_eq!(asked(4_000, &states).turn_decided_ms, Some(600.0));
    let filler = [state(3_400, "thinking"), state(4_010, "speaking"), state(4_500, "thinking")];
    assert_eq!(asked(4_000, &filler).turn_decided_ms, Some(400.0));
    // A reply into the caller's words has no latency that could be split.
    assert_eq!(asked(2_500, &[state(2_400, "thinking")]).turn_decided_ms, None);
}

#[test]
fn the_attribute_is_preferred_and_the_session_fills_in() {
    let both = [told(3_725, "listening", "thinking"), state(3_700, "thinking")];
    assert_eq!(asked(4_600, &both).turn_decided_ms, Some(700.0));
    let skipped = [told(3_725, "listening", "thinking"), state(4_590, "speaking")];
    assert_eq!(asked(4_600, &skipped).turn_decided_ms, Some(725.0));
}
