//! Where things lie: run folders, the pointer to the newest, baselines beside their scenarios.
#![expect(clippy::disallowed_methods, reason = "IO: makes folders")]

use super::failure::Failure;
use crate::files;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where runs go that are not sent elsewhere.
const REPORTS: &str = "reports";
/// The largest scenario file that is read.
const SCENARIO_LIMIT: u64 = 1 << 20;

/// A wall clock time as reports have it: RFC 3339, UTC, with microseconds.
pub(super) fn timestamp(at: SystemTime) -> String {
    let at = jiff::Timestamp::try_from(at).unwrap_or_default();
    format!("{at:.6}")
}

/// Where the files of a run go.
pub(super) fn run_folder(out: Option<&Path>, run_id: &str) -> PathBuf {
    out.map_or_else(|| Path::new(REPORTS).join(run_id), Path::to_path_buf)
}

/// Makes the folder of a run and gives it.
pub(super) fn make_run_folder(out: Option<&Path>, run_id: &str) -> Result<PathBuf, Failure> {
    let folder = run_folder(out, run_id);
    let is_first = out.is_none() && !Path::new(REPORTS).exists();
    std::fs::create_dir_all(&folder).map_err(|e| {
        Failure::usage(format!("cannot create the folder `{}`: {e}", folder.display()))
            .hint("choose another folder with --out DIR")
    })?;
    if is_first {
        // Runs are no source. Who wants them in a repository removes it.
        let _ = files::replace(&Path::new(REPORTS).join(".gitignore"), b"*\n");
    }
    Ok(folder)
}

/// Removes the folder of a run that never began, if nothing was written into it, and the pointer to it.
pub(super) fn remove_if_empty(folder: &Path) {
    for inner in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let _ = std::fs::remove_dir(inner.path());
    }
    let latest = latest();
    let is_latest =
        std::fs::read_link(&latest).is_ok_and(|to| folder.file_name() == Some(to.as_os_str()));
    if std::fs::remove_dir(folder).is_ok() && is_latest && folder.parent() == latest.parent() {
        let _ = std::fs::remove_file(&latest);
    }
}

/// Whether a file can be written at a path, found without writing it.
pub(super) fn check_writable(path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        return Err(unwritten(path, &ErrorKind::IsADirectory.into()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made =
        tempfile::Builder::new().prefix(".loadcall-").tempfile_in(folder.unwrap_or(Path::new(".")));
    made.map(drop).map_err(|e| unwritten(path, &e))
}

fn latest() -> PathBuf {
    Path::new(REPORTS).join("latest")
}

/// Makes a folder for files that the user asked for.
pub(super) fn make_folder(folder: &Path) -> Result<(), Failure> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    std::fs::create_dir_all(folder).map_err(|e| {
        Failure::usage(format!("cannot create the folder `{}`: {e}", folder.display()))
    })
}

/// Lets `reports/latest` point at a run in `reports/`. Not being able to (no symbolic links on the
/// file system, a real folder of that name) costs only convenience.
pub(super) fn point_latest_at(folder: &Path) {
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else { return };
    if parent != Path::new(REPORTS) {
        return;
    }
    let latest = latest();
    let is_ours = std::fs::symlink_metadata(&latest).is_ok_and(|m| m.is_symlink());
    if is_ours {
        let _ = std::fs::remove_file(&latest);
    }
    if let Err(e) = std::os::unix::fs::symlink(name, &latest) {
        log::warn!("cannot create the link `{}`: {e}", latest.display());
    }
}

/// `greeting.yaml` → `greeting.baseline.json` beside it.
pub(super) fn baseline_beside(scenario: &Path) -> PathBuf {
    scenario.with_extension("baseline.json")
}

/// The text of a scenario file.
pub(super) fn read_scenario(path: &Path) -> Result<String, Failure> {
    read_text("the scenario", path, SCENARIO_LIMIT)
}

/// The text of a file of at most `limit` bytes; `what` it is, for the message.
pub(super) fn read_text(what: &str, path: &Path, limit: u64) -> Result<String, Failure> {
    files::read_text(path, limit)
        .map_err(|e| Failure::usage(format!("cannot read {what} `{}`: {e}", path.display())))
}

/// Writes a file whole, or leaves the old one.
pub(super) fn write(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    files::replace(path, contents).map_err(|e| unwritten(path, &e))
}

/// As [`write`], with the contents that `write` writes.
pub(super) fn write_with(
    path: &Path,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), Failure> {
    files::replace_with(path, write).map_err(|e| unwritten(path, &e))
}

fn unwritten(path: &Path, e: &io::Error) -> Failure {
    let message = format!("cannot write `{}`: {e}", path.display());
    if is_of_the_path(e.kind()) { Failure::usage(message) } else { Failure::internal(message) }
}

/// Whether writing fails because of the path the user chose, and not because of the machine.
fn is_of_the_path(kind: ErrorKind) -> bool {
    [
        ErrorKind::NotFound,
        ErrorKind::NotADirectory,
        ErrorKind::IsADirectory,
        ErrorKind::PermissionDenied,
        ErrorKind::ReadOnlyFilesystem,
    ]
    .contains(&kind)
}
