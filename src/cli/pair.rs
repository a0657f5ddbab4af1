//! The two recordings of an A/B run, and what they amount to together.

use super::exit::Failure;
use super::files;
use super::report::{self, Judged};
use crate::record::store::FILE_NAME;
use crate::record::{Run, Side};
use crate::report::{paired as document, text};
use crate::verdict::paired::{self, Pairing, Recorded};
use crate::verdict::{Different, Outcome};
use std::path::{Path, PathBuf};

/// Whether a folder is that of an A/B run.
pub(super) fn is_ab(path: &Path) -> bool {
    !path.join(FILE_NAME).exists()
        && [Side::A, Side::B].iter().all(|side| path.join(side.name()).join(FILE_NAME).exists())
}

/// The recordings of an A/B run, judged again as they were.
pub(super) fn read(folder: &Path) -> Result<JudgedPair, Failure> {
    let [a, b] = [Side::A, Side::B].map(|side| report::read_run(&folder.join(side.name())));
    let (a, b) = (a?, b?);
    let seed = a.head.seed;
    JudgedPair::judge(a, b, seed)
}

/// The recordings of an A/B run with what they amount to.
pub(super) struct JudgedPair {
    a: Judged,
    b: Judged,
    report: document::PairedReport,
}

impl JudgedPair {
    pub(super) fn judge(a: Run, b: Run, seed: u64) -> Result<Self, Failure> {
        let judged = |run| Judged::against(run, None, Different::Blocks, seed);
        let (a, b) = (judged(a)?, judged(b)?);
        let pairing = Pairing { a: recorded(&a), b: recorded(&b), seed };
        let report = document::PairedReport::new(&pairing, paired::judge(pairing));
        Ok(Self { a, b, report })
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.report.verdict.outcome
    }

    /// Writes `ab.json`, and `report.json` of each side where its recording lies.
    pub(super) fn write(&self, folder: &Path, [a, b]: &[PathBuf; 2]) -> Result<(), Failure> {
        files::write(&folder.join("ab.json"), self.json().as_bytes())?;
        self.a.write(a)?;
        self.b.write(b)
    }

    pub(super) fn json(&self) -> String {
        document::json::render(&self.report)
    }

    /// The report for stdout; `place` is where the run lies.
    pub(super) fn text(&self, place: &Path) -> String {
        let width = report::terminal_width();
        let place = place.display().to_string();
        text::paired::render(&self.report, text::Colour::Always, width, &place)
    }
}

fn recorded(judged: &Judged) -> Recorded<'_> {
    Recorded { run: &judged.run, scenario: &judged.scenario, analysis: &judged.analysis }
}
