//! `loadcall accept`: adds a run to the baseline of its scenario.

use super::exit;
use super::failure::Failure;
use super::terminal::{eprint_line, print_result};
use super::{files, recorded};
use crate::clock;
use crate::files::{is_inside, lock_folder_of};
use crate::record::RunHead;
use crate::scenario::{BaselineRule, Scenario};
use crate::text::safe;
use crate::turn::Analysis;
use crate::verdict::{
    BASELINE_MAX_BYTES as MAX_BYTES, Baseline, CannotAccept, Judging, Mismatch, Outcome,
    RUNS_FOR_DRIFT, judge, sample,
};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What happens to the runs that were accepted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Earlier {
    /// The newest stay, as many as the scenario's rule keeps.
    Keep,
    /// The baseline starts over with this run.
    Drop,
}

pub(super) fn accept(path: &Path, file: Option<&Path>, earlier: Earlier) -> Result<u8, Failure> {
    let (scenario, run) = recorded::analyse(path)?;
    let file = file.map_or_else(|| own_file(&run.head), |named| Ok(named.to_path_buf()))?;
    // From reading the baseline to writing it, so that two at a time both count.
    let _lock = lock(&file)?;
    let now = files::timestamp(clock::wall_now());
    let this = Baseline::accept(&run, &scenario, &now).map_err(Failure::usage)?;
    let before = match earlier {
        Earlier::Keep if file.exists() => Some(recorded::baseline(&file)?),
        Earlier::Keep | Earlier::Drop => None,
    };
    let rule = scenario.baseline();
    let level = level(rule, &this);
    let accepted = match &before {
        Some(before) => {
            warn_of_a_step(before, &run, &scenario);
            before.with(this, usize::from(rule.runs)).map_err(refused)?
        }
        None => this,
    };
    let text = accepted.to_json();
    if text.len() > MAX_BYTES {
        let (has, runs) = (text.len() >> 20, accepted.run_ids().len());
        return Err(Failure::usage(format!(
            "the baseline would have {has} MiB; the limit is {} MiB",
            MAX_BYTES >> 20
        ))
        .hint(format!(
            "keep fewer than {runs} runs (`baseline: {{runs: …}}`), or make fewer calls"
        )));
    }
    files::write(&file, text.as_bytes())
        .map_err(|failure| failure.hint("choose another place with --baseline FILE"))?;
    let has = accepted.run_ids().len();
    let shown = safe(&file.display().to_string());
    print_result(&format!("{shown}: {}\n{level}", state(has, rule, accepted.run_id())))?;
    Ok(exit::PASS)
}

/// The baseline beside the run's scenario. The recording says where that is, and it may come from others,
/// so it chooses no place outside the current folder.
fn own_file(head: &RunHead) -> Result<PathBuf, Failure> {
    let file = recorded::own_baseline_path(head);
    if is_inside(Path::new("."), &file) {
        return Ok(file);
    }
    let file = file.display();
    Err(Failure::usage(format!("the baseline of this run, `{file}`, is not in the current folder"))
        .hint(format!("to write it there, add `--baseline {file}`")))
}

/// Keeps others that accept a run into the same folder waiting.
fn lock(file: &Path) -> Result<Option<File>, Failure> {
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

fn refused(why: CannotAccept) -> Failure {
    let other = matches!(why, CannotAccept::Other(_));
    let failure = Failure::usage(why);
    if other {
        failure.hint("`loadcall accept --replace RUN` starts the baseline over")
    } else {
        failure
    }
}

/// How far the baseline is.
fn state(has: usize, rule: BaselineRule, newest: &str) -> String {
    let kept = usize::from(rule.runs);
    let runs = if has == 1 { "1 run".to_owned() } else { format!("{has} runs") };
    let more = match RUNS_FOR_DRIFT.saturating_sub(has) {
        0 if has < kept => format!("; the newest {kept} are kept"),
        0 => String::new(),
        more => format!(
            "; with {more} more accepted {}, comparisons include run-to-run variation",
            if more == 1 { "run" } else { "runs" }
        ),
    };
    format!("{runs}, newest: {}{more}", safe(newest))
}

/// A run of another level among the accepted ones makes them differ more than runs of one agent do.
fn warn_of_a_step(before: &Baseline, run: &Analysis, scenario: &Scenario) {
    let (seed, mismatch) = (run.head.seed, Mismatch::Refuse);
    let baseline = Some(before);
    let verdict = judge(Judging { scenario, analysis: run, baseline, mismatch, seed });
    let word = match verdict.outcome {
        Outcome::Regression => "worse",
        Outcome::Improvement => "better",
        Outcome::Pass
        | Outcome::Fail
        | Outcome::Inconclusive
        | Outcome::NotComparable
        | Outcome::Invalid
        | Outcome::NothingMeasured
        | Outcome::Stopped => return,
    };
    eprint_line(&format!(
        "warning: this run is {word} than those in the baseline; together they vary so much that \
         smaller changes will not be detected. If the agent was changed on purpose, start a new \
         baseline with `loadcall accept --replace RUN`"
    ));
}

fn level(rule: BaselineRule, run: &Baseline) -> String {
    let name = rule.primary.name();
    match sample(run.measures().values(rule.primary)) {
        Some(sample) => {
            let figure = sample.quantile(rule.quantile);
            let bound = if figure.lower_bound { "\u{2265}\u{a0}" } else { "" };
            format!("{name} p{}: {bound}{:.0} ms\n", rule.quantile, figure.value)
        }
        None => format!("{name} was not measured: comparisons will be inconclusive\n"),
    }
}
