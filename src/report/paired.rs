//! One view of a judged A/B run, from which its documents are rendered.

pub mod json;

use crate::measured::agent_metadata;
use crate::record::{MetadataDigest, Side};
use crate::scenario::Overlay;
use crate::verdict::paired::PairedVerdict;
use crate::verdict::{Judged, JudgedPair};

use super::{Share, counts, duration_ms};

/// An A/B run as it is reported. Text in it is as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedReport {
    pub run_id: String,
    /// The scenario's name.
    pub scenario: String,
    pub scenario_path: String,
    /// What flags and variables made of the scenario.
    pub overlay: Option<Overlay>,
    /// RFC 3339, UTC.
    pub started_at: String,
    pub loadcall_version: String,
    /// Milliseconds from start to end; `None` when the run was killed.
    pub duration_ms: Option<f64>,
    pub verdict: PairedVerdict,
    pub a: SideLine,
    pub b: SideLine,
}

/// One of the two agents.
#[derive(Debug, Clone, PartialEq)]
pub struct SideLine {
    pub side: Side,
    pub run_id: String,
    /// Empty with automatic dispatch.
    pub agent_name: String,
    pub agent_metadata: MetadataDigest,
    pub server_url: String,
    /// Calls on record.
    pub calls: usize,
    /// `None` when no call says anything about the agent.
    pub calls_ok: Option<Share>,
}

impl PairedReport {
    pub fn new(judged: &JudgedPair) -> Self {
        let JudgedPair { a, b, verdict } = judged;
        let head = &a.analysis.head;
        let run_id = head.arm.as_ref().map_or_else(|| head.run_id.clone(), |arm| arm.ab.clone());
        Self {
            run_id,
            scenario: a.scenario.name().to_owned(),
            scenario_path: head.scenario_path.clone(),
            overlay: head.overlay.clone(),
            started_at: head.started_at.clone(),
            loadcall_version: head.loadcall_version.clone(),
            duration_ms: duration_ms(&a.analysis),
            verdict: verdict.clone(),
            a: SideLine::new(Side::A, a),
            b: SideLine::new(Side::B, b),
        }
    }
}

impl SideLine {
    fn new(side: Side, of: &Judged) -> Self {
        let head = &of.analysis.head;
        Self {
            side,
            run_id: head.run_id.clone(),
            agent_name: of.scenario.agent().name.clone(),
            agent_metadata: agent_metadata(head, &of.scenario),
            server_url: head.server_url.clone(),
            calls: of.analysis.calls.len(),
            calls_ok: counts::calls_ok(&of.analysis.measures),
        }
    }
}

#[cfg(test)]
mod tests;
