//! `report.json`: the report for other programs. Its types are its own, so that loadcall's can
//! change without breaking a reader; `report.schema.json` beside this file describes it, and
//! [`FORMAT`] grows when a reader of the schema would no longer understand it.

mod shape;

use std::collections::BTreeMap;

use shape::{
    CallJson, ChangeJson, ComparisonJson, Document, HostJson, IntervalJson, MetricJson, PacingJson,
    PartJson, ReceivedJson, ShareJson, SpanJson, ThresholdJson, TimeJson, TurnJson, VerdictJson,
};

use super::{Call, Pacing, Report, Summary, TurnLine};
use crate::record::Outcome;
use crate::scenario::Metric;
use crate::stats::Interval;
use crate::turn::{Reply, Span};
use crate::verdict::{Comparison, Outcome as Judgement, Part, ThresholdResult, Verdict};

/// The version of the format.
pub const FORMAT: u32 = 1;

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
            calls: report.calls.iter().map(Into::into).collect(),
            turns: report.turns.iter().map(Into::into).collect(),
            pacing: report.pacing.as_ref().map(Into::into),
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
    if let Some(share) = report.calls_ok {
        let json = ShareJson { unit: "ratio", n: share.of, count: share.count, rate: share.rate() };
        metrics.insert(Metric::CallsOk.name(), MetricJson::Share(json));
    }
    metrics
}

impl<'a> From<&'a Summary> for TimeJson<'a> {
    fn from(summary: &'a Summary) -> Self {
        Self {
            unit: "ms",
            n: summary.n,
            censored: summary.censored,
            below_zero: summary.below_zero,
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
            primary: comparison.primary.name(),
            quantile: comparison.quantile,
            min_effect_ms: micro(comparison.min_effect_ms),
            changes: comparison
                .changes
                .iter()
                .map(|change| ChangeJson {
                    metric: change.metric.name(),
                    quantile: change.quantile,
                    baseline: micro(change.baseline),
                    run: micro(change.run),
                    lower_bounds: [
                        ("baseline", change.baseline_is_bound),
                        ("run", change.run_is_bound),
                    ]
                    .into_iter()
                    .filter_map(|(side, is_bound)| is_bound.then_some(side))
                    .collect(),
                    difference: change.difference.into(),
                })
                .collect(),
            attribution: comparison
                .attribution
                .iter()
                .map(|part| PartJson {
                    part: part_name(part.part),
                    change_ms: micro(part.change_ms),
                })
                .collect(),
        }
    }
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
            yield_ms: line.yield_ms().map(micro),
            censored: line.censored(),
            said: turn.said.map(Into::into),
            voice: voice.map(Into::into),
            stages_ms: line.stages.iter().map(|(metric, ms)| (metric.name(), micro(*ms))).collect(),
            unattributed_ms: line.unattributed_ms.map(micro),
            heard_by_agent: turn.heard_by_agent.as_deref(),
            reply_text: turn.reply_text.as_deref(),
            tools: &turn.tools,
            errors: &turn.errors,
        }
    }
}

fn reply(reply: Reply) -> (&'static str, Option<Span>) {
    match reply {
        Reply::Greeted { voice, .. } => ("greeted", Some(voice)),
        Reply::Heard { voice, .. } => ("heard", Some(voice)),
        Reply::Yielded { .. } => ("yielded", None),
        Reply::DidNotYield { .. } => ("did_not_yield", None),
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

/// The name of a part of a reply's delay in `report.json`: its metric's where it is one.
const fn part_name(part: Part) -> &'static str {
    match part {
        Part::EndOfTurn => Metric::EndOfTurnDelay.name(),
        Part::UserTurnHook => Metric::OnUserTurnCompletedDelay.name(),
        Part::LlmFirstToken => Metric::LlmNodeTtft.name(),
        Part::LlmFirstSentence => "llm_first_sentence",
        Part::TtsFirstByte => Metric::TtsNodeTtfb.name(),
        Part::BetweenStages => "between_stages",
        Part::Unattributed => Metric::Unattributed.name(),
    }
}

/// The name of a judgement in `report.json`.
const fn judgement(outcome: Judgement) -> &'static str {
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
fn micro(ms: f64) -> f64 {
    let rounded = (ms * 1_000.0).round() / 1_000.0;
    if rounded.is_finite() { rounded } else { ms }
}
