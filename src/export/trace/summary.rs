//! A call in short: what was to happen, and what did. Documents of bounded size.

use serde_json::{Value, json};

use super::attributes::short;
use super::checks::{self, Check, Result};
use crate::scenario::{Act, Content, Scenario};
use crate::turn::{CallFacts, Cause, Reply};

/// Turns that are told of.
const TURNS: usize = 100;
/// Checks that are told of.
const CHECKS: usize = 20;

/// A scenario as an item of a dataset: what goes in, and what is expected.
pub fn item(scenario: &Scenario) -> (Value, Value) {
    (input(scenario), expected(scenario))
}

/// The script in short. Not the scenario's text: the metadata it hands to the agent may be secret.
pub(super) fn input(scenario: &Scenario) -> Value {
    let steps: Vec<_> = scenario
        .steps()
        .iter()
        .take(TURNS)
        .map(|step| {
            let says = match &step.act {
                Act::Say { clip, .. } => Some(clip.text.as_deref().unwrap_or(&clip.file)),
                Act::Listen | Act::Silence { .. } => None,
            };
            json!({"turn": short(&step.id), "says": says.map(short)})
        })
        .collect();
    json!({
        "scenario": short(scenario.name()),
        "agent": short(&scenario.agent().name),
        "turns": steps,
    })
}

/// What the scenario expects of the agent.
pub(super) fn expected(scenario: &Scenario) -> Value {
    let expects = scenario.steps().iter().take(TURNS).filter_map(|step| {
        let does = step.expect.map(checks::rule);
        let holds = words(&step.content);
        (does.is_some() || !holds.is_empty())
            .then(|| json!({"turn": short(&step.id), "expects": does, "reply": holds}))
    });
    json!({
        "turns": expects.collect::<Vec<_>>(),
        "end_states": scenario.end_states().len(),
    })
}

/// What a reply is to hold, in words.
fn words(content: &Content) -> Vec<String> {
    let must_not = &content.must_not;
    let of = |what: &'static str| move |text: &String| short(&format!("{what} `{text}`"));
    let patterns = content.matches.iter().map(|p| short(&format!("matches `{}`", p.as_str())));
    let no_patterns =
        must_not.matches.iter().map(|p| short(&format!("does not match `{}`", p.as_str())));
    let all = content.contains.iter().map(of("contains"));
    let all = all.chain(patterns).chain(content.tools.iter().map(of("runs the tool")));
    let all = all.chain(must_not.contains.iter().map(of("does not contain"))).chain(no_patterns);
    all.chain(must_not.tools.iter().map(of("does not run the tool"))).take(CHECKS).collect()
}

/// How it went in short.
pub(super) fn output(facts: &CallFacts, checks: &[Check]) -> Value {
    let turns: Vec<_> = facts
        .turns
        .iter()
        .take(TURNS)
        .map(|turn| {
            let (what, ms) = told(turn.reply);
            let result = ms.map_or(json!(false), |ms| json!(ms.round()));
            json!({"turn": short(&turn.id), what: result})
        })
        .collect();
    let of = |result| checks.iter().filter(move |check| check.result == result);
    let missed: Vec<_> =
        of(Result::Missed).take(CHECKS).map(|check| short(&check.sentence)).collect();
    json!({
        "passed": passed(facts),
        "outcome": facts.outcome.name(),
        "cause": facts.failure.as_ref().map(|failure| failure.cause.name()),
        "detail": short(&why(facts)),
        "checks": {
            "met": of(Result::Met).count(),
            "missed": of(Result::Missed).count(),
            "cannot_tell": of(Result::CannotTell).count(),
        },
        "missed": missed,
        "turns": turns,
    })
}

/// Whether the call was as the scenario wants it; `None` where that is not known, or where the call says nothing
/// about the agent.
pub(in crate::export) fn passed(facts: &CallFacts) -> Option<bool> {
    let unknown = facts.failure.as_ref().is_some_and(|f| f.cause == Cause::EndStateUnknown);
    facts.ok().filter(|_| !unknown)
}

/// Why a call is not ok, or how it ended; may be empty.
pub(in crate::export) fn why(facts: &CallFacts) -> String {
    let Some(failure) = &facts.failure else { return facts.detail.clone() };
    match failure.detail.as_str() {
        "" => failure.cause.name().to_owned(),
        detail => format!("{}: {detail}", failure.cause.name()),
    }
}

/// What came back, and after how many milliseconds.
fn told(reply: Reply) -> (&'static str, Option<f64>) {
    match reply {
        Reply::Greeted { latency_ms, .. } | Reply::Heard { latency_ms, .. } => {
            ("heard_ms", Some(latency_ms))
        }
        Reply::Yielded { yield_ms } => ("yield_ms", Some(yield_ms)),
        Reply::Unanswered { waited_ms } => ("unanswered_for_ms", Some(waited_ms)),
        Reply::DidNotYield { waited_ms } => ("did_not_yield_for_ms", Some(waited_ms)),
        Reply::Disturbed { after_ms, .. } => ("disturbed_after_ms", Some(after_ms)),
        Reply::Ignored => ("disturbed", None),
        Reply::CutIn { early_ms, .. } => ("cut_in_ms", Some(early_ms)),
        Reply::NotAwaited => ("awaited", None),
        Reply::NotTested => ("tested", None),
        Reply::NotReached => ("reached", None),
    }
}
