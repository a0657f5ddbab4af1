//! `loadcall accept`: adds a run, or the runs of a folder, to the baseline of their scenario.

use super::baseline::{self, NotAdded, direction, state};
use super::exit;
use super::failure::Failure;
use super::terminal::{eprint_line, print_result};
use super::{AcceptArgs, recorded};
use crate::files::is_inside;
use crate::record::RunHead;
use crate::scenario::{BaselineRule, Metric, Scenario};
use crate::text::{count, number, number_of, quantile, safe};
use crate::turn::Analysis;
use crate::verdict::{Baseline, CannotAccept, Deciding, Judging, Mismatch, Outcome, judge, sample};
use std::path::{Path, PathBuf};

pub(super) fn accept(args: &AcceptArgs) -> Result<u8, Failure> {
    let paths = recorded::runs_within(&args.run.path);
    let first = paths.first().unwrap_or(&args.run.path);
    let head = recorded::open(first)?.head;
    let named = args.baseline.as_deref();
    let file = named.map_or_else(|| own_file(&head), |named| Ok(named.to_path_buf()))?;
    // From reading the baseline to writing it, so that two at a time both count.
    let _lock = baseline::lock(&file)?;
    let mut accepted = if args.replace { None } else { baseline::read(&file)? };
    let (mut said, mut is_changed) = (String::new(), false);
    for path in &paths {
        let (scenario, run) = recorded::analyse_values(path)?;
        let learnt =
            |accepted: &Baseline| accepted.run_ids().len() >= usize::from(scenario.baseline().runs);
        if let Some(before) = accepted.as_ref().filter(|of| args.while_learning && learnt(of)) {
            let state = state(before, &scenario, before.run_id());
            said = format!("{state}; this run is not added\n");
            break;
        }
        match added(accepted.as_ref(), (&scenario, &run), args.even_failed) {
            Ok(with) => {
                let state = state(&with, &scenario, &run.head.run_id);
                let levels = said.split_once('\n').map_or("", |(_, levels)| levels);
                said = format!("{state}\n{levels}{}", level(scenario.baseline(), &run));
                accepted = Some(with);
                is_changed = true;
            }
            Err(why) if args.while_learning => {
                said = format!("not added: {}\n", safe(&why.to_string()));
            }
            Err(why) => return Err(refused(&why)),
        }
    }
    if let Some(accepted) = accepted.filter(|_| is_changed) {
        baseline::write(&file, named.is_some(), &accepted)?;
    }
    print_result(&format!("{}: {said}", safe(&file.display().to_string())))?;
    Ok(exit::PASS)
}

/// The baseline with this run.
fn added(
    before: Option<&Baseline>,
    (scenario, run): (&Scenario, &Analysis),
    even_failed: bool,
) -> Result<Baseline, NotAdded> {
    let alone = Judging {
        scenario,
        analysis: run,
        baseline: None,
        mismatch: Mismatch::Refuse,
        deciding: Deciding::Once,
        seed: run.head.seed,
    };
    // Before anything is compared: a run that is no evidence has no figures.
    let this = baseline::of_run(scenario, run, &[])?;
    let verdict = judge(alone);
    if verdict.outcome == Outcome::Fail && !even_failed {
        let failed = verdict.thresholds.iter().filter(|t| !t.held).count();
        let sentence = verdict.reasons.into_iter().take(failed).collect();
        return Err(NotAdded::Failed { sentence });
    }
    let Some(before) = before else { return Ok(this) };
    let compared = judge(Judging { baseline: Some(before), ..alone });
    let accepted = baseline::added(Some(before), this.suspecting(&compared.suspected), scenario)?;
    let is_of_level = accepted.run_ids().any(|id| id == run.head.run_id);
    if let Some(word) = direction(&compared).filter(|_| is_of_level) {
        eprint_line(&format!(
            "warning: this run is {word} than those in the baseline; together they vary so much that \
             smaller changes will not be detected. If the agent was changed on purpose, start a new \
             baseline with `loadcall accept --replace RUN`"
        ));
    }
    Ok(accepted)
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
