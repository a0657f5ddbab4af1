//! Who else was in the room, and with what audio. All texts are others' own, cut to [`KEPT`].

use serde::{Deserialize, Serialize};

/// Characters of a text of another participant that are kept.
pub const KEPT: usize = 100;

/// Another participant as the server told of it. Stamped when it told: of a participant without a track it tells in
/// batches, up to three seconds late (livekit-server 1.13.5, `subscriberUpdateInterval`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    pub identity: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    pub kind: Kind,
    /// `lk.agent.name`: the name the agent registered with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub agent_name: String,
    /// `lk.publish_on_behalf`: the identity of the agent whose voice it is (an avatar's).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub on_behalf_of: String,
    /// How long after the caller it joined, both by the server's clock (`joined_at_ms`), in milliseconds; negative when
    /// it was there first. `None` when the server does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined_after_ms: Option<i64>,
}

/// The kind the server gives a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Standard,
    Agent,
    Sip,
    Ingress,
    Egress,
    /// One that came after this version.
    Other,
}

/// An audio track of another participant that reaches the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// Its number within the call, from 0 in the order of arrival.
    pub track: u32,
    /// Who publishes it.
    pub identity: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    pub source: Source,
    pub heard: Heard,
}

/// Where a track's sound comes from, by its publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Microphone,
    Unknown,
    /// The sound of a screen or a camera.
    Other,
}

/// What a track is to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// The agent's voice: it is listened to.
    Voice,
    /// Sound of the agent's side beside its voice: not listened to.
    Ambience,
    /// Of somebody who is not the agent, or one track too many: not listened to.
    Not,
}

impl Source {
    /// The word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Microphone => "microphone",
            Self::Unknown => "unknown source",
            Self::Other => "screen or camera",
        }
    }
}
