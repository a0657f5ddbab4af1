//! The results as text: the median of the repeats, and their range where there are several.

use std::{fmt::Write as _, io::Write as _};

use crate::{
    measured::Measured,
    round::{Calls, Cost, Round},
};

pub(crate) fn print(calls: u32, rounds: &[Round]) {
    let mut page = format!("\n{calls} calls, median of {} [range]\n", rounds.len());
    let _ = writeln!(page, "  {:<34}{:>26}{:>24}", "", "CPU-ms per call and s", "RSS in MiB");
    let ours = |of: fn(&Calls) -> Cost| move |round: &Round| Some(of(&round.ours));
    let lk = |of: fn(&Calls) -> Cost| move |round: &Round| round.official.as_ref().map(of);
    page += &cost("the callers", rounds, ours(|calls| calls.tool));
    page += &cost("  livekit-server", rounds, ours(|calls| calls.server));
    page += &cost("  stand-in agents", rounds, ours(|calls| calls.agents));
    page += &cost("packets, decoder and ear alone", rounds, |round| Some(round.floor));
    page += &cost("  the same beside the calls", rounds, |round| round.ours.beside);
    page += &cost("official tester", rounds, lk(|calls| calls.tool));
    page += &cost("  livekit-server", rounds, lk(|calls| calls.server));
    page += &cost("  stand-in agents", rounds, lk(|calls| calls.agents));
    page += "  how many times as much CPU the callers take as\n";
    page += &line("  packets, decoder and ear", ratio(rounds, |round| Some(round.floor)));
    page += &line("    the same beside the calls", ratio(rounds, |round| round.ours.beside));
    let official = ratio(rounds, |round| Some(round.official?.tool));
    page += &line("  the official tester (goal: 0.75)", official);
    page += "  what the callers heard and sent\n";
    for (name, of) in HEARD {
        page += &line(name, rounds.iter().filter_map(|r| r.ours.heard.as_ref().map(of)).collect());
    }
    show(&page);
}

type Heard = (&'static str, fn(&Measured) -> f64);

const HEARD: [Heard; 7] = [
    ("  packets lost, %", |m| 100.0 * count(m.lost) / count(m.received + m.lost).max(1.0)),
    ("  gaps over 100 ms", |m| count(m.gaps)),
    ("  calls that broke", |m| count(m.broken)),
    ("  beginnings and ends of speech", |m| count(m.edges)),
    ("  packets left late by, ms, p50", |m| m.late_p50),
    ("  packets left late by, ms, p99", |m| m.late_p99),
    ("  packets left late by, ms, max", |m| m.late_max),
];

/// Memory as a fixed base and so much for each call, when there is more than one number of calls.
pub(crate) fn print_memory(rounds: &[Round]) {
    let of = |tool: fn(&Round) -> Option<Cost>| -> Vec<(f64, f64)> {
        rounds.iter().filter_map(|r| Some((f64::from(r.calls), tool(r)?.rss))).collect()
    };
    let tools = [
        ("the callers", of(|round| Some(round.ours.tool))),
        ("the official tester", of(|round| Some(round.official?.tool))),
    ];
    for (name, points) in tools {
        if let Some((base, slope)) = fit(&points) {
            show(&format!("{name}: {base:.1} MiB, and {slope:.2} MiB for each call\n"));
        }
    }
}

fn cost(name: &str, rounds: &[Round], of: impl Fn(&Round) -> Option<Cost>) -> String {
    let costs: Vec<Cost> = rounds.iter().filter_map(of).collect();
    if costs.is_empty() {
        return String::new();
    }
    let cpu = spread(costs.iter().map(|cost| cost.cpu).collect());
    let rss = spread(costs.iter().map(|cost| cost.rss).collect());
    format!("  {name:<34}{cpu:>26}{rss:>24}\n")
}

fn line(name: &str, values: Vec<f64>) -> String {
    if values.is_empty() {
        return String::new();
    }
    format!("  {name:<34}{:>26}\n", spread(values))
}

/// Within each round, where both had the same machine.
fn ratio(rounds: &[Round], of: impl Fn(&Round) -> Option<Cost>) -> Vec<f64> {
    rounds.iter().filter_map(|round| Some(round.ours.tool.cpu / of(round)?.cpu)).collect()
}

fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    match values.as_slice() {
        [] => String::new(),
        [only] => format!("{only:.2}"),
        [least, .., most] => {
            let middle = values.len() / 2;
            let median = if values.len() % 2 == 1 {
                values[middle]
            } else {
                f64::midpoint(values[middle - 1], values[middle])
            };
            format!("{median:.2} [{least:.2}–{most:.2}]")
        }
    }
}

/// Least squares: the value at zero, and the slope.
fn fit(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let n = count(points.len() as u64);
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let variance: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    let slope = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / variance;
    (variance > 0.0).then_some((y - slope * x, slope))
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
fn count(n: u64) -> f64 {
    n as f64
}

fn show(text: &str) {
    let _ = write!(std::io::stdout().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_median_and_the_range() {
        assert_eq!(spread(vec![3.0, 1.0, 2.0]), "2.00 [1.00–3.00]");
        assert_eq!(spread(vec![1.0, 2.0]), "1.50 [1.00–2.00]");
        assert_eq!(spread(vec![1.5]), "1.50");
    }

    #[test]
    fn memory_is_a_base_and_a_slope() {
        let (base, slope) = fit(&[(10.0, 25.0), (50.0, 45.0), (100.0, 70.0)]).unwrap();
        assert!((base - 20.0).abs() < 1e-9 && (slope - 0.5).abs() < 1e-9);
        assert_eq!(fit(&[(10.0, 25.0), (10.0, 26.0)]), None, "one number of calls has no slope");
    }
}
