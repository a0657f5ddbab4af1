//! The grammar as a JSON Schema (draft 2020-12), for editors. It refuses nothing that the parser accepts; the
//! parser refuses more, such as two turns of one id.

use serde_json::{Map, Value as Json, json};

use super::Metric;
use super::grammar::{Key, Kind, Mapping, Need, Only, table};
use super::metric;

/// A duration as `duration::parse` reads it: a number with a unit of at most an hour first, or `01:30:00`.
pub(super) const DURATION: &str = "^\\s*[+]?[0-9][0-9.,]*(\\s*(h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?|ms|msecs?|millis?|\
                        milliseconds?|[uµμ]s|[uµμ]secs?|micros?|microseconds?|ns|nsecs?|nanos?|nanoseconds?)\
                        ([^A-Za-zµμ]|$)|:)";
const PERCENTAGE: &str = r"^0*(100(\.0+)?|[0-9]{1,2}(\.[0-9]+)?)\s*%$";
/// One line without whitespace at either end.
const LINE: &str = r"^\S(.*\S)?$";

/// Where a variable stands, as its value is only known to who reads the file.
const VARIABLE: &str = r"\$\{";

/// The name of the one definition that refers to itself.
const METADATA: &str = "metadata";

/// The JSON Schema of scenario files, indented, with a newline at the end.
pub fn schema() -> String {
    let mut root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "loadcall scenario",
        "description": table::ROOT.doc,
    });
    merge(&mut root, of_mapping(&table::SCENARIO));
    merge(&mut root, json!({"$defs": {METADATA: metadata(&table::SECRET)}}));
    format!("{root:#}\n")
}

fn merge(into: &mut Json, from: Json) {
    if let (Some(into), Json::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}

fn of_mapping(mapping: &Mapping) -> Json {
    let properties: Map<String, Json> =
        mapping.known().map(|key| (key.name.to_owned(), of_key(key))).collect();
    let required: Vec<&str> = mapping
        .known()
        .filter(|key| key.need == Need::Required && key.only.is_none())
        .map(|key| key.name)
        .collect();
    let mut rules: Vec<Json> = mapping.known().filter_map(rule).collect();
    if !mapping.any_of.is_empty() {
        let each: Vec<Json> =
            mapping.any_of.iter().map(|name| json!({"required": [name]})).collect();
        rules.push(json!({"anyOf": each}));
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    if !rules.is_empty() {
        merge(&mut schema, json!({"allOf": rules}));
    }
    schema
}

/// When a key can be used: only under a condition, under which it may be required.
fn rule(key: &'static Key) -> Option<Json> {
    let name = key.name;
    let condition = match key.only? {
        Only::With(other) => json!({"required": [other]}),
        Only::Without(other) => json!({"not": {"required": [other]}}),
        Only::When(other, words) => {
            json!({"required": [other], "properties": {other: {"enum": words}}})
        }
    };
    let mut rule = json!({"if": condition, "else": {"not": {"required": [name]}}});
    if key.need == Need::Required {
        merge(&mut rule, json!({"then": {"required": [name]}}));
    }
    // Without the other key nothing is known; that it is missing is another fault.
    if let Only::When(other, _) = key.only? {
        let known =
            json!({"properties": {other: {"not": {"pattern": VARIABLE}}}, "required": [other]});
        return Some(json!({"if": known, "then": rule}));
    }
    Some(rule)
}

fn of_key(key: &Key) -> Json {
    let mut schema = of_kind(&key.kind);
    let limits = key.kind.limits();
    let noun = key.kind.noun();
    let kind = if limits.is_empty() { noun.to_owned() } else { format!("{noun} {limits}") };
    let description = format!("{} ({kind}; since {})", key.doc, key.since);
    merge(&mut schema, json!({"description": description}));
    if let Some(default) = key.need.default().and_then(plain) {
        merge(&mut schema, json!({"default": default}));
    }
    schema
}

/// A default that is a scalar, as JSON.
fn plain(default: &str) -> Option<Json> {
    let scalar = !default.starts_with('{');
    scalar.then(|| serde_json::from_str(default).unwrap_or_else(|_| default.into()))
}

fn of_kind(kind: &Kind) -> Json {
    match kind {
        Kind::Text { min: 0, max } => {
            let pattern = format!("^$|{LINE}");
            json!({"type": "string", "maxLength": max, "pattern": pattern})
        }
        Kind::Text { min, max } => {
            json!({"type": "string", "minLength": min, "maxLength": max, "pattern": LINE})
        }
        Kind::Name { max } => or_variable(
            &json!({"type": "string", "maxLength": max, "pattern": "^[a-z0-9][a-z0-9._-]*$"}),
        ),
        Kind::Pattern { max } => {
            json!({"type": "string", "minLength": 1, "maxLength": max, "pattern": LINE})
        }
        Kind::Variable { max } => {
            json!({"type": "string", "maxLength": max, "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"})
        }
        Kind::Duration { .. } => or_variable(&json!({"type": "string", "pattern": DURATION})),
        Kind::Integer { min, max } => {
            or_variable(&json!({"type": "integer", "minimum": min, "maximum": max}))
        }
        Kind::Fraction => {
            or_variable(&json!({"type": "number", "exclusiveMinimum": 0, "maximum": 1}))
        }
        Kind::Json { .. } => json!({}),
        Kind::Percentage => or_variable(&json!({"type": "string", "pattern": PERCENTAGE})),
        Kind::OneOf { choice, .. } => {
            or_variable(&json!({"type": "string", "enum": choice.names()}))
        }
        Kind::Texts { max_items, max } => {
            one_or_many(&of_kind(&Kind::Text { min: 1, max: *max }), Some(*max_items))
        }
        Kind::Mapping(mapping) => of_mapping(mapping),
        Kind::List { item, max } => {
            json!({"type": "array", "items": of_key(item), "minItems": 1, "maxItems": max})
        }
        Kind::Thresholds => thresholds(),
        Kind::Percentile => {
            let names: Vec<&str> =
                Metric::ALL.into_iter().filter(|m| m.is_time()).map(Metric::name).collect();
            let pattern = format!(r"^({})\.p[0-9]+(\.[0-9]+)?$", names.join("|"));
            or_variable(&json!({"type": "string", "pattern": pattern}))
        }
        Kind::Metadata { .. } => json!({"$ref": format!("#/$defs/{METADATA}")}),
        Kind::Value { max, secret } => value(*max, secret),
        Kind::Values { max_items, max, secret } => json!({
            "type": "object", "maxProperties": max_items, "additionalProperties": value(*max, secret),
        }),
        Kind::Path { max } => {
            or_variable(&json!({"type": "string", "maxLength": max, "pattern": r"^\$[.\[]?"}))
        }
        Kind::Reserved => json!(false),
    }
}

/// A value, or a string with a variable in it.
fn or_variable(value: &Json) -> Json {
    json!({"anyOf": [value, {"type": "string", "pattern": VARIABLE}]})
}

/// A string, or a reference in its place.
fn value(max: usize, secret: &Mapping) -> Json {
    json!({"anyOf": [of_kind(&Kind::Text { min: 1, max }), of_mapping(secret)]})
}

/// A value, or a list of such values that is not empty.
fn one_or_many(item: &Json, max: Option<usize>) -> Json {
    let mut list = json!({"type": "array", "items": item, "minItems": 1});
    if let Some(max) = max {
        merge(&mut list, json!({"maxItems": max}));
    }
    json!({"anyOf": [item, list]})
}

fn thresholds() -> Json {
    let properties: Map<String, Json> = Metric::ALL
        .into_iter()
        .map(|metric| {
            let aggregate = match metric.kind() {
                metric::Kind::Time | metric::Kind::Ratio => r"(p\( *[0-9.]+ *\)|med|max)",
                metric::Kind::Share => "rate",
                metric::Kind::Event => "(rate|count)",
            };
            let limit = if metric.is_time() { "[0-9].*[a-z]" } else { "[0-9.]+" };
            let pattern = format!(r"^\s*{aggregate}\s*[<>]=?\s*[+]?{limit}\s*$");
            let expression = or_variable(&json!({"type": "string", "pattern": pattern}));
            let mut schema = one_or_many(&expression, None);
            merge(&mut schema, json!({"description": metric.definition().text}));
            (metric.name().to_owned(), schema)
        })
        .collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

/// Any value, in which an object with a key of `secret` is a reference.
fn metadata(secret: &Mapping) -> Json {
    let refers: Vec<Json> = secret.keys.iter().map(|key| json!({"required": [key.name]})).collect();
    let itself = json!({"$ref": format!("#/$defs/{METADATA}")});
    json!({
        "if": {"type": "object", "anyOf": refers},
        "then": of_mapping(secret),
        "else": {"items": itself, "additionalProperties": itself},
    })
}
