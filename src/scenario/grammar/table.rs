//! The rows: every key a scenario file can have, mapping by mapping.

use std::time::Duration;

use super::Kind::{
    Integer, List, Metadata, Name, OneOf, Pattern, Percentage, Percentile, Reserved, Text, Texts,
    Thresholds, Variable,
};
use super::Need::{Default, Optional, Required};
use super::{ANCHORS, Choice, EXECUTORS, EXPECTATIONS, Key, Kind, Mapping, Need, Only};

/// The version of the grammar that this build reads.
pub(in crate::scenario) const VERSION: u64 = 1;

/// The longest metadata that is dispatched, in bytes: what a LiveKit server takes unless it is configured
/// otherwise.
pub const MAX_METADATA: usize = 64 * 1024;

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
        key(
            "turns",
            List { item: &TURN_ITEM, max: 1_000 },
            Required,
            "[{id: greeting, expect: {agent: speaks, within: 5s}}]",
            "The script of every call, performed in this order.",
        ),
        mapping("hangup", &HANGUP, Default("{}"), "When the caller hangs up."),
        mapping(
            "load",
            &LOAD,
            Default("{executor: once}"),
            "How many calls are placed, and how many at a time.",
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
            "How long a silence has to be to count as awkward.",
        ),
        reserved("tags"),
        reserved("userdata"),
        reserved("caller"),
    ],
};

const AGENT: Mapping = Mapping {
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

const TURN_ITEM: Key =
    mapping("turn", &TURN, Required, "A turn has at least one of `say`, `silence` and `expect`.");

const TURN: Mapping = Mapping {
    what: "a turn",
    example: "{id: hours, say: {file: clips/hours.wav}, expect: {agent: responds, within: 8s}}",
    any_of: &["say", "silence", "expect"],
    keys: &[
        key(
            "id",
            Text { min: 1, max: 64 },
            Required,
            "greeting",
            "The name of the turn in reports; no two turns have the same.",
        ),
        mapping("say", &SAY, Optional, "The clip the caller plays."),
        Key {
            only: Some(Only::Without("say")),
            ..key("silence", ms(1, 600_000), Optional, "2s", "The length of the caller's silence.")
        },
        Key {
            only: Some(Only::With("say")),
            ..mapping("start", &START, Default("{}"), "When the clip begins.")
        },
        Key {
            only: Some(Only::Without("silence")),
            ..mapping("expect", &EXPECT, Optional, "The reaction expected of the agent.")
        },
        reserved("dtmf"),
        reserved("stop_on_failure"),
    ],
};

const SAY: Mapping = Mapping {
    what: "`say`",
    example: "{file: clips/hello.wav}",
    any_of: &[],
    keys: &[
        key(
            "file",
            Text { min: 1, max: 1_024 },
            Required,
            "clips/hello.wav",
            "The path of a WAV file, relative to the scenario file.",
        ),
        key(
            "text",
            Text { min: 1, max: 2_000 },
            Optional,
            "\"What are your opening hours?\"",
            "The words of the clip, for reports.",
        ),
        reserved("tts"),
        reserved("eos_ms"),
        reserved("impair"),
        reserved("volume"),
    ],
};

const START: Mapping = Mapping {
    what: "`start`",
    example: "{after: agent_speech_end, delay: 400ms}",
    any_of: &[],
    keys: &[
        key(
            "after",
            OneOf { choice: Choice::Anchor(ANCHORS), reserved: &["event"] },
            Optional,
            "agent_speech_end",
            "The moment from which `delay` counts. Default: `agent_joined` as long as no turn before it has `say` \
             or `expect`, else `agent_speech_end`.",
        ),
        key(
            "delay",
            ms(0, 120_000),
            // Roughly what people leave between two turns; long enough not to interrupt.
            Default("400ms"),
            "400ms",
            "How long after that moment the clip begins.",
        ),
    ],
};

const EXPECT: Mapping = Mapping {
    what: "`expect`",
    example: "{agent: responds, within: 8s}",
    any_of: &[],
    keys: &[
        key(
            "agent",
            OneOf { choice: Choice::Expectation(EXPECTATIONS), reserved: &["reprompts"] },
            Required,
            "responds",
            "The reaction expected of the agent.",
        ),
        Key {
            only: Some(Only::When("agent", &["speaks", "responds", "yields"])),
            ..key("within", ms(1, 120_000), Required, "8s", "The longest time it may take.")
        },
        Key {
            only: Some(Only::When("agent", &["speaks", "responds"])),
            ..mapping("text", &REPLY, Optional, "What the words of the reply have to contain.")
        },
        Key {
            only: Some(Only::When("agent", &["speaks", "responds"])),
            ..key(
                "tools",
                Texts { max_items: 50, max: 500 },
                Optional,
                "[get_hours]",
                "The tools the agent has to run in this turn, in any order.",
            )
        },
    ],
};

const REPLY: Mapping = Mapping {
    what: "`text`",
    example: "{contains: [nine]}",
    any_of: &["contains", "matches"],
    keys: &[
        key(
            "contains",
            Texts { max_items: 50, max: 500 },
            Optional,
            "[nine]",
            "Words that all have to occur; upper and lower case count as the same.",
        ),
        key(
            "matches",
            Pattern { max: 500 },
            Optional,
            "\"(?i)nine|9\"",
            "A regular expression of the Rust crate `regex` that has to match somewhere.",
        ),
    ],
};

const HANGUP: Mapping = Mapping {
    what: "`hangup`",
    example: "{max_call: 90s}",
    any_of: &[],
    keys: &[
        key(
            "max_call",
            ms(1_000, 3_600_000),
            Default("5m"),
            "90s",
            "The longest a call may last. It has to cover all silences and delays of the turns.",
        ),
        reserved("by"),
        reserved("after"),
    ],
};

const LOAD: Mapping = Mapping {
    what: "`load`",
    example: "{executor: repeat, calls: 10, concurrency: 5}",
    any_of: &[],
    keys: &[
        key(
            "executor",
            OneOf {
                choice: Choice::Executor(EXECUTORS),
                reserved: &[
                    "constant-arrival-rate",
                    "ramping-arrival-rate",
                    "constant-concurrency",
                    "ramping-concurrency",
                ],
            },
            Required,
            "repeat",
            "How calls are placed.",
        ),
        Key {
            only: Some(Only::When("executor", &["repeat"])),
            ..key("calls", Integer { min: 1, max: 100_000 }, Required, "10", "The calls in all.")
        },
        Key {
            only: Some(Only::When("executor", &["repeat"])),
            ..key(
                "concurrency",
                Integer { min: 1, max: 1_000 },
                Default("1"),
                "5",
                "The most calls in progress at a time; no more than `calls`.",
            )
        },
        reserved("rate"),
        reserved("duration"),
        reserved("max_concurrent"),
        reserved("warmup_calls"),
        reserved("stages"),
        reserved("gracefulStop"),
    ],
};

const BASELINE: Mapping = Mapping {
    what: "`baseline`",
    example: "{primary: heard_e2e_latency.p50, min_effect: {rel: 8%, abs: 60ms}, runs: 7}",
    any_of: &[],
    keys: &[
        key(
            "primary",
            Percentile,
            Default("heard_e2e_latency.p50"),
            "heard_e2e_latency.p95",
            "The latency, and the percentile of it, that decides whether a run got worse.",
        ),
        mapping(
            "min_effect",
            &MIN_EFFECT,
            Default("{}"),
            "How large a change has to be to count as a regression; both limits have to be reached.",
        ),
        key(
            "runs",
            // More would keep a baseline of times long gone.
            Integer { min: 1, max: 30 },
            Default("7"),
            "7",
            "How many accepted runs a baseline keeps, the newest ones.",
        ),
    ],
};

const MIN_EFFECT: Mapping = Mapping {
    what: "`min_effect`",
    example: "{rel: 8%, abs: 60ms}",
    any_of: &[],
    keys: &[
        key("rel", Percentage, Default("8%"), "8%", "The change as a share of the baseline."),
        key("abs", ms(0, 60_000), Default("60ms"), "60ms", "The change in time."),
    ],
};

const TURN_TAKING: Mapping = Mapping {
    what: "`turn_taking`",
    example: "{awkward_silence: 3s}",
    any_of: &[],
    keys: &[
        key(
            "awkward_silence",
            ms(100, 120_000),
            Default("3s"),
            "2s",
            "A silence after the caller's last voiced sample is awkward from this length on. There is no standard; \
             the default is usual among testers of voice agents.",
        ),
        key(
            "awkward_silence_with_tools",
            ms(100, 120_000),
            Default("5s"),
            "8s",
            "The same for a turn in which the agent ran a tool.",
        ),
    ],
};
