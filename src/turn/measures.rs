//! Turns and call records to the values of every metric.

use std::time::Duration;

use super::values::REPORTED;
use super::{Answer, CallFacts, Cause, Measures, Reply, Turn, Value};
use crate::record::{CallId, CallRecord, Outcome};
use crate::scenario::{Expect, Metric, Scenario, TurnTaking};

/// Adds the values of one call.
pub(super) fn measure(
    measures: &mut Measures,
    call: &CallRecord,
    facts: &CallFacts,
    scenario: &Scenario,
) {
    whole_call(measures, facts);
    for turn in &facts.turns {
        let expect = scenario.steps().get(turn.step as usize).and_then(|s| s.expect);
        reply(measures, call, turn, expect);
        turn_taking(measures, turn, expect, scenario.turn_taking());
        answer(measures, turn, expect);
        reported(measures, turn);
    }
}

impl Measures {
    fn add(&mut self, metric: Metric, call: CallId, step: u32, value: f64) {
        self.put(metric, Value { call, step, value, censored: false });
    }

    fn add_bound(&mut self, metric: Metric, call: CallId, step: u32, value: f64) {
        self.put(metric, Value { call, step, value, censored: true });
    }

    fn put(&mut self, metric: Metric, value: Value) {
        self.by_metric.entry(metric).or_default().push(value);
    }
}

fn whole_call(measures: &mut Measures, call: &CallFacts) {
    let CallFacts { call: id, due, ended, agent_joined, agent_ready, .. } = *call;
    let no_agent = matches!(call.outcome, Outcome::NoAgent | Outcome::AgentLate);
    if let Some(at) = call.connected {
        measures.add(Metric::ConnectDelay, id, 0, at.ms_since(due));
    }
    if let Some(at) = agent_joined {
        measures.add(Metric::AgentJoinDelay, id, 0, at.ms_since(due));
    } else if no_agent {
        measures.add_bound(Metric::AgentJoinDelay, id, 0, ended.ms_since(due));
    }
    match (agent_joined, agent_ready) {
        (Some(joined), Some(ready)) => {
            measures.add(Metric::AgentReadyDelay, id, 0, ready.ms_since(joined));
        }
        (Some(joined), None) if no_agent => {
            measures.add_bound(Metric::AgentReadyDelay, id, 0, ended.ms_since(joined));
        }
        (Some(_) | None, _) => {}
    }
    if let Some(ok) = call.ok() {
        let unknown = call.failure.as_ref().is_some_and(|f| f.cause == Cause::EndStateUnknown);
        let value = if ok { 1.0 } else { 0.0 };
        measures.put(Metric::CallsOk, Value { call: id, step: 0, value, censored: unknown });
    }
    if let Some(ratio) = call.overlap.ratio() {
        measures.add(Metric::OverlapRatio, id, 0, ratio);
    }
}

/// What can happen in a turn or not: 1 or 0 for every turn in which it could.
fn turn_taking(measures: &mut Measures, turn: &Turn, expect: Option<Expect>, limits: TurnTaking) {
    let mut event = |metric, happened| {
        measures.add(metric, turn.call, turn.step, if happened { 1.0 } else { 0.0 });
    };
    let silence = if turn.tools.is_empty() {
        limits.awkward_silence
    } else {
        limits.awkward_silence_with_tools
    };
    let awkward_ms = silence.as_secs_f64() * 1_000.0;
    match (expect, turn.reply) {
        (Some(Expect::Responds { .. }), Reply::Heard { latency_ms, .. }) => {
            event(Metric::UnansweredTurns, false);
            event(Metric::EotMispredictionCount, turn.cut_in);
            event(Metric::AwkwardSilenceCount, latency_ms > awkward_ms);
        }
        (Some(Expect::Responds { .. }), Reply::CutIn { .. }) => {
            event(Metric::UnansweredTurns, false);
            event(Metric::EotMispredictionCount, true);
            event(Metric::AwkwardSilenceCount, false);
        }
        (Some(Expect::Responds { .. }), Reply::Unanswered { waited_ms }) => {
            event(Metric::UnansweredTurns, true);
            event(Metric::EotMispredictionCount, turn.cut_in);
            // A call that ended earlier does not say how long the silence would have been.
            if waited_ms > awkward_ms {
                event(Metric::AwkwardSilenceCount, true);
            }
        }
        (Some(Expect::Ignores), Reply::Ignored) => event(Metric::FalseInterruptionCount, false),
        (Some(Expect::Ignores), Reply::Disturbed { .. }) => {
            event(Metric::FalseInterruptionCount, true);
        }
        _ => {}
    }
}

fn reply(measures: &mut Measures, call: &CallRecord, turn: &Turn, expect: Option<Expect>) {
    let Some(expect) = expect else { return };
    let (metric, within) = match expect {
        Expect::Responds { within } => (Metric::HeardE2eLatency, within),
        Expect::Yields { within } => (Metric::TimeToYield, within),
        Expect::Speaks { within } => (Metric::GreetingLatency, within),
        Expect::Ignores => return,
    };
    // A later `speaks` step counts from its own begin: that is no greeting.
    if metric == Metric::GreetingLatency && turn.step != 0 {
        return;
    }
    match turn.reply {
        Reply::Heard { latency_ms: ms, .. }
        | Reply::Greeted { latency_ms: ms, .. }
        | Reply::Yielded { yield_ms: ms } => measures.add(metric, turn.call, turn.step, ms),
        Reply::Unanswered { waited_ms } => {
            let bound = known_bound(call, waited_ms, within);
            measures.add_bound(metric, turn.call, turn.step, bound);
            if metric == Metric::HeardE2eLatency {
                measures.add_bound(Metric::AnswerLatency, turn.call, turn.step, bound);
            }
        }
        Reply::DidNotYield { waited_ms } => {
            measures.add_bound(metric, turn.call, turn.step, waited_ms);
        }
        // A cut-in has no latency: it is counted.
        Reply::CutIn { .. }
        | Reply::Ignored
        | Reply::Disturbed { .. }
        | Reply::NotAwaited
        | Reply::NotTested
        | Reply::NotReached => {}
    }
    if let (Reply::Heard { .. }, Some(ms)) = (turn.reply, turn.ttfa_ms) {
        measures.add(Metric::HeardTtfa, turn.call, turn.step, ms);
    }
}

/// What the caller waited for the answer itself: as long as for the reply where there was no filler.
fn answer(measures: &mut Measures, turn: &Turn, expect: Option<Expect>) {
    let Some(Expect::Responds { .. }) = expect else { return };
    let (call, step) = (turn.call, turn.step);
    match (turn.reply, turn.answer) {
        (Reply::Heard { .. }, Some(Answer::Heard { latency_ms, filler })) => {
            measures.add(Metric::AnswerLatency, call, step, latency_ms);
            let filled = if filler.is_some() { 1.0 } else { 0.0 };
            measures.add(Metric::FillerCount, call, step, filled);
            if let Some(filler) = filler {
                measures.add(Metric::FillerGap, call, step, filler.gap_ms);
            }
        }
        (
            Reply::Heard { .. },
            Some(Answer::Outstanding { waited_ms } | Answer::Never { waited_ms }),
        ) => {
            measures.add_bound(Metric::AnswerLatency, call, step, waited_ms);
            measures.add(Metric::FillerCount, call, step, 1.0);
        }
        _ => {}
    }
}

/// What is known of a reply that never came. An agent that has left replies to nothing any more, so
/// its silence outlasts the time it was given, however soon it left: otherwise an agent that
/// crashes instead of answering slowly would look faster.
fn known_bound(call: &CallRecord, waited_ms: f64, within: Duration) -> f64 {
    if call.end.outcome == Outcome::AgentLeft {
        waited_ms.max(within.as_secs_f64() * 1_000.0)
    } else {
        waited_ms
    }
}

fn reported(measures: &mut Measures, turn: &Turn) {
    measures.dropped_reported += turn.doubts.iter().filter(|doubt| doubt.ms.is_some()).count();
    if turn.said.is_none() {
        return;
    }
    let mut metrics = turn.reported;
    for (metric, field) in REPORTED {
        if let Some(value) = *field(&mut metrics) {
            measures.add(metric, turn.call, turn.step, value);
        }
    }
    if let (Some(decided), Some(prepared)) = (turn.turn_decided_ms, turn.answer_prepared_ms()) {
        measures.add(Metric::TurnDecided, turn.call, turn.step, decided);
        measures.add(Metric::AnswerPrepared, turn.call, turn.step, prepared);
    }
    if let Some(ms) = turn.tool_ms {
        measures.add(Metric::ToolDelay, turn.call, turn.step, ms);
    }
    if let Some(ms) = turn.unattributed_ms() {
        measures.add(Metric::Unattributed, turn.call, turn.step, ms);
    }
}
