//! What a job of a CI service gets of a run beside its exit code: `junit.xml` in the run folder, a summary in
//! Markdown, and annotations.

use super::documents::Reported;
use super::failure::Failure;
use super::terminal::{eprint_line, print_document};
use super::{JobArgs, files};
use crate::report::{junit, markdown};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Names the file to which a step of a workflow adds its summary.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Writes `junit.xml` and the summary, and prints annotations where GitHub reads them.
pub(super) fn inform(report: Reported<'_>, folder: &Path, args: &JobArgs) -> Result<(), Failure> {
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        let commands = report.annotations().github();
        print_document(|out| out.write_all(commands.as_bytes()))?;
    }
    let of_step = std::env::var_os(SUMMARY).filter(|path| !path.is_empty()).map(PathBuf::from);
    write(report, folder, args.summary.as_deref(), of_step.as_deref())
}

/// Adds a text about all runs to the summary of a step, where there is one.
pub(super) fn summarize(text: &str) {
    let Some(path) = std::env::var_os(SUMMARY).filter(|path| !path.is_empty()) else { return };
    let path = PathBuf::from(path);
    let added = crate::files::append(&path).map_err(io::Error::other);
    if let Err(e) = added.and_then(|mut file| file.write_all(format!("\n{text}").as_bytes())) {
        let path = path.display();
        eprint_line(&format!("warning: cannot add to the summary `{path}`: {e}"));
    }
}

/// Writes `junit.xml` into the folder, and the summary into the file that was asked for, else into that of the step.
fn write(
    report: Reported<'_>,
    folder: &Path,
    asked_for: Option<&Path>,
    of_step: Option<&Path>,
) -> Result<(), Failure> {
    let junit = files::write(&folder.join(junit::FILE_NAME), report.junit().as_bytes());
    match (asked_for, of_step) {
        (Some(path), of_step) if Some(path) != of_step => {
            files::write(path, report.markdown(folder, markdown::LIMIT).as_bytes())?;
        }
        (_, Some(path)) => {
            // The calls are made, and the file is of the service, not of the user.
            if let Err(e) = append(report, folder, path) {
                let path = path.display();
                eprint_line(&format!("warning: cannot add to the summary `{path}`: {e}"));
            }
        }
        (_, None) => {}
    }
    junit
}

/// Adds the summary to those of other runs in the same step, which have one limit together.
fn append(report: Reported<'_>, folder: &Path, path: &Path) -> io::Result<()> {
    let mut file = crate::files::append(path).map_err(io::Error::other)?;
    let used = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let between = if used > 0 { "\n" } else { "" };
    let left = markdown::LIMIT.saturating_sub(used + between.len());
    if left < markdown::LEAST {
        return Err(io::Error::other("it is full"));
    }
    file.write_all(format!("{between}{}", report.markdown(folder, left)).as_bytes())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test of files")]
mod tests {
    use super::*;
    use crate::report::fixture::{answered, report};

    fn added(before: usize) -> (io::Result<()>, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary");
        std::fs::write(&path, "x".repeat(before)).unwrap();
        let (run, turns) = answered();
        let report = report(&run, &turns);
        let done = append(Reported::Run(&report), Path::new("reports/r"), &path);
        (done, std::fs::read_to_string(path).unwrap())
    }

    #[test]
    fn a_step_has_one_limit_for_all_its_summaries() {
        let (done, text) = added(0);
        done.unwrap();
        assert!(text.starts_with("## ✅ `greeting`: PASS\n"), "{text}");
        let (done, text) = added(100);
        done.unwrap();
        assert!(text.contains("x\n## ✅ `greeting`: PASS\n"), "{text}");
        let (done, text) = added(markdown::LIMIT - markdown::LEAST - 10);
        done.unwrap();
        assert!(text.len() <= markdown::LIMIT && text.contains("PASS"), "{}", text.len());
        let (done, text) = added(markdown::LIMIT - 100);
        assert_eq!(done.unwrap_err().to_string(), "it is full");
        assert_eq!(text.len(), markdown::LIMIT - 100);
    }

    #[test]
    fn what_is_asked_for_is_replaced_and_the_file_of_a_step_is_added_to() {
        let folder = tempfile::tempdir().unwrap();
        let (asked_for, of_step) = (folder.path().join("a.md"), folder.path().join("step.md"));
        let (run, turns) = answered();
        let report = report(&run, &turns);
        let written = |asked_for: Option<&Path>, of_step: Option<&Path>| {
            write(Reported::Run(&report), folder.path(), asked_for, of_step).ok().unwrap();
        };
        let titles = |path: &Path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.matches("## ✅ `greeting`: PASS").count()
        };
        written(None, None);
        let junit = std::fs::read_to_string(folder.path().join("junit.xml")).unwrap();
        assert!(junit.contains("<testcase classname=\"greeting.verdict\""), "{junit}");
        written(Some(&asked_for), Some(&of_step));
        written(Some(&asked_for), None);
        assert_eq!((titles(&asked_for), titles(&of_step)), (1, 0));
        written(None, Some(&of_step));
        written(Some(&of_step), Some(&of_step));
        assert_eq!((titles(&asked_for), titles(&of_step)), (1, 2));
        let nowhere = folder.path().join("none/a.md");
        assert!(write(Reported::Run(&report), folder.path(), Some(&nowhere), None).is_err());
    }

    #[test]
    fn only_a_file_is_added_to() {
        let (run, turns) = answered();
        let report = report(&run, &turns);
        let done = append(Reported::Run(&report), Path::new("r"), Path::new("/dev/null"));
        assert_eq!(done.unwrap_err().to_string(), "not a regular file");
    }
}
