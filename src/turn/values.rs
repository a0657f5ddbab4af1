//! The times an agent reports, by metric.

use crate::record::ReportedMetrics;
use crate::scenario::Metric;

type Field = fn(&mut ReportedMetrics) -> &mut Option<f64>;

/// The reported times and where they lie.
pub const REPORTED: [(Metric, Field); 7] = [
    (Metric::TranscriptionDelay, |m| &mut m.transcription_delay_ms),
    (Metric::EndOfTurnDelay, |m| &mut m.end_of_turn_delay_ms),
    (Metric::OnUserTurnCompletedDelay, |m| &mut m.on_user_turn_completed_delay_ms),
    (Metric::LlmNodeTtft, |m| &mut m.llm_node_ttft_ms),
    (Metric::LlmNodeTtfs, |m| &mut m.llm_node_ttfs_ms),
    (Metric::TtsNodeTtfb, |m| &mut m.tts_node_ttfb_ms),
    (Metric::E2eLatency, |m| &mut m.e2e_latency_ms),
];

/// The values an agent reported, by metric, in the order of [`Metric::ALL`]. A number that is none
/// (agents are not trusted) counts as not reported.
pub fn stages(reported: &ReportedMetrics) -> Vec<(Metric, f64)> {
    // Named one by one, so that a new value cannot be forgotten here.
    let ReportedMetrics {
        transcription_delay_ms,
        end_of_turn_delay_ms,
        on_user_turn_completed_delay_ms,
        llm_node_ttft_ms,
        llm_node_ttfs_ms,
        tts_node_ttfb_ms,
        e2e_latency_ms,
        speech_ms: _,
    } = *reported;
    [
        (Metric::EndOfTurnDelay, end_of_turn_delay_ms),
        (Metric::TranscriptionDelay, transcription_delay_ms),
        (Metric::OnUserTurnCompletedDelay, on_user_turn_completed_delay_ms),
        (Metric::LlmNodeTtft, llm_node_ttft_ms),
        (Metric::LlmNodeTtfs, llm_node_ttfs_ms),
        (Metric::TtsNodeTtfb, tts_node_ttfb_ms),
        (Metric::E2eLatency, e2e_latency_ms),
    ]
    .into_iter()
    .filter_map(|(metric, ms)| Some((metric, ms.filter(|ms| ms.is_finite())?)))
    .collect()
}

/// Adds what a message reports to what is known; `choose` takes the new value and the known one.
pub(super) fn fill_in(
    known: &mut ReportedMetrics,
    new: &ReportedMetrics,
    choose: fn(Option<f64>, Option<f64>) -> Option<f64>,
) {
    let mut new = *new;
    for (_, field) in REPORTED {
        *field(known) = choose(*field(&mut new), *field(known));
    }
}
