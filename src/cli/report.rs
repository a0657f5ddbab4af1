//! Judging a recording and rendering its report; `loadcall report`.

use super::exit::{self, Failure, print};
use super::terminal::print_json;
use super::{files, pair};
use crate::record::store::{self, StoreError};
use crate::record::{Run, Side};
use crate::report::{Report, json, text};
use crate::scenario::{Scenario, Style};
use crate::turn::Analysis;
use crate::verdict::{BASELINE_MAX_BYTES, Baseline, Different, Judging, Verdict, judge};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

/// The forms a report can be printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Plain text.
    Text,
    /// JSON, as in report.json.
    Json,
}

/// A recording with what it amounts to.
pub(super) struct Judged {
    pub(super) run: Run,
    pub(super) scenario: Scenario,
    pub(super) analysis: Analysis,
    pub(super) verdict: Verdict,
}

impl Judged {
    /// Judges a run by its scenario's thresholds and, if there is one, against a baseline.
    pub(super) fn against(
        run: Run,
        baseline: Option<&Baseline>,
        different: Different,
        seed: u64,
    ) -> Result<Self, Failure> {
        let scenario = scenario_of(&run)?;
        let analysis = Analysis::of(&run, &scenario);
        let judging = Judging {
            run: &run,
            scenario: &scenario,
            analysis: &analysis,
            baseline,
            different,
            seed,
        };
        let verdict = judge(judging);
        Ok(Self { run, scenario, analysis, verdict })
    }

    fn report(&self) -> Report {
        Report::new(&self.run, &self.scenario, &self.analysis, &self.verdict)
    }

    pub(super) fn json(&self) -> String {
        json::render(&self.report())
    }

    /// Writes `report.json` into the run's folder.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Failure> {
        files::write(&folder.join("report.json"), self.json().as_bytes())
    }

    /// The report for stdout; `place` is where the run lies.
    pub(super) fn text(&self, place: &Path) -> String {
        let width = terminal_width();
        // Colours are taken out again where stdout does not want them.
        text::render(&self.report(), text::Colour::Always, width, &place.display().to_string())
    }
}

/// `loadcall report`: the report of a recording, in the form that is asked for.
pub(super) fn report(
    path: &Path,
    format: Format,
    baseline: Option<&Path>,
    different: Different,
) -> Result<u8, Failure> {
    if pair::is_ab(path) {
        if baseline.is_some() {
            return Err(ab_has_no_baseline(path));
        }
        let judged = pair::read(path)?;
        match format {
            Format::Text => print(&judged.text(path))?,
            Format::Json => print_json(&judged.json())?,
        }
        return Ok(exit::PASS);
    }
    let run = read_run(path)?;
    let seed = run.head.seed;
    let baseline = baseline_for(Path::new(&run.head.scenario_path), baseline)?;
    let judged = Judged::against(run, baseline.as_ref(), different, seed)?;
    match format {
        Format::Text => print(&judged.text(path))?,
        Format::Json => print_json(&judged.json())?,
    }
    Ok(exit::PASS)
}

/// B is judged against A.
pub(super) fn ab_has_no_baseline(path: &Path) -> Failure {
    Failure::usage(format!("`{}` is an A/B run, which has no baseline", path.display()))
        .hint(format!("name one of its runs, such as {}", path.join(Side::B.name()).display()))
}

pub(super) fn read_run(path: &Path) -> Result<Run, Failure> {
    store::read(path).map_err(|e| {
        let failure = Failure::usage(&e);
        if pair::is_ab(path) {
            let (a, b) = (path.join(Side::A.name()), path.join(Side::B.name()));
            let sides = format!("this is an A/B run: name {} or {}", a.display(), b.display());
            return failure.hint(sides);
        }
        if matches!(e, StoreError::Read { .. }) {
            return failure.hint("name a run folder such as reports/latest, or its run.jsonl");
        }
        failure
    })
}

/// The scenario a recording was made with, for the agent that was called.
pub(super) fn scenario_of(run: &Run) -> Result<Scenario, Failure> {
    let scenario = Scenario::parse(&run.head.scenario_text).map_err(|faults| {
        let shown = faults.render(&run.head.scenario_path, &run.head.scenario_text, Style::Plain);
        Failure::usage(format!("this version cannot read the recording's scenario:\n{shown}"))
    })?;
    Ok(match &run.head.arm {
        Some(arm) => scenario.calling(&arm.agent_name, &arm.agent_metadata),
        None => scenario,
    })
}

/// A baseline file, or a run used as one.
pub(super) fn read_baseline(path: &Path) -> Result<Baseline, Failure> {
    if path.is_dir() || path.extension().is_some_and(|e| e == "jsonl") {
        let run = read_run(path)?;
        let scenario = scenario_of(&run)?;
        let analysis = Analysis::of(&run, &scenario);
        let at = run.head.started_at.clone();
        return Baseline::of(&run, &scenario, &analysis, &at)
            .map_err(|e| Failure::usage(format!("`{}`: {e}", path.display())));
    }
    let text = crate::files::read_text(path, BASELINE_MAX_BYTES as u64).map_err(|e| {
        Failure::usage(format!("cannot read the baseline `{}`: {e}", path.display()))
            .hint("`loadcall accept RUN` makes a run the baseline of its scenario")
    })?;
    Baseline::parse(&text).map_err(|e| Failure::usage(format!("`{}`: {e}", path.display())))
}

/// The baseline that is named, else the one beside the scenario, if there is one.
pub(super) fn baseline_for(
    scenario: &Path,
    named: Option<&Path>,
) -> Result<Option<Baseline>, Failure> {
    let own = files::baseline_beside(scenario);
    match named {
        Some(path) => read_baseline(path).map(Some),
        None if own.exists() => read_baseline(&own).map(Some),
        None => Ok(None),
    }
}

pub(super) fn own_baseline_path(run: &Run) -> PathBuf {
    files::baseline_beside(Path::new(&run.head.scenario_path))
}

/// What fits on the user's screen.
pub(super) fn terminal_width() -> usize {
    const UNKNOWN: usize = 100;
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return UNKNOWN;
    }
    rustix::termios::tcgetwinsize(&stdout).map_or(UNKNOWN, |size| usize::from(size.ws_col))
}
