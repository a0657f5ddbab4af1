//! Script and analysis ask the same rule, so what the script decided while a call went on is what the
//! analysis finds in its recording.

use loadcall::call::script::{Action, CallEvent, Script};
use loadcall::record::{
    CallEnd, CallId, CallRecord, MediaFacts, Observation, SessionEvent, Stamped,
};
use loadcall::scenario::{Scenario, Style};
use loadcall::time::Offset;
use loadcall::turn::{Reply, Turn, turns};
use proptest::prelude::*;
use std::sync::Arc;

fn at(ms: i64) -> Offset {
    Offset::from_micros(ms * 1_000)
}

/// A script of these steps, each from a sort of its own.
fn scenario(steps: &[u8]) -> Arc<Scenario> {
    let step = |(i, kind): (usize, &u8)| {
        let say = |rest: &str| format!("  - {{id: s{i}, say: {{file: a.wav}}, {rest}}}\n");
        match kind {
            0 => format!("  - {{id: s{i}, expect: {{agent: speaks, within: 3s}}}}\n"),
            1 => say(
                "start: {after: agent_speech_start, delay: 700ms}, expect: {agent: yields, within: 1s}",
            ),
            2 => say("start: {after: previous_turn, delay: 900ms}, expect: {agent: ignores}"),
            3 => say(
                "start: {after: previous_turn, delay: 300ms}, expect: {agent: responds, within: 4s}",
            ),
            4 => format!("  - {{id: s{i}, silence: 1s}}\n"),
            _ => say("start: {after: agent_speech_end}, expect: {agent: responds, within: 4s}"),
        }
    };
    let turns: String = steps.iter().enumerate().map(step).collect();
    let text = format!(
        "version: 1\nname: t\nagent: {{name: a}}\nhangup: {{max_call: 90s}}\n\
         turn_taking: {{busy_limit: 5s}}\nturns:\n  - {{id: first, expect: {{agent: speaks, within: 3s}}}}\n{turns}"
    );
    let parsed = Scenario::parse(&text);
    Arc::new(parsed.unwrap_or_else(|f| panic!("{}", f.render("t.yaml", &text, Style::Plain))))
}

/// The agent's side: what happens, with how long after the one before.
#[derive(Debug, Clone)]
enum Agent {
    Speaks { gap_ms: i64, ms: i64 },
    State { gap_ms: i64, state: &'static str },
    Tool { gap_ms: i64, ms: i64 },
}

fn agent() -> impl Strategy<Value = Agent> {
    let gap = || prop_oneof![1_i64..900, 500_i64..6_000];
    prop_oneof![
        3 => (gap(), 60_i64..4_000).prop_map(|(gap_ms, ms)| Agent::Speaks { gap_ms, ms }),
        1 => (gap(), prop::sample::select(vec!["thinking", "speaking", "listening"]))
            .prop_map(|(gap_ms, state)| Agent::State { gap_ms, state }),
        1 => (gap(), 100_i64..4_000).prop_map(|(gap_ms, ms)| Agent::Tool { gap_ms, ms }),
    ]
}

/// What is observed, as (known at, observation): a begin is known 40 ms after it, an end 240 ms.
fn timeline(agent: &[Agent]) -> Vec<(i64, Stamped)> {
    let mut seen: Vec<(i64, i64, Observation)> = Vec::new();
    let mut now = 700;
    for (i, act) in agent.iter().enumerate() {
        match act {
            Agent::Speaks { gap_ms, ms } => {
                now += gap_ms;
                seen.push((now + 40, now, Observation::VoiceBegan));
                now += ms;
                seen.push((now + 240, now, Observation::VoiceEnded));
            }
            Agent::State { gap_ms, state } => {
                // A state does not hold up the voice.
                let then = now + gap_ms;
                seen.push((then, then, Observation::AgentState((*state).to_owned())));
            }
            Agent::Tool { gap_ms, ms } => {
                let (from, until, call) = (now + gap_ms, now + gap_ms + ms, format!("c{i}"));
                let began = SessionEvent::ToolStarted { call: call.clone(), name: "t".to_owned() };
                seen.push((from, from, Observation::Session(began)));
                seen.push((until, until, Observation::Session(SessionEvent::ToolEnded { call })));
            }
        }
    }
    seen.sort_by_key(|(known, ..)| *known);
    seen.into_iter().map(|(known, ms, what)| (known, Stamped { at: at(ms), what })).collect()
}

/// Plays a call in virtual time, clips of `clip_ms` going on the wire as soon as they may.
fn play(scenario: &Arc<Scenario>, agent: &[Agent], clip_ms: i64) -> CallRecord {
    let mut coming = timeline(agent);
    coming.reverse();
    let mut script = Script::new(Arc::clone(scenario), at(0));
    let mut log =
        vec![Stamped { at: at(100), what: Observation::Connected { room_sid: String::new() } }];
    let mut saying: Option<(i64, i64, u32)> = None;
    script.handle(at(100), CallEvent::Connected);
    script.handle(at(600), CallEvent::AgentTrackSubscribed);
    for now in (600..).step_by(10) {
        while coming.last().is_some_and(|(known, _)| *known <= now) {
            let Some((_, seen)) = coming.pop() else { break };
            log.push(seen.clone());
            script.handle(at(now), CallEvent::Observed(seen));
        }
        match saying {
            Some((from, until, step)) if from <= now && until > now => {
                script.handle(at(now), CallEvent::UtteranceBegan { at: at(from) });
                saying = Some((i64::MAX, until, step));
            }
            Some((i64::MAX, until, _)) if until <= now => {
                script.handle(at(now), CallEvent::UtteranceEnded { at: at(until) });
                saying = None;
            }
            _ => {}
        }
        while let Some(action) = script.poll(at(now)) {
            match action {
                Action::Say { step, not_before } => {
                    let from = (not_before.micros() / 1_000).max(now + 10);
                    saying = Some((from, from + clip_ms, step));
                }
                Action::HangUp(end) => {
                    log.extend(script.take_notes());
                    return record(log, end);
                }
            }
        }
        log.extend(script.take_notes());
    }
    unreachable!("every call ends")
}

fn record(log: Vec<Stamped>, end: CallEnd) -> CallRecord {
    let media = MediaFacts::default();
    CallRecord { id: CallId(0), room: "r".into(), due: at(0), dialled: at(0), log, end, media }
}

/// What the script decided of a step, if anything.
fn decided(call: &CallRecord, step: u32) -> Option<bool> {
    let noted = |what: Observation| call.log.iter().any(|seen| seen.what == what);
    let met = noted(Observation::ExpectationMet { step });
    (met || noted(Observation::ExpectationMissed { step })).then_some(met)
}

/// What the analysis says of it: whether the expectation was met, where that was decided.
fn found(turn: &Turn) -> Option<bool> {
    match turn.reply {
        Reply::CutIn { .. } | Reply::Ignored | Reply::Yielded { .. } => Some(true),
        Reply::Greeted { .. } | Reply::Heard { .. } => Some(!turn.is_late),
        Reply::Unanswered { .. }
        | Reply::DidNotYield { .. }
        | Reply::Disturbed { .. }
        | Reply::NotTested => Some(false),
        Reply::NotAwaited | Reply::NotReached => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn script_and_analysis_agree(
        steps in prop::collection::vec(0_u8..9, 1..4),
        agent in prop::collection::vec(agent(), 0..14),
        clip_ms in 200_i64..3_000,
    ) {
        let scenario = scenario(&steps);
        let call = play(&scenario, &agent, clip_ms);
        for turn in turns(&call, &scenario) {
            let (script, analysis) = (decided(&call, turn.step), found(&turn));
            // The script had taken a cut-in for the response when the time was over; a reply came after.
            let afterwards =
                turn.cut_in && turn.is_late && script == Some(true) && analysis == Some(false);
            prop_assert!(
                script == analysis || afterwards,
                "step {}: script {script:?}, analysis {:?}\n{}",
                turn.id, turn.reply, serde_json::to_string_pretty(&call.log).unwrap(),
            );
        }
    }
}
