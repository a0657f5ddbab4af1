use crate::record::{Kind, Observation, Outcome, Participant, Stamped};
use crate::scenario::Metric;
use crate::turn::testing::*;
use crate::turn::{Analysis, analyse};

fn told(ms: i64, identity: &str, kind: Kind, joined_after_ms: i64) -> Vec<Stamped> {
    let guest = Participant {
        identity: identity.to_owned(),
        name: String::new(),
        kind,
        agent_name: String::new(),
        on_behalf_of: String::new(),
        joined_after_ms: Some(joined_after_ms),
    };
    vec![is(ms, Observation::Participant(guest))]
}

fn joined_as(ms: i64, identity: &str) -> Vec<Stamped> {
    vec![is(ms, Observation::AgentJoined { identity: identity.to_owned() })]
}

fn ready(ms: i64) -> Vec<Stamped> {
    vec![is(ms, Observation::AgentTrackSubscribed)]
}

/// A call that was dialled at 0 and connected at 100 ms.
fn analysed(log: &[Vec<Stamped>]) -> Analysis {
    let scenario = two_questions();
    let log = [connected(100), log.concat()].concat();
    analyse(&run("r", vec![call(0, log, 20_000, Outcome::Answered)], &scenario), &scenario)
}

fn join_and_ready(analysis: &Analysis) -> (f64, f64) {
    let value = |metric| values(&analysis.measures, metric)[0].1;
    (value(Metric::AgentJoinDelay), value(Metric::AgentReadyDelay))
}

#[test]
fn an_agent_has_joined_when_it_did_and_not_when_the_server_told_of_it() {
    // It was there 300 ms after the caller; the server told of it with its track, 2 s later.
    let late = analysed(&[
        told(2_360, "agent-1", Kind::Agent, 300),
        joined_as(2_360, "agent-1"),
        ready(2_374),
    ]);
    // The caller joined between 0 and 100 ms.
    assert_eq!(join_and_ready(&late), (350.0, 2_024.0));
    assert_eq!(late.calls[0].agent_identity.as_deref(), Some("agent-1"));
}

#[test]
fn nobody_is_told_of_before_it_joined() {
    // So early that the caller must have joined before 20 ms.
    let early =
        analysed(&[told(120, "agent-1", Kind::Agent, 100), joined_as(120, "agent-1"), ready(400)]);
    assert_eq!(join_and_ready(&early), (110.0, 290.0));
    // It was in the room before the caller.
    let waiting = analysed(&[
        told(110, "agent-1", Kind::Agent, -5_000),
        joined_as(110, "agent-1"),
        ready(400),
    ]);
    assert_eq!(join_and_ready(&waiting), (50.0, 350.0));
    // A server whose times are nonsense changes nothing for the worse than what it told.
    let nonsense = analysed(&[
        told(500, "agent-1", Kind::Agent, i64::MAX),
        joined_as(500, "agent-1"),
        ready(600),
    ]);
    assert_eq!(join_and_ready(&nonsense), (500.0, 100.0));
}

#[test]
fn an_ordinary_participant_joined_when_it_appeared() {
    let lazy =
        analysed(&[told(1_900, "bot", Kind::Standard, 150), joined_as(7_435, "bot"), ready(7_435)]);
    assert_eq!(join_and_ready(&lazy), (200.0, 7_235.0));
}

#[test]
fn the_agent_is_the_one_that_publishes_on_nobodys_behalf() {
    let mut avatar = told(1_000, "avatar-1", Kind::Agent, 900);
    if let Observation::Participant(guest) = &mut avatar[0].what {
        guest.on_behalf_of = "agent-1".to_owned();
    }
    let seen = analysed(&[
        avatar,
        joined_as(1_000, "avatar-1"),
        ready(1_100),
        told(2_500, "agent-1", Kind::Agent, 250),
    ]);
    assert_eq!(seen.calls[0].agent_identity.as_deref(), Some("agent-1"));
    assert_eq!(join_and_ready(&seen), (300.0, 800.0));
}

#[test]
fn an_older_recording_has_what_the_server_told() {
    let old = analysed(&[joined_as(700, "agent-1"), ready(850)]);
    assert_eq!(join_and_ready(&old), (700.0, 150.0));
}

#[test]
fn a_stall_that_was_silence_is_none() {
    let stalled = |what: &[(i64, Observation)]| {
        let log: Vec<Stamped> = what.iter().map(|(ms, what)| is(*ms, what.clone())).collect();
        analysed(&[log]).seen.stalled
    };
    let stall = (3_000, Observation::AgentMediaStalled);
    let silent = (5_300, Observation::AgentMediaWasSilent);
    assert_eq!(stalled(&[stall.clone(), (5_000, Observation::AgentMediaResumed)]), 1);
    assert_eq!(stalled(&[stall.clone(), silent.clone()]), 0);
    assert_eq!(stalled(&[stall.clone(), silent, stall]), 1);
}
