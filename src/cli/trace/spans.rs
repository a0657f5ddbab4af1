//! The agent's spans of a call, from where they are: a file that is named, the run's own folder, Langfuse.

use super::got::Got;
use super::langfuse::{self, Asked};
use crate::cli::args::TraceArgs;
use crate::cli::failure::Failure;
use crate::cli::terminal::eprint_line;
use crate::cli::traces;
use crate::report::trace::Origin;
use crate::spans::langfuse::SessionError;
use crate::spans::timeline::Wanted;
use crate::spans::{AgentSpan, file, store};
use crate::text::{clipped, count};
use std::collections::BTreeSet;
use std::path::Path;

/// Sessions of a file that are named where none of them is the one that was asked for.
const NAMED: usize = 5;

/// The spans of what is wanted; `run` is the folder of its run.
pub(super) fn get(
    args: &TraceArgs,
    wanted: &Wanted,
    run: Option<&Path>,
    asked: Asked<'_>,
) -> Result<Got, Failure> {
    if let Some(path) = &args.spans {
        return of_file(path, wanted);
    }
    if let Some(folder) = run
        && let Some(spans) = of_run(folder, wanted)?
    {
        return Ok(Got::from(Origin::Run, spans));
    }
    let Some(project) = traces::project_of_keys(&args.langfuse)? else {
        return Ok(Got::from(unknown(), Vec::new()));
    };
    match (langfuse::read(&project, args, asked)?, run) {
        (Ok(got), _) => Ok(got),
        // What was heard is there all the same.
        (Err(why), Some(_)) => {
            let remedy =
                "`loadcall run --otlp-receiver` takes its spans without Langfuse".to_owned();
            let origin = Origin::Unknown { why: why.to_string(), remedy };
            Ok(Got::from(origin, Vec::new()))
        }
        (Err(why), None) => Err(not_got(args, &why)),
    }
}

/// Langfuse gave no spans of a session, and no run has a call of that session.
fn not_got(args: &TraceArgs, why: &SessionError) -> Failure {
    match why {
        SessionError::Api(why) if !why.is_final() => Failure::nothing_measured(why),
        SessionError::Api(why) => Failure::usage(why),
        SessionError::Unknown { .. }
        | SessionError::OnlyOurs { .. }
        | SessionError::NotYet { .. } => {
            let place = args.reports.display();
            Failure::usage(why).hint(format!("no run in `{place}` has a call of it either"))
        }
    }
}

fn of_file(path: &Path, wanted: &Wanted) -> Result<Got, Failure> {
    let found = file::read(path).map_err(Failure::usage)?;
    let shown = path.display().to_string();
    if found.dropped > 0 {
        eprint_line(&format!("note: `{shown}`: {} left out", spans(found.dropped)));
    }
    let origin = Origin::File(shown.clone());
    let own = wanted.choose(&found.spans);
    if own.is_empty() {
        let sessions: BTreeSet<&str> = found.spans.iter().filter_map(AgentSpan::session).collect();
        let named: Vec<String> =
            sessions.iter().take(NAMED).map(|name| format!("`{}`", clipped(name, 80))).collect();
        let hint = match (named.is_empty(), sessions.len() > NAMED) {
            (true, _) => "its spans name no session (`session.id`)".to_owned(),
            (false, false) => format!("it holds {}", named.join(", ")),
            (false, true) => format!("it holds {} and others", named.join(", ")),
        };
        return Err(Failure::usage(format!("`{shown}` holds no spans of this session")).hint(hint));
    }
    Ok(Got::from(origin, own))
}

/// Those that came while the run was placed; `None` where none did.
fn of_run(folder: &Path, wanted: &Wanted) -> Result<Option<Vec<AgentSpan>>, Failure> {
    let says = match store::read(folder, |span| wanted.says(span)) {
        Ok(found) => found.spans,
        Err(e) if e.is_missing() => return Ok(None),
        Err(e) => return Err(Failure::usage(e)),
    };
    if says.is_empty() {
        return Ok(None);
    }
    let with = wanted.with_traces_of(&says);
    let found = store::read(folder, |span| with.holds(span)).map_err(Failure::usage)?;
    if found.dropped > 0 {
        eprint_line(&format!("note: the run left out {}", spans(found.dropped)));
    }
    Ok(Some(found.spans))
}

fn spans(n: u64) -> String {
    count(usize::try_from(n).unwrap_or(usize::MAX), "span")
}

fn unknown() -> Origin {
    Origin::Unknown {
        why: "the run holds no spans of it, and Langfuse is not set up".to_owned(),
        remedy:
            "place calls with --otlp-receiver, set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, or \
                 name a file with --spans"
                .to_owned(),
    }
}

/// No run has a call of this session, and there was nobody else to ask.
pub(super) fn unknown_session(args: &TraceArgs, id: &str) -> Failure {
    let (place, id) = (args.reports.display(), clipped(id, 200));
    Failure::usage(format!("no run in `{place}` has a call of session `{id}`")).hint(
        "set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY to read it from Langfuse, or name a file with \
         --spans",
    )
}
