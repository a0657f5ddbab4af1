mod answer;

use super::*;
use crate::record::{ReportedMetrics, SPEECH_GAP};

fn at(ms: i64) -> Offset {
    Offset::from_micros(ms * 1_000)
}

fn span(from: i64, until: i64) -> Span {
    Span { from: at(from), until: at(until) }
}

fn voice(from: i64, until: i64) -> Vec<(i64, Observation)> {
    vec![(from, Observation::VoiceBegan), (until, Observation::VoiceEnded)]
}

fn said(step: u32, from: i64, until: i64) -> Vec<(i64, Observation)> {
    let began = (from, Observation::UtteranceBegan { step });
    vec![began, (until, Observation::UtteranceEnded { step })]
}

/// The state attribute through a row of states.
fn states(all: &[(i64, &str)]) -> Vec<(i64, Observation)> {
    all.iter().map(|(ms, state)| (*ms, Observation::AgentState((*state).to_owned()))).collect()
}

fn tool(from: i64, until: i64) -> Vec<(i64, Observation)> {
    let call = || "c".to_owned();
    let began = SessionEvent::ToolStarted { call: call(), name: "lookup".to_owned() };
    let ended = SessionEvent::ToolEnded { call: call() };
    vec![(from, Observation::Session(began)), (until, Observation::Session(ended))]
}

fn commit(ms: i64) -> Vec<(i64, Observation)> {
    let metrics =
        ReportedMetrics { end_of_turn_delay_ms: Some(500.0), ..ReportedMetrics::default() };
    let (id, text) = (String::new(), String::new());
    vec![(ms, Observation::Session(SessionEvent::UserMessage { id, text, metrics }))]
}

fn dialogue(parts: &[Vec<(i64, Observation)>]) -> Dialogue {
    let mut dialogue = Dialogue::new(SPEECH_GAP);
    for (ms, what) in parts.concat() {
        dialogue.observe(&Stamped { at: at(ms), what });
    }
    dialogue
}

fn speech(from: i64, until: i64) -> Speech {
    Speech { from: at(from), until: Some(at(until)) }
}

/// The response to the utterance of a step.
fn response(dialogue: &Dialogue, step: u32) -> Response {
    let said = dialogue.said(step).expect("it was said");
    dialogue.response(said, dialogue.next_said(said.from))
}

#[test]
fn a_second_greeting_is_no_reply_to_what_the_caller_says_meanwhile() {
    // The greeting, 1.3 s of silence, "how can I help you"; the caller has begun in between.
    let heard = dialogue(&[
        voice(800, 2_000),
        said(0, 2_900, 5_300),
        voice(3_300, 4_800),
        voice(6_350, 7_900),
        said(1, 8_800, 10_000),
        voice(11_050, 12_000),
    ]);
    let first = response(&heard, 0);
    assert_eq!(first.cut_in, Some(speech(3_300, 4_800)));
    assert_eq!(first.reply, Some(speech(6_350, 7_900)));
    assert_eq!(response(&heard, 1), Response { cut_in: None, reply: Some(speech(11_050, 12_000)) });
}

#[test]
fn a_cut_in_is_the_response_only_when_it_outlasts_the_caller_and_nothing_follows() {
    let over = dialogue(&[said(0, 1_000, 4_000), voice(2_500, 6_000)]);
    let said_over = span(1_000, 4_000);
    assert_eq!(response(&over, 0).only_cut_in(said_over), Some(speech(2_500, 6_000)));
    // It gave way, and nothing followed: the caller got no reply.
    let gave_way = dialogue(&[said(0, 1_000, 4_000), voice(2_500, 3_000)]);
    assert_eq!(response(&gave_way, 0).only_cut_in(said_over), None);
    // An answer followed.
    let both = dialogue(&[said(0, 1_000, 4_000), voice(2_500, 3_000), voice(5_000, 6_000)]);
    let response = response(&both, 0);
    assert_eq!(response.reply, Some(speech(5_000, 6_000)));
    assert_eq!(response.only_cut_in(said_over), None);
}

#[test]
fn a_reply_may_begin_shortly_before_the_end() {
    let near = dialogue(&[said(0, 1_000, 4_000), voice(3_800, 6_000)]);
    assert_eq!(response(&near, 0), Response { cut_in: None, reply: Some(speech(3_800, 6_000)) });
    let early = dialogue(&[said(0, 1_000, 4_000), voice(3_799, 6_000)]);
    assert_eq!(response(&early, 0).reply, None);
}

#[test]
fn a_voice_that_began_a_moment_before_the_caller_is_no_reply() {
    // Known later than the caller's begin: moments count, not the order of news.
    let heard = dialogue(&[
        said(0, 7_524, 9_000),
        vec![(7_523, Observation::VoiceBegan)],
        vec![(8_900, Observation::VoiceEnded)],
        voice(10_200, 11_000),
    ]);
    assert_eq!(response(&heard, 0), Response { cut_in: None, reply: Some(speech(10_200, 11_000)) });
}

#[test]
fn what_was_still_owed_to_the_turn_before_is_no_reply() {
    let owed = [
        said(0, 1_000, 2_000),
        states(&[(2_500, "thinking")]),
        // The caller goes on while the agent is at work on the turn before.
        said(1, 3_500, 5_000),
        states(&[(5_900, "speaking")]),
        voice(5_930, 7_000),
        states(&[(7_000, "listening"), (7_600, "thinking"), (8_400, "speaking")]),
        voice(8_430, 9_000),
    ];
    assert_eq!(response(&dialogue(&owed), 1).reply, Some(speech(8_430, 9_000)));
    // It committed the new turn before it spoke: that is the reply to it.
    let committed = [&owed[..], &[commit(5_600)]].concat();
    assert_eq!(response(&dialogue(&committed), 1).reply, Some(speech(5_930, 7_000)));
    // It has spoken since it began to think: that it stopped was not told.
    let stale = [
        said(0, 1_000, 2_000),
        states(&[(2_500, "thinking")]),
        voice(2_900, 3_300),
        said(1, 4_500, 5_000),
        states(&[(5_900, "speaking")]),
        voice(5_930, 7_000),
    ];
    assert_eq!(response(&dialogue(&stale), 1).reply, Some(speech(5_930, 7_000)));
    // It gave the work up when the caller began.
    let dropped = [
        said(0, 1_000, 2_000),
        states(&[(2_500, "thinking")]),
        said(1, 3_500, 5_000),
        states(&[(3_700, "listening"), (5_500, "thinking"), (5_900, "speaking")]),
        voice(5_930, 7_000),
    ];
    assert_eq!(response(&dialogue(&dropped), 1).reply, Some(speech(5_930, 7_000)));
    // By ear alone nothing is known of that.
    let by_ear = [said(0, 1_000, 2_000), said(1, 3_500, 5_000), voice(5_930, 7_000)];
    assert_eq!(response(&dialogue(&by_ear), 1).reply, Some(speech(5_930, 7_000)));
}

#[test]
fn a_reply_comes_after_the_commit_where_the_agent_reports_commits() {
    // Speech of the agent's own 50 ms after the caller's end; the turn is committed after 600 ms.
    let own = [said(0, 1_000, 3_000), voice(3_050, 4_000), voice(5_000, 6_000)];
    let committed = [&own[..], &[commit(3_600)]].concat();
    assert_eq!(response(&dialogue(&committed), 0).reply, Some(speech(5_000, 6_000)));
    assert_eq!(response(&dialogue(&own), 0).reply, Some(speech(3_050, 4_000)));
    // Nothing followed: it was the reply all the same.
    let alone = dialogue(&[said(0, 1_000, 3_000), voice(3_050, 4_000), commit(3_600)]);
    assert_eq!(response(&alone, 0).reply, Some(speech(3_050, 4_000)));
}

#[test]
fn an_agent_has_finished_when_it_is_silent_and_says_nothing_else_of_itself() {
    let by_ear = dialogue(&[voice(1_000, 2_000)]);
    assert_eq!(by_ear.finished_at(), Some(at(2_700)));
    // A filler over a slow tool.
    let mut events = vec![
        states(&[(900, "speaking")]),
        tool(800, 6_000),
        voice(1_000, 2_000),
        states(&[(2_050, "thinking")]),
    ];
    let busy = dialogue(&events[..]);
    assert_eq!(busy.finished_at(), None);
    assert_eq!(busy.silently_busy(), Some((Doing::Thinking, at(2_050))));
    events.push(states(&[(6_400, "speaking")]));
    events.push(voice(6_430, 7_000));
    assert_eq!(dialogue(&events).finished_at(), None);
    events.push(states(&[(9_000, "listening")]));
    assert_eq!(dialogue(&events).finished_at(), Some(at(9_000)));
    // While it runs, the tool keeps an agent busy that says it listens.
    let tool_runs = vec![voice(1_000, 2_000), vec![tool(1_500, 0)[0].clone()]];
    assert_eq!(dialogue(&tool_runs).silently_busy(), Some((Doing::RunningTool, at(2_000))));
    // The attribute outruns the session's own word of the same change.
    let old = SessionEvent::AgentState { old: "listening".into(), new: "thinking".into() };
    let late = vec![(2_010, Observation::Session(old))];
    let stale = dialogue(&[voice(1_000, 2_000), states(&[(2_005, "listening")]), late]);
    assert_eq!(stale.finished_at(), Some(at(2_700)));
}

#[test]
fn a_short_gap_divides_speeches_when_the_agent_took_up_a_turn_in_it() {
    // A barge-in: the agent breaks off, takes the word up and answers 500 ms after it fell silent.
    let barge = [voice(1_000, 3_000), said(0, 2_500, 2_900), voice(3_500, 5_000)];
    assert_eq!(dialogue(&barge).speech_at(at(2_500)), Some(speech(1_000, 5_000)));
    for word in [states(&[(3_300, "thinking")]), commit(3_300)] {
        let heard = dialogue(&[&barge[..], &[word]].concat());
        assert_eq!(heard.speech_at(at(2_500)), Some(speech(1_000, 3_000)));
        assert_eq!(response(&heard, 0).reply, Some(speech(3_500, 5_000)));
    }
}

#[test]
fn what_turned_out_to_be_no_voice_is_none() {
    // The beginning of music, then the greeting that stands out of it.
    let mut events = vec![
        vec![(300, Observation::SoundBegan), (320, Observation::VoiceBegan)],
        vec![(320, Observation::VoiceRetracted)],
    ];
    assert!(!dialogue(&events).agent_spoke());
    events.push(voice(900, 2_000));
    assert_eq!(dialogue(&events).first_speech(), Some(speech(900, 2_000)));
    // Music that nothing stands out of has no end that one could wait for.
    let never = Observation::NeverSilent { level_dbfs: -20.0 };
    let heard = dialogue(&[vec![(320, Observation::VoiceBegan), (320, never.clone())]]);
    assert!(!heard.agent_spoke());
    // A voice that has ended stays one.
    let heard = dialogue(&[voice(320, 900), vec![(320, never)]]);
    assert!(heard.agent_spoke());
}

#[test]
fn edges_in_any_order_give_the_same_voices() {
    let parts = [voice(1_000, 2_000), voice(3_000, 4_000), voice(9_000, 9_500)].concat();
    let mut turned = parts.clone();
    turned.reverse();
    let voices = |parts: Vec<_>| dialogue(&[parts]).voices(at(10_000)).collect::<Vec<_>>();
    assert_eq!(voices(parts.clone()), voices(turned));
    assert_eq!(voices(parts), [span(1_000, 2_000), span(3_000, 4_000), span(9_000, 9_500)]);
    // Ends of nothing and second begins are left out.
    let odd = vec![
        (500, Observation::VoiceEnded),
        (1_000, Observation::VoiceBegan),
        (1_200, Observation::VoiceBegan),
    ];
    assert_eq!(voices(odd), [span(1_000, 10_000)]);
}
