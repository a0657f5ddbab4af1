//! What lies on disk of runs that were made: recordings, measured values and baselines.

use super::failure::Failure;
use super::files;
use crate::clock;
use crate::measured::{self, Measured};
use crate::record::store::{self, Calls, FILE_NAME, Recording, StoreError};
use crate::record::{RunHead, Side};
use crate::scenario::{Scenario, SourceText, Style};
use crate::turn::{Analyser, Analysis};
use crate::verdict::{
    BASELINE_MAX_BYTES, Baseline, Given, Judged, Mismatch, Origin, Unfit, VERDICT_FILE,
    VERDICT_MAX_BYTES, unfit,
};
use std::path::{Path, PathBuf};

/// Reads a recording call by call into its analysis.
pub(super) fn analyse(path: &Path) -> Result<(Scenario, Analysis), Failure> {
    let recording = open(path)?;
    let scenario = scenario(&recording.head)?;
    let analysis = fold(recording, &scenario)?;
    Ok((scenario, analysis))
}

/// The same for who reads no turns.
pub(super) fn analyse_values(path: &Path) -> Result<(Scenario, Analysis), Failure> {
    let recording = open(path)?;
    let scenario = scenario(&recording.head)?;
    let analysis = fold_values(recording, &scenario)?;
    Ok((scenario, analysis))
}

/// Analyses the calls of an open recording, made with this scenario.
pub(super) fn fold(recording: Recording, scenario: &Scenario) -> Result<Analysis, Failure> {
    let Recording { head, calls } = recording;
    filled(Analysis::begin(head, scenario), calls)
}

fn fold_values(recording: Recording, scenario: &Scenario) -> Result<Analysis, Failure> {
    let Recording { head, calls } = recording;
    filled(Analysis::begin(head, scenario).without_turns(), calls)
}

fn filled(mut analysis: Analyser<'_>, mut calls: Calls) -> Result<Analysis, Failure> {
    for call in calls.by_ref() {
        analysis.add(&call.map_err(Failure::usage)?);
    }
    Ok(analysis.finish(calls.into_ending()))
}

pub(super) fn open(path: &Path) -> Result<Recording, Failure> {
    store::open(path).map_err(|e| {
        let failure = Failure::usage(&e);
        if is_ab(path) {
            let (a, b) = (path.join(Side::A.name()), path.join(Side::B.name()));
            let sides = format!("this is an A/B run: name {} or {}", a.display(), b.display());
            return failure.hint(sides);
        }
        if let Some(within) = a_run_within(path) {
            let hint =
                format!("this folder holds several runs: name one, such as {}", within.display());
            return failure.hint(hint);
        }
        if matches!(e, StoreError::Open { .. }) {
            return failure.hint("name a run folder such as reports/latest, or its run.jsonl");
        }
        failure
    })
}

/// The first run, by name, in a folder of several.
fn a_run_within(folder: &Path) -> Option<PathBuf> {
    runs_below(folder).min()
}

fn runs_below(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| path.join(FILE_NAME).exists())
}

/// The runs that `loadcall noise` placed into a folder, in their order; of any other path, that path alone.
pub(super) fn runs_within(path: &Path) -> Vec<PathBuf> {
    let number = |run: &PathBuf| run.file_name()?.to_str()?.parse::<u32>().ok();
    let mut runs: Vec<(u32, PathBuf)> = if path.join(FILE_NAME).exists() {
        Vec::new()
    } else {
        runs_below(path).filter_map(|run| Some((number(&run)?, run))).collect()
    };
    if runs.is_empty() {
        return vec![path.to_path_buf()];
    }
    runs.sort();
    runs.into_iter().map(|(_, run)| run).collect()
}

/// The scenario a recording was made with, for the agent that was called. What the agent of an A/B side
/// was dispatched with is not recorded, so that scenario has no metadata.
pub(super) fn scenario(head: &RunHead) -> Result<Scenario, Failure> {
    let overlay = head.overlay.as_ref();
    let scenario = Scenario::again(&head.scenario_text, overlay).map_err(|faults| {
        let flags = overlay.map_or(&[][..], |overlay| &overlay.overrides);
        let source = SourceText::new(&head.scenario_text, flags);
        let shown = faults.render(&head.scenario_path, source, Style::Plain);
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

/// Tables and metrics are of one run.
pub(super) fn ab_has_no_such_format(path: &Path) -> Failure {
    Failure::usage(format!("`{}` is an A/B run, of which there is no such format", path.display()))
        .hint(format!("name one of its runs, such as {}", path.join(Side::B.name()).display()))
}

/// A run as its values, with the scenario it was made with: from `measured.json` beside the recording
/// where that can be used, else from the recording.
pub(super) fn measure(path: &Path) -> Result<(Scenario, Result<Measured, Unfit>), Failure> {
    let recording = open(path)?;
    let scenario = scenario(&recording.head)?;
    if let Some(measured) = stored(path, &recording.head) {
        let ending = recording.calls.check().map_err(Failure::usage)?;
        return Ok((scenario, ending.damage.map_or(Ok(measured), |damage| Err(damage.into()))));
    }
    let analysis = fold_values(recording, &scenario)?;
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

/// Keeps the verdict that a run was given beside its recording.
pub(super) fn keep_verdict(judged: &Judged, folder: &Path) -> Result<(), Failure> {
    let now = files::timestamp(clock::wall_now());
    let (run, fail_on) = (&judged.analysis.head.run_id, judged.fail_on.clone());
    let given = Given::new(run, &now, fail_on, judged.verdict.clone());
    files::write(&folder.join(VERDICT_FILE), given.to_json().as_bytes())
}

/// The verdict that was given to a run; `None` when none was kept, and why when it cannot be used.
pub(super) fn given(path: &Path, head: &RunHead) -> Result<Option<Given>, String> {
    let Some(folder) = (if path.is_dir() { Some(path) } else { path.parent() }) else {
        return Ok(None);
    };
    let file = folder.join(VERDICT_FILE);
    match crate::files::read_text(&file, VERDICT_MAX_BYTES) {
        Err(e) if e.is_missing() => Ok(None),
        Err(e) => Err(format!("{VERDICT_FILE}: {e}")),
        Ok(text) => {
            let given = Given::parse(&text, &head.run_id);
            given.map(Some).map_err(|e| format!("{VERDICT_FILE}: {e}"))
        }
    }
}

/// A run with the verdict it was given; judged again where none was kept, it cannot be used, or a baseline is
/// named.
pub(super) fn judged(
    path: &Path,
    baseline: Option<&Path>,
    mismatch: Mismatch,
) -> Result<Judged, Failure> {
    let head = open(path)?.head;
    let is_asked = baseline.is_some() || mismatch == Mismatch::Allow;
    let given = if is_asked { Ok(None) } else { given(path, &head) };
    if let Ok(Some(given)) = given {
        let (scenario, run) = analyse(path)?;
        if run.damage.is_none() {
            return Ok(Judged::given((scenario, run), given));
        }
        // Not judged, whatever the baseline.
        let why = "the recording is damaged since".to_owned();
        let judged = Judged::judge((scenario, run), None, mismatch, head.seed);
        return Ok(Judged { origin: Origin::NotKept { why }, ..judged });
    }
    let origin = given.map_or_else(|why| Origin::NotKept { why }, |_| Origin::Now);
    // The baseline first: where it is a run, its recording is analysed and gone before this one's.
    let baseline = baseline_for(Path::new(&head.scenario_path), baseline)?;
    let judged = Judged::judge(analyse(path)?, baseline.as_ref(), mismatch, head.seed);
    Ok(Judged { origin, ..judged })
}

/// Whether a path that is given for a baseline is that of a run.
pub(super) fn is_run(path: &Path) -> bool {
    path.is_dir() || path.extension().is_some_and(|e| e == "jsonl")
}

/// A baseline file, or a run to compare with as if it were one.
pub(super) fn baseline(path: &Path) -> Result<Baseline, Failure> {
    let at = |e: &dyn std::fmt::Display| Failure::usage(format!("`{}`: {e}", path.display()));
    if is_run(path) {
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
    use crate::verdict::Outcome;

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
            stored.to_json().replace("\"format\": 5", "\"format\": 6"),
            stored.to_json().replace(&id, "another-run"),
            Measured { valid: false, ..stored.clone() }.to_json(),
        ] {
            store(&unusable);
            assert_eq!(from_recording(), measured);
        }
    }

    /// A run that was judged against another one, with its verdict kept.
    fn given_a_verdict(folder: &Path) -> Judged {
        let other = tempfile::tempdir().unwrap();
        testing::large(other.path(), 10, 3, 2).unwrap();
        testing::large(folder, 10, 3, 1).unwrap();
        let baseline = baseline(other.path()).ok().unwrap();
        let run = analyse(folder).ok().unwrap();
        let judged = Judged::judge(run, Some(&baseline), Mismatch::Refuse, 1);
        let fail_on = "inconclusive".parse().unwrap();
        let judged = Judged { fail_on, ..judged };
        keep_verdict(&judged, folder).ok().unwrap();
        judged
    }

    fn shown(folder: &Path) -> Judged {
        judged(folder, None, Mismatch::Refuse).ok().unwrap()
    }

    #[test]
    fn a_report_shows_the_verdict_that_was_given() {
        let folder = tempfile::tempdir().unwrap();
        let then = given_a_verdict(folder.path());
        let now = shown(folder.path());
        assert_eq!(now.verdict.reasons, then.verdict.reasons);
        assert_eq!(now.verdict.comparison.as_ref().unwrap().baseline_runs, ["large-2"]);
        assert_eq!((&now.verdict.grounds, &now.fail_on), (&then.verdict.grounds, &then.fail_on));
        assert_eq!(now.verdict.learning, then.verdict.learning);
        let rows = |judged: &Judged| judged.verdict.comparison.as_ref().unwrap().changes.len();
        assert_eq!(rows(&now), rows(&then));
        let line = now.origin_line().unwrap();
        assert!(line.contains("against the accepted run large-2"), "{line}");
        // A baseline that is named judges again, and so does `compare`.
        let again = judged(folder.path(), Some(folder.path()), Mismatch::Refuse).ok().unwrap();
        assert_eq!((again.origin, again.verdict.comparison), (Origin::Now, None));
        assert!(again.verdict.reasons[0].starts_with("this run is the baseline"));
    }

    #[test]
    fn a_verdict_of_another_run_or_a_broken_one_is_not_used_and_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        given_a_verdict(folder.path());
        let file = folder.path().join(VERDICT_FILE);
        let whole = files::read_text("it", &file, VERDICT_MAX_BYTES).ok().unwrap();
        let no_reasons = {
            let mut json: serde_json::Value = serde_json::from_str(&whole).unwrap();
            json["verdict"]["reasons"] = serde_json::json!([]);
            json.to_string()
        };
        for (text, why) in [
            ("{}".to_owned(), "it is not a verdict"),
            (whole.replace("\"run\": \"large-1\"", "\"run\": \"large-9\""), "it is of another run"),
            (whole.replace("\"format\": 2", "\"format\": 9"), "its format is 9"),
            // A verdict of before there were several questions is given again.
            (whole.replace("\"format\": 2", "\"format\": 1"), "its format is 1"),
            (whole.replace("loadcall verdict", "loadcall baseline"), "it is not a verdict"),
            (whole[..whole.len() / 2].to_owned(), "it is not a verdict"),
            (no_reasons, "it is not a verdict"),
            ("\u{1b}[2J".repeat(10), "it is not a verdict"),
            (" ".repeat(5 << 20), "larger than the limit"),
        ] {
            files::write(&file, text.as_bytes()).ok().unwrap();
            let judged = shown(folder.path());
            let Origin::NotKept { why: said } = &judged.origin else { panic!("{why}") };
            assert!(said.starts_with("verdict.json: ") && said.contains(why), "{said} for {why}");
            assert!(!said.contains('\u{1b}'));
            assert_eq!(judged.verdict.comparison, None);
        }
        std::fs::remove_file(&file).unwrap();
        assert_eq!(shown(folder.path()).origin, Origin::Now);
    }

    #[test]
    fn a_damaged_recording_is_not_judged_whatever_its_verdict_was() {
        let folder = tempfile::tempdir().unwrap();
        given_a_verdict(folder.path());
        let values = Measured {
            run_id: "large-1".to_owned(),
            ..measure(folder.path()).ok().unwrap().1.unwrap()
        };
        files::write(&folder.path().join(measured::FILE_NAME), values.to_json().as_bytes())
            .ok()
            .unwrap();
        let recording = folder.path().join(FILE_NAME);
        let text = files::read_text("it", &recording, 1 << 24).ok().unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines[4] = "{\"call\":{\"id\":3";
        files::write(&recording, (lines.join("\n") + "\n").as_bytes()).ok().unwrap();
        let judged = shown(folder.path());
        assert_eq!(judged.verdict.outcome, Outcome::Invalid);
        assert_eq!(judged.analysis.calls.len(), 9);
        let said = &judged.verdict.reasons[0];
        assert!(said.starts_with("the recording is damaged: 1 line cannot be read ("), "{said}");
        assert!(said.contains("run.jsonl:5:15: not valid JSON"), "{said}");
        assert!(judged.origin_line().unwrap().contains("the recording is damaged since"));
        // Nor is it a measure for others, though its values were stored before.
        let why = measure(folder.path()).ok().unwrap().1.unwrap_err();
        assert_eq!(why.outcome(), Outcome::Invalid);
        assert!(baseline(folder.path()).is_err());
    }

    #[test]
    fn a_run_is_a_baseline_without_being_accepted() {
        let folder = tempfile::tempdir().unwrap();
        testing::large(folder.path(), 10, 3, 1).unwrap();
        let baseline = baseline(folder.path()).ok().unwrap();
        assert_eq!(baseline.run_ids().collect::<Vec<_>>(), ["large-1"]);
    }
}
