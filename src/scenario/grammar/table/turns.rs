//! The script.

use super::super::Kind::{Metadata, OneOf, Pattern, Text, Texts};
use super::super::Need::{Default, Optional, Required};
use super::super::{ANCHORS, CHANNELS, Choice, EXPECTATIONS, Key, Mapping, Only};
use super::{SECRET, key, mapping, ms, reserved};

pub(super) const TURN_ITEM: Key =
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
        Key {
            only: Some(Only::With("say")),
            ..mapping(
                "before",
                &SIGNAL,
                Optional,
                "What the caller does when the clip is due; for push-to-talk. The clip begins when the agent has \
                 answered, at most 500 ms later.",
            )
        },
        Key {
            only: Some(Only::With("say")),
            ..mapping(
                "after",
                &SIGNAL,
                Optional,
                "What the caller does as soon as the clip's last voiced sample was sent.",
            )
        },
        reserved("dtmf"),
        reserved("stop_on_failure"),
    ],
};

const SIGNAL: Mapping = Mapping {
    what: "`before` or `after`",
    example: "{rpc: {method: start_turn}}",
    any_of: &[],
    keys: &[mapping("rpc", &RPC, Required, "A method of the agent that the caller calls.")],
};

const RPC: Mapping = Mapping {
    what: "`rpc`",
    example: "{method: start_turn, payload: {source: loadcall}}",
    any_of: &[],
    keys: &[
        key(
            "method",
            Text { min: 1, max: 64 },
            Required,
            "start_turn",
            "The name the agent registered the method with. A call in which it fails, or takes more than 5 s, \
             is not ok.",
        ),
        key(
            "payload",
            // What LiveKit's RPC carries in one packet.
            Metadata { max_bytes: 15 * 1024, secret: &SECRET },
            Optional,
            "{source: loadcall}",
            "What the method gets. A string is sent as it is, anything else as JSON.",
        ),
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
            "The path of a file of audio, relative to the scenario file: WAV, AIFF, FLAC, MP3, AAC, Ogg (Vorbis, Opus), \
             MP4 or WebM.",
        ),
        key(
            "text",
            Text { min: 1, max: 2_000 },
            Optional,
            "\"What are your opening hours?\"",
            "The words of the clip, for reports.",
        ),
        key(
            "channel",
            OneOf { choice: Choice::Channel(CHANNELS), reserved: &[] },
            Optional,
            "left",
            "What is said of a file with two channels. Without it they have to hold the same, or one of them nothing.",
        ),
        key(
            "end",
            ms(1, 120_000),
            Optional,
            "2.40s",
            "Where the caller's speech ends, from the beginning of the file, when `loadcall check` shows it in the wrong \
             place. What lies behind is not said.",
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
        Key {
            only: Some(Only::When("agent", &["speaks", "responds"])),
            ..mapping(
                "must_not",
                &MUST_NOT,
                Optional,
                "What the agent must not say or run in this turn. Where its words or tools are not all known, the report \
                 says that it cannot tell.",
            )
        },
    ],
};

const MUST_NOT: Mapping = Mapping {
    what: "`must_not`",
    example: "{text: {contains: [as an AI]}, tools: [transfer_call]}",
    any_of: &["text", "tools"],
    keys: &[
        mapping("text", &FORBIDDEN, Optional, "What the words of the reply must not contain."),
        key(
            "tools",
            Texts { max_items: 50, max: 500 },
            Optional,
            "[transfer_call]",
            "The tools of which the agent must run none in this turn.",
        ),
    ],
};

const FORBIDDEN: Mapping = Mapping {
    what: "`text`",
    example: "{contains: [as an AI]}",
    any_of: &["contains", "matches"],
    keys: &[
        key(
            "contains",
            Texts { max_items: 50, max: 500 },
            Optional,
            "[as an AI]",
            "Words of which none may occur; upper and lower case count as the same.",
        ),
        key(
            "matches",
            Pattern { max: 500 },
            Optional,
            "\"(?i)sorry|cannot\"",
            "A regular expression of the Rust crate `regex` that must match nowhere.",
        ),
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
