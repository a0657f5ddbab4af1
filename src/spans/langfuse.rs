//! The agent's spans of a session, out of Langfuse.

mod observation;
mod pages;
mod trace;

use std::collections::BTreeSet;
use std::time::Duration;

use super::AgentSpan;
use crate::langfuse::{ApiError, Client, Deadline};
use crate::text::{clipped, safe};
pub use observation::Observation;
pub use pages::{Page, Wanted, Window, page};
pub use trace::trace;

/// Spans of one session that are kept: a call of an hour has some ten thousand.
const SPANS: usize = 50_000;
/// Between two looks for spans that are not there yet, at most: ten a minute leave room in the smallest limit (30).
const POLL: Duration = Duration::from_secs(6);
/// Looks within a deadline that is short.
const LOOKS: u32 = 10;
/// The span that ends with the agent's session, and comes when all others are there.
const LAST: &str = "agent_session";

/// The agent's spans of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionSpans {
    pub session: String,
    /// By their begin.
    pub spans: Vec<AgentSpan>,
    /// The agent's session has ended and its spans are all there; else more may come.
    pub ended: bool,
    /// Spans that loadcall sent itself, which are left out.
    pub ours: usize,
    /// There are more spans than are read.
    pub cut: bool,
    /// Where Langfuse shows the session.
    pub address: Option<String>,
}

/// Whether spans that are not there yet are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// What is there is all: a production session, or one of long ago.
    No,
    /// Until the agent's session has ended, or the deadline is over: a call that has just ended.
    UntilEnded,
}

/// Why there are no spans.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(
        "Langfuse at {url} has no session `{session}`: the agent stamps its spans with `session.id`, which should be the name of the room, or with the id of the room (RM_…); look at its sessions, and at LANGFUSE_PUBLIC_KEY, which chooses the project"
    )]
    Unknown { url: String, session: String },
    #[error(
        "session `{session}` in Langfuse at {url} holds spans of loadcall alone: the agent sends its spans elsewhere, or with another `session.id`"
    )]
    OnlyOurs { url: String, session: String },
    #[error(
        "the agent's spans of session `{session}` were not in Langfuse at {url} after {seconds} s: they come when the agent's session has ended and its exporter was flushed; ask again later"
    )]
    NotYet { url: String, session: String, seconds: u64 },
}

/// The agent's spans of a session. `window` spares Langfuse a search through all of time.
pub async fn session(
    client: &Client,
    session: &str,
    window: Option<&Window>,
    wait: Wait,
    until: Deadline,
) -> Result<SessionSpans, SessionError> {
    let pause = POLL.min(until.within() / LOOKS);
    loop {
        let found = read(client, session, window, until).await?;
        let late = until.left() <= pause;
        if found.ended || wait == Wait::No || (late && !found.spans.is_empty()) {
            return known(client, found);
        }
        if late {
            let seconds = until.within().as_secs();
            return Err(SessionError::NotYet {
                url: url(client),
                session: shown(session),
                seconds,
            });
        }
        tokio::time::sleep(pause).await;
    }
}

/// The session that the spans of a room belong to, by the room's id (`RM_…`); `None` when no span tells of it.
pub async fn session_of_room(
    client: &Client,
    room_sid: &str,
    window: Option<&Window>,
    until: Deadline,
) -> Result<Option<String>, ApiError> {
    // Every name under which agents of some version write it; the first is a session of that id.
    let keys = ["attributes.room_id", "attributes.lk.room_id", "attributes.lk.room_sid"];
    let by_key =
        keys.iter().map(|key| Wanted { metadata: Some((key, room_sid)), ..Wanted::default() });
    let by_id = Wanted { session: Some(room_sid), ..Wanted::default() };
    for wanted in std::iter::once(by_id).chain(by_key) {
        let found = page(client, &Wanted { window, ..wanted }, None, until).await?;
        let mut agents = found.observations.iter().filter(|o| !o.ours);
        if let Some(id) = agents.find_map(|o| o.span.session()) {
            return Ok(Some(id.to_owned()));
        }
    }
    Ok(None)
}

fn known(client: &Client, found: SessionSpans) -> Result<SessionSpans, SessionError> {
    let (url, session) = (url(client), shown(&found.session));
    match (found.spans.is_empty(), found.ours) {
        (false, _) => Ok(found),
        (true, 0) => Err(SessionError::Unknown { url, session }),
        (true, _) => Err(SessionError::OnlyOurs { url, session }),
    }
}

async fn read(
    client: &Client,
    session: &str,
    window: Option<&Window>,
    until: Deadline,
) -> Result<SessionSpans, ApiError> {
    let mut all = Collected::default();
    let wanted = Wanted { session: Some(session), window, whole: true, ..Wanted::default() };
    match read_v2(client, &wanted, until, &mut all).await {
        // A server that writes as Langfuse 3 did has the spans elsewhere.
        Err(ApiError::NotFound { .. }) => read_v1(client, session, until, &mut all).await?,
        other => other?,
    }
    Ok(all.finish(client, session))
}

async fn read_v2(
    client: &Client,
    wanted: &Wanted<'_>,
    until: Deadline,
    all: &mut Collected,
) -> Result<(), ApiError> {
    let mut cursor: Option<String> = None;
    loop {
        let page = page(client, wanted, cursor.as_deref(), until).await?;
        cursor = all.add(page);
        if cursor.is_none() || all.cut {
            return Ok(());
        }
    }
}

async fn read_v1(
    client: &Client,
    session: &str,
    until: Deadline,
    all: &mut Collected,
) -> Result<(), ApiError> {
    for number in 1.. {
        let (ids, last) = pages::traces(client, session, number, until).await?;
        for id in &ids {
            read_trace_v1(client, id, until, all).await?;
        }
        if last || ids.is_empty() || all.cut {
            break;
        }
    }
    all.of_session(session);
    Ok(())
}

async fn read_trace_v1(
    client: &Client,
    trace: &str,
    until: Deadline,
    all: &mut Collected,
) -> Result<(), ApiError> {
    let mut next = Some(1);
    while let Some(number) = next.filter(|_| !all.cut) {
        let page = pages::page_v1(client, trace, number, until).await?;
        next = all.add(page).map(|_| number + 1);
    }
    Ok(())
}

/// The spans of a session as they come.
#[derive(Default)]
struct Collected {
    spans: Vec<AgentSpan>,
    seen: BTreeSet<String>,
    ours: usize,
    cut: bool,
    project: Option<String>,
}

impl Collected {
    /// Takes a page, and says where the next one is.
    fn add(&mut self, page: Page) -> Option<String> {
        for Observation { span, ours, project, .. } in page.observations {
            self.project = self.project.take().or(project);
            self.cut |= self.spans.len() >= SPANS;
            if self.cut || !self.seen.insert(span.span_id.clone()) {
                continue;
            }
            if ours {
                self.ours += 1;
            } else {
                self.spans.push(span);
            }
        }
        page.next
    }

    /// Rows of Langfuse 3 do not say which session they are of.
    fn of_session(&mut self, session: &str) {
        for span in &mut self.spans {
            let id = super::Value::Text(session.to_owned());
            span.attributes.entry("session.id".to_owned()).or_insert(id);
        }
    }

    fn finish(mut self, client: &Client, session: &str) -> SessionSpans {
        self.spans.sort_by(|a, b| (a.begin_ns, &a.span_id).cmp(&(b.begin_ns, &b.span_id)));
        SessionSpans {
            session: session.to_owned(),
            ended: self.spans.iter().any(|span| span.name == LAST),
            spans: self.spans,
            ours: self.ours,
            cut: self.cut,
            address: self.project.map(|project| address(client, &project, session)),
        }
    }
}

/// Where Langfuse shows a session.
pub fn address(client: &Client, project: &str, session: &str) -> String {
    client.project().page(&["project", project, "sessions", session])
}

fn url(client: &Client) -> String {
    client.project().url()
}

fn shown(session: &str) -> String {
    clipped(&safe(session), 100)
}

#[cfg(test)]
mod tests;
