//! Which call or session is meant: a call of a run by its number, or a session that may be a call of a run under
//! the folder of reports.

use super::given;
use crate::cli::args::TraceArgs;
use crate::cli::failure::Failure;
use crate::files;
use crate::record::store::{self, FILE_NAME};
use crate::record::{CallId, CallRecord, Observation, trace_id};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Runs that are looked through, the newest first.
const RUNS: usize = 1_000;
/// Calls of a run whose traces are known by their numbers alone.
const CALLS: u32 = 5_000;
/// Bytes that are read at a time.
const CHUNK: usize = 1 << 16;

/// What is meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A call of the run at this place; `None` where it holds one alone.
    Call {
        run: PathBuf,
        call: Option<CallId>,
    },
    Session(String),
}

pub(super) fn find(args: &TraceArgs) -> Result<Target, Failure> {
    let path = Path::new(&args.target);
    let is_run = path.is_dir() || path.extension().is_some_and(|e| e == "jsonl");
    if is_run || args.call.is_some() {
        return Ok(Target::Call { run: path.to_path_buf(), call: args.call.map(CallId) });
    }
    let id = given::id(&args.target);
    if id.is_empty() {
        return Err(Failure::usage("the session's id is empty")
            .hint("name a run and a call, such as reports/latest 7, or a session's id"));
    }
    let mut runs = runs(&args.reports);
    runs.truncate(RUNS);
    let found = runs.into_iter().find_map(|run| Some((call_of(&run, &id)?, run)));
    Ok(match found {
        Some((call, run)) => Target::Call { run, call: Some(call) },
        None => Target::Session(id),
    })
}

/// A run does not hold the call that was named.
pub(super) fn no_such_call(id: Option<CallId>, known: Option<(u32, u32)>) -> Failure {
    let Some(CallId(id)) = id else { return Failure::usage("the run holds no calls") };
    let range = match known {
        Some((first, last)) => format!("its calls are {first} to {last}"),
        None => "it has no calls".to_owned(),
    };
    Failure::usage(format!("the run has no call {id}: {range}"))
}

/// Recordings in a folder and in those of its runs that hold several (`a` and `b`, `1`, `2` …), the newest first: the
/// names of runs begin with their times.
fn runs(reports: &Path) -> Vec<PathBuf> {
    let inside = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        // `latest` is one of the others.
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut folders: Vec<PathBuf> = folders.map(|entry| entry.path()).collect();
        folders.sort();
        folders.reverse();
        folders
    };
    let holds = |folder: &PathBuf| folder.join(FILE_NAME).is_file();
    let mut runs = Vec::new();
    for folder in inside(reports) {
        if holds(&folder) {
            runs.push(folder);
        } else {
            runs.extend(inside(&folder).into_iter().filter(holds));
        }
        if runs.len() >= RUNS {
            break;
        }
    }
    runs
}

/// The call of a run that has this room, or this trace.
fn call_of(run: &Path, id: &str) -> Option<CallId> {
    if id.len() == 32
        && let Ok(wanted) = u128::from_str_radix(id, 16)
    {
        let head = store::open(run).ok()?.head;
        let is_wanted = |n: &u32| u128::from_be_bytes(trace_id(&head.run_id, CallId(*n))) == wanted;
        if let Some(n) = (0..CALLS).find(is_wanted) {
            return Some(CallId(n));
        }
    }
    // As it stands in the file.
    let needle = serde_json::to_string(id).ok()?;
    if !mentions(&run.join(FILE_NAME), needle.as_bytes()) {
        return None;
    }
    let calls = store::open(run).ok()?.calls;
    calls.filter_map(Result::ok).find(|call| is_of(call, id)).map(|call| call.id)
}

fn is_of(call: &CallRecord, id: &str) -> bool {
    let sid =
        |what: &Observation| matches!(what, Observation::Connected { room_sid } if room_sid == id);
    call.room == id || call.log.iter().any(|seen| sid(&seen.what))
}

/// Whether a file holds these bytes, read piece by piece.
fn mentions(path: &Path, needle: &[u8]) -> bool {
    let Ok(mut file) = files::open(path) else { return false };
    let mut window: Vec<u8> = Vec::new();
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = file.read(&mut chunk) {
        window.extend_from_slice(&chunk[..read]);
        if window.windows(needle.len().max(1)).any(|bytes| bytes == needle) {
            return true;
        }
        // What may be the beginning of it goes on with the next piece.
        let kept = window.len().min(needle.len());
        window.drain(..window.len() - kept);
    }
    false
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test of files")]
mod tests {
    use super::*;
    use crate::record::store::testing;

    #[test]
    fn a_session_is_found_among_the_runs() {
        let reports = tempfile::tempdir().unwrap();
        for (folder, seed) in [("20261201-a", 1), ("20261202-ab/a", 2), ("20261203-c", 3)] {
            let folder = reports.path().join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            testing::large(&folder, 5, 3, seed).unwrap();
        }
        let all = runs(reports.path());
        assert_eq!(all.len(), 3);
        assert!(all[0].ends_with("20261203-c") && all[1].ends_with("20261202-ab/a"));
        let first = store::open(&all[1]).unwrap();
        let run_id = first.head.run_id.clone();
        let call = first.calls.filter_map(Result::ok).nth(3).unwrap();
        assert_eq!(call_of(&all[1], &call.room), Some(call.id));
        let trace = u128::from_be_bytes(trace_id(&run_id, CallId(4)));
        assert_eq!(call_of(&all[1], &format!("{trace:032x}")), Some(CallId(4)));
        assert_eq!(call_of(&all[1], "room-of-nobody"), None);
        // A part of a name is no name.
        assert_eq!(call_of(&all[1], &call.room[1..]), None);
    }
}
