//! A tool of the model: before the answer, or beside something the agent says.

use super::{Action, AgentState, Conversation, Due, ms};
use crate::agent::script::{Delays, FaultKind, Line};
use crate::record::{ReportedMetrics, SessionEvent, ToolResult};
use crate::time::Offset;

/// A tool that runs beside what is said, until both are over.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) turn: u32,
    /// What is said after both; `None` when the tool gives nothing.
    pub(super) then: Option<Line>,
    pub(super) delays: Delays,
    pub(super) tool_ended: bool,
}

impl Conversation {
    pub(super) fn tool_started(&mut self) {
        let (call, name) = (self.tool_call(), self.tool_name());
        self.actions.push_back(Action::Session(SessionEvent::ToolStarted { call, name }));
    }

    pub(super) fn tool_ended(&mut self, at: Offset) {
        let call = self.tool_call();
        self.actions.push_back(Action::Session(SessionEvent::ToolEnded { call }));
        match &mut self.beside {
            Some(beside) => beside.tool_ended = true,
            None => self.tools_executed(),
        }
        self.go_on_after_tool(at);
    }

    /// Goes on when both the tool and what was said beside it are over, as livekit-agents do: with the answer, if
    /// the tool gave something to answer with.
    pub(super) fn go_on_after_tool(&mut self, at: Offset) {
        if self.speaking.is_some() {
            return;
        }
        let Some(beside) = self.beside.take_if(|beside| beside.tool_ended) else { return };
        self.tools_executed();
        let Beside { turn, then, delays, .. } = beside;
        let Some(line) = then else { return self.enter(AgentState::Listening) };
        self.enter(AgentState::Thinking);
        if self.script.fault(FaultKind::NoReply, turn).is_some() {
            return self.due.push((at.plus(delays.ttft), Due::NoAnswer { error: None }));
        }
        let metrics = ReportedMetrics {
            llm_node_ttft_ms: Some(ms(delays.ttft)),
            llm_node_ttfs_ms: Some(ms(delays.ttfs)),
            tts_node_ttfb_ms: Some(ms(delays.ttfb)),
            ..ReportedMetrics::default()
        };
        self.say(turn, line, at.plus(delays.ttfs).plus(delays.ttfb), None, metrics);
    }

    fn tools_executed(&mut self) {
        let gave = self.script.script().tool.as_ref().map(|tool| tool.gives);
        let tools = vec![ToolResult { name: self.tool_name(), is_error: false, gave }];
        self.actions.push_back(Action::Session(SessionEvent::ToolsExecuted { tools }));
    }

    fn tool_name(&self) -> String {
        self.script.script().tool.as_ref().map(|tool| tool.name.clone()).unwrap_or_default()
    }

    fn tool_call(&self) -> String {
        format!("call_{}", self.turn)
    }
}
