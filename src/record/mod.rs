//! What was observed: the stamped facts of every call of a run, and nothing concluded from them.
//! These types are the format of `run.jsonl` (see [`store`]); everything loadcall reports is
//! computed from them, so a report can be made again without a network.

mod arm;
pub mod audio;
mod calibration;
mod metadata;
mod party;
mod session;
pub mod store;
mod trace;

pub use arm::{Arm, Side};
pub use calibration::{Calibration, CalibrationError};
pub use metadata::{KeyChange, MetadataDigest};
pub use party::{Heard, KEPT, Kind, Participant, Source, Track};
pub use session::{Dialect, LONGEST_TEXT, ModelUsage, ReportedMetrics, SessionEvent, ToolResult};
pub use trace::{Labels, ROOT, place_id, trace_id, trace_text, trace_url, traceparent};

use crate::scenario::Overlay;
use crate::time::Offset;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Silence of the agent that ends its speech, unless a scenario sets another: longer than the pause between
/// two sentences, and the usual end-of-speech silence of voice testers. What goes on after less is the same
/// speech.
pub const SPEECH_GAP: Duration = Duration::from_millis(700);

/// The number of a call within its run, from 0 in the order they were due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub u32);

/// The head of a run: what was run, by what, where. The first line of `run.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunHead {
    pub run_id: String,
    /// The wall clock at offset zero, RFC 3339 with microseconds, UTC.
    pub started_at: String,
    pub loadcall_version: String,
    /// Where the scenario was read from, as the user wrote it.
    pub scenario_path: String,
    /// The scenario's whole text, so that the run can be judged again without the file.
    pub scenario_text: String,
    /// What flags and variables made of the text; `None` where it was read as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<Overlay>,
    /// What each step says, in the order of the script; `None` for a step without a clip.
    pub clips: Vec<Option<ClipFact>>,
    pub seed: u64,
    /// Server address without credentials.
    pub server_url: String,
    /// The Langfuse that the calls' traces go to, without credentials; `None` when none are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub langfuse_url: Option<String>,
    /// Whether loadcall started the agent itself, with a command of the user's.
    #[serde(default, skip_serializing_if = "is_false")]
    pub agent_started: bool,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// What the server is; `None` when it did not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    pub host: Host,
    /// How far off this machine's caller is; `None` when it was never calibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Set when this is one side of an A/B run; absent in a run of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<Arm>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A clip as it was played.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClipFact {
    pub file: String,
    pub sha256: String,
    pub text: Option<String>,
    /// From the first to the last voiced sample.
    pub voiced_ms: f64,
    /// Where the scenario says that the voice ends, from the beginning of the file; `None` where it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_given_ms: Option<f64>,
    /// Which of two channels is said, where that was chosen: `left`, `right` or `mix`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// How the file is written, such as `22050 Hz mono 16-bit`; `None` in recordings of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl ClipFact {
    /// What is the same for clips that say the same: the SHA-256 of the file, and what was chosen of it.
    pub fn said(&self) -> String {
        let channel = self.channel.iter().map(|channel| format!(", channel {channel}"));
        let end = self.end_given_ms.iter().map(|ms| format!(", end {ms} ms"));
        [self.sha256.clone()].into_iter().chain(channel).chain(end).collect()
    }
}

/// What a LiveKit server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    pub version: String,
    /// Empty where there is only one.
    pub region: String,
}

/// The machine the calls were placed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub os: String,
    pub cpus: u32,
}

/// One fact and when it happened (which may be before it was known: edges of speech are back-dated).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    pub at: Offset,
    #[serde(rename = "is")]
    pub what: Observation,
}

/// Everything that can be observed during a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observation {
    /// Signalling and media are up and the caller is in the room.
    Connected {
        room_sid: String,
    },
    AgentJoined {
        identity: String,
    },
    /// The agent's audio can be heard from now on.
    AgentTrackSubscribed,
    /// The agent's `lk.agent.state` attribute became this.
    AgentState(String),
    AgentLeft {
        reason: String,
    },
    /// No packet of the agent's audio for two seconds.
    AgentMediaStalled,
    AgentMediaResumed,
    /// What had looked like a stall was silence that the agent did not send: its RTP clock had stood still.
    AgentMediaWasSilent,

    /// Another participant is in the room.
    Participant(Participant),
    ParticipantLeft {
        identity: String,
    },
    /// An audio track of another participant reaches the caller.
    Track(Track),
    /// The same track is something else to the caller from now on, because of what came or went beside it.
    TrackChanged {
        track: u32,
        heard: Heard,
    },
    TrackEnded {
        track: u32,
    },
    /// This track was audible from the stamped moment until then. Only written once there are two tracks to tell apart,
    /// then for what went before, too.
    TrackSpoke {
        track: u32,
        until: Offset,
    },
    /// Our connection broke, and the client tries to mend it.
    Reconnecting,
    Reconnected,
    ConnectionLost {
        reason: String,
    },

    /// A step of the script began to wait for its start.
    StepBegan {
        step: u32,
    },
    /// The first voiced sample of a step's clip, on the capture clock.
    UtteranceBegan {
        step: u32,
    },
    /// The last voiced sample of a step's clip, on the capture clock.
    UtteranceEnded {
        step: u32,
    },
    ExpectationMet {
        step: u32,
    },
    /// What the step expects did not happen in its time; stamped when the wait was over.
    ExpectationMissed {
        step: u32,
    },
    /// The agent was silent and said that it was busy (`doing`) for `busy_limit` since then; the caller went
    /// on without it.
    AgentStuck {
        step: u32,
        doing: String,
    },
    /// What became of a method of the agent that the caller called; stamped when that was known.
    Rpc {
        step: u32,
        when: SignalTime,
        method: String,
        /// When it was called.
        sent: Offset,
        /// Why it failed; `None` when the agent answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// What a check of the end state came to, by its place in the scenario; stamped when that was known, after
    /// the call.
    EndState {
        check: u32,
        found: StateFound,
        /// What differs, for people; empty when it matches.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    /// The script is through; hanging up.
    HangingUp,

    /// The arrival of the first packet that was not silent before the voice that follows in the log.
    SoundBegan,
    /// The first audible sample of the agent after silence.
    VoiceBegan,
    /// The last audible sample of the agent before silence.
    VoiceEnded,
    /// The `VoiceBegan` before it in the log, of the same moment, was the beginning of noise or music under the voice
    /// and no voice; neither was the `SoundBegan` that belongs to it. Comes in the place of its `VoiceEnded`.
    VoiceRetracted,
    /// From this moment on the agent's audio was never silent. Noted once, when it is known.
    NeverSilent {
        /// The level of what is always there.
        level_dbfs: f64,
    },

    /// What the agent understood (`caller`) or says (`agent`), stamped when the segment's first stream
    /// (`lk.transcription`) opened: so a reply that is broken off keeps its turn. Of a segment that was
    /// told several times the last text counts; segments belong together in the order of their moments.
    Transcript {
        speaker: Speaker,
        segment: String,
        text: String,
        /// The text is whole: its stream was closed, whatever the agent calls final. Else the call or
        /// the connection ended first, and this is what had been read.
        last: bool,
        /// When the last stream of the segment was closed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Offset>,
    },
    /// What the agent reports of itself: latency, tools, errors, usage or versions.
    Session(SessionEvent),

    /// Something had to be left out because a limit was reached.
    LimitReached {
        what: String,
    },
}

/// When the caller signals something: as its clip is due, or when the clip's voice has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalTime {
    Before,
    After,
}

/// What a call left behind, against what it should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateFound {
    AsWanted,
    Different,
    /// It could not be found out: the server did not say, or it was so before the call.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    Caller,
    Agent,
}

/// One call: when it was due, when it was placed, all that was observed, and how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    pub id: CallId,
    /// The room's name, which is also the session id in traces.
    pub room: String,
    /// When the plan wanted it placed.
    pub due: Offset,
    /// When it was placed.
    pub dialled: Offset,
    /// In the order in which things became known.
    pub log: Vec<Stamped>,
    pub end: CallEnd,
    pub media: MediaFacts,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallEnd {
    pub at: Offset,
    pub outcome: Outcome,
    /// What exactly happened, for people; empty when the outcome says it all.
    pub detail: String,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The script was played to its end and every awaited reply was heard.
    Answered,
    /// No agent joined in time.
    NoAgent,
    /// An agent joined, but not (with its audio) in time.
    AgentLate,
    /// The agent left before the script was through.
    AgentLeft,
    /// The agent joined but did not speak when it should have begun.
    NoGreeting,
    /// The agent did not reply to something the caller said.
    NoAnswer,
    /// The connection to the server broke.
    ConnectionLost,
    /// The server did not let the caller in (wrong key, no permission, no such address).
    Refused,
    /// The user stopped the run.
    Stopped,
    /// The caller itself failed; says nothing about the agent.
    OurFault,
}

impl Outcome {
    pub const ALL: [Self; 10] = [
        Self::Answered,
        Self::NoAgent,
        Self::AgentLate,
        Self::AgentLeft,
        Self::NoGreeting,
        Self::NoAnswer,
        Self::ConnectionLost,
        Self::Refused,
        Self::Stopped,
        Self::OurFault,
    ];

    /// The name in `run.jsonl` and `report.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NoAgent => "no_agent",
            Self::AgentLate => "agent_late",
            Self::AgentLeft => "agent_left",
            Self::NoGreeting => "no_greeting",
            Self::NoAnswer => "no_answer",
            Self::ConnectionLost => "connection_lost",
            Self::Refused => "refused",
            Self::Stopped => "stopped",
            Self::OurFault => "our_fault",
        }
    }
}

/// What the media of a call looked like from our side.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MediaFacts {
    /// How late each microphone packet left: hdrhistogram V2 + DEFLATE in base64, microseconds.
    /// Empty when nothing was sent.
    pub pacing: String,
    /// Microphone packets that were never sent because the caller was stalled for too long.
    pub packets_skipped: u64,
    pub packets_received: u64,
    /// From gaps in the sequence numbers; what came late is not lost.
    pub packets_lost: u64,
    /// Received, but not decodable or not read in time.
    pub packets_unread: u64,
    /// Largest gap between two packets of the agent's audio.
    pub largest_gap_ms: f64,
}

/// The last line of `run.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTail {
    pub ended: Offset,
    /// The user stopped the run before all planned calls were through.
    pub stopped: bool,
    /// No further calls were placed because the first ones reached no agent.
    pub gave_up: bool,
    /// How many calls the plan had.
    pub planned: u32,
}

/// A whole recording. `tail` is absent when the run was killed.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub head: RunHead,
    /// In the order of their ids.
    pub calls: Vec<CallRecord>,
    pub tail: Option<RunTail>,
}

#[cfg(test)]
pub(crate) mod testing;
