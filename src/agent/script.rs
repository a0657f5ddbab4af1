//! What the agent does in its calls: the dispatch metadata (or a file), checked, and the delays drawn
//! from it. Pure: the same text, call and turn always give the same delays.
//!
//! The words are those of the demo agent (`demo/README.md`) where both can do a thing; what is said
//! here in addition is how a delay is distributed, what a reply sounds like, and how the agent takes
//! an interruption.

mod call;
mod check;

pub use call::{CallScript, Delays, Line};

use crate::agent::voice::Sound;
use crate::random::SplitMix64;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Before this the end of the caller's speech is not known: the ear needs 200 ms of silence, and the
/// rest is for the packets to come and the reply to be put on its way.
pub const EARLIEST: Duration = Duration::from_millis(270);
/// Before this an interruption cannot be acted upon: that it is a voice is known after 40 ms.
pub const EARLIEST_YIELD: Duration = Duration::from_millis(120);
/// The longest delay and the longest reply.
const LONGEST_MS: f64 = 600_000.0;
/// A reply is synthesised, encoded and kept in memory.
const LONGEST_REPLY_MS: u32 = 60_000;
const SHORTEST_REPLY_MS: u32 = 20;
/// Half of a normal distribution lies below its mean, and 95 % below this many deviations above it.
const P95: f64 = 1.644_853_6;

/// Why a text is no script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error("the agent's script is not valid: {0}")]
    Json(#[from] serde_json::Error),
    #[error("`{key}` {what}")]
    Value { key: String, what: String },
}

/// The whole metadata. What is left out keeps its default; `{}` and an empty text are complete.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    pub seed: u64,
    /// What the agent says first; `null`: it waits for the caller.
    pub greeting: Option<Greeting>,
    pub stages: Stages,
    /// Uniform within ± this many milliseconds, by stage.
    pub jitter_ms: BTreeMap<Stage, f64>,
    /// What is different in single turns, by their number; 1 is the caller's first.
    pub turns: BTreeMap<u32, TurnScript>,
    /// What it says, turn by turn, from the start again at the end.
    pub replies: Vec<String>,
    /// What it understands, likewise. Empty: "user turn N".
    pub hears: Vec<String>,
    /// Length of every spoken reply; by default it depends on the text.
    pub reply_audio_ms: Option<u32>,
    /// What its voice sounds like.
    pub sound: Sound,
    pub barge_in: BargeIn,
    pub tool: Option<Tool>,
    pub faults: Vec<Fault>,
    /// The model begins as soon as there is a transcript, before the turn has ended.
    pub preemptive_generation: bool,
    /// Whether `lk.agent.session` is spoken at all.
    pub session_host: bool,
    /// RPC methods that the caller can call; the answer is empty.
    pub rpc: Vec<String>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            seed: 0,
            greeting: Some(Greeting::default()),
            stages: Stages::default(),
            jitter_ms: BTreeMap::new(),
            turns: BTreeMap::new(),
            replies: [
                "We are open from nine to six on weekdays.",
                "Certainly, I have noted that down for you.",
                "One moment please, the answer takes a little longer. It has several parts, and \
                 each of them matters. You can interrupt me at any time.",
            ]
            .map(String::from)
            .into(),
            hears: Vec::new(),
            reply_audio_ms: None,
            sound: Sound::Speech,
            barge_in: BargeIn::default(),
            tool: None,
            faults: Vec::new(),
            preemptive_generation: false,
            session_host: true,
            rpc: Vec::new(),
        }
    }
}

/// What the agent says first.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Greeting {
    pub text: String,
    pub tts_ttfb_ms: Option<Delay>,
    pub audio_ms: Option<u32>,
    pub sound: Option<Sound>,
}

impl Default for Greeting {
    fn default() -> Self {
        let text = "Hello, this is the scripted agent. How can I help you?".into();
        Self { text, tts_ttfb_ms: None, audio_ms: None, sound: None }
    }
}

/// The delay of each stage of a reply, in milliseconds, by the name livekit-agents reports it by.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stages {
    /// From the end of the caller's speech; the later of these two ends the turn.
    pub transcription_delay_ms: Delay,
    pub end_of_turn_delay_ms: Delay,
    pub on_user_turn_completed_delay_ms: Delay,
    pub llm_ttft_ms: Delay,
    /// Words a second.
    pub llm_tps: f64,
    pub tts_ttfb_ms: Delay,
}

impl Default for Stages {
    fn default() -> Self {
        Self {
            transcription_delay_ms: Delay::Fixed(300.0),
            end_of_turn_delay_ms: Delay::Fixed(400.0),
            on_user_turn_completed_delay_ms: Delay::Fixed(0.0),
            llm_ttft_ms: Delay::Fixed(250.0),
            llm_tps: 60.0,
            tts_ttfb_ms: Delay::Fixed(150.0),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Stage {
    #[serde(rename = "transcription_delay_ms")]
    Transcription,
    #[serde(rename = "end_of_turn_delay_ms")]
    EndOfTurn,
    #[serde(rename = "on_user_turn_completed_delay_ms")]
    Hook,
    #[serde(rename = "llm_ttft_ms")]
    Ttft,
    #[serde(rename = "tts_ttfb_ms")]
    Ttfb,
}

impl Stage {
    const ALL: [Self; 5] =
        [Self::Transcription, Self::EndOfTurn, Self::Hook, Self::Ttft, Self::Ttfb];

    const fn name(self) -> &'static str {
        match self {
            Self::Transcription => "transcription_delay_ms",
            Self::EndOfTurn => "end_of_turn_delay_ms",
            Self::Hook => "on_user_turn_completed_delay_ms",
            Self::Ttft => "llm_ttft_ms",
            Self::Ttfb => "tts_ttfb_ms",
        }
    }

    /// The least it can be.
    fn earliest_ms(self) -> f64 {
        match self {
            Self::Transcription | Self::EndOfTurn => EARLIEST.as_secs_f64() * 1_000.0,
            Self::Hook | Self::Ttft | Self::Ttfb => 0.0,
        }
    }
}

/// A delay in milliseconds: always the same, or log-normal with this median and 95th percentile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Delay {
    Fixed(f64),
    LogNormal { p50: f64, p95: f64 },
}

/// What is different in one turn.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TurnScript {
    pub transcription_delay_ms: Option<Delay>,
    pub end_of_turn_delay_ms: Option<Delay>,
    pub on_user_turn_completed_delay_ms: Option<Delay>,
    pub llm_ttft_ms: Option<Delay>,
    pub tts_ttfb_ms: Option<Delay>,
    pub reply_audio_ms: Option<u32>,
    pub sound: Option<Sound>,
    /// How the reply to this turn takes an interruption.
    pub barge_in: Option<BargeIn>,
}

impl TurnScript {
    fn stage(&self, stage: Stage) -> Option<Delay> {
        match stage {
            Stage::Transcription => self.transcription_delay_ms,
            Stage::EndOfTurn => self.end_of_turn_delay_ms,
            Stage::Hook => self.on_user_turn_completed_delay_ms,
            Stage::Ttft => self.llm_ttft_ms,
            Stage::Ttfb => self.tts_ttfb_ms,
        }
    }
}

/// What the agent does when the caller speaks while it does. Times count from the first audible
/// sample of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "reaction", rename_all = "snake_case", deny_unknown_fields)]
pub enum BargeIn {
    /// Falls silent, and answers what the caller says.
    Yield { after_ms: u32 },
    /// Speaks on, and does not answer.
    Ignore {},
    /// Falls silent, takes it for nothing and speaks on from there: a false interruption.
    Resume { after_ms: u32, resume_ms: u32 },
}

impl Default for BargeIn {
    fn default() -> Self {
        Self::Yield { after_ms: 500 }
    }
}

/// A tool the model calls in one turn, before it answers unless it gives nothing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    pub turn: u32,
    #[serde(default = "tool_name")]
    pub name: String,
    #[serde(default = "tool_ms")]
    pub ms: f64,
    /// What the agent says while it runs.
    #[serde(default)]
    pub filler: Option<String>,
    /// Whether it gives the model something, so that the model is asked again; else it runs beside the reply.
    #[serde(default = "tool_gives")]
    pub gives: bool,
}

const fn tool_gives() -> bool {
    true
}

fn tool_name() -> String {
    "look_up".into()
}

fn tool_ms() -> f64 {
    400.0
}

/// Something that goes wrong on purpose.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub kind: FaultKind,
    /// The caller's turn it strikes at, 0 for the greeting; without it every turn of the caller.
    pub turn: Option<u32>,
    /// The calls it strikes, by the number that ends the room's name; without it every call.
    pub calls: Option<Vec<u32>>,
    /// How late, for `late_join`.
    pub ms: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The agent's process ends at once, and with it all its calls.
    Crash,
    /// The agent leaves the room in an orderly way.
    Disconnect,
    /// The caller is heard but never transcribed.
    SttSilent,
    /// An error event, no transcript, no reply.
    SttError,
    /// An error event, no reply.
    LlmError,
    /// An error event, then the reply, 100 ms later than it would be.
    LlmErrorRetry,
    /// The model never answers.
    LlmHang,
    /// An error event instead of speech.
    TtsError,
    /// The model answers with nothing.
    NoReply,
    /// The job is taken, but nobody joins.
    NoJoin,
    /// The agent joins late.
    LateJoin,
    NoGreeting,
}

impl FaultKind {
    /// Whether it concerns the call and not a turn.
    fn of_the_call(self) -> bool {
        matches!(self, Self::NoJoin | Self::LateJoin | Self::NoGreeting)
    }
}

impl Script {
    /// Reads the metadata of a dispatch.
    ///
    /// # Errors
    /// The place and the reason of the first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let script: Self = serde_json::from_str(text)?;
        script.check()?;
        Ok(script)
    }

    /// The script of the call in this room.
    pub fn for_room(self, room: &str) -> CallScript {
        CallScript::new(self, room)
    }
}

impl Stages {
    fn stage(&self, stage: Stage) -> Delay {
        match stage {
            Stage::Transcription => self.transcription_delay_ms,
            Stage::EndOfTurn => self.end_of_turn_delay_ms,
            Stage::Hook => self.on_user_turn_completed_delay_ms,
            Stage::Ttft => self.llm_ttft_ms,
            Stage::Ttfb => self.tts_ttfb_ms,
        }
    }
}

impl Delay {
    /// One draw, in milliseconds.
    fn draw(self, random: &mut SplitMix64) -> f64 {
        match self {
            Self::Fixed(ms) => ms,
            Self::LogNormal { p50, p95 } => {
                // Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958.
                let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
                let normal = radius * (std::f64::consts::TAU * random.unit()).cos();
                p50 * (normal * (p95 / p50).ln() / P95).exp()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Delay {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Delay;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("milliseconds, or {\"p50\": …, \"p95\": …}")
            }
            fn visit_f64<E>(self, ms: f64) -> Result<Delay, E> {
                Ok(Delay::Fixed(ms))
            }
            fn visit_i64<E>(self, ms: i64) -> Result<Delay, E> {
                Ok(Delay::Fixed(i32::try_from(ms).map_or(f64::MIN, f64::from)))
            }
            fn visit_u64<E>(self, ms: u64) -> Result<Delay, E> {
                Ok(Delay::Fixed(u32::try_from(ms).map_or(f64::MAX, f64::from)))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Delay, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Quantiles {
                    p50: f64,
                    p95: f64,
                }
                let map = serde::de::value::MapAccessDeserializer::new(map);
                let Quantiles { p50, p95 } = Quantiles::deserialize(map)?;
                Ok(Delay::LogNormal { p50, p95 })
            }
        }
        from.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests;
