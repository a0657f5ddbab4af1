//! The tables of a terminal report.

use super::numbers::{grouped, number};
use super::page::{Page, Tone};
use crate::record::Calibration;
use crate::report::counts::loss;
use crate::report::{Report, Summary};
use crate::scenario::Metric;
use crate::text;

/// Columns of a metric's name.
const NAME: usize = 30;

/// The columns of the table of metrics on a page of some width.
struct Columns {
    shown: &'static [&'static str],
    n: usize,
    number: usize,
}

impl Columns {
    const fn within(width: usize) -> Self {
        match width {
            86.. => Self { shown: &["p50", "p90", "p95", "p99", "max"], n: 6, number: 10 },
            80.. => Self { shown: &["p50", "p90", "p95", "p99", "max"], n: 5, number: 9 },
            _ => Self { shown: &["p50", "p95"], n: 6, number: 10 },
        }
    }

    fn right(&self, text: &str) -> String {
        format!("{text:>width$}", width = self.number)
    }
}

/// The metrics of a report in groups, in the order of a call.
const GROUPS: [(&str, &[Metric]); 5] = [
    (
        "heard by the caller",
        &[
            Metric::HeardE2eLatency,
            Metric::AnswerLatency,
            Metric::FillerGap,
            Metric::HeardTtfa,
            Metric::GreetingLatency,
            Metric::TimeToYield,
        ],
    ),
    ("call setup", &[Metric::ConnectDelay, Metric::AgentJoinDelay, Metric::AgentReadyDelay]),
    (
        "reported by the agent",
        &[
            Metric::EndOfTurnDelay,
            Metric::TranscriptionDelay,
            Metric::OnUserTurnCompletedDelay,
            Metric::LlmNodeTtft,
            Metric::LlmNodeTtfs,
            Metric::TtsNodeTtfb,
            Metric::E2eLatency,
        ],
    ),
    (
        "announced by the agent, timed by the caller",
        &[Metric::TurnDecided, Metric::AnswerPrepared, Metric::ToolDelay],
    ),
    ("heard minus reported", &[Metric::Unattributed]),
];

/// Quantiles of all metrics, in milliseconds.
pub(super) fn metrics(page: &mut Page, report: &Report) {
    if report.metrics.is_empty() {
        return;
    }
    let columns = Columns::within(page.width());
    page.blank();
    let mut head = format!("{:<NAME$}{:>n$}", "  in milliseconds", "n", n = columns.n);
    for name in columns.shown {
        head.push_str(&columns.right(name));
    }
    page.line(&[(Tone::Faint, &head)]);
    let mut bound = false;
    for (title, metrics) in GROUPS {
        // Without a filler the answer is the reply.
        let says_more = |m: &&Metric| **m != Metric::AnswerLatency || has_filler(report);
        let rows: Vec<&Summary> =
            metrics.iter().filter(says_more).filter_map(|m| report.summary(*m)).collect();
        if rows.is_empty() {
            continue;
        }
        page.line(&[(Tone::Strong, title)]);
        for summary in rows {
            bound |= row(page, summary, &columns);
        }
    }
    if bound {
        page.paragraph(
            0,
            &[],
            "≥ lower bound: some turns were unanswered, so the true value is at least this",
        );
    }
}

/// Whether something bridged the wait for an answer.
fn has_filler(report: &Report) -> bool {
    report.events.iter().any(|(metric, share)| *metric == Metric::FillerCount && share.count > 0)
}

/// Writes the row of a metric; true when it shows a lower bound.
fn row(page: &mut Page, summary: &Summary, columns: &Columns) -> bool {
    let name = format!("  {}", summary.metric.name());
    let name = format!("{name:<NAME$}{:>n$}", summary.n, n = columns.n);
    let mut pieces = vec![(Tone::Plain, name)];
    let mut bound = false;
    let shown = |column: &str| columns.shown.contains(&column);
    for (column, quantile) in summary.quantiles().into_iter().filter(|(column, _)| shown(column)) {
        if summary.tells(column) {
            bound |= quantile.lower_bound;
            let tone = if quantile.lower_bound { Tone::Doubt } else { Tone::Plain };
            pieces.push((tone, columns.right(&number(quantile))));
        } else {
            pieces.push((Tone::Faint, columns.right("–")));
        }
    }
    let pieces: Vec<(Tone, &str)> = pieces.iter().map(|(tone, text)| (*tone, &**text)).collect();
    page.line(&pieces);
    bound
}

/// What happened in how many turns, and how much both spoke at once.
pub(super) fn turn_taking(page: &mut Page, report: &Report) {
    if report.events.is_empty() && report.overlap.is_none() {
        return;
    }
    page.heading("turn taking");
    for (metric, share) in &report.events {
        if *metric == Metric::FillerCount && share.count == 0 {
            continue;
        }
        let tone = if share.count > 0 { Tone::Doubt } else { Tone::Plain };
        let name = format!("  {:<width$}", metric.name(), width = NAME - 2);
        let found = format!("{:>6}", share.count);
        let of = format!(" of {}", text::count(share.of, "turn"));
        page.line(&[(Tone::Plain, &name), (tone, &found), (Tone::Plain, &of)]);
    }
    if let Some(overlap) = &report.overlap {
        let all = overlap.all.ratio().unwrap_or(0.0);
        let name = format!("  {:<width$}", overlap.summary.metric.name(), width = NAME - 2);
        let text = format!("{all:>6.3}, at most {:.3}", overlap.summary.max.value);
        page.line(&[(Tone::Plain, &name), (Tone::Plain, &text)]);
    }
}

/// What the replies of each step were waiting for.
pub(super) fn steps(page: &mut Page, report: &Report) {
    if report.steps.is_empty() {
        return;
    }
    page.heading("latency breakdown at the median (ms)");
    for line in &report.steps {
        let mut parts: Vec<(&str, f64)> =
            line.path.parts.iter().map(|(part, ms)| (part.name(), *ms)).collect();
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        let shown = parts.iter().filter(|(_, ms)| ms.abs() >= 0.5);
        let each: Vec<String> =
            shown.map(|(name, ms)| format!("{} {name}", grouped(*ms))).collect();
        let hidden = match line.path.hidden_ms {
            ms if ms >= 0.5 => format!("; {} ms more in parallel", grouped(ms)),
            _ => String::new(),
        };
        let answered = match line.unanswered {
            0 => String::new(),
            unanswered => format!(
                " (of the {} that {} answered; {} not)",
                text::count(line.n, "turn"),
                if line.n == 1 { "was" } else { "were" },
                match unanswered {
                    1 => "1 was".to_owned(),
                    n => format!("{} were", text::number_of(n)),
                }
            ),
        };
        let text =
            format!("{} = {}{hidden}{answered}", grouped(line.path.total_ms()), each.join(" + "));
        page.paragraph(2, &[(Tone::Strong, &line.id), (Tone::Plain, ":")], &text);
    }
}

/// Each threshold with what was measured.
pub(super) fn thresholds(page: &mut Page, report: &Report) {
    if report.judged.verdict.thresholds.is_empty() {
        return;
    }
    page.heading("thresholds");
    for result in &report.judged.verdict.thresholds {
        let (mark, tone) = if result.held { ("✓", Tone::Good) } else { ("✗", Tone::Bad) };
        page.paragraph(2, &[(tone, mark)], &result.text);
    }
}

/// How well the caller kept its own time, and what of the agent's audio arrived.
pub(super) fn instrument(page: &mut Page, report: &Report) {
    page.heading("load generator health");
    match &report.pacing {
        None => page.line(&[(Tone::Plain, "  sent no audio")]),
        Some(pacing) => page.paragraph(
            2,
            &[],
            &format!(
                "audio packets left {:.1}\u{a0}ms late at p50, {:.1}\u{a0}ms at p99, {:.1}\u{a0}ms at most (n\u{a0}{})",
                pacing.p50_ms,
                pacing.p99_ms,
                pacing.max_ms,
                text::grouped(&pacing.n.to_string()),
            ),
        ),
    }
    let head = &report.judged.analysis.head;
    let media = &report.judged.analysis.media;
    let text = format!(
        "received {} packets of the agent's audio, {} lost ({:.2}\u{a0}%), largest gap {}\u{a0}ms",
        text::grouped(&media.received.to_string()),
        text::grouped(&media.lost.to_string()),
        loss(media) * 100.0,
        grouped(media.largest_gap_ms),
    );
    page.paragraph(2, &[], &text);
    page.paragraph(2, &[], &calibration(head.calibration.as_ref()));
}

/// How far off the numbers above may be.
fn calibration(known: Option<&Calibration>) -> String {
    let Some(known) = known else {
        return "not calibrated: `loadcall calibrate` measures loadcall's own error on this machine"
            .into();
    };
    let errors: Vec<String> = ["heard_e2e_latency", "time_to_yield"]
        .into_iter()
        .filter_map(|of| known.error(of))
        .map(|e| {
            format!(
                "{} {:+.1}\u{a0}ms on average, within {:.1}\u{a0}ms at p99",
                e.of, e.bias_ms, e.abs_p99_ms
            )
        })
        .collect();
    let day = known.at.split('T').next().unwrap_or_default();
    format!("calibrated {day} at concurrency {}: error of {}", known.concurrency, errors.join("; "))
}
