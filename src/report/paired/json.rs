//! `ab.json`: an A/B run for other programs. `ab.schema.json` describes it, and [`FORMAT`] grows
//! when a reader of the schema would no longer understand it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{PairedReport, SideLine};
use crate::record::MetadataDigest;
use crate::report::json::{OverrideJson, judgement, micro, overrides, variables};
use crate::verdict::paired::{
    Excluded, Finding, Looked, PairedCalls, PairedChange, PairedComparison,
};
use crate::verdict::{Attribution, PartChange};

/// The version of the format.
pub const FORMAT: u32 = 2;

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    run_id: &'a str,
    scenario: &'a str,
    scenario_path: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    overrides: Vec<OverrideJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variables: Option<&'a BTreeMap<String, String>>,
    started_at: &'a str,
    loadcall_version: &'a str,
    duration_ms: Option<f64>,
    outcome: &'static str,
    reasons: &'a [String],
    a: SideJson<'a>,
    b: SideJson<'a>,
    comparison: Option<ComparisonJson>,
}

#[derive(Serialize)]
struct SideJson<'a> {
    run_id: &'a str,
    agent_name: &'a str,
    agent_metadata: &'a MetadataDigest,
    server_url: &'a str,
    calls: usize,
    calls_ok: Option<usize>,
}

#[derive(Serialize)]
struct ComparisonJson {
    primary: &'static str,
    min_effect_ms: f64,
    detectable_ms: Option<f64>,
    pairs: usize,
    pairs_needed: Option<u64>,
    questions: Vec<QuestionJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    excluded_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    looks: Option<LooksJson>,
    changes: Vec<ChangeJson>,
    calls: CallsJson,
    attribution: Option<AttributionJson>,
}

/// What was asked of b, in milliseconds.
#[derive(Serialize)]
struct QuestionJson {
    question: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn: Option<String>,
    a_ms: f64,
    change_ms: QuestionChangeJson,
    confidence: f64,
    min_effect_ms: f64,
    p: f64,
    worse: bool,
}

#[derive(Serialize)]
struct QuestionChangeJson {
    low: f64,
    at_least: f64,
    at_most: f64,
    high: f64,
}

/// Pairs at each planned look, and how many looks there were.
#[derive(Serialize)]
struct LooksJson {
    planned: Vec<u32>,
    had: usize,
    decided: bool,
}

#[derive(Serialize)]
struct ChangeJson {
    metric: &'static str,
    a_p50_ms: f64,
    b_p50_ms: f64,
    lower_bounds: Vec<&'static str>,
    turns: usize,
    pairs: usize,
    bounded: usize,
    /// In milliseconds.
    shift_ms: ShiftJson,
}

/// An end that is not known is null.
#[derive(Serialize)]
struct ShiftJson {
    low: Option<f64>,
    at_least: Option<f64>,
    at_most: Option<f64>,
    high: Option<f64>,
}

#[derive(Serialize)]
struct CallsJson {
    both_ok: u64,
    only_a_ok: u64,
    only_b_ok: u64,
    neither_ok: u64,
    p: f64,
}

/// The parts and the rest add up to the total.
#[derive(Serialize)]
struct AttributionJson {
    total_ms: f64,
    parts: Vec<PartJson>,
    rest_ms: f64,
}

#[derive(Serialize)]
struct PartJson {
    part: &'static str,
    change_ms: f64,
}

/// The report as a JSON document with a line feed at its end.
pub fn render(report: &PairedReport) -> String {
    let document = Document {
        format: FORMAT,
        run_id: &report.run_id,
        scenario: &report.scenario,
        scenario_path: &report.scenario_path,
        overrides: overrides(report.overlay.as_ref()),
        variables: variables(report.overlay.as_ref()),
        started_at: &report.started_at,
        loadcall_version: &report.loadcall_version,
        duration_ms: report.duration_ms.map(micro),
        outcome: judgement(report.verdict.outcome),
        reasons: &report.verdict.reasons,
        a: (&report.a).into(),
        b: (&report.b).into(),
        comparison: report.verdict.comparison.as_ref().map(Into::into),
    };
    pretty(&document) + "\n"
}

fn pretty(document: &Document<'_>) -> String {
    serde_json::to_string_pretty(document).expect("a document of text keys can always be written")
}

impl<'a> From<&'a SideLine> for SideJson<'a> {
    fn from(side: &'a SideLine) -> Self {
        Self {
            run_id: &side.run_id,
            agent_name: &side.agent_name,
            agent_metadata: &side.agent_metadata,
            server_url: &side.server_url,
            calls: side.calls,
            calls_ok: side.calls_ok.map(|share| share.count),
        }
    }
}

impl From<&PairedComparison> for ComparisonJson {
    fn from(comparison: &PairedComparison) -> Self {
        Self {
            primary: comparison.primary.name(),
            min_effect_ms: micro(comparison.min_effect_ms),
            detectable_ms: comparison.detectable_ms.map(micro),
            pairs: comparison.pairs,
            pairs_needed: comparison.pairs_needed,
            questions: comparison.findings.iter().map(Into::into).collect(),
            excluded_ms: excluded_ms(comparison).map(micro),
            looks: comparison.looks.as_ref().map(Into::into),
            changes: comparison.changes.iter().map(Into::into).collect(),
            calls: (&comparison.calls).into(),
            attribution: comparison.attribution.as_ref().map(Into::into),
        }
    }
}

/// A slowdown of the typical turn that is ruled out.
fn excluded_ms(comparison: &PairedComparison) -> Option<f64> {
    match comparison.excluded? {
        Excluded::MinEffect => Some(comparison.min_effect_ms),
        Excluded::TwiceMinEffect => Some(2.0 * comparison.min_effect_ms),
    }
}

impl From<&Finding> for QuestionJson {
    fn from(of: &Finding) -> Self {
        Self {
            question: of.question.name(),
            turn: of.turn.clone(),
            a_ms: micro(of.a_ms),
            change_ms: QuestionChangeJson {
                low: micro(of.low_ms),
                at_least: micro(of.at_least_ms),
                at_most: micro(of.at_most_ms),
                high: micro(of.high_ms),
            },
            confidence: micro(of.confidence),
            min_effect_ms: micro(of.min_effect_ms),
            p: of.p,
            worse: of.worse,
        }
    }
}

impl From<&Looked> for LooksJson {
    fn from(of: &Looked) -> Self {
        Self { planned: of.planned.clone(), had: of.had, decided: of.decided }
    }
}

impl From<&Attribution> for AttributionJson {
    fn from(of: &Attribution) -> Self {
        let part = |p: &PartChange| PartJson { part: p.part.name(), change_ms: micro(p.change_ms) };
        Self {
            total_ms: micro(of.total_ms),
            parts: of.parts.iter().map(part).collect(),
            rest_ms: micro(of.rest_ms),
        }
    }
}

impl From<&PairedChange> for ChangeJson {
    fn from(change: &PairedChange) -> Self {
        let known = |ms: f64| ms.is_finite().then(|| micro(ms));
        let sides = [("a", change.a.lower_bound), ("b", change.b.lower_bound)];
        Self {
            metric: change.metric.name(),
            a_p50_ms: micro(change.a.value),
            b_p50_ms: micro(change.b.value),
            lower_bounds: sides.into_iter().filter_map(|(s, is)| is.then_some(s)).collect(),
            turns: change.turns,
            pairs: change.pairs,
            bounded: change.bounded,
            shift_ms: ShiftJson {
                low: known(change.shift.low),
                at_least: known(change.shift.at_least),
                at_most: known(change.shift.at_most),
                high: known(change.shift.high),
            },
        }
    }
}

impl From<&PairedCalls> for CallsJson {
    fn from(calls: &PairedCalls) -> Self {
        let PairedCalls { both_ok, only_a_ok, only_b_ok, neither_ok } = *calls;
        Self { both_ok, only_a_ok, only_b_ok, neither_ok, p: calls.p() }
    }
}
