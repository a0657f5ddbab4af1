//! The agent's spans by the id of a trace: all of the session that it is in, or its own where it is in none.

use serde_json::Value as Json;

use super::pages::{self, TRACES, Wanted};
use super::{Collected, SessionError, SessionSpans, Wait, known, read_trace_v1, read_v2, session};
use crate::langfuse::{ApiError, Client, Deadline};

/// What is known of a trace.
enum Found {
    /// The session it is in.
    In(String),
    /// It is in no session.
    Alone(Collected),
    Nothing,
}

/// The spans of the session of trace `id` (32 hexadecimal digits), of the trace alone where it has no session; a session
/// may also have such an id for a name.
pub async fn trace(
    client: &Client,
    id: &str,
    until: Deadline,
) -> Result<SessionSpans, SessionError> {
    let found = match find(client, id, until).await {
        // A server that writes as Langfuse 3 did has the spans elsewhere.
        Err(ApiError::NotFound { .. }) => find_v1(client, id, until).await?,
        other => other?,
    };
    match found {
        Found::In(of) => session(client, &of, None, Wait::No, until).await,
        Found::Nothing => session(client, id, None, Wait::No, until).await,
        Found::Alone(all) => {
            let address = all
                .project
                .as_ref()
                .map(|project| client.project().page(&["project", project.as_str(), "traces", id]));
            known(client, SessionSpans { address, ..all.finish(client, id) })
        }
    }
}

async fn find(client: &Client, id: &str, until: Deadline) -> Result<Found, ApiError> {
    let wanted = Wanted { trace: Some(id), whole: true, ..Wanted::default() };
    let first = pages::page(client, &wanted, None, until).await?;
    if let Some(of) = first.observations.iter().find_map(|row| row.span.session()) {
        return Ok(Found::In(of.to_owned()));
    }
    if first.observations.is_empty() {
        return Ok(Found::Nothing);
    }
    let mut all = Collected::default();
    read_v2(client, &wanted, until, &mut all).await?;
    Ok(Found::Alone(all))
}

async fn find_v1(client: &Client, id: &str, until: Deadline) -> Result<Found, ApiError> {
    let trace = match client.get(&format!("{TRACES}/{id}"), &[], until).await {
        Err(ApiError::NotFound { .. }) => return Ok(Found::Nothing),
        other => other?,
    };
    let of = trace.get("sessionId").and_then(Json::as_str).filter(|of| !of.is_empty());
    if let Some(of) = of {
        return Ok(Found::In(of.to_owned()));
    }
    let mut all = Collected::default();
    read_trace_v1(client, id, until, &mut all).await?;
    Ok(Found::Alone(all))
}
