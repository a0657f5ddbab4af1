use super::super::testing::*;
use super::*;
use crate::record::{Observation, Outcome, ReportedMetrics, Stamped};

fn transcript(ms: i64, speaker: Speaker, segment: &str, text: &str, last: bool) -> Vec<Stamped> {
    let (segment, text) = (segment.to_owned(), text.to_owned());
    vec![is(ms, Observation::Transcript { speaker, segment, text, last, until: None })]
}

fn texts(turns: &[Turn]) -> Vec<Option<&str>> {
    turns.iter().map(|turn| turn.reply_text.as_deref()).collect()
}

#[test]
fn an_agent_without_a_session_is_quoted_from_its_transcripts() {
    let log = [
        connected(0),
        began(0, 0),
        said(0, 1_000, 2_000),
        transcript(1_900, Speaker::Caller, "a", "hou", false),
        transcript(2_300, Speaker::Caller, "a", "hours?", true),
        voice(3_100, 4_000),
        transcript(3_200, Speaker::Agent, "b", "nine", false),
        transcript(4_000, Speaker::Agent, "b", "nine to five", true),
    ];
    let turns = turns_of(vec![ask("hours")], &log, 5_000, Outcome::Answered);
    assert_eq!(turns[0].heard_by_agent.as_deref(), Some("hours?"));
    assert_eq!(turns[0].reply_text.as_deref(), Some("nine to five"));
    assert_eq!(turns[0].reported, ReportedMetrics::default());
}

/// A reply to `two` from 3,000 on, broken off at 4,700 by a barge-in at 4,000, and the reply to that. What is
/// known is stamped with when its stream opened, and known when it closed.
fn broken_off(opened: i64) -> Vec<Turn> {
    let log = [
        connected(0),
        began(0, 0),
        said(0, 1_000, 2_000),
        voice(3_000, 4_700),
        began(1, 3_000),
        said(1, 4_000, 5_000),
        voice(6_000, 7_500),
        // Node's agents end no stream as the last one.
        transcript(6_300, Speaker::Agent, "c", "yes?", false),
        transcript(opened, Speaker::Agent, "b", "this is a scripted reply that", false),
    ];
    turns_of(vec![ask("two"), barge("barge")], &log, 9_000, Outcome::Answered)
}

#[test]
fn segments_are_joined_by_one_blank() {
    let log = [
        connected(0),
        began(0, 0),
        said(0, 1_000, 2_000),
        voice(3_000, 4_700),
        transcript(3_100, Speaker::Agent, "a", "we are open ", true),
        transcript(3_700, Speaker::Agent, "b", " from nine", true),
    ];
    let turns = turns_of(vec![ask("two")], &log, 9_000, Outcome::Answered);
    assert_eq!(texts(&turns), [Some("we are open from nine")]);
}

#[test]
fn the_text_of_a_reply_that_was_broken_off_stays_with_its_turn() {
    // Within the reply, and when the caller had already broken in.
    for opened in [3_100, 3_430, 4_200] {
        let turns = broken_off(opened);
        assert_eq!(
            texts(&turns),
            [Some("this is a scripted reply that"), Some("yes?")],
            "{opened}"
        );
    }
}

#[test]
fn segments_are_joined_in_the_order_they_were_opened_in() {
    let log = [
        connected(0),
        began(0, 0),
        said(0, 1_000, 2_000),
        voice(3_000, 7_000),
        transcript(4_400, Speaker::Agent, "b", "at five.", true),
        transcript(3_100, Speaker::Agent, "a", "We open", false),
        transcript(3_100, Speaker::Agent, "a", "We open at nine and close", true),
        transcript(5_000, Speaker::Agent, "c", "Anything else?", true),
    ];
    let turns = turns_of(vec![ask("hours")], &log, 8_000, Outcome::Answered);
    assert_eq!(texts(&turns), [Some("We open at nine and close at five. Anything else?")]);
}

#[test]
fn a_greeting_that_nobody_awaited_is_no_reply() {
    let log = [
        connected(0),
        voice(100, 600),
        transcript(200, Speaker::Agent, "a", "Hello", true),
        began(0, 700),
        said(0, 1_000, 2_000),
        voice(3_000, 4_000),
    ];
    let turns = turns_of(vec![ask("hours")], &log, 5_000, Outcome::Answered);
    assert_eq!(texts(&turns), [None]);
    let steps = vec![listen("greeting"), ask("hours")];
    assert_eq!(texts(&turns_of(steps, &log, 5_000, Outcome::Answered))[0], Some("Hello"));
}
