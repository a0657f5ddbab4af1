//! What a call has to leave behind.

use super::super::Kind::{Json, Value, Values};
use super::super::Need::{Default, Optional, Required};
use super::super::{Key, Mapping};
use super::{SECRET, key, mapping, ms};

pub(super) const END_STATE_ITEM: Key = mapping(
    "check",
    &END_STATE,
    Required,
    "An address of JSON and what has to stand there. In `get`, `headers` and `equals`, `{{room}}`, `{{caller}}`, \
     `{{agent}}`, `{{run}}` and `{{call}}` stand for the same as in `dispatch`. What stands there already as the call \
     begins proves nothing: then it cannot be told.",
);

const END_STATE: Mapping = Mapping {
    what: "a check of `end_state`",
    example: "{get: \"https://product.example/bookings/{{room}}\", headers: {Authorization: {$env: TOKEN}}, within: 10s, \
              equals: {status: booked}}",
    any_of: &[],
    keys: &[
        key(
            "get",
            Value { max: 2_048, secret: &SECRET },
            Required,
            "\"https://product.example/bookings/{{room}}\"",
            "The address, `https://` or `http://`. With several calls this, `headers` or `equals` has to name the call. \
             Redirects are not followed.",
        ),
        key(
            "headers",
            Values { max_items: 30, max: 8_192, secret: &SECRET },
            Optional,
            "{Authorization: {$env: BOOKINGS_AUTHORIZATION}}",
            "Headers of the request.",
        ),
        key(
            "within",
            ms(1, 120_000),
            Default("10s"),
            "10s",
            "How long after the caller has hung up it may take to become so. It is asked for until then.",
        ),
        key(
            "equals",
            Json { max_bytes: 64 * 1024 },
            Required,
            "{status: booked}",
            "What has to stand there. An object has to have these keys, and may have more; a list is as long as this one.",
        ),
    ],
};
