//! The reports of livekit-agents 1.4: a text stream of `lk.agent.events` for each event, JSON, addressed to
//! the participant that the agent is linked to. Times are in seconds.
//!
//! The items of the conversation carry the stages of their turn; of the metrics of single requests only
//! what they used is kept, so nothing counts twice. (A request's own `ttfb` begins at the provider, the
//! item's `tts_node_ttfb` at the first text, so one cannot stand in for the other.)

use super::kept::{LIST_LIMIT, Sums, TEXT_LIMIT, Tool, cut, executed, told};
use crate::record::{ReportedMetrics, SessionEvent, Stamped};
use crate::time::Offset;
use serde::Deserialize;
use std::time::Duration;

/// A tool that is said to have run for longer has its time from nowhere.
const LONGEST_TOOL: Duration = Duration::from_secs(600);

/// The reports of one agent.
#[derive(Debug, Default)]
pub(super) struct Events {
    usage: Sums,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    AgentStateChanged {
        old_state: String,
        new_state: String,
    },
    UserStateChanged {
        old_state: String,
        new_state: String,
    },
    ConversationItemAdded {
        item: Item,
    },
    FunctionToolsExecuted(Tools),
    MetricsCollected {
        metrics: Metrics,
    },
    Error {
        message: String,
    },
    // `user_input_transcribed`: the same comes as an item, and by `lk.transcription`.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    id: String,
    role: String,
    /// Texts, and objects for pictures and sounds.
    #[serde(default)]
    content: Vec<serde_json::Value>,
    #[serde(default)]
    interrupted: bool,
    #[serde(default)]
    metrics: Report,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Report {
    started_speaking_at: Option<f64>,
    stopped_speaking_at: Option<f64>,
    transcription_delay: Option<f64>,
    end_of_turn_delay: Option<f64>,
    on_user_turn_completed_delay: Option<f64>,
    llm_node_ttft: Option<f64>,
    tts_node_ttfb: Option<f64>,
    e2e_latency: Option<f64>,
}

#[derive(Deserialize)]
struct Tools {
    #[serde(default)]
    function_calls: Vec<Call>,
    /// Nothing where a tool gave nothing back.
    #[serde(default)]
    function_call_outputs: Vec<Option<Output>>,
    /// When the message was made, as all its times in seconds by the agent's clock.
    created_at: Option<f64>,
}

#[derive(Deserialize)]
struct Call {
    #[serde(default, rename = "call_id")]
    id: String,
    #[serde(default)]
    name: String,
    created_at: Option<f64>,
}

#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    call_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    is_error: bool,
    #[serde(default, rename = "output")]
    given: serde_json::Value,
    created_at: Option<f64>,
}

/// What one request used.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Metrics {
    #[serde(rename = "llm_metrics")]
    Llm(Used),
    #[serde(rename = "realtime_model_metrics")]
    Realtime(Used),
    #[serde(rename = "tts_metrics")]
    Tts(Used),
    #[serde(rename = "stt_metrics")]
    Stt(Used),
    /// `eou_metrics`, which the items repeat, and `vad_metrics`, one a second.
    #[serde(other)]
    Other,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Used {
    label: String,
    metadata: Option<Model>,
    prompt_tokens: f64,
    prompt_cached_tokens: f64,
    completion_tokens: f64,
    input_tokens: f64,
    output_tokens: f64,
    input_token_details: Option<Details>,
    output_token_details: Option<Details>,
    characters_count: f64,
    audio_duration: f64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Model {
    model_name: Option<String>,
    model_provider: Option<String>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
struct Details {
    audio_tokens: f64,
    cached_tokens: f64,
}

impl Events {
    /// What is kept of an event that was received then; `None` when it is none.
    pub(super) fn decode(&mut self, bytes: &[u8], at: Offset) -> Option<Vec<Stamped>> {
        let event = match serde_json::from_slice(bytes).ok()? {
            Event::AgentStateChanged { old_state, new_state } => {
                SessionEvent::AgentState { old: cut(&old_state), new: cut(&new_state) }
            }
            Event::UserStateChanged { old_state, new_state } => {
                SessionEvent::UserState { old: cut(&old_state), new: cut(&new_state) }
            }
            Event::ConversationItemAdded { item } => {
                return Some(message(&item).map(|event| told(at, event)).into_iter().collect());
            }
            Event::FunctionToolsExecuted(tools) => return Some(ran(&tools, at)),
            Event::MetricsCollected { metrics } => {
                return Some(
                    self.used(&metrics).map(|event| told(at, event)).into_iter().collect(),
                );
            }
            Event::Error { message } => SessionEvent::Error { message: cut(&message) },
            Event::Other => return Some(Vec::new()),
        };
        Some(vec![told(at, event)])
    }

    fn used(&mut self, metrics: &Metrics) -> Option<SessionEvent> {
        match metrics {
            Metrics::Llm(used) => self.add(
                "llm",
                used,
                &[
                    ("input_tokens", used.prompt_tokens),
                    ("input_cached_tokens", used.prompt_cached_tokens),
                    ("output_tokens", used.completion_tokens),
                ],
            ),
            Metrics::Realtime(used) => {
                let input = used.input_token_details.unwrap_or_default();
                let output = used.output_token_details.unwrap_or_default();
                self.add(
                    "llm",
                    used,
                    &[
                        ("input_tokens", used.input_tokens),
                        ("input_cached_tokens", input.cached_tokens),
                        ("input_audio_tokens", input.audio_tokens),
                        ("output_tokens", used.output_tokens),
                        ("output_audio_tokens", output.audio_tokens),
                    ],
                );
            }
            Metrics::Tts(used) => self.add(
                "tts",
                used,
                &[
                    ("characters_count", used.characters_count),
                    ("audio_duration", used.audio_duration),
                ],
            ),
            Metrics::Stt(used) => {
                self.add("stt", used, &[("audio_duration", used.audio_duration)]);
            }
            Metrics::Other => return None,
        }
        Some(self.usage.event())
    }

    fn add(&mut self, kind: &str, used: &Used, counts: &[(&str, f64)]) {
        let model = used.metadata.as_ref();
        let provider = model.and_then(|m| m.model_provider.as_deref()).unwrap_or_default();
        let name = model.and_then(|m| m.model_name.as_deref()).unwrap_or(&used.label);
        self.usage.add(kind, provider, name, counts);
    }
}

fn message(item: &Item) -> Option<SessionEvent> {
    let texts = item.content.iter().filter_map(serde_json::Value::as_str);
    let text: String = texts.flat_map(str::chars).take(TEXT_LIMIT).collect();
    let (id, metrics) = (cut(&item.id), milliseconds(&item.metrics));
    match item.role.as_str() {
        "user" => Some(SessionEvent::UserMessage { id, text, metrics }),
        "assistant" => {
            let interrupted = item.interrupted;
            Some(SessionEvent::AgentMessage { id, text, interrupted, metrics })
        }
        // `system` and `developer` are not spoken.
        _ => None,
    }
}

fn milliseconds(report: &Report) -> ReportedMetrics {
    let ms = |seconds: Option<f64>| seconds.map(|s| s * 1_000.0);
    let speech = report.stopped_speaking_at.zip(report.started_speaking_at);
    ReportedMetrics {
        transcription_delay_ms: ms(report.transcription_delay),
        end_of_turn_delay_ms: ms(report.end_of_turn_delay),
        on_user_turn_completed_delay_ms: ms(report.on_user_turn_completed_delay),
        llm_node_ttft_ms: ms(report.llm_node_ttft),
        llm_node_ttfs_ms: None,
        tts_node_ttfb_ms: ms(report.tts_node_ttfb),
        e2e_latency_ms: ms(report.e2e_latency),
        speech_ms: ms(speech.map(|(until, from)| until - from)),
    }
}

/// The tools that ran, each with its beginning and end, which the agent tells only when all have ended: our
/// moment of receipt, less what passed by the agent's clock until it sent the message.
fn ran(tools: &Tools, at: Offset) -> Vec<Stamped> {
    let outputs = || tools.function_call_outputs.iter().flatten();
    let back = |when: Option<f64>| -> Option<Offset> {
        let passed = Duration::try_from_secs_f64(tools.created_at? - when?).ok()?;
        (passed <= LONGEST_TOOL).then(|| at.minus(passed))
    };
    let mut told_of = Vec::new();
    for call in tools.function_calls.iter().take(LIST_LIMIT) {
        let output = outputs().find(|output| output.call_id == call.id);
        let until = output.map_or(Some(at), |output| back(output.created_at));
        if let (Some(from), Some(until)) = (back(call.created_at), until)
            && from <= until
        {
            let (id, name) = (cut(&call.id), cut(&call.name));
            told_of.push(told(from, SessionEvent::ToolStarted { call: id.clone(), name }));
            told_of.push(told(until, SessionEvent::ToolEnded { call: id }));
        }
    }
    let calls = (0..).zip(&tools.function_calls).map(|(place, c): (usize, _)| {
        // Each call has its output in the same place, nothing where the tool gave nothing back.
        let nothing = matches!(tools.function_call_outputs.get(place), Some(None));
        Tool { call: &c.id, name: &c.name, is_error: false, gave: nothing.then_some(false) }
    });
    let outputs = outputs().map(|o| Tool {
        call: &o.call_id,
        name: &o.name,
        is_error: o.is_error,
        gave: (!o.given.is_null()).then(|| o.given.as_str() != Some("")),
    });
    told_of.push(told(at, SessionEvent::ToolsExecuted { tools: executed(calls, outputs) }));
    told_of
}
