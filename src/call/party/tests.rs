use super::*;
use crate::scenario::Wildcard;
use proptest::prelude::*;

fn guest(identity: &str, kind: Kind, on_behalf_of: &str) -> Participant {
    Participant {
        identity: identity.to_owned(),
        name: String::new(),
        kind,
        agent_name: String::new(),
        on_behalf_of: on_behalf_of.to_owned(),
        joined_after_ms: Some(300),
    }
}

fn track(identity: &str, name: &str, source: Source) -> Track {
    let (identity, name) = (identity.to_owned(), name.to_owned());
    Track { track: 0, identity, name, source, heard: Heard::Not }
}

fn at(ms: i64) -> Offset {
    Offset::from_micros(ms * 1_000)
}

/// A room as a test tells of it, and what was decided.
struct Told(Party);

impl Told {
    fn new() -> Self {
        Self(Party::new(Listening::default()))
    }

    fn came(&mut self, identity: &str, kind: Kind, on_behalf_of: &str) -> Vec<Change> {
        self.0.came(&guest(identity, kind, on_behalf_of), None);
        self.decided()
    }

    fn publishes(&mut self, sid: &str, identity: &str, name: &str, source: Source) -> Vec<Change> {
        let microphone = source == Source::Microphone;
        self.0.subscribed(sid, &track(identity, name, source), microphone);
        self.decided()
    }

    fn left(&mut self, identity: &str, ms: i64) -> Vec<Change> {
        self.0.left(identity, at(ms), "gone".to_owned());
        self.decided()
    }

    /// What has an effect.
    fn decided(&mut self) -> Vec<Change> {
        let changes = self.0.take_changes().into_iter();
        changes.filter(|change| !matches!(change, Change::Noted(_))).collect()
    }
}

fn joined(identity: &str) -> Change {
    Change::Joined { identity: identity.to_owned() }
}

fn listen(track: u32) -> Change {
    Change::Listen { track, surely: true }
}

#[test]
fn an_agent_with_a_microphone_is_heard_and_its_hold_music_is_not() {
    // The music comes 0.3 s after the voice, or before it.
    let mut room = Told::new();
    assert_eq!(room.came("agent-1", Kind::Agent, ""), [joined("agent-1")]);
    assert_eq!(room.publishes("TR_1", "agent-1", "roomio_audio", Source::Microphone), [listen(0)]);
    assert_eq!(room.publishes("TR_2", "agent-1", "hold-music", Source::Unknown), []);
    assert_eq!(room.publishes("TR_3", "agent-1", "background_audio", Source::Microphone), []);

    let mut room = Told::new();
    room.came("agent-1", Kind::Agent, "");
    let music = room.publishes("TR_2", "agent-1", "hold-music", Source::Unknown);
    assert_eq!(
        music,
        [Change::Listen { track: 0, surely: false }],
        "it may be a bare agent's voice"
    );
    assert_eq!(
        room.publishes("TR_1", "agent-1", "roomio_audio", Source::Microphone),
        [Change::TurnAway { track: 0 }, listen(1)]
    );
}

#[test]
fn a_microphone_that_was_announced_decides_before_it_comes() {
    let mut room = Told::new();
    room.came("agent-1", Kind::Agent, "");
    room.0.subscribed("TR_2", &track("agent-1", "hold-music", Source::Unknown), true);
    assert_eq!(room.decided(), []);
}

#[test]
fn music_does_not_become_the_voice_between_two_utterances() {
    let mut room = Told::new();
    room.came("agent-1", Kind::Agent, "");
    room.publishes("TR_0", "agent-1", "hold-music", Source::Unknown);
    for utterance in 1..=300 {
        let sid = format!("TR_{utterance}");
        let heard = room.publishes(&sid, "agent-1", "tts", Source::Microphone);
        assert!(heard.contains(&listen(utterance)), "{heard:?}");
        room.0.ended(&sid);
        assert_eq!(room.decided(), [Change::Ended { track: utterance }]);
    }
}

#[test]
fn a_bare_agent_has_a_voice_without_a_microphone() {
    let mut room = Told::new();
    assert_eq!(room.came("bot", Kind::Standard, ""), []);
    let heard = room.publishes("TR_1", "bot", "voice", Source::Unknown);
    assert_eq!(heard, [joined("bot"), Change::Listen { track: 0, surely: false }]);
    // It takes over from an agent with a microphone once that has gone.
    let mut room = Told::new();
    room.came("agent-1", Kind::Agent, "");
    room.publishes("TR_1", "agent-1", "roomio_audio", Source::Microphone);
    room.came("agent-2", Kind::Agent, "");
    assert_eq!(room.publishes("TR_2", "agent-2", "voice", Source::Unknown), []);
    let taken_over = room.left("agent-1", 5_000);
    assert_eq!(
        taken_over,
        [Change::Ended { track: 0 }, Change::Listen { track: 1, surely: false }]
    );
}

#[test]
fn an_avatar_is_of_the_agents_side_whoever_comes_first() {
    let mut room = Told::new();
    assert_eq!(room.came("avatar-1", Kind::Agent, "agent-1"), [joined("avatar-1")]);
    assert_eq!(room.publishes("TR_1", "avatar-1", "avatar_audio", Source::Microphone), [listen(0)]);
    assert_eq!(room.0.agent(), Some("avatar-1"));
    room.came("agent-1", Kind::Agent, "");
    assert_eq!(room.0.agent(), Some("agent-1"), "the one that can be asked");
    assert!(room.0.reports("agent-1") && room.0.reports("not-told-of-yet"));
    // An avatar that joins as an ordinary participant.
    let mut room = Told::new();
    assert_eq!(room.came("face", Kind::Standard, "agent-1"), [joined("face")]);
}

#[test]
fn an_agent_that_is_replaced_has_not_left() {
    let mut room = Told::new();
    room.came("agent-1", Kind::Agent, "");
    room.publishes("TR_1", "agent-1", "roomio_audio", Source::Microphone);
    room.came("agent-2", Kind::Agent, "");
    room.left("agent-1", 8_000);
    assert_eq!(room.0.wake_at(), None, "the other one is there");
    assert_eq!(room.publishes("TR_2", "agent-2", "roomio_audio", Source::Microphone), [listen(1)]);

    // Without overlap: the next one comes in time, or does not.
    room.left("agent-2", 20_000);
    assert_eq!(room.0.wake_at(), Some(at(23_000)));
    room.0.look_at_the_clock(at(22_999));
    assert_eq!(room.decided(), []);
    assert_eq!(room.came("agent-3", Kind::Agent, ""), []);
    assert_eq!(room.0.wake_at(), None);
    room.left("agent-3", 30_000);
    room.0.look_at_the_clock(at(33_001));
    assert_eq!(room.decided(), [Change::Left { at: at(30_000), reason: "gone".to_owned() }]);
    room.0.look_at_the_clock(at(40_000));
    assert_eq!(room.decided(), [], "it leaves once");
}

#[test]
fn who_never_was_the_agent_may_leave() {
    let mut room = Told::new();
    room.came("watcher", Kind::Standard, "");
    room.left("watcher", 1_000);
    assert_eq!(room.0.wake_at(), None);
}

#[test]
fn the_scenario_chooses_whom_and_what_to_hear() {
    let listening =
        Listening { identity: Some(Wildcard::new("bot-*")), tracks: vec![Wildcard::new("speech")] };
    let mut room = Told(Party::new(listening));
    assert_eq!(room.came("agent-1", Kind::Agent, ""), []);
    assert_eq!(room.publishes("TR_1", "agent-1", "speech", Source::Microphone), []);
    // An ordinary participant is the agent as soon as it is there.
    assert_eq!(room.came("bot-7", Kind::Standard, ""), [joined("bot-7")]);
    assert_eq!(room.publishes("TR_2", "bot-7", "other", Source::Microphone), []);
    assert_eq!(room.publishes("TR_3", "bot-7", "speech", Source::Unknown), [listen(2)]);
    assert!(room.0.reports("bot-9") && !room.0.reports("agent-1"));
    room.came("face", Kind::Agent, "bot-7");
    assert_eq!(room.publishes("TR_4", "face", "speech", Source::Microphone), [listen(3)]);
}

#[test]
fn states_are_those_of_the_agents_side() {
    let mut room = Told::new();
    room.0.came(&guest("bot", Kind::Standard, ""), Some("listening"));
    assert_eq!(room.decided(), [], "nobody knows yet that it is the agent");
    let heard = room.publishes("TR_1", "bot", "voice", Source::Microphone);
    assert_eq!(heard, [joined("bot"), Change::State("listening".to_owned()), listen(0)]);
    room.0.came(&guest("bot", Kind::Standard, ""), Some("speaking"));
    room.0.came(&guest("bot", Kind::Standard, ""), Some("speaking"));
    assert_eq!(room.decided(), [Change::State("speaking".to_owned())]);
}

#[test]
fn limits_are_said_once_and_texts_are_short() {
    let mut room = Told::new();
    room.0.came(&guest(&"x".repeat(5_000), Kind::Agent, ""), Some(&"y".repeat(5_000)));
    for n in 0..EARS + 2 {
        let name = "z".repeat(5_000);
        room.0.subscribed(
            &n.to_string(),
            &track(&"x".repeat(5_000), &name, Source::Microphone),
            true,
        );
    }
    for n in 0..2 * GUESTS {
        room.0.came(&guest(&n.to_string(), Kind::Agent, ""), None);
    }
    let changes = room.0.take_changes();
    let limits = changes
        .iter()
        .filter(|change| matches!(change, Change::Noted(Observation::LimitReached { .. })));
    assert_eq!(limits.count(), 2);
    let listens = changes.iter().filter(|change| matches!(change, Change::Listen { .. }));
    assert_eq!(listens.count(), EARS);
    assert!(format!("{changes:?}").len() < 100_000);
    // One that ends makes room for one that waits.
    room.0.ended("0");
    let heard = room.decided();
    assert_eq!(heard, [Change::Ended { track: 0 }, listen(u32::try_from(EARS).unwrap())]);
}

/// Something the server says.
#[derive(Debug, Clone)]
enum Said {
    Came(u8, bool),
    Left(u8),
    Subscribed(u8, u8, Source),
    Ended(u8),
    Waited,
}

fn said() -> impl Strategy<Value = Said> {
    let source = prop_oneof![Just(Source::Microphone), Just(Source::Unknown)];
    prop_oneof![
        (0..4_u8, any::<bool>()).prop_map(|(who, agent)| Said::Came(who, agent)),
        (0..4_u8).prop_map(Said::Left),
        (0..20_u8, 0..4_u8, source)
            .prop_map(|(sid, who, source)| Said::Subscribed(sid, who, source)),
        (0..20_u8).prop_map(Said::Ended),
        Just(Said::Waited),
    ]
}

proptest! {
    #[test]
    fn what_is_listened_to_is_what_is_recorded_as_voice(all in proptest::collection::vec(said(), 0..60)) {
        let mut party = Party::new(Listening::default());
        let mut listening = std::collections::BTreeSet::new();
        let mut recorded = std::collections::BTreeMap::new();
        let (mut here, mut joined) = (false, false);
        let mut now = at(0);
        for said in all {
            now = now.plus(Duration::from_millis(10));
            match said {
                Said::Came(who, agent) => {
                    let kind = if agent { Kind::Agent } else { Kind::Standard };
                    party.came(&guest(&who.to_string(), kind, ""), None);
                }
                Said::Left(who) => party.left(&who.to_string(), now, String::new()),
                Said::Subscribed(sid, who, source) => {
                    let track = track(&who.to_string(), "t", source);
                    party.subscribed(&sid.to_string(), &track, source == Source::Microphone);
                }
                Said::Ended(sid) => party.ended(&sid.to_string()),
                Said::Waited => now = now.plus(HANDOVER),
            }
            party.look_at_the_clock(now);
            for change in party.take_changes() {
                match change {
                    Change::Noted(Observation::Track(t)) => {
                        prop_assert!(recorded.insert(t.track, t.heard).is_none(), "a number twice");
                    }
                    Change::Noted(Observation::TrackChanged { track, heard }) => {
                        prop_assert!(recorded.insert(track, heard) != Some(heard), "no change");
                    }
                    Change::Noted(Observation::TrackEnded { track }) => {
                        recorded.remove(&track);
                    }
                    Change::Listen { track, .. } => {
                        listening.insert(track);
                    }
                    Change::TurnAway { track } => {
                        prop_assert!(listening.remove(&track));
                    }
                    Change::Ended { track } => {
                        listening.remove(&track);
                    }
                    Change::Joined { .. } => {
                        prop_assert!(!std::mem::replace(&mut joined, true), "joined twice");
                        here = true;
                    }
                    Change::Left { .. } => {
                        prop_assert!(joined);
                        here = false;
                    }
                    Change::Noted(_) | Change::Muted { .. } | Change::State(_) => {}
                }
            }
            let voices = recorded.iter().filter(|(_, heard)| **heard == Heard::Voice);
            let voices: std::collections::BTreeSet<u32> = voices.map(|(track, _)| *track).collect();
            prop_assert_eq!(&voices, &listening);
            prop_assert!(voices.len() <= EARS);
            prop_assert!(joined || !here);
        }
    }
}
