//! What follows when the caller has spoken: transcript, end of turn, and the answer or its failure.

use super::speaking::Speaking;
use super::tool::Beside;
use super::{Action, AgentState, Caller, Conversation, Due, ms};
use crate::agent::script::{Delays, FaultKind};
use crate::record::{ReportedMetrics, SessionEvent, Speaker};
use crate::time::Offset;
use std::time::Duration;

/// A retry of the model takes this long, as that of livekit-agents.
const RETRY: Duration = Duration::from_millis(100);

impl Conversation {
    pub(super) fn transcribed(&mut self, at: Offset) {
        if self.script.fault(FaultKind::SttSilent, self.turn).is_some() {
            self.fault(at, "stt_silent");
        } else if self.script.fault(FaultKind::SttError, self.turn).is_some() {
            self.error(at, "stt_error", "recoverable=False");
        } else {
            let text = self.script.heard(self.turn);
            self.actions.push_back(Action::Transcript { speaker: Speaker::Caller, text });
        }
    }

    pub(super) fn turn_ended(&mut self, at: Offset, spoke_until: Offset) {
        // The agent is about to yield: the turn is committed when it has.
        if let Some(silent_at) = self.speaking.as_ref().and_then(Speaking::silent_at) {
            return self.due.push((silent_at.max(at), Due::TurnEnded { spoke_until }));
        }
        self.caller = Caller::Silent;
        let turn = self.turn;
        for kind in [FaultKind::Crash, FaultKind::Disconnect] {
            if self.script.fault(kind, turn).is_some() {
                return self.leave(at, kind);
            }
        }
        let strikes = |kind| self.script.fault(kind, turn).is_some();
        if strikes(FaultKind::SttSilent) || strikes(FaultKind::SttError) {
            return;
        }
        let delays = self.script.delays(turn);
        let metrics = ReportedMetrics {
            transcription_delay_ms: Some(ms(delays.transcription)),
            end_of_turn_delay_ms: Some(ms(delays.turn_ends())),
            on_user_turn_completed_delay_ms: Some(ms(delays.hook)),
            ..ReportedMetrics::default()
        };
        let (id, text) = (format!("item_user_{turn}"), self.script.heard(turn));
        self.actions.push_back(Action::Session(SessionEvent::UserMessage { id, text, metrics }));
        self.enter(AgentState::Thinking);
        self.answer(at, spoke_until, delays);
    }

    /// Puts the answer to the turn that has just ended, or its failure, on its way.
    fn answer(&mut self, at: Offset, spoke_until: Offset, mut delays: Delays) {
        let turn = self.turn;
        let strikes = |kind| self.script.fault(kind, turn).is_some();
        let asked = at.plus(delays.hook);
        // With something said beside the tool it is the answer after that which does not come.
        let beside = self.script.tool(turn).is_some_and(|(t, filler)| !t.gives || filler.is_some());
        let no_answer = if strikes(FaultKind::LlmHang) {
            return self.fault(at, "llm_hang");
        } else if strikes(FaultKind::LlmError) {
            Some((asked.plus(delays.ttft), Some("llm_error")))
        } else if strikes(FaultKind::NoReply) && !beside {
            Some((asked.plus(delays.ttft), None))
        } else if strikes(FaultKind::TtsError) {
            Some((asked.plus(delays.ttfs).plus(delays.ttfb), Some("tts_error")))
        } else {
            None
        };
        if let Some((at, error)) = no_answer {
            return self.due.push((at, Due::NoAnswer { error }));
        }
        if strikes(FaultKind::LlmErrorRetry) {
            self.error(at, "llm_error", "recoverable=True");
            delays.ttft += RETRY;
            delays.ttfs += RETRY;
        }
        let Some(mut line) = self.script.line(turn) else { return };
        let mut wanted = asked.plus(delays.ttfs).plus(delays.ttfb);
        if self.script.script().preemptive_generation {
            let sentence = spoke_until.plus(delays.transcription).plus(delays.ttfs);
            wanted = asked.max(sentence).plus(delays.ttfb);
        }
        if let Some((tool, filler)) = self.script.tool(turn) {
            let started = asked.plus(delays.ttft);
            let took = Duration::from_secs_f64(tool.ms.clamp(0.0, 600_000.0) / 1_000.0);
            let (ended, gives) = (started.plus(took), tool.gives);
            self.due.push((started, Due::ToolStarted));
            self.due.push((ended, Due::ToolEnded));
            if beside {
                let first = filler.unwrap_or_else(|| line.clone());
                let then = gives.then(|| std::mem::replace(&mut line, first.clone()));
                line = first;
                self.beside = Some(Beside { turn, then, delays, tool_ended: false });
            } else {
                wanted = ended.plus(delays.ttfs).plus(delays.ttfb);
            }
        }
        let metrics = ReportedMetrics {
            llm_node_ttft_ms: Some(ms(delays.ttft)),
            llm_node_ttfs_ms: Some(ms(delays.ttfs)),
            tts_node_ttfb_ms: Some(ms(delays.ttfb)),
            ..ReportedMetrics::default()
        };
        self.say(turn, line, wanted, Some(spoke_until), metrics);
    }
}
