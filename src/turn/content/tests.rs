use super::super::testing::*;
use super::*;
use crate::record::{CallRecord, Outcome, Stamped, ToolResult};
use crate::scenario::{Metric, Scenario};
use crate::turn::{Analysis, Cause, analyse};

fn expecting(what: &str) -> Scenario {
    let yaml = format!(
        "version: 1\nname: a\nturns: [{{id: q, say: {{file: a.wav}}, expect: {{agent: responds, within: 8s, {what}}}}}]\n"
    );
    Scenario::parse(&yaml).expect("valid")
}

/// A question from 1,000 to 2,000, answered from 3,000 to 4,000, with what the agent tells.
fn answered(id: u32, told: &[Vec<Stamped>]) -> CallRecord {
    let head = [connected(0), began(0, 0), said(0, 1_000, 2_000), voice(3_000, 4_000)];
    call(id, [&head[..], told].concat().concat(), 6_000, Outcome::Answered)
}

fn of(what: &str, calls: Vec<CallRecord>) -> Analysis {
    let scenario = expecting(what);
    analyse(&run("r", calls, &scenario), &scenario)
}

fn found(what: &str, told: &[Vec<Stamped>]) -> (Vec<Found>, bool) {
    let analysis = of(what, vec![answered(0, told)]);
    let call = &analysis.calls[0];
    let cause = call.failure.as_ref().map(|failure| failure.cause);
    assert!(cause.is_none_or(|cause| cause == Cause::WrongContent));
    assert_eq!(analysis.measures.values(Metric::CallsOk)[0].value > 0.5, cause.is_none());
    (call.turns[0].content.iter().map(|result| result.found).collect(), cause.is_some())
}

fn ran(names: &[&str]) -> Vec<Stamped> {
    let tool = |name: &&str| ToolResult { name: (*name).to_owned(), is_error: false, gave: None };
    session(2_900, SessionEvent::ToolsExecuted { tools: names.iter().map(tool).collect() })
}

fn transcript(ms: i64, text: &str, last: bool) -> Vec<Stamped> {
    let (speaker, segment) = (Speaker::Agent, format!("SG_{ms}"));
    vec![is(
        ms,
        Observation::Transcript { speaker, segment, text: text.to_owned(), last, until: None },
    )]
}

const TOOL: &str = "tools: [lookup_order]";
const WORD: &str = "text: {contains: [nine]}";

#[test]
fn an_agent_that_reports_no_tools_did_not_leave_one_out() {
    use Found::*;
    // 1.2.18, bare agents: nothing of a session.
    let unknown = CannotTell(Untold::NoTools);
    assert_eq!(found(TOOL, &[transcript(3_100, "nine", true)]), (vec![unknown], false));
    // Any message of its session shows that it would have told.
    assert_eq!(found(TOOL, &[user(2_500, "?", 500.0)]), (vec![Missed], true));
    assert_eq!(found(TOOL, &[ran(&["another"])]), (vec![Missed], true));
    assert_eq!(found(TOOL, &[ran(&["lookup_order"])]), (vec![Met], false));
    // Recordings of 1.5.0 to 1.6.6 hold results without names.
    let unnamed = CannotTell(Untold::UnnamedTool);
    assert_eq!(found(TOOL, &[ran(&[""])]), (vec![unnamed], false));
    let both = "tools: [lookup_order, send_mail]";
    assert_eq!(found(both, &[ran(&["lookup_order", ""])]), (vec![Met, unnamed], false));
    // A name that another message tells is not missing.
    let started =
        SessionEvent::ToolStarted { call: "c".to_owned(), name: "lookup_order".to_owned() };
    let told = [session(2_600, started), ran(&[""])];
    assert_eq!(found(both, &told), (vec![Met, Missed], true));
}

#[test]
fn an_agent_that_sends_no_text_did_not_say_something_else() {
    use Found::*;
    let unknown = CannotTell(Untold::NoText);
    assert_eq!(found(WORD, &[]), (vec![unknown], false));
    assert_eq!(found(WORD, &[user(2_500, "?", 500.0)]), (vec![unknown], false));
    assert_eq!(found(WORD, &[transcript(3_100, " ", true)]), (vec![unknown], false));
    // A stream that closed is final, whatever it says of itself.
    assert_eq!(found(WORD, &[transcript(3_100, "From Nine on", false)]), (vec![Met], false));
    assert_eq!(found(WORD, &[transcript(3_100, "From ten on", false)]), (vec![Missed], true));
    // Its greeting had a text.
    let greeted = [voice(200, 600), transcript(300, "Hello", true)];
    let scenario = expecting(WORD);
    let log = [&greeted[..], &[connected(0), began(0, 700), said(0, 1_000, 2_000)]].concat();
    let log = [log, vec![voice(3_000, 4_000)]].concat().concat();
    let late = call(0, log.clone(), 6_000, Outcome::Answered);
    let analysis = analyse(&run("r", vec![late], &scenario), &scenario);
    assert_eq!(analysis.calls[0].turns[0].content[0].found, MissedUntold);
    assert!(analysis.calls[0].failure.is_some());
    // Unless the call was over before the text could come.
    let cut = call(0, log, 4_200, Outcome::Answered);
    let analysis = analyse(&run("r", vec![cut], &scenario), &scenario);
    assert_eq!(analysis.calls[0].turns[0].content[0].found, CannotTell(Untold::CutOff));
    assert!(analysis.calls[0].failure.is_none());
}

#[test]
fn what_is_told_in_other_calls_is_missing_where_it_is_not() {
    let mute = answered(0, &[]);
    let told =
        [user(2_500, "?", 500.0), ran(&["lookup_order"]), agent(4_100, "from nine", false, 250.0)];
    let tells = answered(1, &told);
    let what = format!("{TOOL}, {WORD}");
    let alone = of(&what, vec![mute.clone()]);
    assert!(alone.calls[0].failure.is_none());
    let both = of(&what, vec![mute, tells]);
    let [first, second] = &both.calls[..] else { panic!("two calls") };
    assert_eq!(first.failure.as_ref().map(|f| f.cause), Some(Cause::WrongContent));
    assert!(second.failure.is_none());
    let ok: Vec<f64> = both.measures.values(Metric::CallsOk).iter().map(|v| v.value).collect();
    assert_eq!(ok, [0.0, 1.0]);
    let sentences: Vec<String> = first.turns[0].wrong_content().collect();
    assert_eq!(
        sentences,
        [
            "the reply does not contain `nine`: the agent sent no text of it, though it does elsewhere",
            "the agent did not run the tool `lookup_order`: it told of none in this call, though it does \
             elsewhere",
        ]
    );
    let counts = |of: &Analysis| ContentCounts::of(of.turns());
    assert_eq!(counts(&alone), ContentCounts { met: 0, missed: 0, cannot_tell: 2 });
    assert_eq!(counts(&both), ContentCounts { met: 2, missed: 2, cannot_tell: 0 });
}

#[test]
fn a_turn_without_a_reply_holds_nothing_to_check() {
    let scenario = expecting(TOOL);
    let log = [connected(0), began(0, 0), said(0, 1_000, 2_000), missed(0, 10_000)];
    let one = call(0, log.concat(), 10_100, Outcome::NoAnswer);
    let analysis = analyse(&run("r", vec![one], &scenario), &scenario);
    assert_eq!(analysis.calls[0].turns[0].content, []);
}

const NOT_WORD: &str = "must_not: {text: {contains: [sorry]}}";
const NOT_TOOL: &str = "must_not: {tools: [transfer]}";

#[test]
fn what_must_not_be_said_is_only_known_of_words_that_are() {
    use Found::*;
    let asked = user(2_500, "?", 500.0);
    let said = |text: &str| [asked.clone(), agent(4_050, text, false, 250.0)].concat();
    assert_eq!(found(NOT_WORD, &[said("From nine on.")]), (vec![Met], false));
    assert_eq!(found(NOT_WORD, &[said("I am SORRY.")]), (vec![Missed], true));
    let pattern = "must_not: {text: {matches: '(?i)so+rry'}}";
    assert_eq!(found(pattern, &[said("I am soorry.")]), (vec![Missed], true));
    assert_eq!(found(pattern, &[said("Nine.")]), (vec![Met], false));
    // No word of it.
    let unknown = |why| (vec![CannotTell(why)], false);
    assert_eq!(found(NOT_WORD, &[]), unknown(Untold::NoText));
    assert_eq!(found(NOT_WORD, &[user(2_500, "?", 500.0)]), unknown(Untold::NoText));
    // A text of the beginning, and none of what was said later; either way what was said is said.
    let later = voice(4_900, 5_300);
    assert_eq!(found(NOT_WORD, &[said("Nine."), later.clone()]), unknown(Untold::NotAllText));
    assert_eq!(found(NOT_WORD, &[said("Sorry."), later.clone()]), (vec![Missed], true));
    let both = [said("Nine."), later, agent(5_350, "Bye.", false, 250.0)];
    assert_eq!(found(NOT_WORD, &both), (vec![Met], false));
    // The kept part of a text that was longer.
    let long = "a".repeat(crate::record::LONGEST_TEXT);
    assert_eq!(found(NOT_WORD, &[said(&long)]), unknown(Untold::NotAllText));
    // Broken off by the caller: the text is what was said until then.
    assert_eq!(
        found(NOT_WORD, &[asked.clone(), agent(4_050, "Nine", true, 250.0)]),
        (vec![Met], false)
    );
}

#[test]
fn texts_count_when_they_are_whole_and_of_the_last_that_was_said() {
    use Found::*;
    let unknown = (vec![CannotTell(Untold::NotAllText)], false);
    assert_eq!(found(NOT_WORD, &[transcript(3_100, "nine", true)]), (vec![Met], false));
    assert_eq!(found(NOT_WORD, &[transcript(3_100, "nine", false)]), unknown);
    let later = voice(5_200, 5_400);
    let segments = [transcript(3_100, "nine", true), transcript(5_150, "to six", true)];
    assert_eq!(found(NOT_WORD, &[&segments[..1], std::slice::from_ref(&later)].concat()), unknown);
    assert_eq!(found(NOT_WORD, &[&segments[..], &[later]].concat()), (vec![Met], false));
}

#[test]
fn a_call_that_ends_in_the_reply_does_not_say_what_it_would_have_held() {
    let scenario = expecting(NOT_WORD);
    let log = [connected(0), began(0, 0), said(0, 1_000, 2_000), voice(3_000, 6_000)];
    let text = [user(2_500, "?", 500.0), agent(3_900, "One moment.", false, 250.0)].concat();
    let one = call(0, [&log[..], &[text]].concat().concat(), 6_100, Outcome::Answered);
    let analysis = analyse(&run("r", vec![one], &scenario), &scenario);
    assert_eq!(analysis.calls[0].turns[0].content[0].found, Found::CannotTell(Untold::CutOff));
    assert!(analysis.calls[0].failure.is_none());
}

#[test]
fn a_tool_that_must_not_run_did_or_did_not_or_is_not_told() {
    use Found::*;
    let unknown = |why| (vec![CannotTell(why)], false);
    assert_eq!(found(NOT_TOOL, &[]), unknown(Untold::NoTools));
    assert_eq!(found(NOT_TOOL, &[user(2_500, "?", 500.0)]), (vec![Met], false));
    assert_eq!(found(NOT_TOOL, &[ran(&["lookup_order"])]), (vec![Met], false));
    assert_eq!(found(NOT_TOOL, &[ran(&["lookup_order", "transfer"])]), (vec![Missed], true));
    assert_eq!(found(NOT_TOOL, &[ran(&[""])]), unknown(Untold::UnnamedTool));
}

#[test]
fn what_other_calls_tell_does_not_say_that_something_was_not_there() {
    let said = |text: &str| [user(2_500, "?", 500.0), agent(4_100, text, false, 250.0)];
    let tells = answered(1, &said("from nine"));
    let analysis = of(NOT_WORD, vec![answered(0, &[]), tells]);
    let counts = ContentCounts::of(analysis.turns());
    assert_eq!(counts, ContentCounts { met: 1, missed: 0, cannot_tell: 1 });
    let [first, _] = &analysis.calls[..] else { panic!("two calls") };
    assert!(first.failure.is_none());
    assert_eq!(
        first.turns[0].content[0].sentence(),
        "cannot tell whether the reply does not contain `sorry`: the agent sent no text of it"
    );
    let wrong = of(NOT_WORD, vec![answered(0, &said("sorry"))]);
    let detail = wrong.calls[0].failure.as_ref().map(|failure| failure.detail.as_str());
    assert_eq!(detail, Some("turn `q`: the reply contains `sorry`, which it must not"));
}
