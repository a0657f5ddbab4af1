use std::time::Duration;

use super::testing::*;
use super::*;
use crate::record::{Observation, Outcome, SessionEvent, Stamped};
use crate::scenario::Step;

mod properties;
mod responses;

/// Greeting at 1.5 s, two questions answered after 1,100 and 1,300 ms.
fn two_answers() -> Vec<Stamped> {
    [
        connected(300),
        joined(700),
        began(0, 850),
        voice(1_500, 3_000),
        met(0, 1_520),
        session(3_050, message("Hello")),
        began(1, 1_520),
        said(1, 3_800, 5_800),
        user(6_400, "opening hours?", 500.0),
        voice(6_900, 8_000),
        met(1, 6_930),
        began(2, 6_930),
        agent(8_050, "nine to five", false, 250.0),
        said(2, 8_800, 10_000),
        user(10_700, "the price?", 520.0),
        voice(11_300, 12_000),
        met(2, 11_330),
        agent(12_100, "ten euros", false, 450.0),
    ]
    .concat()
}

fn message(text: &str) -> SessionEvent {
    let metrics = ReportedMetrics { tts_node_ttfb_ms: Some(155.0), ..ReportedMetrics::default() };
    let (id, text) = ("item_0".to_owned(), text.to_owned());
    SessionEvent::AgentMessage { id, text, interrupted: false, metrics }
}

fn span(from: i64, until: i64) -> Span {
    Span { from: at(from), until: at(until) }
}

#[test]
fn a_call_as_it_should_be() {
    let analysis = analyse(
        &run("r", vec![call(0, two_answers(), 12_500, Outcome::Answered)], &two_questions()),
        &two_questions(),
    );
    let [greeting, hours, price] = analysis.calls[0].turns.as_slice() else {
        panic!("one turn a step")
    };
    assert_eq!(greeting.reply, Reply::Greeted { voice: span(1_500, 3_000), latency_ms: 1_200.0 });
    assert_eq!(greeting.reply_text.as_deref(), Some("Hello"));
    assert_eq!((greeting.said, greeting.heard_by_agent.as_deref()), (None, None));
    assert_eq!(hours.said, Some(span(3_800, 5_800)));
    assert_eq!(hours.reply, Reply::Heard { voice: span(6_900, 8_000), latency_ms: 1_100.0 });
    assert_eq!(hours.heard_by_agent.as_deref(), Some("opening hours?"));
    assert_eq!(hours.reply_text.as_deref(), Some("nine to five"));
    assert_eq!(price.reply, Reply::Heard { voice: span(11_300, 12_000), latency_ms: 1_300.0 });

    let of = |metric| values(&analysis.measures, metric);
    assert_eq!(of(Metric::HeardE2eLatency), [(1, 1_100.0, false), (2, 1_300.0, false)]);
    assert_eq!(of(Metric::GreetingLatency), [(0, 1_200.0, false)]);
    assert_eq!(of(Metric::ConnectDelay), [(0, 300.0, false)]);
    assert_eq!(of(Metric::AgentJoinDelay), [(0, 700.0, false)]);
    assert_eq!(of(Metric::AgentReadyDelay), [(0, 150.0, false)]);
    assert_eq!(of(Metric::EndOfTurnDelay), [(1, 500.0, false), (2, 520.0, false)]);
    assert_eq!(of(Metric::LlmNodeTtft), [(1, 250.0, false), (2, 450.0, false)]);
    assert_eq!(of(Metric::E2eLatency), [(1, 950.0, false), (2, 1_150.0, false)]);
    assert_eq!(of(Metric::Unattributed), [(1, 150.0, false), (2, 150.0, false)]);
    assert_eq!(of(Metric::CallsOk), [(0, 1.0, false)]);
    // The greeting's synthesis is another thing than a reply's, and nothing else was reported.
    assert!(!analysis.measures.by_metric.contains_key(&Metric::TtsNodeTtfb));
    assert_eq!(analysis.measures.dropped_reported, 0);
}

#[test]
fn speech_that_was_running_is_no_reply() {
    let steps = || vec![ask("hours")];
    // The agent speaks on over the whole question, with a pause between sentences.
    let over = [connected(0), began(0, 0), said(0, 1_000, 3_000), voice(500, 2_000)];
    let on = voice(2_400, 3_500);
    let reply = voice(4_700, 6_000);
    let log = [&over[..], &[on.clone(), reply.clone()]].concat();
    let turns = turns_of(steps(), &log, 7_000, Outcome::Answered);
    assert_eq!(turns[0].reply, Reply::Heard { voice: span(4_700, 6_000), latency_ms: 1_700.0 });
    // Without a further speech it never replied …
    let log = [&over[..], &[on, missed(0, 11_000)]].concat();
    let turns = turns_of(steps(), &log, 11_100, Outcome::NoAnswer);
    assert_eq!(turns[0].reply, Reply::Unanswered { waited_ms: 8_000.0 });
    // … even if the script took it for a reply.
    let log = [&over[..], &[voice(3_200, 4_000), voice(2_400, 3_100), met(0, 2_500)]].concat();
    let turns = turns_of(steps(), &log, 5_000, Outcome::Answered);
    assert_eq!(turns[0].reply, Reply::Unanswered { waited_ms: 2_000.0 });
}

#[test]
fn unanswered_turns_are_bounds() {
    let log = [connected(0), began(0, 0), said(0, 1_000, 2_000), missed(0, 10_000)];
    let late = [&log[..], &[voice(10_500, 11_000)]].concat();
    for log in [&log[..], &late] {
        let turns = turns_of(vec![ask("hours")], log, 12_000, Outcome::NoAnswer);
        assert_eq!(turns[0].reply, Reply::Unanswered { waited_ms: 8_000.0 });
        let m = measures_of(vec![ask("hours")], log, 12_000, Outcome::NoAnswer);
        assert_eq!(values(&m, Metric::HeardE2eLatency), [(0, 8_000.0, true)]);
        assert_eq!(values(&m, Metric::CallsOk), [(0, 0.0, false)]);
    }
}

#[test]
fn how_a_call_ended_decides_what_its_silence_means() {
    use Outcome::*;
    let log = [connected(0), began(0, 0), said(0, 1_000, 2_000)];
    for outcome in Outcome::ALL {
        let turns = turns_of(vec![ask("hours"), ask("price")], &log, 4_500, outcome);
        let m = measures_of(vec![ask("hours"), ask("price")], &log, 4_500, outcome);
        let heard = values(&m, Metric::HeardE2eLatency);
        match outcome {
            AgentLate | NoGreeting | NoAnswer => {
                assert_eq!(turns[0].reply, Reply::Unanswered { waited_ms: 2_500.0 });
                assert_eq!(heard, [(0, 2_500.0, true)]);
            }
            AgentLeft => {
                // Heard as 2.5 s of silence; known to outlast the 8 s it was given.
                assert_eq!(turns[0].reply, Reply::Unanswered { waited_ms: 2_500.0 });
                assert_eq!(heard, [(0, 8_000.0, true)]);
            }
            Answered | NoAgent | ConnectionLost | Refused | Stopped | OurFault => {
                assert_eq!((turns[0].reply, heard.len()), (Reply::NotReached, 0));
            }
        }
        assert_eq!(turns[1].reply, Reply::NotReached);
        let counted = !matches!(outcome, Stopped | OurFault);
        assert_eq!(m.values(Metric::CallsOk).len(), usize::from(counted));
    }
}

#[test]
fn an_agent_that_leaves_during_the_question_did_not_answer() {
    let said_half = vec![is(1_000, Observation::UtteranceBegan { step: 0 })];
    let log = [connected(0), began(0, 0), said_half];
    let m = measures_of(vec![ask("hours")], &log, 1_500, Outcome::AgentLeft);
    assert_eq!(values(&m, Metric::HeardE2eLatency), [(0, 8_000.0, true)]);
    let turns = turns_of(vec![ask("hours")], &log, 1_500, Outcome::OurFault);
    assert_eq!(turns[0].reply, Reply::NotReached);
}

#[test]
fn greetings() {
    let steps = || vec![listen("greeting"), listen("more")];
    // Begun before its step was: still the greeting, counted from the connection.
    let log =
        [connected(200), began(0, 900), voice(880, 2_000), began(1, 900), voice(3_000, 4_000)];
    let turns = turns_of(steps(), &log, 5_000, Outcome::Answered);
    assert_eq!(turns[0].reply, Reply::Greeted { voice: span(880, 2_000), latency_ms: 680.0 });
    assert_eq!(turns[1].reply, Reply::Greeted { voice: span(3_000, 4_000), latency_ms: 2_100.0 });
    let m = measures_of(steps(), &log, 5_000, Outcome::Answered);
    assert_eq!(values(&m, Metric::GreetingLatency), [(0, 680.0, false)]);

    let none = [connected(200), joined(500), began(0, 900), missed(0, 8_900)];
    let m = measures_of(steps(), &none, 9_000, Outcome::NoGreeting);
    assert_eq!(values(&m, Metric::GreetingLatency), [(0, 8_700.0, true)]);
}

#[test]
fn an_agent_that_does_not_come_is_a_bound_of_its_delay() {
    let steps = || vec![listen("greeting")];
    let m = measures_of(steps(), &[connected(200)], 20_200, Outcome::NoAgent);
    assert_eq!(values(&m, Metric::AgentJoinDelay), [(0, 20_200.0, true)]);
    assert_eq!(values(&m, Metric::GreetingLatency), []);
    let joined = vec![joined(900)[0].clone()];
    let m = measures_of(steps(), &[connected(200), joined], 20_900, Outcome::AgentLate);
    assert_eq!(values(&m, Metric::AgentJoinDelay), [(0, 900.0, false)]);
    assert_eq!(values(&m, Metric::AgentReadyDelay), [(0, 20_000.0, true)]);
}

#[test]
fn barge_ins() {
    let steps = || vec![barge("wait")];
    let check = |log: &[Vec<Stamped>], end_ms, outcome, want: Reply, value: Option<(f64, bool)>| {
        let log = [&[connected(0), began(0, 0)], log].concat();
        assert_eq!(turns_of(steps(), &log, end_ms, outcome)[0].reply, want, "{log:?}");
        let m = measures_of(steps(), &log, end_ms, outcome);
        assert_eq!(values(&m, Metric::TimeToYield), value.map(|(v, c)| (0, v, c)).as_slice());
        assert_eq!(values(&m, Metric::HeardE2eLatency), []);
    };
    let said = said(0, 2_000, 3_000);
    let ok = Outcome::Answered;
    let yielded = Reply::Yielded { yield_ms: 600.0 };
    // Stops, and replies later: the reply is no sample of heard latency.
    let log = [said.clone(), voice(1_000, 2_600), voice(4_200, 5_000)];
    check(&log, 6_000, ok, yielded, Some((600.0, false)));
    // A pause between sentences is no yielding.
    let log = [said.clone(), voice(1_000, 2_200), voice(2_500, 2_600)];
    check(&log, 6_000, ok, yielded, Some((600.0, false)));
    let log = [said.clone(), voice(1_000, 2_200), voice(2_500, 5_000), missed(0, 4_000)];
    let not = Reply::DidNotYield { waited_ms: 2_000.0 };
    check(&log, 6_000, ok, not, Some((2_000.0, true)));
    // Speaks to the end of the call, with and without the script's own word on it.
    let log = [said.clone(), vec![is(1_000, Observation::VoiceBegan)]];
    check(&log, 6_000, ok, not, Some((2_000.0, true)));
    check(&log, 3_500, Outcome::Stopped, Reply::NotReached, None);
    // The agent had finished: there was nothing to yield.
    let log = [said, voice(500, 1_900)];
    check(&log, 6_000, ok, Reply::NotTested, None);
}

#[test]
fn steps_that_await_nothing() {
    let silence = Step {
        id: "hold".to_owned(),
        act: crate::scenario::Act::Silence { length: Duration::from_secs(2) },
        expect: None,
        content: crate::scenario::Content::default(),
        signals: crate::scenario::Signals::default(),
    };
    let log =
        [connected(0), began(0, 0), said(0, 1_000, 2_000), began(1, 2_000), voice(3_000, 4_000)];
    let turns = turns_of(vec![say("bye", None), silence], &log, 5_000, Outcome::Answered);
    assert_eq!(turns[0].reply, Reply::NotAwaited);
    assert_eq!(turns[0].said, Some(span(1_000, 2_000)));
    assert_eq!(turns[1].reply, Reply::NotAwaited);
}

fn noise(id: &str) -> Step {
    say(id, Some(crate::scenario::Expect::Ignores))
}

#[test]
fn noises() {
    let check = |log: &[Vec<Stamped>], end_ms, want: Reply, counted: Option<f64>| {
        let log = [&[connected(0), began(0, 0), said(0, 2_000, 2_500)], log].concat();
        let turns = turns_of(vec![noise("cough")], &log, end_ms, Outcome::Answered);
        assert_eq!(turns[0].reply, want, "{log:?}");
        let m = measures_of(vec![noise("cough")], &log, end_ms, Outcome::Answered);
        let values = values(&m, Metric::FalseInterruptionCount);
        assert_eq!(values, counted.map(|v| (0, v, false)).as_slice());
    };
    let stopped = |after_ms| Reply::Disturbed { by: Disturbance::Stopped, after_ms };
    // Speaks on, with a pause between sentences in it.
    check(&[voice(1_000, 2_700), voice(3_200, 6_000)], 8_000, Reply::Ignored, Some(0.0));
    // Pauses, and goes on two seconds later.
    check(&[voice(1_000, 2_600), voice(4_700, 6_000)], 8_000, stopped(600.0), Some(1.0));
    // A stop a second and more after the noise has nothing to do with it.
    check(&[voice(1_000, 3_600)], 8_000, Reply::Ignored, Some(0.0));
    // It had finished what it had to say, and says so: it neither broke off nor answered.
    let finished = agent(2_650, "welcome", false, 250.0);
    check(&[voice(1_000, 2_600), finished.clone()], 8_000, Reply::Ignored, Some(0.0));
    // Then it speaks because of the noise.
    let answered = Reply::Disturbed { by: Disturbance::Answered, after_ms: 2_200.0 };
    check(&[voice(1_000, 2_600), finished, voice(4_200, 5_000)], 8_000, answered, Some(1.0));
    // It was silent, and stays so, or not.
    check(&[voice(500, 1_500)], 8_000, Reply::Ignored, Some(0.0));
    check(&[voice(500, 1_500), voice(4_200, 5_000)], 8_000, answered, Some(1.0));
    // The call ended before that was known.
    check(&[vec![is(1_000, Observation::VoiceBegan)]], 3_000, Reply::NotReached, None);
}

#[test]
fn speech_that_is_resumed_after_a_false_interruption_is_no_reply() {
    let log = |resumed: bool| {
        let word = SessionEvent::FalseInterruption { resumed: true };
        [
            connected(0),
            began(0, 0),
            voice(500, 1_700),
            said(0, 1_200, 1_600),
            voice(3_750, 6_000),
            if resumed { session(3_790, word) } else { Vec::new() },
            met(0, 3_750),
        ]
    };
    let turns = turns_of(vec![ask("hours")], &log(true), 8_000, Outcome::Answered);
    assert_eq!(turns[0].reply, Reply::Unanswered { waited_ms: 6_400.0 });
    assert!(turns[0].false_interruption);
    let m = measures_of(vec![ask("hours")], &log(true), 8_000, Outcome::Answered);
    assert_eq!(values(&m, Metric::HeardE2eLatency), [(0, 6_400.0, true)]);
    assert_eq!(values(&m, Metric::CallsOk), [(0, 0.0, false)]);
    // Without the agent's word for it, it is what it sounds like.
    let turns = turns_of(vec![ask("hours")], &log(false), 8_000, Outcome::Answered);
    assert!(matches!(turns[0].reply, Reply::Heard { .. }));
    // A reply that comes after what was resumed counts.
    let log = [&log(true)[..6], &[voice(7_000, 7_500)]].concat();
    let turns = turns_of(vec![ask("hours")], &log, 8_000, Outcome::Answered);
    assert_eq!(turns[0].reply, Reply::Heard { voice: span(7_000, 7_500), latency_ms: 5_400.0 });
}

#[test]
fn early_late_and_missing_replies_are_counted() {
    let of = |reply_ms: Option<i64>, tool: bool, metric| {
        let tools = SessionEvent::ToolsStarted { names: vec!["t".to_owned()] };
        let log = [
            connected(0),
            began(0, 0),
            said(0, 1_000, 2_000),
            if tool { session(2_100, tools) } else { Vec::new() },
            reply_ms.map_or_else(|| missed(0, 10_000), |ms| voice(ms, ms + 500)),
        ];
        let outcome = if reply_ms.is_some() { Outcome::Answered } else { Outcome::NoAnswer };
        let m = measures_of(vec![ask("hours")], &log, 12_000, outcome);
        m.values(metric).iter().map(|v| v.value).collect::<Vec<_>>()
    };
    let early = Metric::EotMispredictionCount;
    assert_eq!(of(Some(1_810), false, early), [0.0]);
    assert_eq!(of(Some(1_790), false, early), [1.0]);
    let late = Metric::AwkwardSilenceCount;
    assert_eq!(of(Some(4_900), false, late), [0.0]);
    assert_eq!(of(Some(5_100), false, late), [1.0]);
    assert_eq!(of(Some(5_100), true, late), [0.0]);
    assert_eq!(of(Some(7_100), true, late), [1.0]);
    assert_eq!(of(None, false, late), [1.0]);
    assert_eq!(of(None, false, Metric::UnansweredTurns), [1.0]);
    assert_eq!(of(Some(5_100), false, Metric::UnansweredTurns), [0.0]);
}

#[test]
fn the_first_packet_of_a_reply_is_found() {
    let sound = |ms| vec![is(ms, Observation::SoundBegan)];
    let log = |sounds: &[i64]| {
        let sounds = sounds.iter().flat_map(|ms| sound(*ms)).collect();
        [connected(0), began(0, 0), said(0, 1_000, 2_000), sounds, voice(3_000, 4_000)]
    };
    let ttfa = |sounds: &[i64]| {
        let m = measures_of(vec![ask("hours")], &log(sounds), 5_000, Outcome::Answered);
        m.values(Metric::HeardTtfa).iter().map(|v| v.value).collect::<Vec<_>>()
    };
    assert_eq!(ttfa(&[2_700]), [700.0]);
    assert_eq!(ttfa(&[500, 2_700, 6_000]), [700.0]);
    // Recorded before packets were.
    assert_eq!(ttfa(&[]), [0.0; 0]);
}

#[test]
fn overlap_is_counted_once_for_both() {
    let log =
        [connected(0), began(0, 0), voice(500, 1_400), said(0, 1_000, 2_000), voice(1_800, 3_000)];
    let one = call(0, log.concat(), 5_000, Outcome::Answered);
    let scenario = scenario(vec![ask("hours")]);
    let analysis = analyse(&run("r", vec![one], &scenario), &scenario);
    assert_eq!(analysis.calls[0].overlap, Overlap { overlap_ms: 600.0, speech_ms: 2_500.0 });
    assert_eq!(values(&analysis.measures, Metric::OverlapRatio), [(0, 0.24, false)]);
}

#[test]
fn content_is_checked_and_never_taken_for_granted() {
    let check = |expect: &str, text: Option<&str>| {
        let yaml = format!(
            "version: 1\nname: a\nturns: [{{id: q, say: {{file: a.wav}}, expect: {{agent: responds, within: 8s, {expect}}}}}]\n"
        );
        let scenario = crate::scenario::Scenario::parse(&yaml).expect("valid");
        let log = [
            connected(0),
            began(0, 0),
            said(0, 1_000, 2_000),
            user(2_500, "?", 500.0),
            voice(3_000, 4_000),
            text.map_or_else(Vec::new, |text| agent(4_100, text, false, 250.0)),
        ];
        let run = run("r", vec![call(0, log.concat(), 5_000, Outcome::Answered)], &scenario);
        let analysis = analyse(&run, &scenario);
        let failure = analysis.calls[0].failure.clone();
        (analysis.calls[0].turns[0].wrong_content().count(), failure.map(|f| f.cause))
    };
    let wrong = Some(Cause::WrongContent);
    assert_eq!(check("text: {contains: NINE}", Some("From nine to six.")), (0, None));
    assert_eq!(check("text: {contains: [nine, ten]}", Some("From nine to six.")), (1, wrong));
    assert_eq!(check("text: {matches: '(?i)NINE|9'}", Some("From nine to six.")), (0, None));
    assert_eq!(check("text: {matches: ten}", Some("From nine to six.")), (1, wrong));
    // What was not told is not wrong.
    assert_eq!(check("text: {contains: nine}", None), (0, None));
    assert_eq!(check("tools: [get_hours]", Some("From nine to six.")), (1, wrong));
}

#[test]
fn the_cause_of_a_call_is_what_the_agent_named() {
    let cause = |error: Option<&str>| {
        let error = error.map(|e| session(2_600, SessionEvent::Error { message: e.to_owned() }));
        let log = [
            connected(0),
            began(0, 0),
            said(0, 1_000, 2_000),
            error.unwrap_or_default(),
            missed(0, 10_000),
        ];
        let one = call(0, log.concat(), 10_100, Outcome::NoAnswer);
        let scenario = scenario(vec![ask("hours")]);
        let analysis = analyse(&run("r", vec![one], &scenario), &scenario);
        analysis.calls[0].failure.clone().map(|f| f.cause)
    };
    assert_eq!(cause(None), Some(Cause::Silence));
    assert_eq!(cause(Some("type='llm_error' status_code=429")), Some(Cause::ProviderLimit));
    assert_eq!(cause(Some("type='tts_error' timeout")), Some(Cause::TtsError));
}

#[test]
fn waiting_for_a_free_slot_counts() {
    let scenario = two_questions();
    let mut one = call(0, [connected(900), joined(1_400)].concat(), 12_500, Outcome::Answered);
    // Due at the beginning of the run, placed when a slot was free.
    one.dialled = at(600);
    let measures = analyse(&run("r", vec![one], &scenario), &scenario).measures;
    let first = |metric| measures.values(metric).first().map(|v| v.value);
    assert_eq!(first(Metric::ConnectDelay), Some(900.0));
    assert_eq!(first(Metric::AgentJoinDelay), Some(1_400.0));
    assert_eq!(first(Metric::AgentReadyDelay), Some(150.0));
}
