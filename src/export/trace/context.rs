//! What every span of a call carries. Langfuse keeps session, user, name and tags per span, on the span alone: what
//! is said on the resource, or on the root only, is lost for all others.

use opentelemetry::KeyValue;

use super::attributes::{clipped, strings};
use crate::export::experiment::Experiment;
use crate::record::{CallId, RunHead};
use crate::scenario::{Names, Scenario, Within, fill};
use crate::turn::CallFacts;

/// The context of a call; without what is said of its root alone.
pub(super) fn common(
    head: &RunHead,
    scenario: &Scenario,
    facts: &CallFacts,
    experiment: Option<&Experiment>,
    root: &str,
) -> Vec<KeyValue> {
    let text = |key: &'static str, text: &str| KeyValue::new(key, clipped(text));
    let tags = [
        "loadcall".to_owned(),
        format!("scenario:{}", scenario.name()),
        format!("run:{}", head.run_id),
    ];
    let mut list = vec![
        // As it is: the agent's own traces stand in the session of the same text.
        KeyValue::new("session.id", facts.room.replace('\0', "\u{fffd}")),
        text("langfuse.trace.name", scenario.name()),
        KeyValue::new("langfuse.trace.tags", strings(tags.iter())),
        text("langfuse.trace.metadata.scenario", scenario.name()),
        text("langfuse.trace.metadata.run_id", &head.run_id),
        text("langfuse.trace.metadata.call_id", &facts.call.0.to_string()),
        text("langfuse.trace.metadata.room_name", &facts.room),
        text("langfuse.trace.metadata.agent_name", &scenario.agent().name),
    ];
    list.extend(caller(head, scenario, facts).map(|caller| text("user.id", &caller)));
    let sid = facts.room_sid.as_deref();
    list.extend(sid.map(|sid| text("langfuse.trace.metadata.room_sid", sid)));
    let release = head.labels.release.as_deref();
    list.extend(release.map(|release| text("langfuse.release", release)));
    list.extend(experiment.into_iter().flat_map(|experiment| experiment.attributes(root)));
    list
}

/// Who called, by the identity that the agent sees; `None` where it is in a token that others made.
fn caller(head: &RunHead, scenario: &Scenario, facts: &CallFacts) -> Option<String> {
    if scenario.dispatch().is_some_and(|start| start.token.is_some()) {
        return None;
    }
    let names = Names {
        run: head.run_id.clone(),
        call: number(facts.call),
        agent: scenario.agent().name.clone(),
        room: facts.room.clone(),
        ..Names::default()
    };
    Some(fill(&scenario.caller().identity, &names, Within::Text))
}

/// A call's number as its room and its caller have it.
fn number(call: CallId) -> String {
    format!("{:03}", call.0)
}
