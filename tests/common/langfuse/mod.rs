//! The read API of Langfuse 4 on loopback, over spans that a test makes up.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::http::{Answer, Request, Server};

pub(crate) const PUBLIC_KEY: &str = "pk-lf-test";
pub(crate) const SECRET_KEY: &str = "sk-lf-the-secret-part";
/// Both keys as they are sent.
pub(crate) const TOKEN: &str = "cGstbGYtdGVzdDpzay1sZi10aGUtc2VjcmV0LXBhcnQ=";

/// Metadata that is not named in `expandMetadata` is cut here.
const CUT: usize = 200;

/// An observation, by what Langfuse keeps of it. Times are milliseconds since 1970.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) id: u64,
    pub(crate) parent: Option<u64>,
    pub(crate) session: Option<String>,
    pub(crate) environment: String,
    pub(crate) begin: i64,
    pub(crate) end: i64,
    pub(crate) attributes: Vec<(&'static str, String)>,
    pub(crate) error: Option<String>,
    /// Tokens in and out, and US dollars where they are known.
    pub(crate) usage: Option<(u64, u64, Option<f64>)>,
}

/// What is answered instead of what was asked for.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// A status, headers and a body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Nothing, for as long as the test runs.
    Silence,
}

/// A server until the end of the test's process.
pub(crate) struct Langfuse(Server);

impl Langfuse {
    /// `faults` is asked with the number of each request, from 0.
    pub(crate) fn start(
        mut rows: Vec<Row>,
        mut faults: impl FnMut(usize) -> Option<Fault> + Send + 'static,
    ) -> Self {
        // The newest first, as Langfuse has them.
        rows.sort_by_key(|row| (std::cmp::Reverse(row.begin), std::cmp::Reverse(row.id)));
        let mut numbers = 0..;
        Self(Server::start(move |request| match faults(numbers.next().unwrap()) {
            Some(Fault::Silence) => None,
            Some(Fault::Answer(status, headers, body)) => Some(Answer { status, headers, body }),
            None => Some(answer(&rows, request)),
        }))
    }

    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.0.arrived()
    }
}

/// What is answered to keys that are not the project's.
pub(crate) fn refused(request: &Request) -> Option<Answer> {
    let is_known = request.headers.get("authorization") == Some(&format!("Basic {TOKEN}"));
    let body = json!({"message": "Invalid credentials"});
    (!is_known).then(|| Answer::new(401, &body.to_string()))
}

fn answer(rows: &[Row], request: &Request) -> Answer {
    if let Some(refused) = refused(request) {
        return refused;
    }
    match request.path.as_str() {
        "/api/public/v2/observations" => match page(rows, &request.query) {
            Ok(page) => Answer::new(200, &page.to_string()),
            Err(why) => Answer::new(400, &json!({"message": why}).to_string()),
        },
        _ => Answer::new(404, &json!({"message": "not found"}).to_string()),
    }
}

/// A page as the route `GET /api/public/v2/observations` makes it.
fn page(rows: &[Row], query: &BTreeMap<String, String>) -> Result<Value, String> {
    let known = [
        "fields",
        "limit",
        "sessionId",
        "fromStartTime",
        "toStartTime",
        "expandMetadata",
        "filter",
        "cursor",
        "traceId",
    ];
    if let Some(name) = query.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("unknown parameter {name}"));
    }
    let filter: Vec<Value> = match query.get("filter") {
        Some(text) => serde_json::from_str(text).map_err(|e| e.to_string())?,
        None => Vec::new(),
    };
    let time = |name: &str| match query.get(name) {
        Some(text) => text.parse::<Timestamp>().map(|at| Some(at.as_millisecond())),
        None => Ok(None),
    };
    let (from, to) = (
        time("fromStartTime").map_err(|e| e.to_string())?,
        time("toStartTime").map_err(|e| e.to_string())?,
    );
    let limit: usize =
        query.get("limit").map_or(Ok(50), |text| text.parse()).map_err(|_| "limit")?;
    if limit > 1000 {
        return Err("limit must be at most 1000".to_owned());
    }
    let begin: usize =
        query.get("cursor").map_or(Ok(0), |text| text.parse()).map_err(|_| "cursor")?;
    let wanted = |row: &Row| {
        from.is_none_or(|from| row.begin >= from)
            && to.is_none_or(|to| row.begin < to)
            && query.get("sessionId").is_none_or(|id| row.session.as_ref() == Some(id))
            && query.get("traceId").is_none_or(|id| row.trace == *id)
            && filter.iter().all(|condition| meets(row, condition))
    };
    // The cursor is the place of the next row among all.
    let mut data = Vec::new();
    let mut next = None;
    for (at, row) in rows.iter().enumerate().skip(begin).filter(|(_, row)| wanted(row)) {
        if data.len() == limit {
            next = Some(at);
            break;
        }
        data.push(observation(row, query));
    }
    let meta = next.map_or(json!({}), |next| json!({"cursor": next.to_string()}));
    Ok(json!({"data": data, "meta": meta}))
}

fn meets(row: &Row, condition: &Value) -> bool {
    let text = |name: &str| condition[name].as_str().unwrap_or_default();
    let among = |value: &str| condition["value"].as_array().unwrap().iter().any(|v| v == value);
    match (text("type"), text("column"), text("operator")) {
        ("stringOptions", "name", "any of") => among(&row.name),
        ("stringOptions", "environment", "any of") => among(&row.environment),
        ("stringObject", "metadata", "=") => {
            let key = text("key").strip_prefix("attributes.").unwrap_or_default();
            row.attributes.iter().any(|(name, value)| *name == key && value == text("value"))
        }
        _ => panic!("a condition that this server does not know: {condition}"),
    }
}

/// Only the groups of fields that were asked for.
pub(crate) fn observation(row: &Row, query: &BTreeMap<String, String>) -> Value {
    let asked = query.get("fields").map_or("core,basic", String::as_str);
    let has = |group: &str| asked.split(',').any(|name| name == group);
    let stamp = |ms: i64| format!("{:.3}", Timestamp::from_millisecond(ms).unwrap());
    let mut all = Map::new();
    let mut put = |group: &str, name: &str, value: Value| {
        if group == "core" || has(group) {
            all.insert(name.to_owned(), value);
        }
    };
    put("core", "id", json!(format!("{:016x}", row.id)));
    put("core", "traceId", json!(row.trace));
    put("core", "projectId", json!("p1"));
    let parent = row.parent.map(|id| format!("{id:016x}"));
    put("core", "parentObservationId", json!(parent));
    put("core", "type", json!("SPAN"));
    put("core", "startTime", json!(stamp(row.begin)));
    put("core", "endTime", json!(stamp(row.end)));
    put("basic", "name", json!(row.name));
    put("basic", "sessionId", json!(row.session));
    put("basic", "environment", json!(row.environment));
    put("basic", "level", json!(if row.error.is_some() { "ERROR" } else { "DEFAULT" }));
    put("basic", "statusMessage", json!(row.error));
    put("io", "input", json!("x".repeat(10_000)));
    let expanded = query.get("expandMetadata").map_or("", String::as_str);
    let metadata = row.attributes.iter().map(|(name, value)| {
        let key = format!("attributes.{name}");
        let whole = expanded.split(',').any(|name| name == key);
        let cut: String = value.chars().take(if whole { usize::MAX } else { CUT }).collect();
        (key, json!(cut))
    });
    put("metadata", "metadata", Value::Object(metadata.collect()));
    if let Some((input, output, cost)) = row.usage {
        put("model", "providedModelName", json!("gpt-4.1-mini"));
        put(
            "usage",
            "usageDetails",
            json!({"input": input, "output": output, "total": input + output}),
        );
        put("usage", "costDetails", cost.map_or(json!({}), |cost| json!({"total": cost})));
        put("usage", "totalCost", json!(cost.unwrap_or(0.0)));
    }
    Value::Object(all)
}
