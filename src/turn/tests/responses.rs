//! Cut-ins, answers after a filler, what is not fine in silence, and what a call leaves behind.

use super::*;

#[test]
fn a_reply_that_began_too_early_has_no_latency() {
    let of = |begins: i64| {
        let log = [connected(0), began(0, 0), said(0, 1_000, 3_000), voice(begins, 4_000)];
        let m = measures_of(vec![ask("hours")], &log, 5_000, Outcome::Answered);
        let reply = turns_of(vec![ask("hours")], &log, 5_000, Outcome::Answered)[0].reply;
        let count = m.values(Metric::EotMispredictionCount).iter().map(|v| v.value).sum::<f64>();
        (reply, values(&m, Metric::HeardE2eLatency), count)
    };
    let cut_in = Reply::CutIn { voice: span(2_600, 4_000), early_ms: 400.0 };
    assert_eq!(of(2_600), (cut_in, Vec::new(), 1.0));
    // Closer to the end it may have been right.
    let early = Reply::Heard { voice: span(2_850, 4_000), latency_ms: -150.0 };
    assert_eq!(of(2_850), (early, vec![(0, -150.0, false)], 0.0));
}

#[test]
fn an_answer_that_comes_after_a_filler_is_a_figure_of_its_own() {
    let state = |ms, state: &str| vec![is(ms, Observation::AgentState(state.to_owned()))];
    let filler = [
        connected(0),
        began(0, 0),
        said(0, 1_000, 2_000),
        state(2_500, "thinking"),
        state(3_100, "speaking"),
        voice(3_130, 4_000),
        state(4_050, "thinking"),
    ];
    let of = |log: &[Vec<Stamped>], outcome| measures_of(vec![ask("hours")], log, 9_000, outcome);
    let answered =
        [&filler[..], &[state(6_500, "speaking"), voice(6_530, 8_000), state(8_050, "listening")]]
            .concat();
    let m = of(&answered, Outcome::Answered);
    assert_eq!(values(&m, Metric::HeardE2eLatency), [(0, 1_130.0, false)]);
    assert_eq!(values(&m, Metric::AnswerLatency), [(0, 4_530.0, false)]);
    assert_eq!(values(&m, Metric::FillerCount), [(0, 1.0, false)]);
    assert_eq!(values(&m, Metric::FillerGap), [(0, 2_530.0, false)]);
    assert_eq!(values(&m, Metric::CallsOk), [(0, 1.0, false)]);
    // It never came, and the caller gave up on it.
    let stuck = Observation::AgentStuck { step: 0, doing: "thinking".to_owned() };
    let m = of(&[&filler[..], &[vec![is(4_050, stuck)]]].concat(), Outcome::Answered);
    assert_eq!(values(&m, Metric::AnswerLatency), [(0, 7_000.0, true)]);
    assert_eq!(values(&m, Metric::CallsOk), [(0, 0.0, false)]);
    // It stopped working without it.
    let gave = |gave| {
        let tools = vec![crate::record::ToolResult { name: "t".into(), is_error: false, gave }];
        session(6_000, SessionEvent::ToolsExecuted { tools })
    };
    let m = of(
        &[&filler[..], &[gave(Some(true)), state(6_010, "listening")]].concat(),
        Outcome::Answered,
    );
    assert_eq!(values(&m, Metric::HeardE2eLatency), [(0, 1_130.0, false)]);
    assert_eq!(values(&m, Metric::AnswerLatency), [(0, 7_000.0, true)]);
    assert_eq!(values(&m, Metric::CallsOk), [(0, 0.0, false)]);
    // Whether there was more to say is not told: no figure rather than the filler's.
    let m =
        of(&[&filler[..], &[gave(None), state(6_010, "listening")]].concat(), Outcome::Answered);
    assert_eq!(values(&m, Metric::AnswerLatency), []);
    assert_eq!(values(&m, Metric::CallsOk), [(0, 1.0, false)]);
    // Without a filler both are the same.
    let plain = [connected(0), began(0, 0), said(0, 1_000, 2_000), voice(3_130, 4_000)];
    let m = of(&plain, Outcome::Answered);
    assert_eq!(values(&m, Metric::AnswerLatency), values(&m, Metric::HeardE2eLatency));
    assert_eq!(values(&m, Metric::FillerCount), [(0, 0.0, false)]);
}

#[test]
fn an_expectation_without_a_result_and_a_mute_agent_are_not_fine() {
    // A barge-in that found the agent silent.
    let log = [connected(0), began(0, 0), voice(500, 1_900), said(0, 2_000, 3_000)];
    let m = measures_of(vec![barge("wait")], &log, 6_000, Outcome::Answered);
    assert_eq!(values(&m, Metric::CallsOk), [(0, 0.0, false)]);
    // A script that expects nothing.
    let of = |log: &[Vec<Stamped>]| {
        let m = measures_of(vec![say("hello", None)], log, 6_000, Outcome::Answered);
        values(&m, Metric::CallsOk)
    };
    let mute = [connected(0), began(0, 0), said(0, 2_000, 3_000)];
    assert_eq!(of(&mute), [(0, 0.0, false)]);
    assert_eq!(of(&[&mute[..], &[voice(4_000, 5_000)]].concat()), [(0, 1.0, false)]);
}

#[test]
fn a_greeting_that_comes_after_a_noise_was_taken_for_it_is_the_greeting() {
    // Music begins, the script takes it for the greeting and goes on; then it is retracted.
    let log = [
        connected(0),
        began(0, 100),
        vec![is(895, Observation::VoiceBegan)],
        met(0, 895),
        began(1, 976),
        vec![is(895, Observation::VoiceRetracted)],
        voice(1_315, 2_500),
        said(1, 3_600, 4_600),
        voice(5_600, 6_000),
    ];
    let steps = || vec![listen("greeting"), ask("hours")];
    let turns = turns_of(steps(), &log, 7_000, Outcome::Answered);
    assert_eq!(turns[0].reply, Reply::Greeted { voice: span(1_315, 2_500), latency_ms: 1_315.0 });
    assert_eq!(turns[1].reply, Reply::Heard { voice: span(5_600, 6_000), latency_ms: 1_000.0 });
    let m = measures_of(steps(), &log, 7_000, Outcome::Answered);
    assert_eq!(values(&m, Metric::CallsOk), [(0, 1.0, false)]);
}

#[test]
fn a_greeting_is_late_by_the_voice_that_counts() {
    let greeted = |from: i64| {
        let log = [
            connected(0),
            began(0, 100),
            vec![is(895, Observation::VoiceBegan)],
            met(0, 895),
            began(1, 976),
            vec![is(895, Observation::VoiceRetracted)],
            voice(from, from + 900),
        ];
        let m =
            measures_of(vec![listen("greeting"), say("hi", None)], &log, 20_000, Outcome::Answered);
        values(&m, Metric::CallsOk)
    };
    // Eight seconds from when the step began.
    assert_eq!(greeted(8_100), [(0, 1.0, false)]);
    assert_eq!(greeted(8_101), [(0, 0.0, false)]);
}

#[test]
fn a_reply_after_a_cut_in_is_late_when_it_comes_too_late() {
    let replied = |from: i64| {
        let log = [
            connected(0),
            began(0, 0),
            said(0, 1_000, 3_000),
            voice(2_000, 3_500),
            met(0, 2_000),
            voice(from, from + 900),
        ];
        let run = turns_of(vec![ask("hours")], &log, 20_000, Outcome::Answered);
        let m = measures_of(vec![ask("hours")], &log, 20_000, Outcome::Answered);
        (run[0].is_late, values(&m, Metric::CallsOk)[0].1)
    };
    assert_eq!(replied(11_000), (false, 1.0));
    assert_eq!(replied(11_001), (true, 0.0));
}

#[test]
fn a_call_that_leaves_something_else_behind_is_not_ok() {
    use crate::record::StateFound::{self, AsWanted, Different, Unknown};
    use crate::turn::{Cause, analyse};
    let check = "{get: \"http://h/{{room}}\", equals: {a: 1}}";
    let scenario = scenario_with(&format!("end_state: [{check}, {check}]"), vec![ask("hours")]);
    let left = |found: &[StateFound]| {
        let state = |(check, found): (u32, &StateFound)| {
            let detail = format!("{found:?}");
            is(9_500, Observation::EndState { check, found: *found, detail })
        };
        let heard = [connected(0), began(0, 0), said(0, 1_000, 2_000), voice(3_130, 4_000)];
        let seen = (0..).zip(found).map(state).collect();
        let log = [heard.concat(), seen].concat();
        let recording = run("r", vec![call(0, log, 9_000, Outcome::Answered)], &scenario);
        let analysis = analyse(&recording, &scenario);
        let ok = analysis.measures.values(Metric::CallsOk)[0];
        let failure = analysis.calls[0].failure.clone();
        (failure.map(|f| (f.cause, f.detail)), ok.value, ok.censored)
    };
    let failed = |cause, detail: &str| Some((cause, detail.to_owned()));
    assert_eq!(left(&[AsWanted, AsWanted]), (None, 1.0, false));
    let wrong = failed(Cause::EndState, "end state 2: Different");
    assert_eq!(left(&[AsWanted, Different]), (wrong.clone(), 0.0, false));
    // What is known to be wrong is, whatever else is not known.
    assert_eq!(left(&[Unknown, Different]), (wrong, 0.0, false));
    let unknown = failed(Cause::EndStateUnknown, "end state 1: Unknown");
    assert_eq!(left(&[Unknown, AsWanted]), (unknown, 0.0, true));
    // A recording without it passes no call.
    let missing = failed(Cause::EndStateUnknown, "end state 2: it was not looked at");
    assert_eq!(left(&[AsWanted]), (missing, 0.0, true));
}
