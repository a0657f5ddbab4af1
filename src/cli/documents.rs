//! What is written of judged runs: the files of a run folder, and texts for stdout.

use super::failure::Failure;
use super::files;
use super::terminal::print_json_with;
use crate::measured;
use crate::report::paired::PairedReport;
use crate::report::{Report, json, paired, text};
use crate::verdict::{Judged, JudgedPair};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

/// Writes `report.json` and `measured.json` of a run into its folder, and gives the report for stdout.
pub(super) fn write(judged: Judged, folder: &Path) -> (Report, Result<(), Failure>) {
    let values = judged.measured().to_json();
    let written = files::write(&folder.join(measured::FILE_NAME), values.as_bytes());
    drop(values);
    let report = Report::new(judged);
    let written = written.and_then(|()| {
        files::write_with(&folder.join("report.json"), |out| json::write(&report, out))
    });
    (report, written)
}

/// Writes `ab.json`, and the files of each side where its recording lies; gives the report for stdout.
pub(super) fn write_pair(
    judged: JudgedPair,
    folder: &Path,
    sides: &[PathBuf; 2],
) -> (PairedReport, Result<(), Failure>) {
    let report = PairedReport::new(&judged);
    let JudgedPair { a, b, .. } = judged;
    let written = files::write(&folder.join("ab.json"), paired::json::render(&report).as_bytes())
        .and_then(|()| write(a, &sides[0]).1)
        .and_then(|()| write(b, &sides[1]).1);
    (report, written)
}

/// Prints a report as JSON.
pub(super) fn print_report(report: &Report) -> Result<(), Failure> {
    print_json_with(|out| json::write(report, out))
}

/// The report for stdout; `place` is where the run lies.
pub(super) fn text(report: &Report, place: &Path) -> String {
    // Colours are taken out again where stdout does not want them.
    text::render(report, text::Colour::Always, terminal_width(), &place.display().to_string())
}

/// The same for an A/B run.
pub(super) fn paired_text(report: &PairedReport, place: &Path) -> String {
    let place = place.display().to_string();
    text::paired::render(report, text::Colour::Always, terminal_width(), &place)
}

/// What fits on the user's screen.
pub(super) fn terminal_width() -> usize {
    const UNKNOWN: usize = 100;
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return UNKNOWN;
    }
    rustix::termios::tcgetwinsize(&stdout).map_or(UNKNOWN, |size| usize::from(size.ws_col))
}
