//! `loadcall accept`: makes a run part of the measure for later ones of its scenario.

use super::exit::{self, Failure, print, tell};
use super::{files, report};
use crate::clock;
use crate::record::Run;
use crate::scenario::{BaselineRule, Scenario};
use crate::turn::Analysis;
use crate::verdict::{
    BASELINE_MAX_BYTES as MAX_BYTES, Baseline, CannotAccept, Different, Judging, Outcome,
    RUNS_FOR_DRIFT, judge, sample,
};
use std::path::Path;

/// What happens to the runs that were accepted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Earlier {
    /// The newest stay, as many as the scenario's rule keeps.
    Keep,
    /// The baseline starts anew with this run.
    Drop,
}

pub(super) fn accept(path: &Path, file: Option<&Path>, earlier: Earlier) -> Result<u8, Failure> {
    let run = report::read_run(path)?;
    let scenario = report::scenario_of(&run)?;
    let analysis = Analysis::of(&run, &scenario);
    let file = file.map_or_else(|| report::own_baseline_path(&run), Path::to_path_buf);
    let now = files::timestamp(clock::wall_now());
    let this = Baseline::of(&run, &scenario, &analysis, &now).map_err(Failure::usage)?;
    let before = match earlier {
        Earlier::Keep if file.exists() => Some(report::read_baseline(&file)?),
        Earlier::Keep | Earlier::Drop => None,
    };
    let rule = scenario.baseline();
    let level = level(rule, &this);
    let accepted = match &before {
        Some(before) => {
            warn_of_a_step(before, &run, &scenario, &analysis);
            before.with(this, usize::from(rule.runs)).map_err(refused)?
        }
        None => this,
    };
    let text = accepted.to_json();
    if text.len() > MAX_BYTES {
        let (has, runs) = (text.len() >> 20, accepted.run_ids().len());
        return Err(Failure::usage(format!(
            "the baseline would have {has} MiB, and at most {} are kept",
            MAX_BYTES >> 20
        ))
        .hint(format!(
            "keep fewer runs than {runs} (`baseline: {{runs: …}}`), or place fewer calls"
        )));
    }
    files::write(&file, text.as_bytes())
        .map_err(|failure| failure.hint("say where to store it with --baseline FILE"))?;
    let has = accepted.run_ids().len();
    print(&format!("{}: {}\n{level}", file.display(), state(has, rule, accepted.run_id())))?;
    Ok(exit::PASS)
}

fn refused(why: CannotAccept) -> Failure {
    let other = matches!(why, CannotAccept::Other(_));
    let failure = Failure::usage(why);
    if other {
        failure.hint("`loadcall accept --replace RUN` starts the baseline anew")
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
        more => format!("; {more} more and it is known how much runs differ by themselves"),
    };
    format!("{runs}, the newest of them {newest}{more}")
}

/// A run of another level among the accepted ones makes them differ more than runs of one agent do.
fn warn_of_a_step(before: &Baseline, run: &Run, scenario: &Scenario, analysis: &Analysis) {
    let (seed, different) = (run.head.seed, Different::Blocks);
    let verdict =
        judge(Judging { run, scenario, analysis, baseline: Some(before), different, seed });
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
    tell(&format!(
        "warning: this run is {word} than those in the baseline; together they differ so much that \
         smaller changes will not be found. If the agent was changed on purpose, start the baseline \
         anew with `loadcall accept --replace RUN`"
    ));
}

fn level(rule: BaselineRule, run: &Baseline) -> String {
    let name = rule.primary.name();
    match sample(run.measures().values(rule.primary)) {
        Some(sample) => {
            format!("{name} p{}: {:.0} ms\n", rule.quantile, sample.quantile(rule.quantile).value)
        }
        None => format!("{name} was not measured: a comparison will be inconclusive\n"),
    }
}
