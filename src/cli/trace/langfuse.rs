//! The agent's spans of a call or session, out of Langfuse.

use super::given;
use super::got::Got;
use crate::cli::args::TraceArgs;
use crate::cli::failure::Failure;
use crate::cli::machine;
use crate::cli::terminal::eprint_line;
use crate::clock::wall_now;
use crate::langfuse::{Client, Deadline, Project};
use crate::report::trace::Origin;
use crate::spans::langfuse::{
    SessionError, SessionSpans, Wait, Window, session, session_of_room, trace,
};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// For one attempt at a request.
const REQUEST: Duration = Duration::from_secs(30);
/// For all requests of a session that is there already, where `--wait` is shorter.
const LEAST: Duration = Duration::from_secs(30);
/// A call that ended so long ago has its spans there, or never will.
const RECENT: SignedDuration = SignedDuration::from_mins(15);
/// Clocks of machines may differ by this.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked<'a> {
    /// A call of ours: its room and the room's id, and when it was dialled and ended.
    Call { room: &'a str, sid: Option<&'a str>, during: Option<(Timestamp, Timestamp)> },
    /// Anything that people have at hand.
    Session(&'a str),
}

/// The spans, or why there are none.
pub(super) fn read(
    project: &Project,
    args: &TraceArgs,
    asked: Asked<'_>,
) -> Result<Result<Got, SessionError>, Failure> {
    let client = match Client::new(project, REQUEST) {
        Ok(client) => client,
        Err(why) => return Ok(Err(why.into())),
    };
    let runtime = machine::runtime(Some(1))?;
    let found = runtime.block_on(find(&client, args, asked));
    machine::shut_down(runtime);
    Ok(found.map(|found| {
        if found.cut {
            eprint_line("note: Langfuse has more spans of this session than are read");
        }
        let links = found.address.into_iter().collect();
        Got { spans: found.spans, origin: Origin::Langfuse, links, session: Some(found.session) }
    }))
}

async fn find(
    client: &Client,
    args: &TraceArgs,
    asked: Asked<'_>,
) -> Result<SessionSpans, SessionError> {
    match asked {
        Asked::Call { room, sid, during } => {
            let wait = match during {
                Some((_, ended)) if is_recent(ended) => Wait::UntilEnded,
                Some(_) | None => Wait::No,
            };
            let until = Deadline::after(args.wait.max(LEAST));
            if wait == Wait::UntilEnded && !args.quiet {
                let most = until.within().as_secs();
                eprint_line(&format!("waiting up to {most} s for the agent's spans in Langfuse"));
            }
            let window = during.and_then(window);
            let by_name = session(client, room, window.as_ref(), wait, until).await;
            // An agent that names no session has the room's id for one.
            match (by_name, sid) {
                (
                    Err(
                        SessionError::Unknown { .. }
                        | SessionError::OnlyOurs { .. }
                        | SessionError::NotYet { .. },
                    ),
                    Some(sid),
                ) => {
                    let until = Deadline::after(LEAST);
                    by_room(client, sid, room, window.as_ref(), until).await
                }
                (found, _) => found,
            }
        }
        Asked::Session(id) => {
            let until = Deadline::after(args.wait.max(LEAST));
            if given::is_trace(id) {
                return trace(client, &id.to_ascii_lowercase(), until).await;
            }
            if id.starts_with("RM_") {
                return by_room(client, id, id, None, until).await;
            }
            session(client, id, None, Wait::No, until).await
        }
    }
}

/// The session that the spans of a room belong to.
async fn by_room(
    client: &Client,
    sid: &str,
    named: &str,
    window: Option<&Window>,
    until: Deadline,
) -> Result<SessionSpans, SessionError> {
    let of = session_of_room(client, sid, window, until).await?;
    session(client, of.as_deref().unwrap_or(named), window, Wait::No, until).await
}

fn is_recent(ended: Timestamp) -> bool {
    Timestamp::try_from(wall_now()).is_ok_and(|now| now.duration_since(ended) < RECENT)
}

/// When the spans of a call can have begun.
fn window((dialled, ended): (Timestamp, Timestamp)) -> Option<Window> {
    let from = dialled.checked_sub(MARGIN).ok()?;
    let to = ended.checked_add(MARGIN).ok()?;
    Some(Window { from: format!("{from:.3}"), to: format!("{to:.3}") })
}
