//! The file of a baseline as commands change it: `accept` for people, `run --update-baseline auto` for jobs.

use super::failure::Failure;
use super::terminal::eprint_line;
use super::{files, recorded};
use crate::clock;
use crate::files::lock_folder_of;
use crate::scenario::Scenario;
use crate::text::{count, number_of, safe};
use crate::turn::Analysis;
use crate::verdict::{
    BASELINE_MAX_BYTES as MAX_BYTES, Baseline, CannotAccept, Outcome, RUNS_FOR_DRIFT, Suspicion,
    Verdict,
};
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

/// Why a run is not added to a baseline.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAdded {
    #[error("{}", sentence.join("; "))]
    Failed { sentence: Vec<String> },
    #[error(transparent)]
    Cannot(#[from] CannotAccept),
}

/// What a run did not meet, whatever the comparison says of it.
fn failed(verdict: &Verdict) -> Option<NotAdded> {
    let failed = verdict.thresholds.iter().filter(|t| !t.held);
    let sentence: Vec<String> = failed.map(|t| format!("threshold failed: {}", t.text)).collect();
    (!sentence.is_empty()).then_some(NotAdded::Failed { sentence })
}

/// A run as a baseline of its own, accepted now.
pub(super) fn of_run(
    scenario: &Scenario,
    run: &Analysis,
    suspected: &[Suspicion],
) -> Result<Baseline, CannotAccept> {
    let now = files::timestamp(clock::wall_now());
    Ok(Baseline::accept(run, scenario, &now)?.suspecting(suspected))
}

/// The baseline with a run.
pub(super) fn added(
    before: Option<&Baseline>,
    this: Baseline,
    scenario: &Scenario,
) -> Result<Baseline, CannotAccept> {
    match before {
        Some(before) => before.with(this, usize::from(scenario.baseline().runs)),
        None => Ok(this),
    }
}

/// The file as it is, if there is one.
pub(super) fn read(file: &Path) -> Result<Option<Baseline>, Failure> {
    if file.exists() { recorded::baseline(file).map(Some) } else { Ok(None) }
}

/// Writes the file; `named` says that the user chose it.
pub(super) fn write(file: &Path, named: bool, baseline: &Baseline) -> Result<(), Failure> {
    let mut is_too_large = false;
    let written = files::write_with(file, |out| {
        let written = baseline.write(out);
        is_too_large = written.as_ref().is_err_and(|e| e.kind() == ErrorKind::FileTooLarge);
        written
    });
    written.map_err(|failure| match (is_too_large, named) {
        (true, _) => {
            let runs = baseline.run_ids().len();
            let limit = MAX_BYTES >> 20;
            Failure::usage(format!("the baseline would have more than {limit} MiB")).hint(format!(
                "keep fewer than {runs} runs (`baseline: {{runs: …}}`), or make fewer calls"
            ))
        }
        (false, true) => failure,
        (false, false) => failure.hint("choose another place with --baseline FILE"),
    })
}

/// Keeps others that change a baseline in the same folder waiting.
pub(super) fn lock(file: &Path) -> Result<Option<File>, Failure> {
    match lock_folder_of(file) {
        Ok(lock) => Ok(Some(lock)),
        Err(e) if e.kind() == ErrorKind::TimedOut => {
            Err(Failure::internal(format!("another process is updating `{}`", file.display()))
                .hint("try again when it has ended"))
        }
        // Writing will fail for the same reason.
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => {
            let file = file.display();
            eprint_line(&format!(
                "warning: cannot lock the folder of `{file}`: {e}; if another run is accepted at the \
                 same time, one of the two is lost"
            ));
            Ok(None)
        }
    }
}

/// Adds a run that was placed and judged to its baseline, whatever the comparison says of it: a valid one whose
/// thresholds and expectations held. `suspected` is what is left of what looked worse. The answer is a sentence for
/// people.
pub(super) fn update(
    (file, named): (&Path, bool),
    (scenario, run, verdict): (&Scenario, &Analysis, &Verdict),
    suspected: &[Suspicion],
) -> Result<String, Failure> {
    let shown = safe(&file.display().to_string());
    let not_added =
        |why: &dyn std::fmt::Display| format!("{shown} is unchanged: {}", safe(&why.to_string()));
    let this = match of_run(scenario, run, suspected) {
        Ok(this) => this,
        Err(why) => return Ok(not_added(&why)),
    };
    if let Some(why) = failed(verdict) {
        return Ok(not_added(&why));
    }
    // Read again: somebody else may have changed it while the calls were made.
    let _lock = lock(file)?;
    match added(read(file)?.as_ref(), this, scenario) {
        Ok(updated) => {
            write(file, named, &updated)?;
            let state = state(&updated, scenario, &run.head.run_id);
            Ok(format!("{shown}: {state}"))
        }
        Err(why @ CannotAccept::Other(_)) => Ok(format!(
            "{}; `loadcall accept --replace RUN` starts over with a run of the current scenario",
            not_added(&why)
        )),
        Err(why) => Ok(not_added(&why)),
    }
}

/// How far a baseline is to which this run was added.
pub(super) fn state(baseline: &Baseline, scenario: &Scenario, run_id: &str) -> String {
    let (has, later) = (baseline.run_ids().len(), baseline.later_count());
    let level = usize::from(scenario.baseline().runs);
    let runs = count(has, "run");
    if later > 0 && baseline.run_ids().all(|id| id != run_id) {
        let nights = count(later, "later run");
        return format!(
            "the level of {runs} stays; how much runs differ is known from {} ({nights})",
            number_of(has + later)
        );
    }
    let newest = safe(baseline.run_id());
    let more = match RUNS_FOR_DRIFT.saturating_sub(has) {
        _ if level < RUNS_FOR_DRIFT => format!(
            "; it keeps {level}, and comparisons include run-to-run variation from {RUNS_FOR_DRIFT} on"
        ),
        0 if has < level => format!("; the first {level} set the level"),
        0 => "; its level is complete".to_owned(),
        1 => "; with 1 more accepted run, comparisons include run-to-run variation".to_owned(),
        more => {
            format!("; with {more} more accepted runs, comparisons include run-to-run variation")
        }
    };
    format!("{runs}, newest: {newest}{more}")
}

/// Whether the comparison, and nothing else, speaks for or against a run that is accepted.
pub(super) fn direction(verdict: &Verdict) -> Option<&'static str> {
    match verdict.outcome {
        Outcome::Regression => Some("worse"),
        Outcome::Improvement => Some("better"),
        Outcome::Pass
        | Outcome::Suspected
        | Outcome::Fail
        | Outcome::Inconclusive
        | Outcome::NotComparable
        | Outcome::Invalid
        | Outcome::NothingMeasured
        | Outcome::Stopped => None,
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test of files")]
mod tests {
    use super::*;
    use crate::record::store::testing;
    use crate::verdict::{Deciding, Judged, Mismatch};

    /// A run that was placed, against what the file holds.
    fn placed(folder: &Path, calls: u32, seed: u64, file: &Path) -> Judged {
        let run = folder.join(seed.to_string());
        if !run.exists() {
            std::fs::create_dir_all(&run).unwrap();
            testing::large(&run, calls, 3, seed).unwrap();
        }
        let before = read(file).ok().unwrap();
        let deciding = Deciding::Confirmed { before: &[] };
        let run = recorded::analyse(&run).ok().unwrap();
        Judged::decide(run, before.as_ref(), (Mismatch::Refuse, deciding), seed)
    }

    fn updated(file: &Path, judged: &Judged) -> Result<String, Failure> {
        let Judged { scenario, analysis, verdict, .. } = judged;
        update((file, true), (scenario, analysis, verdict), &verdict.suspected)
    }

    #[test]
    fn a_job_starts_fills_and_extends_its_baseline() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.baseline.json");
        let mut said = String::new();
        for seed in 1..=9 {
            let judged = placed(folder.path(), 10, seed, &file);
            said = updated(&file, &judged).ok().unwrap();
            let now = read(&file).ok().unwrap().unwrap();
            let (has, nights) = (usize::try_from(seed).unwrap(), now.later_count());
            assert_eq!((now.run_ids().len(), nights), (has.min(7), has.saturating_sub(7)));
            assert_eq!(now.run_ids().next(), Some("large-1"));
        }
        let level =
            "the level of 7 runs stays; how much runs differ is known from 9 (2 later runs)";
        assert!(said.ends_with(level), "{said}");
        // The same run again, and one that is no evidence, change nothing.
        let before = std::fs::read_to_string(&file).unwrap();
        let again = placed(folder.path(), 10, 9, &file);
        let said = updated(&file, &again).ok().unwrap();
        assert!(said.ends_with("is unchanged: run large-9 is already in the baseline"), "{said}");
        let mut killed = placed(folder.path(), 10, 10, &file);
        killed.analysis.tail = None;
        let said = updated(&file, &killed).ok().unwrap();
        assert!(said.contains("is unchanged: this run cannot become a baseline"), "{said}");
        let other = placed(folder.path(), 5, 11, &file);
        let said = updated(&file, &other).ok().unwrap();
        assert!(said.contains("concurrency: 10 → 5; `loadcall accept --replace RUN`"), "{said}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    }

    #[test]
    fn runs_that_end_at_the_same_time_are_all_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.baseline.json");
        let runs: Vec<Judged> =
            (1..=4).map(|seed| placed(folder.path(), 10, seed, &file)).collect();
        std::thread::scope(|scope| {
            for judged in &runs {
                scope.spawn(|| updated(&file, judged).ok().unwrap());
            }
        });
        assert_eq!(read(&file).ok().unwrap().unwrap().run_ids().len(), 4);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error_and_one_that_cannot_be_read_stays() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("none/a.baseline.json");
        let judged = placed(folder.path(), 10, 1, &nowhere);
        let why = updated(&nowhere, &judged).unwrap_err();
        assert!(why.message().unwrap().starts_with("cannot write"), "{:?}", why.message());
        let broken = folder.path().join("b.baseline.json");
        std::fs::write(&broken, "{").unwrap();
        assert!(updated(&broken, &judged).is_err());
        assert_eq!(std::fs::read_to_string(&broken).unwrap(), "{");
    }
}
