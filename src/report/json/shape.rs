//! The shape of `report.json`: a change here is a change of the format.

use std::collections::BTreeMap;

use serde::Serialize;

use super::calls::{Calls, Turns};
use crate::verdict::{Ground, Learning};

#[derive(Serialize)]
pub(super) struct Document<'a> {
    pub(super) format: u32,
    pub(super) run_id: &'a str,
    pub(super) scenario: &'a str,
    pub(super) scenario_path: &'a str,
    pub(super) agent_name: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) overrides: Vec<OverrideJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) variables: Option<&'a BTreeMap<String, String>>,
    pub(super) started_at: &'a str,
    pub(super) loadcall_version: &'a str,
    pub(super) server_url: &'a str,
    pub(super) host: HostJson<'a>,
    pub(super) duration_ms: Option<f64>,
    pub(super) planned_calls: Option<u32>,
    pub(super) stopped: bool,
    pub(super) verdict: VerdictJson<'a>,
    pub(super) metrics: BTreeMap<&'static str, MetricJson<'a>>,
    pub(super) outcomes: BTreeMap<&'static str, usize>,
    pub(super) causes: BTreeMap<&'static str, usize>,
    pub(super) content: ContentCountsJson,
    pub(super) steps: Vec<StepJson<'a>>,
    pub(super) definitions: DefinitionsJson,
    pub(super) calls: Calls<'a>,
    pub(super) turns: Turns<'a>,
    pub(super) pacing: Option<PacingJson<'a>>,
    pub(super) calibration: Option<&'a crate::record::Calibration>,
    pub(super) received: ReceivedJson,
    pub(super) notes: &'a [String],
}

#[derive(Serialize)]
pub(in crate::report) struct OverrideJson<'a> {
    pub(super) flag: &'static str,
    pub(super) value: &'a str,
}

#[derive(Serialize)]
pub(super) struct HostJson<'a> {
    pub(super) os: &'a str,
    pub(super) cpus: u32,
}

#[derive(Serialize)]
pub(super) struct VerdictJson<'a> {
    pub(super) outcome: &'static str,
    pub(super) reasons: &'a [String],
    pub(super) thresholds: Vec<ThresholdJson<'a>>,
    pub(super) comparison: Option<ComparisonJson<'a>>,
    pub(super) grounds: &'a [Ground],
    pub(super) fails: bool,
    pub(super) learning: Option<Learning>,
    pub(super) differences: Vec<String>,
    pub(super) given_at: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct ThresholdJson<'a> {
    pub(super) metric: &'static str,
    pub(super) text: &'a str,
    pub(super) limit: f64,
    pub(super) measured: Option<f64>,
    pub(super) lower_bound: bool,
    pub(super) interval: Option<EndsJson>,
    pub(super) n: usize,
    pub(super) held: bool,
}

/// An end that the run does not show is null.
#[derive(Serialize)]
pub(super) struct EndsJson {
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
}

#[derive(Serialize)]
pub(super) struct ComparisonJson<'a> {
    pub(super) baseline_run_id: &'a str,
    pub(super) baseline_runs: &'a [String],
    pub(super) primary: &'static str,
    pub(super) quantile: f64,
    pub(super) min_effect_ms: f64,
    pub(super) answers: Vec<AnswerJson<'a>>,
    pub(super) changes: Vec<ChangeJson>,
    pub(super) spread: Option<ChangeJson>,
    pub(super) failures: Option<FailuresJson>,
    pub(super) cut_ins: Option<FailuresJson>,
    pub(super) events: Vec<EventJson>,
    pub(super) attribution: Option<AttributionJson>,
}

#[derive(Serialize)]
pub(super) struct AttributionJson {
    pub(super) total_ms: f64,
    pub(super) parts: Vec<PartJson>,
    pub(super) rest_ms: f64,
    pub(super) steps: Vec<StepChangeJson>,
}

#[derive(Serialize)]
pub(super) struct StepChangeJson {
    pub(super) step: u32,
    pub(super) change_ms: f64,
    pub(super) own: Vec<PartJson>,
}

/// What became of everything the replies should hold.
#[derive(Serialize)]
pub(super) struct ContentCountsJson {
    pub(super) met: usize,
    pub(super) missed: usize,
    pub(super) cannot_tell: usize,
}

/// What the replies of a step were waiting for.
#[derive(Serialize)]
pub(super) struct StepJson<'a> {
    pub(super) step: u32,
    pub(super) turn: &'a str,
    pub(super) n: usize,
    pub(super) unanswered: usize,
    pub(super) heard_ms: f64,
    pub(super) path_ms: BTreeMap<&'static str, f64>,
    pub(super) hidden_ms: f64,
    pub(super) bottleneck: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct DefinitionsJson {
    pub(super) metrics: BTreeMap<&'static str, DefinitionJson>,
    pub(super) windows: BTreeMap<&'static str, WindowJson>,
}

#[derive(Serialize)]
pub(super) struct DefinitionJson {
    pub(super) unit: &'static str,
    pub(super) source: &'static str,
    pub(super) text: &'static str,
}

#[derive(Serialize)]
pub(super) struct WindowJson {
    pub(super) ms: f64,
    pub(super) text: &'static str,
}

#[derive(Serialize)]
pub(super) struct PartJson {
    pub(super) part: &'static str,
    pub(super) change_ms: f64,
}

/// The answer to a question of latency.
#[derive(Serialize)]
pub(super) struct AnswerJson<'a> {
    pub(super) question: &'static str,
    pub(super) turn: Option<&'a str>,
    pub(super) decides: bool,
    pub(super) baseline: f64,
    pub(super) run: f64,
    pub(super) lower_bounds: Vec<&'static str>,
    pub(super) difference: IntervalJson,
    pub(super) confidence: f64,
    pub(super) direction: &'static str,
    pub(super) p_slower: f64,
    pub(super) p_faster: f64,
    pub(super) min_effect_ms: f64,
    pub(super) detectable_ms: f64,
    pub(super) run_to_run: Option<RunToRunJson>,
}

/// Calls without something that happens in turns.
#[derive(Serialize)]
pub(super) struct EventJson {
    pub(super) event: &'static str,
    pub(super) calls: FailuresJson,
}

#[derive(Serialize)]
pub(super) struct ChangeJson {
    pub(super) metric: &'static str,
    pub(super) statistic: String,
    pub(super) baseline: f64,
    pub(super) run: f64,
    pub(super) lower_bounds: Vec<&'static str>,
    pub(super) difference: IntervalJson,
    pub(super) direction: &'static str,
    pub(super) p: f64,
    pub(super) min_effect_ms: f64,
    pub(super) detectable_ms: f64,
    pub(super) run_to_run: Option<RunToRunJson>,
}

#[derive(Serialize)]
pub(super) struct RunToRunJson {
    pub(super) runs: usize,
    pub(super) expected: IntervalJson,
    pub(super) between_runs_ms: f64,
    pub(super) sampling_ms: f64,
}

#[derive(Serialize)]
pub(super) struct FailuresJson {
    pub(super) baseline: ShareJson,
    pub(super) run: ShareJson,
    pub(super) difference: IntervalJson,
    pub(super) p: f64,
    pub(super) more: bool,
}

#[derive(Serialize)]
pub(super) struct IntervalJson {
    pub(super) low: f64,
    pub(super) point: f64,
    pub(super) high: f64,
}

/// A map of metrics holds times, shares and a fraction, so its values have several shapes; `unit`
/// tells them apart. (Only written, never read, so `untagged` costs nothing here.)
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum MetricJson<'a> {
    Time(Box<TimeJson<'a>>),
    Share(ShareJson),
    Overlap(Box<OverlapJson>),
}

#[derive(Serialize)]
pub(super) struct TimeJson<'a> {
    pub(super) unit: &'static str,
    pub(super) n: usize,
    pub(super) censored: usize,
    pub(super) below_zero: u64,
    pub(super) constant: bool,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
    pub(super) lower_bounds: Vec<&'static str>,
    pub(super) histogram: &'a str,
}

#[derive(Serialize)]
pub(super) struct ShareJson {
    pub(super) unit: &'static str,
    pub(super) n: usize,
    pub(super) count: usize,
    pub(super) rate: f64,
    pub(super) interval: Option<IntervalJson>,
}

#[derive(Serialize)]
pub(super) struct OverlapJson {
    pub(super) unit: &'static str,
    pub(super) n: usize,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
    pub(super) overlap_ms: f64,
    pub(super) speech_ms: f64,
}

#[derive(Serialize)]
pub(super) struct PacingJson<'a> {
    pub(super) unit: &'static str,
    pub(super) n: u64,
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
    pub(super) histogram: &'a str,
}

#[derive(Serialize)]
pub(super) struct ReceivedJson {
    pub(super) packets: u64,
    pub(super) lost: u64,
    pub(super) loss: f64,
    pub(super) largest_gap_ms: f64,
}
