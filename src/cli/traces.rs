//! Each ended call becomes a trace in Langfuse, when its keys are set. Nothing that goes wrong here
//! touches a call or the exit code.

use super::LangfuseArgs;
use super::failure::Failure;
use super::progress::Verbosity;
use super::terminal::eprint_line;
use crate::export::langfuse::{Langfuse, Settings};
use crate::export::{export_run, trace};
use crate::langfuse::{Given, Project};
use crate::record::store::{self, Recording};
use crate::scenario::Scenario;
use crate::text::count;
use crate::turn;
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

/// How long the traces of one call may take to be sent, and all of a run.
const CALL_DEADLINE: Duration = Duration::from_secs(10);
const RUN_DEADLINE: Duration = Duration::from_secs(60);

/// The Langfuse that is set up, if any. Settings that cannot work are found before the first call.
pub(super) fn langfuse(args: &LangfuseArgs, run_id: &str) -> Result<Option<Langfuse>, Failure> {
    let (public_key, secret_key) = match (&args.public_key, &args.secret_key) {
        (Some(public_key), Some(secret_key)) => (public_key.clone(), secret_key.clone()),
        (None, None) => return Ok(None),
        (Some(_), None) | (None, Some(_)) => {
            eprint_line(
                "note: no traces are sent to Langfuse, which needs both LANGFUSE_PUBLIC_KEY and \
                 LANGFUSE_SECRET_KEY",
            );
            return Ok(None);
        }
    };
    let given = Given {
        public_key,
        secret_key,
        base_url: args.base_url.clone(),
        environment: args.environment.clone(),
    };
    let project = Project::new(&given).map_err(Failure::usage)?;
    let settings = Settings { project, run_id: run_id.to_owned(), deadline: CALL_DEADLINE };
    Langfuse::new(&settings).map(Some).map_err(Failure::usage)
}

/// Sends a trace for each call of the recording in a folder, one after another, and says what did not arrive.
pub(super) async fn send(langfuse: Langfuse, folder: &Path, scenario: &Scenario, how: Verbosity) {
    let untraced =
        |e: &dyn Display| eprint_line(&format!("warning: no call was traced in Langfuse: {e}"));
    let Recording { head, calls } = match store::open(folder) {
        Ok(recording) => recording,
        Err(e) => return untraced(&e),
    };
    if let Err(e) = trace::started_at(&head) {
        return untraced(&e);
    }
    let mut unread = None;
    let spans = calls.filter_map(|call| match call {
        Ok(call) => trace::call_spans(&head, scenario, &call, &turn::turns(&call, scenario)).ok(),
        Err(e) => {
            unread = Some(e);
            None
        }
    });
    let place = langfuse.url().to_owned();
    let summary = export_run(langfuse, spans, RUN_DEADLINE).await;
    if summary.sent > 0 && how == Verbosity::Normal {
        eprint_line(&format!("{} sent to Langfuse at {place}", count(summary.sent, "trace")));
    }
    if let Some(e) = unread {
        eprint_line(&format!("warning: some calls were not traced in Langfuse: {e}"));
    }
    for (reason, count) in &summary.failed {
        let calls = if *count == 1 { "call was" } else { "calls were" };
        eprint_line(&format!("warning: {count} {calls} not traced in Langfuse: {reason}"));
    }
}
