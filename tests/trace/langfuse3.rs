//! The read API of Langfuse 3 on loopback: traces by session, observations by trace, pages by number. Its routes of
//! version 2 answer as those of a Langfuse 4 that writes the tables of Langfuse 3.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::http::{Answer, Request, Server};
use crate::langfuse::{Row, observation, refused};

/// Rows of a page, where Langfuse gives up to a hundred.
const PAGE: usize = 7;

pub(crate) fn start(rows: Vec<Row>) -> Server {
    Server::start(move |request| refused(request).unwrap_or_else(|| answer(&rows, request)))
}

fn answer(rows: &[Row], request: &Request) -> Answer {
    let query = &request.query;
    let path = request.path.strip_prefix("/api/public/").unwrap_or_default();
    match path {
        "traces" => {
            let of_session =
                rows.iter().filter(|row| row.session == query.get("sessionId").cloned());
            let ids: BTreeSet<&String> = of_session.map(|row| &row.trace).collect();
            page(&ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>(), query)
        }
        "observations" => {
            let of_trace = rows.iter().filter(|row| query.get("traceId") == Some(&row.trace));
            page(&of_trace.map(older).collect::<Vec<_>>(), query)
        }
        _ => match path.strip_prefix("traces/") {
            Some(id) => match rows.iter().find(|row| row.trace == id) {
                Some(row) => {
                    let trace = json!({"id": row.trace, "sessionId": row.session});
                    Answer::new(200, &trace.to_string())
                }
                None => missing(&format!("Trace {id} not found within authorized project")),
            },
            None => missing(
                "The observations v2 API is only available in a Langfuse v4 write mode (dual or events_only).",
            ),
        },
    }
}

fn missing(message: &str) -> Answer {
    Answer::new(404, &json!({"message": message, "error": "LangfuseNotFoundError"}).to_string())
}

fn page(all: &[Value], query: &BTreeMap<String, String>) -> Answer {
    let number: usize = query["page"].parse().unwrap();
    let data: Vec<&Value> = all.iter().skip((number - 1) * PAGE).take(PAGE).collect();
    let pages = all.len().div_ceil(PAGE);
    Answer::new(
        200,
        &json!({"data": data, "meta": {"page": number, "totalPages": pages}}).to_string(),
    )
}

/// The row with nested metadata, and without the session, which only its trace has.
fn older(row: &Row) -> Value {
    let fields = "core,basic,time,metadata,model,usage".to_owned();
    let mut row = observation(row, &BTreeMap::from([("fields".to_owned(), fields)]));
    let flat = row["metadata"].as_object().unwrap().clone();
    let nested: Map<String, Value> = flat
        .into_iter()
        .map(|(name, value)| (name.trim_start_matches("attributes.").to_owned(), value))
        .collect();
    row["metadata"] = json!({"attributes": nested});
    row.as_object_mut().unwrap().remove("sessionId");
    row
}
