//! How a call comes about: a start endpoint, the room, the participant that the agent sees.

use super::super::Kind::{Metadata, OneOf, Path, Text, Value, Values};
use super::super::Need::{Default, Optional, Required};
use super::super::{CALLER_KINDS, Choice, Key, METHODS, Mapping, Only};
use super::{MAX_METADATA, SECRET, key, mapping, ms};

pub(super) const DISPATCH: Mapping = Mapping {
    what: "`dispatch`",
    example: "{http: {url: \"https://product.example/start\", token: $.token}}",
    any_of: &[],
    keys: &[mapping(
        "http",
        &HTTP,
        Required,
        "A request to a product's start endpoint, made before each call, in place of a dispatch by loadcall. In its \
         strings, and in those of `room` and `caller`, `{{room}}`, `{{caller}}`, `{{agent}}`, `{{run}}` and `{{call}}` \
         stand for the name of the room, the identity of the caller, `agent.name`, the id of the run and the number \
         of the call (`007`).",
    )],
};

const HTTP: Mapping = Mapping {
    what: "`http`",
    example: "{url: \"https://product.example/start\", body: {user: \"{{caller}}\"}, token: $.token, server: $.url}",
    any_of: &[],
    keys: &[
        key(
            "url",
            Value { max: 2_048, secret: &SECRET },
            Required,
            "\"http://localhost:7860/start\"",
            "The address, `https://` or `http://`. Redirects are not followed.",
        ),
        key(
            "method",
            OneOf { choice: Choice::Method(METHODS), reserved: &[] },
            Default("POST"),
            "POST",
            "The method of the request.",
        ),
        key(
            "headers",
            Values { max_items: 30, max: 8_192, secret: &SECRET },
            Optional,
            "{Authorization: {$env: START_AUTHORIZATION}}",
            "Headers of the request. `Content-Type` is `application/json` for a body of JSON.",
        ),
        key(
            "body",
            Metadata { max_bytes: MAX_METADATA, secret: &SECRET },
            Optional,
            "{transport: livekit, room: \"{{room}}\"}",
            "The body of the request. A string is sent as it is, anything else as JSON.",
        ),
        key(
            "token",
            Path { max: 200 },
            Optional,
            "$.token",
            "Where the answer (JSON) has the access token of the caller. Then loadcall needs no API key. Without it \
             loadcall makes the token.",
        ),
        key(
            "room",
            Path { max: 200 },
            Optional,
            "$.room.name",
            "Where the answer has the name of the room. Without it the room is the one that the token is for, else \
             the one that loadcall names.",
        ),
        key(
            "server",
            Path { max: 200 },
            Optional,
            "$.url",
            "Where the answer has the URL of the LiveKit server. Without it LIVEKIT_URL names it.",
        ),
        key(
            "timeout",
            ms(1, 120_000),
            Default("10s"),
            "10s",
            "The longest time the request may take. Its time is part of `connect_delay`, which counts from when the \
             call was due.",
        ),
    ],
};

pub(super) const ROOM: Mapping = Mapping {
    what: "`room`",
    example: "{prefix: staging-}",
    any_of: &[],
    keys: &[
        Key {
            only: Some(Only::Without("prefix")),
            ..key(
                "name",
                Text { min: 1, max: 256 },
                Optional,
                "\"test-{{run}}-{{call}}\"",
                "The name of the room. With several calls it has to contain `{{call}}`. A room whose name contains \
                 `{{run}}` is deleted after its call, any other is only left.",
            )
        },
        key(
            "prefix",
            Text { min: 0, max: 100 },
            Default("loadcall-"),
            "staging-",
            "What the name of the room begins with. The name of the scenario, the id of the run and the number of the \
             call follow.",
        ),
        key(
            "metadata",
            Metadata { max_bytes: MAX_METADATA, secret: &SECRET },
            Optional,
            "{tenant: acme}",
            "The metadata of the room. A string is used as it is, anything else as JSON.",
        ),
    ],
};

pub(super) const CALLER: Mapping = Mapping {
    what: "`caller`",
    example: "{name: Jo, kind: sip, attributes: {sip.phoneNumber: \"+15550100\", sip.trunkPhoneNumber: \"+15550199\"}}",
    any_of: &[],
    keys: &[
        key(
            "identity",
            Text { min: 1, max: 256 },
            Default("caller-{{call}}"),
            "\"user-{{run}}-{{call}}\"",
            "The identity of the caller, by which the agent and the server know it.",
        ),
        key("name", Text { min: 0, max: 256 }, Default("\"\""), "Jo", "The name of the caller."),
        key(
            "kind",
            OneOf { choice: Choice::CallerKind(CALLER_KINDS), reserved: &[] },
            Default("standard"),
            "sip",
            "The kind of the participant, which many telephony agents look at.",
        ),
        key(
            "attributes",
            Values { max_items: 100, max: 2_000, secret: &SECRET },
            Optional,
            "{sip.phoneNumber: \"+15550100\", sip.callStatus: active}",
            "The attributes of the participant. LiveKit's telephony sets `sip.phoneNumber` (who calls), \
             `sip.trunkPhoneNumber` (who is called), `sip.trunkID`, `sip.ruleID`, `sip.callID` and `sip.callStatus`.",
        ),
        key(
            "metadata",
            // It travels in the token, in a header of the request that joins.
            Metadata { max_bytes: 64 * 1024, secret: &SECRET },
            Optional,
            "{plan: b}",
            "The metadata of the participant. A string is used as it is, anything else as JSON.",
        ),
    ],
};
