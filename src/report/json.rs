//! `report.json`: the report for other programs. Its types are its own, so that loadcall's can
//! change without breaking a reader; `report.schema.json` beside this file describes it, and
//! [`FORMAT`] grows when a reader of the schema would no longer understand it.

mod shape;

use std::collections::BTreeMap;

use shape::{
    AttributionJson, CallJson, ChangeJson, ComparisonJson, DefinitionJson, DefinitionsJson,
    Document, DoubtJson, FailuresJson, HostJson, IntervalJson, MetricJson, OverlapJson, PacingJson,
    PartJson, ReceivedJson, RunToRunJson, ShareJson, SpanJson, StepChangeJson, StepJson,
    ThresholdJson, TimeJson, TurnJson, VerdictJson, WindowJson,
};

use super::{Call, OverlapLine, Pacing, Report, Share, StepLine, Summary, TurnLine, Window};
use crate::record::Outcome;
use crate::scenario::Metric;
use crate::stats::{Interval, Rate, Statistic};
use crate::turn::{Cause, Disturbance, Part, Path, Reply, Span};
use crate::verdict::{
    Attribution, Basis, Change, Comparison, Direction, FailureChange, Outcome as Judgement,
    PartChange, ThresholdResult, Verdict,
};

/// The version of the format.
pub const FORMAT: u32 = 2;

/// The report as a JSON document with a line feed at its end.
pub fn render(report: &Report) -> String {
    let mut text = pretty(&report.into());
    text.push('\n');
    text
}

fn pretty(document: &Document) -> String {
    serde_json::to_string_pretty(document).expect("a document of text keys can always be written")
}

impl<'a> From<&'a Report> for Document<'a> {
    fn from(report: &'a Report) -> Self {
        Self {
            format: FORMAT,
            run_id: &report.run_id,
            scenario: &report.scenario,
            scenario_path: &report.scenario_path,
            agent_name: &report.agent_name,
            started_at: &report.started_at,
            loadcall_version: &report.loadcall_version,
            server_url: &report.server_url,
            host: HostJson { os: &report.host.os, cpus: report.host.cpus },
            duration_ms: report.duration_ms.map(micro),
            planned_calls: report.planned,
            stopped: report.stopped,
            verdict: (&report.verdict).into(),
            metrics: metrics(report),
            outcomes: Outcome::ALL
                .into_iter()
                .map(|outcome| {
                    let counted = report.outcomes.iter().find(|count| count.outcome == outcome);
                    (outcome.name(), counted.map_or(0, |count| count.calls))
                })
                .collect(),
            causes: Cause::ALL
                .into_iter()
                .map(|cause| {
                    let counted = report.causes.iter().find(|count| count.cause == cause);
                    (cause.name(), counted.map_or(0, |count| count.calls))
                })
                .collect(),
            steps: report.steps.iter().map(Into::into).collect(),
            definitions: definitions(&report.windows),
            calls: report.calls.iter().map(Into::into).collect(),
            turns: report.turns.iter().map(Into::into).collect(),
            pacing: report.pacing.as_ref().map(Into::into),
            calibration: report.calibration.as_ref(),
            received: ReceivedJson {
                packets: report.received.packets,
                lost: report.received.lost,
                loss: report.received.loss(),
                largest_gap_ms: micro(report.received.largest_gap_ms),
            },
            notes: &report.notes,
        }
    }
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

impl<'a> From<&'a Verdict> for VerdictJson<'a> {
    fn from(verdict: &'a Verdict) -> Self {
        Self {
            outcome: judgement(verdict.outcome),
            reasons: &verdict.reasons,
            thresholds: verdict.thresholds.iter().map(Into::into).collect(),
            comparison: verdict.comparison.as_ref().map(Into::into),
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
            changes: comparison.changes.iter().map(Into::into).collect(),
            spread: comparison.spread.as_ref().map(Into::into),
            failures: comparison.failures.as_ref().map(Into::into),
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

impl From<&Change> for ChangeJson {
    fn from(change: &Change) -> Self {
        let bounds = [("baseline", change.baseline_is_bound), ("run", change.run_is_bound)];
        Self {
            metric: change.metric.name(),
            statistic: match change.statistic {
                Statistic::Quantile(percent) => format!("p{percent}"),
                Statistic::Spread => "spread".to_owned(),
            },
            baseline: micro(change.baseline),
            run: micro(change.run),
            lower_bounds: bounds.into_iter().filter_map(|(side, is)| is.then_some(side)).collect(),
            difference: change.difference.into(),
            direction: match change.direction {
                Direction::Slower => "slower",
                Direction::Faster => "faster",
                Direction::Alike => "alike",
                Direction::Unclear => "unclear",
            },
            p: millionth(change.p),
            min_effect_ms: micro(change.min_effect_ms),
            detectable_ms: micro(change.detectable_ms),
            run_to_run: match change.basis {
                Basis::Calls => None,
                Basis::Runs(of) => Some(RunToRunJson {
                    runs: of.runs,
                    expected: of.expected.into(),
                    between_runs_ms: micro(of.between_runs_ms),
                    sampling_ms: micro(of.sampling_ms),
                }),
            },
        }
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

impl<'a> From<&'a Call> for CallJson<'a> {
    fn from(call: &'a Call) -> Self {
        Self {
            id: call.id,
            room: &call.room,
            room_sid: call.room_sid.as_deref(),
            agent_identity: call.agent_identity.as_deref(),
            outcome: call.outcome.name(),
            detail: &call.detail,
            ok: call.ok,
            cause: call.failure.as_ref().map(|failure| failure.cause.name()),
            cause_detail: call.failure.as_ref().map(|failure| failure.detail.as_str()),
            overlap_ms: micro(call.overlap.overlap_ms),
            speech_ms: micro(call.overlap.speech_ms),
            due_ms: call.due_ms,
            dialled_ms: call.dialled_ms,
            connected_ms: call.connected_ms,
            agent_joined_ms: call.agent_joined_ms,
            agent_ready_ms: call.agent_ready_ms,
            ended_ms: call.ended_ms,
            packets_received: call.packets_received,
            packets_lost: call.packets_lost,
            largest_gap_ms: micro(call.largest_gap_ms),
        }
    }
}

impl<'a> From<&'a TurnLine> for TurnJson<'a> {
    fn from(line: &'a TurnLine) -> Self {
        let turn = &line.turn;
        let (reply, voice) = reply(turn.reply);
        Self {
            call: turn.call.0,
            step: turn.step,
            turn: &turn.id,
            reply,
            heard_ms: line.heard_ms().map(micro),
            ttfa_ms: turn.ttfa_ms.map(micro),
            yield_ms: line.yield_ms().map(micro),
            disturbed_ms: disturbed(turn.reply).map(micro),
            censored: line.censored(),
            said: turn.said.map(Into::into),
            voice: voice.map(Into::into),
            stages_ms: line.stages.iter().map(|(metric, ms)| (metric.name(), micro(*ms))).collect(),
            unattributed_ms: line.unattributed_ms.map(micro),
            tool_ms: turn.tool_ms.map(micro),
            path_ms: turn.path.as_ref().map(path).unwrap_or_default(),
            hidden_ms: turn.path.as_ref().map(|path| micro(path.hidden_ms)),
            bottleneck: turn.path.as_ref().and_then(Path::bottleneck).map(Part::name),
            doubts: turn.doubts.iter().map(Into::into).collect(),
            false_interruption: turn.false_interruption,
            wrong_content: &turn.wrong_content,
            heard_by_agent: turn.heard_by_agent.as_deref(),
            reply_text: turn.reply_text.as_deref(),
            tools: &turn.tools,
            errors: &turn.errors,
        }
    }
}

impl From<&crate::turn::Doubt> for DoubtJson {
    fn from(doubt: &crate::turn::Doubt) -> Self {
        let ms = doubt.ms.filter(|ms| ms.is_finite()).map(micro);
        Self { metric: doubt.metric.name(), ms, why: doubt.why.name() }
    }
}

/// How long after a noise began the agent took notice of it.
fn disturbed(reply: Reply) -> Option<f64> {
    if let Reply::Disturbed { after_ms, .. } = reply { Some(after_ms) } else { None }
}

fn reply(reply: Reply) -> (&'static str, Option<Span>) {
    match reply {
        Reply::Greeted { voice, .. } => ("greeted", Some(voice)),
        Reply::Heard { voice, .. } => ("heard", Some(voice)),
        Reply::Yielded { .. } => ("yielded", None),
        Reply::DidNotYield { .. } => ("did_not_yield", None),
        Reply::Ignored => ("ignored", None),
        Reply::Disturbed { by: Disturbance::Stopped, .. } => ("stopped_by_noise", None),
        Reply::Disturbed { by: Disturbance::Answered, .. } => ("answered_noise", None),
        Reply::Unanswered { .. } => ("unanswered", None),
        Reply::NotAwaited => ("not_awaited", None),
        Reply::NotReached => ("not_reached", None),
    }
}

impl From<Span> for SpanJson {
    fn from(span: Span) -> Self {
        Self { from_ms: super::since_start(span.from), until_ms: super::since_start(span.until) }
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
