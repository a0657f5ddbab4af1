//! Whether this machine can keep the schedule of so many calls: processors and file descriptors.
#![expect(clippy::disallowed_methods, reason = "IO: reads what Linux tells of its processors")]

use super::finding::{Area, Finding};
use rustix::process::{Resource, getrlimit};
use std::time::Duration;

/// How long the processors are watched.
const WATCHED: Duration = Duration::from_secs(1);
/// Processor time of a call, in milliseconds a second: docs/performance.md, with some to spare.
const CPU_MS_A_CALL: f64 = 2.0;
/// Of the idle time calls may take this share: pacing suffers long before everything is used.
const USABLE: f64 = 0.5;
/// Time that other machines on the same hardware may take from this one.
const MAX_STEAL: f64 = 0.02;
/// Open files of a call at its most, and of everything else.
const FILES_A_CALL: u64 = 12;
const FILES_BESIDE: u64 = 100;

/// Shares of the processors' time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Load {
    idle: f64,
    stolen: f64,
}

/// Watches the machine for a second, with so many calls at a time in mind.
pub(super) async fn check(calls: u32) -> Vec<Finding> {
    let before = std::fs::read_to_string("/proc/stat").ok();
    tokio::time::sleep(WATCHED).await;
    let after = std::fs::read_to_string("/proc/stat").ok();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let load = before.as_deref().zip(after.as_deref()).and_then(|(b, a)| between(b, a));
    vec![processors(load, cpus, calls), files(getrlimit(Resource::Nofile).current, calls)]
}

#[expect(clippy::cast_precision_loss, reason = "a machine has few processors")]
fn processors(load: Option<Load>, cpus: usize, calls: u32) -> Finding {
    let Some(Load { idle, stolen }) = load else {
        let why = "this system does not tell how busy its processors are";
        return Finding::not_tested(Area::Machine, "processors", why);
    };
    let evidence = format!(
        "{:.0} % of {cpus} idle, {:.1} % taken by other machines",
        idle * 100.0,
        stolen * 100.0
    );
    let usable_ms = idle * USABLE * cpus as f64 * 1_000.0;
    if stolen > MAX_STEAL {
        let remedy =
            "call from a machine that has its processors for itself: what is taken from it is late";
        return Finding::failed(Area::Machine, "processors", evidence, remedy);
    }
    if f64::from(calls) * CPU_MS_A_CALL > usable_ms {
        let remedy = format!(
            "stop other programs, place fewer calls at a time than {calls}, or take a larger machine: a caller without time is late, and its run gets no verdict"
        );
        return Finding::failed(Area::Machine, "processors", evidence, remedy);
    }
    Finding::ok(Area::Machine, "processors", format!("{evidence}; enough for {calls} at a time"))
}

fn files(limit: Option<u64>, calls: u32) -> Finding {
    let needed = FILES_BESIDE + u64::from(calls) * FILES_A_CALL;
    match limit {
        Some(limit) if limit < needed => Finding::failed(
            Area::Machine,
            "open files",
            format!("at most {limit} may be open; {calls} calls at a time need up to {needed}"),
            format!("ulimit -n {needed}"),
        ),
        Some(limit) => Finding::ok(Area::Machine, "open files", format!("up to {limit}")),
        None => Finding::ok(Area::Machine, "open files", "without a limit"),
    }
}

/// What the processors did between two readings of `/proc/stat` (proc(5)).
#[expect(clippy::cast_precision_loss, reason = "ticks of a second")]
fn between(before: &str, after: &str) -> Option<Load> {
    let (before, after) = (times(before)?, times(after)?);
    let spent: Vec<f64> = after
        .iter()
        .zip(&before)
        .map(|(after, before)| after.saturating_sub(*before) as f64)
        .collect();
    let total: f64 = spent.iter().sum();
    if total <= 0.0 {
        return None;
    }
    let [_, _, _, idle, waiting, .., stolen] = spent.as_slice() else { return None };
    Some(Load { idle: (idle + waiting) / total, stolen: stolen / total })
}

/// User, nice, system, idle, iowait, irq, softirq, steal. Guests are counted in the first two.
fn times(stat: &str) -> Option<[u64; 8]> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let mut times = [0; 8];
    let mut numbers = line.split_whitespace();
    for time in &mut times {
        *time = numbers.next()?.parse().ok()?;
    }
    Some(times)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Found;
    use super::*;

    #[test]
    fn shares_are_of_the_time_between() {
        let before = "cpu  100 0 50 800 10 0 0 40 0 0\ncpu0 1 2 3\n";
        let after = "cpu  140 0 60 930 10 0 0 60 0 0\n";
        assert_eq!(between(before, after), Some(Load { idle: 0.65, stolen: 0.1 }));
        assert_eq!(between(before, before), None);
        assert_eq!(between("intr 1", after), None);
    }

    #[test]
    fn what_a_machine_lacks_is_named() {
        let load = |idle, stolen| Some(Load { idle, stolen });
        let is_ok = |finding: Finding| matches!(finding.found, Found::Ok { .. });
        assert!(is_ok(processors(load(0.9, 0.0), 2, 50)));
        assert!(!is_ok(processors(load(0.05, 0.0), 2, 50)));
        assert!(!is_ok(processors(load(0.9, 0.1), 2, 1)));
        assert!(matches!(processors(None, 2, 1).found, Found::NotTested { .. }));
        assert!(
            is_ok(files(Some(1024), 50)) && !is_ok(files(Some(256), 50)) && is_ok(files(None, 50))
        );
    }
}
