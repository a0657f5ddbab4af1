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
