//! `report.html` of a recorded run: reads the calls and the kept audio that the page shows.

use crate::record::audio::{Index, Kept};
use crate::record::store;
use crate::report::html::{self, Page};
use crate::report::{Report, worst_first};
use crate::spans::store::StoreError;
use crate::spans::timeline::Wanted;
use crate::spans::{self, AgentSpan};
use crate::turn::Lanes;
use crate::verdict::Baseline;
use std::io::{self, Write};
use std::path::Path;

/// Writes the page of the run at `run`, with up to `audio_bytes` of audio in it.
pub(super) fn write(
    report: &Report,
    baseline: Option<&Baseline>,
    run: &Path,
    audio_bytes: u64,
    out: &mut dyn Write,
) -> io::Result<()> {
    let folder = if run.is_dir() { run } else { run.parent().unwrap_or(run) };
    let kept =
        Index::read(folder).map_err(io::Error::other)?.map_or(Vec::new(), |index| index.calls);
    let spans = spans(report, folder).map_err(io::Error::other)?;
    let page = Page { report, baseline, kept: &kept, audio_bytes, spans: &spans };
    let calls = store::open(run).map_err(io::Error::other)?.calls;
    let scenario = &report.judged.scenario;
    let lanes = calls.map(|call| Ok(Lanes::of(&call.map_err(io::Error::other)?, scenario)));
    let audio = |kept: &Kept| kept.read(folder).ok();
    html::write(page, lanes, audio, out)
}

/// The agent's spans of the calls to look at first, where some came while the run was placed.
fn spans(report: &Report, folder: &Path) -> Result<Vec<AgentSpan>, StoreError> {
    let analysis = &report.judged.analysis;
    let mut wanted = Wanted::default();
    for call in worst_first(&analysis.calls).take(html::FIRST) {
        let of = Wanted::of_call(&analysis.head, call);
        wanted.names.extend(of.names);
        wanted.traces.extend(of.traces);
    }
    match spans::store::read(folder, |span| wanted.says(span)) {
        Ok(found) => Ok(found.spans),
        Err(e) if e.is_missing() => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}
