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
//! An agent that does not report its first sentence reports a first byte that may contain the wait for it
//! (before livekit-agents 1.6.5, with nodes of its own, on Node) or may not. There both are one part, from
//! the first token to the first audio, with what else is open where no tool ran.
//!
//! What lies between our ears and the agent's own figure is `unattributed`; where the agent's state says
//! when the turn was decided, how late the agent noticed the end of speech is told apart from it. An agent
//! that reports no latency of its own has the two parts its state gives, by our clock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::REPORTED_SLACK_MS;
use crate::record::ReportedMetrics;
use crate::scenario::Metric;

/// The agent's figures are taken at different places and may exceed their sum by this. Milliseconds.
const FITS_MS: f64 = 10.0;

/// The agent's state reaches us so late, at most, that what remains of `unattributed` may be below zero by
/// this. Milliseconds; 1 to 17 were seen.
const STATE_LAG_MS: f64 = 50.0;

/// A part of a reply's delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Part {
    /// By our clock, where the agent reports no latency: until it says that it is thinking.
    TurnDecided,
    EndOfTurn,
    /// Only where the model started at the transcript, before the turn was committed.
    Transcription,
    UserTurnHook,
    Tool,
    LlmFirstToken,
    /// From the first token to the first sentence that goes to speech synthesis.
    LlmFirstSentence,
    TtsFirstByte,
    /// First sentence and first byte, where the agent does not tell them apart.
    FirstTokenToAudio,
    /// Reported end-to-end latency that no stage accounts for.
    BetweenStages,
    /// By our clock, where the agent reports no latency: from then on until the reply is heard.
    AnswerPrepared,
    /// By how much later than we the agent takes the caller's speech for ended.
    EndNoticedLate,
    /// Heard, but not in what the agent reports.
    Unattributed,
}

impl From<Part> for &'static str {
    fn from(part: Part) -> Self {
        part.name()
    }
}

impl TryFrom<String> for Part {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|part| part.name() == name);
        named.ok_or_else(|| "unknown part".to_owned())
    }
}

impl Part {
    pub const ALL: [Self; 13] = [
        Self::TurnDecided,
        Self::EndOfTurn,
        Self::Transcription,
        Self::UserTurnHook,
        Self::Tool,
        Self::LlmFirstToken,
        Self::LlmFirstSentence,
        Self::TtsFirstByte,
        Self::FirstTokenToAudio,
        Self::BetweenStages,
        Self::AnswerPrepared,
        Self::EndNoticedLate,
        Self::Unattributed,
    ];

    /// The metric's name where it is one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TurnDecided => Metric::TurnDecided.name(),
            Self::EndOfTurn => Metric::EndOfTurnDelay.name(),
            Self::Transcription => Metric::TranscriptionDelay.name(),
            Self::UserTurnHook => Metric::OnUserTurnCompletedDelay.name(),
            Self::Tool => Metric::ToolDelay.name(),
            Self::LlmFirstToken => Metric::LlmNodeTtft.name(),
            Self::LlmFirstSentence => "llm_first_sentence",
            Self::TtsFirstByte => Metric::TtsNodeTtfb.name(),
            Self::FirstTokenToAudio => "first_token_to_audio",
            Self::BetweenStages => "between_stages",
            Self::AnswerPrepared => Metric::AnswerPrepared.name(),
            Self::EndNoticedLate => "end_noticed_late",
            Self::Unattributed => Metric::Unattributed.name(),
        }
    }
}

/// What is known of a reply beside when it was heard.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Known {
    pub reported: ReportedMetrics,
    /// By our receipt.
    pub tool_ms: Option<f64>,
    /// Tools ran, timed or not, or nobody knows.
    pub may_have_run_tools: bool,
    /// From the caller's last voiced sample to the agent's state `thinking`, by our receipt.
    pub turn_decided_ms: Option<f64>,
}

/// The parts of one reply's delay, or of a typical one, in milliseconds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Path {
    /// They add up to the heard latency. Absent: not reported, or not on the path.
    pub parts: BTreeMap<Part, f64>,
    /// Time of stages that ran beside those on the path.
    pub hidden_ms: f64,
    /// When the turn was decided, by our clock; not of a typical path.
    turn_decided_ms: Option<f64>,
}

/// Into what the paths of some turns are told apart. Only paths that are told apart alike are averaged or
/// compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// Into the stages the agent reports; otherwise into the two parts its state gives.
    pub stages: bool,
    /// `unattributed` is split.
    pub noticed: bool,
    /// First sentence and first byte are two parts, or nobody has more than the one that holds both.
    pub sentence: bool,
}

impl Detail {
    /// What at least half of the paths have.
    pub fn of<'a>(paths: impl Iterator<Item = &'a Path>) -> Self {
        let (mut all, mut staged, mut noticed) = (0_usize, 0_usize, 0_usize);
        let (mut apart, mut pooled) = (false, false);
        for path in paths {
            let has = |part| path.parts.contains_key(&part);
            all += 1;
            staged += usize::from(path.has_stages());
            noticed += usize::from(has(Part::EndNoticedLate));
            apart |= has(Part::LlmFirstSentence);
            pooled |= has(Part::FirstTokenToAudio);
        }
        Self {
            stages: 2 * staged >= all,
            noticed: noticed > 0 && 2 * noticed >= staged,
            sentence: !(apart && pooled),
        }
    }

    /// What both have.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self {
            stages: self.stages && other.stages,
            noticed: self.noticed && other.noticed,
            sentence: self.sentence && other.sentence,
        }
    }
}

impl Path {
    /// The path of a reply heard after `heard_ms`; `None` when neither a latency of the agent's own nor its
    /// state is known of it. A reported latency that is longer than the heard one by more than
    /// [`REPORTED_SLACK_MS`] is of another reply.
    pub fn trace(heard_ms: f64, known: &Known) -> Option<Self> {
        let decided = known.turn_decided_ms.filter(|ms| ms.is_finite());
        let e2e = known.reported.e2e_latency_ms.filter(|ms| ms.is_finite() && *ms >= 0.0);
        match e2e.filter(|e2e| heard_ms - e2e >= -REPORTED_SLACK_MS) {
            Some(e2e) => {
                let path = Self::by_stages(heard_ms, e2e, known, decided);
                Some(Self { turn_decided_ms: decided, ..path })
            }
            None => Some(Self::by_state(heard_ms, decided?)),
        }
    }

    fn by_state(heard_ms: f64, decided: f64) -> Self {
        let parts = [(Part::TurnDecided, decided), (Part::AnswerPrepared, heard_ms - decided)];
        Self { parts: parts.into(), hidden_ms: 0.0, turn_decided_ms: Some(decided) }
    }

    fn by_stages(heard_ms: f64, e2e: f64, known: &Known, decided: Option<f64>) -> Self {
        let Known { reported, tool_ms, may_have_run_tools, .. } = known;
        let turn = [
            (Part::EndOfTurn, reported.end_of_turn_delay_ms),
            (Part::UserTurnHook, reported.on_user_turn_completed_delay_ms),
        ];
        let model = model(reported);
        let voice = (first_byte(reported), reported.tts_node_ttfb_ms);
        let all = chain(&[&turn[..], &[voice, (Part::Tool, *tool_ms)], &model].concat());
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
        match path.parts.get_mut(&Part::FirstTokenToAudio) {
            Some(pooled) if !may_have_run_tools => *pooled += left,
            Some(_) | None => {
                path.parts.insert(Part::BetweenStages, left);
            }
        }
        let mut unattributed = heard_ms - e2e;
        if let Some(late) = noticed_late(reported, decided, unattributed) {
            path.parts.insert(Part::EndNoticedLate, late);
            unattributed -= late;
        }
        path.parts.insert(Part::Unattributed, unattributed);
        path
    }

    fn has_stages(&self) -> bool {
        self.parts.contains_key(&Part::Unattributed)
    }

    /// The same path told apart so; `None` when it cannot be.
    pub fn at(&self, detail: Detail) -> Option<Self> {
        if !detail.stages {
            return Some(Self::by_state(self.total_ms(), self.turn_decided_ms?));
        }
        if !self.has_stages() {
            return None;
        }
        let mut path = self.clone();
        if !detail.noticed {
            path.merge(&[Part::EndNoticedLate], Part::Unattributed);
        } else if !path.parts.contains_key(&Part::EndNoticedLate) {
            return None;
        }
        if !detail.sentence {
            let all = [Part::LlmFirstSentence, Part::TtsFirstByte, Part::BetweenStages];
            path.merge(&all, Part::FirstTokenToAudio);
        }
        Some(path)
    }

    fn merge(&mut self, parts: &[Part], into: Part) {
        for part in parts {
            if let Some(ms) = self.parts.remove(part) {
                *self.parts.entry(into).or_default() += ms;
            }
        }
    }

    /// The paths that are told apart as most are, all alike.
    pub fn alike(paths: &[Self]) -> Vec<Self> {
        let detail = Detail::of(paths.iter());
        paths.iter().filter_map(|path| path.at(detail)).collect()
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

/// Without the first sentence nobody knows whether the first byte contains the wait for it.
const fn first_byte(reported: &ReportedMetrics) -> Part {
    match (reported.llm_node_ttft_ms, reported.llm_node_ttfs_ms) {
        (Some(_), None) => Part::FirstTokenToAudio,
        (Some(_) | None, Some(_)) | (None, None) => Part::TtsFirstByte,
    }
}

/// What of `unattributed` passed before the agent took the speech for ended: the turn was decided later
/// than the agent's own stages say by just this. `None` where it does not fit.
fn noticed_late(
    reported: &ReportedMetrics,
    decided: Option<f64>,
    unattributed: f64,
) -> Option<f64> {
    let hook = reported.on_user_turn_completed_delay_ms.unwrap_or(0.0);
    let late = decided? - reported.end_of_turn_delay_ms? - hook;
    (late >= -REPORTED_SLACK_MS && unattributed - late >= -STATE_LAG_MS).then_some(late)
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
