//! `loadcall accept`: adds a run to the baseline of its scenario.

use super::exit;
use super::failure::Failure;
use super::terminal::{eprint_line, print_result};
use super::{AcceptArgs, files, recorded};
use crate::clock;
use crate::files::{is_inside, lock_folder_of};
use crate::record::RunHead;
use crate::scenario::{BaselineRule, Metric, Scenario};
use crate::text::{count, number, number_of, quantile, safe};
use crate::turn::Analysis;
use crate::verdict::{
    BASELINE_MAX_BYTES as MAX_BYTES, Baseline, CannotAccept, Deciding, Judging, Mismatch, Outcome,
    RUNS_FOR_DRIFT, judge, sample,
};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub(super) fn accept(args: &AcceptArgs) -> Result<u8, Failure> {
    let (scenario, run) = recorded::analyse(&args.run.path)?;
    let named = args.baseline.as_deref();
    let file = named.map_or_else(|| own_file(&run.head), |named| Ok(named.to_path_buf()))?;
    // From reading the baseline to writing it, so that two at a time both count.
    let _lock = lock(&file)?;
    let before =
        if args.replace || !file.exists() { None } else { Some(recorded::baseline(&file)?) };
    let rule = scenario.baseline();
    let shown = safe(&file.display().to_string());
    if let Some(before) = before.as_ref().filter(|_| args.while_learning)
        && before.run_ids().len() >= usize::from(rule.runs)
    {
        let state = state(before.run_ids().len(), rule, before.run_id());
        print_result(&format!("{shown}: {state}; complete, so this run is not added\n"))?;
        return Ok(exit::PASS);
    }
    let accepted = match added(before.as_ref(), (&scenario, &run), args.even_failed) {
        Ok(accepted) => accepted,
        Err(why) if args.while_learning => {
            print_result(&format!("{shown}: not added: {}\n", safe(&why.to_string())))?;
            return Ok(exit::PASS);
        }
        Err(why) => return Err(refused(&why)),
    };
    write(&file, named.is_some(), &accepted)?;
    let state = state(accepted.run_ids().len(), rule, accepted.run_id());
    print_result(&format!("{shown}: {state}\n{}", level(rule, &run)))?;
    Ok(exit::PASS)
}

/// Why a run is not added to a baseline.
#[derive(Debug, thiserror::Error)]
enum NotAdded {
    #[error("{}", sentence.join("; "))]
    Failed { sentence: Vec<String> },
    #[error(transparent)]
    Cannot(#[from] CannotAccept),
}

/// The baseline with this run.
fn added(
    before: Option<&Baseline>,
    (scenario, run): (&Scenario, &Analysis),
    even_failed: bool,
) -> Result<Baseline, NotAdded> {
    let now = files::timestamp(clock::wall_now());
    let this = Baseline::accept(run, scenario, &now)?;
    let (seed, mismatch) = (run.head.seed, Mismatch::Refuse);
    let verdict = judge(Judging {
        scenario,
        analysis: run,
        baseline: None,
        mismatch,
        deciding: Deciding::Once,
        seed,
    });
    if verdict.outcome == Outcome::Fail && !even_failed {
        let failed = verdict.thresholds.iter().filter(|t| !t.held).count();
        return Err(NotAdded::Failed {
            sentence: verdict.reasons.into_iter().take(failed).collect(),
        });
    }
    let Some(before) = before else { return Ok(this) };
    let accepted = before.with(this, usize::from(scenario.baseline().runs))?;
    warn_of_a_step(before, run, scenario);
    Ok(accepted)
}

/// Writes the baseline; `named` says that the user chose the file.
fn write(file: &Path, named: bool, accepted: &Baseline) -> Result<(), Failure> {
    let too_large = || {
        let runs = accepted.run_ids().len();
        Failure::usage(format!("the baseline would have more than {} MiB", MAX_BYTES >> 20)).hint(
            format!("keep fewer than {runs} runs (`baseline: {{runs: …}}`), or make fewer calls"),
        )
    };
    let mut is_too_large = false;
    files::write_with(file, |out| {
        let written = accepted.write(out);
        is_too_large = written.as_ref().is_err_and(|e| e.kind() == ErrorKind::FileTooLarge);
        written
    })
    .map_err(|failure| match (is_too_large, named) {
        (true, _) => too_large(),
        (false, true) => failure,
        (false, false) => failure.hint("choose another place with --baseline FILE"),
    })
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

fn refused(why: &NotAdded) -> Failure {
    let failure = Failure::usage(why);
    match why {
        NotAdded::Failed { .. } => failure.hint(
            "a run that failed makes a baseline in which later failures look usual; to accept it all \
             the same, add --even-failed",
        ),
        NotAdded::Cannot(CannotAccept::Other(_)) => {
            failure.hint("`loadcall accept --replace RUN` starts the baseline over")
        }
        NotAdded::Cannot(CannotAccept::Unfit(_) | CannotAccept::Twice(_)) => failure,
    }
}

/// How far the baseline is.
fn state(has: usize, rule: BaselineRule, newest: &str) -> String {
    let kept = usize::from(rule.runs);
    let runs = if has == 1 { "1 run".to_owned() } else { format!("{has} runs") };
    let more = match RUNS_FOR_DRIFT.saturating_sub(has) {
        _ if kept < RUNS_FOR_DRIFT => format!(
            "; it keeps {kept}, and comparisons include run-to-run variation from {RUNS_FOR_DRIFT} on"
        ),
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
    let verdict = judge(Judging {
        scenario,
        analysis: run,
        baseline,
        mismatch,
        deciding: Deciding::Once,
        seed,
    });
    let word = match verdict.outcome {
        Outcome::Regression => "worse",
        Outcome::Improvement => "better",
        Outcome::Pass
        | Outcome::Fail
        | Outcome::Suspected
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

/// What the run measured of what decides, and how its calls went.
fn level(rule: BaselineRule, run: &Analysis) -> String {
    let (name, q) = (rule.primary.name(), quantile(rule.quantile));
    let calls = run.measures.values(Metric::CallsOk);
    let ok = calls.iter().filter(|call| call.value > 0.5).count();
    let calls = format!("{} of {} succeeded", number_of(ok), count(calls.len(), "call"));
    let Some(sample) = sample(run.measures.values(rule.primary)) else {
        return format!("{name} was not measured: comparisons will be inconclusive; {calls}\n");
    };
    let figure = sample.quantile(rule.quantile);
    let bound = if figure.lower_bound { "\u{2265} " } else { "" };
    let unanswered = match sample.censored() {
        0 => String::new(),
        n => format!(", {} of them unanswered", number_of(n)),
    };
    let (value, n) = (number(figure.value), count(sample.len(), "value"));
    format!("{name} {q}: {bound}{value} ms ({n}{unanswered}); {calls}\n")
}
