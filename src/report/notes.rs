//! What a reader of the numbers has to know: which agent it was, what is missing and why.

use std::collections::{BTreeMap, BTreeSet};

use super::clipped;
use crate::record::{CallId, CallRecord, Observation, Run, SessionEvent};
use crate::scenario::Metric;
use crate::turn::{Measures, Reply, Turn, Why};

/// Different texts of one kind that are named; the rest is counted.
const NAMED: usize = 3;
/// Characters of a text from outside that are shown.
const SHOWN: usize = 160;

/// The notes of a run. What bears on the verdict is among its reasons instead.
pub(super) fn notes(run: &Run, turns: &[Turn], measures: &Measures) -> Vec<String> {
    let facts = Facts::of(&run.calls);
    let mut notes = Vec::new();
    if let Some(tail) = run.tail.as_ref().filter(|tail| tail.gave_up) {
        notes.push(format!(
            "{} of {} planned calls were placed: the first ones reached no agent",
            run.calls.len(),
            tail.planned
        ));
    }
    named(&mut notes, "the agent runs", &facts.frameworks, "");
    if !facts.without_session.is_empty() {
        notes.push(format!(
            "{} sent no lk.agent.session: the agent's stages are unknown for {}",
            calls(facts.without_session.len()),
            if facts.without_session.len() == 1 { "it" } else { "them" },
        ));
    }
    unanswered(&mut notes, turns);
    doubts(&mut notes, turns);
    constants(&mut notes, measures);
    false_interruptions(&mut notes, turns);
    if facts.stalled > 0 {
        notes
            .push(format!("the agent's audio stalled for two seconds in {}", calls(facts.stalled)));
    }
    named(&mut notes, "the agent reported an error:", &facts.errors, "");
    named(&mut notes, "a tool of the agent failed:", &facts.failed_tools, "");
    named(&mut notes, "a limit was reached:", &facts.limits, "; what came after it was left out");
    notes
}

/// What was seen in how many calls.
#[derive(Default)]
struct Facts {
    without_session: Vec<CallId>,
    stalled: usize,
    frameworks: BTreeMap<String, BTreeSet<CallId>>,
    errors: BTreeMap<String, BTreeSet<CallId>>,
    failed_tools: BTreeMap<String, BTreeSet<CallId>>,
    limits: BTreeMap<String, BTreeSet<CallId>>,
}

impl Facts {
    fn of(calls: &[CallRecord]) -> Self {
        let mut facts = Self::default();
        for call in calls {
            facts.add(call);
        }
        facts
    }

    fn add(&mut self, call: &CallRecord) {
        let (mut joined, mut session, mut stalled) = (false, false, false);
        for stamped in &call.log {
            #[expect(clippy::wildcard_enum_match_arm, reason = "four facts of many are wanted")]
            match &stamped.what {
                Observation::AgentJoined { .. } => joined = true,
                Observation::AgentMediaStalled => stalled = true,
                Observation::LimitReached { what } => note(&mut self.limits, what, call.id),
                Observation::Session(event) => {
                    session = true;
                    self.add_session(event, call.id);
                }
                _ => {}
            }
        }
        if joined && !session {
            self.without_session.push(call.id);
        }
        self.stalled += usize::from(stalled);
    }

    fn add_session(&mut self, event: &SessionEvent, call: CallId) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "three facts of many are wanted")]
        match event {
            SessionEvent::Framework { sdk, sdk_version } => {
                note(&mut self.frameworks, &format!("{sdk} {sdk_version}"), call);
            }
            SessionEvent::Error { message } => note(&mut self.errors, message, call),
            SessionEvent::ToolsExecuted { tools } => {
                for tool in tools.iter().filter(|tool| tool.is_error) {
                    note(&mut self.failed_tools, &tool.name, call);
                }
            }
            _ => {}
        }
    }
}

fn note(into: &mut BTreeMap<String, BTreeSet<CallId>>, text: &str, call: CallId) {
    into.entry(clipped(text, SHOWN)).or_default().insert(call);
}

fn named(
    notes: &mut Vec<String>,
    what: &str,
    texts: &BTreeMap<String, BTreeSet<CallId>>,
    after: &str,
) {
    let mut by_calls: Vec<_> = texts.iter().collect();
    by_calls.sort_by_key(|(_, ids)| std::cmp::Reverse(ids.len()));
    for (text, ids) in by_calls.iter().take(NAMED) {
        notes.push(format!("{what} {text} ({}){after}", calls(ids.len())));
    }
    if by_calls.len() > NAMED {
        notes.push(format!("{what} {} more of this kind", by_calls.len() - NAMED));
    }
}

fn unanswered(notes: &mut Vec<String>, turns: &[Turn]) {
    let (mut missing, mut spoke_on) = (0_usize, 0_usize);
    for turn in turns {
        match turn.reply {
            Reply::Unanswered { .. } => missing += 1,
            Reply::DidNotYield { .. } => spoke_on += 1,
            Reply::Greeted { .. }
            | Reply::Heard { .. }
            | Reply::Yielded { .. }
            | Reply::Ignored
            | Reply::Disturbed { .. }
            | Reply::NotAwaited
            | Reply::NotReached => {}
        }
    }
    if missing > 0 {
        notes.push(format!(
            "{missing} awaited {} not heard and {} as at least as long as was waited",
            if missing == 1 { "reply was" } else { "replies were" },
            if missing == 1 { "counts" } else { "each count" },
        ));
    }
    if spoke_on > 0 {
        notes.push(format!(
            "the agent spoke on after {spoke_on} {} as at least as long as was waited",
            if spoke_on == 1 { "barge-in, which counts" } else { "barge-ins, which each count" },
        ));
    }
}

/// What the agent reported and is not believed, by metric.
fn doubts(notes: &mut Vec<String>, turns: &[Turn]) {
    let mut by_kind: BTreeMap<(Metric, Why), usize> = BTreeMap::new();
    for doubt in turns.iter().flat_map(|turn| &turn.doubts) {
        *by_kind.entry((doubt.metric, doubt.why)).or_default() += 1;
    }
    for ((metric, why), n) in by_kind {
        let what = match why {
            Why::Negative => "was reported as negative",
            Why::Absurd => "was reported as over a minute",
            Why::SpeechRunsBackwards => "came with a speech that ends before it begins",
            Why::AbsentAfterHandoff => "was not reported after a handoff to another agent",
        };
        let turns = number_of_turns(n);
        notes.push(format!("{} {what} in {turns}, which are not in its figures", metric.name()));
    }
}

/// Figures that are no measurements.
fn constants(notes: &mut Vec<String>, measures: &Measures) {
    for metric in Metric::ALL.into_iter().filter(|metric| measures.is_constant(*metric)) {
        let Some(first) = measures.values(metric).first() else { continue };
        notes.push(format!(
            "the agent always reports the same {} ({:.3} ms), which no clock gives: doubt it",
            metric.name(),
            first.value
        ));
    }
}

fn number_of_turns(n: usize) -> String {
    if n == 1 { "1 turn".to_owned() } else { format!("{n} turns") }
}

fn false_interruptions(notes: &mut Vec<String>, turns: &[Turn]) {
    let n = turns.iter().filter(|turn| turn.false_interruption).count();
    if n > 0 {
        let turns = number_of_turns(n);
        notes
            .push(format!("the agent took something for an interruption that was none in {turns}"));
    }
}

fn calls(n: usize) -> String {
    if n == 1 { "1 call".to_owned() } else { format!("{n} calls") }
}
