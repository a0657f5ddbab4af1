//! Observations page by page: by cursor from Langfuse 4, by number from Langfuse 3.

use serde_json::{Value as Json, json};

use super::observation::Observation;
use crate::langfuse::{ApiError, Client, Deadline};
use crate::text::clipped;

/// Rows in a page: the most that Langfuse 4 and Langfuse 3 give.
const ROWS: &str = "1000";
const ROWS_V1: &str = "100";
/// Characters of a cursor.
const CURSOR: usize = 4_000;
const V2: &str = "/api/public/v2/observations";
const V1: &str = "/api/public/observations";
pub(super) const TRACES: &str = "/api/public/traces";
/// What is asked of a row: everything but prompts, and what was said.
const FIELDS: &str = "core,basic,time,metadata,model,usage";
/// Metadata is cut at 200 characters unless it is named here.
const WHOLE: &str = "attributes.lk.llm_metrics,attributes.lk.tts_metrics";

/// From (included) to (excluded), RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    pub from: String,
    pub to: String,
}

/// Which observations.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'a> {
    pub session: Option<&'a str>,
    pub trace: Option<&'a str>,
    pub window: Option<&'a Window>,
    /// Names of spans; all when empty.
    pub names: &'a [&'a str],
    /// All when empty.
    pub environments: &'a [&'a str],
    /// A key of the metadata and the text it has.
    pub metadata: Option<(&'a str, &'a str)>,
    /// Long values of metadata, too.
    pub whole: bool,
}

/// One page.
#[derive(Debug, Default)]
pub struct Page {
    pub observations: Vec<Observation>,
    /// Rows that were none.
    pub unread: usize,
    /// Where the next page begins; `None` when this was the last one.
    pub next: Option<String>,
}

/// A page of a Langfuse 4, the newest observations first.
pub async fn page(
    client: &Client,
    wanted: &Wanted<'_>,
    cursor: Option<&str>,
    until: Deadline,
) -> Result<Page, ApiError> {
    let filter = filter(wanted);
    let mut query = vec![("fields", FIELDS), ("limit", ROWS)];
    query.extend(wanted.session.map(|id| ("sessionId", id)));
    query.extend(wanted.trace.map(|id| ("traceId", id)));
    if let Some(window) = wanted.window {
        query
            .extend([("fromStartTime", window.from.as_str()), ("toStartTime", window.to.as_str())]);
    }
    query.extend(wanted.whole.then_some(("expandMetadata", WHOLE)));
    query.extend(filter.as_deref().map(|filter| ("filter", filter)));
    query.extend(cursor.map(|cursor| ("cursor", cursor)));
    let answer = client.get(V2, &query, until).await?;
    let next = answer.pointer("/meta/cursor").and_then(Json::as_str);
    let next = next.filter(|next| !next.is_empty() && next.len() <= CURSOR).map(str::to_owned);
    // A cursor that does not move would be asked for without end.
    if next.is_some() && next.as_deref() == cursor {
        return Err(client.unusable(V2, "its cursor leads nowhere"));
    }
    rows(client, V2, &answer, next)
}

/// Conditions that no parameter of their own has. They go before parameters of the same column.
fn filter(wanted: &Wanted<'_>) -> Option<String> {
    let any_of = |column: &str, values: &[&str]| {
        (!values.is_empty()).then(|| {
            json!({"type": "stringOptions", "column": column, "operator": "any of", "value": values})
        })
    };
    let metadata = wanted.metadata.map(|(key, value)| {
        json!({"type": "stringObject", "column": "metadata", "key": key, "operator": "=", "value": value})
    });
    let all = [any_of("name", wanted.names), any_of("environment", wanted.environments), metadata];
    let all: Vec<Json> = all.into_iter().flatten().collect();
    (!all.is_empty()).then(|| Json::Array(all).to_string())
}

/// The traces of a session, as Langfuse 3 knows them: a page of ids.
pub(super) async fn traces(
    client: &Client,
    session: &str,
    number: usize,
    until: Deadline,
) -> Result<(Vec<String>, bool), ApiError> {
    let number_text = number.to_string();
    let query = [("sessionId", session), ("limit", ROWS_V1), ("page", &number_text)];
    let answer = client.get(TRACES, &query, until).await?;
    let Some(data) = answer.get("data").and_then(Json::as_array) else {
        return Err(client.unusable(TRACES, "it has no `data`"));
    };
    let ids = data.iter().filter_map(|row| Some(clipped(row.get("id")?.as_str()?, 200)));
    Ok((ids.collect(), is_last(&answer, number)))
}

/// A page of a trace's observations from Langfuse 3.
pub(super) async fn page_v1(
    client: &Client,
    trace: &str,
    number: usize,
    until: Deadline,
) -> Result<Page, ApiError> {
    let number_text = number.to_string();
    let query = [("traceId", trace), ("limit", ROWS_V1), ("page", &number_text)];
    let answer = client.get(V1, &query, until).await?;
    let next = (!is_last(&answer, number)).then(|| (number + 1).to_string());
    rows(client, V1, &answer, next)
}

fn is_last(answer: &Json, number: usize) -> bool {
    let pages = answer.pointer("/meta/totalPages").and_then(Json::as_u64).unwrap_or(0);
    pages <= u64::try_from(number).unwrap_or(u64::MAX)
}

fn rows(
    client: &Client,
    path: &str,
    answer: &Json,
    next: Option<String>,
) -> Result<Page, ApiError> {
    let Some(data) = answer.get("data").and_then(Json::as_array) else {
        return Err(client.unusable(path, "it has no `data`"));
    };
    let observations: Vec<Observation> = data.iter().filter_map(Observation::read).collect();
    Ok(Page { unread: data.len() - observations.len(), observations, next })
}
