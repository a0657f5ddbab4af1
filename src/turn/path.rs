//! What a reply was waiting for: the heard latency as parts that add up to it exactly.
//!
//! The agent's own end-to-end latency is the anchor: stages are laid into it, and never summed blindly,
//! because they overlap when the model starts before the turn is committed (preemptive generation).
//!
//! 1. When end of turn, hook, first sentence, first audio and tools fit into it one after another,
//!    that is how it went. What they leave open is `between_stages` (with tools: the model's
//!    request before them, for which there is no message).
//! 2. Otherwise some of it was hidden. The reply began when both the committed turn (end of turn + hook)
//!    and the model, which started at the transcript (transcription + first sentence), were
//!    through: the later of the two is on the path, and the other one is hidden.
//! 3. What is longer than the anchor all the same is cut, the model's time first.
//!
//! What lies between our ears and the agent's own figure is `unattributed`.

use std::collections::BTreeMap;

use crate::record::ReportedMetrics;
use crate::scenario::Metric;

/// The agent's figures are taken at different places and may exceed their sum by this. Milliseconds.
const FITS_MS: f64 = 10.0;

/// A part of a reply's delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    EndOfTurn,
    /// Only where the model started at the transcript, before the turn was committed.
    Transcription,
    UserTurnHook,
    Tool,
    LlmFirstToken,
    /// From the first token to the first sentence that goes to speech synthesis.
    LlmFirstSentence,
    TtsFirstByte,
    /// Reported end-to-end latency that no stage accounts for.
    BetweenStages,
    /// Heard, but not in what the agent reports.
    Unattributed,
}

impl Part {
    pub const ALL: [Self; 9] = [
        Self::EndOfTurn,
        Self::Transcription,
        Self::UserTurnHook,
        Self::Tool,
        Self::LlmFirstToken,
        Self::LlmFirstSentence,
        Self::TtsFirstByte,
        Self::BetweenStages,
        Self::Unattributed,
    ];

    /// The metric's name where it is one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndOfTurn => Metric::EndOfTurnDelay.name(),
            Self::Transcription => Metric::TranscriptionDelay.name(),
            Self::UserTurnHook => Metric::OnUserTurnCompletedDelay.name(),
            Self::Tool => Metric::ToolDelay.name(),
            Self::LlmFirstToken => Metric::LlmNodeTtft.name(),
            Self::LlmFirstSentence => "llm_first_sentence",
            Self::TtsFirstByte => Metric::TtsNodeTtfb.name(),
            Self::BetweenStages => "between_stages",
            Self::Unattributed => Metric::Unattributed.name(),
        }
    }
}

/// The parts of one reply's delay, or of a typical one, in milliseconds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Path {
    /// They add up to the heard latency. Absent: not reported, or not on the path.
    pub parts: BTreeMap<Part, f64>,
    /// Time of stages that ran beside those on the path.
    pub hidden_ms: f64,
}

impl Path {
    /// The path of a reply heard after `heard_ms`; `None` when the agent reports no latency of its own
    /// for it. `tool_ms` is by our receipt.
    pub fn trace(heard_ms: f64, reported: &ReportedMetrics, tool_ms: Option<f64>) -> Option<Self> {
        let e2e = reported.e2e_latency_ms.filter(|ms| ms.is_finite() && *ms >= 0.0)?;
        let turn = [
            (Part::EndOfTurn, reported.end_of_turn_delay_ms),
            (Part::UserTurnHook, reported.on_user_turn_completed_delay_ms),
        ];
        let model = model(reported);
        let voice = (Part::TtsFirstByte, reported.tts_node_ttfb_ms);
        let all = chain(&[&turn[..], &[voice, (Part::Tool, tool_ms)], &model].concat());
        let sum = total(&all);
        // With a tool the last request cannot have been started early.
        let may_overlap = tool_ms.is_none() && reported.transcription_delay_ms.is_some();
        let on_path = if sum <= e2e + FITS_MS || !may_overlap {
            all
        } else {
            let early = [(Part::Transcription, reported.transcription_delay_ms)];
            let started_early = chain(&[&early[..], &[voice], &model].concat());
            let committed = chain(&[&turn[..], &[voice]].concat());
            if total(&started_early) >= total(&committed) { started_early } else { committed }
        };
        let mut path = Self::default();
        let mut left = e2e;
        for (part, ms) in on_path {
            let ms = ms.min(left);
            left -= ms;
            path.parts.insert(part, ms);
        }
        path.hidden_ms = if sum > e2e + FITS_MS { sum - e2e } else { 0.0 };
        path.parts.insert(Part::BetweenStages, left);
        path.parts.insert(Part::Unattributed, heard_ms - e2e);
        Some(path)
    }

    /// The heard latency.
    pub fn total_ms(&self) -> f64 {
        self.parts.values().sum()
    }

    /// The largest part.
    pub fn bottleneck(&self) -> Option<Part> {
        let largest = self.parts.iter().max_by(|a, b| a.1.total_cmp(b.1));
        largest.map(|(part, _)| *part)
    }

    /// The typical path of the turns around a percentile of the heard latency: the mean of each part
    /// over those turns, so that the parts still add up, and over no others, so that one slow turn
    /// does not make the typical one. (Euler's allocation of a quantile: a part's share of it is what
    /// the part amounts to where the sum is at the quantile.)
    pub fn around(paths: &[Self], percent: f64) -> Option<Self> {
        let mut sorted: Vec<&Self> = paths.iter().collect();
        sorted.sort_by(|a, b| a.total_ms().total_cmp(&b.total_ms()));
        let chosen = sorted.get(window(sorted.len(), percent))?;
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 turns")]
        let n = chosen.len() as f64;
        let mut mean = Self::default();
        for path in chosen {
            for (part, ms) in &path.parts {
                *mean.parts.entry(*part).or_default() += ms / n;
            }
            mean.hidden_ms += path.hidden_ms / n;
        }
        (!chosen.is_empty()).then_some(mean)
    }
}

/// Which of `n` sorted turns are around a percentile: within 25 points of it, less towards the ends,
/// but 5 at least. The middle half for the median, the slowest tenth for the 95th.
fn window(n: usize, percent: f64) -> std::ops::Range<usize> {
    let points = percent.min(100.0 - percent).clamp(5.0, 25.0);
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 turns")]
    let place = |i: usize| (i as f64 + 0.5) / n as f64 * 100.0;
    let inside = |i: &usize| (place(*i) - percent).abs() <= points;
    let first = (0..n).find(inside);
    let last = (0..n).rfind(inside);
    match (first, last) {
        (Some(first), Some(last)) => first..last + 1,
        // So few turns that none lies there: the one at the end of the percentile.
        _ if percent < 50.0 => 0..n.min(1),
        _ => n.saturating_sub(1)..n,
    }
}

/// The stages of the model, the last on the path first where it must be cut.
fn model(reported: &ReportedMetrics) -> Vec<(Part, Option<f64>)> {
    let (token, sentence) = (reported.llm_node_ttft_ms, reported.llm_node_ttfs_ms);
    let after_token = sentence.zip(token).map(|(end, begin)| (end - begin).max(0.0));
    // Without the first token the first sentence is all that is known of the model.
    vec![(Part::LlmFirstSentence, after_token), (Part::LlmFirstToken, token.or(sentence))]
}

fn chain(stages: &[(Part, Option<f64>)]) -> Vec<(Part, f64)> {
    let usable = |ms: &f64| ms.is_finite() && *ms >= 0.0;
    stages.iter().filter_map(|(part, ms)| Some((*part, ms.filter(usable)?))).collect()
}

fn total(stages: &[(Part, f64)]) -> f64 {
    stages.iter().map(|(_, ms)| ms).sum()
}

#[cfg(test)]
mod tests;
