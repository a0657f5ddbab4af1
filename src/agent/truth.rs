//! What the agent really did, and when, on its own clock: what a measurement of it is checked against.

use crate::agent::voice::Sound;
use crate::time::Offset;
use serde::Serialize;
use std::collections::BTreeMap;

/// One thing that happened in one room.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    pub room: String,
    #[serde(flatten)]
    pub what: Happened,
}

/// Moments are microseconds since the agent's clock began. What it sent is dated by when the packet
/// with that sample was due to leave plus the place in the packet; what it received by when the
/// packet came plus the place in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Happened {
    Joined {
        at: Offset,
    },
    /// Who the caller is, and what the room holds.
    Caller {
        identity: String,
        name: String,
        kind: String,
        metadata: String,
        attributes: BTreeMap<String, String>,
        room_metadata: String,
    },
    /// The caller called a method.
    Rpc {
        method: String,
        payload: String,
        at: Offset,
    },
    /// The first and the last audible sample of the caller.
    CallerBegan {
        at: Offset,
    },
    CallerEnded {
        at: Offset,
    },
    /// The first audible sample of an answer to this turn (0: the greeting) was sent.
    Spoke {
        turn: u32,
        sound: Sound,
        at: Offset,
        wanted: Offset,
    },
    /// The last one was; `cut` when the caller interrupted.
    FellSilent {
        turn: u32,
        sound: Sound,
        at: Offset,
        cut: bool,
    },
    /// A fault of the script struck.
    Fault {
        turn: u32,
        kind: String,
        at: Offset,
    },
    Left {
        at: Offset,
    },
}
