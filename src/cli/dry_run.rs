//! `--dry-run`: what a command that places calls would do, from its scenario and clips alone.

use super::PlacingArgs;
use super::exit;
use super::failure::Failure;
use super::loaded::LoadedScenario;
use super::terminal::print_result;
use crate::plan::estimate::{Estimate, Span};
use crate::plan::{Plan, Schedule, Targets};
use crate::text::count;
use std::fmt::Write as _;
use std::num::NonZeroU8;
use std::path::PathBuf;
use std::time::Duration;

const WHAT_IT_IS: &str = "\
An estimate; no call was placed. Least: what the caller says and waits for, if the agent does all that
is expected, at once and briefly. Most: `max_call` of `hangup` for every call. A call that reaches no
agent is shorter. Starting a server or an agent is not included.
";

/// How often a scenario is run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runs {
    /// Agents that each run calls.
    pub(super) agents: NonZeroU8,
    /// Runs, one after the other.
    pub(super) runs: u32,
}

impl Runs {
    pub(super) const ONE: Self = Self { agents: NonZeroU8::MIN, runs: 1 };
    /// The two agents of an A/B run.
    pub(super) const BOTH: Self = Self { agents: NonZeroU8::MIN.saturating_add(1), runs: 1 };
}

/// Prints the estimates of scenarios that are placed one after another.
pub(super) fn show_all(paths: &[PathBuf], args: &PlacingArgs) -> Result<u8, Failure> {
    let load = |path| LoadedScenario::load(path, args.overrides.list(), args.clips.outside());
    let mut all: Option<Estimate> = None;
    for path in paths {
        let of_this = print(&load(path)?, Runs::ONE, args)?;
        all = Some(all.map_or(of_this, |all| all.then(&of_this)));
    }
    if let Some(all) = all.filter(|_| paths.len() > 1) {
        let name = format!("all {} scenarios", paths.len());
        print_result(&text(&name, &all, Runs::ONE))?;
    }
    print_result(WHAT_IT_IS)?;
    Ok(exit::PASS)
}

/// Prints the estimate of one scenario.
pub(super) fn show(loaded: &LoadedScenario, runs: Runs, args: &PlacingArgs) -> Result<u8, Failure> {
    print(loaded, runs, args)?;
    print_result(WHAT_IT_IS)?;
    Ok(exit::PASS)
}

fn print(loaded: &LoadedScenario, runs: Runs, args: &PlacingArgs) -> Result<Estimate, Failure> {
    let scenario = &loaded.scenario;
    let targets = Targets::new(runs.agents);
    let plan = Plan { schedule: Schedule::new(scenario.load()), targets, seed: args.seed };
    let voiced: Vec<Option<Duration>> = loaded
        .clip_facts()
        .iter()
        .map(|clip| Duration::try_from_secs_f64(clip.as_ref()?.voiced_ms / 1_000.0).ok())
        .collect();
    let estimate = Estimate::new(&plan, scenario, &voiced);
    print_result(&text(&loaded.path.display().to_string(), &estimate, runs))?;
    Ok(estimate)
}

fn text(scenario: &str, estimate: &Estimate, runs: Runs) -> String {
    let rounds = u64::from(runs.runs);
    let calls = usize::try_from(estimate.calls.saturating_mul(rounds)).unwrap_or(usize::MAX);
    let at_a_time = estimate.at_a_time;
    let mut out = format!("{scenario}: {}, {at_a_time} concurrent", count(calls, "call"));
    if runs.runs > 1 {
        let _ = write!(out, ", in {} one after the other", count(runs.runs as usize, "run"));
    }
    if runs.agents.get() > 1 {
        let _ = write!(out, ", half of them to each agent");
    }
    let agent = estimate.agent.times(rounds);
    let _ = write!(
        out,
        "\n  one call       {}\n  all calls      {}\n  agent-minutes  {} to {}\n",
        range(estimate.call),
        range(estimate.wall.times(rounds)),
        minutes(agent.least),
        minutes(agent.most),
    );
    out
}

fn range(span: Span) -> String {
    let (least, most) = (length(span.least), length(span.most));
    if least == most { least } else { format!("{least} to {most}") }
}

/// `6 s`, `3 min 20 s`, `2 h 5 min`.
fn length(length: Duration) -> String {
    let seconds = length.as_secs_f64().round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rounded, non-negative number of seconds; casts saturate"
    )]
    let seconds = seconds as u64;
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes, rest) {
        (0, 0, _) => format!("{rest} s"),
        (0, _, 0) => format!("{minutes} min"),
        (0, _, _) => format!("{minutes} min {rest} s"),
        (_, 0, _) => format!("{hours} h"),
        (_, _, _) => format!("{hours} h {minutes} min"),
    }
}

fn minutes(length: Duration) -> String {
    crate::text::number(length.as_secs_f64() / 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_at_a_glance() {
        for (seconds, shown) in [
            (0.4, "0 s"),
            (6.6, "7 s"),
            (59.6, "1 min"),
            (200.0, "3 min 20 s"),
            (3_600.0, "1 h"),
            (7_500.0, "2 h 5 min"),
        ] {
            assert_eq!(length(Duration::from_secs_f64(seconds)), shown);
        }
    }

    #[test]
    fn an_estimate_says_what_it_is() {
        let span = |least, most| Span {
            least: Duration::from_secs(least),
            most: Duration::from_secs(most),
        };
        let estimate = Estimate {
            calls: 20,
            at_a_time: 5,
            call: span(6, 90),
            wall: span(25, 360),
            agent: span(120, 1_800),
        };
        let both = text("a.yaml", &estimate, Runs::BOTH);
        let lines: Vec<&str> = both.lines().take(4).collect();
        let head = "a.yaml: 20 calls, 5 concurrent, half of them to each agent";
        let call = "  one call       6 s to 1 min 30 s";
        assert_eq!(
            lines,
            [head, call, "  all calls      25 s to 6 min", "  agent-minutes  2 to 30"]
        );
        let noise = text("a.yaml", &estimate, Runs { runs: 5, ..Runs::ONE });
        let head = "a.yaml: 100 calls, 5 concurrent, in 5 runs one after the other\n";
        assert!(noise.starts_with(head), "{noise}");
        assert!(noise.contains("  all calls      2 min 5 s to 30 min\n"), "{noise}");
        assert!(noise.contains("  agent-minutes  10 to 150\n"), "{noise}");
    }
}
