//! What an agent reports of itself, from whatever dialect it was read.

use serde::{Deserialize, Serialize};

/// How much of a text is kept of what an agent reports, in characters.
pub const LONGEST_TEXT: usize = 2_000;

/// The way in which an agent reports of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// `lk.agent.session`, protobuf: livekit-agents from 1.5 on, in Python and Node.
    Session,
    /// `lk.agent.events`, JSON: livekit-agents 1.4.
    Events,
    /// RTVI in data packets: Pipecat.
    Rtvi,
}

impl Dialect {
    /// As people know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "lk.agent.session",
            Self::Events => "lk.agent.events",
            Self::Rtvi => "RTVI",
        }
    }
}

/// What of an agent's reports is kept, the same for every [`Dialect`]. Times within are the agent's own
/// durations, never moments on our clock. An event is stamped with its receipt; what is told afterwards
/// and with a duration (the tools of livekit-agents 1.4) is dated back from there by that duration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEvent {
    /// How the agent reports; before everything else that it reports. Absent in old recordings, which
    /// know [`Dialect::Session`] alone.
    Dialect(Dialect),
    AgentState {
        old: String,
        new: String,
    },
    UserState {
        old: String,
        new: String,
    },
    /// The caller's turn as the agent committed it.
    UserMessage {
        id: String,
        text: String,
        metrics: ReportedMetrics,
    },
    /// A reply, sent when its playout is over or was cut off.
    AgentMessage {
        id: String,
        text: String,
        interrupted: bool,
        metrics: ReportedMetrics,
    },
    ToolsStarted {
        names: Vec<String>,
    },
    ToolsExecuted {
        tools: Vec<ToolResult>,
    },
    /// One tool began or ended; the same `call` names the same execution. The name is empty when the
    /// agent does not tell it (RTVI, by default).
    ToolStarted {
        call: String,
        name: String,
    },
    ToolEnded {
        call: String,
    },
    /// Another agent of the same session speaks from now on; the first message of most sessions.
    Handoff,
    Error {
        message: String,
    },
    FalseInterruption {
        resumed: bool,
    },
    EndOfTurnPrediction {
        probability: f64,
        threshold: f64,
    },
    /// Cumulative; only the last of a call is kept.
    Usage {
        models: Vec<ModelUsage>,
    },
    /// Who the agent says it is, or what its dialect reveals of that.
    Framework {
        sdk: String,
        /// Empty when unknown.
        sdk_version: String,
    },
    /// The agent's endpointing and interruption options, as it reports them.
    Options {
        options: Vec<(String, String)>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    pub name: String,
    pub is_error: bool,
    /// Whether it gave the model something, after which agents ask the model for more to say. `None` where
    /// the agent does not tell, and in recordings of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gave: Option<bool>,
}

/// What a model of the agent has used up since its session began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelUsage {
    /// `llm`, `tts`, `stt` …
    pub kind: String,
    pub provider: String,
    pub model: String,
    /// Counter name → amount, with the names of LiveKit's `ModelUsage` messages (`input_tokens`,
    /// `characters_count`, `audio_duration` in seconds …).
    pub counts: Vec<(String, f64)>,
}

/// `livekit.agent.MetricsReport` in milliseconds. A value the agent did not send is absent.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ReportedMetrics {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcription_delay_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_of_turn_delay_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_user_turn_completed_delay_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_node_ttft_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_node_ttfs_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tts_node_ttfb_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e2e_latency_ms: Option<f64>,
    /// From the beginning to the end of the message's speech, by the agent's clock; negative when the
    /// agent contradicts itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speech_ms: Option<f64>,
}
