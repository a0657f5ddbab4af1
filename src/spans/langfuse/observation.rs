//! A row of Langfuse's API as the span it was made of. Langfuse 4 gives metadata with flat names and texts for
//! values, Langfuse 3 nested and typed; what it keeps in fields of its own gets the name it had as an attribute.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::spans::{AgentSpan, Value};
use crate::text::clipped;

/// Attributes of a span that are kept, and characters of the text of one.
const ATTRIBUTES: usize = 256;
const TEXT: usize = 8_192;
/// Characters of an id or a name.
const NAME: usize = 200;

/// A span with what Langfuse knows of it besides.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    pub span: AgentSpan,
    pub environment: Option<String>,
    /// The project it lies in, of which its address is made.
    pub project: Option<String>,
    /// loadcall made it.
    pub ours: bool,
    /// US dollars, where Langfuse knows them.
    pub cost: Option<f64>,
}

impl Observation {
    /// `None` when the row has no ids or no time, as no observation of Langfuse is without.
    pub fn read(row: &Json) -> Option<Self> {
        let text = |name| short(row, name);
        let begin_ns = nanoseconds(row.get("startTime")?)?;
        let end_ns = row.get("endTime").and_then(nanoseconds).unwrap_or(begin_ns).max(begin_ns);
        let name = text("name").unwrap_or_default();
        let mut attributes = BTreeMap::new();
        let (mut scope, mut room_sid) = (None, None);
        if let Some(Json::Object(metadata)) = row.get("metadata") {
            scope = part(metadata, "scope", "name");
            room_sid =
                metadata.get("room_sid").and_then(Json::as_str).map(|sid| clipped(sid, NAME));
            take(&mut attributes, metadata, "attributes");
            take(&mut attributes, metadata, "resourceAttributes");
        }
        let cost = cost(row);
        fields(&mut attributes, row, begin_ns, cost);
        let ours = name.starts_with("loadcall.") || scope.as_deref() == Some("loadcall");
        // Langfuse keeps the room of loadcall's own spans in their metadata, outside of their attributes.
        if let Some(sid) = room_sid.filter(|_| ours) {
            attributes.entry("lk.room_id".to_owned()).or_insert(Value::Text(sid));
        }
        let error = (row.get("level").and_then(Json::as_str) == Some("ERROR"))
            .then(|| row.get("statusMessage").and_then(Json::as_str).unwrap_or_default())
            .map(|text| clipped(text, TEXT));
        let span = AgentSpan {
            trace_id: text("traceId")?,
            span_id: text("id")?,
            parent_id: text("parentObservationId"),
            name,
            begin_ns,
            end_ns,
            attributes,
            error,
        };
        Some(Self {
            span,
            environment: text("environment"),
            project: text("projectId"),
            ours,
            cost,
        })
    }
}

/// What Langfuse keeps as fields, under the names that attributes of a span have, unless it has them.
fn fields(attributes: &mut BTreeMap<String, Value>, row: &Json, begin_ns: u64, cost: Option<f64>) {
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            attributes.entry(name.to_owned()).or_insert(value);
        }
    };
    let text = |names: &[&str]| {
        let found = names.iter().find_map(|name| short(row, name));
        found.map(Value::Text)
    };
    put("session.id", text(&["sessionId"]));
    put("deployment.environment.name", text(&["environment"]));
    put("gen_ai.request.model", text(&["providedModelName", "model"]));
    put("gen_ai.usage.input_tokens", tokens(row, "input"));
    put("gen_ai.usage.output_tokens", tokens(row, "output"));
    put("gen_ai.usage.cost", cost.map(Value::Number));
    let first = row.get("completionStartTime").and_then(nanoseconds);
    #[expect(clippy::cast_precision_loss, reason = "a duration is far below 2^52 ns")]
    let first = first.and_then(|at| Some(at.checked_sub(begin_ns)? as f64 / 1e9));
    put("gen_ai.response.time_to_first_chunk", first.map(Value::Number));
}

/// All tokens of a kind: Langfuse takes cached ones and such out of `input`, into keys that begin with it, or with
/// `cache`.
fn tokens(row: &Json, kind: &str) -> Option<Value> {
    let usage = row.get("usageDetails")?.as_object()?;
    let of_kind =
        |name: &str| name.starts_with(kind) || (kind == "input" && name.starts_with("cache"));
    let counts: Vec<i64> = usage
        .iter()
        .filter(|(name, _)| of_kind(name))
        .filter_map(|(_, count)| count.as_i64())
        .collect();
    (!counts.is_empty()).then(|| Value::Whole(counts.iter().fold(0, |a, b| a.saturating_add(*b))))
}

/// A cost of 0 without details is what Langfuse writes when it knows no price.
fn cost(row: &Json) -> Option<f64> {
    let total =
        ["totalCost", "calculatedTotalCost"].iter().find_map(|name| row.get(name)?.as_f64());
    let details = row.get("costDetails").and_then(Json::as_object);
    let known = details.is_some_and(|details| !details.is_empty());
    let total = total.or_else(|| details?.get("total")?.as_f64());
    total.filter(|cost| cost.is_finite() && *cost >= 0.0 && (*cost > 0.0 || known))
}

/// Adds the attributes below `prefix`, flat (`attributes.lk.x`) or nested (`attributes: {"lk.x": …}`), which may
/// also be a text of JSON. What is there already stays: a span's own go before its resource's.
fn take(attributes: &mut BTreeMap<String, Value>, metadata: &Map<String, Json>, prefix: &str) {
    let mut add = |name: &str, value: &Json| {
        let fits = attributes.len() < ATTRIBUTES && !name.is_empty();
        if let Some(value) = self::value(value).filter(|_| fits) {
            attributes.entry(clipped(name, NAME)).or_insert(value);
        }
    };
    for (name, value) in metadata {
        if let Some(name) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')) {
            add(name, value);
        }
    }
    let parsed;
    let nested = match metadata.get(prefix) {
        Some(Json::Object(nested)) => nested,
        Some(Json::String(text)) => match serde_json::from_str(text) {
            Ok(Json::Object(nested)) => {
                parsed = nested;
                &parsed
            }
            _ => return,
        },
        _ => return,
    };
    for (name, value) in nested {
        add(name, value);
    }
}

/// A value as OTLP would have it: `true` and `false` may have become texts.
fn value(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(yes) => Value::Yes(*yes),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Whole(whole),
            None => Value::Number(number.as_f64()?),
        },
        Json::String(text) if text == "true" => Value::Yes(true),
        Json::String(text) if text == "false" => Value::Yes(false),
        Json::String(text) => Value::Text(clipped(text, TEXT)),
        Json::Array(_) | Json::Object(_) => Value::Text(clipped(&value.to_string(), TEXT)),
    })
}

fn part(metadata: &Map<String, Json>, group: &str, name: &str) -> Option<String> {
    let nested = || metadata.get(group)?.get(name)?.as_str();
    let flat = metadata.get(&format!("{group}.{name}")).and_then(Json::as_str);
    flat.or_else(nested).map(|text| clipped(text, NAME))
}

/// A text that is not empty.
fn short(row: &Json, name: &str) -> Option<String> {
    let text = row.get(name)?.as_str()?;
    (!text.is_empty()).then(|| clipped(text, NAME))
}

fn nanoseconds(value: &Json) -> Option<u64> {
    let at: Timestamp = value.as_str()?.parse().ok()?;
    u64::try_from(at.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As Langfuse 4 gives it.
    fn flat() -> Json {
        json!({
            "id": "b7ad6b7169203331", "traceId": "0af7651916cd43dd8448eb211c80319c",
            "projectId": "p1", "parentObservationId": "00f067aa0ba902b7", "type": "GENERATION",
            "name": "llm_request", "level": "DEFAULT", "statusMessage": null,
            "environment": "production", "sessionId": "room-1",
            "startTime": "2026-12-01T10:00:00.000Z", "endTime": "2026-12-01T10:00:01.250Z",
            "completionStartTime": "2026-12-01T10:00:00.250Z",
            "providedModelName": "gpt-4.1-mini",
            "usageDetails": {"input": 100, "input_cached_tokens": 50, "output": 20, "total": 170},
            "costDetails": {"total": 0.002}, "totalCost": 0.002,
            "metadata": {
                "attributes.lk.retry_count": "1", "attributes.lk.interrupted": "true",
                "attributes.lk.room_sid": "RM_1", "resourceAttributes.service.name": "agent",
                "resourceAttributes.lk.room_sid": "RM_of_resource", "scope.name": "livekit-agents",
            },
        })
    }

    #[test]
    fn a_row_of_langfuse_4_is_the_span_it_was() {
        let observation = Observation::read(&flat()).unwrap();
        let span = &observation.span;
        assert_eq!(span.name, "llm_request");
        assert_eq!(span.begin_ns, 1_796_119_200_000_000_000);
        assert_eq!(span.end_ns - span.begin_ns, 1_250_000_000);
        assert_eq!(span.number("lk.retry_count"), Some(1.0));
        assert_eq!(span.attribute("lk.interrupted"), Some(&Value::Yes(true)));
        assert_eq!(span.text("lk.room_id"), Some("RM_1"));
        assert_eq!(span.text("service.name"), Some("agent"));
        assert_eq!(span.session(), Some("room-1"));
        assert_eq!(span.text("gen_ai.request.model"), Some("gpt-4.1-mini"));
        assert_eq!(span.number("gen_ai.usage.input_tokens"), Some(150.0));
        assert_eq!(span.number("gen_ai.usage.output_tokens"), Some(20.0));
        assert_eq!(span.number("gen_ai.response.time_to_first_chunk"), Some(0.25));
        assert_eq!(observation.cost, Some(0.002));
        assert!(!observation.ours && span.error.is_none());
    }

    #[test]
    fn a_row_of_langfuse_3_gives_the_same_span() {
        let mut nested = flat();
        let row = nested.as_object_mut().unwrap();
        row.remove("providedModelName");
        row.insert("model".to_owned(), json!("gpt-4.1-mini"));
        row.remove("totalCost");
        row.insert("calculatedTotalCost".to_owned(), json!(0.002));
        row.insert(
            "metadata".to_owned(),
            json!({
                "attributes": {"lk.retry_count": "1", "lk.interrupted": true, "lk.room_sid": "RM_1"},
                "resourceAttributes": {"service.name": "agent", "lk.room_sid": "RM_of_resource"},
                "scope": {"name": "livekit-agents"},
            }),
        );
        assert_eq!(Observation::read(&nested), Observation::read(&flat()));
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        let row = |change: Json| {
            let mut row = flat();
            let fields = change.as_object().unwrap().clone();
            row.as_object_mut().unwrap().extend(fields);
            Observation::read(&row)
        };
        let free = row(json!({"totalCost": 0, "costDetails": {}})).unwrap();
        assert_eq!(free.cost, None);
        assert_eq!(
            row(json!({"totalCost": 0, "costDetails": {"total": 0}})).unwrap().cost,
            Some(0.0)
        );
        assert_eq!(row(json!({"totalCost": -1})).unwrap().cost, None);
        let open = row(json!({"endTime": null, "completionStartTime": null})).unwrap();
        assert_eq!(open.span.begin_ns, open.span.end_ns);
        assert_eq!(open.span.number("gen_ai.response.time_to_first_chunk"), None);
        let failed = row(json!({"level": "ERROR", "statusMessage": null})).unwrap();
        assert_eq!(failed.span.error.as_deref(), Some(""));
        for broken in [json!({"startTime": "yesterday"}), json!({"id": 7}), json!({"traceId": ""})]
        {
            assert_eq!(row(broken), None);
        }
        assert_eq!(Observation::read(&json!("text")), None);
    }

    #[test]
    fn huge_rows_become_small() {
        let mut row = flat();
        let metadata: Map<String, Json> = (0..2_000)
            .map(|n| (format!("attributes.{n}.{}", "n".repeat(500)), json!("x".repeat(100_000))))
            .collect();
        row["metadata"] = Json::Object(metadata);
        row["name"] = json!("y".repeat(100_000));
        let span = Observation::read(&row).unwrap().span;
        assert!(span.attributes.len() <= ATTRIBUTES + 7);
        let all: usize = span
            .attributes
            .iter()
            .map(|(name, value)| match value {
                Value::Text(text) => name.len() + text.len(),
                Value::Yes(_) | Value::Whole(_) | Value::Number(_) => name.len(),
            })
            .sum();
        assert!(all < 3_000_000 && span.name.chars().count() == NAME + 1, "{all}");
    }
}
