//! Filler and answer, and what tells that the answer never came.

use super::*;
use crate::record::ToolResult;

type Part = Vec<(i64, Observation)>;

/// The answer in a call that ended then, or in which the caller went on then.
fn closed(parts: &[Part], at_ms: i64, goes_on: bool) -> Answer {
    let heard = dialogue(parts);
    let reply = response(&heard, 0).reply.expect("there is one");
    heard.answer(reply, at(at_ms), goes_on)
}

fn answer(parts: &[Part]) -> Answer {
    closed(parts, 9_000, false)
}

fn executed(ms: i64, gave: Option<bool>) -> Part {
    let tools = vec![ToolResult { name: "lookup".to_owned(), is_error: false, gave }];
    vec![(ms, Observation::Session(SessionEvent::ToolsExecuted { tools }))]
}

fn message(ms: i64) -> Part {
    let (id, text, metrics) = (String::new(), "?".to_owned(), ReportedMetrics::default());
    let message = SessionEvent::AgentMessage { id, text, interrupted: false, metrics };
    vec![(ms, Observation::Session(message))]
}

/// Said from 3,130 to 4,000 while a tool runs from 2,900 to 6,000.
fn filler() -> Vec<Part> {
    vec![
        said(0, 1_000, 2_000),
        states(&[(2_500, "thinking")]),
        tool(2_900, 6_000),
        states(&[(3_100, "speaking")]),
        voice(3_130, 4_000),
        states(&[(4_050, "thinking")]),
        message(4_060),
    ]
}

/// All of it said from 3,130 to 4,000.
fn whole() -> Vec<Part> {
    vec![
        said(0, 1_000, 2_000),
        states(&[(2_500, "thinking")]),
        voice(3_130, 4_000),
        states(&[(3_147, "speaking"), (4_000, "listening")]),
    ]
}

fn and(mut parts: Vec<Part>, more: &[Part]) -> Vec<Part> {
    parts.extend_from_slice(more);
    parts
}

#[test]
fn the_answer_is_what_comes_after_the_last_work() {
    assert_eq!(closed(&filler(), 5_000, true), Answer::Outstanding);
    let answered = and(filler(), &[states(&[(6_500, "speaking")]), voice(6_530, 8_000)]);
    let gap = Duration::from_millis(2_530);
    assert_eq!(answer(&answered), Answer::AfterFiller { from: at(6_530), gap });
    // A state that comes a little after the voice it announces is no work on something else.
    assert_eq!(answer(&whole()), Answer::Reply);
    // A pause within an answer is no filler when the agent did nothing meanwhile.
    assert_eq!(answer(&and(whole(), &[voice(5_000, 6_000)])), Answer::Reply);
}

#[test]
fn an_answer_that_more_was_to_come_after_never_came() {
    let stopped = |ms| states(&[(ms, "listening")]);
    // The tool gave something, so the model was asked again.
    let gave = and(filler(), &[executed(6_005, Some(true)), stopped(6_010)]);
    assert_eq!(answer(&gave), Answer::Never);
    assert_eq!(closed(&gave, 7_000, true), Answer::Never);
    // The agent thinks on when the tool has ended.
    assert_eq!(answer(&and(filler(), &[stopped(6_600)])), Answer::Never);
    // It says that it spoke.
    assert_eq!(answer(&and(filler(), &[stopped(6_020), message(7_800)])), Answer::Never);
    // It does not stop, and the call ends.
    assert_eq!(answer(&filler()[..5]), Answer::Unknown);
    assert_eq!(closed(&filler(), 5_500, false), Answer::Never);
    // The tool was over soon after the filler had begun; its result is told when that is over.
    let fast = [
        said(0, 1_000, 2_000),
        tool(2_900, 3_200),
        voice(3_130, 4_000),
        executed(4_010, Some(true)),
    ];
    assert_eq!(answer(&fast), Answer::Never);
    // livekit-agents 1.5: only that the tool has ended is told, when the speech is over.
    let bare = [said(0, 1_000, 2_000), voice(3_130, 4_000), executed(4_020, Some(true))];
    assert_eq!(answer(&bare), Answer::Never);
    let answered = and(bare.to_vec(), &[voice(5_000, 6_000)]);
    let gap = Duration::from_secs(1);
    assert_eq!(answer(&answered), Answer::AfterFiller { from: at(5_000), gap });
}

#[test]
fn a_tool_beside_the_whole_answer_or_after_it_leaves_nothing_out() {
    for (from, until) in [(2_900, 3_400), (3_500, 4_500), (4_200, 8_000)] {
        let nothing = and(whole(), &[tool(from, until), executed(until, Some(false))]);
        assert_eq!(answer(&nothing), Answer::Reply, "{from}");
    }
    // After a filler and its answer, one more that gives nothing.
    let one_more = and(
        filler(),
        &[
            executed(6_005, Some(true)),
            states(&[(6_500, "speaking")]),
            voice(6_530, 7_500),
            tool(7_000, 8_000),
            executed(8_005, Some(false)),
            states(&[(8_010, "listening")]),
        ],
    );
    let gap = Duration::from_millis(2_530);
    assert_eq!(answer(&one_more), Answer::AfterFiller { from: at(6_530), gap });
}

#[test]
fn of_work_that_tells_no_more_it_is_not_known() {
    let stopped = states(&[(6_020, "listening")]);
    assert_eq!(answer(&and(filler(), std::slice::from_ref(&stopped))), Answer::Unknown);
    assert_eq!(answer(&and(filler(), &[executed(6_005, None), stopped])), Answer::Unknown);
    // Only the states are known.
    let thought = states(&[(4_050, "thinking"), (6_000, "listening")]);
    assert_eq!(answer(&and(whole(), &[thought])), Answer::Unknown);
    // The tool gave something while the agent spoke: the rest may be the answer.
    let beside = [
        said(0, 1_000, 2_000),
        tool(2_900, 3_700),
        voice(3_130, 5_000),
        executed(3_710, Some(true)),
    ];
    assert_eq!(answer(&beside), Answer::Unknown);
    // Some agents hang up by a tool.
    let left = Observation::ParticipantLeft { identity: "agent".to_owned() };
    let hung_up = and(whole(), &[vec![tool(3_500, 0)[0].clone(), (5_000, left)]]);
    assert_eq!(closed(&hung_up, 5_010, false), Answer::Unknown);
}

#[test]
fn a_sound_of_waiting_goes_over_into_the_answer() {
    let parts = [
        said(0, 1_000, 2_000),
        states(&[(2_300, "thinking")]),
        voice(2_450, 6_000),
        states(&[(4_600, "speaking")]),
    ];
    let from = at(4_600);
    assert_eq!(answer(&parts), Answer::AfterFiller { from, gap: Duration::ZERO });
}

#[test]
fn by_ear_a_pause_divides_the_filler_from_the_answer() {
    let mut heard = Dialogue::new(Duration::from_secs(3));
    let parts =
        [said(0, 1_000, 2_000), voice(2_600, 3_300), voice(4_500, 5_000), voice(5_600, 6_000)];
    for (ms, what) in parts.concat() {
        heard.observe(&Stamped { at: at(ms), what });
    }
    let reply = response(&heard, 0).reply.expect("there is one");
    assert_eq!(reply, speech(2_600, 6_000));
    let gap = Duration::from_millis(1_200);
    let answer = heard.answer(reply, at(9_000), false);
    assert_eq!(answer, Answer::AfterFiller { from: at(4_500), gap });
}
