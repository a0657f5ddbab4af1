use super::*;
use crate::record::{Outcome, Source, Stamped};
use crate::turn::testing::*;

fn guest(identity: &str, kind: Kind, on_behalf_of: &str) -> Participant {
    Participant {
        identity: identity.to_owned(),
        name: String::new(),
        kind,
        agent_name: String::new(),
        on_behalf_of: on_behalf_of.to_owned(),
        joined_after_ms: None,
    }
}

fn came(ms: i64, identity: &str) -> Vec<Stamped> {
    vec![is(ms, Observation::Participant(guest(identity, Kind::Agent, "")))]
}

fn track(ms: i64, number: u32, identity: &str, name: &str, heard: Heard) -> Vec<Stamped> {
    let (identity, name) = (identity.to_owned(), name.to_owned());
    let source = Source::Microphone;
    vec![is(ms, Observation::Track(Track { track: number, identity, name, source, heard }))]
}

fn spoke(number: u32, from: i64, until: i64) -> Vec<Stamped> {
    vec![is(from, Observation::TrackSpoke { track: number, until: at(until) })]
}

fn parties(log: &[Vec<Stamped>]) -> Parties {
    Parties::of(&call(0, log.concat(), 30_000, Outcome::Answered))
}

#[test]
fn one_agent_with_ambience_is_nothing_new() {
    let of = parties(&[
        came(100, "agent-1"),
        track(200, 0, "agent-1", "roomio_audio", Heard::Voice),
        track(500, 1, "agent-1", "hold-music", Heard::Ambience),
        voice(1_000, 2_000),
    ]);
    assert_eq!(of.spoke, ["agent-1"]);
    assert_eq!((of.twins, of.handed_over), (None, None));
    assert_eq!(of.not_heard, ["`hold-music` (microphone)"]);
}

#[test]
fn an_avatar_speaks_for_its_agent() {
    let avatar = guest("avatar-1", Kind::Agent, "agent-1");
    let of = parties(&[
        vec![is(100, Observation::Participant(avatar))],
        came(3_000, "agent-1"),
        track(200, 0, "avatar-1", "voice", Heard::Voice),
        voice(1_000, 2_000),
    ]);
    assert_eq!(of.spoke, ["agent-1"]);
    assert_eq!((of.twins, of.handed_over), (None, None));
}

#[test]
fn a_call_that_is_handed_over_has_no_twins() {
    let of = parties(&[
        came(100, "agent-1"),
        track(200, 0, "agent-1", "roomio_audio", Heard::Voice),
        voice(1_000, 2_000),
        voice(5_000, 6_000),
        came(6_100, "agent-2"),
        track(6_200, 1, "agent-2", "roomio_audio", Heard::Voice),
        vec![is(6_400, Observation::ParticipantLeft { identity: "agent-1".to_owned() })],
        spoke(1, 9_000, 10_000),
        voice(9_000, 10_000),
    ]);
    assert_eq!(of.handed_over, Some(("agent-1".to_owned(), "agent-2".to_owned())));
    assert_eq!(of.twins, None);
}

#[test]
fn two_that_answer_at_once_are_twins() {
    let both = [
        came(100, "agent-1"),
        track(200, 0, "agent-1", "a", Heard::Voice),
        came(300, "agent-2"),
        track(400, 1, "agent-2", "b", Heard::Voice),
    ]
    .concat();
    let of = parties(&[both.clone(), spoke(0, 1_000, 2_200), spoke(1, 1_400, 2_600)]);
    let twins = of.twins.expect("two agents");
    assert_eq!(twins.who, ["agent-1", "agent-2"]);
    assert!((twins.at_once_ms - 800.0).abs() < 1e-6);

    // The second is faster and they never overlap, but the first answers all the same.
    let of =
        parties(&[both, spoke(0, 1_000, 2_000), spoke(1, 5_000, 6_000), spoke(0, 8_000, 9_000)]);
    assert!(of.twins.is_some_and(|twins| twins.at_once_ms == 0.0));
    assert_eq!(of.handed_over, None);
}

#[test]
fn a_track_that_was_heard_in_error_is_named() {
    let music = |heard: &[Stamped]| {
        parties(&[
            came(100, "agent-1"),
            track(200, 0, "agent-1", "hold-music", Heard::Voice),
            heard.to_vec(),
            vec![is(900, Observation::TrackChanged { track: 0, heard: Heard::Ambience })],
            track(900, 1, "agent-1", "voice", Heard::Voice),
        ])
    };
    let loud = music(&voice(500, 800));
    assert_eq!(loud.heard_in_error, ["`hold-music` (microphone)"]);
    assert!(loud.not_heard.is_empty());
    let silent = music(&[]);
    assert_eq!(silent.not_heard, ["`hold-music` (microphone)"]);
    assert!(silent.heard_in_error.is_empty());
}

#[test]
fn who_sat_in_the_room_without_a_word_is_named() {
    let bot = vec![is(300, Observation::Participant(guest("bot", Kind::Standard, "")))];
    assert_eq!(parties(std::slice::from_ref(&bot)).silent, ["bot"]);
    assert!(parties(&[bot, joined(400)]).silent.is_empty());
}
