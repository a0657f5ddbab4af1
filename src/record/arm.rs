//! What a recording says of an A/B run that it is one side of.

use super::MetadataDigest;
use serde::{Deserialize, Serialize};

/// One of the two agents whose calls are interleaved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The current agent, the reference.
    A,
    /// The candidate.
    B,
}

impl Side {
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// The name of its folder, and in run ids.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

/// Which side of which A/B run a recording is, and which agent was called instead of the scenario's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arm {
    /// Id of the A/B run. Calls with the same id in its two recordings are a pair.
    pub ab: String,
    pub side: Side,
    /// Dispatch name; empty for automatic dispatch.
    pub agent_name: String,
    pub agent_metadata: MetadataDigest,
    /// The numbers of pairs at which the run is judged, rising, when it goes on until it is decided; empty for one
    /// that is judged once, at its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looks: Vec<u32>,
}
