//! What is written of judged runs: the files of a run folder, and texts for stdout.

use super::failure::Failure;
use super::progress::Verbosity;
use super::terminal::eprint_line;
use super::{exit, files, page};
use crate::measured;
use crate::report::annotations::Annotations;
use crate::report::paired::PairedReport;
use crate::report::{Report, html, json, junit, markdown, paired, text};
use crate::verdict::{Baseline, FailOn, Ground, Judged, JudgedPair};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

/// Writes `report.json`, `report.html` and `measured.json` of a run into its folder, and gives the report for stdout.
/// The page holds up to `html_audio` bytes of audio, and the values of the baseline.
pub(super) fn write(
    judged: Judged,
    baseline: Option<&Baseline>,
    folder: &Path,
    html_audio: u64,
) -> (Report, Result<(), Failure>) {
    let values = judged.measured();
    let written = files::write_with(&folder.join(measured::FILE_NAME), |out| values.write(out));
    drop(values);
    let report = Report::new(judged);
    let written = written.and_then(|()| {
        files::write_with(&folder.join("report.json"), |out| json::write(&report, out))?;
        files::write_with(&folder.join(html::FILE_NAME), |out| {
            page::write(&report, baseline, folder, html_audio, out)
        })
    });
    (report, written)
}

/// Writes `ab.json`, and the files of each side where its recording lies; gives the report for stdout.
pub(super) fn write_pair(
    judged: JudgedPair,
    folder: &Path,
    sides: &[PathBuf; 2],
    html_audio: u64,
) -> (PairedReport, Result<(), Failure>) {
    let report = PairedReport::new(&judged);
    let JudgedPair { a, b, .. } = judged;
    let written = files::write(&folder.join("ab.json"), paired::json::render(&report).as_bytes())
        .and_then(|()| write(a, None, &sides[0], html_audio).1)
        .and_then(|()| write(b, None, &sides[1], html_audio).1);
    (report, written)
}

/// A run or an A/B run, for documents that there are of both.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reported<'a> {
    Run(&'a Report),
    Pair { report: &'a PairedReport, fail_on: &'a FailOn },
}

impl Reported<'_> {
    /// The exit code of a command that made this run.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Run(Report { judged: Judged { verdict, fail_on, .. }, .. }) => {
                exit::of(verdict.outcome, &verdict.grounds, fail_on)
            }
            Self::Pair { report, fail_on } => exit::of_pair(report.verdict.outcome, fail_on),
        }
    }

    /// Whether a job that made this run fails.
    fn fails(self) -> bool {
        self.code() != exit::PASS
    }

    /// Says on stderr what speaks against the run and does not fail the job, unless the user wants no messages.
    pub(super) fn say_what_passed_over(self, how: Verbosity) {
        let line = match self {
            Self::Run(Report { judged: Judged { verdict, fail_on, .. }, .. }) => {
                exit::passed_over(&verdict.grounds, fail_on)
            }
            Self::Pair { report, fail_on } => {
                exit::passed_over(Ground::of(report.verdict.outcome).as_slice(), fail_on)
            }
        };
        if let Some(line) = line.filter(|_| how == Verbosity::Normal) {
            eprint_line(&line);
        }
    }

    pub(super) fn text(self, place: &Path) -> String {
        match self {
            Self::Run(report) => text(report, place),
            Self::Pair { report, .. } => paired_text(report, place),
        }
    }

    /// In at most `limit` bytes.
    pub(super) fn markdown(self, place: &Path, limit: usize) -> String {
        let place = place.display().to_string();
        match self {
            Self::Run(report) => markdown::render(report, &place, limit),
            Self::Pair { report, .. } => markdown::render_pair(report, &place, limit),
        }
    }

    pub(super) fn junit(self) -> String {
        match self {
            Self::Run(report) => junit::render(report, self.fails()),
            Self::Pair { report, .. } => junit::render_pair(report, self.fails()),
        }
    }

    pub(super) fn annotations(self) -> Annotations {
        match self {
            Self::Run(report) => Annotations::of_run(report, self.fails()),
            Self::Pair { report, .. } => Annotations::of_pair(report, self.fails()),
        }
    }
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
