//! What a call was to show, check by check: what the agent does in each turn, what its reply holds, what the call
//! leaves behind.

use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SpanData;

use super::attributes::{Attributes, Kind, Level};
use super::{Draft, Trace};
use crate::record::{CallRecord, Observation, StateFound};
use crate::scenario::{Expect, Scenario};
use crate::time::Offset;
use crate::turn::{CallFacts, ContentResult, Found, Reply, Turn};

/// Checks of one call that become spans.
const MOST: usize = 200;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Result {
    Met,
    Missed,
    CannotTell,
}

impl Result {
    const fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::CannotTell => "cannot_tell",
        }
    }
}

/// One thing that was looked at. Texts may be others'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    /// The step; `None` for what belongs to the call.
    pub(super) step: Option<u32>,
    /// When it was decided.
    pub(super) at: Offset,
    pub(super) rule: String,
    pub(super) result: Result,
    /// With what was found, without a full stop.
    pub(super) sentence: String,
}

/// What a step expects, in words.
pub(super) fn rule(expect: Expect) -> String {
    match expect {
        Expect::Speaks { within } => format!("the agent speaks within {within:?}"),
        Expect::Responds { within } => format!("the agent responds within {within:?}"),
        Expect::Yields { within } => format!("the agent yields within {within:?}"),
        Expect::Ignores => "the agent takes no notice".to_owned(),
    }
}

/// All checks of a call: its turns' in the order of the script, then those of its end state.
pub(super) fn of_call(call: &CallRecord, scenario: &Scenario, facts: &CallFacts) -> Vec<Check> {
    let mut checks = Vec::new();
    for turn in &facts.turns {
        let step = scenario.steps().get(turn.step as usize);
        let expect = step.and_then(|step| step.expect);
        checks.extend(expect.and_then(|expect| expectation(call, turn, expect)));
        checks.extend(content(call, turn));
    }
    checks.extend((0..scenario.end_states().len()).map(|check| end_state(call, check)));
    checks
}

fn expectation(call: &CallRecord, turn: &Turn, expect: Expect) -> Option<Check> {
    let missed = call.log.iter().find_map(|seen| {
        (seen.what == Observation::ExpectationMissed { step: turn.step }).then_some(seen.at)
    });
    let late = "later than the scenario allows";
    let (result, found) = match turn.reply {
        Reply::Greeted { latency_ms, .. } | Reply::Heard { latency_ms, .. } if turn.is_late => {
            (Result::Missed, format!("after {latency_ms:.0} ms, {late}"))
        }
        Reply::Greeted { latency_ms, .. } | Reply::Heard { latency_ms, .. } => {
            (Result::Met, format!("after {latency_ms:.0} ms"))
        }
        Reply::CutIn { early_ms, .. } => {
            (Result::Met, format!("it cut in {early_ms:.0} ms before the caller had ended"))
        }
        Reply::Yielded { yield_ms } if missed.is_some() => {
            (Result::Missed, format!("after {yield_ms:.0} ms, {late}"))
        }
        Reply::Yielded { yield_ms } => (Result::Met, format!("after {yield_ms:.0} ms")),
        Reply::DidNotYield { waited_ms } => {
            (Result::Missed, format!("it spoke on for {waited_ms:.0} ms"))
        }
        Reply::Ignored => (Result::Met, "it took none".to_owned()),
        Reply::Disturbed { after_ms, .. } => {
            (Result::Missed, format!("it reacted after {after_ms:.0} ms"))
        }
        Reply::Unanswered { waited_ms } => {
            (Result::Missed, format!("nothing was heard for {waited_ms:.0} ms"))
        }
        Reply::NotTested => (Result::CannotTell, "the barge-in found the agent silent".to_owned()),
        Reply::NotReached => {
            (Result::CannotTell, "the call ended before this was decided".to_owned())
        }
        Reply::NotAwaited => return None,
    };
    let rule = rule(expect);
    let at = decided(turn).or(missed).unwrap_or(call.end.at);
    let sentence = format!("turn `{}`: {rule}: {found}", turn.id);
    Some(Check { step: Some(turn.step), at, rule, result, sentence })
}

/// When what came back came.
fn decided(turn: &Turn) -> Option<Offset> {
    let after = |from: Option<Offset>, ms: f64| Some(super::turns::earlier(from?, -ms));
    let (begin, end) = (turn.said.map(|said| said.from), turn.said.map(|said| said.until));
    match turn.reply {
        Reply::Greeted { voice, .. } | Reply::Heard { voice, .. } | Reply::CutIn { voice, .. } => {
            Some(voice.from)
        }
        Reply::Yielded { yield_ms: ms }
        | Reply::DidNotYield { waited_ms: ms }
        | Reply::Disturbed { after_ms: ms, .. } => after(begin, ms),
        Reply::Unanswered { waited_ms } => after(end, waited_ms),
        Reply::Ignored => end,
        Reply::NotAwaited | Reply::NotTested | Reply::NotReached => None,
    }
}

fn content(call: &CallRecord, turn: &Turn) -> impl Iterator<Item = Check> {
    let at = decided(turn).unwrap_or(call.end.at);
    turn.content.iter().map(move |one| Check {
        step: Some(turn.step),
        at,
        // The sentence of one that is met says what is wanted.
        rule: ContentResult { found: Found::Met, ..one.clone() }.sentence(),
        result: match one.found {
            Found::Met => Result::Met,
            Found::Missed | Found::MissedUntold => Result::Missed,
            Found::CannotTell(_) => Result::CannotTell,
        },
        sentence: format!("turn `{}`: {}", turn.id, one.sentence()),
    })
}

fn end_state(call: &CallRecord, check: usize) -> Check {
    #[expect(clippy::wildcard_enum_match_arm, reason = "one fact of many is wanted")]
    let found = call.log.iter().rev().find_map(|seen| match &seen.what {
        Observation::EndState { check: of, found, detail } if *of as usize == check => {
            Some((seen.at, *found, detail.as_str()))
        }
        _ => None,
    });
    let (at, found, detail) =
        found.unwrap_or((call.end.at, StateFound::Unknown, "it was not looked at"));
    let result = match found {
        StateFound::AsWanted => Result::Met,
        StateFound::Different => Result::Missed,
        StateFound::Unknown => Result::CannotTell,
    };
    let detail = if detail.is_empty() { "it is as the scenario wants it" } else { detail };
    let number = check + 1;
    Check {
        step: None,
        at,
        rule: format!("end state {number} is as the scenario wants it"),
        result,
        sentence: format!("end state {number}: {detail}"),
    }
}

impl Trace<'_> {
    /// A span for each check; `shown`: the turns that have a span.
    pub(super) fn checks(&self, checks: &[Check], shown: &[u32]) -> Vec<SpanData> {
        let spans = (0_u32..).zip(checks.iter().take(MOST)).map(|(place, check)| {
            let mut attributes = Attributes::new(Kind::Evaluator);
            attributes.text("langfuse.observation.input", &check.rule);
            attributes.text("langfuse.observation.output", check.result.name());
            attributes.text("loadcall.check", &check.sentence);
            match check.result {
                Result::Met => {}
                Result::Missed => attributes.failed(Level::Error, check.sentence.clone()),
                Result::CannotTell => attributes.failed(Level::Warning, check.sentence.clone()),
            }
            let turn = check.step.filter(|step| shown.contains(step));
            let parent = turn.map_or_else(|| self.root(), |step| self.id("loadcall.turn", step));
            self.span(Draft {
                name: "loadcall.assert",
                place,
                parent: Some(parent),
                kind: SpanKind::Internal,
                from: check.at,
                until: check.at,
                attributes,
            })
        });
        spans.collect()
    }
}
