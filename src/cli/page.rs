//! `report.html` of a recorded run: reads the calls and the kept audio that the page shows.

use super::files;
use crate::files as limited;
use crate::record::CallId;
use crate::record::store;
use crate::report::Report;
use crate::report::html::{self, Page, Sound};
use crate::time::Offset;
use crate::turn::Lanes;
use crate::verdict::Baseline;
use std::io::{self, Read as _, Write};
use std::path::Path;

/// The largest index of audio that is read.
const INDEX_LIMIT: u64 = 16 << 20;

/// Writes the page of the run at `run`, with up to `audio_bytes` of audio in it.
pub(super) fn write(
    report: &Report,
    baseline: Option<&Baseline>,
    run: &Path,
    audio_bytes: u64,
    out: &mut dyn Write,
) -> io::Result<()> {
    let folder = if run.is_dir() { run } else { run.parent().unwrap_or(run) };
    let sounds = sounds(folder);
    let page = Page { report, baseline, sounds: &sounds, audio_bytes };
    let calls = store::open(run).map_err(io::Error::other)?.calls;
    let scenario = &report.judged.scenario;
    let lanes = calls.map(|call| Ok(Lanes::of(&call.map_err(io::Error::other)?, scenario)));
    let audio = |sound: &Sound| {
        let mut bytes = Vec::new();
        let file = limited::open(&folder.join(&sound.file)).ok()?;
        file.take(sound.bytes.saturating_add(1)).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    html::write(page, lanes, audio, out)
}

/// The audio that was kept; what cannot be read is not there.
fn sounds(folder: &Path) -> Vec<Sound> {
    let index = folder.join("audio/index.json");
    let Ok(text) = files::read_text("the index of the audio", &index, INDEX_LIMIT) else {
        return Vec::new();
    };
    let Ok(index) = serde_json::from_str::<serde_json::Value>(&text) else { return Vec::new() };
    let calls = index["calls"].as_array().into_iter().flatten();
    let sound = |kept: &serde_json::Value| {
        Some(Sound {
            call: CallId(u32::try_from(kept["call"].as_u64()?).ok()?),
            file: kept["file"].as_str()?.to_owned(),
            starts: Offset::from_micros(kept["starts"].as_i64()?),
            length_ms: kept["length_ms"].as_f64()?,
            bytes: kept["bytes"].as_u64()?,
        })
    };
    calls.filter_map(sound).collect()
}
