//! `report.json`: the report for other programs. Its types are its own, so that loadcall's can
//! change without breaking a reader; `report.schema.json` beside this file describes it, and
//! [`FORMAT`] grows when a reader of the schema would no longer understand it.

mod calls;
mod shape;

use std::collections::BTreeMap;
use std::io::{self, Write};

use calls::{Calls, Turns};
use shape::{
    AnswerJson, AttributionJson, ChangeJson, ComparisonJson, ContentCountsJson, DefinitionJson,
    DefinitionsJson, Document, EndsJson, EventJson, FailuresJson, HostJson, IntervalJson,
    MetricJson, OverlapJson, PacingJson, PartJson, ReceivedJson, RunToRunJson, ShareJson,
    StepChangeJson, StepJson, ThresholdJson, TimeJson, VerdictJson, WindowJson,
};

pub(super) use shape::OverrideJson;

use super::counts::loss;
use super::{OverlapLine, Pacing, Report, Share, StepLine, Summary, Window};
use crate::record::Outcome;
use crate::scenario::{Metric, Overlay};
use crate::stats::{Interval, Rate, Statistic};
use crate::turn::{Analysis, Cause, Part, Path};
use crate::verdict::{
    Answer, Attribution, Basis, Change, Comparison, Direction, EventChange, FailureChange, Judged,
    Origin, Outcome as Judgement, PartChange, ThresholdResult,
};

/// The version of the format.
pub const FORMAT: u32 = 2;

/// Writes the report as a JSON document with a line feed at its end. Calls and turns are written one
/// after another: the document never stands in memory as a whole.
pub fn write(report: &Report, mut out: impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, &Document::from(report))?;
    out.write_all(b"\n")
}

impl<'a> From<&'a Report> for Document<'a> {
    fn from(report: &'a Report) -> Self {
        let Judged { scenario, analysis, .. } = &report.judged;
        let head = &analysis.head;
        Self {
            format: FORMAT,
            run_id: &head.run_id,
            scenario: scenario.name(),
            scenario_path: &head.scenario_path,
            agent_name: &scenario.agent().name,
            overrides: overrides(head.overlay.as_ref()),
            variables: variables(head.overlay.as_ref()),
            started_at: &head.started_at,
            loadcall_version: &head.loadcall_version,
            server_url: &head.server_url,
            host: HostJson { os: &head.host.os, cpus: head.host.cpus },
            duration_ms: report.duration_ms().map(micro),
            planned_calls: report.planned(),
            stopped: report.stopped(),
            verdict: (&report.judged).into(),
            metrics: metrics(report),
            outcomes: outcomes(analysis),
            causes: causes(report),
            content: ContentCountsJson {
                met: report.content.met,
                missed: report.content.missed,
                cannot_tell: report.content.cannot_tell,
            },
            steps: report.steps.iter().map(Into::into).collect(),
            definitions: definitions(&report.windows),
            calls: Calls(analysis),
            turns: Turns(analysis),
            pacing: report.pacing.as_ref().map(Into::into),
            calibration: head.calibration.as_ref(),
            received: ReceivedJson {
                packets: analysis.media.received,
                lost: analysis.media.lost,
                loss: loss(&analysis.media),
                largest_gap_ms: micro(analysis.media.largest_gap_ms),
            },
            notes: &report.notes,
        }
    }
}

/// The flags that set values of the scenario.
pub(super) fn overrides(overlay: Option<&Overlay>) -> Vec<OverrideJson<'_>> {
    let all = overlay.into_iter().flat_map(|overlay| &overlay.overrides);
    all.map(|flag| OverrideJson { flag: flag.flag(), value: flag.argument() }).collect()
}

/// The variables that the scenario names and that were set; `None` without any.
pub(super) fn variables(overlay: Option<&Overlay>) -> Option<&BTreeMap<String, String>> {
    overlay.map(|overlay| &overlay.variables).filter(|variables| !variables.is_empty())
}

fn outcomes(analysis: &Analysis) -> BTreeMap<&'static str, usize> {
    let mut counts: BTreeMap<_, _> = Outcome::ALL.iter().map(|o| (o.name(), 0)).collect();
    for call in &analysis.calls {
        *counts.entry(call.outcome.name()).or_default() += 1;
    }
    counts
}

fn causes(report: &Report) -> BTreeMap<&'static str, usize> {
    // Only those of the first version of the document are there whatever their count.
    let later = [Cause::Rpc, Cause::EndState, Cause::EndStateUnknown];
    let known = Cause::ALL.iter().filter(|cause| !later.contains(cause));
    let mut counts: BTreeMap<_, _> = known.map(|c| (c.name(), 0)).collect();
    counts.extend(report.causes.iter().map(|count| (count.cause.name(), count.calls)));
    counts
}

fn metrics(report: &Report) -> BTreeMap<&'static str, MetricJson<'_>> {
    let mut metrics: BTreeMap<_, _> = report
        .metrics
        .iter()
        .map(|summary| (summary.metric.name(), MetricJson::Time(Box::new(summary.into()))))
        .collect();
    let share = |share: Share, metric: Metric| {
        let unit = metric.kind().unit();
        let interval = share.interval().map(shares);
        let (n, count, rate) = (share.of, share.count, share.rate());
        MetricJson::Share(ShareJson { unit, n, count, rate, interval })
    };
    let ok = report.calls_ok.map(|of| (Metric::CallsOk, of));
    for (metric, of) in ok.into_iter().chain(report.events.iter().copied()) {
        metrics.insert(metric.name(), share(of, metric));
    }
    if let Some(overlap) = &report.overlap {
        let json = MetricJson::Overlap(Box::new(overlap.into()));
        metrics.insert(Metric::OverlapRatio.name(), json);
    }
    metrics
}

fn definitions(windows: &[Window]) -> DefinitionsJson {
    let metrics = Metric::ALL.into_iter().map(|metric| {
        let of = metric.definition();
        let (unit, source) = (of.kind.unit(), of.source.name());
        (metric.name(), DefinitionJson { unit, source, text: of.text })
    });
    let windows = windows.iter().map(|w| (w.name, WindowJson { ms: w.ms, text: w.text }));
    DefinitionsJson { metrics: metrics.collect(), windows: windows.collect() }
}

impl From<&OverlapLine> for OverlapJson {
    fn from(line: &OverlapLine) -> Self {
        let of = &line.summary;
        Self {
            unit: of.metric.kind().unit(),
            n: of.n,
            p50: micro(of.p50.value),
            p90: micro(of.p90.value),
            p95: micro(of.p95.value),
            p99: micro(of.p99.value),
            max: micro(of.max.value),
            overlap_ms: micro(line.all.overlap_ms),
            speech_ms: micro(line.all.speech_ms),
        }
    }
}

impl<'a> From<&'a StepLine> for StepJson<'a> {
    fn from(line: &'a StepLine) -> Self {
        Self {
            step: line.step,
            turn: &line.id,
            n: line.n,
            unanswered: line.unanswered,
            heard_ms: micro(line.path.total_ms()),
            path_ms: path(&line.path),
            hidden_ms: micro(line.path.hidden_ms),
            bottleneck: line.path.bottleneck().map(Part::name),
        }
    }
}

fn path(path: &Path) -> BTreeMap<&'static str, f64> {
    path.parts.iter().map(|(part, ms)| (part.name(), micro(*ms))).collect()
}

impl<'a> From<&'a Summary> for TimeJson<'a> {
    fn from(summary: &'a Summary) -> Self {
        Self {
            unit: "ms",
            n: summary.n,
            censored: summary.censored,
            below_zero: summary.below_zero,
            constant: summary.constant,
            p50: micro(summary.p50.value),
            p90: micro(summary.p90.value),
            p95: micro(summary.p95.value),
            p99: micro(summary.p99.value),
            max: micro(summary.max.value),
            lower_bounds: summary
                .quantiles()
                .into_iter()
                .filter_map(|(name, quantile)| quantile.lower_bound.then_some(name))
                .collect(),
            histogram: &summary.histogram,
        }
    }
}

impl<'a> From<&'a Judged> for VerdictJson<'a> {
    fn from(judged: &'a Judged) -> Self {
        let verdict = &judged.verdict;
        Self {
            outcome: judgement(verdict.outcome),
            reasons: &verdict.reasons,
            thresholds: verdict.thresholds.iter().map(Into::into).collect(),
            comparison: verdict.comparison.as_ref().map(Into::into),
            grounds: &verdict.grounds,
            fails: judged.failing().is_some(),
            learning: verdict.learning,
            differences: verdict.differences.iter().map(ToString::to_string).collect(),
            given_at: match &judged.origin {
                Origin::Given { judged_at } => Some(judged_at),
                Origin::Now | Origin::NotKept { .. } => None,
            },
        }
    }
}

impl<'a> From<&'a ThresholdResult> for ThresholdJson<'a> {
    fn from(result: &'a ThresholdResult) -> Self {
        Self {
            metric: result.threshold.metric.name(),
            text: &result.threshold.text,
            limit: result.threshold.limit,
            measured: result.measured.map(|measured| micro(measured.value)),
            lower_bound: result.measured.is_some_and(|measured| measured.lower_bound),
            interval: result
                .interval
                .map(|ends| EndsJson { low: ends.low.map(micro), high: ends.high.map(micro) }),
            n: result.n,
            held: result.held,
        }
    }
}

impl<'a> From<&'a Comparison> for ComparisonJson<'a> {
    fn from(comparison: &'a Comparison) -> Self {
        Self {
            baseline_run_id: &comparison.baseline_run_id,
            baseline_runs: &comparison.baseline_runs,
            primary: comparison.primary.name(),
            quantile: comparison.quantile,
            min_effect_ms: micro(comparison.min_effect_ms),
            answers: comparison.answers.iter().map(Into::into).collect(),
            events: comparison.events.iter().map(Into::into).collect(),
            changes: comparison.changes.iter().map(Into::into).collect(),
            spread: comparison.spread.as_ref().map(Into::into),
            failures: comparison.failures.as_ref().map(Into::into),
            cut_ins: comparison.cut_ins.as_ref().map(Into::into),
            attribution: comparison.attribution.as_ref().map(Into::into),
        }
    }
}

impl From<&Attribution> for AttributionJson {
    fn from(of: &Attribution) -> Self {
        let step = |step: &crate::verdict::StepChange| StepChangeJson {
            step: step.step,
            change_ms: micro(step.change_ms),
            own: parts(&step.own),
        };
        Self {
            total_ms: micro(of.total_ms),
            parts: parts(&of.parts),
            rest_ms: micro(of.rest_ms),
            steps: of.steps.iter().map(step).collect(),
        }
    }
}

impl<'a> From<&'a Answer> for AnswerJson<'a> {
    fn from(answer: &'a Answer) -> Self {
        Self {
            question: answer.asked.question.name(),
            turn: answer.asked.step.as_deref(),
            decides: answer.decides,
            baseline: micro(answer.baseline),
            run: micro(answer.run),
            lower_bounds: lower_bounds(answer.baseline_is_bound, answer.run_is_bound),
            difference: answer.difference.into(),
            confidence: micro(answer.confidence),
            direction: direction(answer.direction),
            p_slower: millionth(answer.p_slower),
            p_faster: millionth(answer.p_faster),
            min_effect_ms: micro(answer.min_effect_ms),
            detectable_ms: micro(answer.detectable_ms),
            run_to_run: run_to_run(answer.basis),
        }
    }
}

impl From<&EventChange> for EventJson {
    fn from(change: &EventChange) -> Self {
        Self { event: change.event.name(), calls: (&change.calls).into() }
    }
}

impl From<&Change> for ChangeJson {
    fn from(change: &Change) -> Self {
        Self {
            metric: change.metric.name(),
            statistic: match change.statistic {
                Statistic::Quantile(percent) => format!("p{percent}"),
                Statistic::Spread => "spread".to_owned(),
            },
            baseline: micro(change.baseline),
            run: micro(change.run),
            lower_bounds: lower_bounds(change.baseline_is_bound, change.run_is_bound),
            difference: change.difference.into(),
            direction: direction(change.direction),
            p: millionth(change.p),
            min_effect_ms: micro(change.min_effect_ms),
            detectable_ms: micro(change.detectable_ms),
            run_to_run: run_to_run(change.basis),
        }
    }
}

/// The sides whose figure is a lower bound.
fn lower_bounds(baseline: bool, run: bool) -> Vec<&'static str> {
    [("baseline", baseline), ("run", run)]
        .into_iter()
        .filter_map(|(s, is)| is.then_some(s))
        .collect()
}

const fn direction(of: Direction) -> &'static str {
    match of {
        Direction::Slower => "slower",
        Direction::Faster => "faster",
        Direction::Alike => "alike",
        Direction::Unclear => "unclear",
    }
}

fn run_to_run(basis: Basis) -> Option<RunToRunJson> {
    match basis {
        Basis::Calls => None,
        Basis::Runs(of) => Some(RunToRunJson {
            runs: of.runs,
            expected: of.expected.into(),
            between_runs_ms: micro(of.between_runs_ms),
            sampling_ms: micro(of.sampling_ms),
        }),
    }
}

fn parts(of: &[PartChange]) -> Vec<PartJson> {
    let json = |c: &PartChange| PartJson { part: c.part.name(), change_ms: micro(c.change_ms) };
    of.iter().map(json).collect()
}

impl From<&FailureChange> for FailuresJson {
    fn from(change: &FailureChange) -> Self {
        let share = |rate: Rate| ShareJson {
            unit: "ratio",
            n: usize::try_from(rate.n).unwrap_or(usize::MAX),
            count: usize::try_from(rate.hits).unwrap_or(usize::MAX),
            rate: millionth(rate.share().unwrap_or(0.0)),
            interval: rate.interval().map(shares),
        };
        Self {
            baseline: share(change.baseline),
            run: share(change.run),
            difference: shares(change.difference),
            p: millionth(change.p),
            more: change.more,
        }
    }
}

fn shares(interval: Interval) -> IntervalJson {
    IntervalJson {
        low: millionth(interval.low),
        point: millionth(interval.point),
        high: millionth(interval.high),
    }
}

/// A share or a chance, to the millionth.
fn millionth(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}

impl From<Interval> for IntervalJson {
    fn from(interval: Interval) -> Self {
        Self { low: micro(interval.low), point: micro(interval.point), high: micro(interval.high) }
    }
}

impl<'a> From<&'a Pacing> for PacingJson<'a> {
    fn from(pacing: &'a Pacing) -> Self {
        Self {
            unit: "ms",
            n: pacing.n,
            p50: pacing.p50_ms,
            p99: pacing.p99_ms,
            max: pacing.max_ms,
            histogram: &pacing.histogram,
        }
    }
}

/// The name of a judgement in `report.json`.
pub(super) const fn judgement(outcome: Judgement) -> &'static str {
    match outcome {
        Judgement::Pass => "pass",
        Judgement::Improvement => "improvement",
        Judgement::Fail => "fail",
        Judgement::Regression => "regression",
        Judgement::Suspected => "suspected",
        Judgement::Inconclusive => "inconclusive",
        Judgement::NotComparable => "not_comparable",
        Judgement::Invalid => "invalid",
        Judgement::NothingMeasured => "nothing_measured",
        Judgement::Stopped => "stopped",
    }
}

/// Milliseconds to the microsecond: what was measured is not finer. A number too large to be
/// rounded stays as it is.
pub(super) fn micro(ms: f64) -> f64 {
    let rounded = (ms * 1_000.0).round() / 1_000.0;
    if rounded.is_finite() { rounded } else { ms }
}
