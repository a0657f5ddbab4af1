use super::*;
use crate::record::ReportedMetrics;
use crate::scenario::testing::with_turns;
use crate::scenario::{ClipRef, Content, Expect, Signals, Step};
use proptest::prelude::*;

mod responses;

/// Length of every clip's voice in these tests.
const CLIP: Duration = Duration::from_secs(1);

fn ms(ms: i64) -> Offset {
    Offset::from_micros(ms * 1_000)
}

fn within(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn step(id: &str, act: Act, expect: Option<Expect>) -> Step {
    let (content, signals) = (Content::default(), Signals::default());
    Step { id: id.into(), act, expect, content, signals }
}

fn greeting() -> Step {
    step("greeting", Act::Listen, Some(Expect::Speaks { within: within(5_000) }))
}

fn say(id: &str, after: Anchor, delay: u64, expect: Expect) -> Step {
    let clip = ClipRef {
        file: "a.wav".into(),
        text: None,
        take: crate::audio::Take::default(),
        span: 0..1,
    };
    step(id, Act::Say { clip, start: Start { after, delay: within(delay) } }, Some(expect))
}

fn responds(ms: u64) -> Expect {
    Expect::Responds { within: within(ms) }
}

fn yields(ms: u64) -> Expect {
    Expect::Yields { within: within(ms) }
}

fn scenario(steps: Vec<Step>) -> Arc<Scenario> {
    Arc::new(with_turns("name: t\nagent: {name: a}\nhangup: {max_call: 90s}", steps))
}

/// What a call came to: everything noted, when each clip's voice began, and the end.
struct Played {
    notes: Vec<Stamped>,
    said: Vec<(u32, Offset)>,
    end: CallEnd,
}

impl Played {
    fn noted(&self, what: &Observation) -> Option<Offset> {
        self.notes.iter().find(|n| n.what == *what).map(|n| n.at)
    }
}

/// Plays a script in virtual time, clips going on the wire as soon as they may. Voice is known
/// 40 ms after it begins and 240 ms after it ends.
fn play(scenario: Arc<Scenario>, mut heard: Vec<(i64, CallEvent)>) -> Played {
    for (known, what) in &mut heard {
        let CallEvent::Observed(seen) = what else { continue };
        seen.at = ms(*known);
        if seen.what == Observation::VoiceBegan {
            *known += 40;
        } else if seen.what == Observation::VoiceEnded {
            *known += 240;
        }
    }
    let mut script = Script::new(scenario, ms(0));
    let mut played = Played {
        notes: vec![],
        said: vec![],
        end: CallEnd { at: ms(0), outcome: Outcome::OurFault, detail: String::new() },
    };
    for tick in 0..20_000 {
        let now = ms(tick * 10);
        let (due, later): (Vec<_>, _) = heard.into_iter().partition(|(at, _)| ms(*at) <= now);
        heard = later;
        for (_, what) in due {
            script.handle(now, what);
        }
        while let Some(action) = script.poll(now) {
            match action {
                Action::Say { step, not_before } => {
                    played.said.push((step, not_before));
                    let began = not_before.max(now);
                    let at = i64::try_from(began.since_start().as_millis()).unwrap();
                    heard.push((at, CallEvent::UtteranceBegan { at: began }));
                    let ended = began.plus(CLIP);
                    heard.push((at + 1_000, CallEvent::UtteranceEnded { at: ended }));
                }
                Action::HangUp(end) => {
                    played.notes.extend(script.take_notes());
                    played.end = end;
                    assert_eq!(script.poll(now), None, "nothing follows hanging up");
                    return played;
                }
            }
        }
        played.notes.extend(script.take_notes());
    }
    panic!("the call never ended; noted {:?}", played.notes);
}

fn joined() -> Vec<(i64, CallEvent)> {
    vec![
        (100, CallEvent::Connected),
        (600, CallEvent::AgentJoined),
        (700, CallEvent::AgentTrackSubscribed),
    ]
}

fn voice(from: i64, until: i64) -> Vec<(i64, CallEvent)> {
    vec![(from, seen(Observation::VoiceBegan)), (until, seen(Observation::VoiceEnded))]
}

/// Observed at the moment it is listed for.
fn seen(what: Observation) -> CallEvent {
    CallEvent::Observed(Stamped { at: ms(0), what })
}

fn state(state: &str) -> CallEvent {
    seen(Observation::AgentState(state.to_owned()))
}

fn user_turn() -> CallEvent {
    let metrics = ReportedMetrics::default();
    let (id, text) = (String::new(), String::new());
    seen(Observation::Session(SessionEvent::UserMessage { id, text, metrics }))
}

fn reply() -> CallEvent {
    let metrics = ReportedMetrics::default();
    let (id, text) = (String::new(), String::new());
    seen(Observation::Session(SessionEvent::AgentMessage { id, text, interrupted: false, metrics }))
}

fn heard(parts: &[Vec<(i64, CallEvent)>]) -> Vec<(i64, CallEvent)> {
    parts.concat()
}

#[test]
fn a_greeting_an_answer_and_the_end() {
    let s = scenario(vec![greeting(), say("hours", Anchor::AgentSpeechEnd, 400, responds(8_000))]);
    // Speech ends at 3000 and is known to be over at 3700, the delay notwithstanding.
    let p = play(s, heard(&[joined(), voice(1_000, 3_000), voice(5_900, 8_000)]));
    assert_eq!(p.end.outcome, Outcome::Answered, "{:?}", p.end);
    assert_eq!(p.said, vec![(1, ms(3_700))]);
    assert_eq!(p.noted(&Observation::ExpectationMet { step: 0 }), Some(ms(1_000)));
    assert_eq!(p.noted(&Observation::UtteranceEnded { step: 1 }), Some(ms(4_700)));
    assert_eq!(p.noted(&Observation::ExpectationMet { step: 1 }), Some(ms(5_900)));
    // The caller lets the agent finish, and hangs up when its speech is over.
    assert_eq!(p.end.at, ms(8_700));
}

#[test]
fn a_pause_between_sentences_ends_no_speech() {
    let s = scenario(vec![greeting(), say("hours", Anchor::AgentSpeechEnd, 0, responds(8_000))]);
    let p =
        play(s, heard(&[joined(), voice(1_000, 2_000), voice(2_500, 4_000), voice(6_500, 7_000)]));
    assert_eq!(p.said, vec![(1, ms(4_700))]);
}

#[test]
fn a_voice_that_is_known_before_it_sounds_still_comes_before_the_next_step() {
    let mut script =
        Script::new(scenario(vec![greeting(), Step { id: "again".into(), ..greeting() }]), ms(0));
    script.handle(ms(100), CallEvent::Connected);
    script.handle(ms(700), CallEvent::AgentTrackSubscribed);
    assert_eq!(script.poll(ms(700)), None);
    let voice = Stamped { at: ms(1_018), what: Observation::VoiceBegan };
    script.handle(ms(1_000), CallEvent::Observed(voice));
    assert_eq!(script.poll(ms(1_000)), None);
    let notes = script.take_notes();
    let began = |step| notes.iter().find(|n| n.what == Observation::StepBegan { step });
    assert_eq!(began(1).map(|n| n.at), Some(ms(1_018)));
}

#[test]
fn a_late_report_is_waited_for_but_not_for_ever() {
    let script = || scenario(vec![say("hours", Anchor::AgentJoined, 0, responds(8_000))]);
    let turn = heard(&[joined(), vec![(2_000, user_turn())], voice(3_000, 4_000)]);
    let p = play(script(), heard(&[turn.clone(), vec![(5_000, reply())]]));
    assert_eq!(p.end.at, ms(5_000));
    let p = play(script(), turn);
    assert_eq!(p.end.at, ms(4_700).plus(REPORT_GRACE));
}

#[test]
fn nobody_joins_or_joins_without_audio() {
    let s = || scenario(vec![greeting()]);
    let p = play(s(), vec![(100, CallEvent::Connected)]);
    assert_eq!((p.end.outcome, p.end.at), (Outcome::NoAgent, ms(20_100)));
    let p = play(s(), vec![(100, CallEvent::Connected), (9_000, CallEvent::AgentJoined)]);
    assert_eq!((p.end.outcome, p.end.at), (Outcome::AgentLate, ms(20_100)));
}

#[test]
fn a_silent_agent_gives_no_greeting_or_no_answer() {
    let p = play(scenario(vec![greeting()]), joined());
    assert_eq!(p.end.outcome, Outcome::NoGreeting);
    assert_eq!(p.end.detail, "turn `greeting`: silence for 5s");
    assert_eq!(p.end.at, ms(700 + 5_000 + 200));
    let s = scenario(vec![greeting(), say("hours", Anchor::AgentSpeechEnd, 400, responds(3_000))]);
    let p = play(s, heard(&[joined(), voice(1_000, 2_000)]));
    assert_eq!(p.end.outcome, Outcome::NoAnswer);
    assert_eq!(p.noted(&Observation::ExpectationMissed { step: 1 }), Some(ms(3_700 + 3_000 + 200)));
}

#[test]
fn voice_in_the_last_moment_counts_although_it_is_known_later() {
    let s = || scenario(vec![say("hours", Anchor::AgentJoined, 0, responds(3_000))]);
    let p = play(s(), heard(&[joined(), voice(1_700 + 3_000, 6_000)]));
    assert_eq!(p.end.outcome, Outcome::Answered);
}

#[test]
fn an_agent_that_is_killed_is_told_from_one_that_is_silent() {
    let s = || scenario(vec![say("hours", Anchor::AgentJoined, 0, responds(3_000))]);
    let stalled = heard(&[joined(), vec![(2_500, CallEvent::MediaStalled)]]);
    let left = vec![(23_000, CallEvent::AgentLeft { reason: "connection timeout".into() })];
    let p = play(s(), heard(&[stalled.clone(), left]));
    assert_eq!((p.end.outcome, p.end.at), (Outcome::AgentLeft, ms(23_000)));
    assert_eq!(p.noted(&Observation::ExpectationMissed { step: 0 }), Some(ms(4_900)));
    // Never declared gone: an unanswered turn after all.
    let p = play(s(), stalled.clone());
    assert_eq!((p.end.outcome, p.end.at), (Outcome::NoAnswer, ms(2_500).plus(VANISH_LIMIT)));
    // Its audio comes back: it was there all along, unless it is declared gone right afterwards.
    let back = vec![(9_000, CallEvent::MediaResumed)];
    let p = play(s(), heard(&[stalled.clone(), back.clone()]));
    assert_eq!((p.end.outcome, p.end.at), (Outcome::NoAnswer, ms(9_000).plus(RESUME_GRACE)));
    let left = vec![(9_500, CallEvent::AgentLeft { reason: "connection timeout".into() })];
    let p = play(s(), heard(&[stalled, back, left]));
    assert_eq!((p.end.outcome, p.end.at), (Outcome::AgentLeft, ms(9_500)));
}

#[test]
fn what_is_missed_while_our_connection_is_broken_is_not_the_agents_fault() {
    let s = || scenario(vec![say("hours", Anchor::AgentJoined, 0, responds(3_000))]);
    let broken = heard(&[joined(), vec![(2_000, CallEvent::Reconnecting)]]);
    let p = play(s(), broken.clone());
    assert_eq!((p.end.outcome, p.end.at), (Outcome::ConnectionLost, ms(4_900)));
    let mended = heard(&[broken, vec![(2_500, CallEvent::Reconnected)], voice(4_000, 4_500)]);
    assert_eq!(play(s(), mended).end.outcome, Outcome::Answered);
    let p =
        play(scenario(vec![greeting()]), heard(&[joined(), vec![(800, CallEvent::Reconnecting)]]));
    assert_eq!((p.end.outcome, p.end.at), (Outcome::ConnectionLost, ms(5_900)));
}

#[test]
fn a_barge_in_waits_for_silence_and_the_script_goes_on() {
    let steps = |limit| {
        scenario(vec![
            greeting(),
            say("wait", Anchor::AgentSpeechStart, 900, yields(limit)),
            step("hold", Act::Silence { length: within(2_000) }, None),
        ])
    };
    let p = play(steps(2_000), heard(&[joined(), voice(1_000, 2_600), voice(4_000, 4_500)]));
    assert_eq!(p.said, vec![(1, ms(1_900))]);
    assert_eq!(p.noted(&Observation::ExpectationMet { step: 1 }), Some(ms(2_600)));
    // That it does not go on is known after a silence of 700 ms, and a voice a little after it began.
    assert_eq!(p.noted(&Observation::StepBegan { step: 2 }), Some(ms(3_500)));
    assert_eq!((p.end.outcome, p.end.at), (Outcome::Answered, ms(5_500)));

    let p = play(steps(500), heard(&[joined(), voice(1_000, 2_600)]));
    assert_eq!(p.noted(&Observation::ExpectationMissed { step: 1 }), Some(ms(1_900 + 500 + 500)));
    assert_eq!(p.end.outcome, Outcome::Answered);
}

#[test]
fn a_noise_is_waited_out_and_the_script_goes_on() {
    let steps = || {
        scenario(vec![
            greeting(),
            say("cough", Anchor::AgentSpeechStart, 900, Expect::Ignores),
            say("hours", Anchor::AgentSpeechEnd, 400, responds(5_000)),
        ])
    };
    // The clip is said from 1,900 to 2,900; the agent speaks on.
    let p = play(steps(), heard(&[joined(), voice(1_000, 6_000), voice(9_000, 9_500)]));
    assert_eq!(p.noted(&Observation::ExpectationMet { step: 1 }), Some(ms(2_900 + 2_200)));
    assert_eq!(p.said, vec![(1, ms(1_900)), (2, ms(6_700))]);
    assert_eq!(p.end.outcome, Outcome::Answered);
    // It pauses and goes on.
    let p = play(
        steps(),
        heard(&[joined(), voice(1_000, 2_500), voice(4_500, 6_000), voice(9_000, 9_500)]),
    );
    assert_eq!(p.noted(&Observation::ExpectationMissed { step: 1 }), Some(ms(2_900 + 2_200)));
    assert_eq!(p.said, vec![(1, ms(1_900)), (2, ms(6_700))]);
}

#[test]
fn after_a_barge_in_the_next_turn_waits_for_the_new_reply() {
    let s = scenario(vec![
        greeting(),
        say("wait", Anchor::AgentSpeechStart, 900, yields(2_000)),
        say("thanks", Anchor::AgentSpeechEnd, 400, responds(5_000)),
    ]);
    let p =
        play(s, heard(&[joined(), voice(1_000, 2_600), voice(4_000, 6_000), voice(9_000, 9_500)]));
    assert_eq!(p.said, vec![(1, ms(1_900)), (2, ms(6_700))]);
}

#[test]
fn an_early_reply_counts_but_running_speech_does_not() {
    let early = || scenario(vec![say("hours", Anchor::AgentJoined, 0, responds(3_000))]);
    let p = play(early(), heard(&[joined(), voice(1_600, 3_000)]));
    assert_eq!(p.noted(&Observation::ExpectationMet { step: 0 }), Some(ms(1_600)));
    // Running speech with a pause in it, then the true reply.
    let s = scenario(vec![greeting(), say("over", Anchor::AgentSpeechStart, 500, responds(3_000))]);
    let p =
        play(s, heard(&[joined(), voice(1_000, 1_700), voice(2_000, 2_300), voice(3_500, 4_000)]));
    assert_eq!(p.noted(&Observation::ExpectationMet { step: 1 }), Some(ms(3_500)));
}

#[test]
fn max_call_ends_a_call_that_hangs() {
    let s = scenario(vec![greeting(), say("hours", Anchor::AgentSpeechEnd, 0, responds(8_000))]);
    let p = play(s, heard(&[joined(), vec![(1_000, seen(Observation::VoiceBegan))]]));
    assert_eq!((p.end.outcome, p.end.at), (Outcome::NoAnswer, ms(90_100)));
    assert_eq!(p.end.detail, "the call reached max_call (90s) in turn `hours`");
}

#[test]
fn leaving_stopping_and_breaking_are_told_apart() {
    let s = || scenario(vec![greeting(), say("hours", Anchor::AgentSpeechEnd, 0, responds(8_000))]);
    let ends = |what| play(s(), heard(&[joined(), voice(1_000, 2_000), vec![(2_100, what)]])).end;
    let reason = String::from("x");
    assert_eq!(ends(CallEvent::AgentLeft { reason: reason.clone() }).outcome, Outcome::AgentLeft);
    assert_eq!(ends(CallEvent::ConnectionLost { reason }).outcome, Outcome::ConnectionLost);
    assert_eq!(ends(CallEvent::Stop).outcome, Outcome::Stopped);
    // An agent that says goodbye and leaves when all is said did nothing wrong.
    let bye = vec![(2_400, CallEvent::AgentLeft { reason: "bye".into() })];
    let p = play(scenario(vec![greeting()]), heard(&[joined(), voice(1_000, 2_000), bye]));
    assert_eq!(p.end.outcome, Outcome::Answered);
}

fn any_heard() -> impl Strategy<Value = (i64, CallEvent)> {
    let at = 0..80_000_i64;
    let what = (0..18_u8).prop_map(|kind| {
        let reason = String::new();
        match kind {
            0 | 1 => CallEvent::Connected,
            2 => CallEvent::AgentJoined,
            3 => CallEvent::AgentTrackSubscribed,
            4 | 5 => seen(Observation::VoiceBegan),
            6 | 7 => seen(Observation::VoiceEnded),
            8 => CallEvent::MediaStalled,
            9 => CallEvent::MediaResumed,
            10 => user_turn(),
            11 => reply(),
            12 => CallEvent::Reconnecting,
            13 => CallEvent::Reconnected,
            14 => state("thinking"),
            15 => state("speaking"),
            16 => state("listening"),
            _ => CallEvent::AgentLeft { reason },
        }
    });
    (at, what)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Whatever is heard in whatever order, the call ends within its limits and says every clip at
    /// most once, in order.
    #[test]
    fn every_call_ends(events in proptest::collection::vec(any_heard(), 0..40)) {
        let s = scenario(vec![
            greeting(),
            say("a", Anchor::AgentSpeechEnd, 400, responds(8_000)),
            say("b", Anchor::AgentSpeechStart, 900, yields(2_000)),
            step("c", Act::Silence { length: within(500) }, None),
            Step { expect: None, ..say("d", Anchor::PreviousTurn, 0, yields(1)) },
        ]);
        let p = play(s, events);
        prop_assert!(p.end.at <= ms(180_200), "{:?}", p.end);
        let steps: Vec<u32> = p.said.iter().map(|(step, _)| *step).collect();
        let mut sorted = steps.clone();
        sorted.sort_unstable();
        sorted.dedup();
        prop_assert_eq!(steps, sorted);
    }
}
