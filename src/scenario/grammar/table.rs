//! The rows: every key a scenario file can have, mapping by mapping.

mod agent;
mod dial;
mod end_state;
mod limits;
mod turns;

use std::time::Duration;

use super::Kind::{Fraction, Integer, List, Name, Reserved, Thresholds};
use super::Need::{Default, Optional, Required};
use super::{Key, Kind, Mapping, Need, Only};

/// The version of the grammar that this build reads.
pub(in crate::scenario) const VERSION: u64 = 1;

/// The longest metadata of a dispatch or a room, in bytes: what a LiveKit server takes unless it is configured
/// otherwise (512 KiB since livekit-server 1.12).
pub const MAX_METADATA: usize = 512 * 1024;

use agent::AGENT;
pub(in crate::scenario) use agent::SECRET;
use dial::{CALLER, DISPATCH, ROOM};
use end_state::END_STATE_ITEM;
use limits::{BASELINE, HANGUP, LOAD, TURN_TAKING};
use turns::TURN_ITEM;

const FIRST: &str = "0.1.0";

const fn key(
    name: &'static str,
    kind: Kind,
    need: Need,
    example: &'static str,
    doc: &'static str,
) -> Key {
    Key { name, kind, need, only: None, since: FIRST, example, doc }
}

const fn mapping(
    name: &'static str,
    mapping: &'static Mapping,
    need: Need,
    doc: &'static str,
) -> Key {
    key(name, Kind::Mapping(mapping), need, mapping.example, doc)
}

const fn reserved(name: &'static str) -> Key {
    key(name, Reserved, Optional, "", "")
}

const fn ms(from: u64, to: u64) -> Kind {
    Kind::Duration { min: Duration::from_millis(from), max: Duration::from_millis(to) }
}

/// The file itself.
pub(in crate::scenario) const ROOT: Key = mapping(
    "scenario",
    &SCENARIO,
    Required,
    "The agent, the script, the number of calls, and the limits they have to meet.",
);

pub(in crate::scenario) const SCENARIO: Mapping = Mapping {
    what: "the scenario",
    example: "{version: 1, name: greeting, turns: [{id: hold, silence: 2s}]}",
    any_of: &[],
    keys: &[
        key(
            "version",
            Integer { min: VERSION, max: VERSION },
            Required,
            "1",
            "The version of the scenario grammar.",
        ),
        key(
            "name",
            Name { max: 64 },
            Required,
            "greeting",
            "The name of the scenario in reports. It becomes part of room names.",
        ),
        mapping("agent", &AGENT, Default("{}"), "The agent under test, and how it is dispatched."),
        mapping(
            "dispatch",
            &DISPATCH,
            Optional,
            "How an agent is sent to a call that LiveKit's own dispatch does not send. Without it, loadcall asks \
             the LiveKit server for `agent.name`.",
        ),
        mapping(
            "room",
            &ROOM,
            Default("{}"),
            "The room of a call. Its name is also the session id of traces.",
        ),
        mapping("caller", &CALLER, Default("{}"), "The participant that the agent sees."),
        key(
            "turns",
            List { item: &TURN_ITEM, max: 1_000 },
            Required,
            "[{id: greeting, expect: {agent: speaks, within: 5s}}]",
            "The script of every call, performed in this order.",
        ),
        key(
            "end_state",
            List { item: &END_STATE_ITEM, max: 10 },
            Optional,
            "[{get: \"https://product.example/bookings/{{room}}\", equals: {status: booked}}]",
            "What has to be so once a call is over, asked of your own system over HTTP. A call that is answered well and \
             leaves something else behind is not ok.",
        ),
        mapping("hangup", &HANGUP, Default("{}"), "When the caller hangs up."),
        mapping(
            "load",
            &LOAD,
            Default("{executor: once}"),
            "How many calls are placed, and how many at a time.",
        ),
        Key {
            only: Some(Only::Without("load")),
            ..key(
                "repeats",
                Integer { min: 1, max: 100_000 },
                Optional,
                "10",
                "The calls placed, one after another: short for `load: {executor: repeat, calls: 10}`.",
            )
        },
        key(
            "pass_rate",
            Fraction,
            Optional,
            "0.9",
            "The least share of calls that have to be ok for the run to pass: short for `thresholds: {calls_ok: \
             \"rate>=0.9\"}`, and not beside it. The share is not rounded: nine of ten calls are 0.9, and not 0.92. \
             Without either every call has to be ok.",
        ),
        key(
            "thresholds",
            Thresholds,
            Default("{}"),
            "{heard_e2e_latency: [\"p(95)<2500ms\"]}",
            "Limits on metrics; a run fails when one is broken. Behind each metric stands an expression or a \
             list of them: an aggregate (`p(95)`, `med` and `max` for times and ratios, `rate` for shares, \
             `count` or `rate` for events), a comparison (`<`, `<=`, `>`, `>=`) and a limit with its unit.",
        ),
        mapping("baseline", &BASELINE, Default("{}"), "How a run is compared with its baseline."),
        mapping(
            "turn_taking",
            &TURN_TAKING,
            Default("{}"),
            "How long a silence has to be to mean something.",
        ),
        reserved("tags"),
        reserved("userdata"),
    ],
};
