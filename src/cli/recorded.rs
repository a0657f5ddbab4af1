//! What lies on disk of runs that were made: recordings, measured values and baselines.

use super::failure::Failure;
use super::files;
use crate::measured::{self, Measured};
use crate::record::store::{self, FILE_NAME, Recording, StoreError};
use crate::record::{RunHead, Side};
use crate::scenario::{Scenario, Style};
use crate::turn::Analysis;
use crate::verdict::{BASELINE_MAX_BYTES, Baseline, Unfit, unfit};
use std::path::{Path, PathBuf};

/// Reads a recording call by call into its analysis.
pub(super) fn analyse(path: &Path) -> Result<(Scenario, Analysis), Failure> {
    let recording = open(path)?;
    let scenario = scenario(&recording.head)?;
    let analysis = fold(recording, &scenario)?;
    Ok((scenario, analysis))
}

/// Analyses the calls of an open recording, made with this scenario.
pub(super) fn fold(
    Recording { head, mut calls }: Recording,
    scenario: &Scenario,
) -> Result<Analysis, Failure> {
    let mut analysis = Analysis::begin(head, scenario);
    for call in calls.by_ref() {
        analysis.add(&call.map_err(Failure::usage)?);
    }
    Ok(analysis.finish(calls.into_tail()))
}

pub(super) fn open(path: &Path) -> Result<Recording, Failure> {
    store::open(path).map_err(|e| {
        let failure = Failure::usage(&e);
        if is_ab(path) {
            let (a, b) = (path.join(Side::A.name()), path.join(Side::B.name()));
            let sides = format!("this is an A/B run: name {} or {}", a.display(), b.display());
            return failure.hint(sides);
        }
        if matches!(e, StoreError::Open { .. }) {
            return failure.hint("name a run folder such as reports/latest, or its run.jsonl");
        }
        failure
    })
}

/// The scenario a recording was made with, for the agent that was called. What the agent of an A/B side
/// was dispatched with is not recorded, so that scenario has no metadata.
pub(super) fn scenario(head: &RunHead) -> Result<Scenario, Failure> {
    let scenario = Scenario::parse(&head.scenario_text).map_err(|faults| {
        let shown = faults.render(&head.scenario_path, &head.scenario_text, Style::Plain);
        Failure::usage(format!("this version cannot read the recording's scenario:\n{shown}"))
    })?;
    Ok(match &head.arm {
        Some(arm) => scenario.calling(&arm.agent_name, ""),
        None => scenario,
    })
}

/// Whether a folder is that of an A/B run.
pub(super) fn is_ab(path: &Path) -> bool {
    !path.join(FILE_NAME).exists()
        && [Side::A, Side::B].iter().all(|side| path.join(side.name()).join(FILE_NAME).exists())
}

/// Both sides of an A/B run.
pub(super) fn analyse_ab(folder: &Path) -> Result<[(Scenario, Analysis); 2], Failure> {
    let [a, b] = [Side::A, Side::B].map(|side| analyse(&folder.join(side.name())));
    Ok([a?, b?])
}

/// An A/B run has no baseline: B is judged against A.
pub(super) fn ab_has_no_baseline(path: &Path) -> Failure {
    Failure::usage(format!("`{}` is an A/B run, which has no baseline", path.display()))
        .hint(format!("name one of its runs, such as {}", path.join(Side::B.name()).display()))
}

/// A run as its values, with the scenario it was made with: from `measured.json` beside the recording
/// where that can be used, else from the recording.
pub(super) fn measure(path: &Path) -> Result<(Scenario, Result<Measured, Unfit>), Failure> {
    let recording = open(path)?;
    let scenario = scenario(&recording.head)?;
    if let Some(measured) = stored(path, &recording.head) {
        return Ok((scenario, Ok(measured)));
    }
    let analysis = fold(recording, &scenario)?;
    let measured = match unfit(&analysis) {
        Some(why) => Err(why),
        None => Ok(Measured::take(&analysis, &scenario, true)),
    };
    Ok((scenario, measured))
}

/// The values stored beside a recording; `None` when they are missing, unreadable, not of this run or
/// not valid, because the recording then says more.
fn stored(path: &Path, head: &RunHead) -> Option<Measured> {
    let folder = if path.is_dir() { path } else { path.parent()? };
    let path = folder.join(measured::FILE_NAME);
    let text = files::read_text("the measured values", &path, measured::MAX_BYTES as u64).ok()?;
    let measured = Measured::parse(&text).ok()?;
    (measured.run_id == head.run_id && measured.valid).then_some(measured)
}

/// A baseline file, or a run to compare with as if it were one.
pub(super) fn baseline(path: &Path) -> Result<Baseline, Failure> {
    let at = |e: &dyn std::fmt::Display| Failure::usage(format!("`{}`: {e}", path.display()));
    if path.is_dir() || path.extension().is_some_and(|e| e == "jsonl") {
        let measured =
            measure(path)?.1.map_err(|why| at(&format!("cannot be a baseline: {why}")))?;
        return Ok(Baseline::from_run(measured));
    }
    let text = files::read_text("the baseline", path, BASELINE_MAX_BYTES as u64)
        .map_err(|e| e.hint("`loadcall accept RUN` makes a run the baseline of its scenario"))?;
    Baseline::parse(&text).map_err(|e| at(&e))
}

/// The baseline that is named, else the one beside the scenario, if there is one.
pub(super) fn baseline_for(
    scenario: &Path,
    named: Option<&Path>,
) -> Result<Option<Baseline>, Failure> {
    let own = files::baseline_beside(scenario);
    match named {
        Some(path) => baseline(path).map(Some),
        None if own.exists() => baseline(&own).map(Some),
        None => Ok(None),
    }
}

/// Where the baseline of a run's scenario lies.
pub(super) fn own_baseline_path(head: &RunHead) -> PathBuf {
    files::baseline_beside(Path::new(&head.scenario_path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::store::testing;

    #[test]
    fn stored_values_are_used_where_they_can_be_and_the_recording_else() {
        let folder = tempfile::tempdir().unwrap();
        testing::large(folder.path(), 10, 3, 1).unwrap();
        let from_recording = || measure(folder.path()).ok().unwrap().1.unwrap();
        let measured = from_recording();
        assert_eq!(measured.ends.len(), 10);
        let store = |text: &str| {
            files::write(&folder.path().join(measured::FILE_NAME), text.as_bytes()).ok().unwrap();
        };
        // Other values than the recording's show where they come from.
        let (id, other) = (measured.run_id.clone(), "2026-11-25T00:00:00Z".to_owned());
        let stored = Measured { started_at: other.clone(), ..measured.clone() };
        store(&stored.to_json());
        assert_eq!(from_recording(), stored);
        for unusable in [
            "{}".to_owned(),
            stored.to_json().replace("\"format\": 4", "\"format\": 5"),
            stored.to_json().replace(&id, "another-run"),
            Measured { valid: false, ..stored.clone() }.to_json(),
        ] {
            store(&unusable);
            assert_eq!(from_recording(), measured);
        }
    }

    #[test]
    fn a_run_is_a_baseline_without_being_accepted() {
        let folder = tempfile::tempdir().unwrap();
        testing::large(folder.path(), 10, 3, 1).unwrap();
        let baseline = baseline(folder.path()).ok().unwrap();
        assert_eq!(baseline.run_ids().collect::<Vec<_>>(), ["large-1"]);
    }
}
