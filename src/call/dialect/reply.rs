//! One reply of a Pipecat agent, put together from RTVI messages.

use super::kept::{LIST_LIMIT, TEXT_LIMIT, cut};
use crate::record::{ReportedMetrics, SessionEvent};
use serde_json::Value;

/// A reply as far as it is known. Which texts are sent depends on Pipecat's version and settings.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) metrics: ReportedMetrics,
    pub(super) interrupted: bool,
    /// `bot-output`: sentences with their ids, from the moment each begins to be spoken.
    segments: Vec<(i64, String)>,
    /// `bot-tts-text`: words or sentences, when they have been spoken.
    spoken: String,
    /// `bot-llm-text`: the LLM's tokens, whether they are spoken or not.
    generated: String,
}

impl Reply {
    pub(super) fn generated(&mut self, token: &str) {
        append(&mut self.generated, token);
    }

    pub(super) fn spoke(&mut self, words: &str) {
        append(&mut self.spoken, words.trim());
        append(&mut self.spoken, " ");
    }

    /// Takes a `bot-output`: a sentence that begins, with how much of it has been spoken where the TTS
    /// tells that, and at last the whole of it. Without an id (RTVI before 2.0) it comes as text and as
    /// words, of which `bot-tts-text` is the same.
    pub(super) fn spoke_segment(&mut self, data: &Value) {
        let of = |name: &str| data.get(name).and_then(Value::as_str);
        let (Some(id), Some(text)) = (data.get("segment_id").and_then(Value::as_i64), of("text"))
        else {
            return;
        };
        if data.get("will_be_spoken").and_then(Value::as_bool) == Some(false) {
            return;
        }
        let so_far = data.get("spoken_progress").and_then(|p| p.get("accumulated_text"));
        let text = match (of("spoken_status"), so_far.and_then(Value::as_str)) {
            (Some("in-progress"), Some(so_far)) => so_far,
            // How far a sentence came that is broken off is not known then.
            _ => text,
        };
        if let Some((_, known)) = self.segments.iter_mut().find(|(known, _)| *known == id) {
            *known = cut(text);
        } else if self.segments.len() < LIST_LIMIT {
            self.segments.push((id, cut(text)));
        }
    }

    /// The reply as it is told when its playout is over.
    pub(super) fn message(self, id: String) -> SessionEvent {
        let segments: Vec<&str> = self.segments.iter().map(|(_, text)| text.trim()).collect();
        let texts = [segments.join(" "), self.spoken, self.generated];
        let text = texts.iter().map(|text| text.trim()).find(|text| !text.is_empty());
        let (interrupted, metrics) = (self.interrupted, self.metrics);
        SessionEvent::AgentMessage { id, text: cut(text.unwrap_or_default()), interrupted, metrics }
    }
}

/// Appends as much as there is room for.
fn append(text: &mut String, more: &str) {
    let room = TEXT_LIMIT.saturating_sub(text.len());
    text.extend(more.chars().take(room));
}
