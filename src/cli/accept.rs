//! `loadcall accept`: makes a run the measure for later ones of its scenario.

use super::exit::{self, Failure, print};
use super::{files, report};
use crate::clock;
use crate::scenario::Metric;
use crate::turn::Analysis;
use crate::verdict::{Baseline, sample};
use std::path::Path;

pub(super) fn accept(path: &Path, baseline: Option<&Path>) -> Result<u8, Failure> {
    let run = report::read_run(path)?;
    let scenario = report::scenario_of(&run)?;
    let analysis = Analysis::of(&run, &scenario);
    let file = baseline.map_or_else(|| report::own_baseline_path(&run), Path::to_path_buf);
    let now = files::timestamp(clock::wall_now());
    let accepted = Baseline::of(&run, &scenario, &analysis, &now).map_err(Failure::usage)?;
    let before = file.exists().then(|| report::read_baseline(&file)).transpose();
    files::write(&file, accepted.to_json().as_bytes())
        .map_err(|failure| failure.hint("say where to store it with --baseline FILE"))?;
    let rule = scenario.baseline();
    let primary = |b: &Baseline| {
        Some(sample(b.measures().values(rule.primary))?.quantile(rule.quantile).value)
    };
    let mut said =
        format!("{}: {} calls of run {}\n", file.display(), accepted.calls(), accepted.run_id());
    said += &change(
        rule.primary,
        rule.quantile,
        before.ok().flatten().as_ref().and_then(primary),
        primary(&accepted),
    );
    print(&said)?;
    Ok(exit::PASS)
}

fn change(metric: Metric, quantile: f64, before: Option<f64>, now: Option<f64>) -> String {
    let name = metric.name();
    match (before, now) {
        (Some(before), Some(now)) => format!("{name} p{quantile}: {before:.0} → {now:.0} ms\n"),
        (None, Some(now)) => format!("{name} p{quantile}: {now:.0} ms\n"),
        (_, None) => format!("{name} was not measured: a comparison will be inconclusive\n"),
    }
}
