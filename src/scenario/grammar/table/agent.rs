//! The agent under test.

use super::super::Kind::{Metadata, Text, Texts, Variable};
use super::super::Mapping;
use super::super::Need::{Default, Optional, Required};
use super::{MAX_METADATA, key, ms, reserved};

pub(super) const AGENT: Mapping = Mapping {
    what: "`agent`",
    example: "{name: my-agent}",
    any_of: &[],
    keys: &[
        key(
            "name",
            Text { min: 0, max: 256 },
            Default("\"\""),
            "my-agent",
            "The name the agent registers with. The empty string is for automatic dispatch.",
        ),
        key(
            "metadata",
            // What a LiveKit server takes unless it is configured otherwise.
            Metadata { max_bytes: MAX_METADATA, secret: &SECRET },
            Optional,
            "{plan: b}",
            "The job metadata of the dispatch, only for an agent with a name. A string is sent as it is, \
             anything else as JSON.",
        ),
        key(
            "join_timeout",
            ms(1, 120_000),
            Default("20s"),
            "20s",
            "How long a call waits for the agent to join and publish its audio.",
        ),
        key(
            "identity",
            Text { min: 1, max: 256 },
            Optional,
            "\"agent-*\"",
            "The identity of the participant that is the agent, where it cannot be told from who is in the room; `*` \
             stands for any text. Who publishes on its behalf (an avatar) is heard, too.",
        ),
        key(
            "tracks",
            Texts { max_items: 8, max: 256 },
            Optional,
            "[voice]",
            "The names of the tracks that are the agent's voice; `*` stands for any text. Without it: its microphone \
             tracks, or all but `background_audio` where it has none.",
        ),
        reserved("userdata"),
    ],
};

/// Within metadata, at any depth.
pub(in crate::scenario) const SECRET: Mapping = Mapping {
    what: "a reference to an environment variable",
    example: "{$env: API_TOKEN}",
    any_of: &[],
    keys: &[key(
        "$env",
        Variable { max: 256 },
        Required,
        "API_TOKEN",
        "Stands for the value of an environment variable, at any depth of `metadata`. It is read when calls \
         are placed; recordings, reports and baselines hold only its name. A variable that is empty counts as \
         not set.",
    )],
};
