//! The values of attributes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};

use crate::spans::Value;

/// How deep lists within lists are looked into.
const MAX_DEPTH: usize = 8;

/// The value, or the JSON text of what is no single one; `None` where there is none.
pub(super) fn of(value: AnyValue) -> Option<Value> {
    Some(match value.value? {
        any_value::Value::StringValue(text) => Value::Text(text),
        any_value::Value::BoolValue(yes) => Value::Yes(yes),
        any_value::Value::IntValue(whole) => Value::Whole(whole),
        any_value::Value::DoubleValue(number) if number.is_finite() => Value::Number(number),
        // JSON has no such number.
        any_value::Value::DoubleValue(number) => Value::Text(number.to_string()),
        any_value::Value::BytesValue(raw) => Value::Text(BASE64.encode(raw)),
        list @ (any_value::Value::ArrayValue(_) | any_value::Value::KvlistValue(_)) => {
            Value::Text(json(Some(list), MAX_DEPTH).to_string())
        }
        // Of profiles, which do not come this way.
        any_value::Value::StringValueStrindex(_) => return None,
    })
}

fn json(value: Option<any_value::Value>, depth: usize) -> serde_json::Value {
    use serde_json::Value as Json;
    let (Some(value), true) = (value, depth > 0) else { return Json::Null };
    match value {
        any_value::Value::StringValue(text) => Json::String(text),
        any_value::Value::BoolValue(yes) => Json::Bool(yes),
        any_value::Value::IntValue(whole) => Json::from(whole),
        any_value::Value::DoubleValue(number) => Json::from(number),
        any_value::Value::BytesValue(raw) => Json::String(BASE64.encode(raw)),
        any_value::Value::ArrayValue(list) => {
            let values = list.values.into_iter().map(|value| json(value.value, depth - 1));
            Json::Array(values.collect())
        }
        any_value::Value::KvlistValue(list) => {
            let of = |value: Option<AnyValue>| value.and_then(|value| value.value);
            let pairs = list.values.into_iter();
            Json::Object(pairs.map(|pair| (pair.key, json(of(pair.value), depth - 1))).collect())
        }
        any_value::Value::StringValueStrindex(_) => Json::Null,
    }
}
