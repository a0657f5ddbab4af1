//! Which tools ran in a turn, and for how long by our receipt of the agent's messages. Its own clock is
//! not used: both messages travel the same way, so what they lose on it cancels out but for jitter.

use std::collections::BTreeMap;

use super::timeline::CallTimeline;
use super::{Reply, Span, Turn};
use crate::record::{CallRecord, Observation, SessionEvent};
use crate::time::Offset;

/// The messages about the tools of one turn. Agents send some or all of them.
#[derive(Default)]
struct Seen {
    /// Names as told by each kind of message: tools of a request, executions, results.
    requested: Vec<String>,
    started: Vec<String>,
    executed: Vec<String>,
    failed: Vec<String>,
    running: BTreeMap<String, Offset>,
    ran: Vec<Span>,
    /// When the last request with tools was told.
    requested_at: Option<Offset>,
    /// The same by request and result, for agents that do not tell single executions.
    batches: Vec<Span>,
}

/// Fills in tools, their failures and their time.
pub(super) fn join(call: &CallRecord, heard: &CallTimeline, turns: &mut [Turn]) {
    let mut by_step: BTreeMap<u32, Seen> = BTreeMap::new();
    for seen in &call.log {
        let Observation::Session(event) = &seen.what else { continue };
        let step = heard.last_said(seen.at).unwrap_or(0);
        by_step.entry(step).or_default().take(event, seen.at);
    }
    for turn in turns {
        let Some(seen) = by_step.remove(&turn.step) else { continue };
        turn.tools = seen.names();
        turn.errors.extend(seen.failed.iter().map(|name| match name.as_str() {
            "" => "a tool failed".to_owned(),
            name => format!("tool `{name}` failed"),
        }));
        if let (Reply::Heard { voice, .. }, Some(said)) = (turn.reply, turn.said) {
            turn.tool_ms = seen.time_before(said.from, voice.from);
        }
    }
}

impl Seen {
    fn take(&mut self, event: &SessionEvent, at: Offset) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "four messages of many are about tools")]
        match event {
            SessionEvent::ToolsStarted { names } => {
                self.requested.extend_from_slice(names);
                self.requested_at = Some(at);
            }
            SessionEvent::ToolStarted { call, name } => {
                self.started.push(name.clone());
                self.running.insert(call.clone(), at);
            }
            SessionEvent::ToolEnded { call } => {
                let from = self.running.remove(call);
                self.ran.extend(from.map(|from| Span { from, until: at }));
            }
            SessionEvent::ToolsExecuted { tools } => {
                for tool in tools {
                    self.executed.push(tool.name.clone());
                    if tool.is_error {
                        self.failed.push(tool.name.clone());
                    }
                }
                let from = self.requested_at.take();
                self.batches.extend(from.map(|from| Span { from, until: at }));
            }
            _ => {}
        }
    }

    /// Every execution once, whichever messages told of it; the name is empty where none has it.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let all = [&self.requested, &self.started, &self.executed];
        for told in all {
            for (i, name) in told.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
                let times = told.iter().take(i + 1).filter(|n| *n == name).count();
                if names.iter().filter(|n| *n == name).count() < times {
                    names.push(name.clone());
                }
            }
        }
        let ran = all.iter().map(|told| told.len()).max().unwrap_or(0);
        names.resize(ran.max(names.len()), String::new());
        names
    }

    /// Milliseconds in which a tool ran between two moments; `None` when none did.
    fn time_before(&self, from: Offset, until: Offset) -> Option<f64> {
        let spans = if self.ran.is_empty() { &self.batches } else { &self.ran };
        let mut spans: Vec<Span> = spans
            .iter()
            .map(|s| Span { from: s.from.max(from), until: s.until.min(until) })
            .filter(|s| s.from < s.until)
            .collect();
        spans.sort_by_key(|s| s.from);
        let mut total = None;
        let mut reached = from;
        for span in spans {
            let more = span.until.ms_since(span.from.max(reached)).max(0.0);
            total = Some(total.unwrap_or(0.0) + more);
            reached = reached.max(span.until);
        }
        total
    }
}
