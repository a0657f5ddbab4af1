//! The reports of Pipecat: RTVI messages, JSON data packets labelled `rtvi-ai`. They have no times but
//! durations, so our receipt is the clock.
//!
//! | message | becomes |
//! |---|---|
//! | `user-started-speaking`, `user-stopped-speaking` | the caller's state; the second commits the turn |
//! | `user-input` or `user-transcription`, final | the text of the committed turn |
//! | `bot-llm-started`, `bot-tts-started`, `bot-started-speaking` … | the agent's state, of which RTVI has no word |
//! | `bot-stopped-speaking` | the reply with its text, interrupted after `bot-interrupted` |
//! | `metrics` | stages of the reply (below) and usage |
//! | `llm-function-call-in-progress`, `-stopped` | a tool, nameless unless `function_call_report_level` says more |
//!
//! Of the first-byte times of a reply the LLM's is `llm_node_ttft` (of the last run before it is spoken,
//! as with tools in LiveKit), the TTS's first one `tts_node_ttfb`, and the STT's `transcription_delay`.

use super::kept::{LIST_LIMIT, Sums, cut, told};
use super::reply::Reply;
use crate::record::{SessionEvent, Stamped};
use crate::time::Offset;
use serde::Deserialize;
use serde_json::Value;

const LABEL: &str = "rtvi-ai";
const LISTENING: &str = "listening";

/// Whether a data packet may be one of RTVI; cheap, as rooms carry other packets too.
pub fn is_rtvi(packet: &[u8]) -> bool {
    packet.windows(LABEL.len()).any(|part| part == LABEL.as_bytes())
}

#[derive(Deserialize)]
struct Packet {
    label: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Value,
}

/// The reports of one agent.
#[derive(Debug)]
pub struct Rtvi {
    state: &'static str,
    user_state: &'static str,
    thinking: Thinking,
    turn: Turn,
    /// The reply that is being made, and the one that is being spoken.
    upcoming: Option<Reply>,
    speaking: Option<Reply>,
    messages: u32,
    usage: Sums,
    /// Class and model of the LLM, of which the counts of tokens say nothing.
    llm: (String, String),
}

/// Why an agent that does not speak is not idle.
#[derive(Debug, Default)]
struct Thinking {
    llm_runs: bool,
    tts_runs: bool,
    /// Something was asked of LLM or TTS and has not been spoken yet.
    owed: bool,
    /// Ids of the calls of tools that run.
    tools: Vec<String>,
}

/// The caller's turn as far as the agent has understood it.
#[derive(Debug, Default)]
struct Turn {
    texts: Vec<String>,
    transcription_delay_ms: Option<f64>,
    /// It goes on.
    open: bool,
    /// When it was committed, while its text is missing.
    committed: Option<Offset>,
    /// `user-input` tells the transcripts, so `user-transcription` only repeats them.
    has_input: bool,
}

impl Default for Rtvi {
    fn default() -> Self {
        Self {
            state: LISTENING,
            user_state: LISTENING,
            thinking: Thinking::default(),
            turn: Turn::default(),
            upcoming: None,
            speaking: None,
            messages: 0,
            usage: Sums::default(),
            llm: Default::default(),
        }
    }
}

impl Rtvi {
    /// What is kept of a message that was received then; `None` when it is none of RTVI.
    pub fn decode(&mut self, bytes: &[u8], at: Offset) -> Option<Vec<Stamped>> {
        let packet: Packet = serde_json::from_slice(bytes).ok()?;
        if packet.label != LABEL {
            return None;
        }
        let mut said = Vec::new();
        self.take(&packet.kind, &packet.data, at, &mut said);
        let state = self.agent_state();
        if state != self.state {
            let old = std::mem::replace(&mut self.state, state);
            said.push(told(at, SessionEvent::AgentState { old: old.into(), new: state.into() }));
        }
        Some(said)
    }

    fn take(&mut self, kind: &str, data: &Value, at: Offset, said: &mut Vec<Stamped>) {
        match kind {
            "user-started-speaking" => {
                self.turn.open = true;
                self.turn.committed = None;
                self.user_is("speaking", at, said);
            }
            "user-stopped-speaking" => {
                self.turn.open = false;
                self.turn.committed = Some(at);
                self.user_is(LISTENING, at, said);
                self.commit_if_understood(said);
            }
            "user-input" if text(data, "input_type") == "transcription" => {
                self.turn.has_input = true;
                self.understand(data, at, said);
            }
            "user-transcription" if !self.turn.has_input => self.understand(data, at, said),
            "bot-llm-started" => {
                (self.thinking.llm_runs, self.thinking.owed) = (true, true);
                self.upcoming = Some(Reply::default());
            }
            "bot-llm-stopped" => self.thinking.llm_runs = false,
            "bot-llm-text" => self.reply().generated(text(data, "text")),
            "bot-tts-started" => {
                self.thinking.tts_runs = true;
                // While it speaks, what follows is spoken without a pause.
                self.thinking.owed = self.speaking.is_none();
            }
            "bot-tts-stopped" => self.thinking.tts_runs = false,
            "bot-tts-text" => self.spoken_reply().spoke(text(data, "text")),
            "bot-output" => self.spoken_reply().spoke_segment(data),
            "bot-started-speaking" => {
                self.thinking.owed = false;
                if self.speaking.is_none() {
                    self.speaking = Some(self.upcoming.take().unwrap_or_default());
                }
            }
            "bot-interrupted" => {
                // Comes whenever the caller begins to speak, also while the agent is silent.
                self.upcoming = None;
                let tools = std::mem::take(&mut self.thinking.tools);
                self.thinking = Thinking { tools, ..Thinking::default() };
                self.speaking.iter_mut().for_each(|reply| reply.interrupted = true);
            }
            "bot-stopped-speaking" => {
                if let Some(reply) = self.speaking.take() {
                    self.commit(said);
                    let id = self.next_id();
                    said.push(told(at, reply.message(id)));
                }
            }
            // What the LLM said is a call, which is about to begin.
            "llm-function-call-started" => self.thinking.owed = true,
            "llm-function-call-in-progress" => self.tool_began(data, at, said),
            "llm-function-call-stopped" => self.tool_ended(data, at, said),
            "metrics" => self.measured(data, at, said),
            "error" => {
                let message = cut(text(data, "error"));
                said.push(told(at, SessionEvent::Error { message }));
            }
            _ => {}
        }
    }

    fn agent_state(&self) -> &'static str {
        let Thinking { llm_runs, tts_runs, owed, tools } = &self.thinking;
        if self.speaking.is_some() {
            "speaking"
        } else if *llm_runs || *tts_runs || *owed || !tools.is_empty() {
            "thinking"
        } else {
            LISTENING
        }
    }

    fn user_is(&mut self, new: &'static str, at: Offset, said: &mut Vec<Stamped>) {
        let old = std::mem::replace(&mut self.user_state, new);
        if old != new {
            said.push(told(at, SessionEvent::UserState { old: old.into(), new: new.into() }));
        }
    }

    fn understand(&mut self, data: &Value, at: Offset, said: &mut Vec<Stamped>) {
        let words = text(data, "text").trim();
        if data.get("final").and_then(Value::as_bool) != Some(true) || words.is_empty() {
            return;
        }
        if self.turn.texts.len() < LIST_LIMIT {
            self.turn.texts.push(cut(words));
        }
        if !self.turn.open && self.turn.committed.is_none() {
            // A piece of a turn that was committed without it.
            self.turn.committed = Some(at);
        }
        self.commit_if_understood(said);
    }

    fn commit_if_understood(&mut self, said: &mut Vec<Stamped>) {
        if !self.turn.texts.is_empty() {
            self.commit(said);
        }
    }

    /// Tells the turn that was committed and is not told yet, with its text if that is known. Its moment is
    /// that of the commit.
    fn commit(&mut self, said: &mut Vec<Stamped>) {
        let Some(at) = self.turn.committed.take() else { return };
        let texts = std::mem::take(&mut self.turn.texts);
        let metrics = crate::record::ReportedMetrics {
            transcription_delay_ms: self.turn.transcription_delay_ms.take(),
            ..Default::default()
        };
        let (id, text) = (self.next_id(), cut(&texts.join(" ")));
        said.push(told(at, SessionEvent::UserMessage { id, text, metrics }));
    }

    fn tool_began(&mut self, data: &Value, at: Offset, said: &mut Vec<Stamped>) {
        let call = cut(text(data, "tool_call_id"));
        let tools = &mut self.thinking.tools;
        if tools.len() < LIST_LIMIT && !tools.contains(&call) {
            tools.push(call.clone());
            self.thinking.owed = false;
            let name = cut(text(data, "function_name"));
            said.push(told(at, SessionEvent::ToolStarted { call, name }));
        }
    }

    fn tool_ended(&mut self, data: &Value, at: Offset, said: &mut Vec<Stamped>) {
        let call = cut(text(data, "tool_call_id"));
        let tools = &mut self.thinking.tools;
        if let Some(place) = tools.iter().position(|known| *known == call) {
            tools.remove(place);
            // With its result the LLM is asked again, a few milliseconds later.
            self.thinking.owed = data.get("cancelled").and_then(Value::as_bool) != Some(true);
            said.push(told(at, SessionEvent::ToolEnded { call }));
        }
    }

    fn measured(&mut self, data: &Value, at: Offset, said: &mut Vec<Stamped>) {
        for entry in list(data, "ttfb") {
            let (service, model) = service(entry);
            // The first message of a session says zero for every service.
            let Some(ms) = seconds(entry.get("value")).map(|s| s * 1_000.0) else { continue };
            if service.contains("STT") {
                if self.turn.open || self.turn.committed.is_some() {
                    self.turn.transcription_delay_ms = Some(ms);
                } else {
                    self.reply().metrics.transcription_delay_ms = Some(ms);
                }
            } else if service.contains("LLM") {
                self.llm = (cut(service), cut(model));
                self.reply().metrics.llm_node_ttft_ms.get_or_insert(ms);
            } else if service.contains("TTS") {
                self.reply().metrics.tts_node_ttfb_ms.get_or_insert(ms);
            }
        }
        if self.used(data) {
            said.push(told(at, self.usage.event()));
        }
    }

    /// Adds up what a message says was used; false when it says nothing of that.
    fn used(&mut self, data: &Value) -> bool {
        let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_f64);
        let mut any = false;
        for entry in list(data, "tokens") {
            let output = number(entry, "completion_tokens").unwrap_or(0.0);
            // The total holds cached tokens with every provider, `prompt_tokens` only with some.
            let input = number(entry, "total_tokens").map(|total| total - output);
            let input = input.or(number(entry, "prompt_tokens")).unwrap_or(0.0);
            let cached = number(entry, "cache_read_input_tokens").unwrap_or(0.0);
            let counts = [
                ("input_tokens", input),
                ("input_cached_tokens", cached),
                ("output_tokens", output),
            ];
            self.usage.add("llm", &self.llm.0, &self.llm.1, &counts);
            any = true;
        }
        for entry in list(data, "characters") {
            let (service, model) = service(entry);
            let counts = [("characters_count", number(entry, "value").unwrap_or(0.0))];
            self.usage.add("tts", service, model, &counts);
            any = true;
        }
        for entry in list(data, "stt_usage") {
            let (service, model) = service(entry);
            let audio = entry.get("value").and_then(|value| number(value, "audio_seconds"));
            let counts = [("audio_duration", audio.unwrap_or(0.0))];
            self.usage.add("stt", service, model, &counts);
            any = true;
        }
        any
    }

    /// The reply that something is about which is made before it is spoken.
    fn reply(&mut self) -> &mut Reply {
        let of_spoken = self.upcoming.is_none() && self.speaking.is_some();
        let place = if of_spoken { &mut self.speaking } else { &mut self.upcoming };
        place.get_or_insert_default()
    }

    /// The reply that something is about which is told when it is spoken.
    fn spoken_reply(&mut self) -> &mut Reply {
        let is_spoken = self.speaking.is_some();
        let place = if is_spoken { &mut self.speaking } else { &mut self.upcoming };
        place.get_or_insert_default()
    }

    /// RTVI has no ids of messages.
    fn next_id(&mut self) -> String {
        self.messages = self.messages.saturating_add(1);
        format!("rtvi-{}", self.messages)
    }
}

fn text<'a>(data: &'a Value, name: &str) -> &'a str {
    data.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(data: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    data.get(name).and_then(Value::as_array).into_iter().flatten().take(LIST_LIMIT)
}

/// Class and model that an entry of the metrics is about: `OpenAILLMService#0` is a service of that class.
fn service(entry: &Value) -> (&str, &str) {
    let processor = text(entry, "processor");
    (processor.split_once('#').map_or(processor, |(class, _)| class), text(entry, "model"))
}

/// A duration that was measured.
fn seconds(value: Option<&Value>) -> Option<f64> {
    value.and_then(Value::as_f64).filter(|s| s.is_finite() && *s > 0.0)
}
