//! Conversations in virtual time: a caller that speaks at given moments, and a room that starts to
//! send what is said at the next packet.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for few of many")]

use super::*;
use crate::agent::script::Script;

const PACKET_US: i64 = 20_000;

fn at(ms: i64) -> Offset {
    Offset::from_micros(ms * 1_000)
}

/// What the agent did, each with the moment it did it at.
struct Room {
    conversation: Conversation,
    done: Vec<(Offset, Action)>,
    /// When what was said last starts.
    starts: Option<Offset>,
    cut: Option<Offset>,
}

impl Room {
    fn new(script: &str) -> Self {
        let script = Script::parse(script).expect("a script").for_room("test-001");
        let conversation = Conversation::new(script, Arc::new(Voices::default()));
        Self { conversation, done: Vec::new(), starts: None, cut: None }
    }

    /// Lets the caller be heard: each edge with the moment it becomes known.
    fn play(script: &str, edges: &[(i64, AgentEvent)], until_ms: i64) -> Self {
        let mut room = Self::new(script);
        let mut edges = edges.iter().copied().peekable();
        for ms in 0..until_ms {
            let now = at(ms);
            while let Some((_, heard)) = edges.next_if(|(known, _)| *known <= ms) {
                room.conversation.handle(now, heard);
            }
            if let Some(began) =
                room.starts.filter(|began| now.micros() >= began.micros() + PACKET_US)
            {
                room.starts = None;
                room.conversation.handle(now, AgentEvent::Started { at: began });
            }
            while let Some(action) = room.conversation.poll(now) {
                room.act(now, action);
            }
        }
        room
    }

    fn act(&mut self, now: Offset, action: Action) {
        if let Action::Say { not_before, .. } = &action {
            // Packets are captured each 20 ms from 7 ms on.
            let phase = 7_000;
            let whole =
                (not_before.max(&now).micros() - phase + PACKET_US - 1).div_euclid(PACKET_US);
            self.starts = Some(Offset::from_micros(phase + whole * PACKET_US));
        }
        if let Action::Cancel = &action {
            self.starts = None;
        }
        if let Action::CutAt(moment) = &action {
            assert!(*moment > now, "a cut lies in the future");
            self.cut = Some(*moment);
        }
        self.done.push((now, action));
    }

    fn truths(&self) -> Vec<&Happened> {
        let truth = |(_, action): &'_ (Offset, Action)| matches!(action, Action::Note(_));
        self.done
            .iter()
            .filter(|done| truth(done))
            .filter_map(|(_, action)| match action {
                Action::Note(happened) => Some(happened),
                _ => None,
            })
            .collect()
    }

    fn spoke(&self) -> Vec<(u32, Offset)> {
        let truths = self.truths().into_iter();
        truths
            .filter_map(|truth| match truth {
                Happened::Spoke { turn, at, .. } => Some((*turn, *at)),
                _ => None,
            })
            .collect()
    }

    fn events(&self) -> Vec<&SessionEvent> {
        self.done
            .iter()
            .filter_map(|(_, action)| match action {
                Action::Session(event) => Some(event),
                _ => None,
            })
            .collect()
    }
}

/// A caller that spoke from `from` to `to`, as the ear gets to know it.
fn spoke(from: i64, to: i64) -> [(i64, AgentEvent); 2] {
    [
        (from + 40, AgentEvent::VoiceBegan { at: at(from) }),
        (to + 200, AgentEvent::VoiceEnded { at: at(to) }),
    ]
}

const QUIET: &str = r#""greeting": null, "reply_audio_ms": 1000, "sound": "tone""#;

fn script(more: &str) -> String {
    format!("{{{QUIET}{more}}}")
}

fn ready() -> (i64, AgentEvent) {
    (0, AgentEvent::Ready)
}

#[test]
fn an_answer_is_as_late_as_the_script_wants_to_the_packet() {
    let [began, ended] = spoke(1_000, 2_003);
    let room = Room::play(
        &script(r#", "replies": ["Yes."], "stages": {"on_user_turn_completed_delay_ms": 30}"#),
        &[ready(), began, ended],
        5_000,
    );
    // 400 end of turn, 30 hook, 250 first token and sentence, 150 first audio.
    let wanted = at(2_003 + 830);
    let [(1, sent)] = room.spoke()[..] else { panic!("{:?}", room.spoke()) };
    assert!(sent >= wanted && sent.ms_since(wanted) < 20.0, "{}", sent.ms_since(wanted));
    let Some(SessionEvent::AgentMessage { metrics, interrupted, .. }) =
        room.events().into_iter().find(|e| matches!(e, SessionEvent::AgentMessage { .. }))
    else {
        panic!("no message");
    };
    assert!(!interrupted);
    assert_eq!(metrics.e2e_latency_ms, Some(sent.ms_since(at(2_003))));
    assert_eq!((metrics.llm_node_ttft_ms, metrics.tts_node_ttfb_ms), (Some(250.0), Some(150.0)));
}

#[test]
fn what_is_said_comes_in_the_order_livekit_agents_has() {
    let [began, ended] = spoke(500, 900);
    let room = Room::play(&script(""), &[ready(), began, ended], 4_000);
    let names: Vec<String> = room
        .events()
        .into_iter()
        .map(|event| match event {
            SessionEvent::AgentState { new, .. } => new.clone(),
            SessionEvent::UserState { new, .. } => format!("user {new}"),
            SessionEvent::UserMessage { .. } => "USER".into(),
            SessionEvent::AgentMessage { .. } => "ASSISTANT".into(),
            SessionEvent::Usage { .. } => "usage".into(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        names,
        [
            "listening",
            "user speaking",
            "user listening",
            "USER",
            "thinking",
            "speaking",
            "listening",
            "ASSISTANT",
            "usage"
        ]
    );
}

#[test]
fn a_pause_shorter_than_the_end_of_turn_belongs_to_the_turn() {
    let ([a, b], [c, d]) = (spoke(500, 900), spoke(1_200, 1_600));
    let room = Room::play(&script(""), &[ready(), a, b, c, d], 5_000);
    let [(1, sent)] = room.spoke()[..] else { panic!("{:?}", room.spoke()) };
    assert!(sent > at(1_600 + 800), "the answer counts from the last word");
}

#[test]
fn who_speaks_while_the_agent_thinks_is_answered_anew() {
    let ([a, b], [c, d]) = (spoke(500, 900), spoke(1_500, 1_900));
    let room = Room::play(&script(""), &[ready(), a, b, c, d], 5_000);
    assert_eq!(room.spoke().iter().map(|(turn, _)| *turn).collect::<Vec<_>>(), [2]);
    assert!(room.done.iter().any(|(_, action)| matches!(action, Action::Cancel)));
}

#[test]
fn a_yielding_agent_ends_with_the_packet_in_progress_and_answers() {
    let ([a, b], [c, d]) = (spoke(500, 900), spoke(2_300, 3_300));
    let yields = r#", "reply_audio_ms": 3000, "barge_in": {"reaction": "yield", "after_ms": 300}"#;
    let text = script(yields).replace(r#""reply_audio_ms": 1000, "#, "");
    let room = Room::play(&text, &[ready(), a, b, c, d], 9_000);
    let cut = room.truths().into_iter().find_map(|truth| match truth {
        Happened::FellSilent { turn: 1, at, cut: true, .. } => Some(*at),
        _ => None,
    });
    let late = cut.expect("cut").ms_since(at(2_300 + 300));
    assert!((0.0..=20.0).contains(&late), "{late} ms after the wish");
    // The microphone is told in the middle of the last packet, which leaves 20 ms after it began.
    let moment = room.cut.expect("told").ms_since(cut.expect("cut"));
    assert!((-30.1..=-29.9).contains(&moment), "{moment}");
    assert!(room.events().iter().any(
        |e| matches!(e, SessionEvent::AgentMessage { interrupted: true, id, .. } if id == "item_agent_1")
    ));
    assert_eq!(room.spoke().iter().map(|(turn, _)| *turn).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_deaf_agent_speaks_on_and_a_resuming_one_goes_on() {
    let ([a, b], [c, d]) = (spoke(500, 900), spoke(2_300, 2_600));
    let play = |reaction: &str| {
        let text =
            script(&format!(r#", "barge_in": {{"reaction": {reaction}}}"#)).replace("1000", "3000");
        Room::play(&text, &[ready(), a, b, c, d], 9_000)
    };
    let deaf = play(r#""ignore""#);
    assert!(deaf.cut.is_none());
    let ends = |room: &Room| {
        room.truths().iter().filter(|t| matches!(t, Happened::FellSilent { .. })).count()
    };
    assert_eq!((deaf.spoke().len(), ends(&deaf)), (1, 1));
    let resuming = play(r#""resume", "after_ms": 300, "resume_ms": 800"#);
    assert_eq!((resuming.spoke().len(), ends(&resuming)), (1, 2));
    let resumed = SessionEvent::FalseInterruption { resumed: true };
    assert!(resuming.events().contains(&&resumed));
    assert!(
        resuming
            .events()
            .iter()
            .any(|e| matches!(e, SessionEvent::AgentMessage { interrupted: false, .. }))
    );
}

#[test]
fn faults_of_the_stages_are_told_and_leave_the_turn_unanswered() {
    for (kind, error) in [
        ("stt_silent", None),
        ("stt_error", Some("stt_error")),
        ("llm_error", Some("llm_error")),
        ("llm_hang", None),
        ("tts_error", Some("tts_error")),
        ("no_reply", None),
    ] {
        let [began, ended] = spoke(500, 900);
        let text = script(&format!(r#", "faults": [{{"kind": "{kind}"}}]"#));
        let room = Room::play(&text, &[ready(), began, ended], 5_000);
        assert_eq!(room.spoke(), [], "{kind}");
        let said = room.events().into_iter().find_map(|e| match e {
            SessionEvent::Error { message } => Some(message.clone()),
            _ => None,
        });
        match error {
            Some(name) => assert!(said.expect("an error").contains(name), "{kind}"),
            None => assert_eq!(said, None, "{kind}"),
        }
    }
    let [began, ended] = spoke(500, 900);
    let text = script(r#", "faults": [{"kind": "disconnect", "turn": 1}]"#);
    let room = Room::play(&text, &[ready(), began, ended], 5_000);
    assert!(room.done.iter().any(|(_, action)| matches!(action, Action::Leave)));
}

#[test]
fn a_tool_and_an_early_model_move_the_answer() {
    let latency = |more: &str| {
        let [began, ended] = spoke(500, 900);
        let room = Room::play(&script(more), &[ready(), began, ended], 6_000);
        room.spoke().first().map(|(_, sent)| sent.ms_since(at(900))).expect("an answer")
    };
    let plain = latency(r#", "replies": ["Yes."]"#);
    let tool = latency(r#", "replies": ["Yes."], "tool": {"turn": 1, "ms": 400}"#);
    // The tool, and the model once more.
    assert!((tool - plain - 650.0).abs() <= 20.0, "{plain} {tool}");
    let early = latency(r#", "replies": ["Yes."], "preemptive_generation": true"#);
    // 300 transcript + 250 model instead of 400 end of turn + 250.
    assert!((plain - early - 100.0).abs() <= 20.0, "{plain} {early}");
}

#[test]
fn the_greeting_waits_for_somebody_to_hear_it() {
    let room =
        Room::play(r#"{"greeting": {"audio_ms": 500}}"#, &[(1_000, AgentEvent::Ready)], 3_000);
    let [(0, sent)] = room.spoke()[..] else { panic!("{:?}", room.spoke()) };
    assert!((1_150.0..1_171.0).contains(&sent.ms_since(at(0))), "{}", sent.ms_since(at(0)));
}

/// What the agent says it does, and what it says: `thinking`, `"text"`, `ran`.
fn course(script: &str) -> Vec<String> {
    let edges = [
        (0, AgentEvent::Ready),
        (3_000, AgentEvent::VoiceBegan { at: at(2_960) }),
        (4_200, AgentEvent::VoiceEnded { at: at(4_000) }),
    ];
    let room = Room::play(script, &edges, 20_000);
    let told = room.done.iter().filter(|(now, _)| *now > at(4_000)).filter_map(|(_, a)| match a {
        Action::State(state) => Some(state.name().to_owned()),
        Action::Session(SessionEvent::AgentMessage { text, .. }) => Some(format!("{text:?}")),
        Action::Session(SessionEvent::ToolEnded { .. }) => Some("ran".to_owned()),
        Action::Session(SessionEvent::ToolsExecuted { tools }) => {
            Some(format!("{:?}", tools[0].gave))
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn a_filler_bridges_a_tool_and_the_answer_follows_or_does_not() {
    let script = |tool: &str, faults: &str| {
        course(&format!(
            r#"{{"replies": ["Nine."], "greeting": null, "tool": {{"turn": 1, {tool}}}, "faults": [{faults}]}}"#
        ))
    };
    let no_reply = r#"{"kind": "no_reply"}"#;
    let filler = r#""ms": 3000, "filler": "One moment.""#;
    let bridged = ["thinking", "speaking", "thinking", "\"One moment.\"", "ran", "Some(true)"];
    let answered = [&bridged[..], &["speaking", "listening", "\"Nine.\""]].concat();
    assert_eq!(script(filler, ""), answered);
    assert_eq!(script(filler, no_reply), [&bridged[..], &["listening"]].concat());
    // The reply is said while the tool runs, which gives nothing.
    let beside = script(r#""ms": 2000, "gives": false"#, "");
    let whole =
        ["thinking", "speaking", "thinking", "\"Nine.\"", "ran", "Some(false)", "listening"];
    assert_eq!(beside, whole);
}
