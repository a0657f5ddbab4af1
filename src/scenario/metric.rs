//! The metrics: what each is called and what it is, in one table from which reports and docs are made.

use serde::{Deserialize, Serialize};

/// The metrics a scenario can name and a report contains. The names are LiveKit's where it has one;
/// [`Metric::definition`] says what each is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Metric {
    HeardE2eLatency,
    AnswerLatency,
    HeardTtfa,
    GreetingLatency,
    ConnectDelay,
    AgentJoinDelay,
    AgentReadyDelay,
    TimeToYield,
    TranscriptionDelay,
    EndOfTurnDelay,
    OnUserTurnCompletedDelay,
    LlmNodeTtft,
    LlmNodeTtfs,
    TtsNodeTtfb,
    E2eLatency,
    TurnDecided,
    AnswerPrepared,
    ToolDelay,
    Unattributed,
    CallsOk,
    UnansweredTurns,
    AwkwardSilenceCount,
    EotMispredictionCount,
    FillerCount,
    FillerGap,
    FalseInterruptionCount,
    OverlapRatio,
}

/// What the values of a metric are, and with it what a threshold can ask of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Milliseconds: `p(95)<2500ms`, `med`, `max`.
    Time,
    /// A fraction of 1 for every call: `p(95)<0.1`, `med`, `max`.
    Ratio,
    /// Yes or no for every call: `rate>0.99`.
    Share,
    /// Yes or no for every turn in which it could be: `count<3` or `rate<0.05`.
    Event,
}

/// Whose observation a metric is. Values of different sources are never pooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Our ears, on our clock.
    Heard,
    /// What became known in the room, on our clock.
    Room,
    /// The agent's own claim.
    Reported,
    /// Heard minus reported, of the same turn.
    Both,
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    pub kind: Kind,
    pub source: Source,
    /// For a time from where to where; for anything else what is counted, and of what.
    pub text: &'static str,
}

impl From<Metric> for &'static str {
    fn from(metric: Metric) -> Self {
        metric.name()
    }
}

impl TryFrom<String> for Metric {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::named(&name).ok_or_else(|| "unknown metric".to_owned())
    }
}

impl Metric {
    /// Every metric, in the order reports list them.
    pub const ALL: [Self; 27] = [
        Self::HeardE2eLatency,
        Self::AnswerLatency,
        Self::FillerGap,
        Self::HeardTtfa,
        Self::GreetingLatency,
        Self::TimeToYield,
        Self::ConnectDelay,
        Self::AgentJoinDelay,
        Self::AgentReadyDelay,
        Self::EndOfTurnDelay,
        Self::TranscriptionDelay,
        Self::OnUserTurnCompletedDelay,
        Self::LlmNodeTtft,
        Self::LlmNodeTtfs,
        Self::TtsNodeTtfb,
        Self::E2eLatency,
        Self::TurnDecided,
        Self::AnswerPrepared,
        Self::ToolDelay,
        Self::Unattributed,
        Self::CallsOk,
        Self::UnansweredTurns,
        Self::AwkwardSilenceCount,
        Self::EotMispredictionCount,
        Self::FillerCount,
        Self::FalseInterruptionCount,
        Self::OverlapRatio,
    ];

    /// The name in scenarios and in `report.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HeardE2eLatency => "heard_e2e_latency",
            Self::AnswerLatency => "answer_latency",
            Self::HeardTtfa => "heard_ttfa",
            Self::GreetingLatency => "greeting_latency",
            Self::ConnectDelay => "connect_delay",
            Self::AgentJoinDelay => "agent_join_delay",
            Self::AgentReadyDelay => "agent_ready_delay",
            Self::TimeToYield => "time_to_yield",
            Self::TranscriptionDelay => "transcription_delay",
            Self::EndOfTurnDelay => "end_of_turn_delay",
            Self::OnUserTurnCompletedDelay => "on_user_turn_completed_delay",
            Self::LlmNodeTtft => "llm_node_ttft",
            Self::LlmNodeTtfs => "llm_node_ttfs",
            Self::TtsNodeTtfb => "tts_node_ttfb",
            Self::E2eLatency => "e2e_latency",
            Self::TurnDecided => "turn_decided",
            Self::AnswerPrepared => "answer_prepared",
            Self::ToolDelay => "tool_delay",
            Self::Unattributed => "unattributed",
            Self::CallsOk => "calls_ok",
            Self::UnansweredTurns => "unanswered_turns",
            Self::AwkwardSilenceCount => "awkward_silence_count",
            Self::EotMispredictionCount => "eot_misprediction_count",
            Self::FillerCount => "filler_count",
            Self::FillerGap => "filler_gap",
            Self::FalseInterruptionCount => "false_interruption_count",
            Self::OverlapRatio => "overlap_ratio",
        }
    }

    /// The metric of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }

    /// What its values are.
    pub const fn kind(self) -> Kind {
        self.definition().kind
    }

    /// Whether its values are milliseconds.
    pub const fn is_time(self) -> bool {
        matches!(self.kind(), Kind::Time)
    }

    /// What it is. Windows are named as `definitions.windows` of `report.json` names them.
    #[expect(clippy::too_many_lines, reason = "one table")]
    pub const fn definition(self) -> Definition {
        use Kind::{Event, Ratio, Share, Time};
        use Source::{Both, Heard, Reported, Room};
        let (kind, source, text) = match self {
            Self::HeardE2eLatency => (
                Time,
                Heard,
                "the caller's last voiced sample → the first audible sample of the reply; negative \
                 when the agent began before the caller had ended, by eot_early_ms at most; a turn without a \
                 reply counts as at least the waiting time",
            ),
            Self::AnswerLatency => (
                Time,
                Heard,
                "the caller's last voiced sample → the first audible sample of the last thing said in reply, \
                 after the last tool; equal to heard_e2e_latency where nothing bridged the wait; an answer that \
                 had not come when the caller went on counts as at least the waiting time",
            ),
            Self::HeardTtfa => (
                Time,
                Heard,
                "the caller's last voiced sample → the arrival of the reply's first packet that is \
                 not silent (-60 dBFS, and 10 dB above the background noise); the time between it \
                 and heard_e2e_latency is a soft lead-in of the reply",
            ),
            Self::GreetingLatency => {
                (Time, Heard, "the caller is in the room → the agent's first audible sample")
            }
            Self::TimeToYield => (
                Time,
                Heard,
                "the first voiced sample of a barge-in → the agent's last audible sample; speech \
                 ends with a silence of speech_gap_ms",
            ),
            Self::ConnectDelay => (Time, Room, "the call is due → the caller is in the room"),
            Self::AgentJoinDelay => (Time, Room, "the call is due → the agent is in the room"),
            Self::AgentReadyDelay => {
                (Time, Room, "the agent is in the room → its audio can be heard")
            }
            Self::EndOfTurnDelay => (
                Time,
                Reported,
                "end of the caller's speech as the agent dates it → the turn is committed; contains \
                 transcription_delay",
            ),
            Self::TranscriptionDelay => (
                Time,
                Reported,
                "end of the caller's speech as the agent dates it → the final transcript",
            ),
            Self::OnUserTurnCompletedDelay => {
                (Time, Reported, "how long the agent's hook on_user_turn_completed took")
            }
            Self::LlmNodeTtft => (
                Time,
                Reported,
                "the model is asked → its first token; with tools the last request",
            ),
            Self::LlmNodeTtfs => (
                Time,
                Reported,
                "the model is asked → the first sentence for speech synthesis; contains llm_node_ttft",
            ),
            Self::TtsNodeTtfb => (
                Time,
                Reported,
                "text goes to speech synthesis → its first audio; of an agent that reports no \
                 llm_node_ttfs it may contain the wait for the first sentence",
            ),
            Self::E2eLatency => (
                Time,
                Reported,
                "end of the caller's speech as the agent dates it → the agent begins to send the reply",
            ),
            Self::TurnDecided => (
                Time,
                Room,
                "the caller's last voiced sample → the agent's state becomes `thinking`, by our receipt",
            ),
            Self::AnswerPrepared => (
                Time,
                Room,
                "the agent's state becomes `thinking`, by our receipt → the first audible sample of \
                 the reply",
            ),
            Self::ToolDelay => (
                Time,
                Room,
                "the agent says that it runs tools → it says that they have ended, by our receipt; \
                 tools that run at the same time count once",
            ),
            Self::Unattributed => (
                Time,
                Both,
                "heard_e2e_latency minus e2e_latency of the same turn: network, codec, and how late \
                 the agent dates the end of the caller's speech",
            ),
            Self::CallsOk => (
                Share,
                Heard,
                "calls that were answered and met every expectation, of the calls that say something \
                 about the agent",
            ),
            Self::UnansweredTurns => {
                (Event, Heard, "turns without a reply, of the turns that awaited one")
            }
            Self::AwkwardSilenceCount => (
                Event,
                Heard,
                "turns in which the caller heard nothing for awkward_silence_ms after its last \
                 voiced sample (awkward_silence_with_tools_ms when the agent ran a tool), of the turns \
                 that awaited a reply",
            ),
            Self::EotMispredictionCount => (
                Event,
                Heard,
                "turns in which the agent began to speak more than eot_early_ms before the caller's last \
                 voiced sample, of the turns that awaited a reply; such a cut-in has no heard_e2e_latency",
            ),
            Self::FillerCount => (
                Event,
                Heard,
                "turns in which something bridged the wait for the answer, of the turns that were replied to",
            ),
            Self::FillerGap => {
                (Time, Heard, "the last audible sample of what bridged the wait → the answer")
            }
            Self::FalseInterruptionCount => (
                Event,
                Heard,
                "steps with `agent: ignores` at which the agent fell silent within \
                 ignores_stop_window_ms or began to speak within ignores_answer_window_ms after the \
                 caller's last voiced sample, of all that were decided",
            ),
            Self::OverlapRatio => (
                Ratio,
                Heard,
                "time in which both speak, as a part of the time in which anybody speaks, for every \
                 call",
            ),
        };
        Definition { kind, source, text }
    }
}

impl Kind {
    /// The unit in `report.json`.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Time => "ms",
            Self::Ratio => "fraction",
            Self::Share => "ratio",
            Self::Event => "turns",
        }
    }
}

impl Source {
    /// The name in `report.json` and in docs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heard => "heard",
            Self::Room => "room",
            Self::Reported => "reported",
            Self::Both => "heard minus reported",
        }
    }
}
